"""A few hundred vertices of a long line near the cursor: taken out, edited, put back.

The line itself stays exact in shapely; a window only ever shows the stretch as editable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.perimeters.acreage import polygons_of

MOST_VERTICES = 300
Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Consecutive vertices of one ring.

    Attributes
    ----------
    part, ring : int
        Which polygon of the geometry, and which ring of it: 0 outside, then the islands.
    first, count : int
        First vertex and how many; they may run over the end of the ring.
    points : float64 array of shape (count, 2)
        x, y on the map.
    whole : bool
        Whether it is all of the ring.
    """

    part: int
    ring: int
    first: int
    count: int
    points: Points
    whole: bool


def take_stretch(geometry: Any, x: float, y: float, most: int = MOST_VERTICES) -> Stretch:
    """Return the vertices around the one nearest to a place.

    Raises
    ------
    BadInput
        There is no line.
    """
    best: tuple[float, int, int, int, Points] | None = None
    for part, polygon in enumerate(polygons_of(geometry)):
        for ring, line in enumerate((polygon.exterior, *polygon.interiors)):
            points = shapely.get_coordinates(line)[:-1]
            away = (points[:, 0] - x) ** 2 + (points[:, 1] - y) ** 2
            nearest = int(away.argmin())
            if best is None or away[nearest] < best[0]:
                best = float(away[nearest]), part, ring, nearest, points
    if best is None:
        raise BadInput("There is no line to edit.")
    _, part, ring, nearest, points = best
    count = min(most, len(points))
    whole = count == len(points)
    first = 0 if whole else (nearest - count // 2) % len(points)
    chosen = points[(first + np.arange(count)) % len(points)]
    return Stretch(part, ring, first, count, chosen, whole)


def put_back(geometry: Any, stretch: Stretch, points: Points) -> Any:
    """Return the geometry with other vertices in the place of a stretch.

    Raises
    ------
    BadInput
        The line would cross itself; the sentence says where.
    """
    polygons = polygons_of(geometry)
    polygon = polygons[stretch.part]
    rings = [polygon.exterior, *polygon.interiors]
    old = shapely.get_coordinates(rings[stretch.ring])[:-1]
    rest = (stretch.first + stretch.count + np.arange(len(old) - stretch.count)) % len(old)
    new = np.concatenate((np.asarray(points, np.float64), old[rest]))
    if len(new) < 3:
        raise BadInput("A line needs three points or more.", way_out="Remove the whole piece.")
    rings[stretch.ring] = shapely.linearrings(new)
    made = shapely.Polygon(rings[0], rings[1:])
    out = made
    if len(polygons) > 1:
        polygons[stretch.part] = made
        out = shapely.MultiPolygon(polygons)
    if not _fits(geometry, stretch, new, len(points)) and not out.is_valid:
        raise BadInput(
            f"The line would cross itself ({shapely.is_valid_reason(out)}).",
            way_out="Move the vertex elsewhere; the line is as it was.",
        )
    return out


def _fits(geometry: Any, stretch: Stretch, ring: Points, count: int) -> bool:
    """Tell that a ring stays simple by a look at the neighbourhood of its new vertices only.

    False means that it isn't certain: a whole check of a long line takes most of a frame.
    """
    rest = ring[count:]
    if len(rest) < 3:
        return False
    moving = np.concatenate((rest[-1:], ring[:count], rest[:1]))
    touched = np.concatenate((moving, stretch.points))
    low, high = touched.min(axis=0), touched.max(axis=0)
    for part, polygon in enumerate(polygons_of(geometry)):
        for number, line in enumerate((polygon.exterior, *polygon.interiors)):
            left, bottom, right, top = line.bounds
            apart = left > high[0] or right < low[0] or bottom > high[1] or top < low[1]
            if (part, number) != (stretch.part, stretch.ring) and not apart:
                return False  # an island may come to lie outside without any crossing
    line = shapely.linestrings(moving)
    least, most = np.minimum(rest[:-1], rest[1:]), np.maximum(rest[:-1], rest[1:])
    near = np.flatnonzero(((least <= high) & (most >= low)).all(axis=1))
    fixed = shapely.multilinestrings(shapely.linestrings(np.stack((rest[near], rest[near + 1]), 1)))
    shared = shapely.get_coordinates(line.intersection(fixed))
    ends = moving[[0, -1]]
    met = (shared[:, None, :] == ends[None]).all(axis=2)
    # Each end may be met once, as a point: twice would be a piece of line.
    alone = bool(met.any(axis=1).all()) and len(shared) <= 2
    return alone and bool(line.is_simple)


def vertex_moved(points: Points, number: int, x: float, y: float) -> Points:
    """Return a stretch with one vertex elsewhere."""
    out = points.copy()
    out[number] = x, y
    return out


def vertex_inserted(points: Points, number: int, x: float, y: float) -> Points:
    """Return a stretch with a vertex more, in front of the one given."""
    return np.insert(points, number, (x, y), axis=0)


def vertices_deleted(points: Points, numbers: Sequence[int]) -> Points:
    """Return a stretch without some vertices."""
    return np.delete(points, list(numbers), axis=0)


def snapped(points: Points, target: Any, tolerance: float) -> Points:
    """Return a stretch whose vertices lie on another line where they were near it.

    Parameters
    ----------
    target : shapely geometry
        For example yesterday's line.
    tolerance : float
        Map units.
    """
    lines = target.boundary if target.geom_type.endswith("Polygon") else target
    shapely.prepare(lines)
    places = shapely.points(points)
    near = shapely.dwithin(lines, places, tolerance)
    out = points.copy()
    if near.any():
        links = shapely.shortest_line(lines, places[near])
        out[near] = shapely.get_coordinates(links)[::2]
    return out
