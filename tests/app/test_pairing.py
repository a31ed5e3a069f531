"""Two scenes in the real window: swiped, side by side, checked, tied and moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QApplication

from app.hand import Hand
from backends.io import open_scene as read_scene
from backends.pairs.shifting import move_to, offset_of
from backends.spectra.cubes import subset
from tests.app.conftest import wait_for_picture

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


def send(widget: Any, kind: QEvent.Type, at: QPointF, button: Any, held: Any) -> None:
    away = QPointF(widget.mapToGlobal(at.toPoint()))
    keys = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(widget, QMouseEvent(kind, at, away, button, held, keys))
    QApplication.processEvents()


def _is_open(workspace: Any, file: Path) -> bool:
    return any(scene.info.path == file for scene in workspace.scenes.values())


@pytest.fixture
def pair(shown_window: Any, qtbot: Any, clearband_data: Path, tmp_path: Path) -> Any:
    """Return the window with a real scene, and a copy that lies 60 m east and 30 m south."""
    window, workspace = shown_window, shown_window.workspace
    path = clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr"
    with read_scene(path) as scene:
        move_to(scene, (60.0, -30.0))
        subset(scene, tmp_path / "later.tif", bands=[40, 60, 100])
    for file in (path, tmp_path / "later.tif"):
        handles = window.open_paths([file])
        qtbot.waitUntil(lambda done=handles: all(h.state.is_final for h in done), timeout=30_000)
        qtbot.waitUntil(lambda file=file: _is_open(workspace, file), timeout=30_000)
        wait_for_picture(qtbot, window, workspace.active_scene)
    one, other = workspace.scenes.values()
    workspace.activate(one.id)
    return window, one, other


def test_swipe_and_side_by_side(pair: Any, qtbot: Any) -> None:
    window, one, other = pair
    hand, stage = Hand(window), window.canvas.stage
    hand.key("X")
    qtbot.waitUntil(lambda: window.pairing.view is not None, timeout=10_000)
    view = window.pairing.view
    qtbot.waitUntil(lambda: view.native.width() == hand.native.width(), timeout=5000)
    assert [list(view.model.layers), stage.lent] == [stage.layers(other.id), other.id]
    # A pixel of the second lies two columns and one row further than its twin in the first.
    affine = view.model.layers[0].affine.affine_matrix[:2, 2]
    assert affine == pytest.approx((30, 60), abs=1e-6)
    first, second = window.viewer.scene.camera, view.model.scene.camera
    hand.drag([(30, 20), (32, 24), (36, 30)], pause_s=0.02)
    assert second.center == pytest.approx(first.center)
    at = QPointF(view.native.width() * 0.8, 200)
    send(view.native, QEvent.Type.MouseMove, at, NONE, NONE)
    send(view.native, QEvent.Type.MouseButtonPress, at, LEFT, LEFT)
    before = first.center
    for step in range(1, 4):
        send(view.native, QEvent.Type.MouseMove, at + QPointF(9 * step, 0), NONE, LEFT)
        qtbot.wait(20)
    send(view.native, QEvent.Type.MouseButtonRelease, at + QPointF(27, 0), LEFT, NONE)
    qtbot.waitUntil(lambda: first.center == pytest.approx(second.center), timeout=5000)
    assert first.center[2] < before[2]
    assert second.zoom == pytest.approx(first.zoom)
    grip = QPointF(view.edge.width() / 2, 300)
    send(view.edge, QEvent.Type.MouseButtonPress, grip, LEFT, LEFT)
    send(view.edge, QEvent.Type.MouseMove, grip - QPointF(200, 0), NONE, LEFT)
    assert window.pair.part < 0.4
    assert view.box.x() == pytest.approx(window.pair.part * window._center.width(), abs=1)
    hand.key("Shift+X")
    qtbot.waitUntil(lambda: hand.native.width() < 0.6 * window._center.width(), timeout=5000)
    assert view.native.width() == pytest.approx(hand.native.width(), abs=2)
    said: list[tuple[str, int, int]] = []
    window.workspace.cursor_moved.connect(lambda *here: said.append(here))
    y, x = stage.frame(one).to_canvas(21, 42)
    send(view.native, QEvent.Type.MouseMove, QPointF(*view.seen(y, x)), NONE, NONE)
    qtbot.waitUntil(lambda: said[-1:] == [(other.id, 20, 40)], timeout=5000)
    assert window.measures.mark[1:] == pytest.approx((21, 42), abs=0.1)
    window.workspace.activate(other.id)  # they change places
    assert (window.pair.mode, window.pair.other_id) == ("side", one.id)
    qtbot.waitUntil(lambda: stage.lent == one.id, timeout=10_000)
    window.workspace.remove_scene(one.id)
    assert window.pairing.view is None
    assert all(
        np.array_equal(layer.affine.affine_matrix, np.eye(3)) for layer in stage.layers(other.id)
    )
    assert window._center.layout().contentsMargins().right() == 0


def test_checked_moved_and_tied(pair: Any, qtbot: Any) -> None:
    window, one, other = pair
    hand, workspace = Hand(window), window.workspace
    hand.key("Shift+X")
    qtbot.waitUntil(lambda: window.pairing.view is not None, timeout=10_000)
    view, dock = window.pairing.view, window.docks["pair"].inner
    hand.press(dock.check_button)
    qtbot.waitUntil(lambda: dock.check_line.isVisible(), timeout=20_000)
    assert "below" in dock.check_line.text()
    assert "right" in dock.check_line.text()
    hand.press(dock.move_button)
    assert offset_of(other) == pytest.approx((-60, 30), abs=3)
    assert "Moved by hand" in dock.moved_line.text()
    qtbot.waitUntil(
        lambda: np.abs(view.model.layers[0].affine.affine_matrix[:2, 2]).max() < 3, timeout=10_000
    )
    hand.key("Ctrl+Z")
    assert offset_of(other) == (0.0, 0.0)
    assert workspace.active_scene is one
    qtbot.waitUntil(
        lambda: np.abs(view.model.layers[0].affine.affine_matrix[:2, 2]).max() > 50, timeout=10_000
    )
    hand.press(dock.tie_button)
    hand.click(20, 40)
    assert not workspace.pins
    assert "right scene" in dock.tie_line.text()
    at = QPointF(*view.seen(*window.canvas.stage.frame(one).to_canvas(21, 42)))
    for kind, held in (
        (QEvent.Type.MouseButtonPress, LEFT),
        (QEvent.Type.MouseButtonRelease, NONE),
    ):
        send(view.native, kind, at, LEFT, held)
    assert "west" in dock.tie_line.text()
    hand.press(dock.tie_move_button)
    assert offset_of(other) == pytest.approx((-60, 30), abs=8)
    assert not window.pair.tying
    assert workspace.run_log.lines[-1].command[:2] == ("spectra", "shift")
    assert "--tie" in workspace.run_log.lines[-1].command
    hand.press(dock.back_button)
    assert offset_of(other) == (0.0, 0.0)
    hand.press(dock.tie_button)
    hand.key("Esc")
    assert not window.pair.tying


def test_pictures_without_a_map(
    shown_window: Any, open_scene: Any, make_scene: Any, qtbot: Any
) -> None:
    window = shown_window
    hand = Hand(window)
    hand.key("X")
    assert window.pair.mode == ""  # nothing is open yet
    one = open_scene(window, make_scene(title="One", place=None))
    hand.key("X")
    dock = window.docks["pair"].inner
    assert dock.empty.isVisible()
    open_scene(window, make_scene(48, 32, title="Two", place=None))
    window.workspace.activate(one.id)
    hand.key("X")
    qtbot.waitUntil(lambda: window.pairing.view is not None, timeout=10_000)
    assert "edge to edge" in dock.laid_line.text()
    dock.board.tie(True)
    dock.board.set_end(1, 1, in_other=False)
    dock.board.set_end(1, 2, in_other=True)
    assert "no map holds that" in dock.tie_line.text()
    hand.press(dock.tie_move_button)
    assert "in this view only" in dock.laid_line.text()
    laid = window.pair.alignment
    assert laid.to_first(1, 2) == pytest.approx((1, 1))
    assert offset_of(window.workspace.scenes[dock.board.other_id]) == (0.0, 0.0)
