"""CSSMamba on the same road as every model: trained, mapped, measured, saved, loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import BadInput, ClearbandError, WrongUse
from backends.hyperspectral.checkpoints import load_checkpoint, save_checkpoint
from backends.hyperspectral.classify import classify
from backends.hyperspectral.mapping import map_scene
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.overlays import ClassMap, Provenance, ScoreMap
from backends.simulate import demo_scene

QUICK = {"steps": 60, "pixels_per_step": 512}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARBAND_HOME", str(tmp_path_factory.mktemp("css")))
        data, truth = demo_scene("valley", size=64)
        with open_scene(data) as scene:
            labels = open_labels(truth)
            yield scene, labels, classify(scene, labels, "css_mamba", settings=QUICK)


def test_it_learns_and_shows_its_inside(made: Any) -> None:
    scene, _labels, result = made
    assert result.metrics.overall_accuracy > 0.9
    first, *inside = result.overlays
    assert isinstance(first, ClassMap)
    assert first.shown
    assert [type(o) for o in inside] == [ClassMap, ScoreMap, ScoreMap] * 2
    assert not any(o.shown for o in inside)
    clusters, order, step = inside[:3]
    assert clusters.labels.shape == scene.shape[:2]
    assert set(np.unique(clusters.labels)) <= {0, *clusters.class_names}
    assert 0 <= np.nanmin(order.values) and np.nanmax(order.values) <= 1  # noqa: PT018
    assert np.nanmin(step.values) > 0
    assert any("Weights of the branches" in note for note in result.notes)


def test_a_checkpoint_gives_the_same_map(made: Any, tmp_path: Path) -> None:
    scene, _labels, result = made
    path = tmp_path / "c.safetensors"
    save_checkpoint(result.checkpoint, path)
    loaded, _ = load_checkpoint(path)
    again = map_scene(scene, loaded, Provenance("css_mamba"), title="x")
    np.testing.assert_array_equal(again.overlays[0].labels, result.class_map.labels)


def test_a_checkpoint_that_does_not_fit_is_refused(made: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    scene, _labels, result = made
    plan = dict(result.checkpoint.settings)
    plan["network"] = {**plan["network"], "width": 48}
    path = tmp_path / "c.safetensors"
    save_checkpoint(replace(result.checkpoint, settings=plan), path)
    with pytest.raises(BadInput, match="is no checkpoint"):
        classify(scene, None, "css_mamba", checkpoint=path)


def test_same_seed_same_map(made: Any) -> None:
    scene, labels, result = made
    again = classify(scene, labels, "css_mamba", settings=QUICK)
    np.testing.assert_array_equal(again.class_map.labels, result.class_map.labels)


def test_wrong_settings_are_sentences(made: Any) -> None:
    scene, labels, _ = made
    with pytest.raises(WrongUse, match="no setting called depth"):
        classify(scene, labels, "css_mamba", settings={"depth": 3})
    with pytest.raises(ClearbandError, match="divisible"):
        classify(scene, labels, "css_mamba", settings={"width": 18})


def test_svm_on_means_of_squares(made: Any) -> None:
    scene, labels, _ = made
    plain = classify(scene, labels, "svm")
    means = classify(scene, labels, "svm_window")
    assert means.metrics is not None
    assert plain.metrics is not None
    assert not np.array_equal(means.class_map.labels, plain.class_map.labels)
    # every pixel sees its neighbours: fewer lonely pixels
    assert _lonely(means.class_map.labels) < _lonely(plain.class_map.labels)


def _lonely(labels: np.ndarray) -> int:
    inner = labels[1:-1, 1:-1]
    around = (labels[:-2, 1:-1], labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:])
    return int(np.all([inner != side for side in around], axis=0).sum())
