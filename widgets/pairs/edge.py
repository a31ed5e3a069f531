"""The edge between two scenes: a line with a grip that is dragged."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

WIDTH = 15


class Edge(QWidget):
    """Lies over the canvas.

    Parameters
    ----------
    parent : QWidget
    move : callable
        Told the x of the edge in the parent, while it is dragged.
    """

    def __init__(self, parent: QWidget, move: Callable[[float], None]) -> None:
        super().__init__(parent)
        self._move = move
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName("Edge between the two scenes: drag it, or use the arrow keys")
        self.setToolTip("Drag to see more of one scene or of the other")
        self.hide()

    def place(self, x: float, height: int) -> None:
        """Stand at an x of the parent."""
        self.setGeometry(round(x - WIDTH / 2), 0, WIDTH, height)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw a line and a grip that is seen on any picture."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x, y = self.width() / 2, self.height() / 2
        for color, width in ((QColor(0, 0, 0, 170), 4.0), (QColor("#FFFFFF"), 1.6)):
            painter.setPen(QPen(color, width))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        painter.setPen(QPen(QColor(0, 0, 0, 170), 1.0))
        painter.setBrush(QColor("#FFFFFF"))
        painter.drawRoundedRect(QRectF(x - 6, y - 20, 12, 40), 6, 6)
        painter.setPen(QPen(QColor(90, 90, 90), 1.4))
        for dx in (-2.0, 2.0):
            painter.drawLine(QPointF(x + dx, y - 8), QPointF(x + dx, y + 8))
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Follow the mouse."""
        if event is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._move(self.mapToParent(event.position()).x())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take it in hand; the canvas below must not move."""
        if event is not None:
            event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Left and right move it by a few pixels."""
        steps = {Qt.Key.Key_Left: -8, Qt.Key.Key_Right: 8}
        if event is not None and event.key() in steps:
            self._move(self.x() + self.width() / 2 + steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)
