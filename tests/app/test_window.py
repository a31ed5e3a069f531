"""The window itself: light to start, calm, complete, and gone without a trace."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import QMessageBox

from app.settings import load_settings
from app.workbenches import DOCKS, WORKBENCHES, workbench
from backends.errors import BadInput
from backends.jobs import Job
from tests.app.conftest import wait_for_picture, write_envi

HEAVY = ("torch", "sklearn", "rasterio", "pyqtgraph", "h5py", "zarr", "pyproj")


def test_nothing_heavy_is_imported_at_the_start(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from app.window import build\n"
        "window = build()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
        "window.close()\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_welcome_first_then_the_workbench(shown_window, make_scene, open_scene) -> None:
    window = shown_window
    assert window.welcome.isVisible()
    assert [d for d in window.docks.values() if d.isVisible()] == []
    scene = open_scene(window, make_scene())
    assert not window.welcome.isVisible()
    shown = {name for name, dock in window.docks.items() if not dock.isHidden()}
    assert shown == set(WORKBENCHES[0].docks)
    window.close_scene()
    assert window.welcome.isVisible()
    assert scene.is_closed


def test_canvas_keeps_its_share_in_every_workbench(
    shown_window, make_scene, open_scene, qtbot
) -> None:
    window = shown_window
    open_scene(window, make_scene())
    native = window.viewer.window._qt_viewer.canvas.native
    for bench in WORKBENCHES:
        window.show_workbench(bench.id)
        qtbot.wait(50)
        assert (window.qt_window.width(), window.qt_window.height()) == (1600, 1000)
        share = native.width() * native.height() / (1600 * 1000)
        assert share >= 0.55, f"{bench.title}: {share:.3f}"


def test_the_window_may_be_as_small_as_1280_by_800(
    shown_window, make_scene, open_scene, qtbot
) -> None:
    window = shown_window
    open_scene(window, make_scene())
    for bench in WORKBENCHES:
        window.show_workbench(bench.id)
        window.qt_window.resize(1280, 800)
        qtbot.wait(50)
        assert (window.qt_window.width(), window.qt_window.height()) == (1280, 800), bench.title


def test_workbench_theme_and_layout_come_back(window, make_scene, open_scene, own_home) -> None:
    open_scene(window, make_scene())
    window.show_workbench("fire")
    window.toggle_theme()
    window.docks["regions"].hide()
    window._shut_down()
    settings = load_settings()
    assert settings.workbench == "fire"
    assert settings.theme == "light"
    assert window.viewer.theme == "light"
    assert settings.layouts["fire"]
    assert settings.geometry is not None


def test_layout_of_a_workbench_is_kept_while_another_is_shown(
    shown_window, make_scene, open_scene, qtbot
) -> None:
    window = shown_window
    open_scene(window, make_scene())
    window.docks["regions"].hide()
    window.show_workbench("fire")
    assert not window.docks["regions"].isHidden()
    window.show_workbench("remote_sensing")
    assert window.docks["regions"].isHidden()
    window.reset_layout()
    assert not window.docks["regions"].isHidden()


def test_every_dock_has_an_action_and_opens_empty(window, qtbot) -> None:
    for spec in DOCKS:
        window.actions.run(f"dock.{spec.id}")
        assert window.dock_is_shown(spec.id)
        assert window.docks[spec.id].inner.ID == spec.id
        window.actions.run(f"dock.{spec.id}")
        assert not window.dock_is_shown(spec.id)


def test_error_is_one_sentence_with_details_apart(shown_window, qtbot) -> None:
    window = shown_window
    error = BadInput("a.hdr ends too early.", way_out="Copy it anew.", details="line 7: EOF")
    toast = window.notify(error)
    assert toast.text == "a.hdr ends too early. Copy it anew."
    assert "line 7" not in toast.text
    before = toast.height()
    qtbot.mouseClick(toast.details_button, Qt.MouseButton.LeftButton)
    assert toast._box.toPlainText() == "line 7: EOF"
    assert toast.height() > before
    assert window.notify(error) is toast


def test_failed_job_is_said_with_its_sentence(window, qtbot) -> None:
    def fail(progress) -> None:
        raise BadInput("The disk is full.", details="ENOSPC")

    window.workspace.submit(Job("Write", fail))
    qtbot.waitUntil(lambda: bool(window.toaster.toasts()))
    (toast,) = window.toaster.toasts()
    assert (toast.text, toast.details) == ("The disk is full.", "ENOSPC")


def test_a_defect_is_a_sentence_too(window, qtbot) -> None:
    def fail(progress) -> None:
        raise RuntimeError("secret internals")

    window.workspace.submit(Job("Count", fail))
    qtbot.waitUntil(lambda: bool(window.toaster.toasts()))
    (toast,) = window.toaster.toasts()
    assert "secret" not in toast.text
    assert "secret internals" in toast.details


def test_closing_with_running_jobs_asks_once_with_their_names(window, qtbot, monkeypatch) -> None:
    started, asked = threading.Event(), []

    def work(progress) -> None:
        started.set()
        while True:
            progress.check()
            threading.Event().wait(0.01)

    window.workspace.submit(Job("Train es_mhc", work))
    assert started.wait(5)
    answer = "Go on working"

    def exec_box(box: QMessageBox) -> int:
        asked.append(box.informativeText())
        button = next(b for b in box.buttons() if b.text() == answer)
        box.clickedButton = lambda: button
        return 0

    monkeypatch.setattr(QMessageBox, "exec", exec_box)
    window.qt_window.close()
    assert asked == ["•  Train es_mhc"]
    assert not window._closing
    answer = "Stop and close"
    window.qt_window.close()
    assert len(asked) == 2
    assert window._closing
    names = [t.name for t in threading.enumerate() if t.name.startswith("clearband")]
    assert names == []


def test_closing_while_nothing_runs_asks_nothing(window, monkeypatch) -> None:
    monkeypatch.setattr(QMessageBox, "exec", lambda box: pytest.fail("asked"))
    window.qt_window.close()
    assert window._closing


def test_status_bar_shows_place_value_and_job(window, make_scene, open_scene, qtbot) -> None:
    scene = open_scene(window, make_scene(unit="reflectance"))
    qtbot.waitUntil(lambda: scene.id in window.status._ready)
    window.workspace.cursor_moved.emit(scene.id, 3, 4)
    text = window.status.place.text()
    assert text.startswith("row 3, col 4")
    assert "E 367" in text
    assert "° N" in text
    assert text.endswith("reflectance")
    assert "24 × 32 pixels, 30 bands, uint16" in window.status.facts.text()
    assert "GB" in window.status.device.text()
    window.workspace.cursor_left.emit()
    assert window.status.place.text() == ""
    go = threading.Event()

    def work(progress) -> None:
        progress.start(10, "tiles")
        time.sleep(0.06)  # progress is told at most every 50 ms
        progress.advance(4)
        go.wait(10)

    handle = window.workspace.submit(Job("Classify", work))
    qtbot.waitUntil(lambda: "40 %" in window.status.jobs.text.text())
    assert "Classify" in window.status.jobs.text.text()
    go.set()
    qtbot.waitUntil(lambda: handle.state.is_final)
    qtbot.waitUntil(lambda: window.status.jobs.isHidden())


def test_job_can_be_stopped_from_the_status_bar(window, qtbot) -> None:
    def work(progress) -> None:
        while True:
            progress.check()
            threading.Event().wait(0.01)

    handle = window.workspace.submit(Job("Endless", work))
    qtbot.waitUntil(lambda: not window.status.jobs.isHidden())
    window.status.jobs.stop.click()
    qtbot.waitUntil(lambda: handle.state.is_final, timeout=1000)


def test_napari_panels_are_hidden_and_within_reach(window) -> None:
    qt_viewer = window.viewer.window._qt_viewer
    assert qt_viewer.dockLayerList.isHidden()
    assert qt_viewer.dockLayerControls.isHidden()
    window.actions.run("napari.dockLayerList")
    assert not qt_viewer.dockLayerList.isHidden()
    titles = [a.menu().title() for a in window.actions.menu("View/napari").actions() if a.menu()]
    assert any("Plugins" in title for title in titles)
    top = [a.menu().objectName() for a in window.qt_window.menuBar().actions()]
    names = ("File", "Edit", "View", "Measure", "Workbench", "Help")
    assert top == [f"clearband.menu.{m}" for m in names]


def test_no_key_means_two_things(window) -> None:
    keys = [a.shortcut for a in window.actions.table.values() if a.shortcut]
    assert len(keys) == len(set(keys))
    for key in ("Space", "B", "R", "S", "[", "]", ",", ".", "C", "M", "Ctrl+K", "Esc", "F1"):
        assert key in keys
    assert {str(n) for n in range(1, 10)} <= set(keys)
    mine = {QKeySequence(k).toString() for k in keys}

    def walk(menu):
        for action in menu.actions():
            if action.menu():
                yield from walk(action.menu())
            elif action.shortcut().toString():
                yield action.shortcut().toString()

    others = {
        key
        for name in ("file", "view", "layers", "plugins", "window", "help")
        for key in walk(getattr(window.viewer.window, f"{name}_menu"))
    }
    assert not mine & others


def test_every_action_is_in_the_palette(window) -> None:
    window.show_palette()
    commands = window.viewer.window._qt_window._command_palette._list.all_commands
    ours = [c for c in commands if c.id.startswith("clearband:")]
    assert len(ours) == len(window.actions.table)
    assert commands[: len(ours)] == ours
    undo = next(c for c in ours if "Undo" in c.title)
    assert "Ctrl+Z" in undo.title
    window.tools.escape()
    assert not window.viewer.window._qt_window._command_palette.isVisible()


def test_keys_reach_the_tools(shown_window, make_scene, open_scene, qtbot) -> None:
    window = shown_window
    open_scene(window, make_scene())
    window.qt_window.activateWindow()
    qtbot.waitUntil(window.qt_window.isActiveWindow)
    native = window.viewer.window._qt_viewer.canvas.native
    native.setFocus()
    drawing = window.canvas.drawing
    qtbot.keyClick(native, Qt.Key.Key_B)
    assert drawing.tool == "paint"
    qtbot.keyClick(native, Qt.Key.Key_3)
    assert drawing.label == 3
    qtbot.keyClick(native, Qt.Key.Key_Period)
    assert drawing.painting.brush_size == 7
    qtbot.keyClick(native, Qt.Key.Key_Escape)
    assert drawing.tool == "pan_zoom"
    qtbot.keyClick(native, Qt.Key.Key_R)
    assert drawing.tool == "add_polygon_lasso"
    qtbot.keyClick(native, Qt.Key.Key_Escape)


def test_no_key_turns_the_picture_out_of_its_plane(
    shown_window, make_scene, open_scene, qtbot
) -> None:
    window = shown_window
    scene = open_scene(window, make_scene())
    window.qt_window.activateWindow()
    qtbot.waitUntil(window.qt_window.isActiveWindow)
    native = window.viewer.window._qt_viewer.canvas.native
    native.setFocus()
    window.workspace.pin_here(scene.id, 2, 3)
    window.actions.run("edit.undo")
    dims, order = window.viewer.dims, window.viewer.dims.order
    for key in (Qt.Key.Key_Y, Qt.Key.Key_E, Qt.Key.Key_T, Qt.Key.Key_G):
        qtbot.keyClick(native, key, Qt.KeyboardModifier.ControlModifier)
    assert (dims.ndisplay, dims.order) == (2, order)
    assert not window.viewer.canvas.grid.enabled
    assert len(window.workspace.pins) == 1  # Ctrl+Y did again what was undone


def test_undo_names_what_it_takes_back(window, make_scene, open_scene) -> None:
    scene = open_scene(window, make_scene())
    window.canvas.drawing.pin(scene, 2, 3)
    window.actions.refresh()
    assert window.actions.qt("edit.undo").text() == "Undo add Pin 1 (2, 3)"
    window.actions.run("edit.undo")
    assert not window.workspace.pins
    assert window.actions.qt("edit.redo").text() == "Redo add Pin 1 (2, 3)"


def test_recent_files_are_in_menu_and_welcome_page(window, qtbot, tmp_path: Path) -> None:
    import numpy as np

    path = write_envi(tmp_path / "cube.bip", np.ones((5, 6, 3), np.int16))
    window.open_paths([path])
    qtbot.waitUntil(lambda: window.workspace.active_scene is not None)
    wait_for_picture(qtbot, window, window.workspace.active_scene)

    def titles() -> list[str]:
        table = window.actions.table.values()
        return [a.title for a in table if a.menu == "File/Open recent"]

    # the menu is brought up to date when the picture is there
    qtbot.waitUntil(lambda: titles() == [f"cube.bip  –  {tmp_path}"])
    assert load_settings().recent == [str(path)]
    window.close_scene()
    assert window.welcome._recent == (str(path),)


def test_tools_without_a_scene_say_what_to_do(window) -> None:
    for action in ("edit.brush", "edit.region", "view.blink", "edit.class_2"):
        window.actions.run(action)
    assert {t.text for t in window.toaster.toasts()} == {"Open a scene first."}


def test_what_is_this_knows_the_canvas_and_the_docks(window) -> None:
    from app.help import describe

    native = window.viewer.window._qt_viewer.canvas.native
    assert "spectrum" in describe(native)
    window.show_dock("layers")
    assert "eye" in describe(window.docks["layers"].inner)
    assert describe(None)


def test_layer_controls_are_made_when_they_are_first_shown(window, qtbot, make_scene) -> None:
    window.opener.open_scene(make_scene())
    scene = window.workspace.active_scene
    wait_for_picture(qtbot, window, scene)
    controls = window.viewer.window._qt_viewer.controls
    assert not controls.widgets
    window.actions.run("napari.dockLayerControls")
    assert set(controls.widgets) == set(window.viewer.layers)
    window.viewer.add_points([[1, 1]])
    assert set(controls.widgets) == set(window.viewer.layers)
    assert controls.currentWidget() is controls.widgets[window.viewer.layers[-1]]
    window.viewer.layers.pop()
    assert set(controls.widgets) == set(window.viewer.layers)


def test_docks_of_another_workbench_go_with_it(window, open_scene, make_scene) -> None:
    open_scene(window, make_scene())
    window.show_workbench("remote_sensing")
    window.show_workbench("pathology")  # whose docks the arrangement just kept does not know
    window.show_dock("measure")
    window.show_workbench("remote_sensing")
    shown = {name for name, dock in window.docks.items() if not dock.isHidden()}
    assert shown == set(workbench("remote_sensing").docks)
    window.show_workbench("pathology")
    assert not window.docks["measure"].isHidden()  # it was left there
