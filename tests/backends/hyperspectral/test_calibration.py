"""Probabilities: the temperature, the error, the layers, for every kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import BadInput
from backends.hyperspectral.calibration import (
    Calibration,
    calibration_error,
    fit_temperature,
    probability_and_margin,
    softmax,
)
from backends.hyperspectral.checkpoints import load_checkpoint, save_checkpoint
from backends.hyperspectral.classify import classify, write_results
from backends.io import open_scene
from backends.overlays import ScoreMap

MODELS = {
    "svm": {"gamma": 0.01, "C": 100},
    "svm_window": {"gamma": 0.01, "C": 100},
    "random_forest": {"trees": 30},
    "maximum_likelihood": {},
    "spectral_angle": {},
    "gradient_boosting": {"rounds": 20},
    "k_nearest": {},
    "css_mamba": {"steps": 12, "width": 16, "blocks": 1, "pixels_per_step": 256, "context": 1},
}


def overconfident(count: int, factor: float, seed: int = 0) -> tuple[Any, Any]:
    """Draw classes from known probabilities and give scores that exaggerate them."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 1.5, (count, 4))
    chance = softmax(true)
    target = np.array([rng.choice(4, p=row) for row in chance])
    return factor * true, target


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_temperature_finds_by_how_much_scores_exaggerate(factor: float) -> None:
    scores, target = overconfident(4000, factor)
    found = fit_temperature(scores, target)
    assert found == pytest.approx(factor, rel=0.1)
    held, truth = overconfident(4000, factor, seed=1)

    def error(temperature: float) -> float:
        sure = softmax(held, temperature)
        return calibration_error(sure.max(axis=1), sure.argmax(axis=1) == truth)

    assert found is not None
    assert error(found) < 0.03
    if factor != 1.0:
        assert error(found) < 0.3 * error(1.0)


def test_few_pixels_change_nothing_but_by_more_than_chance() -> None:
    # 40 validation pixels of honest scores: a temperature of its own would be mostly noise.
    found = [fit_temperature(*overconfident(40, 1.0, seed)) for seed in range(60)]
    assert sum(t == 1.0 for t in found) >= 50
    held, truth = overconfident(4000, 1.0, seed=99)

    def worth(temperature: float) -> float:
        return float(np.log(softmax(held, temperature)[np.arange(4000), truth]).mean())

    assert np.mean([worth(t) for t in found if t is not None]) > worth(1.0) - 0.01
    # What is far off is mended with as few.
    mended = [fit_temperature(*overconfident(40, 4.0, seed)) for seed in range(20)]
    assert sum(t is not None and 2 < t < 8 for t in mended) >= 18


def test_perfect_validation_pixels_do_not_make_it_certain() -> None:
    scores = np.eye(4)[np.arange(40) % 4] * 2
    found = fit_temperature(scores, np.arange(40) % 4)
    assert found is not None
    # 40 of 40 right say about 41 in 42, not one.
    assert softmax(scores, found).max(axis=1)[0] == pytest.approx(41 / 42, abs=1e-3)
    # Nor do they make a model unsure that was right to be sure.
    assert fit_temperature(3 * scores, np.arange(40) % 4) == 1.0


def test_too_little_gives_no_temperature() -> None:
    scores, target = overconfident(9, 1.0)
    assert fit_temperature(scores, target) is None
    many, truth = overconfident(50, 1.0)
    many[:, 1:] = -np.inf  # a model that knows one class
    assert fit_temperature(many, truth) is None


def test_a_class_nobody_taught_is_left_out() -> None:
    scores, target = overconfident(3000, 2.0)
    without = scores.copy()
    without[:, 3] = -np.inf
    found = fit_temperature(without, target)
    assert found is not None
    assert 1 < found < 5


def test_error_of_bins_by_hand() -> None:
    sure = np.array([0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False])
    # Upper bin: 1 against 0.95; lower: 0.5 against 0.55; two pixels each.
    assert calibration_error(sure, right) == pytest.approx(0.05)
    assert np.isnan(calibration_error(np.empty(0), np.empty(0, bool)))


def test_margin_is_to_the_next_best_and_never_negative() -> None:
    chance = np.array([[0.5, 0.3, 0.2], [0.4, 0.45, 0.15]])
    own, margin = probability_and_margin(chance, np.array([0, 0]))
    np.testing.assert_allclose(own, [0.5, 0.4])
    np.testing.assert_allclose(margin, [0.2, 0.0], atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_brings_probability_and_margin(
    small_valley: Any, tmp_path: Path, model: str
) -> None:
    scene, labels = small_valley.scene, small_valley.labels
    result = classify(scene, labels, model, settings=MODELS[model], device="cpu")
    probability, margin = result.overlays[-2:]
    assert isinstance(probability, ScoreMap)
    assert isinstance(margin, ScoreMap)
    assert (probability.title, margin.title) == (f"Probability, {model}", f"Margin, {model}")
    assert not probability.shown
    assert not margin.shown
    assert probability.values is result.class_map.confidence
    # Votes of pairs that draw may give a class that is not the likeliest; hardly ever.
    assert (probability.values < 1 / len(labels.class_names)).mean() < 0.01
    assert probability.values.max() <= 1
    assert (margin.values <= probability.values + 1e-6).all()
    assert margin.values.min() >= 0
    # What is sure is right more often than what is not.
    test = result.split.test
    sure = probability.values.ravel()[test]
    right = (result.class_map.labels == labels.values).ravel()[test]
    order = np.argsort(sure)
    third = len(order) // 3
    assert right[order[-third:]].mean() >= right[order[:third]].mean()
    said = result.calibration
    assert said.temperature is not None
    assert said.temperature == result.checkpoint.temperature
    assert said.validation_pixels == result.split.val.size
    assert said.error_after == pytest.approx(calibration_error(sure, right), abs=1e-4)
    assert said.error_after < 0.15
    assert said.error_before is not None
    assert said.error_after < said.error_before + 0.02
    assert probability.provenance.figures["expected_calibration_error"] == said.error_after
    assert result.to_dict()["calibration"]["error_before"] == said.error_before
    # The temperature travels with the weights.
    path = tmp_path / "c.safetensors"
    save_checkpoint(result.checkpoint, path)
    again = classify(scene, labels, model, checkpoint=path, device="cpu")
    np.testing.assert_allclose(again.overlays[-2].values, probability.values, atol=1e-4)
    np.testing.assert_array_equal(again.class_map.labels, result.class_map.labels)


def test_without_validation_pixels_it_says_so_and_old_weights_still_load(
    small_valley: Any, tmp_path: Path
) -> None:
    scene, labels = small_valley.scene, small_valley.labels
    result = classify(scene, labels, "svm", protocol="S5", settings=MODELS["svm"])
    assert result.calibration.temperature is None
    assert result.overlays[-2].title == "Probability (not calibrated), svm"
    assert any("not calibrated" in note for note in result.notes)
    assert "temperature" not in result.checkpoint.facts  # as in weights from before
    path = tmp_path / "old.safetensors"
    save_checkpoint(result.checkpoint, path)
    loaded, _ = load_checkpoint(path)
    assert loaded.temperature is None
    again = classify(scene, None, "svm", checkpoint=path)
    np.testing.assert_array_equal(again.overlays[-1].values, result.overlays[-1].values)


def test_a_temperature_that_is_none_is_refused(small_valley: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    result = classify(small_valley.scene, small_valley.labels, "svm", settings=MODELS["svm"])
    facts = {**result.checkpoint.facts, "temperature": 0.0}
    save_checkpoint(replace(result.checkpoint, facts=facts), tmp_path / "bad.safetensors")
    with pytest.raises(BadInput, match="no checkpoint of Clearband"):
        load_checkpoint(tmp_path / "bad.safetensors")


def test_layers_and_figures_are_written(small_valley: Any, tmp_path: Path) -> None:
    scene, labels = small_valley.scene, small_valley.labels
    result = classify(scene, labels, "svm", settings=MODELS["svm"])
    names = {path.name for path in write_results(result, scene, tmp_path / "out")}
    assert {"probability.tif", "margin.tif", "README.txt"} <= names
    for name, overlay in zip(("probability", "margin"), result.overlays[-2:], strict=True):
        with open_scene(tmp_path / "out" / f"{name}.tif") as raster:
            np.testing.assert_array_equal(raster.read()[:, :, 0], overlay.values)
    text = (tmp_path / "out" / "README.txt").read_text(encoding="utf-8")
    assert result.calibration.sentence in text
    assert f"{100 * result.metrics.overall_accuracy:.2f} %" in text


def test_tiles_are_blended_before_and_after_calibration(small_valley: Any) -> None:
    from backends.hyperspectral.mapping import network_of
    from backends.hyperspectral.prediction import predict_scene

    scene = small_valley.scene
    result = classify(scene, small_valley.labels, "css_mamba", settings=MODELS["css_mamba"])
    made = result.checkpoint
    maps = [
        predict_scene(
            network_of(made),
            scene,
            made.stretch,
            made.stretch.bands,
            tile_pixels=1600,
            temperature=temperature,
        )
        for temperature in (1.0, 3.0)
    ]
    np.testing.assert_array_equal(maps[0].classes, maps[1].classes)
    np.testing.assert_array_equal(maps[0].raw, maps[1].raw)
    np.testing.assert_array_equal(maps[0].raw, maps[0].confidence)
    assert maps[1].confidence.mean() < maps[0].confidence.mean()


def test_sentences() -> None:
    assert Calibration(1.5, 40, 0.2, 0.05).sentence == (
        "The probabilities are calibrated on 40 validation pixels (temperature 1.50); on the test "
        "pixels they are off by 5.0 points, before by 20.0."
    )
    assert Calibration(None).sentence.endswith("too few validation pixels.")
    assert Calibration(1.0, 40, 0.05, 0.05).sentence == (
        "The probabilities are used as they come: on 40 validation pixels no temperature was "
        "better beyond chance; on the test pixels they are off by 5.0 points."
    )
