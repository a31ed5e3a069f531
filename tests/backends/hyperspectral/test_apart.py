"""The figure on separate blocks beside the one on random pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run
from backends.hyperspectral.apart import blocks_like, measure_apart, needs_it
from backends.hyperspectral.classify import classify, write_results
from backends.hyperspectral.estimate import expected_seconds, is_quick
from backends.hyperspectral.splits import make_split
from backends.io.labels import Labels
from backends.simulate import demo_scene

QUICK = {"gamma": 0.01, "C": 100}


def test_both_figures_are_those_of_two_trainings(small_valley: Any, tmp_path: Path) -> None:
    scene, labels = small_valley.scene, small_valley.labels
    both = classify(scene, labels, "svm", settings=QUICK, both=True)
    random = classify(scene, labels, "svm", settings=QUICK)
    blocks = blocks_like(labels.values, random.split)
    apart = classify(scene, labels, "svm", split=blocks, settings=QUICK)
    assert both.metrics is not None
    assert both.metrics.to_dict() == random.metrics.to_dict()
    assert both.apart is not None
    assert both.apart.metrics is not None
    assert both.apart.metrics.to_dict() == apart.metrics.to_dict()
    assert random.apart is None
    figure = f"{100 * apart.metrics.overall_accuracy:.2f} %"
    assert both.class_map.provenance.figures["separate_blocks"] == figure
    write_results(both, scene, tmp_path / "out")
    values = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert values["separate_blocks"]["protocol"] == "DISJ"
    assert f"separate blocks: overall accuracy {figure}" in (
        (tmp_path / "out" / "README.txt").read_text(encoding="utf-8")
    )


def test_blocks_have_no_more_labels_and_keep_their_distance(small_valley: Any) -> None:
    values = small_valley.labels.values
    split = make_split(values, "P30", 3)
    blocks = blocks_like(values, split)
    whole = make_split(values, "DISJ", 3)
    np.testing.assert_array_equal(blocks.test, whole.test)
    for part in ("train", "val"):
        mine = getattr(blocks, part)
        assert np.isin(mine, getattr(whole, part)).all()
        counts = [
            np.bincount(values.ravel()[pixels], minlength=9)
            for pixels in (mine, getattr(split, part), getattr(whole, part))
        ]
        np.testing.assert_array_equal(counts[0], np.minimum(counts[1], counts[2]))
    rows, cols = (np.divmod(pixels, 48) for pixels in (blocks.train, blocks.test))
    gap = np.maximum(*(np.abs(a[:, None] - b[None]) for a, b in zip(rows, cols, strict=True)))
    assert gap.min() >= whole.facts["guard"]
    # A split without validation pixels has none here, either.
    assert blocks_like(values, make_split(values, "S5", 0)).val.size == 0


def test_a_square_over_the_border_is_said_and_a_spectrum_has_none(small_valley: Any) -> None:
    found = {
        model: classify(
            small_valley.scene, small_valley.labels, model, protocol="DISJ", settings=settings
        ).notes
        for model, settings in (
            ("ssftt", {"steps": 2, "patch": 9, "components": 3}),
            ("svm", QUICK),
        )
    }
    assert any("square of 9 × 9" in note for note in found["ssftt"])
    assert not any("square of" in note for note in found["svm"])


def test_what_lies_apart_already_is_not_measured_twice(small_valley: Any) -> None:
    result = classify(
        small_valley.scene, small_valley.labels, "svm", protocol="DISJ", settings=QUICK, both=True
    )
    assert result.apart is None
    assert [p for p in ("P30", "p10", "S5", "DISJ", "HALVES", "TILES", "FIX", "ALL")
            if needs_it(p)] == ["P30", "p10", "S5"]  # fmt: skip


def test_labels_in_one_corner_cannot_be_parted_and_that_is_said(small_valley: Any) -> None:
    values = np.zeros_like(small_valley.labels.values)
    values[:3, :3], values[:3, 3:6] = 1, 2
    corner = Labels(values, {1: "One", 2: "Two"}, {})
    split = make_split(values, "S30", 0)
    found = measure_apart(small_valley.scene, corner, "svm", split, settings=QUICK)
    assert found.metrics is None
    assert found.note.startswith("Separate blocks could not be measured")
    result = classify(small_valley.scene, corner, "svm", protocol="S30", settings=QUICK, both=True)
    assert found.note in result.notes
    assert result.class_map.provenance.figures["separate_blocks"] == "not measured"


def test_quick_is_what_takes_less_than_half_a_minute() -> None:
    assert is_quick(expected_seconds("svm", 4900, 120))
    assert not is_quick(expected_seconds("spectral_former", 4900, 120))
    assert not is_quick(expected_seconds("unheard_of", 4900, 120))


def test_command_line_shows_both_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, truth = demo_scene("valley", size=48, folder=tmp_path)
    words = ["classify", str(scene), "--labels", str(truth), "--model", "random_forest"]
    words += ["--set", "trees=10", "--out", str(tmp_path / "out")]
    assert run(words) == 0
    said = capsys.readouterr().out
    lines = {line.split("  ")[0]: line for line in said.splitlines()}
    assert lines["Measured on"].endswith("separate blocks")
    values = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    for found in (values["metrics"], values["separate_blocks"]["metrics"]):
        assert f"{100 * found['overall_accuracy']:.2f} %" in lines["Overall accuracy"]
    assert run([*words, "--no-both"]) == 0
    said = capsys.readouterr().out
    assert "separate blocks" not in said.split("Note 1")[0].split("Separate blocks")[0]
    assert "--both takes about" in said
