"""Jobs, regions and origin docks."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
from PyQt6.QtCore import Qt

from backends.bands import BandTable
from backends.errors import BadInput
from backends.jobs import Job, JobState, Progress, ProgressState, ThreadRunner
from backends.overlays import Provenance, ScoreMap
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Pin, Region, Workspace
from widgets.jobs_dock import JobsDock, clock, progress_words
from widgets.provenance_dock import ProvenanceDock
from widgets.regions_dock import RegionsDock


def scene_of(workspace: Workspace) -> Scene:
    info = SceneInfo(None, "raster", BandTable.build(2), pixel_size=(10, 10), pixel_unit="m")
    scene = Scene(ArraySource(np.zeros((50, 60, 2), np.float32)), info)
    workspace.add_scene(scene)
    return scene


def test_a_running_job_is_shown_and_stopped_by_its_cross(qtbot: Any) -> None:
    workspace = Workspace(ThreadRunner())
    dock = JobsDock(workspace)
    qtbot.addWidget(dock)
    dock.show()
    assert dock.empty.isVisible()
    counted = threading.Event()

    def run(progress: Progress) -> None:
        progress.start(10, "tiles", "Counting")
        progress.advance(4)
        counted.set()
        while True:
            progress.check()
            threading.Event().wait(0.01)

    handle = workspace.submit(Job("Endless", run))
    try:
        assert counted.wait(5)
        row = dock.rows[handle.number]
        qtbot.waitUntil(lambda: "4 of 10 tiles" in row.line.text(), timeout=3000)
        assert row.bar.value() == 400
        qtbot.mouseClick(row.cancel_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: handle.state is JobState.CANCELLED, timeout=1000)
        qtbot.waitUntil(lambda: "cancelled" in row.state_label.text(), timeout=1000)
        assert not row.cancel_button.isVisible()
        qtbot.mouseClick(dock.clear_button, Qt.MouseButton.LeftButton)
        assert dock.rows == {}
        assert dock.empty.isVisible()
        assert not dock._timer.isActive()
    finally:
        workspace.close()


def test_a_running_job_can_wait_and_go_on(qtbot: Any) -> None:
    workspace = Workspace(ThreadRunner())
    dock = JobsDock(workspace)
    qtbot.addWidget(dock)
    dock.show()
    seen: list[float] = []

    def run(progress: Progress) -> None:
        progress.start(1e6, "tiles")
        while True:
            threading.Event().wait(0.005)
            progress.advance()
            seen.append(progress.done)

    handle = workspace.submit(Job("Endless", run))
    try:
        row = dock.rows[handle.number]
        qtbot.waitUntil(row.pause_button.isVisible, timeout=3000)
        qtbot.mouseClick(row.pause_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: row.state_label.text() == "paused", timeout=3000)
        assert row.pause_button.toolTip() == "Go on with: Endless"
        count = len(seen)
        qtbot.wait(100)
        assert len(seen) == count
        qtbot.mouseClick(row.pause_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: len(seen) > count, timeout=3000)
        qtbot.waitUntil(lambda: row.state_label.text() == "", timeout=3000)
        qtbot.mouseClick(row.pause_button, Qt.MouseButton.LeftButton)
        qtbot.mouseClick(row.cancel_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: handle.state is JobState.CANCELLED, timeout=1000)
        qtbot.waitUntil(lambda: not row.pause_button.isVisible(), timeout=1000)
    finally:
        workspace.close()


def test_failure_is_a_sentence_with_details_on_demand(qtbot: Any) -> None:
    workspace = Workspace()
    dock = JobsDock(workspace)
    qtbot.addWidget(dock)
    dock.show()

    def run(progress: Progress) -> None:
        raise BadInput("a.tif is damaged.", way_out="Copy it anew.", details="byte 7")

    handle = workspace.submit(Job("Open a.tif", run))
    row = dock.rows[handle.number]
    assert row.line.text() == "a.tif is damaged. Copy it anew."
    assert not row.details.isVisible()
    qtbot.waitUntil(row.isVisible, timeout=1000)
    row.details_button.click()
    assert row.details.isVisible()
    assert row.details.text() == "byte 7"


def test_quiet_jobs_are_not_listed(qtbot: Any) -> None:
    workspace = Workspace()
    dock = JobsDock(workspace)
    qtbot.addWidget(dock)
    workspace.submit(Job("Read", lambda progress: 1, quiet=True))
    assert dock.rows == {}


def test_words() -> None:
    state = ProgressState(48, 12, "tiles", 4.0, "Mapping")
    assert progress_words(state) == "Mapping · 12 of 48 tiles · 3 tiles/s · 0:12 left"
    assert clock(0.42) == "0.4 s"
    assert clock(65) == "1:05"
    assert clock(7200) == "2:00:00"


def test_regions_are_listed_renamed_deleted_and_undone(qtbot: Any) -> None:
    workspace = Workspace()
    dock = RegionsDock(workspace)
    qtbot.addWidget(dock)
    dock.show()
    scene = scene_of(workspace)
    assert dock.empty.isVisible()
    workspace.add_pin(Pin(scene.id, 3, 4, "Roof"))
    square = np.array([[0, 0], [0, 20], [20, 20], [20, 0]], float)
    workspace.add_region(Region("Field", scene.id, square, 1))
    texts = [dock.table.item(row, 2).text() for row in range(2)]
    assert texts == ["row 3, col 4", "441 px, 4.41 ha"]
    dock.table.item(1, 0).setText("Meadow")
    assert next(iter(workspace.regions.values())).name == "Meadow"
    dock.table.item(0, 0).setText("Barn")
    assert next(iter(workspace.pins.values())).name == "Barn"
    dock.table.selectAll()
    qtbot.mouseClick(dock.delete_button, Qt.MouseButton.LeftButton)
    assert not workspace.pins
    assert not workspace.regions
    workspace.commands.undo()
    assert len(workspace.pins) == len(workspace.regions) == 1


def test_origin_of_the_active_result(qtbot: Any) -> None:
    workspace = Workspace()
    dock = ProvenanceDock(workspace)
    qtbot.addWidget(dock)
    dock.show()
    scene = scene_of(workspace)
    assert dock.empty.isVisible()
    made = Provenance(
        "rx", parameters={"window": 7}, figures={"overall_accuracy": 0.91234},
        command="clearband x", notes=("Only a sample was looked at.",),
    )  # fmt: skip
    overlay = ScoreMap("Anomaly", scene.id, made, values=np.zeros((50, 60), np.float32))
    workspace.add_overlay(overlay)
    workspace.activate_overlay(overlay.id)
    assert not dock.empty.isVisible()
    assert dock.rows["Overall accuracy"] == "0.9123"
    assert "window 7" in dock.rows["Settings"]
    assert "Only a sample" in dock.rows["When not to believe it"]
    workspace.activate_overlay(None)
    assert dock.empty.isVisible()


def test_areas_with_a_class_come_from_qupath_and_go_back(qtbot: Any, tmp_path: Path) -> None:
    square = [[4, 2], [14, 2], [14, 9], [4, 9], [4, 2]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [square]},
        "properties": {
            "objectType": "annotation",
            "name": "Core",
            "classification": {"name": "Tumor", "color": [200, 0, 0]},
        },
    }
    path = tmp_path / "from_qupath.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    workspace = Workspace()
    dock = RegionsDock(workspace)
    qtbot.addWidget(dock)
    dock.show()
    assert not dock.open_button.isEnabled()
    scene_of(workspace)
    dock.open_file(path)
    assert "1 area from from_qupath.geojson" in dock.line.text()
    assert [dock.table.item(0, column).text() for column in range(2)] == ["Core", "Tumor"]
    (region,) = workspace.regions.values()
    assert region.mask((50, 60)).sum() == 10 * 7
    # Its class is changed where it stands, and goes back into a file with its outline.
    dock.table.item(0, 1).setText("Stroma")
    dock.save_file(tmp_path / "back")
    back = json.loads((tmp_path / "back.geojson").read_text())["features"][0]
    assert back["properties"]["classification"]["name"] == "Stroma"
    assert sorted(map(tuple, back["geometry"]["coordinates"][0])) == sorted(map(tuple, square))
    workspace.commands.undo()
    assert dock.table.item(0, 1).text() == "Tumor"
    workspace.commands.undo()
    assert not workspace.regions
    # A damaged file is a sentence, and nothing is lost.
    (tmp_path / "bad.geojson").write_text("{")
    failed = dock.open_file(tmp_path / "bad.geojson")
    assert failed is not None
    assert "bad.geojson" in str(failed.error)
