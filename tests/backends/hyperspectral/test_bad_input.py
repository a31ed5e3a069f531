"""What a user can hand over by mistake: each is one sentence, or a fallback that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import ClearbandError
from backends.hyperspectral.classify import ClassifyResult, classify
from backends.io import open_scene
from backends.io.labels import open_labels
from tests.bad_scenes import (
    HALVES,
    ONE_CLASS,
    ONE_PIXEL,
    OTHER_SIZE,
    SCENES,
    SIDE,
    cube,
    image_of,
    missing,
    write,
)

MODELS: dict[str, dict[str, Any]] = {
    "svm": {},
    "random_forest": {},
    "maximum_likelihood": {},
    "spectral_angle": {},
    "gradient_boosting": {"rounds": 10},
    "k_nearest": {},
    "css_mamba": {"steps": 2},
    "es_mhc": {"steps": 2},
    "ssftt": {"steps": 2, "patch": 5, "components": 3},
    "mamba_hsi": {"steps": 2, "width": 16},
}


def run(folder: Path, model: str, image: np.ndarray, labels: np.ndarray) -> ClassifyResult:
    """Classify an array with labels, both read from files as a user's would be."""
    path, truth = write(folder, image, labels)
    with open_scene(path) as scene:
        return classify(scene, open_labels(truth), model, settings=MODELS[model])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("what", SCENES)
def test_a_map_is_made_all_the_same(tmp_path: Path, model: str, what: str) -> None:
    image = image_of(what)
    made = run(tmp_path, model, image, HALVES)
    found = made.class_map.labels
    assert set(np.unique(found)) <= {0, 1, 2}
    # Nothing is guessed where nothing was measured, and something said everywhere else.
    np.testing.assert_array_equal(found == 0, missing(image))
    if model == "es_mhc":
        assert any("equal slices" in note for note in made.notes)


@pytest.mark.parametrize("model", MODELS)
def test_one_class_is_a_sentence(tmp_path: Path, model: str) -> None:
    with pytest.raises(ClearbandError, match="two classes"):
        run(tmp_path, model, cube(10), ONE_CLASS)


def test_no_label_at_all_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClearbandError, match="no labelled pixel"):
        run(tmp_path, "svm", cube(10), np.zeros_like(HALVES))


@pytest.mark.parametrize("model", MODELS)
def test_labels_of_another_size_are_a_sentence(tmp_path: Path, model: str) -> None:
    with pytest.raises(ClearbandError, match=f"12 × {SIDE} pixels") as raised:
        run(tmp_path, model, cube(10), OTHER_SIZE)
    assert "label file" in raised.value.way_out


@pytest.mark.parametrize("model", MODELS)
def test_a_class_of_one_pixel_is_left_out_of_the_average_and_named(
    tmp_path: Path, model: str
) -> None:
    made = run(tmp_path, model, cube(10), ONE_PIXEL)
    assert made.metrics is not None
    assert np.isfinite(made.metrics.average_accuracy)
    assert any("class 3" in note for note in (*made.notes, *made.split.notes))


def test_class_numbers_may_have_gaps(tmp_path: Path) -> None:
    made = run(tmp_path, "svm", cube(10), np.where(HALVES == 1, 7, 200).astype(np.uint8))
    assert set(np.unique(made.class_map.labels)) == {7, 200}
