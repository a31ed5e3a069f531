"""Measuring in the real window: clicks and double clicks on a real scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QGuiApplication, QMouseEvent
from PyQt6.QtWidgets import QApplication

from app.hand import Hand
from app.replay import replay
from tests.app.conftest import wait_for_picture


@pytest.fixture
def potsdam(shown_window: Any, qtbot: Any, clearband_data: Path) -> Any:
    window = shown_window
    window.open_paths([clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr"])
    qtbot.waitUntil(lambda: window.workspace.active_scene is not None, timeout=30_000)
    wait_for_picture(qtbot, window, window.workspace.active_scene)
    return window


def double_click(hand: Hand, row: float, col: float) -> None:
    hand.click(row, col)
    at = hand.point(row, col)
    away = QPointF(hand.native.mapToGlobal(at.toPoint()))
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    for kind, held in (
        (QEvent.Type.MouseButtonDblClick, left), (QEvent.Type.MouseButtonRelease, none),
    ):  # fmt: skip
        event = QMouseEvent(kind, at, away, left, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(hand.native, event)
    QApplication.processEvents()


def test_a_distance_an_area_and_back(potsdam: Any, qtbot: Any, tmp_path: Path) -> None:
    window, hand, workspace = potsdam, Hand(potsdam), potsdam.workspace
    measures, dock = window.measures, None
    camera = window.viewer.scene.camera
    hand.key("D")
    dock = window.docks["measure"].inner
    qtbot.waitUntil(lambda: workspace.active_scene.id in window.measuring._ready, timeout=10_000)
    assert measures.tool == "distance"
    hand.click(10, 10)
    hand._mouse(QEvent.Type.MouseMove, hand.point(10, 20), Qt.MouseButton.NoButton,
                Qt.MouseButton.NoButton)  # fmt: skip
    qtbot.waitUntil(lambda: "bearing 88°" in dock.measure.live.text(), timeout=5000)
    zoom = camera.zoom
    hand.click(10, 20)
    hand.key("Ctrl+Z")  # takes the corner back
    assert len(measures.corners) == 1
    double_click(hand, 10, 20)
    qtbot.waitUntil(lambda: len(workspace.measurements) == 1, timeout=10_000)
    assert camera.zoom == zoom
    assert not workspace.pins  # a click with a tool in hand pins nothing
    (one,) = workspace.measurements.values()
    assert one.size.length_m == pytest.approx(300, abs=3)
    assert QGuiApplication.clipboard().text() == one.size.text()
    hand.key("Shift+D")
    for place in ((20, 20), (20, 30), (30, 30)):
        hand.click(*place)
    hand.drag([(40, 60), (40, 70)])  # moves the view, sets no corner
    assert len(measures.corners) == 3
    double_click(hand, 30, 20)
    qtbot.waitUntil(lambda: len(workspace.measurements) == 2, timeout=10_000)
    area = list(workspace.measurements.values())[1]
    assert area.size.area_m2 == pytest.approx(90_000, rel=0.02)
    assert dock.measure.table.rowCount() == 2
    words = [stroke.words for stroke in window.measuring.strokes()]
    assert words[:2] == [m.size.text().split(", ")[0] for m in workspace.measurements.values()]
    handle = dock.measure.save_file(tmp_path / "m.geojson")
    qtbot.waitUntil(lambda: handle.state.is_final, timeout=10_000)
    assert (tmp_path / "m.geojson").is_file()
    hand.key("Esc")
    assert measures.tool == ""
    hand.key("Ctrl+Z")
    assert len(workspace.measurements) == 1
    workspace.run_log.lines[:] = workspace.run_log.lines[-2:]
    log = tmp_path / "log.txt"
    log.write_text(workspace.run_log.text(), encoding="utf-8")
    assert len(replay(log)) == 2


def test_a_profile_follows_the_bands_on_the_screen(potsdam: Any, qtbot: Any) -> None:
    window, hand, workspace = potsdam, Hand(potsdam), potsdam.workspace
    scene = workspace.active_scene
    hand.key("L")
    page = window.docks["measure"].inner.profile
    hand.click(5, 5)
    double_click(hand, 50, 100)
    qtbot.waitUntil(lambda: page.found is not None, timeout=10_000)
    assert page.found.bands == tuple(window.canvas.pictures.wanted(scene.id).bands)
    assert len(page.curves) == 3
    window.canvas.step_band(1)
    qtbot.waitUntil(lambda: len(page.curves) == 1, timeout=10_000)
    values = scene.read(bands=page.found.bands, physical=True)[:, :, 0]
    assert np.allclose(
        page.found.values[:, 0], values[page.found.rows, page.found.cols], equal_nan=True
    )
    middle = page.plot.plot_item.getViewBox().sceneBoundingRect().center()
    page._on_mouse(middle)
    assert window.measures.mark is not None
    assert "row" in page.readout.text()
    lines = [line.command for line in workspace.run_log.lines]
    assert lines[0][:2] == ("spectra", "profile")
    workspace.remove_scene(scene.id)
    assert page.found is None


def test_pixels_places_and_extremes(potsdam: Any, qtbot: Any) -> None:
    window, hand, workspace = potsdam, Hand(potsdam), potsdam.workspace
    scene = workspace.active_scene
    hand.key("P")
    dock = window.docks["measure"].inner
    hand._mouse(QEvent.Type.MouseMove, hand.point(30, 31), Qt.MouseButton.NoButton,
                Qt.MouseButton.NoButton)  # fmt: skip
    qtbot.waitUntil(lambda: dock.pixels.model.found is not None, timeout=10_000)
    found = dock.pixels.model.found
    assert (found.row, found.col) == (30, 31)
    spectrum = scene.spectrum(30, 31)
    column = dock.pixels.model.middle
    shown = dock.pixels.model.data(dock.pixels.model.index(50, column))
    assert float(shown) == pytest.approx(float(spectrum[50]), rel=1e-4)
    hand.click(12, 40)
    qtbot.waitUntil(lambda: dock.pixels.model.found.col == 40, timeout=10_000)
    assert not dock.pixels.follow_box.isChecked()
    hand.key("G")
    find = dock.find
    find.kind_box.setCurrentIndex(find.kind_box.findData("lat_lon"))
    hand.type(find.place_edit, "52°23'21.67\"N 13°01'49.50\"E")
    qtbot.waitUntil(lambda: "Row 30, column 30" in find.place_line.text(), timeout=10_000)
    centre = window.viewer.scene.camera.center[-2:]
    assert window.canvas.stage.frame(scene).to_pixel(*centre) == pytest.approx((30, 30), abs=0.1)
    hand.type(find.place_edit, "10 N 13 E")
    qtbot.waitUntil(lambda: "outside" in find.place_line.text(), timeout=10_000)
    find.where_box.setCurrentIndex(find.where_box.findData("scene"))
    hand.press(find.find_button)
    qtbot.waitUntil(lambda: find.found_line.text() != "", timeout=10_000)
    plane = scene.read(bands=[find.band_box.currentData()], physical=True)[:, :, 0]
    row, col = np.unravel_index(np.nanargmax(plane), plane.shape)
    assert f"row {row}, column {col}" in find.found_line.text()
    assert window.measures.mark == (scene.id, row, col)
