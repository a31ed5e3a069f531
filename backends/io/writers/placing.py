"""Where an overlay's pixels lie on the Earth or the slide, for files that say so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.georeference import GeolocationTable, GeoReference
from backends.overlays import Placement
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.jobs import Progress

Pixel = tuple[float, float]


@dataclass(frozen=True)
class TiePoint:
    """A pixel whose place is known.

    Attributes
    ----------
    row, col : float
        In overlay pixels, (0, 0) the outer corner of the first.
    lon, lat : float
        Degrees, WGS 84.
    """

    row: float
    col: float
    lon: float
    lat: float


def overlay_georeference(scene: Scene, placement: Placement) -> GeoReference | None:
    """Return the georeference of an overlay's own pixel grid.

    `Placement` speaks of pixel centres (scene row = row + r * row_step), a
    `GeoReference` of the first pixel's outer corner.
    """
    place = scene.place
    if not isinstance(place, GeoReference):
        return None
    a, b, c, d, e, f = place.affine
    row, col = _corner(placement)
    h, w = placement.row_step, placement.col_step
    values = (a * w, b * h, a * col + b * row + c, d * w, e * h, d * col + e * row + f)
    a, b, c, d, e, f = (float(value) for value in values)  # numpy's floats print otherwise
    return GeoReference((a, b, c, d, e, f), place.crs)


def tie_points(
    scene: Scene, placement: Placement, shape: tuple[int, int], *, side: int = 16
) -> list[TiePoint]:
    """Return a grid of tie points for a scene that is placed by a longitude/latitude table."""
    place = scene.place
    if not isinstance(place, GeolocationTable):
        return []
    rows = np.unique(np.linspace(0, shape[0] - 1, min(side, shape[0])).round().astype(int))
    cols = np.unique(np.linspace(0, shape[1] - 1, min(side, shape[1])).round().astype(int))
    points = []
    for r in rows.tolist():
        for c in cols.tolist():
            found = place.to_lonlat(
                placement.row + r * placement.row_step, placement.col + c * placement.col_step
            )
            if found is not None:
                points.append(TiePoint(r + 0.5, c + 0.5, *found))
    return points


def north(scene: Scene) -> Pixel | None:
    """Return the direction of true north at the middle of a scene as a unit (row, col) step."""
    place = scene.place
    if place is None:
        return None
    row, col = (scene.shape[0] - 1) / 2, (scene.shape[1] - 1) / 2
    # A geolocation table answers for whole pixels only, so steps are whole.
    row, col = float(math.floor(row)), float(math.floor(col))
    here, below = place.to_lonlat(row, col), place.to_lonlat(row + 1, col)
    right = place.to_lonlat(row, col + 1)
    if here is None or below is None or right is None:
        return None
    shrink = math.cos(math.radians(here[1]))
    jacobian = np.array(
        [
            [_turn(below[0] - here[0]) * shrink, _turn(right[0] - here[0]) * shrink],
            [below[1] - here[1], right[1] - here[1]],
        ]
    )
    if abs(np.linalg.det(jacobian)) < 1e-30:
        return None
    step = np.linalg.solve(jacobian, np.array([0.0, 1.0]))
    step /= np.linalg.norm(step)
    return float(step[0]), float(step[1])


def pixel_width(scene: Scene) -> tuple[float, str] | None:
    """Return the width of a pixel at the middle of a scene and its unit (m, mm or µm)."""
    info, place = scene.info, scene.place
    size = None
    if isinstance(place, GeoReference) or (place is not None and not info.pixel_size):
        size = place.pixel_size_m(scene.shape[0] // 2, scene.shape[1] // 2)
    if size is not None and math.isfinite(size[1]) and size[1] > 0:
        return size[1], "m"
    if info.pixel_size and info.pixel_unit in ("m", "mm", "µm"):
        return abs(info.pixel_size[1]), info.pixel_unit
    return None


def row_areas_m2(
    scene: Scene, placement: Placement, rows: int, *, progress: Progress | None = None
) -> NDArray[np.float64] | None:
    """Return the area of an overlay pixel in each of its rows, m²; None where unknown.

    On a grid of degrees, or in web Mercator, pixels shrink towards the poles.
    """
    factor = abs(placement.row_step * placement.col_step)
    place = scene.place
    if isinstance(place, GeoReference) and place.crs is not None:
        middle = scene.shape[1] // 2
        # Pixel area is smooth in latitude: a hundred rows and straight lines between suffice.
        knots = np.unique(np.linspace(0, rows - 1, min(rows, 100)))
        areas = []
        for row in knots.tolist():
            if progress is not None:
                progress.check()
            size = place.pixel_size_m(placement.row + row * placement.row_step, middle)
            if size is None:
                break
            areas.append(size[0] * size[1])
        if len(areas) == knots.size:
            return np.asarray(np.interp(np.arange(rows), knots, np.asarray(areas)) * factor)
    area = scene.pixel_area_m2()
    return None if area is None else np.full(rows, area * factor)


def _corner(placement: Placement) -> Pixel:
    """Return the outer corner of the first overlay pixel, counted from the scene's corner."""
    return (
        placement.row + 0.5 - placement.row_step / 2,
        placement.col + 0.5 - placement.col_step / 2,
    )


def _turn(degrees: float) -> float:
    """Bring a difference of longitudes into -180 to 180."""
    return (degrees + 180) % 360 - 180
