"""Two drawings of hyper-connection matrices: a grid of maps, and one pixel's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFontMetricsF, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from backends.colormaps import colorize
from backends.matrix_maps import GridPicture
from widgets.theme import text_color

_GAP = 2.0


class _Cells(QWidget):
    """Square cells with names on both axes; row = source, column = target."""

    chosen = pyqtSignal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names: Sequence[str] = ()
        self.selected: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return int(width - self._left() + self._top() + 4) if self.names else 96

    def sizeHint(self) -> QSize:
        return QSize(304, self.heightForWidth(304))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 160)

    def cell(self, source: int, target: int) -> QRectF:
        """Return where a cell is drawn."""
        size = self._size()
        return QRectF(
            self._left() + target * (size + _GAP), self._top() + source * (size + _GAP), size, size
        )

    def at(self, point: QPointF) -> tuple[int, int] | None:
        """Return the cell under a point."""
        for source in range(len(self.names)):
            for target in range(len(self.names)):
                if self.cell(source, target).contains(point):
                    return source, target
        return None

    def tip(self, source: int, target: int) -> str:
        """Return what to say about a cell."""
        raise NotImplementedError

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and (found := self.at(event.position())):
            self.chosen.emit(*found)

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip:
            found = self.at(QPointF(event.pos()))  # type: ignore[attr-defined]
            QToolTip.showText(event.globalPos(), self.tip(*found) if found else "")  # type: ignore[attr-defined]
            return True
        return super().event(event)

    def _draw_names(self, painter: QPainter) -> None:
        painter.setPen(text_color(self))
        size = self._size()
        metrics = QFontMetricsF(painter.font())
        for i, name in enumerate(self.names):
            cell = self.cell(0, i)
            text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, size + _GAP)
            painter.drawText(
                QRectF(cell.x(), 0, size, self._top() - 4),
                Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom,
                text,
            )
            cell = self.cell(i, 0)
            painter.drawText(
                QRectF(0, cell.y(), self._left() - 8, size),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                name,
            )

    def _draw_selection(self, painter: QPainter) -> None:
        if self.selected is not None:
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.cell(*self.selected).adjusted(-1, -1, 1, 1))

    def _left(self) -> float:
        metrics = QFontMetricsF(self.font())
        return max((metrics.horizontalAdvance(n) for n in self.names), default=0) + 12

    def _top(self) -> float:
        return QFontMetricsF(self.font()).height() + 6

    def _size(self) -> float:
        n = max(1, len(self.names))
        wide = (self.width() - self._left() - _GAP * n) / n
        high = (self.height() - self._top() - _GAP * n) / n
        return max(12.0, min(wide, high))


class MatrixGrid(_Cells):
    """Every entry as a small map of the scene."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture: GridPicture | None = None
        self._images: list[list[QImage]] = []

    def show_picture(self, names: Sequence[str], picture: GridPicture | None) -> None:
        """Draw another site."""
        self.names = names if picture is not None else ()
        self.picture = picture
        self._images = []
        if picture is not None:
            n = len(names)
            self._images = [[_image(picture.tiles[s, t]) for t in range(n)] for s in range(n)]
        self.updateGeometry()
        self.update()

    def tip(self, source: int, target: int) -> str:
        """Return names and ranges of an entry."""
        if self.picture is None:
            return ""
        p = self.picture
        return (
            f"{self.names[source]} → {self.names[target]}\n"
            f"over the scene {p.low[source, target]:.4f} to {p.high[source, target]:.4f}, "
            f"without looking at the pixel {p.static[source, target]:.4f}\n"
            f"colours from {p.shown[0][source, target]:.4f} to {p.shown[1][source, target]:.4f}\n"
            "Click to lay it over the image."
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._draw_names(painter)
        for source, line in enumerate(self._images):
            for target, image in enumerate(line):
                painter.drawImage(self.cell(source, target), image)
        self._draw_selection(painter)
        painter.end()


class MatrixTable(_Cells):
    """One matrix as numbers on colour, with the sums of rows and columns."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.matrix: NDArray[Any] | None = None
        self.limits = (0.0, 1.0)
        self.colormap = "viridis"

    def show_matrix(
        self,
        names: Sequence[str],
        matrix: NDArray[Any] | None,
        limits: tuple[float, float],
        colormap: str = "viridis",
    ) -> None:
        """Draw another matrix."""
        self.names = names if matrix is not None else ()
        self.matrix, self.limits, self.colormap = matrix, limits, colormap
        self.updateGeometry()
        self.update()

    def tip(self, source: int, target: int) -> str:
        """Return the value of an entry in words."""
        if self.matrix is None:
            return ""
        value = self.matrix[source, target]
        return f"{value:.5f} of {self.names[source]} goes into {self.names[target]}"

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        self._draw_names(painter)
        if self.matrix is not None:
            colors = colorize(np.asarray(self.matrix, float), self.limits, self.colormap)
            for source in range(len(self.names)):
                for target in range(len(self.names)):
                    cell = self.cell(source, target)
                    red, green, blue = (int(v) for v in colors[source, target])
                    painter.fillRect(cell, QColor(red, green, blue))
                    if cell.width() >= 28:
                        light = 0.299 * red + 0.587 * green + 0.114 * blue > 140
                        painter.setPen(QColor("black" if light else "white"))
                        digits = 3 if cell.width() >= 36 else 2
                        text = f"{self.matrix[source, target]:.{digits}f}"
                        painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, text)
        self._draw_selection(painter)
        painter.end()


def _image(tile: NDArray[np.uint8]) -> QImage:
    data = np.ascontiguousarray(tile)
    rows, cols, _ = data.shape
    # A copy, because the image would otherwise point into an array that may go.
    return QImage(data.tobytes(), cols, rows, 3 * cols, QImage.Format.Format_RGB888).copy()
