"""The steps of the guided tour in which a network is asked where it looked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.tour import Step, settle, wait_for
from backends.workspace import Region
from widgets.boards import LABELS

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

Do = Callable[["ClearbandWindow"], None]


def steps() -> tuple[Step, ...]:
    """Return the steps that need no file: on the demo scene, with the network that ships."""
    return (
        Step("explain", "Which wavelengths and pixels spoke for the class of a pixel", _pixel),
        Step("concepts", "Concepts found in a cube's own spectra, at a place", _concepts),
        Step("concepts-why", "What each concept adds to a place's class; one taken away", _why),
    )


def real_steps(data: Path) -> list[Step]:
    """Return the steps on real files, those that are there."""
    weights = data / "weights" / "imagenet" / "mobilenetv2_100_timm.safetensors"
    if not weights.exists():
        return []
    files = (
        ("photo", "a photograph", "weights/sample_images/hot_dog.jpg", ""),
        ("slide", "stained tissue, tile by tile", "pathology/CMU-1-Small-Region.svs", "tiles"),
        ("ct", "a CT slice", "dicom/CT_small.dcm", ""),
        ("volume", "every slice of a volume", "nifti/someones_anatomy.nii.gz", "every"),
    )
    out = [
        Step(f"explain-{name}", f"Where a network looked in {what}", _file(data / path, weights, h))
        for name, what, path, h in files
        if (data / path).exists()
    ]
    if (data / "weights/sample_images/hot_dog.jpg").exists():
        out.insert(1, Step("trust-photo", "Deletion and insertion beside random maps", _assess))
    return out


def _dock(window: ClearbandWindow) -> Any:
    window.show_dock("explain")
    dock = window.docks["explain"].inner
    dock.show_page("Explain")
    wait_for(window, lambda: dock.ask.method_box.count() > 0, "the list of networks")
    return dock


def _ask(window: ClearbandWindow, dock: Any) -> None:
    before = None if dock.desk.field is None else dock.desk.field.id
    wait_for(window, dock.ask.go_button.isEnabled, "a network to ask")
    dock.ask.go_button.click()

    def came() -> bool:
        field = dock.desk.field
        return field is not None and field.id != before and not field.partial

    wait_for(window, came, "the map")


def _picture_alone(window: ClearbandWindow) -> None:
    """Hide what lies over the picture of the active scene."""
    scene = window.workspace.active_scene
    assert scene is not None
    for other in list(window.workspace.overlays_of(scene.id)):
        window.canvas.board.change(scene.id, other.id, visible=False)
    if scene.id in window.workspace.labels:
        window.canvas.board.change(scene.id, LABELS, visible=False)


def _concepts(window: ClearbandWindow) -> None:
    """Find the concepts of the demo scene, click a place, see where two of them are."""
    scene = window.workspace.active_scene
    assert scene is not None
    _picture_alone(window)
    window.show_dock("concepts")
    dock = window.docks["concepts"].inner
    dock.learn.choose_spectra()
    dock.learn.learn()
    wait_for(window, lambda: dock.desk.field is not None, "the concepts")
    window.workspace.select_pixel(scene.id, scene.shape[0] // 3, scene.shape[1] // 2)
    settle(window, 0.2)
    cells = [c for some in dock.here.columns.cells.values() for c in some if c.line is not None]
    before = set(window.workspace.overlays)
    cells[0].chosen.emit(cells[0].line.concept)
    cells[0].opened.emit(cells[0].line.concept)
    wait_for(window, lambda: bool(set(window.workspace.overlays) - before), "the layer")


def _why(window: ClearbandWindow) -> None:
    """Teach the classes by the labels of the scene, and take the strongest concept away."""
    from backends.io.labels import open_labels
    from backends.simulate import demo_scene

    scene = window.workspace.active_scene
    assert scene is not None
    if scene.id not in window.workspace.labels:
        labels = open_labels(demo_scene("valley")[1])
        window.workspace.set_labels(scene.id, labels.values, labels.class_names)
    dock = window.docks["concepts"].inner
    dock.show_page("Why")
    dock.why.learn()
    wait_for(window, lambda: dock.desk.decision is not None, "the decision")
    settle(window, 0.2)
    dock.desk.take_concept(dock.why.chart.bars[0].concept)
    dock.why.handles.away_button.click()
    settle(window, 0.2)
    _picture_alone(window)
    before = set(window.workspace.overlays)
    dock.why.used_button.click()
    wait_for(window, lambda: bool(set(window.workspace.overlays) - before), "the layer")


def _pixel(window: ClearbandWindow) -> None:
    scene = window.workspace.active_scene
    assert scene is not None
    dock = _dock(window)
    row, col = scene.shape[0] // 3, scene.shape[1] // 2
    window.workspace.select_pixel(scene.id, row, col)
    # A square of 24 pixels: this network reads all pixels it is given together.
    corners = np.array([[-12.0, -12.0], [-12.0, 11.0], [11.0, 11.0], [11.0, -12.0]])
    corners += np.array([row, col], float)
    area = Region("Around the pixel", scene.id, corners, 0)
    window.workspace.add_region(area)
    box = dock.ask.where.part_box
    box.setCurrentIndex(box.findData(area.id))
    settle(window, 0.2)
    _ask(window, dock)
    window.workspace.remove_region(area.id)
    for other in window.workspace.overlays_of(scene.id):  # the map alone over the picture
        if other is not dock.desk.field:
            window.canvas.board.change(scene.id, other.id, visible=False)


def _assess(window: ClearbandWindow) -> None:
    dock = window.docks["explain"].inner
    dock.show_page("Trust")
    dock.trust.assess_button.click()
    wait_for(window, lambda: bool(dock.desk.field.trust), "its trust")


def _file(path: Path, weights: Path, how: str) -> Do:
    def do(window: ClearbandWindow) -> None:
        before = len(window.workspace.scenes)
        window.show_workbench("pathology")
        window.open_paths([path])
        wait_for(window, lambda: len(window.workspace.scenes) > before, path.name)
        settle(window, 0.5)
        dock = _dock(window)
        dock.ask.choose_file(weights)
        where = dock.ask.where
        where.tiles_check.setChecked(how == "tiles")
        where.every_check.setChecked(how == "every")
        if how == "tiles":  # the middle of the slide; the whole takes a minute
            where.part_box.setCurrentIndex(where.part_box.findData("screen"))
            window.viewer.scene.camera.zoom *= 2.5
            settle(window, 0.3)
        _ask(window, dock)

    return do
