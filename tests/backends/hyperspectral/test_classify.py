"""From labels to map and figures, and back from disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.main import run
from backends.errors import BadInput, Cancelled, MissingCapability, WrongUse
from backends.hyperspectral.classify import classify, write_results
from backends.io import open_scene
from backends.io.labels import Labels, open_labels
from backends.jobs import CancelToken, Progress
from backends.overlays import MatrixField
from backends.registry import cards
from backends.scene import Scene
from backends.simulate import demo_scene


@pytest.fixture(scope="module")
def valley(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return demo_scene("valley", size=64, folder=tmp_path_factory.mktemp("valley"))


@pytest.fixture
def opened(valley: tuple[Path, Path]) -> Iterator[tuple[Scene, Labels]]:
    with open_scene(valley[0]) as scene:
        yield scene, open_labels(valley[1])


@pytest.mark.parametrize("model", ["svm", "random_forest"])
def test_spectra_models_learn_the_valley(opened: tuple[Scene, Labels], model: str) -> None:
    scene, labels = opened
    settings = {"gamma": 0.01, "C": 100} if model == "svm" else {"trees": 50}
    result = classify(scene, labels, model, protocol="P30", settings=settings)
    assert result.metrics is not None
    assert result.metrics.overall_accuracy > 0.85
    # Figures are those of the map itself, on test pixels only.
    assert result.split is not None
    test = result.split.test
    same = result.class_map.labels.ravel()[test] == labels.values.ravel()[test]
    assert result.metrics.overall_accuracy == pytest.approx(same.mean())
    made = result.class_map.provenance
    assert made.figures["protocol"] == "P30"
    assert made.scene_digest == scene.digest


@pytest.mark.parametrize("model", ["svm", "random_forest"])
def test_spectra_models_come_back_from_disk(
    opened: tuple[Scene, Labels], tmp_path: Path, model: str
) -> None:
    scene, labels = opened
    settings = {"gamma": 0.01, "C": 100} if model == "svm" else {"trees": 20}
    result = classify(scene, labels, model, protocol="P10", settings=settings)
    write_results(result, scene, tmp_path / "out")
    path = tmp_path / "out" / "checkpoint.safetensors"
    again = classify(scene, labels, model, checkpoint=path)
    np.testing.assert_array_equal(again.class_map.labels, result.class_map.labels)
    # What taught it never measures it, also when it comes from a file.
    assert again.split is not None
    assert result.split is not None
    np.testing.assert_array_equal(again.split.test, result.split.test)
    assert again.metrics is not None
    assert result.metrics is not None
    assert again.metrics.to_dict() == result.metrics.to_dict()
    with pytest.raises(WrongUse, match=f"checkpoint of {model}, not of es_mhc"):
        classify(scene, labels, "es_mhc", checkpoint=path)


@pytest.mark.parametrize("classes", [2, 5])
def test_maps_from_plain_arrays_are_those_of_scikit_learn(classes: int) -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from backends.hyperspectral.baselines import Forest, SupportVectors

    rng = np.random.default_rng(classes)
    target = rng.integers(0, classes, 200)
    x = (rng.normal(size=(200, 12)) + 0.7 * target[:, None]).astype(np.float32)
    asked = rng.normal(1, 2, (500, 12)).astype(np.float32)
    scaler = StandardScaler().fit(x.astype(np.float64))
    machine = SVC(gamma=0.1, C=10, class_weight="balanced").fit(scaler.transform(x), target)
    ours = SupportVectors.from_scikit(scaler, machine, {"gamma": 0.1, "C": 10})
    theirs = machine.predict(scaler.transform(asked.astype(np.float64)))
    np.testing.assert_array_equal(ours.predict(asked), theirs)
    forest = RandomForestClassifier(30, random_state=0).fit(x, target)
    ours_too = Forest.from_scikit(forest, {})
    # Equal mean shares may fall either way; everything else is the same.
    share = np.sort(forest.predict_proba(asked), axis=1)
    clear = share[:, -1] - share[:, -2] > 1e-6
    np.testing.assert_array_equal(ours_too.predict(asked)[clear], forest.predict(asked)[clear])


def test_network_learns_gives_matrices_and_comes_back_from_disk(
    opened: tuple[Scene, Labels], tmp_path: Path
) -> None:
    scene, labels = opened
    curves = []
    progress = Progress(on_partial=curves.append)
    settings = {"steps": 60, "pixels_per_step": 512, "learning_rate": 0.01}
    result = classify(
        scene, labels, "es_mhc", protocol="P30", settings=settings, device="cpu", progress=progress
    )
    assert result.metrics is not None
    assert result.metrics.overall_accuracy > 0.8
    assert curves[-1].step[-1] == 60
    field = result.overlays[1]
    assert isinstance(field, MatrixField)
    assert field.shape == (64, 64)
    assert field.group_names[0] == "FULL"
    for entry in field.entries:
        matrix = entry.matrix(10, 20)
        assert np.abs(matrix.sum(axis=0) - 1).max() < 5e-3
    written = write_results(result, scene, tmp_path / "out")
    names = {path.name for path in written}
    assert {"class_map.tif", "class_map.png", "confusion.csv", "matrices.npz",
            "checkpoint.safetensors", "metrics.json"} <= names  # fmt: skip
    assert all(path.is_file() for path in written)
    with open_scene(tmp_path / "out" / "class_map.tif") as raster:
        np.testing.assert_array_equal(raster.read()[:, :, 0], result.class_map.labels)
        assert raster.place is not None
        assert raster.info.class_names == dict(result.class_map.class_names)
    again = classify(
        scene, None, "es_mhc", checkpoint=tmp_path / "out" / "checkpoint.safetensors", device="cpu"
    )
    np.testing.assert_array_equal(again.class_map.labels, result.class_map.labels)
    np.testing.assert_allclose(
        again.overlays[1].entries[-1].deviation, field.entries[-1].deviation, atol=1e-3
    )


def test_checkpoint_for_other_bands_names_what_is_missing(
    opened: tuple[Scene, Labels], tmp_path: Path
) -> None:
    scene, labels = opened
    trained = classify(
        scene, labels, "es_mhc", settings={"steps": 2, "pixels_per_step": 128}, device="cpu"
    )
    write_results(trained, scene, tmp_path / "out")
    from backends.bands import BandTable
    from backends.scene import ArraySource, SceneInfo

    table = BandTable.build(5, wavelength_nm=np.linspace(400, 700, 5))
    other = Scene(
        ArraySource(np.zeros((8, 8, 5), np.float32)), SceneInfo(None, "multispectral", table)
    )
    with pytest.raises(BadInput, match=r"no band near \d+ nm"):
        classify(
            other, None, "es_mhc", checkpoint=tmp_path / "out" / "checkpoint.safetensors",
            device="cpu",
        )  # fmt: skip


def test_shipped_weights_are_what_the_card_says() -> None:
    import hashlib

    import resources

    for card in cards():
        if card.weights:
            content = resources.path("weights", card.weights).read_bytes()
            assert hashlib.sha256(content).hexdigest() == card.weights_digest
            assert card.figures["overall_accuracy"] > 0.5
            assert card.figures["command"]


def test_figures_are_those_of_the_test_pixels_alone(opened: tuple[Scene, Labels]) -> None:
    """Not of the pixels that chose the state, as in the predecessors' scripts."""
    from sklearn.metrics import accuracy_score, cohen_kappa_score

    scene, labels = opened
    made = classify(scene, labels, "svm", protocol="P10", settings={"gamma": 0.001, "C": 1})
    assert made.metrics is not None
    assert made.split is not None
    truth, given = labels.values.ravel(), made.class_map.labels.ravel()
    found = {
        part: cohen_kappa_score(truth[at], given[at])
        for part in ("train", "val", "test")
        for at in (getattr(made.split, part),)
    }
    assert made.metrics.kappa == pytest.approx(found["test"])
    assert all(abs(found[part] - found["test"]) > 1e-6 for part in ("train", "val"))
    at = made.split.test
    assert made.metrics.overall_accuracy == pytest.approx(accuracy_score(truth[at], given[at]))
    assert made.metrics.confusion.sum() == at.size


def test_what_cannot_be_is_refused(opened: tuple[Scene, Labels], tmp_path: Path) -> None:
    scene, labels = opened
    with pytest.raises(MissingCapability, match="no weights"):
        classify(scene, None, "svm")
    with pytest.raises(BadInput, match="belongs to this scene"):
        classify(scene, Labels(labels.values[:5], labels.class_names, {}), "svm")
    with pytest.raises(WrongUse, match="no setting called speed"):
        classify(scene, labels, "es_mhc", settings={"speed": 3})
    (tmp_path / "x.safetensors").write_bytes(b"nonsense")
    with pytest.raises(BadInput, match="no checkpoint of Clearband"):
        classify(scene, None, "es_mhc", checkpoint=tmp_path / "x.safetensors")


def test_cancel_stops_training_within_a_step(opened: tuple[Scene, Labels]) -> None:
    scene, labels = opened
    token = CancelToken()

    def stop(state: object) -> None:
        if getattr(state, "done", 0) >= 1 and getattr(state, "unit", "") == "steps":
            token.cancel()

    with pytest.raises(Cancelled):
        classify(
            scene, labels, "es_mhc", settings={"pixels_per_step": 128}, device="cpu",
            progress=Progress(token, on_change=stop),
        )  # fmt: skip


def test_command_line_writes_everything(
    valley: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "maps"
    words = ["classify", str(valley[0]), "--labels", str(valley[1]), "--model", "random_forest"]
    words += ["--protocol", "DISJ", "--set", "trees=20", "--out", str(out), "--json"]
    assert run(words) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["protocol"] == "DISJ"
    assert 0.5 < values["metrics"]["overall_accuracy"] <= 1
    assert json.loads((out / "metrics.json").read_text())["model"] == "random_forest"
    assert run(["classify", str(valley[0]), "--model", "svm", "--out", str(out)]) == 4
    assert "no weights" in capsys.readouterr().err
