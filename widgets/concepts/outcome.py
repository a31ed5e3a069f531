"""The probability of each class, before and after concepts were changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from backends.palette import key_color

MOST = 6
ROW = 22
_BAR = QColor(key_color(0))
_NAME = 0.36
_SMALLEST = 0.001


class Outcome(QWidget):
    """A row a class: its name, a bar, what it was and what it becomes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, float, float | None]] = []
        self._bold = -1
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(120)
        self.setToolTip("Probability of each class; the thin bar is before anything was changed")

    def show_classes(
        self,
        classes: Sequence[str],
        before: NDArray[Any],
        after: NDArray[Any] | None,
        target: int,
    ) -> None:
        """Draw the likeliest classes, before or after, and the one that is explained."""
        last = before if after is None else after
        size = np.maximum(before, last)
        order = [int(n) for n in np.argsort(-size, kind="stable")]
        # As many rows whatever is changed: what lies below stays where it is.
        shown = order[:MOST]
        if target not in shown:
            shown[-1] = target
        shown.sort(key=lambda n: -before[n])  # so that rows stay where they are
        self.rows = [
            (classes[n], float(before[n]), None if after is None else float(after[n]))
            for n in shown
        ]
        self._bold = shown.index(int(last.argmax())) if int(last.argmax()) in shown else -1
        self.setFixedHeight(ROW * len(self.rows))
        self.setAccessibleName(", ".join(f"{row[0]} {self.words(row)}" for row in self.rows))
        self.update()

    @staticmethod
    def words(row: tuple[str, float, float | None]) -> str:
        """Return the numbers of a row."""
        _, before, after = row
        if after is None:
            return f"{_short(before)}\u00a0%"
        return f"{_short(before)} → {_short(after)}\u00a0%"

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        text = self.palette().color(self.foregroundRole())
        faint = QColor(text)
        faint.setAlpha(110)
        plain = QFontMetricsF(self.font())
        wide = max((plain.horizontalAdvance(self.words(row)) for row in self.rows), default=0.0)
        left = _NAME * self.width()
        span = max(10.0, self.width() - left - 1.15 * wide - 8)
        for number, (name, before, after) in enumerate(self.rows):
            top = number * ROW
            font = self.font()
            font.setBold(number == self._bold)
            painter.setFont(font)
            metrics = QFontMetricsF(font)
            base = top + (ROW + metrics.ascent() - metrics.descent()) / 2
            painter.setPen(text)
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, left - 6)
            painter.drawText(QPointF(2, base), shown)
            now = before if after is None else after
            painter.fillRect(QRectF(left, top + 5, max(1.0, span * now), ROW - 13), _BAR)
            if after is not None:
                painter.fillRect(QRectF(left, top + ROW - 6, max(1.0, span * before), 2), faint)
            words = self.words(self.rows[number])
            painter.drawText(
                QPointF(self.width() - 2 - metrics.horizontalAdvance(words), base), words
            )
        painter.end()


def _short(value: float) -> str:
    """Return a probability in %, its sign left out: two of them stand in a narrow row."""
    return f"{100 * value:.1f}" if value >= _SMALLEST or not value else "<0.1"
