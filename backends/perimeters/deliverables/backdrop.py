"""The imagery below the lines of the map: any raster, or a scene as it is being looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.composite import Recipe, render
from backends.errors import BadInput
from backends.perimeters.coordinates import needed
from backends.perimeters.deliverables.geopdf import PageReference
from backends.perimeters.scenes import placed
from backends.progress import Progress
from backends.scene import Scene

_DOTS_PER_POINT = 150 / 72
_LARGEST = 4096  # pixels a side: no paper shows more
_PALE = 0.55  # lines must stand out from what lies below them


class Below(Protocol):
    """Something to show below the lines."""

    def for_frame(self, place: PageReference) -> NDArray[np.uint8]:
        """Return the picture of a frame, shape (rows, cols, 3)."""


@dataclass(frozen=True, eq=False)
class SceneBackdrop:
    """A georeferenced scene as it is being looked at: its bands and its stretch.

    Attributes
    ----------
    rgb : uint8 array of shape (rows, cols, 3)
    affine : six floats
        From its pixels to map units.
    crs : str
    """

    rgb: NDArray[np.uint8]
    affine: tuple[float, ...]
    crs: str

    @classmethod
    def of(cls, scene: Scene, recipe: Recipe, *, progress: Progress | None = None) -> SceneBackdrop:
        """Read the picture of a scene, coarser where it is large.

        Raises
        ------
        BadInput
            The scene has no place on Earth, or cannot be read.
        """
        place = placed(scene)
        level = next(
            (n for n, shape in enumerate(scene.level_shapes) if max(shape) <= _LARGEST),
            len(scene.level_shapes) - 1,
        )
        picture = render(scene, recipe, level=level, progress=progress)
        (a, b, c, d, e, f), (rows, cols) = place.affine, picture.step
        return cls(
            picture.to_rgb8(), (a * cols, b * rows, c, d * cols, e * rows, f), str(place.crs)
        )

    def for_frame(self, place: PageReference) -> NDArray[np.uint8]:
        """Return the picture of a frame, shape (rows, cols, 3), pale so that lines stand out."""
        from affine import Affine
        from rasterio.warp import Resampling, reproject

        rows, cols, grid = _grid(place)
        inside = np.zeros((rows, cols), np.uint8)
        there = np.full(self.rgb.shape[:2], 255, np.uint8)
        shared = {
            "src_transform": Affine(*self.affine), "src_crs": self.crs, "dst_crs": place.crs,
            "dst_transform": grid,
        }  # fmt: skip
        reproject(there, inside, resampling=Resampling.nearest, **shared)
        out = np.full((rows, cols, 3), 255, np.uint8)
        for plane in range(3):
            turned = np.zeros((rows, cols), np.float32)
            source = np.ascontiguousarray(self.rgb[..., plane], np.float32)
            reproject(source, turned, resampling=Resampling.bilinear, **shared)
            pale = 255 * (1 - _PALE) + _PALE * np.clip(turned, 0, 255)
            out[..., plane] = np.where(inside > 0, pale, 255).astype(np.uint8)
        return out


@dataclass(frozen=True)
class Backdrop:
    """A raster file to show below the lines.

    Attributes
    ----------
    path : Path
    bands : tuple of int
        From 1; three make a colour picture, one a grey one. Empty: the first three or the first.
    crs : str
        For a file that names none.
    """

    path: Path
    bands: tuple[int, ...] = ()
    crs: str = ""

    def for_frame(self, place: PageReference) -> NDArray[np.uint8]:
        """Return the picture of a frame, shape (rows, cols, 3), pale so that lines stand out.

        Raises
        ------
        BadInput
            It cannot be read or has no place on Earth.
        """
        import rasterio
        from rasterio.enums import Resampling
        from rasterio.errors import RasterioError
        from rasterio.vrt import WarpedVRT

        rows, cols, grid = _grid(place)
        try:
            with rasterio.open(self.path) as raster:
                named = needed(raster.crs.to_wkt() if raster.crs else self.crs, self.path)
                chosen = self.bands or tuple(range(1, 4 if raster.count >= 3 else 2))
                if max(chosen) > raster.count or min(chosen) < 1 or len(chosen) not in (1, 3):
                    raise BadInput(
                        f"{self.path.name} cannot be shown by bands {chosen}; it has "
                        f"{raster.count}.",
                        subject=self.path,
                    )
                with WarpedVRT(
                    raster, src_crs=named, crs=place.crs, transform=grid, width=cols, height=rows,
                    resampling=Resampling.bilinear, add_alpha=raster.nodata is None,
                ) as turned:  # fmt: skip
                    values = turned.read(chosen, out_dtype="float32", masked=True)
        except RasterioError as error:
            raise BadInput(
                f"{self.path.name} cannot be read as a raster.",
                subject=self.path,
                details=str(error),
            ) from error
        picture = np.stack([_stretched(band) for band in values], axis=-1)
        return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture


def _grid(place: PageReference) -> tuple[int, int, Any]:
    """Return rows, columns and affine of a frame's pixels."""
    from affine import Affine

    left, bottom, right, top = place.frame
    cols = round((right - left) * _DOTS_PER_POINT)
    rows = round((top - bottom) * _DOTS_PER_POINT)
    west, south, east, north = place.extent
    return rows, cols, Affine((east - west) / cols, 0, west, 0, (south - north) / rows, north)


def _stretched(band: np.ma.MaskedArray[tuple[int, int], np.dtype[np.float32]]) -> NDArray[np.uint8]:
    """Stretch between the 2nd and the 98th percentile; what is absent stays white."""
    there = ~np.ma.getmaskarray(band) & np.isfinite(band.data)
    out = np.full(band.shape, 255, np.uint8)
    if not there.any():
        return out
    low, high = np.percentile(band.data[there], (2, 98))
    part = np.clip((band.data[there] - low) / max(float(high - low), 1e-12), 0, 1)
    out[there] = np.asarray(255 * (1 - _PALE + _PALE * part), np.uint8)
    return out
