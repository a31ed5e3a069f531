"""What a perimeter looks like: lines, hatches, points and words in scene pixels, no window.

Symbols are those of the trade's legend (NIROPS): a red outline, "/" hatch for intense heat, dots
for scattered heat, a ringed disc for an isolated source, a diamond for a possible one, a grey
cross-hatch for no data below all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.perimeters.acreage import polygons_of
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import HeatClass
from backends.perimeters.scenes import Plane

Segments = NDArray[np.float64]
RED, GREY, PREVIOUS, GROWTH = "#E9381D", "#8A8A8A", "#56B4E9", "#F0E442"
HELD, DETECTED, UNSURE = "#009E73", "#E69F00", "#CC79A7"
# Strokes of a dashed line at most: more would make drawing slow.
MOST_DASHES = 2_000
MOST_HATCHES = 120
_MOST_FOOTPRINTS = 2_000
DRAFT = "DRAFT"

SYMBOLS = {
    HeatClass.PERIMETER: "solid red outline",
    HeatClass.INTENSE: "red / hatch",
    HeatClass.SCATTERED: "red dots",
    HeatClass.ISOLATED: "red disc, black ring",
    HeatClass.POSSIBLE: "red diamond",
    HeatClass.NO_DATA: "grey cross-hatch",
}


@dataclass(frozen=True, eq=False)
class Ink:
    """Something to draw in one colour.

    Attributes
    ----------
    key : str
        The heat's word, ``"previous"``, ``"growth"``, ``"detections"``, ``"contained line"``,
        ``"uncertainty"`` (where a draft could as well have lain).
    color : str
    width : float
        Of lines, relative to the outline's.
    segments : float64 array of shape (n, 2, 2)
        Ends of straight lines in rows and columns.
    points : float64 array of shape (n, 2)
    symbol : str
        Of the points: ``"disc"`` or ``"diamond"``.
    words : tuple of str
        At the points of words.
    places : float64 array of shape (words, 2)
    """

    key: str
    color: str
    segments: Segments
    points: NDArray[np.float64]
    width: float = 1.0
    symbol: str = "disc"
    words: tuple[str, ...] = ()
    places: NDArray[np.float64] | None = None


def inks_of(document: PerimeterDocument, plane: Plane, growth: Any = None) -> list[Ink]:
    """Return everything to draw of a document, lowest first.

    Parameters
    ----------
    growth : shapely geometry, optional
        Where the line grew since yesterday's.
    """
    found: list[Ink] = []
    for heat in HeatClass:
        shapes = [f.geometry for f in document.features if f.heat is heat]
        if shapes:
            found.append(_ink(heat, shapes, document, plane))
        if heat is HeatClass.NO_DATA:
            found += _beside(document, plane, growth)
    return found


def _beside(document: PerimeterDocument, plane: Plane, growth: Any) -> list[Ink]:
    out = []
    band = [shapely.from_wkb(text) for text in document.origin.get("band") or ()]
    if band:
        lines = _outline([g for g in band if not g.is_empty])
        out.append(Ink("uncertainty", UNSURE, _pixels(lines, plane), _none(), 0.5))
    if document.previous is not None:
        lines = _outline([document.previous])
        out.append(Ink("previous", PREVIOUS, _pixels(lines, plane), _none(), 0.8))
    if growth is not None and not growth.is_empty:
        out.append(Ink("growth", GROWTH, _pixels(_hatch(growth, 135), plane), _none(), 0.5))
    shown = [d.footprint for d in (document.beside.detections or ()) if d.is_of(document.image_utc)]
    if shown:
        lines = _outline(shown[:_MOST_FOOTPRINTS])
        out.append(Ink("detections", DETECTED, _pixels(lines, plane), _none(), 0.5))
    if document.beside.contained is not None:
        lines = _strokes(document.beside.contained)
        out.append(Ink("contained line", HELD, _pixels(lines, plane), _none(), 1.5))
    return out


def _strokes(lines: Any) -> Segments:
    """Return the edges of lines, shape (n, 2, 2), x and y."""
    parts = []
    for line in shapely.get_parts(lines):
        points = shapely.get_coordinates(line)
        parts.append(np.stack((points[:-1], points[1:]), axis=1))
    return np.concatenate(parts) if parts else _empty()


def _ink(heat: HeatClass, shapes: Sequence[Any], document: PerimeterDocument, plane: Plane) -> Ink:
    color = GREY if heat is HeatClass.NO_DATA else RED
    if heat.is_point:
        points = plane.to_pixels(np.array([[p.x, p.y] for p in shapes]))
        symbol = "disc" if heat is HeatClass.ISOLATED else "diamond"
        return Ink(heat.word, color, _empty(), points, 1.0, symbol)
    lines = _outline(shapes)
    words: tuple[str, ...] = ()
    places = None
    if heat is HeatClass.PERIMETER:
        if document.is_draft:
            lines = dashed(lines)
            tops = _apart([_top(p) for shape in shapes for p in _largest(shape)], shapes)
            words, places = (DRAFT,) * len(tops), plane.to_pixels(np.array(tops))
        return Ink(
            heat.word, color, _pixels(lines, plane), _none(), 1.0, words=words, places=places
        )
    union = shapely.union_all(list(shapes))
    if heat is HeatClass.SCATTERED:
        return Ink(
            heat.word, color, _pixels(lines, plane), plane.to_pixels(_dots(union)), 0.5, "dot"
        )
    turns = (45, 135) if heat is HeatClass.NO_DATA else (45,)
    hatches = [_hatch(union, turn) for turn in turns]
    return Ink(heat.word, color, _pixels(np.concatenate([lines, *hatches]), plane), _none(), 0.5)


def _outline(shapes: Sequence[Any]) -> Segments:
    """Return the edges of all rings, shape (n, 2, 2), x and y."""
    rings = [
        ring
        for shape in shapes
        for polygon in polygons_of(shape)
        for ring in (polygon.exterior, *polygon.interiors)
    ]
    parts = []
    for ring in rings:
        points = shapely.get_coordinates(ring)
        parts.append(np.stack((points[:-1], points[1:]), axis=1))
    return np.concatenate(parts) if parts else _empty()


def dashed(segments: Segments) -> Segments:
    """Return every other stretch of lines that follow each other, so that they look dashed."""
    if not len(segments):
        return segments
    lengths = np.hypot(*(segments[:, 1] - segments[:, 0]).T)
    total = float(lengths.sum())
    if total <= 0:
        return segments
    stroke = max(total / (2 * MOST_DASHES), total / 240)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    out: list[Segments] = []
    # Each edge is cut where a stroke begins or ends; those within a gap are left out.
    first, last = np.floor(starts / stroke), np.floor(np.maximum(ends - 1e-9, starts) / stroke)
    whole = first == last
    out.append(segments[whole & (first % 2 == 0)])
    for n in np.flatnonzero(~whole):
        cuts = np.arange(first[n], last[n] + 1)
        low = np.clip((cuts * stroke - starts[n]) / lengths[n], 0, 1)
        high = np.clip(((cuts + 1) * stroke - starts[n]) / lengths[n], 0, 1)
        keep = cuts % 2 == 0
        a, way = segments[n, 0], segments[n, 1] - segments[n, 0]
        pieces = np.stack((a + low[keep, None] * way, a + high[keep, None] * way), axis=1)
        out.append(pieces)
    return np.concatenate(out)


def _hatch(shape: Any, degrees: float) -> Segments:
    """Return parallel lines within a shape."""
    left, bottom, right, top = shape.bounds
    middle = np.array([(left + right) / 2, (bottom + top) / 2])
    reach = float(np.hypot(right - left, top - bottom)) / 2
    if reach <= 0:
        return _empty()
    step = max(2 * reach / MOST_HATCHES, reach / 40)
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    across = np.array([-along[1], along[0]])
    offsets = np.arange(-reach, reach + step, step)[:, None] * across
    ends = np.stack((middle + offsets - reach * along, middle + offsets + reach * along), axis=1)
    shapely.prepare(shape)
    inside = shapely.intersection(shapely.linestrings(ends), shape)
    parts = shapely.get_parts(inside)
    lines = [
        shapely.get_coordinates(p) for p in parts if p.geom_type == "LineString" and not p.is_empty
    ]
    return np.array([[line[0], line[-1]] for line in lines]) if lines else _empty()


def _dots(shape: Any) -> NDArray[np.float64]:
    """Return a grid of points within a shape."""
    left, bottom, right, top = shape.bounds
    step = max(right - left, top - bottom) / 24
    if step <= 0:
        return _none()
    xs, ys = np.meshgrid(np.arange(left, right, step), np.arange(bottom, top, step))
    points = np.column_stack((xs.ravel(), ys.ravel()))
    shapely.prepare(shape)
    return np.asarray(points[shapely.contains_xy(shape, points[:, 0], points[:, 1])])


def _largest(shape: Any, most: int = 3) -> list[Any]:
    found = sorted(polygons_of(shape), key=lambda p: -p.area)[:most]
    return [p for p in found if p.area >= 0.05 * found[0].area]


def _apart(places: list[Any], shapes: Sequence[Any]) -> list[Any]:
    """Return places with room for a word between them; of two that are close the first."""
    left, bottom, right, top = shapely.total_bounds(list(shapes))
    room = np.hypot(right - left, top - bottom) / 8
    kept: list[Any] = []
    for place in places:
        if all(np.hypot(*(place - other)) >= room for other in kept):
            kept.append(place)
    return kept


def _top(polygon: Any) -> NDArray[np.float64]:
    points = shapely.get_coordinates(polygon.exterior)
    return np.asarray(points[points[:, 1].argmax()])


def _pixels(segments: Segments, plane: Plane) -> Segments:
    return plane.to_pixels(segments.reshape(-1, 2)).reshape(-1, 2, 2)


def _empty() -> Segments:
    return np.zeros((0, 2, 2))


def _none() -> NDArray[np.float64]:
    return np.zeros((0, 2))
