"""Fewer points on an outline, with both errors bounded and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.progress import Progress

_ROUNDS = 6


@dataclass(frozen=True)
class Simplified:
    """What became of outlines.

    Attributes
    ----------
    polygons : object array
    before, after : int
        Vertices.
    area_change : float
        Largest relative change of the area of one of them.
    distance : float
        Bound on the Hausdorff distance to the exact outline, in map units.
    """

    polygons: NDArray[Any]
    before: int
    after: int
    area_change: float
    distance: float


def simplify(
    polygons: NDArray[Any],
    pixel: float,
    *,
    tolerance_px: float = 0.5,
    most_area: float = 0.005,
    progress: Progress | None = None,
) -> Simplified:
    """Take vertices out, keeping the topology; halve the tolerance where an error is too large.

    Parameters
    ----------
    polygons : object array of shapely polygons
    pixel : float
        Side of a pixel in map units; the outline moves by less than that.
    tolerance_px : float
        Of the Douglas-Peucker simplification, to begin with.
    most_area : float
        Largest relative change of an area.
    """
    out = polygons.copy()
    open_ = np.arange(len(polygons))
    tolerance, worst = tolerance_px * pixel, 0.0
    for _ in range(_ROUNDS if tolerance > 0 else 0):
        if progress is not None:
            progress.check()
        coarse = shapely.simplify(polygons[open_], tolerance, preserve_topology=True)
        area = shapely.area(polygons[open_])
        good = shapely.is_valid(coarse) & ~shapely.is_empty(coarse)
        good &= abs(shapely.area(coarse) - area) < most_area * np.maximum(area, 1e-12)
        for number in np.flatnonzero(good).tolist():
            good[number] = _near(polygons[open_[number]], coarse[number], pixel, tolerance)
        out[open_[good]] = coarse[good]
        worst = max(worst, tolerance) if good.any() else worst
        open_ = open_[~good]
        if not len(open_):
            break
        tolerance /= 2
    before, after = shapely.area(polygons), shapely.area(out)
    change = float((abs(after - before) / np.maximum(before, 1e-12)).max(initial=0.0))
    vertices, left = (int(shapely.get_num_coordinates(g).sum()) for g in (polygons, out))
    return Simplified(out, vertices, left, change, worst)


def _near(exact: Any, coarse: Any, pixel: float, tolerance: float) -> bool:
    """Tell whether every vertex lies within the tolerance of the coarser outline.

    The outline between two kept vertices stays as near to their chord as its own vertices do,
    and passes every point of it, so this bounds the Hausdorff distance, too.
    """
    lines = coarse.boundary
    shapely.prepare(lines)
    points = shapely.points(shapely.get_coordinates(exact))
    return bool(shapely.dwithin(lines, points, min(tolerance * 1.000001, pixel)).all())
