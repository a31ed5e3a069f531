"""A clear sheet over the canvas: lines, areas and their figures, drawn by Qt.

It lets the mouse through. What lies on it stays as thin, and its words as large, however far
one zooms; the canvas does not draw anew when a line follows the mouse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QWidget

_HALO = QColor(0, 0, 0, 150)
_PLATE = QColor(20, 20, 20, 205)
_INK = QColor("#FFFFFF")


@dataclass(frozen=True)
class Stroke:
    """Something on the sheet, in pixels of the sheet.

    Attributes
    ----------
    places : sequence of (x, y)
    closed : bool
        An area.
    words : str
        Written beside its last place.
    dashed : bool
        Still being drawn.
    cross : bool
        Only a cross at each place.
    """

    places: Sequence[tuple[float, float]]
    color: str = "#F0E442"
    closed: bool = False
    words: str = ""
    dashed: bool = False
    cross: bool = False


class Sheet(QWidget):
    """As large as the widget it lies on.

    Parameters
    ----------
    surface : QWidget
        The canvas.
    strokes : callable
        Returns what to draw, each time it is drawn.
    """

    def __init__(self, surface: QWidget, strokes: Callable[[], list[Stroke]]) -> None:
        super().__init__(surface)
        self._surface, self._strokes = surface, strokes
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Measurements on the image")
        surface.installEventFilter(self)
        self.setGeometry(surface.rect())
        self.hide()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the size of the canvas."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self.setGeometry(self._surface.rect())
        return False

    def renew(self) -> None:
        """Draw anew; without anything to draw it is not there."""
        some = bool(self._strokes())
        if some != self.isVisible():
            self.setVisible(some)
            if some:
                self.raise_()
        if some:
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw every stroke with a dark edge, so that it is seen on any picture."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for stroke in self._strokes():
            self._draw(painter, stroke)
        painter.end()

    def _draw(self, painter: QPainter, stroke: Stroke) -> None:
        points = [QPointF(x, y) for x, y in stroke.places]
        if not points:
            return
        color = QColor(stroke.color)
        dash = Qt.PenStyle.DashLine if stroke.dashed else Qt.PenStyle.SolidLine
        if stroke.closed and len(points) > 2:
            fill = QColor(color)
            fill.setAlpha(40)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawPolygon(QPolygonF(points))
            points_round = [*points, points[0]]
        else:
            points_round = points
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (QPen(_HALO, 4.5), QPen(color, 2.0, dash)):
            painter.setPen(pen)
            for p in points if stroke.cross else ():
                painter.drawLine(p + QPointF(-9, 0), p + QPointF(9, 0))
                painter.drawLine(p + QPointF(0, -9), p + QPointF(0, 9))
            if not stroke.cross:
                painter.drawPolyline(QPolygonF(points_round))
        painter.setPen(QPen(_HALO, 1.0))
        painter.setBrush(color)
        for p in () if stroke.cross or len(points) > 60 else points:
            painter.drawEllipse(p, 3.2, 3.2)
        if stroke.words:
            self._write(painter, points, stroke.words, stroke.closed)

    def _write(self, painter: QPainter, points: list[QPointF], words: str, closed: bool) -> None:
        at = points[-1] + QPointF(10, -8)
        if closed and len(points) > 2:
            at = sum(points, QPointF()) / len(points)
        box = QFontMetricsF(painter.font()).boundingRect(words).adjusted(-5, -3, 5, 3)
        left = at.x() - box.width() / 2 if closed and len(points) > 2 else at.x()
        plate = QRectF(left, at.y() - box.height(), box.width(), box.height())
        plate.moveLeft(min(max(plate.left(), 2.0), max(2.0, self.width() - plate.width() - 2)))
        plate.moveTop(min(max(plate.top(), 2.0), max(2.0, self.height() - plate.height() - 2)))
        if not (-200 < at.x() < self.width() + 200 and -200 < at.y() < self.height() + 200):
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_PLATE)
        painter.drawRoundedRect(plate, 3, 3)
        painter.setPen(_INK)
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, words)
