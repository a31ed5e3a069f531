"""Symbols of the infrared trade's legend, as paths on a page.

Solid red outline for the perimeter, slanted hatch for intense heat, red dots for scattered heat,
a red disc with black ring and centre for an isolated source, a red diamond for a possible one, and
a grey cross-hatch under everything where there are no data.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely

from backends.perimeters.acreage import polygons_of
from backends.perimeters.deliverables.pdf import Canvas
from backends.perimeters.deliverables.rows import Edge
from backends.perimeters.heat import HeatClass

Colour = tuple[int, int, int]
RED: Colour = (233, 56, 29)
GREY: Colour = (78, 78, 78)
BLACK: Colour = (0, 0, 0)
_HATCH = {HeatClass.INTENSE: 5.0, HeatClass.SCATTERED: 6.0, HeatClass.NO_DATA: 9.0}


def draw_areas(canvas: Canvas, heat: HeatClass, shape: Any) -> None:
    """Draw polygons given in points of the page."""
    rings = [
        np.asarray(ring.coords)
        for part in polygons_of(shape)
        for ring in (part.exterior, *part.interiors)
    ]
    if heat in _HATCH:
        with canvas.clipped(rings):
            _hatch(canvas, heat, shape.bounds)
    colour, width = (GREY, 0.5) if heat is HeatClass.NO_DATA else (RED, 0.6)
    if heat is HeatClass.PERIMETER:
        width = 1.6
    canvas.stroke(rings, colour, width)


def draw_edge(canvas: Canvas, edge: Edge, shape: Any) -> None:
    """Draw a part of the outer line: held in black, with ticks; not held, red once more."""
    lines = [np.asarray(part.coords) for part in shapely.get_parts(shape)]
    if edge is Edge.UNCONTAINED:
        canvas.stroke(lines, RED, 2.2)
        return
    canvas.stroke(lines, BLACK, 2.2)
    canvas.stroke(_ticks(shape), BLACK, 0.9)


def _ticks(shape: Any, every: float = 7.0, size: float = 2.6) -> list[Any]:
    """Return short strokes across a line, as maps of the trade show one that holds."""
    found = []
    for part in shapely.get_parts(shape):
        along = np.arange(every / 2, part.length, every)
        here = shapely.get_coordinates(shapely.line_interpolate_point(part, along))
        ahead = shapely.get_coordinates(shapely.line_interpolate_point(part, along + 0.01))
        way = ahead - here
        way /= np.maximum(np.hypot(way[:, 0], way[:, 1])[:, None], 1e-12)
        across = np.column_stack((-way[:, 1], way[:, 0])) * size
        found += [np.stack((a, b)) for a, b in zip(here - across, here + across, strict=True)]
    return found


def draw_point(canvas: Canvas, heat: HeatClass, x: float, y: float, size: float = 4.0) -> None:
    """Draw a source."""
    if heat is HeatClass.ISOLATED:
        canvas.fill([_disc(x, y, size)], RED, outline=BLACK, width=0.9)
        canvas.fill([_disc(x, y, size * 0.25)], BLACK)
        return
    diamond = np.array([(x, y + size), (x + size, y), (x, y - size), (x - size, y), (x, y + size)])
    canvas.fill([diamond], RED, outline=BLACK, width=0.4)


def _hatch(canvas: Canvas, heat: HeatClass, bounds: tuple[float, float, float, float]) -> None:
    left, bottom, right, top = bounds
    step = _HATCH[heat]
    if heat is HeatClass.SCATTERED:
        xs = np.arange(math.floor(left / step), math.ceil(right / step) + 1) * step
        ys = np.arange(math.floor(bottom / step), math.ceil(top / step) + 1) * step
        canvas.dots([(x, y) for y in ys for x in xs], RED, 1.6)
        return
    height = top - bottom
    # Multiples of the step keep the hatches of neighbouring pieces in line.
    first = math.floor((left - top) / step) * step
    starts = np.arange(first, right - bottom + step, step)
    lines = [np.array([(s + bottom, bottom), (s + bottom + height, top)]) for s in starts]
    colour, width = (RED, 0.7) if heat is HeatClass.INTENSE else (GREY, 0.4)
    canvas.stroke(lines, colour, width)
    if heat is HeatClass.NO_DATA:
        first = math.floor((left + bottom) / step) * step
        starts = np.arange(first, right + top + step, step)
        lines = [np.array([(s - bottom, bottom), (s - top, top)]) for s in starts]
        canvas.stroke(lines, colour, width)


def _disc(x: float, y: float, radius: float) -> Any:
    return np.asarray(shapely.Point(x, y).buffer(radius, quad_segs=10).exterior.coords)
