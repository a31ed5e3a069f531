"""Passes over one fire are compared cell by cell, also where they begin elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backends.errors import BadInput, WrongUse
from backends.fire.question import FireQuestion
from backends.fire.several_passes import ALONE, CONFIRMED, ONCE, compare_passes
from backends.georeference import GeoReference
from backends.scene import ArraySource, Scene
from backends.simulate.ams import AmsScene, simulate_ams

RULE_A = FireQuestion(rules=("A",))


def shifted(made: AmsScene, rows: int, cols: int, *, part: float = 0.0) -> Scene:
    """Return the line without its first rows and columns, in its own place."""
    a, b, c, d, e, f = made.place.affine
    place = GeoReference(
        (a, b, c + a * (cols + part) + b * rows, d, e, f + d * cols + e * rows), made.place.crs
    )
    info = replace(made._info("W m-2 sr-1 um-1"), place=place, title="later")
    return Scene(ArraySource(made.radiance[rows:, cols:]), info)


def by_title(found: object) -> dict:
    return {o.title: o for o in found.overlays}  # type: ignore[attr-defined]


def test_what_one_pass_saw_alone_is_not_confirmed() -> None:
    made = simulate_ams(128, seed=1)
    calm = np.empty_like(made.radiance)
    calm[:] = np.median(made.radiance[~made.truth], axis=0)
    second = replace(made, radiance=calm, truth=made.truth & False)
    once = compare_passes([made.to_scene(), second.to_scene()], RULE_A)
    agreed = by_title(once)["Passes: agreement"].labels
    fire = agreed == ALONE
    assert fire.sum() == once.summary["passes"][0]["alone_pixels"] > 50
    assert not (agreed == CONFIRMED).any()
    assert (by_title(once)["Passes: in one pass only"].labels[fire] == 1).all()

    twice = compare_passes([made.to_scene(), made.to_scene(), second.to_scene()], RULE_A)
    assert (by_title(twice)["Passes: agreement"].labels[fire] == CONFIRMED).all()
    burnt = by_title(twice)["Passes: times burning"].values
    assert set(np.unique(burnt[fire])) == {2.0}
    thrice = compare_passes([made.to_scene(), made.to_scene(), second.to_scene()], RULE_A, least=3)
    assert not (by_title(thrice)["Passes: agreement"].labels == CONFIRMED).any()


def test_a_pass_that_begins_elsewhere_is_laid_by_whole_cells() -> None:
    made = simulate_ams(128, seed=1)
    top = int(np.median(np.nonzero(made.truth)[0]))
    found = compare_passes([made.to_scene(), shifted(made, top, 3)], RULE_A)
    agreed = by_title(found)["Passes: agreement"].labels
    seen = by_title(found)["Passes: times observed"].values
    assert (seen[:top] == 1).all()
    assert (seen[top:, 3:] == 2).all()
    assert (agreed[:top] == ONCE).any()
    assert not (agreed[top:, 3:] == ALONE).any()
    assert (agreed[top:, 3:] == CONFIRMED).any()
    assert not found.summary["notes"]
    off = compare_passes([made.to_scene(), shifted(made, top, 3, part=0.3)], RULE_A)
    assert "0.30 of a cell" in off.summary["notes"][0]


def test_other_grids_are_refused_in_one_sentence() -> None:
    made = simulate_ams(64, seed=1)
    first = made.to_scene()
    a, b, c, d, e, f = made.place.affine
    for place, words in (
        (None, "no georeference"),
        (GeoReference(made.place.affine, "EPSG:32611"), "EPSG:32611"),
        (GeoReference((2 * a, b, c, d, e, f), made.place.crs), "other pixels"),
        (GeoReference((a, b, c + 1e6, d, e, f), made.place.crs), "do not overlap"),
    ):
        info = replace(made._info("W m-2 sr-1 um-1"), place=place, title="other")
        with pytest.raises(BadInput, match=words):
            compare_passes([first, Scene(ArraySource(made.radiance), info)], RULE_A)
    with pytest.raises(WrongUse, match="Several passes"):
        compare_passes([first], RULE_A)
    with pytest.raises(WrongUse, match="from two on"):
        compare_passes([first, first], RULE_A, least=1)
