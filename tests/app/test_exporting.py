"""File > Export in the window: the canvas with scale and legend, the dialog with its facts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app import exporting
from backends.overlays import ClassMap, Provenance
from backends.scene import Scene


@pytest.fixture
def scene(
    shown_window: Any, make_scene: Callable[..., Scene], open_scene: Callable[[Any, Scene], Scene]
) -> Scene:
    return open_scene(shown_window, make_scene(rows=200, cols=300))


def test_the_canvas_with_all_that_belongs_to_it(
    shown_window: Any, scene: Scene, qtbot: Any, tmp_path: Path
) -> None:
    window = shown_window
    labels = np.ones((200, 300), np.uint8)
    overlay = ClassMap(
        "Map", scene.id, Provenance("svm"), labels=labels, class_names={1: "Water"}, id="map"
    )
    window.workspace.add_overlay(overlay)
    board = window.canvas.board
    qtbot.waitUntil(lambda: board.legend(scene.id, "map") is not None, timeout=5000)
    shot = exporting.grab(window)
    assert shot.rgb.ndim == 3
    assert [entry.name for entry in shot.legend] == ["Water"]
    assert shot.legend[0].value == "600 ha"
    assert shot.north == pytest.approx((-1.0, 0.0), abs=0.05)
    assert any("svm" in line for line in shot.lines)
    # The scene is 3 km wide; it fills the part of the canvas that is not background.
    assert shot.pixel is not None
    width, unit = shot.pixel
    assert unit == "m"
    rows, cols = shot.rgb.shape[:2]
    center = np.array(shot.rgb[rows // 2, cols // 2, :3], int)
    same = np.abs(shot.rgb[rows // 2, :, :3].astype(int) - center).sum(axis=1) < 120
    assert same.sum() * width == pytest.approx(3000, rel=0.1)
    board.change(scene.id, "map", visible=False)
    assert exporting.grab(window).legend == []

    dialog = exporting.ask(window)
    dialog.kind_box.setCurrentIndex(dialog.kind_box.findData("canvas"))
    dialog.path_line.setText(str(tmp_path / "canvas.png"))
    dialog.export_button.click()
    qtbot.waitUntil((tmp_path / "canvas.png").exists, timeout=10_000)
    qtbot.waitUntil(
        lambda: any("canvas.png was written" in t.text for t in window.toaster.toasts()),
        timeout=5000,
    )
    with Image.open(tmp_path / "canvas.png") as image:
        assert image.width > cols


def test_the_menu_has_it(window: Any) -> None:
    action = window.actions.table["file.export"]
    assert (action.menu, action.shortcut) == ("File", "Ctrl+E")
    assert not action.enabled()
