"""Whether two scenes lie on one grid, said in a sentence where they do not."""

from __future__ import annotations

import numpy as np

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.scene import Scene

_WAY_OUT = "Bring one onto the grid of the other: clearband spectra reproject --like."


def check_same_grid(one: Scene, other: Scene) -> None:
    """Refuse scenes of different sizes or places; one without a place is taken at its word.

    Raises
    ------
    BadInput
        Their sizes or coordinate systems differ, or a corner lies over half a pixel off.
    """
    if one.shape[:2] != other.shape[:2]:
        raise BadInput(
            f"{one.title} is {one.shape[0]} × {one.shape[1]} pixels, {other.title} is "
            f"{other.shape[0]} × {other.shape[1]}.",
            way_out=_WAY_OUT,
        )
    a, b = one.place, other.place
    if not isinstance(a, GeoReference) or not isinstance(b, GeoReference):
        return
    if not a.same_system(b):
        raise BadInput(
            f"{one.title} and {other.title} have different coordinate systems "
            f"({a.name} and {b.name}).",
            way_out=_WAY_OUT,
        )
    size = max(abs(a.affine[0]), abs(a.affine[1]))
    rows, cols = one.shape[:2]
    far = max(
        float(np.abs(np.subtract(a.to_map(r, c), b.to_map(r, c))).max()) / size
        for r in (0, rows)
        for c in (0, cols)
    )
    if far > 0.5:
        raise BadInput(
            f"By their map coordinates {other.title} lies {far:.1f} pixels beside {one.title}.",
            way_out=_WAY_OUT,
        )
