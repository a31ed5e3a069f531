"""A drawing of the matrices dock: arrows between groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from widgets.theme import text_color

MORE, LESS = QColor("#d6604d"), QColor("#4393c3")


class Arrows(QWidget):
    """Groups on a ring; an arrow from source to target, as wide as the deviation is large."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names: Sequence[str] = ()
        self.values: NDArray[Any] | None = None
        self.setFixedHeight(200)

    def sizeHint(self) -> QSize:
        return QSize(240, 200)

    def show_matrix(self, names: Sequence[str], values: NDArray[Any]) -> None:
        """Draw other deviations; row = source."""
        self.names, self.values = names, values
        self.setToolTip(
            "\n".join(
                f"{names[i]} to {names[j]}: {values[i, j]:+.5f}"
                for i in range(len(names))
                for j in range(len(names))
                if i != j and len(names) <= 6
            )
        )
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if self.values is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        n = len(self.names)
        middle = QPointF(self.width() / 2, self.height() / 2)
        wide, high = self.width() / 2 - 40, self.height() / 2 - 18
        turn = [2 * math.pi * i / n - math.pi / 2 for i in range(n)]
        at = [middle + QPointF(wide * math.cos(a), high * math.sin(a)) for a in turn]
        off = self.values - np.diag(np.diag(self.values))
        reach = float(np.abs(off).max()) or 1.0
        for source, target in np.ndindex(n, n):
            part = abs(float(off[source, target])) / reach
            if source != target and part > 0.08:
                color = QColor(MORE if off[source, target] > 0 else LESS)
                color.setAlpha(int(90 + 160 * part))
                self._arrow(painter, at[source], at[target], 0.6 + 4 * part, color)
        painter.setPen(text_color(self))
        for place, name in zip(at, self.names, strict=True):
            words = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, 70)
            size = painter.fontMetrics().horizontalAdvance(words) + 10
            box = QRectF(place.x() - size / 2, place.y() - 11, size, 22)
            painter.fillRect(box, self.palette().color(self.backgroundRole()))
            painter.drawRoundedRect(box, 4, 4)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        painter.end()

    def _arrow(
        self, painter: QPainter, start: QPointF, end: QPointF, width: float, color: QColor
    ) -> None:
        along = end - start
        length = math.hypot(along.x(), along.y()) or 1.0
        unit = QPointF(along.x() / length, along.y() / length)
        side = QPointF(-unit.y(), unit.x())  # both directions stay apart
        start, end = start + unit * 24 + side * 6, end - unit * 24 + side * 6
        painter.setPen(QPen(color, width, cap=Qt.PenCapStyle.FlatCap))
        painter.drawLine(start, end)
        head = QPainterPath(end + unit * 6)
        head.lineTo(end + side * (3 + width / 2))
        head.lineTo(end - side * (3 + width / 2))
        head.closeSubpath()
        painter.fillPath(head, color)
