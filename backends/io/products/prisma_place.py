"""Where a PRISMA image lies: the map grid of L2D, else the table of each pixel's place."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import BadInput
from backends.georeference import GeoReference, Place
from backends.io.hdf import attribute
from backends.io.products import swath
from backends.io.products.view import BandView

# The ground segment maps L2D to this grid, in metres.
_PIXEL_M = 30.0
_MOST_PIXELS_OFF = 3.0
_CORNERS = ("UL", "UR", "LL", "LR")


def find_place(
    path: Path, file: Any, group: str, level: str, view: BandView
) -> tuple[Place | None, list[str]]:
    """Return the place of an image, and notes.

    Parameters
    ----------
    group : str
        The swath, above ``Geolocation Fields``.
    level : str
        ``"1"``, ``"2B"``, ``"2C"`` or ``"2D"``.
    """
    fields = f"{group}/Geolocation Fields"
    suffix = "_VNIR" if f"{fields}/Longitude_VNIR" in file else ""
    names = (f"{fields}/Longitude{suffix}", f"{fields}/Latitude{suffix}")
    table, note = swath.geolocation(path, file, names, view.shape[:2], view.lock)
    notes = [note] if note else []
    if level != "2D":
        turned = "The image is as the sensor saw it, not turned north."
        return table, [*notes, turned] if table is not None else notes
    grid = _grid(file, view.shape[:2])
    if grid is None:
        notes.append("The file names no usable map grid; places come from its table.")
        return table, notes
    if table is not None and not _agrees(file, names, grid, view.shape[:2]):
        notes.append("The map grid and the table of places disagree; the table is used.")
        return table, notes
    return grid, []


def _grid(file: Any, size: tuple[int, int]) -> GeoReference | None:
    """Return the map grid that the corners and the EPSG code describe.

    The corners are centres of pixels in some processor versions and outer corners in others:
    the one that makes pixels of 30 m is meant.
    """
    try:
        code = int(attribute(file, "Epsg_Code"))
        east = [float(attribute(file, f"Product_{c}corner_easting")) for c in _CORNERS]
        north = [float(attribute(file, f"Product_{c}corner_northing")) for c in _CORNERS]
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (*east, *north))):
        return None
    wide, tall = max(east) - min(east), max(north) - min(north)
    if wide <= 0 or tall <= 0:
        return None
    for margin in (1, 0):
        across, down = wide / max(1, size[1] - margin), tall / max(1, size[0] - margin)
        if abs(across - _PIXEL_M) < 1e-3 and abs(down - _PIXEL_M) < 1e-3:
            half = _PIXEL_M / 2 * margin
            corner = min(east) - half, max(north) + half
            try:
                return GeoReference(
                    (_PIXEL_M, 0.0, corner[0], 0.0, -_PIXEL_M, corner[1]), f"EPSG:{code}"
                )
            except BadInput:
                return None
    return None


def _agrees(file: Any, names: tuple[str, str], grid: GeoReference, size: tuple[int, int]) -> bool:
    """Return whether the table puts the middle pixel and two corners where the grid does."""
    lon, lat = file[names[0]], file[names[1]]
    for row, col in ((0, 0), (size[0] // 2, size[1] // 2), (size[0] - 1, size[1] - 1)):
        here = grid.to_lonlat(row, col)
        x, y = float(lon[row, col]), float(lat[row, col])
        if here is None:
            return False
        if not (abs(x) <= 360 and 0 < abs(y) <= 90):
            continue  # the table is empty there
        metres = 111_320.0 * np.array([(x - here[0]) * math.cos(math.radians(y)), y - here[1]])
        if np.abs(metres).max() > _MOST_PIXELS_OFF * _PIXEL_M:
            return False
    return True
