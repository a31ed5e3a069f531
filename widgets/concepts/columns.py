"""Three columns of concepts at a place: coarse, medium, fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QPolygonF,
)
from PyQt6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from backends.concepts.autoencoder import LEVELS
from backends.palette import key_color

ROWS = 5
PICTURE = 30
BAR = QColor(key_color(1))
GAP = 4
NONE_ON = "none here"


@dataclass(frozen=True, eq=False)
class Line:
    """What one cell shows.

    Attributes
    ----------
    name, crumbs, tip : str
    part : float
        Of the usual highest activation, 0 to 1.
    pixmap : QPixmap or None
    curve : array or None
        A mean spectrum, drawn where there is no picture.
    marked : bool
        The name is unverified.
    """

    concept: int
    name: str
    part: float
    crumbs: str = ""
    tip: str = ""
    pixmap: QPixmap | None = None
    curve: NDArray[np.float32] | None = None
    marked: bool = False


class ConceptCell(QWidget):
    """One concept: what it looks like, its name, how strong it is, its parents.

    A click takes it in hand, a double click lays it over the image.
    """

    chosen = pyqtSignal(int)
    opened = pyqtSignal(int)
    hovered = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.line: Line | None = None
        self.selected = False
        self.empty = False  # the first of a column in which nothing is on
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        high = QFontMetricsF(self.font()).height()
        return QSize(90, round(max(PICTURE, 2 * high) + 12))

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height())

    def show_line(self, line: Line | None, selected: bool = False) -> None:
        """Draw another concept, or nothing."""
        self.line, self.selected = line, selected
        self.setToolTip("" if line is None else line.tip)
        self.setAccessibleName("" if line is None else f"{line.name}, {100 * line.part:.0f} %")
        self.update()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if self.line is not None:
            self.chosen.emit(self.line.concept)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        if self.line is not None:
            self.opened.emit(self.line.concept)

    def enterEvent(self, event: object) -> None:
        if self.line is not None:
            self.hovered.emit(self.line.concept)

    def leaveEvent(self, event: object) -> None:
        self.hovered.emit(None)

    def _say_none(self) -> None:
        painter = QPainter(self)
        faint = self.palette().color(self.foregroundRole())
        faint.setAlpha(150)
        painter.setPen(faint)
        painter.drawText(QPointF(3, 3 + QFontMetricsF(self.font()).ascent()), NONE_ON)
        painter.end()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        line = self.line
        if line is None:
            if self.empty:
                self._say_none()
            return
        painter = QPainter(self)
        text = self.palette().color(self.foregroundRole())
        if self.selected or self.underMouse():
            tint = QColor(text)
            tint.setAlpha(46 if self.selected else 22)
            painter.fillRect(self.rect(), tint)
        box = QRectF(3, 3, PICTURE, PICTURE)
        if line.pixmap is not None:
            painter.drawPixmap(box.toRect(), line.pixmap)
        elif line.curve is not None:
            draw_curve(painter, box, line.curve, text)
        metrics = QFontMetricsF(self.font())
        left = box.right() + 5
        width = self.width() - left - 3
        # Before the name: its end may be cut off.
        name = ("? " if line.marked else "") + line.name
        painter.setPen(text)
        lines = [name] if line.crumbs else two_lines(name, metrics, width)
        for number, words in enumerate(lines):
            shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, width)
            painter.drawText(QPointF(left, 3 + metrics.ascent() + number * metrics.height()), shown)
        if line.crumbs:
            faint = QColor(text)
            faint.setAlpha(150)
            painter.setPen(faint)
            small = painter.font()
            small.setPointSizeF(max(6.0, 0.8 * small.pointSizeF()))
            painter.setFont(small)
            short = QFontMetricsF(small)
            shown = short.elidedText(line.crumbs, Qt.TextElideMode.ElideLeft, width)
            painter.drawText(QPointF(left, 3 + metrics.height() + short.ascent()), shown)
        track = QRectF(3, self.height() - 8, self.width() - 6, 4)
        faint = QColor(text)
        faint.setAlpha(40)
        painter.fillRect(track, faint)
        track.setWidth(max(1.0, track.width() * min(1.0, line.part)))
        painter.fillRect(track, BAR)
        painter.end()


def two_lines(words: str, metrics: QFontMetricsF, width: float) -> list[str]:
    """Break words that are too wide where a space lets them; "7 · 763 nm" after its number."""
    if metrics.horizontalAdvance(words) <= width:
        return [words]
    number, dot, rest = words.partition(" · ")
    if dot:
        return [f"{number} ·", rest]
    parts = words.split(" ")
    count = len(parts)
    while count > 1 and metrics.horizontalAdvance(" ".join(parts[:count])) > width:
        count -= 1
    return [" ".join(parts[:count]), " ".join(parts[count:])] if count < len(parts) else [words]


def draw_curve(painter: QPainter, box: QRectF, curve: NDArray[np.float32], color: QColor) -> None:
    """Draw a small spectrum into a box."""
    faint = QColor(color)
    faint.setAlpha(24)
    painter.fillRect(box, faint)
    low, high = float(np.nanmin(curve)), float(np.nanmax(curve))
    span = (high - low) or 1.0
    inner = box.adjusted(2, 3, -2, -3)
    x = inner.left() + inner.width() * np.linspace(0, 1, len(curve))
    y = inner.bottom() - inner.height() * (np.nan_to_num(curve, nan=low) - low) / span
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(BAR)
    painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in zip(x, y, strict=True)]))
    painter.restore()


class ConceptColumns(QWidget):
    """Coarse, medium and fine side by side, five concepts each."""

    chosen = pyqtSignal(int)
    opened = pyqtSignal(int)
    hovered = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GAP)
        tips = (
            "Concepts that stand for most of what is there",
            "Concepts that add to the coarse ones",
            "Concepts that add what is left",
        )
        self.cells: dict[str, list[ConceptCell]] = {}
        for column, (level, tip) in enumerate(zip(LEVELS, tips, strict=True)):
            head = QLabel(level.capitalize())
            head.setToolTip(tip)
            grid.addWidget(head, 0, column)
            grid.setColumnStretch(column, 1)
            self.cells[level] = []
            for row in range(ROWS):
                cell = ConceptCell()
                cell.chosen.connect(self.chosen)
                cell.opened.connect(self.opened)
                cell.hovered.connect(self.hovered)
                grid.addWidget(cell, row + 1, column)
                self.cells[level].append(cell)

    def show_columns(self, columns: dict[str, Sequence[Line]], selected: int | None) -> None:
        """Draw another place."""
        for level, cells in self.cells.items():
            lines = columns.get(level, ())
            for number, cell in enumerate(cells):
                line = lines[number] if number < len(lines) else None
                cell.show_line(line, line is not None and line.concept == selected)
                cell.empty = not lines and number == 0
