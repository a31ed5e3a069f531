"""The whole picture, small, in a corner of the canvas: where the view is, a click to go there.

It shows itself only while a part of the scene is out of sight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

SIDE = 176
MARGIN = 8
# View and scene are the same to the eye when so much of the scene is in sight.
_WHOLE = 0.98
View = tuple[float, float, float, float]


class Overview(QWidget):
    """A small picture of a scene with a frame around what is in view.

    Parameters
    ----------
    parent : QWidget
        It lies in the upper left corner of this.
    go : callable
        Called with the row and column that were clicked, or dragged to.
    """

    def __init__(self, parent: QWidget, go: Callable[[float, float], Any]) -> None:
        super().__init__(parent)
        self._go = go
        self._image: QImage | None = None
        self._shape = (1, 1)
        self._aspect = 1.0
        self._view: View = (0.0, 0.0, 1.0, 1.0)
        self.wanted = True
        self.setAccessibleName("Overview: click to go there")
        self.setToolTip("The whole scene; click or drag to go there")
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.hide()

    def set_scene(self, shape: tuple[int, int], aspect: float = 1.0) -> None:
        """Speak of another scene; its picture comes with `set_picture`.

        Parameters
        ----------
        shape : (rows, cols)
        aspect : float
            Height of a pixel divided by its width.
        """
        self._shape, self._aspect, self._image = shape, aspect, None
        self._settle()

    def set_picture(self, rgb: NDArray[np.uint8]) -> None:
        """Show a picture of the whole scene, shape (rows, cols, 3)."""
        rgb = np.ascontiguousarray(rgb)
        rows, cols, _ = rgb.shape
        image = QImage(rgb.data, cols, rows, 3 * cols, QImage.Format.Format_RGB888)
        size = self._size()
        smooth = Qt.TransformationMode.SmoothTransformation
        self._image = image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
        self._settle()

    def clear(self) -> None:
        """Speak of no scene."""
        self._image = None
        self._settle()

    def set_view(self, view: View) -> None:
        """Say what is in view: row, column, height and width in scene pixels."""
        if view != self._view:
            self._view = view
            self._settle()

    def set_wanted(self, wanted: bool) -> None:
        """Let it be seen where it is of use, or never."""
        self.wanted = wanted
        self._settle()

    @property
    def frame(self) -> QRectF:
        """The frame around what is in view, in pixels of this widget."""
        rows, cols = self._shape
        row, col, height, width = self._view
        size = self._size()
        x, y = size.width() / cols, size.height() / rows
        found = QRectF((col + 0.5) * x, (row + 0.5) * y, width * x, height * y)
        found = found.intersected(QRectF(0, 0, size.width(), size.height()))
        # Of a large slide a view is less than a pixel; it stays a frame that can be seen.
        grow = max(0.0, 6 - found.width()) / 2, max(0.0, 6 - found.height()) / 2
        return found.adjusted(-grow[0], -grow[1], grow[0], grow[1])

    def sizeHint(self) -> QSize:
        """As large as the picture."""
        return self._size()

    def _size(self) -> QSize:
        rows, cols = self._shape
        high, wide = rows * self._aspect, float(cols)
        scale = SIDE / max(high, wide)
        return QSize(max(24, round(wide * scale)), max(24, round(high * scale)))

    def _settle(self) -> None:
        row, col, height, width = self._view
        rows, cols = self._shape
        down = min(row + height, rows) - max(row, 0)
        across = min(col + width, cols) - max(col, 0)
        whole = down >= _WHOLE * rows and across >= _WHOLE * cols
        shown = self.wanted and self._image is not None and not whole
        if shown:
            self.setGeometry(MARGIN, MARGIN, self._size().width(), self._size().height())
            self.raise_()
        self.setVisible(shown)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the picture, the frame and a line around."""
        if self._image is None:
            return
        painter = QPainter(self)
        painter.drawImage(self.rect(), self._image)
        frame = self.frame
        for color, width in ((QColor(0, 0, 0, 160), 4.0), (QColor("#F0E442"), 2.0)):
            painter.setPen(QPen(color, width))
            painter.drawRect(frame.adjusted(1, 1, -1, -1))
        painter.setPen(QColor(128, 128, 128))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Go there."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._go_to(event.position())
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Go where it is dragged."""
        if event is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._go_to(event.position())

    def _go_to(self, at: QPointF) -> None:
        rows, cols = self._shape
        row = at.y() / max(1, self.height()) * rows - 0.5
        col = at.x() / max(1, self.width()) * cols - 0.5
        self._go(min(max(row, 0.0), rows - 1.0), min(max(col, 0.0), cols - 1.0))
