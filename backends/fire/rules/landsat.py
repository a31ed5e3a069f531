"""Rule F: fire by shortwave infrared reflectance, three tests of Landsat-8 and their vote.

Source: Murphy and others 2016, Kumar and Roy 2018, Schroeder and others 2016, with the numbers
of pereira-gha/activefire. r4 red, r5 near infrared, r6 near 1.6 µm, r7 near 2.2 µm, r1 coastal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.fire.fields import Fields
from backends.fire.verdicts import All, Any_, Check, Node, Not
from backends.fire.windows import box_sum, fitting_half, surroundings

Array = NDArray[Any]
_TINY = 1e-6


def _ratio(top: Array, bottom: Array) -> Array:
    return np.asarray(top / np.maximum(bottom, _TINY))


def _beside(mask: Array, half: int = 1) -> Array:
    """Return how many pixels of a mask lie in 3 × 3 pixels."""
    return box_sum(mask, half)


def _water(r: Any) -> Node:
    """Return water: reflectance falls from green to near infrared; needs the visible bands."""
    return All(
        Check("green over red", r["green"] - r["red"], ">", 0, 0.1),
        Check("red over near infrared", r["red"] - r["nir"], ">", 0, 0.1),
        Check("blue over green", r["blue"] - r["green"], ">", 0, 0.1),
    )


def murphy(fields: Fields) -> Node:
    """Murphy: r7 at least 0.15 and 1.4 times r6 and r5, and what saturates beside such pixels."""
    r = fields.reflectance
    r5, r6, r7 = r["nir"], r["swir1"], r["swir2"]
    sure = All(
        Check("r7", r7, ">=", 0.15, 0.1),
        Check("r7/r6", _ratio(r7, r6), ">=", 1.4, 0.4),
        Check("r7/r5", _ratio(r7, r5), ">=", 1.4, 0.4),
    )
    full = np.zeros(fields.shape) if fields.saturated is None else fields.saturated
    beside = All(
        Check("sure pixels beside it", _beside(sure.holds), ">", 0, 1, "pixels"),
        Any_(
            All(
                Check("r6/r5", _ratio(r6, r5), ">=", 2, 0.4),
                Check("r6", r6, ">=", 0.5, 0.1),
            ),
            Check("saturated", full.astype(np.float32), ">", 0.5, 1),
        ),
    )
    return Any_(sure, beside)


def _context(fields: Fields, candidates: Array, least: float) -> Node:
    """Return whether r7/r5 and r7 stand out of 5 × 5 to 61 × 61 pixels about them."""
    r5, r7 = fields.reflectance["nir"], fields.reflectance["swir2"]
    ratio = _ratio(r7, r5)
    use = fields.valid & ~candidates & (r7 > 0)
    half = fitting_half(use, [2, 5, 10, 15, 20, 25, 30], share=0.25, least=2)
    limit_ratio, limit7 = np.full(r7.shape, np.nan), np.full(r7.shape, np.nan)
    for width in np.unique(half[half > 0]):
        here = half == width
        a, b = surroundings(ratio, use, int(width)), surroundings(r7, use, int(width))
        limit_ratio[here] = (a.mean + np.maximum(3 * a.std, least))[here]
        limit7[here] = (b.mean + np.maximum(3 * b.std, least / 10))[here]
    return All(
        Check("r7/r5 against its surroundings", ratio, ">", limit_ratio, 0.4),
        Check("r7 against its surroundings", r7, ">", limit7, 0.1),
    )


def kumar_roy(fields: Fields) -> Node:
    """Kumar and Roy: lines in the plane of r4 and r7, then the surroundings."""
    r = fields.reflectance
    r4, r6, r7 = r["red"], r["swir1"], r["swir2"]
    sure = Check("r4 under 0.53 r7 − 0.214", 0.53 * r7 - 0.214 - r4, ">=", 0, 0.1)
    beside = All(
        Check("sure pixels beside it", _beside(sure.holds), ">", 0, 1, "pixels"),
        Check("r4 under 0.35 r6 − 0.044", 0.35 * r6 - 0.044 - r4, ">=", 0, 0.1),
    )
    potential = Any_(
        Check("r4 under 0.53 r7 − 0.125", 0.53 * r7 - 0.125 - r4, ">=", 0, 0.1),
        Check("r6 under 1.08 r7 − 0.048", 1.08 * r7 - 0.048 - r6, ">=", 0, 0.1),
    )
    local = All(potential, _context(fields, potential.holds | sure.holds, 0.8))
    fire = Any_(sure, beside, local)
    return All(fire, Not(_water(r))) if {"blue", "green"} <= set(r) else fire


def schroeder(fields: Fields) -> Node:
    """Schroeder: r7 far above r5, or pixels folded over by saturation, then the surroundings."""
    r = fields.reflectance
    r5, r6, r7 = r["nir"], r["swir1"], r["swir2"]
    r1 = r.get("coastal", r.get("blue"))
    parts: list[Node] = [
        All(
            Check("r7/r5", _ratio(r7, r5), ">", 2.5, 0.4),
            Check("r7−r5", r7 - r5, ">", 0.3, 0.1),
            Check("r7", r7, ">", 0.5, 0.1),
        )
    ]
    if r1 is not None:
        parts.append(
            All(
                Check("r6", r6, ">", 0.8, 0.1),
                Check("r1", r1, "<", 0.2, 0.1),
                Any_(Check("r5", r5, ">", 0.4, 0.1), Check("r7", r7, "<", 0.1, 0.1)),
            )
        )
    sure = Any_(*parts)
    potential = All(
        Check("r7/r5", _ratio(r7, r5), ">", 1.8, 0.4),
        Check("r7−r5", r7 - r5, ">", 0.17, 0.1),
        Check("r7/r6", _ratio(r7, r6), ">", 1.6, 0.4),
    )
    local = All(potential, _context(fields, potential.holds | sure.holds, 0.8))
    fire = Any_(sure, local)
    wet = {"blue", "green", "red"} <= set(r)
    return All(fire, Not(_water(r))) if wet else fire


def vote(fields: Fields) -> Node:
    """Return fire where at least two of the three say so."""
    found = [murphy(fields), kumar_roy(fields), schroeder(fields)]
    return AtLeastTwo(*found)


class AtLeastTwo(Node):
    """At least two of three parts hold; the margin is that of the second best."""

    def __init__(self, *parts: Node) -> None:
        self.parts = parts
        self.holds = sum(p.holds.astype(np.int8) for p in parts) >= 2  # type: ignore[assignment]
        stack = np.stack([np.where(np.isnan(p.margin), -np.inf, p.margin) for p in parts])
        self.margin = np.sort(stack, axis=0)[-2].astype(np.float32)

    def answers(self, row: int, col: int) -> Any:
        """Yield what decided each of the three."""
        for part in self.parts:
            yield part.decided(row, col)

    def decided(self, row: int, col: int) -> Any:
        """Return what decided the second best."""
        ordered = sorted(
            self.parts, key=lambda p: float(np.nan_to_num(p.margin[row, col], nan=-9e9))
        )
        return ordered[-2].decided(row, col)
