"""The classify dock from labels to figures: what can be done, what is asked, what is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.bridge import Bridge
from backends.errors import BadInput
from backends.jobs import JobState, ThreadRunner
from backends.overlays import ClassMap, MatrixField, ScoreMap
from backends.scene import ArraySource, Scene, SceneInfo
from backends.simulate import simulate_valley
from backends.workspace import Workspace
from widgets.classify_dock import ClassifyDock


@pytest.fixture(scope="module")
def valley() -> Any:
    return simulate_valley(48, bands=40)


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def opened(qtbot: Any, valley: Any, asked: list[str]) -> Any:
    bridge = Bridge(lambda error, details="": None)
    workspace = Workspace(ThreadRunner(), dispatch=bridge.main_thread_dispatch)
    dock = ClassifyDock(workspace, None, asked.append)
    qtbot.addWidget(dock)
    dock.resize(320, 900)
    dock.show()
    assert dock.empty.isVisible()
    info = SceneInfo(None, "hyperspectral", valley.bands, title="Valley")
    scene = Scene(ArraySource(valley.cube), info)
    workspace.add_scene(scene)
    yield workspace, scene, dock
    workspace.close()
    bridge.close()


def label(workspace: Workspace, scene: Scene, valley: Any) -> None:
    workspace.set_labels(scene.id, valley.labels.copy(), dict(valley.class_names))


def test_without_labels_it_offers_to_paint_or_open(opened: Any, asked: list[str]) -> None:
    _, _, dock = opened
    assert not dock.go_button.isEnabled()
    assert "No labels yet" in dock.labels.line.text()
    dock.labels.paint_button.click()
    dock.labels.file_button.click()
    assert asked == ["edit.brush", "file.labels"]


def test_labels_fill_the_table_and_the_button_says_how_long(opened: Any, valley: Any) -> None:
    workspace, scene, dock = opened
    label(workspace, scene, valley)
    assert dock.labels.table.rowCount() == len(valley.class_names)
    assert dock.labels.table.item(5, 0).text() == "Water"
    assert dock.labels.table.item(5, 1).text() == f"{(valley.labels == 6).sum():,}"
    assert dock.go_button.isEnabled()
    assert "(about " in dock.go_button.text()
    # A class gets another name where it is listed.
    dock.labels.table.item(5, 0).setText("Lake")
    assert workspace.labels[scene.id].class_names[6] == "Lake"


def test_one_class_is_not_enough(opened: Any) -> None:
    workspace, scene, dock = opened
    workspace.set_labels(scene.id, np.ones(scene.shape[:2], np.uint8), {1: "Water"})
    assert not dock.go_button.isEnabled()
    assert "two classes" in dock.problem_line.text()


@pytest.mark.parametrize("model", ["random_forest", "es_mhc"])
def test_training_gives_map_figures_and_curve(
    opened: Any, valley: Any, qtbot: Any, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backends.hyperspectral import training

    monkeypatch.setattr(training.TrainingSettings, "__init__", _short(training.TrainingSettings))
    workspace, scene, dock = opened
    label(workspace, scene, valley)
    dock.model_box.setCurrentIndex(dock.model_box.findData(model))
    dock.protocol_box.setCurrentIndex(dock.protocol_box.findData("P10"))
    dock.go_button.click()
    assert not dock.go_button.isEnabled(), "one training at a time"
    (handle,) = [h for h in workspace.jobs if not h.job.quiet]
    qtbot.waitUntil(lambda: handle.state.is_final and bool(workspace.overlays), timeout=60_000)
    assert handle.state is JobState.DONE
    # The class map is added last, so that it lies on top of what explains it.
    kinds = [type(o) for o in workspace.overlays.values()]
    inside = [MatrixField] if model == "es_mhc" else []
    assert kinds == [ScoreMap, ScoreMap, *inside, ClassMap]
    made = list(workspace.overlays.values())[-1]
    figures = made.provenance.figures
    table = dock.result.figures
    qtbot.waitUntil(
        lambda: table.isVisible() and "Made in" in dock.result.line.text(), timeout=2000
    )
    assert table.item(0, 0).text() == "Overall accuracy"
    assert table.item(0, 1).text() == f"{100 * figures['overall_accuracy']:.1f}\u00a0%"
    assert table.horizontalHeaderItem(1).text() == "P10,\nseed 0"
    assert dock.result.accuracy.rowCount() == len(figures["classes"])
    assert dock.curve.isVisible() == (model == "es_mhc")
    if model == "es_mhc":
        qtbot.waitUntil(lambda: "Step 30 of 30" in dock.curve.line.text(), timeout=2000)
    qtbot.waitUntil(dock.go_button.isEnabled, timeout=2000)
    # Nothing below the form is wider than the form: the dock would cut it off.
    assert dock.result.minimumSizeHint().width() <= dock.form.minimumSizeHint().width()


def test_speckle_is_taken_out_before_the_map_is_measured(
    opened: Any, valley: Any, qtbot: Any
) -> None:
    from backends.map_filter import MapFilter

    workspace, scene, dock = opened
    label(workspace, scene, valley)
    dock.form.choose("k_nearest")
    dock.form.apart_box.setChecked(False)
    assert dock.form.minimumSizeHint().width() < 290  # a dock beside a large map
    maps = []
    for majority, sieve in ((0, 1), (5, 9)):
        dock.form.majority_box.setCurrentIndex(dock.form.majority_box.findData(majority))
        dock.form.sieve_spin.setValue(sieve)
        dock.train()
        handle = dock._handle
        qtbot.waitUntil(lambda h=handle: h.state.is_final, timeout=60_000)
        assert handle.state is JobState.DONE
        maps.append(handle.result.class_map)
        words = handle.job.command or dock._asked.smooth.words()
        assert ("--majority" in words) == bool(majority)
        qtbot.waitUntil(dock.go_button.isEnabled, timeout=2000)
    np.testing.assert_array_equal(maps[1].labels, MapFilter(5, 9).apply(maps[0].labels))
    assert any("majority filter of 5 × 5" in note for note in maps[1].provenance.notes)
    assert maps[0].provenance.figures != maps[1].provenance.figures


def test_a_fixed_split_asks_for_labels_that_test(
    opened: Any, valley: Any, qtbot: Any, tmp_path: Any
) -> None:
    from scipy.io import savemat

    workspace, scene, dock = opened
    train, test = valley.labels.copy(), valley.labels.copy()
    train[1::2] = 0
    test[::2] = 0
    savemat(tmp_path / "test.mat", {"gt": test})
    savemat(tmp_path / "pair.mat", {"TR": train, "TE": test})
    workspace.set_labels(scene.id, train, dict(valley.class_names))
    dock.model_box.setCurrentIndex(dock.model_box.findData("random_forest"))
    tests = dock.form.test_labels
    assert not tests.isVisible()
    dock.protocol_box.setCurrentIndex(dock.protocol_box.findData("FIX"))
    assert tests.isVisible()
    assert not dock.go_button.isEnabled()
    assert "needs labels that test" in dock.problem_line.text()
    tests.open(tmp_path / "test.mat")
    qtbot.waitUntil(dock.go_button.isEnabled, timeout=5000)
    assert f"{(test > 0).sum():,} pixels from test.mat test" in tests.line.text()
    # One file with both brings the labels that train as well.
    tests.open(tmp_path / "pair.mat")
    source = str(tmp_path / "pair.mat")
    qtbot.waitUntil(lambda: workspace.labels[scene.id].source == source, timeout=5000)
    dock.go_button.click()
    handle = workspace.jobs[-1]
    qtbot.waitUntil(lambda: handle.state.is_final, timeout=60_000)
    assert handle.state is JobState.DONE
    assert handle.result.split.sizes() == {
        "train": int((train > 0).sum()), "val": 0, "test": int((test > 0).sum())
    }  # fmt: skip
    qtbot.waitUntil(
        lambda: (
            dock.result.figures.isVisible()
            and dock.result.figures.horizontalHeaderItem(1).text() == "FIX,\nseed 0"
        ),
        timeout=5000,
    )
    dock.protocol_box.setCurrentIndex(dock.protocol_box.findData("P30"))
    assert not tests.isVisible()


def test_a_failure_is_one_sentence_and_the_button_comes_back(
    opened: Any, valley: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise BadInput("All bands are bad.", way_out="Mark some as good.")

    monkeypatch.setattr("backends.hyperspectral.classify.classify", fails)
    workspace, scene, dock = opened
    label(workspace, scene, valley)
    dock.go_button.click()
    (handle,) = [h for h in workspace.jobs if not h.job.quiet]
    qtbot.waitUntil(lambda: handle.state is JobState.FAILED, timeout=5000)
    qtbot.waitUntil(dock.go_button.isEnabled, timeout=2000)
    said = "All bands are bad. Mark some as good."
    qtbot.waitUntil(lambda: dock.result.line.text() == said, timeout=2000)


def test_the_card_is_one_click_away(opened: Any, qtbot: Any) -> None:
    _, _, dock = opened
    dock.model_box.setCurrentIndex(dock.model_box.findData("es_mhc"))
    dock.form.card_button.click()
    text = dock.card_dialog.text.text()
    assert "When not to believe it" in text
    assert "overall accuracy" in text
    dock.card_dialog.close()


def test_no_shipped_weights_no_button(opened: Any) -> None:
    _, _, dock = opened
    for model, there in (("svm", False), ("es_mhc", True)):
        dock.model_box.setCurrentIndex(dock.model_box.findData(model))
        assert dock.use_button.isVisible() == there


def test_expected_time_follows_what_was_measured() -> None:
    from backends.hyperspectral.estimate import expected_seconds, in_words, training_pixels

    assert expected_seconds("es_mhc", 1_000_000, None) < expected_seconds("es_mhc", 1_000_000, 9)
    assert expected_seconds("unknown", 100, 10) is None
    assert training_pixels("P30", 10_000, 8) == 240
    assert (in_words(0.2), in_words(33), in_words(200)) == ("1 s", "35 s", "3 min")


def _short(kind: Any) -> Any:
    plain = kind.__init__

    def init(self: Any, *args: Any, **more: Any) -> None:
        plain(self, *args, **{"steps": 30, **more})

    return init
