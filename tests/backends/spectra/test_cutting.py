"""Thresholds over kept scores: the same classes as a run at that threshold, ties and holes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.io import open_scene
from backends.overlays import ClassMap
from backends.scene import Scene, Window
from backends.spectra.cutting import Cut, cut_again
from backends.spectra.expression import parse
from backends.spectra.preview import preview
from backends.spectra.products import anomalies, match
from backends.spectra.references import references_for


@pytest.fixture
def potsdam(clearband_data: Path) -> Scene:
    return open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr")


@pytest.mark.parametrize("measure", ["spectral_angle", "spectral_correlation"])
def test_it_is_what_a_run_at_that_threshold_gives(potsdam: Scene, measure: str) -> None:
    references = references_for(potsdam, pixels=[(5, 5), (40, 100)])
    product = match(potsdam, references, measure)
    assert product.cut is not None
    steps = product.cut.steps()
    shares = [float((product.cut.at(t) > 0).mean()) for t in steps]
    assert shares == sorted(shares)
    assert shares[-1] == float((product.cut.labels > 0).mean())
    threshold = float(steps[80])
    again = match(potsdam, references, measure, threshold=threshold)
    made = next(o for o in product.overlays if isinstance(o, ClassMap))
    wanted = next(o for o in again.overlays if isinstance(o, ClassMap))
    found = cut_again(made, product.cut, threshold, command="clearband again")
    np.testing.assert_array_equal(found.labels, wanted.labels)
    assert found.id == made.id
    assert found.provenance.parameters == wanted.provenance.parameters
    assert found.provenance.command == "clearband again"


def test_rates_of_anomalies(potsdam: Scene) -> None:
    first, wanted = anomalies(potsdam), anomalies(potsdam, false_alarms=0.02)
    assert first.cut is not None
    made, other = (next(o for o in p.overlays if isinstance(o, ClassMap)) for p in (first, wanted))
    threshold = float(wanted.summary["threshold"])
    found = cut_again(made, first.cut, threshold, false_alarms=0.02)
    np.testing.assert_array_equal(found.labels, other.labels)
    assert found.provenance.notes == other.provenance.notes
    assert found.provenance.figures == other.provenance.figures


def test_holes_never_pass_and_equal_does_where_small_means_alike() -> None:
    scores = np.array([[0.1, 0.2, np.nan]], np.float32)
    labels = np.array([[1, 2, 3]], np.uint8)
    small, large = Cut(labels, scores, "small"), Cut(labels, scores, "large")
    np.testing.assert_array_equal(small.at(0.2), [[1, 2, 0]])
    np.testing.assert_array_equal(large.at(0.2), [[0, 2, 0]])
    np.testing.assert_array_equal(Cut(labels, scores, "large", 4).at(0.2), [[0, 0, 0]])
    assert Cut(labels, scores * np.nan, "small").steps().size == 0


def test_a_preview_is_the_formula_at_the_pixels_it_shows(potsdam: Scene) -> None:
    formula = parse("(b[860] - b[660]) / b[2100:2200].mean()", {"b": potsdam})
    whole = formula.evaluate()
    window = Window(3, 10, 40, 60)
    fine = preview(formula, window)
    np.testing.assert_allclose(fine.values, whole[3:43, 10:70], rtol=1e-6)
    assert (fine.placement.row, fine.placement.row_step) == (3, 1)
    coarse = preview(formula, window, most_pixels=300)
    step = int(coarse.placement.row_step)
    assert step == 3
    np.testing.assert_allclose(coarse.values, whole[3:43:3, 10:70:3], rtol=1e-6)
    assert coarse.placement.row == 3 + (step - 1) / 2
