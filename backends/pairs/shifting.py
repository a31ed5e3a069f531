"""Moving a scene on the map: an offset of its coordinates that is kept and told, never silent.

The offset is an option the scene was opened with (``shift=X,Y`` in map units): sessions, command
lines and provenance hold it as they hold every other option, and the file is not touched.
"""

from __future__ import annotations

import math

from backends.errors import BadInput, WrongUse
from backends.georeference import GeoReference
from backends.pairs.alignment import Alignment, align
from backends.scene import Scene

OPTION = "shift"
Offset = tuple[float, float]
_NOTE = "Moved by hand:"
# A tenth of a millimetre, or as much in degrees.
_DIGITS, _DEGREES = 4, 9


def parse_offset(text: str) -> Offset:
    """Read ``X,Y`` in map units.

    Raises
    ------
    WrongUse
        It is no such pair.
    """
    parts = str(text).split(",")
    try:
        x, y = (float(part) for part in parts)
    except ValueError as error:
        raise WrongUse(
            f"{text} is no shift.", way_out="Give X,Y in map units, such as 12.5,-30."
        ) from error
    if not (math.isfinite(x) and math.isfinite(y)):
        raise WrongUse(f"{text} is no shift.", way_out="Give X,Y in map units, such as 12.5,-30.")
    return x, y


def offset_of(scene: Scene) -> Offset:
    """Return by how much a scene has been moved, in map units."""
    text = scene.info.options.get(OPTION)
    return parse_offset(str(text)) if text else (0.0, 0.0)


def move_to(scene: Scene, offset: Offset) -> None:
    """Move a scene by an offset from where its file has it; (0, 0) puts it back.

    Raises
    ------
    BadInput
        It has no map coordinates that could be moved.
    """
    place = scene.place
    if not isinstance(place, GeoReference):
        raise BadInput(
            f"{scene.title} has no map coordinates that could be moved.",
            way_out="Bring it onto the grid of another scene first: "
            "clearband spectra reproject --like.",
        )
    digits = _DEGREES if place.is_geographic else _DIGITS
    before = offset_of(scene)
    now = (round(offset[0], digits) + 0.0, round(offset[1], digits) + 0.0)
    a, b, c, d, e, f = place.affine
    affine = (a, b, c + now[0] - before[0], d, e, f + now[1] - before[1])
    options = {key: value for key, value in scene.info.options.items() if key != OPTION}
    notes = tuple(note for note in scene.info.notes if not note.startswith(_NOTE))
    if now != (0.0, 0.0):
        options[OPTION] = f"{now[0]:.{digits}f},{now[1]:.{digits}f}"
        notes += (f"{_NOTE} {offset_text(place, now)} from where its file has it.",)
    scene.with_info(place=GeoReference(affine, place.crs), options=options, notes=notes)


def moved_notes(scene: Scene) -> list[str]:
    """Return the sentence that says that a scene was moved; for the provenance of results."""
    return [note for note in scene.info.notes if note.startswith(_NOTE)]


def offset_text(place: GeoReference, offset: Offset) -> str:
    """Return an offset for people: ``"12.5 m east, 30 m south"``."""
    unit = "°" if place.is_geographic else " m" if place.unit_m == 1.0 else " map units"
    x, y = offset
    east, north = "east" if x >= 0 else "west", "north" if y >= 0 else "south"
    digits = 6 if place.is_geographic else 4
    return f"{abs(x):.{digits}g}{unit} {east}, {abs(y):.{digits}g}{unit} {north}"


def offset_for(
    one: Scene, other: Scene, first: tuple[float, float], second: tuple[float, float]
) -> Offset:
    """Return the offset of the second scene that brings a pixel of it onto one of the first.

    Counted from where its file has it: what it was moved by before is in it.

    Parameters
    ----------
    first, second : (row, col)
        The same thing on the ground, in each scene.

    Raises
    ------
    BadInput
        One of them does not say where on Earth it lies.
    """
    a, b = one.place, other.place
    if not isinstance(b, GeoReference):
        raise BadInput(
            f"{other.title} has no map coordinates that could be moved.",
            way_out="Bring it onto the grid of another scene first: "
            "clearband spectra reproject --like.",
        )
    there: tuple[float, float] | None = None
    if isinstance(a, GeoReference) and a.same_system(b):
        there = a.to_map(*first)
    elif a is not None:
        lonlat = a.to_lonlat(*first)
        pixel = None if lonlat is None else b.from_lonlat(*lonlat)
        there = None if pixel is None else b.to_map(*pixel)
    if there is None:
        raise BadInput(
            f"{one.title} does not say where on Earth it lies.",
            way_out="Choose a first scene with map coordinates.",
        )
    here, before = b.to_map(*second), offset_of(other)
    return there[0] - here[0] + before[0], there[1] - here[1] + before[1]


def offset_against(one: Scene, other: Scene, rows: float, cols: float,
                   laid: Alignment | None = None) -> Offset:  # fmt: skip
    """Return the offset that takes a shift found between two scenes back.

    Parameters
    ----------
    rows, cols : float
        How far the second lies below and right, in pixels of the first.
    """
    laid = laid or align(one, other)
    middle = ((other.shape[0] - 1) / 2, (other.shape[1] - 1) / 2)
    row, col = laid.to_first(*middle)
    return offset_for(one, other, (row - rows, col - cols), middle)
