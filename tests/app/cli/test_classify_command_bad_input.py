"""What can be handed to ``clearband classify`` by mistake: a sentence, or a map and a note."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run
from tests.bad_scenes import (
    HALVES,
    ONE_CLASS,
    ONE_PIXEL,
    OTHER_SIZE,
    SCENES,
    cube,
    image_of,
    missing,
    write,
)

MODELS: dict[str, tuple[str, ...]] = {"svm": (), "es_mhc": ("--set", "steps=2")}


@pytest.fixture
def classify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs the command and gives its code, its JSON and its words."""

    def call(image: np.ndarray, labels: np.ndarray, model: str = "svm") -> tuple[int, Any, str]:
        scene, truth = write(tmp_path, image, labels)
        words = ["classify", str(scene), "--labels", str(truth), "--model", model]
        code = run([*words, *MODELS[model], "--no-both", "--json", "--out", str(tmp_path / "out")])
        said = capsys.readouterr()
        return code, json.loads(said.out), said.err

    return call


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("what", SCENES)
def test_a_map_is_written_all_the_same(
    classify: Any, tmp_path: Path, model: str, what: str
) -> None:
    from backends.io import open_scene

    image = image_of(what)
    code, said, _ = classify(image, HALVES, model)
    assert code == 0
    with open_scene(tmp_path / "out" / "class_map.tif") as written:
        found = written.read()[:, :, 0]
    np.testing.assert_array_equal(np.nan_to_num(found) == 0, missing(image))
    guessed = any("equal slices" in note for note in said["notes"])
    assert guessed == (model == "es_mhc")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (ONE_CLASS, "at least two classes"),
        (np.zeros_like(HALVES), "no labelled pixel"),
        (OTHER_SIZE, "12 × 24 pixels"),
    ],
)
def test_labels_that_cannot_teach_are_one_sentence(
    classify: Any, labels: np.ndarray, sentence: str
) -> None:
    code, said, words = classify(cube(10), labels)
    assert code == 3
    assert sentence in said["error"]
    assert "Traceback" not in words
    assert len(words.splitlines()) == 1


@pytest.mark.parametrize("model", MODELS)
def test_a_class_of_one_pixel_is_named_and_not_averaged(classify: Any, model: str) -> None:
    code, said, _ = classify(cube(10), ONE_PIXEL, model)
    assert code == 0
    assert any("class 3" in note for note in said["notes"])
    assert np.isfinite(said["metrics"]["average_accuracy"])
    (alone,) = [row for row in said["metrics"]["classes"] if row["value"] == 3]
    assert alone["producer_accuracy"] is None
