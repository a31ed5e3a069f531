"""A hand on the real window: real presses, moves and keys, for tours, benchmarks and tests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QScrollArea, QWidget

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
Place = tuple[float, float]


class Hand:
    """Moves the mouse over a window's canvas and docks, and types.

    Parameters
    ----------
    window : ClearbandWindow
        Shown; places on its canvas are rows and columns of the active scene.
    """

    def __init__(self, window: ClearbandWindow) -> None:
        self.window = window
        self.native: QWidget = window.viewer.window._qt_viewer.canvas.native

    # -- the canvas ----------------------------------------------------------------------

    def look(self, row: float, col: float, rows_in_view: float) -> None:
        """Bring a pixel to the middle, so many rows high."""
        scene = self.window.workspace.active_scene
        assert scene is not None
        frame = self.window.canvas.stage.frame(scene)
        camera = self.window.viewer.scene.camera
        y, x = frame.to_canvas(row, col)
        camera.center = (0.0, y, x)
        camera.zoom = self.native.height() / (rows_in_view * frame.height)
        QApplication.processEvents()

    def point(self, row: float, col: float) -> QPointF:
        """Return where a pixel is on the canvas widget."""
        scene = self.window.workspace.active_scene
        assert scene is not None
        y, x = self.window.canvas.stage.frame(scene).to_canvas(row, col)
        camera = self.window.viewer.scene.camera
        _, middle_y, middle_x = camera.center
        zoom = camera.zoom
        return QPointF(
            (x - middle_x) * zoom + self.native.width() / 2,
            (y - middle_y) * zoom + self.native.height() / 2,
        )

    def click(self, row: float, col: float) -> None:
        """Click on a pixel."""
        self.drag([(row, col)])

    def drag(
        self,
        places: Sequence[Place],
        pause_s: float = 0.0,
    ) -> list[tuple[float, float]]:
        """Press at the first place, go on to the others, let go.

        Parameters
        ----------
        pause_s : float
            Before each move: napari takes one every few milliseconds.

        Returns
        -------
        list of (handled, drawn)
            Seconds of each move until it was handled, and until all that follows was drawn;
            the last is that of letting go.
        """
        points = [self.point(*place) for place in places]
        self._mouse(QEvent.Type.MouseMove, points[0], _NONE, _NONE)
        self._mouse(QEvent.Type.MouseButtonPress, points[0], _LEFT, _LEFT)
        took = []
        for point in points[1:]:
            if pause_s:
                time.sleep(pause_s)
                QApplication.processEvents()
            took.append(self._mouse(QEvent.Type.MouseMove, point, _NONE, _LEFT))
        took.append(self._mouse(QEvent.Type.MouseButtonRelease, points[-1], _LEFT, _NONE))
        return took

    def _mouse(
        self, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, held: Qt.MouseButton
    ) -> tuple[float, float]:
        away = QPointF(self.native.mapToGlobal(at.toPoint()))
        event = QMouseEvent(kind, at, away, button, held, Qt.KeyboardModifier.NoModifier)
        began = time.perf_counter()
        QApplication.sendEvent(self.native, event)
        handled = time.perf_counter() - began
        QApplication.processEvents()
        return handled, time.perf_counter() - began

    # -- docks and keys ------------------------------------------------------------------

    def press(self, button: QWidget) -> None:
        """Scroll to a button and click it."""
        self.scroll_to(button)
        QTest.mouseClick(button, _LEFT)
        QApplication.processEvents()

    def type(self, edit: QWidget, text: str) -> None:
        """Write into a field, and leave it by the return key."""
        self.scroll_to(edit)
        QTest.mouseClick(edit, _LEFT)
        QTest.keySequence(edit, "Ctrl+A")
        QTest.keyClicks(edit, text)
        QTest.keyClick(edit, Qt.Key.Key_Return)
        QApplication.processEvents()

    def key(self, sequence: str) -> None:
        """Press keys with the canvas in front, as ``Ctrl+Z``."""
        self.window.qt_window.activateWindow()
        self.native.setFocus()
        QApplication.processEvents()
        QTest.keySequence(self.native, sequence)
        QApplication.processEvents()

    def choose(self, table: Any, row: int) -> None:
        """Click a row of a table."""
        self.scroll_to(table)
        place = table.visualItemRect(table.item(row, 0)).center()
        QTest.mouseClick(table.viewport(), _LEFT, pos=QPoint(place))
        QApplication.processEvents()

    @staticmethod
    def scroll_to(widget: QWidget) -> None:
        """Bring a widget of a scrolled dock into sight."""
        parent = widget.parentWidget()
        while parent is not None and not isinstance(parent, QScrollArea):
            parent = parent.parentWidget()
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(widget)
        QApplication.processEvents()
