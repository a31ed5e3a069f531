"""Looking around in the window: magnification, overview, display windows, sides of the body."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt

from backends.bands import BandTable
from backends.scene import ArraySource, Scene, SceneInfo


def slide(side: int = 1200) -> Scene:
    image = np.full((side, side + 200, 3), 230, np.uint8)
    image[100:300, 800:1100] = (180, 40, 120)
    info = SceneInfo(
        None, "slide", BandTable.build(3), title="Slide", is_rgb=True,
        pixel_size=(0.5, 0.5), pixel_unit="µm", objective=20.0,
    )  # fmt: skip
    return Scene(ArraySource(image), info)


def ct() -> Scene:
    values = np.linspace(0, 2000, 3 * 40 * 50).reshape(40, 50, 3).astype(np.int16)
    info = SceneInfo(
        None, "medical", BandTable.build(3, names=("a", "b", "c"), axis="slice"), title="CT",
        gain=1.0, offset=-1000.0, unit="HU", pixel_size=(0.7, 0.7), pixel_unit="mm",
        windows={"As stored": (-160, 240), "Mediastinum": (-160, 240), "Lung": (-1350, 150)},
        sides=("R", "L", "A", "P"),
    )  # fmt: skip
    return Scene(ArraySource(values), info)


def test_magnification_is_shown_and_set(shown_window: Any, open_scene: Any, qtbot: Any) -> None:
    window = shown_window
    scene = open_scene(window, slide())
    window.actions.run("view.magnify_10")
    camera, frame = window.viewer.scene.camera, window.canvas.stage.frame(scene)
    # 20× at one pixel a pixel: 10× is half a screen pixel a scene pixel.
    assert camera.zoom * frame.width == pytest.approx(0.5)
    qtbot.waitUntil(lambda: window.status.magnification.text() == "10×")
    camera.zoom = 4 * camera.zoom
    qtbot.waitUntil(lambda: window.status.magnification.text() == "40×")
    assert window.viewer.canvas.overlays.scale_bar.visible
    open_scene(window, ct())
    qtbot.waitUntil(lambda: window.status.magnification.isHidden())
    window.looking.magnify(5)
    assert "no magnification" in window.toaster.toasts()[-1].text


def test_overview_shows_the_view_and_takes_it_where_it_is_clicked(
    shown_window: Any, open_scene: Any, qtbot: Any
) -> None:
    window = shown_window
    scene = open_scene(window, slide())
    overview = window.looking.overview
    assert overview.isHidden()  # the whole slide is in view
    window.actions.run("view.magnify_40")
    qtbot.waitUntil(lambda: overview.isVisible())
    qtbot.mouseClick(overview, Qt.MouseButton.LeftButton, pos=QPoint(overview.width() - 30, 20))
    row, col, height, width = window.looking.in_view()
    qtbot.waitUntil(lambda: overview.frame.contains(overview.width() - 30, 20))
    wanted = (20 / overview.height() * 1200, (1 - 30 / overview.width()) * 1400)
    assert (row + height / 2, col + width / 2) == pytest.approx(wanted, abs=2)
    color = overview.grab().toImage().pixelColor(int(overview.width() * 0.68), 20)
    assert color.red() > color.green() + 60  # the stained part, where it lies
    window.actions.run("view.overview")
    assert overview.isHidden()
    window.actions.run("view.overview")
    window.workspace.remove_scene(scene.id)
    assert overview.isHidden()


def test_display_windows_on_keys_and_hounsfield_under_the_mouse(
    window: Any, open_scene: Any, qtbot: Any
) -> None:
    scene = open_scene(window, ct())
    pictures = window.canvas.pictures

    def limits() -> Any:
        return pictures.shown(scene.id).limits

    window.actions.run("view.window_3")
    qtbot.waitUntil(lambda: limits() == ((-1350, 150),))
    assert window.actions.qt("view.window_3").text() == "Lung (-600 / 1500)"
    assert window.actions.qt("view.window_3").isChecked()
    # Its name is on the screen, and goes with the scene.
    qtbot.waitUntil(lambda: window.status.window.text() == "Lung (-600 / 1500)")
    assert not window.status.window.isHidden()
    window.actions.run("view.next_window")  # round to the file's own
    qtbot.waitUntil(lambda: limits() == ((-160, 240),))
    qtbot.waitUntil(lambda: window.status.window.text() == "Mediastinum (40 / 400)")
    window.actions.run("view.next_window")  # not to its twin
    qtbot.waitUntil(lambda: limits() == ((-1350, 150),))
    window.canvas.next_band()  # a window holds for every slice
    qtbot.waitUntil(lambda: pictures.shown(scene.id).recipe.bands == (2,))
    assert limits() == ((-1350, 150),)
    window.workspace.cursor_moved.emit(scene.id, 0, 0)
    value = window.canvas.value_at(scene, 0, 0)[0]
    assert window.status.place.text() == f"row 0, col 0  ·  {value:.4g} HU"
    assert value == pytest.approx(-1000, abs=2)
    open_scene(window, slide())
    assert window.status.window.isHidden()


def test_sides_of_the_body_are_lettered(window: Any, open_scene: Any) -> None:
    open_scene(window, ct())
    labels = window.looking.letters.labels
    assert [label.text() for label in labels] == ["R", "L", "A", "P"]
    assert not any(label.isHidden() for label in labels)
    open_scene(window, slide())
    assert all(label.isHidden() for label in labels)
