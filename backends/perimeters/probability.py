"""Where a probability comes from, strip by strip, in metres: a raster file or an array."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.perimeters.coordinates import WGS84, is_metric, moved, needed, short, utm_of

STRIP_ROWS = 256
Affine6 = tuple[float, float, float, float, float, float]
Strip = tuple[int, NDArray[np.float32]]


class Source(Protocol):
    """Values on a grid in metres."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    @property
    def affine(self) -> Affine6:
        """Of pixel corners, as in `backends.georeference`."""
        ...

    @property
    def crs(self) -> str:
        """Projected, in metres."""
        ...

    def strips(self) -> Iterator[Strip]:
        """Yield the first row and the values, shape (rows, cols), nan where there are none."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """A probability in memory."""

    values: NDArray[Any]
    affine: Affine6
    crs: str

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.values.shape[0]), int(self.values.shape[1])

    def strips(self) -> Iterator[Strip]:
        """Yield strips of the array."""
        for row in range(0, len(self.values), STRIP_ROWS):
            yield row, np.asarray(self.values[row : row + STRIP_ROWS], np.float32)


@dataclass(frozen=True, eq=False)
class _RasterSource:
    raster: Any
    band: int
    scale: float
    shape: tuple[int, int]
    affine: Affine6
    crs: str

    def strips(self) -> Iterator[Strip]:
        from rasterio.windows import Window

        rows, cols = self.shape
        nodata = self.raster.nodata
        for row in range(0, rows, STRIP_ROWS):
            window = Window(0, row, cols, min(STRIP_ROWS, rows - row))
            values = self.raster.read(self.band, window=window).astype(np.float32, copy=False)
            if nodata is not None and not np.isnan(nodata):
                values[values == np.float32(nodata)] = np.nan
            if self.scale != 1.0:
                values /= np.float32(self.scale)
            yield row, values


def from_array(values: NDArray[Any], place: GeoReference, title: str) -> ArraySource:
    """Return a source of an array, warped to the local UTM zone where it is not in metres.

    Raises
    ------
    BadInput
        No coordinate system.
    """
    crs = needed(place.crs, title)
    values = np.asarray(values, np.float32)
    if is_metric(crs):
        return ArraySource(values, place.affine, short(crs))
    from affine import Affine
    from rasterio.warp import Resampling, calculate_default_transform, reproject

    target = _utm(place, crs, values.shape[:2])
    rows, cols = values.shape
    before = Affine(*place.affine)
    corners = [before * c for c in ((0, 0), (cols, 0), (cols, rows), (0, rows))]
    xs, ys = [p[0] for p in corners], [p[1] for p in corners]
    affine, width, height = calculate_default_transform(
        crs, target, cols, rows, min(xs), min(ys), max(xs), max(ys)
    )
    out = np.full((height, width), np.nan, np.float32)
    reproject(
        values, out, src_transform=before, src_crs=crs, dst_transform=affine, dst_crs=target,
        src_nodata=np.nan, dst_nodata=np.nan, resampling=Resampling.bilinear,
    )  # fmt: skip
    return ArraySource(out, tuple(affine)[:6], target)


@contextmanager
def opened(
    path: Path,
    *,
    band: int = 1,
    scale: float = 1.0,
    crs: str | None = None,
    like: Source | None = None,
) -> Iterator[Source]:
    """Open a raster as a source; read strip by strip, warped on the way where needed.

    Parameters
    ----------
    band : int
        From 1.
    scale : float
        What the values are divided by: 255 for a probability stored in bytes.
    crs : str, optional
        For a file that names none.
    like : Source, optional
        Its grid is taken over.

    Raises
    ------
    BadInput
        Not a raster, no such band, no coordinate system.
    """
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.vrt import WarpedVRT

    if not path.exists():
        raise BadInput(
            f"{path.name} does not exist.", subject=path, way_out="Check the name and the folder."
        )
    with ExitStack() as stack:
        try:
            raster = stack.enter_context(rasterio.open(path))
        except RasterioError as error:
            raise BadInput(
                f"{path.name} cannot be read as a raster.", subject=path, details=str(error)
            ) from error
        if not 1 <= band <= raster.count:
            raise BadInput(f"{path.name} has {raster.count} bands, none is {band}.", subject=path)
        own = raster.crs.to_wkt() if raster.crs else crs
        named = short(needed(own, path))
        place = GeoReference(tuple(raster.transform)[:6], named)
        if raster.transform.is_identity:
            raise BadInput(
                f"{path.name} does not say where its pixels lie.",
                subject=path,
                way_out="Give a raster with a georeference, such as a GeoTIFF.",
            )
        grid: dict[str, Any] = {}
        if like is not None:
            from affine import Affine

            grid = {"crs": like.crs, "transform": Affine(*like.affine)}
            grid |= {"height": like.shape[0], "width": like.shape[1]}
        elif not is_metric(named):
            grid = {"crs": _utm(place, named, raster.shape)}
        if grid:
            # An undefined border must not be read as "no fire".
            grid |= {"src_crs": named, "src_nodata": raster.nodata, "nodata": np.nan}
            raster = stack.enter_context(
                WarpedVRT(raster, resampling=Resampling.bilinear, dtype="float32", **grid)
            )
        yield _RasterSource(
            raster, band, scale, (raster.height, raster.width), tuple(raster.transform)[:6],
            grid.get("crs", named),
        )  # fmt: skip


def _utm(place: GeoReference, crs: str, shape: tuple[int, ...]) -> str:
    import shapely

    middle = shapely.Point(place.to_map(shape[0] / 2, shape[1] / 2))
    at = moved(middle, crs, WGS84)
    return utm_of(float(at.x), float(at.y))
