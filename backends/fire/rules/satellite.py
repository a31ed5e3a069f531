"""Rules C, D and H: contextual tests of the satellite sensors, with windows in metres.

C: Giglio and others 2003 (MODIS), as read in public code. D: Flasse and Ceccato 1996 (AVHRR).
H: Schroeder and others 2014 (VIIRS 375 m), written from memory and not verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.fire.fields import Fields
from backends.fire.verdicts import All, Any_, Check, Node, Not
from backends.fire.windows import (
    box_sum,
    fitting_half,
    growing_halves,
    mean_and_deviation,
    surroundings,
)

Array = NDArray[Any]
LOW_M, HIGH_M = 300.0, 1500.0


@dataclass(frozen=True, eq=False)
class _Background:
    """Mean and mean absolute deviation about each candidate, ``nan`` elsewhere."""

    mean: Array
    deviation: Array


def _about(values: Array, use: Array, candidates: Array, half: Array) -> _Background:
    mean = np.full(values.shape, np.nan)
    deviation = np.full(values.shape, np.nan)
    for width in np.unique(half[candidates]):
        if width == 0:
            continue
        rows, cols = np.nonzero(candidates & (half == width))
        mean[rows, cols], deviation[rows, cols] = mean_and_deviation(
            values, use, rows, cols, int(width)
        )
    return _Background(mean, deviation)


def cloud_of(fields: Fields) -> NDArray[np.bool_]:
    """Return cloud by the MODIS test, or what the scene brought along."""
    if fields.cloud is not None:
        return fields.cloud
    assert fields.t11 is not None
    cloud = fields.t11 < 265
    if not fields.night and {"red", "nir"} <= set(fields.reflectance):
        light = fields.reflectance["red"] + fields.reflectance["nir"]
        # A flame is bright, too, but never cold.
        cloud |= (light > 0.9) & (fields.t11 < 300) | (light > 0.7) & (fields.t11 < 285)
    return np.asarray(cloud)


def glint_angle_deg(
    sun_zenith: Any, view_zenith: Any, relative_azimuth: Any
) -> NDArray[np.float64]:
    """Return the angle between the view and the sun's mirror image, degrees; all in degrees."""
    s, v, a = (np.radians(x) for x in (sun_zenith, view_zenith, relative_azimuth))
    cosine = np.cos(v) * np.cos(s) - np.sin(v) * np.sin(s) * np.cos(a)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def modis(
    fields: Fields,
    *,
    low_m: float = LOW_M,
    high_m: float = HIGH_M,
    consider: NDArray[np.bool_] | None = None,
) -> Node:
    """Rule C: the contextual algorithm of MODIS, collection 4.

    Parameters
    ----------
    low_m, high_m : float
        Smallest and largest window; the satellite's 5 to 21 pixels where the size is unknown.
    consider : bool array, optional
        Pixels whose surroundings are measured though they are no candidates (for `explain`).
    """
    assert fields.t4 is not None
    assert fields.t11 is not None
    t4, t11, night = fields.t4, fields.t11, fields.night
    d = t4 - t11
    r86 = fields.reflectance.get("nir")
    water = np.zeros(fields.shape, bool) if fields.water is None else fields.water
    clear = fields.valid & ~water & ~cloud_of(fields)
    steps: list[Node] = [
        Check("T4", t4, ">", 305 if night else 310, 10, "K"),
        Check("T4−T11", d, ">", 10, 10, "K"),
    ]
    if not night and r86 is not None:
        # What flames themselves add at 0.86 µm is small beside this.
        steps.append(Check("reflectance 0.86 µm", r86, "<", 0.30, 0.1))
    potential = All(*steps)
    first = Check("(1) T4", t4, ">", 320 if night else 360, 10, "K")
    fires = (t4 > (310 if night else 325)) & (d > (10 if night else 20))
    use = clear & ~fires
    halves = growing_halves(low_m, high_m, fields.pixel_m)
    half = fitting_half(use, halves, share=0.25, least=8)
    asked = potential.holds if consider is None else potential.holds | consider
    asked = asked & fields.valid
    b4, bd = _about(t4, use, asked, half), _about(d, use, asked, half)
    b11, bf = _about(t11, use, asked, half), _about(t4, fires & clear, asked, half)
    context: list[Node] = [
        Check("(2) T4−T11 against deviation", d, ">", bd.mean + 3.5 * bd.deviation, 10, "K"),
        Check("(3) T4−T11 against mean", d, ">", bd.mean + 6, 10, "K"),
        Check("(4) T4 against deviation", t4, ">", b4.mean + 3 * b4.deviation, 10, "K"),
    ]
    if not night:
        context.append(
            Any_(
                Check("(5) T11", t11, ">", b11.mean + b11.deviation - 4, 10, "K"),
                # No fire about it has no spread.
                Check("(6) spread of fires about", np.nan_to_num(bf.deviation), ">", 5, 10, "K"),
            )
        )
    fire: Node = All(potential, Any_(first, All(*context)))
    if night:
        return fire
    for rejected in _rejections(fields, fires & clear, use, half, bf):
        fire = All(fire, Not(rejected))
    return fire


def _rejections(
    fields: Fields, fires: Array, use: Array, half: Array, bf: _Background
) -> list[Node]:
    """Return sun glint and desert edge, as far as they can be asked."""
    found: list[Node] = []
    r = fields.reflectance
    angles = (fields.sun_zenith_deg, fields.view_zenith_deg, fields.relative_azimuth_deg)
    if all(a is not None for a in angles):
        glint = np.broadcast_to(glint_angle_deg(*angles), fields.shape)
        tests: list[Node] = [Check("glint angle", glint, "<", 2, 1, "°")]
        if {"red", "nir", "swir2"} <= set(r):
            tests.append(
                All(
                    Check("glint angle", glint, "<", 8, 1, "°"),
                    Check("reflectance 0.65 µm", r["red"], ">", 0.1, 0.1),
                    Check("reflectance 0.86 µm", r["nir"], ">", 0.2, 0.1),
                    Check("reflectance 2.1 µm", r["swir2"], ">", 0.12, 0.1),
                )
            )
        if fields.water is not None:
            near = box_sum(fields.water, 1)
            tests.append(
                All(
                    Check("glint angle", glint, "<", 12, 1, "°"),
                    Check("water beside it", near, ">", 0, 1, "pixels"),
                )
            )
        found.append(Any_(*tests))
    if "nir" in r and fields.t4 is not None:
        widest = int(half.max()) if half.any() else 10
        many, valid = box_sum(fires, widest), box_sum(use, widest)
        found.append(
            All(
                Check("fires about", many, ">", 0.1 * valid, 4, "pixels"),
                Check("fires about", many, ">=", 4, 4, "pixels"),
                Check("reflectance 0.86 µm", r["nir"], ">", 0.15, 0.1),
                Check("mean T4 of fires about", bf.mean, "<", 345, 10, "K"),
                Check("spread of fires about", bf.deviation, "<", 3, 10, "K"),
                Check("T4", fields.t4, "<", bf.mean + 6 * bf.deviation, 10, "K"),
            )
        )
    return found


def flasse_ceccato(
    fields: Fields,
    *,
    hot_k: float = 311.0,
    difference_k: float = 8.0,
    bright: float = 0.20,
    low_m: float = LOW_M,
    high_m: float = HIGH_M,
) -> Node:
    """Rule D: candidates by three tests together, confirmed against mean + 2 σ about them.

    The numbers are yours to set; with others it stands for what flew on board of the AMS, whose
    own numbers are not public.
    """
    assert fields.t4 is not None
    assert fields.t11 is not None
    t4, d = fields.t4, fields.t4 - fields.t11
    tests: list[Node] = [
        Check("T3.7", t4, ">", hot_k, 10, "K"),
        Check("T3.7−T11", d, ">", difference_k, 10, "K"),
    ]
    if not fields.night and "nir" in fields.reflectance:
        tests.append(
            Check("reflectance near infrared", fields.reflectance["nir"], "<", bright, 0.1)
        )
    candidate = All(*tests)
    use = fields.valid & ~candidate.holds
    halves = growing_halves(low_m, high_m, fields.pixel_m)
    if halves[0] == 2:
        halves = list(range(1, 8))  # 3 × 3 to 15 × 15 pixels
    half = fitting_half(use, halves, share=0.25, least=2)
    limit4, limit_d = np.full(t4.shape, np.nan), np.full(t4.shape, np.nan)
    for width in np.unique(half[half > 0]):
        here = half == width
        a, b = surroundings(t4, use, int(width)), surroundings(d, use, int(width))
        limit4[here] = (a.mean + 2 * a.std + 3)[here]
        limit_d[here] = (b.mean + 2 * b.std)[here]
    return All(
        candidate,
        Check("T3.7 against its surroundings", t4, ">", limit4, 10, "K"),
        Check("T3.7−T11 against its surroundings", d, ">", limit_d, 10, "K"),
    )


def viirs(
    fields: Fields,
    *,
    low_m: float = LOW_M,
    high_m: float = HIGH_M,
    consider: NDArray[np.bool_] | None = None,
) -> Node:
    """Rule H, not verified: VIIRS 375 m after Schroeder and others 2014, from memory."""
    assert fields.t4 is not None
    assert fields.t11 is not None
    t4, t11, night = fields.t4, fields.t11, fields.night
    d = t4 - t11
    candidate = All(
        Check("T4", t4, ">", 295 if night else 325, 10, "K"),
        Check("T4−T11", d, ">", 10 if night else 25, 10, "K"),
    )
    use = fields.valid & ~cloud_of(fields) & ~candidate.holds
    half = fitting_half(use, growing_halves(low_m, high_m, fields.pixel_m), share=0.25, least=10)
    asked = candidate.holds if consider is None else candidate.holds | consider
    b4, bd = _about(t4, use, asked, half), _about(d, use, asked, half)
    factor, plus, hot = (3, 9, 3) if night else (2, 10, 3.5)
    context = All(
        Check("T4−T11 against deviation", d, ">", bd.mean + factor * bd.deviation, 10, "K"),
        Check("T4−T11 against mean", d, ">", bd.mean + plus, 10, "K"),
        Check("T4 against deviation", t4, ">", b4.mean + hot * b4.deviation, 10, "K"),
    )
    fire: Node = All(candidate, context)
    return Any_(Check("T4", t4, ">", 320, 10, "K"), fire) if night else fire
