"""Heat classes painted by hand: area onto a class or off it, points set and wiped away.

The class below the brush decides what an object is: perimeter, intense and scattered heat and no
data are areas; isolated and possible sources are points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backends.errors import BadInput
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.editing import clean, merge
from backends.perimeters.heat import Feature, HeatClass

DRAWN = {"method": "drawn", "text": "drawn by hand"}


@dataclass(frozen=True, eq=False)
class Stroke:
    """What a stroke of the brush changes.

    Attributes
    ----------
    label : str
    replaced : tuple of (Feature, geometry)
        Objects and their new geometry.
    added : tuple of Feature
    removed : tuple of Feature
    """

    label: str
    replaced: tuple[tuple[Feature, Any], ...] = ()
    added: tuple[Feature, ...] = ()
    removed: tuple[Feature, ...] = ()


def stroke_on(document: PerimeterDocument, heat: HeatClass, shape: Any) -> Stroke:
    """Work out what painting an area, or setting a point, adds to a class.

    Parameters
    ----------
    shape : shapely polygon or point
        In the document's coordinate system; of an area the middle becomes the point of a class
        of points. Objects that it touches grow together.
    """
    label = f"Paint {heat.value}"
    if heat.is_point:
        place = shape if shape.geom_type == "Point" else shape.centroid
        return Stroke(label, added=(Feature(heat, place, DRAWN),))
    _must_be_area(heat, shape)
    mine = [f for f in document.features if f.heat is heat]
    touched = [f for f in mine if f.geometry.intersects(shape)]
    if not touched:
        return Stroke(label, added=(Feature(heat, clean(shape), DRAWN),))
    whole = merge(shape, *(f.geometry for f in touched))
    return Stroke(label, ((touched[0], whole),), removed=tuple(touched[1:]))


def stroke_off(document: PerimeterDocument, heat: HeatClass, shape: Any) -> Stroke:
    """Work out what wiping an area takes from a class.

    Raises
    ------
    BadInput
        Nothing of the class lies there, or no perimeter would be left.
    """
    label = f"Wipe {heat.value}"
    touched = [f for f in document.features if f.heat is heat and f.geometry.intersects(shape)]
    if not touched:
        raise BadInput(f"No {heat.value} lies under the brush.")
    if heat.is_point:
        return Stroke(label, removed=tuple(touched))
    _must_be_area(heat, shape)
    replaced, removed = [], []
    for feature in touched:
        left = clean(feature.geometry.difference(shape))
        if left.is_empty:
            removed.append(feature)
        else:
            replaced.append((feature, left))
    gone = {f.id for f in removed}
    if heat is HeatClass.PERIMETER and all(
        f.id in gone for f in document.features if f.heat is heat
    ):
        raise BadInput("Nothing would be left of the line.")
    return Stroke(label, tuple(replaced), removed=tuple(removed))


def apply_stroke(document: PerimeterDocument, stroke: Stroke, who: str) -> None:
    """Put a stroke into a document: one step of undo.

    Raises
    ------
    WrongUse
        The line was changed meanwhile.
    """
    for feature in (*(f for f, _ in stroke.replaced), *stroke.removed):
        if document.feature(feature.id).geometry is not feature.geometry:
            raise BadInput("The line was changed meanwhile.", way_out="Do it again.")
    with document.history.bundle(stroke.label):
        for feature, geometry in stroke.replaced:
            document.replace(feature.id, geometry, stroke.label, who)
        for feature in stroke.added:
            document.add(feature, who)
        for feature in stroke.removed:
            document.remove(feature.id, who)


def _must_be_area(heat: HeatClass, shape: Any) -> None:
    if shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty:
        raise BadInput(
            f"{heat.value} is an area, not {shape.geom_type}.", way_out="Give a polygon."
        )
