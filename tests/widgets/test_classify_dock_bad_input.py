"""What can be handed to the classify dock by mistake: a sentence, or a map and a note."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.bridge import Bridge
from backends.errors import BadInput
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.jobs import JobState, ThreadRunner
from backends.overlays import ClassMap
from backends.workspace import Workspace
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
from widgets.classify_dock import ClassifyDock


@pytest.fixture
def desk(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Workspace, ClassifyDock]]:
    from backends.hyperspectral import training

    plain = training.TrainingSettings.__init__

    def short(self: Any, *args: Any, **more: Any) -> None:
        plain(self, *args, **{**more, "steps": 2})

    monkeypatch.setattr(training.TrainingSettings, "__init__", short)
    bridge = Bridge(lambda error: None)
    workspace = Workspace(ThreadRunner(), dispatch=bridge.main_thread_dispatch)
    dock = ClassifyDock(workspace, None, lambda command: None)
    qtbot.addWidget(dock)
    dock.resize(320, 900)
    dock.show()
    yield workspace, dock
    workspace.close()
    bridge.close()


def put(workspace: Workspace, folder: Path, image: np.ndarray, labels: np.ndarray) -> str:
    """Open both files as the window does, and return the id of the scene."""
    path, truth = write(folder, image, labels)
    scene = open_scene(path)
    workspace.add_scene(scene)
    given = open_labels(truth)
    workspace.set_labels(scene.id, given.values, given.class_names)
    return scene.id


def train(workspace: Workspace, dock: ClassifyDock, model: str, qtbot: Any) -> ClassMap:
    dock.model_box.setCurrentIndex(dock.model_box.findData(model))
    assert dock.go_button.isEnabled()
    if dock.form.apart_box.isVisible():
        dock.form.apart_box.setChecked(False)
    dock.go_button.click()
    (handle,) = [h for h in workspace.jobs if not h.job.quiet]
    qtbot.waitUntil(lambda: handle.state.is_final and bool(workspace.overlays), timeout=60_000)
    assert handle.state is JobState.DONE
    qtbot.waitUntil(lambda: "Made in" in dock.result.line.text(), timeout=5000)
    return next(o for o in workspace.overlays.values() if isinstance(o, ClassMap))


@pytest.mark.parametrize("model", ["svm", "es_mhc"])
@pytest.mark.parametrize("what", SCENES)
def test_a_map_is_shown_all_the_same(
    desk: Any, qtbot: Any, tmp_path: Path, model: str, what: str
) -> None:
    workspace, dock = desk
    image = image_of(what)
    put(workspace, tmp_path, image, HALVES)
    made = train(workspace, dock, model, qtbot)
    np.testing.assert_array_equal(made.labels == 0, missing(image))
    assert ("equal slices" in dock.result.line.text()) == (model == "es_mhc")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [(ONE_CLASS, "at least two classes"), (np.zeros_like(HALVES), "needs labels")],
)
def test_labels_that_cannot_teach_are_said_before_anything_starts(
    desk: Any, tmp_path: Path, labels: np.ndarray, sentence: str
) -> None:
    workspace, dock = desk
    path, _ = write(tmp_path, cube(10), labels)
    scene = open_scene(path)
    workspace.add_scene(scene)
    workspace.set_labels(scene.id, labels, {1: "Class 1"})
    assert not dock.go_button.isEnabled()
    assert sentence in dock.problem_line.text()


def test_labels_of_another_size_are_refused_and_the_old_ones_stay(
    desk: Any, tmp_path: Path
) -> None:
    workspace, dock = desk
    scene_id = put(workspace, tmp_path, cube(10), HALVES)
    with pytest.raises(BadInput, match="12×24 pixels") as raised:
        workspace.set_labels(scene_id, OTHER_SIZE, {1: "Class 1"})
    assert "belongs to this scene" in raised.value.way_out
    np.testing.assert_array_equal(workspace.labels[scene_id].values, HALVES)
    assert dock.go_button.isEnabled()


@pytest.mark.parametrize("model", ["svm", "es_mhc"])
def test_a_class_of_one_pixel_is_named_and_reads_n_a(
    desk: Any, qtbot: Any, tmp_path: Path, model: str
) -> None:
    workspace, dock = desk
    put(workspace, tmp_path, cube(10), ONE_PIXEL)
    train(workspace, dock, model, qtbot)
    assert "class 3" in dock.result.line.text()
    table = dock.result.accuracy
    row = next(r for r in range(table.rowCount()) if "3" in table.item(r, 0).text())
    assert "n/a" in [table.item(row, col).text() for col in range(1, table.columnCount())]
