"""Edits of whole shapes: split, merge, cut an island, grow only. Each returns a new geometry."""

from __future__ import annotations

from typing import Any

import shapely

from backends.errors import BadInput
from backends.perimeters.acreage import polygons_of


def split(geometry: Any, line: Any) -> list[Any]:
    """Cut polygons along a line; the pieces together are what was there.

    The first piece holds the larger part of each polygon that is cut and all that the line does
    not touch; what is cut off follows, largest first.

    Raises
    ------
    BadInput
        The line does not cut through.
    """
    from shapely.ops import split as cut

    stay: list[Any] = []
    off: list[Any] = []
    for polygon in polygons_of(geometry):
        largest, *others = sorted(polygons_of(cut(polygon, line)), key=lambda p: -p.area)
        stay.append(largest)
        off += others
    if not off:
        raise BadInput(
            "The line does not cut the area in two.", way_out="Draw it from outside to outside."
        )
    return [clean(shapely.MultiPolygon(stay)), *sorted(off, key=lambda p: -p.area)]


def merge(first: Any, *others: Any) -> Any:
    """Return the union of shapes."""
    return clean(shapely.union_all([first, *others]))


def cut_island(geometry: Any, island: Any) -> Any:
    """Take an unburned island out.

    Raises
    ------
    BadInput
        It does not lie in the area, or nothing would be left.
    """
    if not geometry.intersects(island):
        raise BadInput("The island does not lie in the area.", way_out="Draw it inside the line.")
    left = clean(geometry.difference(island))
    if left.is_empty:
        raise BadInput("Nothing would be left of the area.", way_out="Draw a smaller island.")
    return left


def growth_only(new: Any, previous: Any) -> Any:
    """Return the union with yesterday's area: a fire does not shrink."""
    return merge(new, previous)


def clean(geometry: Any) -> Any:
    """Return valid polygons, exteriors anti-clockwise; lines and points that fell off are left."""
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    parts = polygons_of(valid)
    shape = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    return shapely.orient_polygons(shape)
