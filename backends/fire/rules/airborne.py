"""Rules A and B: thresholds for airborne line scanners, absolute and against the surroundings.

Source: the public MASTER FireSense code (pjuangph/Fire-Detection, lib/fire.py), its numbers.
"""

from __future__ import annotations

import numpy as np

from backends.fire.fields import Fields
from backends.fire.verdicts import All, Any_, Check, Node
from backends.fire.windows import half_width, surroundings


def absolute(
    fields: Fields, *, day_k: float = 325.0, night_k: float = 310.0, difference_k: float = 10.0
) -> Node:
    """Rule A: T4 above 325 K by day or 310 K by night, and T4 − T11 above 10 K.

    Without a thermal band the difference cannot be asked; T4 alone decides then.
    """
    assert fields.t4 is not None
    hot = Check("T4", fields.t4, ">", night_k if fields.night else day_k, 10, "K")
    if fields.t11 is None:
        return hot
    return All(hot, Check("T4−T11", fields.t4 - fields.t11, ">", difference_k, 10, "K"))


def contextual(
    fields: Fields,
    *,
    window_m: float = 915.0,
    sigmas: float = 3.0,
    difference_k: float = 10.0,
) -> Node:
    """Rule B: T4 and T4 − T11 above mean + 3 σ of the surroundings, or rule A.

    Pixels of rule A are left out of the surroundings: else a large fire hides itself behind
    its own spread. The window is 61 × 61 pixels where their size is unknown.
    """
    assert fields.t4 is not None
    assert fields.t11 is not None
    first = absolute(fields)
    half = 30 if fields.pixel_m is None else half_width(window_m, fields.pixel_m)
    calm = fields.valid & ~first.holds
    apart = fields.t4 - fields.t11
    about, about_d = surroundings(fields.t4, calm, half), surroundings(apart, calm, half)
    limit, limit_d = about.mean + sigmas * about.std, about_d.mean + sigmas * about_d.std
    local = All(
        Check("T4 against its surroundings", fields.t4, ">", limit, 10, "K"),
        Check("T4−T11 against its surroundings", apart, ">", limit_d, 10, "K"),
        Check("T4−T11", np.asarray(apart), ">", difference_k, 10, "K"),
    )
    return Any_(first, local)
