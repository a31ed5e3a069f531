"""What a stroke does to a line: the same for a hand in the window and for the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.editing import clean, cut_island, merge, split
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.stretch import take_stretch, vertex_moved

STROKES = ("add", "cut", "island", "split")
Points = NDArray[np.float64]


def change_of(what: str, points: Points, brush_m: float) -> tuple[str, Callable[[Any], Any]]:
    """Return what a stroke is called and what it makes of a geometry.

    Parameters
    ----------
    what : str
        ``"add"`` and ``"cut"`` brush along the stroke, ``"island"`` takes out what it goes
        around, ``"split"`` cuts along it.
    points : float64 array of shape (n, 2)
        x, y on the map.
    brush_m : float
        Radius of the brush.

    Raises
    ------
    WrongUse
        There is no such stroke, or it has too few points.
    """
    if what not in STROKES:
        raise WrongUse(f"Nothing is drawn with {what}.", way_out=f"Use: {', '.join(STROKES)}.")
    if len(points) < (3 if what == "island" else 2):
        raise WrongUse("The stroke is too short.", way_out="Draw it longer.")
    if what == "island":
        island = clean(shapely.polygons(points))
        return "Cut an island", lambda g: cut_island(g, island)
    stroke = shapely.linestrings(points)
    if what == "split":
        return "Split", lambda g: split(g, stroke)
    brushed = stroke.buffer(brush_m)
    if what == "add":
        return "Brush onto the fire", lambda g: merge(g, brushed)
    return "Brush off the fire", lambda g: clean(g.difference(brushed))


def largest(document: PerimeterDocument) -> Feature | None:
    """Return the largest heat perimeter: the one that strokes change."""
    found = [f for f in document.features if f.heat is HeatClass.PERIMETER]
    return max(found, key=lambda f: f.geometry.area, default=None)


def put(
    document: PerimeterDocument, feature: Feature, before: Any, made: Any, label: str, who: str
) -> None:
    """Put a new geometry into a document, or several: the first stays, others are added.

    Raises
    ------
    WrongUse
        Somebody changed the old one meanwhile.
    BadInput
        Nothing would be left.
    """
    if document.feature(feature.id).geometry is not before:
        raise WrongUse("The line was changed meanwhile.", way_out="Do it again.")
    pieces = list(made) if isinstance(made, list) else [made]
    if not pieces or pieces[0].is_empty:
        raise BadInput("Nothing would be left of the line.")
    with document.history.bundle(label):
        document.replace(feature.id, pieces[0], label, who)
        for piece in pieces[1:]:
            document.add(Feature(feature.heat, piece, feature.rule), who)


def draw(
    document: PerimeterDocument, what: str, points: Points, *, brush_m: float = 40.0, who: str = ""
) -> None:
    """Draw a stroke on the largest heat perimeter of a document; see `change_of`."""
    label, make = change_of(what, points, brush_m)
    feature = _there(document)
    put(document, feature, feature.geometry, make(feature.geometry), label, who)


def move_vertex(document: PerimeterDocument, start: Points, end: Points, who: str = "") -> None:
    """Move the vertex of the largest heat perimeter that is nearest to a place.

    Parameters
    ----------
    start, end : float64 arrays of shape (2,)
        x, y on the map.
    """
    feature = _there(document)
    stretch = take_stretch(feature.geometry, float(start[0]), float(start[1]), 9)
    number = int(np.hypot(*(stretch.points - start).T).argmin())
    points = vertex_moved(stretch.points, number, float(end[0]), float(end[1]))
    document.edit_stretch(feature.id, stretch, points, who, "Move vertices")


def merge_all(document: PerimeterDocument, who: str) -> None:
    """Make one heat perimeter of all of them."""
    chosen = _there(document)
    others = [f for f in document.features if f.heat is HeatClass.PERIMETER and f.id != chosen.id]
    with document.history.bundle("Merge"):
        whole = merge(chosen.geometry, *(f.geometry for f in others))
        document.replace(chosen.id, whole, "Merge", who)
        for feature in others:
            document.remove(feature.id, who)


def _there(document: PerimeterDocument) -> Feature:
    feature = largest(document)
    if feature is None:
        raise BadInput("There is no perimeter to edit.")
    return feature
