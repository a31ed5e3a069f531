"""From a swath to a map: nearest measured pixel in local UTM, gaps stay empty.

Pixels are metres on a side and of one size; a grid in degrees has neither and gives no areas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.georeference import GeolocationTable, GeoReference
from backends.jobs import Progress
from backends.scene import PixelSource, Scene, Window

# A cell takes no pixel from farther away than so many pixels of the sensor.
REACH = 1.5
_LARGEST = 400_000_000
_BLOCK = 256


def utm_of(longitude: float, latitude: float) -> str:
    """Return the UTM zone of a place as ``"EPSG:n"``."""
    zone = min(60, int((longitude + 180) % 360 // 6) + 1)
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


class GriddedPixels:
    """A swath seen through a grid: only the index is in memory, pixels are read when asked.

    Parameters
    ----------
    source : PixelSource
        The swath.
    nearest : int32 array of shape (rows, cols)
        Flat number of the swath's pixel, −1 where none is near.
    """

    layout = "tiled"

    def __init__(self, scene: Scene, nearest: NDArray[np.int32]) -> None:
        self._scene, self._nearest = scene, nearest
        rows, cols = nearest.shape
        self.shape = (int(rows), int(cols), scene.shape[2])
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.level_shapes: Sequence[tuple[int, int]] = (self.shape[:2],)
        source: PixelSource = scene.source
        self.corrections = dict(getattr(source, "corrections", {}))

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; ``nan`` in gaps."""
        at = self._nearest[window.slices]
        out = np.full((*at.shape, len(bands)), np.nan, np.float32)
        some = at >= 0
        if not some.any():
            return out
        width = self._scene.shape[1]
        row, col = at[some] // width, at[some] % width
        r0, c0 = int(row.min()), int(col.min())
        cut = Window(r0, c0, int(row.max()) - r0 + 1, int(col.max()) - c0 + 1)
        values = self._scene.read(cut, bands, physical=True)
        out[some] = values[row - r0, col - c0]
        return out

    def close(self) -> None:
        """Close the swath."""
        self._scene.close()


def grid_to_utm(
    scene: Scene,
    *,
    pixel_m: float | None = None,
    reach: float = REACH,
    progress: Progress | None = None,
) -> Scene:
    """Return a scene on a UTM grid; it owns the swath and closes it.

    Parameters
    ----------
    scene : Scene
        With a table of places.
    pixel_m : float, optional
        Default: the swath's own spacing (median).
    reach : float
        How many of the swath's pixels away the nearest may lie.

    Raises
    ------
    BadInput
        The scene has no table of places, none of them is known, or the grid would be too large.
    """
    from pyproj import Transformer
    from scipy.spatial import cKDTree

    progress = progress or Progress()
    if not isinstance(scene.place, GeolocationTable):
        raise BadInput(
            f"{scene.title} has no place for each of its pixels.",
            subject=scene.info.path,
            way_out="It is a map already."
            if scene.place is not None
            else "Open the file that carries latitude and longitude.",
        )
    progress.start(None, "", "Reading places")
    lon, lat = (np.asarray(v, np.float64) for v in scene.place.load())
    good = (np.abs(lon) <= 360) & (np.abs(lat) <= 90) & np.isfinite(lon + lat)
    if good.sum() < 4:
        raise BadInput(
            f"No pixel of {scene.title} has a place.",
            subject=scene.info.path,
            way_out="Download the file anew.",
        )
    crs = utm_of(float(np.median(lon[good])), float(np.median(lat[good])))
    to_map = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = (np.full(lon.shape, np.nan) for _ in range(2))
    x[good], y[good] = to_map.transform(lon[good], lat[good])
    progress.check()
    spacing = _spacing(x, y)
    size = float(pixel_m or spacing)
    left = math.floor(np.nanmin(x) / size) * size
    top = math.ceil(np.nanmax(y) / size) * size
    cols = math.ceil((np.nanmax(x) - left) / size) + 1
    rows = math.ceil((top - np.nanmin(y)) / size) + 1
    if rows * cols > _LARGEST:
        raise BadInput(
            f"The grid of {scene.title} would have {rows} × {cols} pixels.",
            subject=scene.info.path,
            way_out="Choose larger pixels.",
        )
    flat = np.flatnonzero(good)
    tree = cKDTree(np.column_stack([x.ravel()[flat], y.ravel()[flat]]))
    progress.check()
    nearest = np.full((rows, cols), -1, np.int32)
    far = reach * max(spacing, size)
    progress.start(rows, "rows", "Gridding to UTM")
    across = left + (np.arange(cols) + 0.5) * size
    for row in range(0, rows, _BLOCK):
        high = min(row + _BLOCK, rows)
        down = top - (np.arange(row, high) + 0.5) * size
        asked = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
        distance, found = tree.query(asked, distance_upper_bound=far)
        at = np.where(np.isfinite(distance), flat[np.minimum(found, flat.size - 1)], -1)
        nearest[row:high] = at.reshape(high - row, cols)
        progress.advance(high - row)
    place = GeoReference((size, 0.0, left, 0.0, -size, top), crs)
    note = (
        f"Gridded to {size:.1f} m in {place.name} by the nearest pixel within {far:.0f} m; "
        "no correction for terrain."
    )
    info = replace(
        scene.info, place=place, pixel_size=(size, size), pixel_unit="m", nodata=None,
        gain=1.0, offset=0.0, title=f"{scene.title}, gridded", notes=(*scene.info.notes, note),
    )  # fmt: skip
    return Scene(GriddedPixels(scene, nearest), info)


def _spacing(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the median distance of neighbours along and across the track."""
    found = []
    for axis in (0, 1):
        step = np.hypot(np.diff(x, axis=axis), np.diff(y, axis=axis))
        step = step[np.isfinite(step) & (step > 0)]
        if step.size:
            found.append(float(np.median(step)))
    return max(0.5, max(found, default=10.0))
