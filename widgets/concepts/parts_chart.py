"""What adds up to a score: bars one after another, from nought to the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from backends.palette import key_color

FOR, AGAINST = (QColor(key_color(n)) for n in (1, 5))
ROW = 22
_NAME = 0.4


@dataclass(frozen=True)
class Bar:
    """One part of the sum.

    Attributes
    ----------
    concept : int
        Below 0: the others, the constant part.
    """

    concept: int
    name: str
    amount: float
    changed: bool = False


class PartsChart(QWidget):
    """Stacked bars: each begins where the one above ends, the last is their sum."""

    chosen = pyqtSignal(int)
    opened = pyqtSignal(int)

    def __init__(self) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self.selected: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(120)
        self.setToolTip("Each bar begins where the one above it ends; together they are the score")

    @property
    def total(self) -> float:
        """The sum of all bars."""
        return sum(bar.amount for bar in self.bars)

    def show_bars(self, bars: Sequence[Bar], selected: int | None) -> None:
        """Draw another sum."""
        self.bars, self.selected = tuple(bars), selected
        self.setFixedHeight(ROW * (len(self.bars) + 1))
        words = ", ".join(f"{b.name} {b.amount:+.2f}" for b in self.bars)
        self.setAccessibleName(f"{words}; together {self.total:.2f}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, ROW * (len(self.bars) + 1))

    def _bar_at(self, event: QMouseEvent | None) -> Bar | None:
        number = -1 if event is None else int(event.position().y() // ROW)
        return self.bars[number] if 0 <= number < len(self.bars) else None

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        bar = self._bar_at(event)
        if bar is not None and bar.concept >= 0:
            self.chosen.emit(bar.concept)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        bar = self._bar_at(event)
        if bar is not None and bar.concept >= 0:
            self.opened.emit(bar.concept)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        text = self.palette().color(self.foregroundRole())
        metrics = QFontMetricsF(self.font())
        left = _NAME * self.width()
        ends = [0.0]
        for bar in self.bars:
            ends.append(ends[-1] + bar.amount)
        numbers = (f"{value:+.2f}" for value in (*(b.amount for b in self.bars), ends[-1]))
        room = 8 + max(metrics.horizontalAdvance(words.replace("-", "−")) for words in numbers)
        wide = max(20.0, self.width() - left - room)
        low, high = min(ends), max(ends)
        span = (high - low) or 1.0

        def x(value: float) -> float:
            return left + wide * (value - low) / span

        faint = QColor(text)
        faint.setAlpha(70)
        painter.setPen(faint)
        painter.drawLine(QPointF(x(0), 0), QPointF(x(0), self.height()))
        base = ROW - (ROW - metrics.height()) / 2 - metrics.descent()
        for number, bar in enumerate(self.bars):
            top = number * ROW
            if bar.concept >= 0 and bar.concept == self.selected:
                tint = QColor(text)
                tint.setAlpha(40)
                painter.fillRect(QRectF(0, top, self.width(), ROW), tint)
            a, b = x(ends[number]), x(ends[number + 1])
            color = FOR if bar.amount >= 0 else AGAINST
            if bar.concept < 0:
                color = faint
            painter.fillRect(QRectF(min(a, b), top + 4, max(1.0, abs(b - a)), ROW - 8), color)
            painter.setPen(text)
            name = bar.name + (" ✎" if bar.changed else "")
            name = metrics.elidedText(name, Qt.TextElideMode.ElideRight, left - 6)
            painter.drawText(QPointF(2, top + base), name)
            self._number(painter, metrics, f"{bar.amount:+.2f}", top + base)
        top = len(self.bars) * ROW
        painter.drawLine(QPointF(0, top), QPointF(self.width(), top))
        painter.fillRect(
            QRectF(min(x(0), x(ends[-1])), top + 4, max(1.0, abs(x(ends[-1]) - x(0))), ROW - 8),
            QColor(text.red(), text.green(), text.blue(), 190),  # seen on dark and on light
        )
        painter.drawText(QPointF(2, top + base), "Score")
        self._number(painter, metrics, f"{ends[-1]:+.2f}", top + base)
        painter.end()

    def _number(
        self, painter: QPainter, metrics: QFontMetricsF, words: str, baseline: float
    ) -> None:
        words = words.replace("-", "−")
        place = self.width() - 2 - metrics.horizontalAdvance(words)
        painter.drawText(QPointF(place, baseline), words)
