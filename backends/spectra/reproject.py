"""A scene on another grid: another coordinate system, pixel size or extent; streamed.

Every output pixel asks which place of the scene it lies on, so any scene that says where it lies
will do, whatever its format. Strips are halved until the part of the scene below them is small.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.georeference import GeoReference
from backends.io.writers.cubes import Cube, write_cube
from backends.scene import Scene, Window
from backends.spectra.cubes import cube_summary, empty_value, made_by

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
HOW = ("nearest", "bilinear")
MOST_PIXELS = 1 << 36
_STRIP_BYTES = 24 << 20
_SOURCE_BYTES = 96 << 20
_EDGE = 65  # points along each side that find the extent


@dataclass(frozen=True)
class Grid:
    """Where the pixels of the result lie.

    Attributes
    ----------
    place : GeoReference
    rows, cols : int
    """

    place: GeoReference
    rows: int
    cols: int


def grid_for(
    scene: Scene,
    crs: str | None = None,
    resolution: float | None = None,
    box: Sequence[float] | None = None,
    *,
    window: Window | None = None,
) -> Grid:
    """Return a north-up grid that holds the scene.

    Parameters
    ----------
    crs : str, optional
        ``"EPSG:32633"``; default the scene's own.
    resolution : float, optional
        Side of a pixel in units of the system; default about that of the scene.
    box : (west, south, east, north), optional
        Extent in coordinates of the new system.
    window : Window, optional
        In pixels of the scene: hold this part alone.

    Raises
    ------
    BadInput
        The scene has no place, the part lies outside it, the system is unknown or does not
        reach there.
    """
    place = _placed(scene)
    wanted = _system(crs) if crs is not None else place.crs
    target = GeoReference((1.0, 0.0, 0.0, 0.0, -1.0, 0.0), wanted)
    part = (window or Window(0, 0, *scene.shape[:2])).clip(*scene.shape[:2])
    if not part.height or not part.width:
        raise BadInput(f"The part lies outside {scene.title}.", way_out="Check rows and columns.")
    rows, cols = part.height, part.width
    r, c = np.linspace(0, rows, _EDGE) + part.row, np.linspace(0, cols, _EDGE) + part.col
    edge = np.concatenate(
        [np.stack([np.full(_EDGE, v), c], 1) for v in (r[0], r[-1])]
        + [np.stack([r, np.full(_EDGE, v)], 1) for v in (c[0], c[-1])]
    )
    x, y = _turned(place, target, *_map(place, edge[:, 0] - 0.5, edge[:, 1] - 0.5))
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        raise BadInput(
            f"{wanted} does not reach where {scene.title} lies.",
            way_out="Choose a system for that part of the Earth.",
        )
    extent = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
    if resolution is None:
        # The diagonal keeps its number of pixels.
        across = math.hypot(extent[2] - extent[0], extent[3] - extent[1])
        resolution = across / math.hypot(rows, cols)
    if not resolution > 0 or not math.isfinite(resolution):
        raise WrongUse(f"A pixel cannot be {resolution:g} wide.")
    west, south, east, north = extent if box is None else box
    if not (west < east and south < north):
        raise WrongUse("The box is empty.", way_out="Give WEST,SOUTH,EAST,NORTH.")
    if box is not None and (
        west >= extent[2] or east <= extent[0] or south >= extent[3] or north <= extent[1]
    ):
        raise BadInput(f"The box lies outside {scene.title}.", way_out="Check its coordinates.")
    width = max(1, math.ceil((east - west) / resolution - 1e-6))
    height = max(1, math.ceil((north - south) / resolution - 1e-6))
    if width * height > MOST_PIXELS or max(width, height) > 1 << 24:
        raise WrongUse(
            f"The result would have {height} × {width} pixels.",
            way_out="The resolution is in units of the coordinate system; take a larger one.",
        )
    affine = (resolution, 0.0, west, 0.0, -resolution, north)
    return Grid(GeoReference(affine, wanted), height, width)


def grid_of(scene: Scene) -> Grid:
    """Return the grid of another scene."""
    return Grid(_placed(scene), scene.shape[0], scene.shape[1])


def reproject(
    scene: Scene,
    grid: Grid,
    path: Path,
    *,
    how: str = "",
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a scene on another grid.

    Parameters
    ----------
    how : str
        ``"nearest"`` keeps the values as they are in the file; ``"bilinear"`` mixes the four around
        in physical units. Default nearest for classes, else bilinear.

    Raises
    ------
    BadInput
        Scene and grid do not touch, or one has no place.
    """
    place = _placed(scene)
    how = how or ("nearest" if scene.info.kind == "labels" else "bilinear")
    if how not in HOW:
        raise WrongUse(f"There is no resampling {how}.", way_out=f"Use {' or '.join(HOW)}.")
    raw = how == "nearest" and scene.info.offset == 0.0
    count = scene.shape[2]
    dtype = scene.dtype if raw else np.dtype(np.float32)
    empty = 0.0 if scene.info.kind == "labels" else empty_value(scene, dtype)
    cube = Cube(
        (grid.rows, grid.cols, count), dtype, scene.bands, grid.place, empty,
        scene.info.gain if raw else 1.0, scene.info.unit, scene.title,
        made_by("reproject", scene, command), dict(scene.info.class_names),
    )  # fmt: skip
    maker = _Maker(scene, place, grid, how, raw, dtype, empty)

    def strips() -> Iterator[NDArray[Any]]:
        height = max(1, _STRIP_BYTES // max(1, grid.cols * count * dtype.itemsize))
        for low in range(0, grid.rows, height):
            if progress is not None:
                progress.check()
            size = min(height, grid.rows - low)
            out = np.full((size, grid.cols, count), empty, dtype)
            maker.fill(out, Window(low, 0, size, grid.cols), low, 0)
            yield out
        if not maker.met:
            raise BadInput(
                f"{scene.title} lies elsewhere: no pixel of it falls on the grid.",
                way_out="Check both places, or the box.",
            )

    written = write_cube(cube, strips(), path, progress=progress)
    return cube_summary(
        cube, written, system=grid.place.name, resolution=abs(grid.place.affine[0]),
        resampling=how,
    )  # fmt: skip


@dataclass(eq=False)
class _Maker:
    scene: Scene
    place: GeoReference
    grid: Grid
    how: str
    raw: bool
    dtype: np.dtype[Any]
    empty: float
    met: bool = False

    def fill(self, out: NDArray[Any], part: Window, top: int, left: int) -> None:
        """Fill a rectangle of the grid into ``out``, whose first pixel is (top, left)."""
        r = np.arange(part.row, part.row + part.height, dtype=np.float64)[:, None]
        c = np.arange(part.col, part.col + part.width, dtype=np.float64)[None]
        x, y = _turned(self.grid.place, self.place, *_map(self.grid.place, r, c))
        row, col = _pixel(self.place, x, y)
        rows, cols, count = self.scene.shape
        with np.errstate(invalid="ignore"):
            inside = (row >= -0.5) & (row < rows - 0.5) & (col >= -0.5) & (col < cols - 0.5)
        if not inside.any():
            return
        r0, r1 = math.floor(row[inside].min()), math.ceil(row[inside].max()) + 1
        c0, c1 = math.floor(col[inside].min()), math.ceil(col[inside].max()) + 1
        source = Window(r0, c0, r1 - r0 + 1, c1 - c0 + 1).clip(rows, cols)
        if (
            source.height * source.width * count * 4 > _SOURCE_BYTES
            and max(part.height, part.width) > 16
        ):
            for half in _halves(part):
                self.fill(out, half, top, left)
            return
        self.met = True
        values = self.scene.read(source, physical=not self.raw)
        at = (row[inside] - source.row, col[inside] - source.col)
        found = _nearest(values, *at) if self.how == "nearest" else _bilinear(values, *at)
        view = out[
            part.row - top : part.row - top + part.height,
            part.col - left : part.col - left + part.width,
        ]
        view[inside] = found


def _nearest(values: NDArray[Any], row: NDArray[Any], col: NDArray[Any]) -> NDArray[Any]:
    r = np.clip(np.floor(row + 0.5).astype(np.intp), 0, values.shape[0] - 1)
    c = np.clip(np.floor(col + 0.5).astype(np.intp), 0, values.shape[1] - 1)
    return np.asarray(values[r, c])


def _bilinear(
    values: NDArray[np.float32], row: NDArray[Any], col: NDArray[Any]
) -> NDArray[np.float32]:
    """Mix the four pixels around each place; empty ones leave their weight to the others."""
    r, c = np.floor(row).astype(np.intp), np.floor(col).astype(np.intp)
    down, across = (row - r)[:, None], (col - c)[:, None]
    total = np.zeros((row.size, values.shape[2]))
    weight = np.zeros_like(total)
    for dr, wr in ((0, 1 - down), (1, down)):
        for dc, wc in ((0, 1 - across), (1, across)):
            rr = np.clip(r + dr, 0, values.shape[0] - 1)
            cc = np.clip(c + dc, 0, values.shape[1] - 1)
            near = values[rr, cc]
            known = np.isfinite(near)
            w = wr * wc * known
            total += w * np.where(known, near, 0)
            weight += w
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight >= 0.5, total / weight, np.nan).astype(np.float32)


def _halves(part: Window) -> tuple[Window, Window]:
    if part.width >= part.height:
        half = part.width // 2
        return (
            Window(part.row, part.col, part.height, half),
            Window(part.row, part.col + half, part.height, part.width - half),
        )
    half = part.height // 2
    return (
        Window(part.row, part.col, half, part.width),
        Window(part.row + half, part.col, part.height - half, part.width),
    )


def _map(place: GeoReference, row: Doubles, col: Doubles) -> tuple[Doubles, Doubles]:
    """Return map coordinates of pixel centres; what `GeoReference.to_map` does for one."""
    a, b, c, d, e, f = place.affine
    x, y = col + 0.5, row + 0.5
    return a * x + b * y + c, d * x + e * y + f


def _pixel(place: GeoReference, x: Doubles, y: Doubles) -> tuple[Doubles, Doubles]:
    a, b, c, d, e, f = place.affine
    det = a * e - b * d
    with np.errstate(invalid="ignore"):
        return (a * (y - f) - d * (x - c)) / det - 0.5, (e * (x - c) - b * (y - f)) / det - 0.5


def _turned(
    source: GeoReference, target: GeoReference, x: Doubles, y: Doubles
) -> tuple[Doubles, Doubles]:
    """Return coordinates of one system in another; infinite where it does not reach."""
    if source.same_system(target):
        return x, y
    from pyproj import Transformer

    turn = Transformer.from_crs(source.crs, target.crs, always_xy=True)
    found = turn.transform(x, y, errcheck=False)
    return np.asarray(found[0]), np.asarray(found[1])


def _placed(scene: Scene) -> GeoReference:
    if not isinstance(scene.place, GeoReference) or scene.place.crs is None:
        raise BadInput(
            f"{scene.title} does not say where it lies on the map.",
            subject=scene.info.path,
            way_out="Use a scene with a coordinate system and a regular grid.",
        )
    return scene.place


def _system(crs: str) -> str:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        found = CRS.from_user_input(crs)
    except CRSError as error:
        raise WrongUse(
            f"There is no coordinate system {crs}.", way_out="Write for example EPSG:32633."
        ) from error
    code = found.to_epsg()
    return f"EPSG:{code}" if code else str(found.to_wkt())
