"""A small picture in a dock, as wide as there is room."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPixmap
from PyQt6.QtWidgets import QSizePolicy, QWidget


class PictureLabel(QWidget):
    """Draws a picture in its proportions; tells when it is clicked.

    Parameters
    ----------
    height : int
        In pixels; the picture is fitted into it.
    fits : bool
        Be only as high as the picture is at this width.
    """

    clicked = pyqtSignal()

    def __init__(self, height: int = 150, *, fits: bool = False) -> None:
        super().__init__()
        self._highest = height if fits else 0
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._pixmap: QPixmap | None = None

    def show_array(self, picture: NDArray[Any] | None) -> None:
        """Show a uint8 array of shape (rows, cols, 3), or nothing."""
        self._pixmap = None
        if picture is not None and self._highest:
            rows, cols = picture.shape[:2]
            self.setFixedHeight(max(32, min(self._highest, round(self.width() * rows / cols))))
        if picture is not None:
            rows, cols = picture.shape[:2]
            data = np.ascontiguousarray(picture, np.uint8)
            image = QImage(data.tobytes(), cols, rows, 3 * cols, QImage.Format.Format_RGB888)
            self._pixmap = QPixmap.fromImage(image.copy())
        self.update()

    @property
    def empty(self) -> bool:
        """Whether nothing is shown."""
        return self._pixmap is None

    def sizeHint(self) -> QSize:
        """Need no width."""
        return QSize(16, self.height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the picture in the middle."""
        if self._pixmap is None:
            return
        fitted = self._pixmap.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        painter = QPainter(self)
        # Cells of a coarse input stay square when it is enlarged.
        small = self._pixmap.width() < fitted.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not small)
        x, y = (self.width() - fitted.width()) // 2, (self.height() - fitted.height()) // 2
        painter.drawPixmap(x, y, fitted.width(), fitted.height(), self._pixmap)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Tell of the click."""
        self.clicked.emit()
