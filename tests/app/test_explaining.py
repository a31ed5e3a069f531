"""The explain dock in the real window: key, mouse, layer on the canvas, trust in the list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest

from backends.io import open_scene as open_file
from backends.overlays import Heatmap
from tests.widgets.red_network import picture_file, volume_file, weights_file


def test_from_the_key_to_a_map_with_its_trust(
    shown_window: Any, qtbot: Any, open_scene: Any, tmp_path: Path
) -> None:
    window = shown_window
    window.show_workbench("pathology")
    scene = open_scene(window, open_file(picture_file(tmp_path), {}))
    native = window.viewer.window._qt_viewer.canvas.native
    native.setFocus()
    QTest.keyClick(native, Qt.Key.Key_E)
    dock = window.docks["explain"].inner
    assert window.dock_is_shown("explain")
    qtbot.waitUntil(lambda: dock.ask.method_box.count() > 0, timeout=90_000)
    dock.ask.choose_file(weights_file(tmp_path))
    QTest.mouseClick(dock.ask.go_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.desk.field is not None, timeout=90_000)
    heatmap = dock.desk.field
    assert isinstance(heatmap, Heatmap)

    # It lies on the image, pixel on pixel, and its list says what is known of its trust.
    (layer,) = window.canvas.overlays.layers(heatmap.id)
    picture = window.canvas.stage.layers(scene.id)[0]
    assert layer in window.viewer.layers
    np.testing.assert_allclose(layer.extent.world, picture.extent.world)
    assert window.canvas.board.row(scene.id, heatmap.id).kind == "not assessed"
    assert layer.colorbar.visible

    # Contour and cells come as lines of their own, change in place and go.
    view = dock.ask.view
    QTest.mouseClick(
        view.grid_check, Qt.MouseButton.LeftButton, pos=view.grid_check.rect().center()
    )
    view.contour_slider.setValue(50)
    layers = window.canvas.overlays.layers(heatmap.id)
    assert [one.name.split(": ")[-1] for one in layers[1:]] == ["cells", "contour"]
    assert all(len(one.data) > 3 for one in layers[1:])
    assert layers[0] is layer
    assert layer.colorbar.visible
    at_half = np.array(layers[2].data)
    view.contour_slider.setValue(80)
    assert window.canvas.overlays.layers(heatmap.id) == layers
    assert np.abs(layers[2].data[:, 0] - 14).max() < np.abs(at_half[:, 0] - 14).max()
    view.contour_slider.setValue(0)
    assert len(layers[2].data) == 0
    row = window.canvas.board
    row.change(scene.id, heatmap.id, opacity=0.3)
    assert {one.opacity for one in layers} == {0.3}

    # The line that makes it again is there to copy.
    QTest.mouseClick(dock.ask.result.copy_button, Qt.MouseButton.LeftButton)
    words = dock.ask.result.command_line.text()
    assert words.startswith(f"clearband explain {tmp_path / 'picture.png'}")
    assert "--method grad_cam" in words

    # A second map comes to the front; the first is hidden, not mixed in.
    dock.ask.method_box.setCurrentIndex(dock.ask.method_box.findData("hires_cam"))
    qtbot.waitUntil(dock.ask.go_button.isEnabled, timeout=90_000)
    QTest.mouseClick(dock.ask.go_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(dock.desk.heatmaps) == 2, timeout=90_000)
    second = window.canvas.overlays.layers(dock.desk.field.id)[0]
    assert second is not layer
    assert (layer.visible, second.visible) == (False, True)


def test_maps_of_a_volume_follow_the_slice_on_the_screen(
    window: Any, qtbot: Any, open_scene: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from widgets.explaining import trust_page

    quick = {"steps": 4, "random_maps": 4, "random_steps": 2, "random_networks": 1, "road": False}
    real = trust_page.Assess
    monkeypatch.setattr(trust_page, "Assess", lambda *a: real(*a, settings=quick))
    window.show_workbench("pathology")
    window.show_dock("explain")
    scene = open_scene(window, open_file(volume_file(tmp_path), {}))
    dock = window.docks["explain"].inner
    dock.ask.list_networks()
    qtbot.waitUntil(lambda: dock.ask.method_box.count() > 0, timeout=90_000)
    dock.ask.choose_file(weights_file(tmp_path, bright=True))

    def go(number: int) -> Any:
        """Turn to a slice; return the map on it, or None where none is seen."""
        window.canvas.step_band(number - window.canvas.pictures.shown(scene.id).recipe.bands[0])
        qtbot.waitUntil(lambda: window.canvas.pictures.shown(scene.id).recipe.bands == (number,))
        (heatmap,) = window.workspace.overlays_of(scene.id)
        return heatmap if window.canvas.board.row(scene.id, heatmap.id).visible else None

    # One slice: its map is not laid over a slice that the network never saw.
    dock.ask.go_button.click()
    qtbot.waitUntil(lambda: dock.desk.field is not None, timeout=90_000)
    first = dock.desk.field
    shown = window.canvas.pictures.shown(scene.id).recipe.bands[0]
    assert first.title.endswith(f", slice {shown + 1}")
    other = (shown + 1) % 4
    assert go(other) is None
    assert go(shown) is first
    window.workspace.remove_overlay(first.id)

    # Every slice: the map is exchanged with the slice, in one contrast, each with its trust.
    dock.ask.where.every_check.setChecked(True)
    qtbot.waitUntil(dock.ask.go_button.isEnabled, timeout=90_000)
    dock.ask.go_button.click()
    qtbot.waitUntil(lambda: dock.desk.field is not None, timeout=90_000)
    here, there = go(shown), go(other)
    assert here.id == there.id
    assert not np.allclose(here.values, there.values)
    assert here.view.limits == there.view.limits
    (layer,) = window.canvas.overlays.layers(there.id)
    assert layer.data is there.values or np.array_equal(layer.data, there.values)
    assert dock.desk.answer.question.where.slice_number == other
    assert f"slice {other + 1}" in dock.ask.result.line.text()
    assert "Not assessed" in dock.ask.result.line.text()
    dock.trust.assess()
    qtbot.waitUntil(lambda: dock.desk.answer.card is not None, timeout=90_000)
    assert go(other).trust
    assert not go(shown).trust
    assert window.canvas.board.row(scene.id, here.id).kind == "not assessed"
    assert go(other).trust  # and it is still there on the way back

    # A session keeps the maps of all slices, each with its trust.
    maps = [go(number).values.copy() for number in range(4)]
    window.sessions.save(tmp_path / "volume.clearband")
    qtbot.waitUntil(lambda: window.sessions.path is not None, timeout=20_000)
    window.sessions.open(tmp_path / "volume.clearband")
    qtbot.waitUntil(lambda: scene.id not in window.workspace.scenes, timeout=20_000)
    scene = window.workspace.active_scene
    qtbot.waitUntil(lambda: window.canvas.pictures.shown(scene.id) is not None, timeout=20_000)
    for number in range(4):
        again = go(number)
        np.testing.assert_array_equal(again.values, maps[number])
        assert bool(again.trust) == (number == other)
    assert dock.desk.answer is None  # it can be seen, but what the network saw is gone
