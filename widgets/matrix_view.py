"""Two drawings of hyper-connection matrices: a grid of maps, and one pixel's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from backends.colormaps import colorize
from backends.matrix_maps import GridPicture
from widgets.theme import text_color

_GAP = 2.0
# Of the font: names over narrow columns may become so small, then they are cut.
_SMALLEST_NAME = 0.75
_OUTLINE = QColor("#FF2A2A")


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
        if not self.names:
            return 96
        return int(width - self._left() - self._right() + self._top() + self._bottom() + 4)

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

    def column_names(self) -> list[str]:
        """Return the names above the columns, as short as they must be; their ends stay."""
        metrics, room = QFontMetricsF(self._column_font()), self._size() + _GAP
        middle = Qt.TextElideMode.ElideMiddle
        return [metrics.elidedText(name, middle, room) for name in self.names]

    def _column_font(self) -> QFont:
        """Return a font in which the names fit over narrow columns, if a readable one does."""
        font = QFont(self.font())
        widest = max((QFontMetricsF(font).horizontalAdvance(n) for n in self.names), default=0.0)
        room, pixels = self._size() + _GAP, QFontInfo(font).pixelSize()
        if widest > room:
            font.setPixelSize(max(1, int(pixels * max(_SMALLEST_NAME, (room - 1) / widest))))
        return font

    def _draw_names(self, painter: QPainter) -> None:
        painter.setPen(text_color(self))
        size = self._size()
        plain, texts = painter.font(), self.column_names()
        painter.setFont(self._column_font())
        for i, text in enumerate(texts):
            cell = self.cell(0, i)
            painter.drawText(
                QRectF(cell.x() - _GAP / 2, 0, size + _GAP, self._top() - 4),
                Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom,
                text,
            )
        painter.setFont(plain)
        for i, name in enumerate(self.names):
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

    def _right(self) -> float:
        return 0.0

    def _bottom(self) -> float:
        return 0.0

    def _top(self) -> float:
        return QFontMetricsF(self.font()).height() + 6

    def _size(self) -> float:
        n = max(1, len(self.names))
        wide = (self.width() - self._left() - self._right() - _GAP * n) / n
        high = (self.height() - self._top() - self._bottom() - _GAP * n) / n
        return max(12.0, min(wide, high))


class MatrixGrid(_Cells):
    """Every entry as a small map of the scene."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture: GridPicture | None = None
        self.class_names: Mapping[int, str] = {}
        self.outline: QColor | None = None  # of classes; red unless the maps are red themselves
        self._images: list[list[QImage]] = []

    def show_picture(
        self,
        names: Sequence[str],
        picture: GridPicture | None,
        class_names: Mapping[int, str] | None = None,
    ) -> None:
        """Draw another site; ``class_names`` name the classes outlined."""
        self.names = names if picture is not None else ()
        self.picture, self.class_names = picture, class_names or {}
        self._images = []
        if picture is not None:
            n = len(names)
            self._images = [[to_image(picture.tiles[s, t]) for t in range(n)] for s in range(n)]
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
            f"{self._highest_words(source, target)}"
            f"{_free(len(self.names))}\n"
            "Click to lay it over the image."
        )

    def _highest_words(self, source: int, target: int) -> str:
        if self.picture is None or self.picture.highest is None:
            return ""
        value = int(self.picture.highest[source, target])
        name = self.class_names.get(value, f"class {value}")
        return f"highest mean: {name} (outlined)\n"

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._draw_names(painter)
        for source, line in enumerate(self._images):
            for target, image in enumerate(line):
                cell = self.cell(source, target)
                painter.drawImage(cell, image)
                if self.picture is not None and self.picture.highest is not None:
                    value = int(self.picture.highest[source, target])
                    edges = self.picture.outlines[value]
                    color = _OUTLINE if self.outline is None else self.outline
                    _draw_edges(painter, cell, edges, (image.height(), image.width()), color)
        self._draw_selection(painter)
        painter.end()


class MatrixTable(_Cells):
    """One matrix as numbers on colour, with the sums of rows and columns."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.matrix: NDArray[Any] | None = None
        self.limits = (0.0, 1.0)
        self.colormap = "viridis"
        self.sums: tuple[NDArray[Any], NDArray[Any]] | None = None

    def show_matrix(
        self,
        names: Sequence[str],
        matrix: NDArray[Any] | None,
        limits: tuple[float, float],
        colormap: str = "viridis",
        sums: tuple[NDArray[Any], NDArray[Any]] | None = None,
    ) -> None:
        """Draw another matrix; ``sums`` of rows and of columns stand at its edges."""
        self.names, self.sums = names if matrix is not None else (), sums
        self.matrix, self.limits, self.colormap = matrix, limits, colormap
        self.updateGeometry()
        self.update()

    def tip(self, source: int, target: int) -> str:
        """Return the value of an entry in words."""
        if self.matrix is None:
            return ""
        value = self.matrix[source, target]
        said = f"{value:.5f} of {self.names[source]} goes into {self.names[target]}"
        return f"{said}\n{_free(len(self.names))}" if self.sums is not None else said

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
            self._draw_sums(painter)
        self._draw_selection(painter)
        painter.end()

    def _draw_sums(self, painter: QPainter) -> None:
        if self.sums is None:
            return
        painter.setPen(text_color(self))
        middle, n = Qt.AlignmentFlag.AlignCenter, len(self.names)
        wide, high = self._right(), self._bottom()
        last, lowest = self.cell(0, n - 1), self.cell(n - 1, 0)
        painter.drawText(QRectF(last.right() + 2, 0, wide, self._top() - 4), middle, "Σ")
        painter.drawText(QRectF(0, lowest.bottom() + 2, self._left() - 8, high), middle, "Σ")
        for i in range(n):
            cell = self.cell(i, n - 1)
            at = QRectF(cell.right() + 2, cell.y(), wide, cell.height())
            painter.drawText(at, middle, f"{self.sums[0][i]:.3f}")
            cell = self.cell(n - 1, i)
            if cell.width() >= 28:
                at = QRectF(cell.x() - 2, cell.bottom() + 2, cell.width() + 4, high)
                painter.drawText(at, middle, f"{self.sums[1][i]:.{3 if at.width() > 38 else 2}f}")

    def _right(self) -> float:
        return QFontMetricsF(self.font()).horizontalAdvance("1.000") + 8 if self.sums else 0.0

    def _bottom(self) -> float:
        return QFontMetricsF(self.font()).height() + 4 if self.sums else 0.0


def _free(n: int) -> str:
    """Return why the maps of a matrix must not be read one by one."""
    return (
        f"The {n * n} maps are not independent: rows and columns add up to 1, so only "
        f"{(n - 1) ** 2} are free."
    )


def _draw_edges(
    painter: QPainter, cell: QRectF, edges: NDArray[np.int64], shape: tuple[int, int], color: QColor
) -> None:
    """Draw the outline of a class in a map of a shape."""
    painter.setPen(QPen(color, 1))
    down, across = cell.height() / shape[0], cell.width() / shape[1]
    painter.drawLines(
        [
            QLineF(
                cell.x() + c0 * across, cell.y() + r0 * down,
                cell.x() + c1 * across, cell.y() + r1 * down,
            )
            for r0, c0, r1, c1 in edges.tolist()
        ]
    )  # fmt: skip


def to_image(tile: NDArray[np.uint8]) -> QImage:
    data = np.ascontiguousarray(tile)
    rows, cols, _ = data.shape
    # A copy, because the image would otherwise point into an array that may go.
    return QImage(data.tobytes(), cols, rows, 3 * cols, QImage.Format.Format_RGB888).copy()
