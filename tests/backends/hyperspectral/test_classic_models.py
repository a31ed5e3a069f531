"""Maximum likelihood, spectral angle, gradient boosting, nearest neighbours: equal to the
libraries that have them, back from disk, and plain where they cannot be made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run
from backends.errors import WrongUse
from backends.hyperspectral.baselines import KINDS, train_spectra
from backends.hyperspectral.boosting import BoostedTrees
from backends.hyperspectral.checkpoints import load_checkpoint, save_checkpoint
from backends.hyperspectral.classify import classify

NEW: dict[str, dict[str, Any]] = {
    "maximum_likelihood": {},
    "spectral_angle": {},
    "gradient_boosting": {"rounds": 30},
    "k_nearest": {},
}


def cloud(classes: int, pixels: int = 400, bands: int = 6) -> tuple[Any, Any, Any]:
    """Return spectra of overlapping classes, their numbers, and further spectra."""
    rng = np.random.default_rng(classes)
    target = rng.integers(0, classes, pixels)
    shape = rng.normal(size=(classes, bands, bands))
    x = np.einsum("ij,ijk->ik", rng.normal(size=(pixels, bands)), shape[target])
    x = (x + 1.5 * target[:, None]).astype(np.float32)
    return x, target, rng.normal(1, 2, (500, bands)).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("balanced", [False, True])
def test_maximum_likelihood_is_that_of_scipy_and_scikit_learn(classes: int, balanced: bool) -> None:
    from scipy.stats import multivariate_normal
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

    x, target, asked = cloud(classes)
    ours = train_spectra("maximum_likelihood", x, target, settings={"balanced": balanced})
    assert ours.settings["pooled"] == 0
    x, wide = x.astype(float), asked.astype(float)
    prior = np.full(classes, 1 / classes) if balanced else np.bincount(target) / target.size
    wanted = np.stack(
        [
            np.log(prior[k])
            + multivariate_normal(
                x[target == k].mean(0), np.cov(x[target == k], rowvar=False)
            ).logpdf(wide)
            for k in range(classes)
        ],
        axis=1,
    )
    scores = ours.answer(asked).scores
    # Densities carry a power of 2 pi that is the same for all.
    np.testing.assert_allclose(scores - scores[:, :1], wanted - wanted[:, :1], atol=1e-6)
    theirs = QuadraticDiscriminantAnalysis(priors=prior).fit(x, target).predict(wide)
    # scikit-learn divides by n instead of n - 1: only near ties may differ.
    assert (ours.predict(asked) == theirs).mean() > 0.99


def test_maximum_likelihood_is_that_of_spy() -> None:
    from spectral import GaussianClassifier, create_training_classes, settings

    settings.show_progress = False
    x, target, asked = cloud(4)
    image = x.reshape(20, 20, -1).astype(float)
    classes = create_training_classes(image, target.reshape(20, 20) + 1, calc_stats=True)
    theirs = GaussianClassifier(classes)
    ours = train_spectra("maximum_likelihood", x, target)
    for c in classes:
        c.class_prob = 0.25
    wanted = theirs.classify_image(asked.reshape(20, 25, -1).astype(float)) - 1
    np.testing.assert_array_equal(ours.predict(asked).reshape(20, 25), wanted)


def test_too_few_pixels_for_a_covariance_are_mixed_and_said(small_valley: Any) -> None:
    made = classify(small_valley.scene, small_valley.labels, "maximum_likelihood", protocol="P30")
    assert 0 < made.settings["pooled"] <= 1
    assert any("too few pixels for a covariance of" in note for note in made.notes)
    assert made.metrics is not None
    assert made.metrics.overall_accuracy > 0.85
    rich, target, _ = cloud(3)
    assert "note" not in train_spectra("maximum_likelihood", rich, target).settings
    with pytest.raises(WrongUse, match="too few pixels for a covariance of 6 bands"):
        train_spectra("maximum_likelihood", rich[:12], target[:12], settings={"pooled": 0})
    with pytest.raises(WrongUse, match="share from 0 to 1"):
        train_spectra("maximum_likelihood", rich, target, settings={"pooled": 2})


def test_spectral_angle_is_that_of_spy_on_the_values_measured(small_valley: Any) -> None:
    from spectral import spectral_angles

    made = classify(small_valley.scene, small_valley.labels, "spectral_angle", protocol="S10")
    cube = np.asarray(small_valley.cube, np.float64)[:, :, made.checkpoint.stretch.bands]
    assert made.split is not None
    flat, truth = cube.reshape(-1, cube.shape[2]), small_valley.labels.values.ravel()
    values = sorted(made.checkpoint.class_names)
    teach = made.split.train
    means = np.stack([flat[teach][truth[teach] == v].mean(axis=0) for v in values])
    angles = spectral_angles(cube, means)
    wanted = np.asarray(values)[angles.argmin(axis=2)]
    two = np.sort(angles, axis=2)
    clear = two[:, :, 1] - two[:, :, 0] > 1e-6
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(made.class_map.labels[clear], wanted[clear])


@pytest.mark.parametrize("classes", [2, 5])
def test_boosted_trees_are_those_of_scikit_learn(classes: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, target, asked = cloud(classes)
    machine = HistGradientBoostingClassifier(max_iter=20, early_stopping=False).fit(x, target)
    ours = BoostedTrees.from_scikit(machine, {})
    np.testing.assert_array_equal(ours.predict(asked), machine.predict(asked))
    raw = machine.decision_function(asked).reshape(len(asked), -1)
    np.testing.assert_allclose(ours.answer(asked).scores[:, -raw.shape[1] :], raw, atol=1e-12)
    # A damaged file leads nowhere instead of out of the table.
    broken = dict(ours.arrays())
    broken["left"] = np.where(broken["left"] > 0, 30_000, 0).astype(np.int32)
    with pytest.raises(ValueError, match="nowhere"):
        BoostedTrees.from_arrays(broken, {})


@pytest.mark.parametrize("classes", [2, 5])
def test_neighbours_are_those_of_scikit_learn(classes: int) -> None:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    x, target, asked = cloud(classes)
    ours = train_spectra("k_nearest", x, target, settings={"balanced": False, "neighbours": 7})
    scaler = StandardScaler().fit(x.astype(float))
    theirs = KNeighborsClassifier(7).fit(scaler.transform(x.astype(float)), target)
    np.testing.assert_array_equal(
        ours.predict(asked), theirs.predict(scaler.transform(asked.astype(float)))
    )
    with pytest.raises(WrongUse, match="500 neighbours were asked for, and only 400"):
        train_spectra("k_nearest", x, target, settings={"neighbours": 500})
    with pytest.raises(WrongUse, match="neighbours must be a number from 1"):
        train_spectra("k_nearest", x, target, settings={"neighbours": "many"})


def test_a_long_training_can_be_stopped_between_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.errors import Cancelled
    from backends.hyperspectral import boosting
    from backends.jobs import CancelToken, Progress

    monkeypatch.setattr(boosting, "_WORK", 1)  # one round between two questions
    token = CancelToken()

    class Impatient(Progress):
        rounds = 0.0

        def advance(self, by: float = 1.0) -> None:
            super().advance(by)
            self.rounds += by
            if self.rounds >= 3:
                token.cancel()

    x, target, _ = cloud(3)
    progress = Impatient(token)
    with pytest.raises(Cancelled):
        train_spectra("gradient_boosting", x, target, settings={"rounds": 50}, progress=progress)
    assert progress.rounds == 3


@pytest.mark.parametrize("model", NEW)
def test_they_come_back_from_disk(small_valley: Any, tmp_path: Path, model: str) -> None:
    scene, labels = small_valley.scene, small_valley.labels
    made = classify(scene, labels, model, protocol="P10", settings=NEW[model])
    assert made.metrics is not None
    assert made.metrics.overall_accuracy > 0.8
    path = tmp_path / "m.safetensors"
    save_checkpoint(made.checkpoint, path)
    again = classify(scene, labels, model, checkpoint=path)
    np.testing.assert_array_equal(again.class_map.labels, made.class_map.labels)
    loaded, _ = load_checkpoint(path)
    assert loaded.stretch.plain is (model == "spectral_angle")
    first = next(iter(loaded.arrays))
    damaged = {**loaded.arrays, first: loaded.arrays[first][:-1]}
    with pytest.raises(ValueError, match=r"fit|trees"):
        KINDS[model].from_arrays(damaged, loaded.settings)
    with pytest.raises(WrongUse, match="no setting called colour"):
        classify(scene, labels, model, settings={"colour": 1})


def test_the_command_line_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from backends.simulate import demo_scene

    scene, labels = demo_scene("valley", size=48, folder=tmp_path)
    words = ["classify", str(scene), "--labels", str(labels), "--out", str(tmp_path / "o")]
    assert (
        run([*words, "--model", "k_nearest", "--set", "neighbours=3", "--no-both", "--json"]) == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert said["settings"]["neighbours"] == 3
    assert said["metrics"]["overall_accuracy"] > 0.7
