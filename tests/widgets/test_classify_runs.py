"""Runs of the classify dock: paused, ended early, gone on with, measured twice, saved, opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import Qt

from app.bridge import Bridge
from backends.jobs import JobState, ThreadRunner
from backends.scene import ArraySource, Scene, SceneInfo
from backends.simulate import simulate_valley
from backends.workspace import Region, Workspace
from widgets.classify_dock import ClassifyDock

QUICK = {"width": 16, "blocks": 1, "pixels_per_step": 256, "context": 1, "validate_every": 5}


@pytest.fixture(scope="module")
def valley() -> Any:
    return simulate_valley(48, bands=40)


@pytest.fixture
def opened(qtbot: Any, valley: Any) -> Any:
    bridge = Bridge(lambda error, details="": None)
    workspace = Workspace(ThreadRunner(), dispatch=bridge.main_thread_dispatch)
    dock = ClassifyDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(320, 1000)
    dock.show()
    info = SceneInfo(None, "hyperspectral", valley.bands, title="Valley")
    scene = Scene(ArraySource(valley.cube), info)
    workspace.add_scene(scene)
    workspace.set_labels(scene.id, valley.labels.copy(), dict(valley.class_names))
    yield workspace, scene, dock
    workspace.close()
    bridge.close()


def choose(dock: Any, model: str) -> None:
    dock.form.choose(model)
    dock.form.apart_box.setChecked(False)


def newest(workspace: Workspace) -> Any:
    return [h for h in workspace.jobs if not h.job.quiet][-1]


def done(qtbot: Any, dock: Any) -> None:
    qtbot.waitUntil(lambda: "Made in" in dock.result.line.text(), timeout=60_000)


def cells(table: Any, column: int) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount())]


def test_pause_stop_and_keep_then_train_further(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    workspace.set_next_settings(scene.id, "css_mamba", {**QUICK, "steps": 5000})
    choose(dock, "css_mamba")
    assert not dock.form.further_button.isVisible()
    assert not dock.running.isVisible()
    dock.go_button.click()
    running, handle = dock.running, newest(workspace)
    qtbot.waitUntil(running.keep_button.isVisible, timeout=30_000)
    qtbot.waitUntil(lambda: handle.progress.done >= 6, timeout=30_000)
    qtbot.mouseClick(running.pause_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: running.words.text().startswith("paused, "), timeout=5000)
    before = handle.progress.done
    qtbot.wait(150)
    assert handle.progress.done == before
    # A paused training is ended with what it has, without going on first.
    qtbot.mouseClick(running.keep_button, Qt.MouseButton.LeftButton)
    done(qtbot, dock)
    assert handle.state is JobState.DONE
    qtbot.waitUntil(lambda: not running.isVisible(), timeout=2000)
    curve = handle.result.curve
    assert curve.stopped_at < 5000
    assert f"stopped at step {curve.stopped_at} of 5000" in dock.result.line.text()
    # From here it can go on.
    assert dock.form.further_button.isVisible()
    workspace.set_next_settings(scene.id, "css_mamba", None)
    qtbot.mouseClick(dock.form.further_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(running.keep_button.isVisible, timeout=30_000)
    more = newest(workspace)
    qtbot.waitUntil(lambda: more.progress.done >= 3, timeout=30_000)
    qtbot.mouseClick(running.keep_button, Qt.MouseButton.LeftButton)
    done(qtbot, dock)
    assert more.result.curve.began_at == curve.stopped_at
    assert more.result.curve.steps == 5000
    # Another model has nothing to go on with.
    dock.form.choose("svm")
    assert not dock.form.further_button.isVisible()


def test_cross_stops_a_paused_training(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    workspace.set_next_settings(scene.id, "css_mamba", {**QUICK, "steps": 5000})
    choose(dock, "css_mamba")
    dock.go_button.click()
    handle = newest(workspace)
    qtbot.waitUntil(dock.running.keep_button.isVisible, timeout=30_000)
    dock.running.pause_button.click()
    qtbot.waitUntil(lambda: handle.progress.paused, timeout=5000)
    dock.running.cancel_button.click()
    qtbot.waitUntil(lambda: handle.state is JobState.CANCELLED, timeout=1000)
    qtbot.waitUntil(dock.go_button.isEnabled, timeout=2000)
    assert not dock.running.isVisible()


def test_curve_shows_average_loss_and_rate_on_named_axes(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    workspace.set_next_settings(scene.id, "css_mamba", {**QUICK, "steps": 20})
    choose(dock, "css_mamba")
    dock.go_button.click()
    done(qtbot, dock)
    curve, plot = newest(workspace).result.curve, dock.curve
    qtbot.waitUntil(lambda: "Step 20 of 20" in plot.line.text(), timeout=3000)
    assert f"mean of the classes {100 * curve.val_average[-1]:.1f}" in plot.line.text()
    np.testing.assert_allclose(plot.average.yData, 100 * np.array(curve.val_average))
    np.testing.assert_allclose(plot.loss.yData, curve.loss)
    np.testing.assert_allclose(plot.rate.yData, curve.rate)
    labels = [plot.widget.getPlotItem().getAxis("left").labelText]
    labels += [plot.lower.getPlotItem().getAxis(n).labelText for n in ("left", "right", "bottom")]
    assert labels == ["Accuracy, %", "Loss", "Learning rate", "Step"]
    low, high = plot.second.viewRange()[1]
    assert low <= 0
    assert high >= max(curve.rate)


def test_both_splits_side_by_side(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    workspace.set_next_settings(scene.id, "random_forest", {"trees": 20})
    dock.form.choose("random_forest")
    assert dock.form.apart_box.isVisible()
    assert dock.form.apart_box.isChecked(), "quick models are measured twice by themselves"
    assert "(about " in dock.form.apart_box.text()
    dock.go_button.click()
    table = dock.result.figures
    qtbot.waitUntil(lambda: "%" in (cells(table, 2) or [""])[0], timeout=30_000)
    first, second = [h for h in workspace.jobs if not h.job.quiet]
    assert table.horizontalHeaderItem(2).text() == "Separate\nblocks"
    for column, metrics in ((1, first.result.metrics), (2, second.result.metrics)):
        found = metrics.to_dict()
        assert cells(table, column)[:2] == [
            f"{100 * found[key]:.1f}\u00a0%" for key in ("overall_accuracy", "average_accuracy")
        ]
    # As many labels a class as in the first training, or the figures could not be compared.
    trained = [int(cells(table, column)[4].replace(",", "")) for column in (1, 2)]
    assert trained[0] == first.result.split.train.size
    assert 0.5 * trained[0] < trained[1] <= trained[0]
    assert not dock.result.apart_button.isVisible()
    class_map = list(workspace.overlays.values())[-1]
    figure = f"{100 * second.result.metrics.overall_accuracy:.2f} %"
    assert class_map.provenance.figures["separate_blocks"] == figure
    # Without the tick it waits to be asked.
    dock.form.apart_box.click()
    dock.go_button.click()
    done(qtbot, dock)
    assert cells(table, 2)[0] == "–"
    assert dock.result.apart_button.isVisible()
    dock.result.apart_button.click()
    qtbot.waitUntil(lambda: "%" in cells(table, 2)[0], timeout=30_000)
    # What lies apart already needs no second look.
    dock.form.protocol_box.setCurrentIndex(dock.form.protocol_box.findData("DISJ"))
    assert not dock.form.apart_box.isVisible()
    dock.go_button.click()
    done(qtbot, dock)
    assert table.isColumnHidden(2)


def test_rare_classes_are_a_tick(opened: Any, qtbot: Any) -> None:
    _workspace, scene, dock = opened
    box = dock.form.balanced_box
    for model, by_itself in (("svm", True), ("css_mamba", False), ("random_forest", True)):
        dock.form.choose(model)
        assert box.isChecked() is by_itself
        assert "balanced" not in dock.form.settings(scene)
        box.click()
        assert dock.form.settings(scene)["balanced"] is not by_itself
    dock.form.apart_box.setChecked(False)
    dock.go_button.click()
    done(qtbot, dock)
    assert dock._result.settings["balanced"] is False


def test_regions_become_labels(opened: Any, qtbot: Any, valley: Any) -> None:
    workspace, scene, dock = opened
    labels = dock.labels
    assert not labels.regions_button.isEnabled()
    workspace.set_labels(scene.id, np.zeros((48, 48), np.uint8), {1: "Old"})
    square = np.array([[2, 2], [2, 8], [8, 8], [8, 2]], float)
    for name, shift in (("Forest", 0), ("Old", 20), ("Forest", 30), ("Far off", 100)):
        workspace.add_region(Region(name, scene.id, square + shift))
    assert labels.regions_button.isEnabled()
    assert "4 regions; each of 3 names" in labels.regions_button.toolTip()
    qtbot.mouseClick(labels.regions_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: labels.table.rowCount() == 2, timeout=3000)
    sheet = workspace.labels[scene.id]
    assert sheet.class_names == {1: "Old", 2: "Forest"}
    inside = Region("x", scene.id, square).mask((48, 48))
    for value, shifts in ((1, [20]), (2, [0, 30])):
        expected = sum(np.roll(inside, (s, s), (0, 1)) for s in shifts).astype(bool)
        np.testing.assert_array_equal(sheet.values == value, expected)
    assert dock.go_button.isEnabled()
    workspace.commands.undo()
    assert not workspace.labels[scene.id].values.any()


def test_a_model_is_saved_and_opened_on_another_scene(
    opened: Any, qtbot: Any, valley: Any, tmp_path: Path
) -> None:
    workspace, _scene, dock = opened
    choose(dock, "svm_window")
    dock.go_button.click()
    done(qtbot, dock)
    made = dock._result
    assert dock.result.save_button.isVisible()
    path = tmp_path / "mine.safetensors"
    handle = dock.save_model(path)
    qtbot.waitUntil(path.is_file, timeout=3000)
    qtbot.waitUntil(lambda: handle.state.is_final, timeout=3000)
    info = SceneInfo(None, "hyperspectral", valley.bands, title="Dim valley")
    other = Scene(ArraySource((0.5 * valley.cube).astype(np.float32)), info)
    workspace.add_scene(other)
    assert not dock.result.save_button.isVisible(), "another scene, another result"
    dock.form.choose("es_mhc")
    dock.form.statistics_box.setChecked(True)
    dock.open_weights(path)
    done(qtbot, dock)
    assert dock.form.card.id == "svm_window", "the file says which model it is"
    assert "this scene's own percentiles" in dock.result.line.text()
    same = dock._result.class_map.labels == made.class_map.labels
    assert same.mean() > 0.98
    assert not dock.result.save_button.isVisible()
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    dock.open_weights(tmp_path / "bad.safetensors")
    qtbot.waitUntil(lambda: "no checkpoint of Clearband" in dock.result.line.text(), timeout=3000)
