"""One small set of icons, drawn in the colour of the text around them."""

from __future__ import annotations

from functools import cache

from PyQt6.QtCore import QByteArray, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPixmap
from PyQt6.QtSvg import QSvgRenderer
from PyQt6.QtWidgets import QToolButton, QWidget

_STROKE = 'fill="none" stroke="{c}" stroke-width="1.5" stroke-linecap="round"'
_BODIES = {
    "eye": f'<path d="M1.5 8 Q8 1.5 14.5 8 Q8 14.5 1.5 8 Z" {_STROKE}/>'
    '<circle cx="8" cy="8" r="2.2" fill="{c}"/>',
    "eye-off": f'<path d="M1.5 8 Q8 14 14.5 8" {_STROKE}/>'
    f'<path d="M3.6 10.4 L2.6 12 M8 11.2 V13 M12.4 10.4 L13.4 12" {_STROKE}/>',
    "close": f'<path d="M4 4 L12 12 M12 4 L4 12" {_STROKE}/>',
    "pause": f'<path d="M5.5 3.5 V12.5 M10.5 3.5 V12.5" {_STROKE}/>',
    "go": '<path d="M4.5 3 L13 8 L4.5 13 Z" fill="{c}"/>',
    "swipe": f'<path d="M8 1.5 V14.5" {_STROKE}/><path d="M6 5 L3 8 L6 11 Z" fill="{{c}}"/>'
    '<path d="M10 5 L13 8 L10 11 Z" fill="{c}"/>',
    "blink": f'<rect x="1.5" y="4" width="8" height="8" {_STROKE}/>'
    '<rect x="6.5" y="6" width="8" height="8" fill="{c}" fill-opacity="0.55"/>',
    "add": f'<path d="M8 3 V13 M3 8 H13" {_STROKE}/>',
    "info": f'<circle cx="8" cy="8" r="6.2" {_STROKE}/>'
    f'<path d="M8 7.2 V11.2" {_STROKE}/><circle cx="8" cy="4.8" r="1" fill="{{c}}"/>',
    "warning": f'<path d="M8 2 L14.5 13.5 H1.5 Z" {_STROKE}/>'
    f'<path d="M8 6.2 V9.6" {_STROKE}/><circle cx="8" cy="11.6" r="0.9" fill="{{c}}"/>',
    "open": f'<path d="M1.8 12.8 V3.4 H6 L7.6 5.2 H14.2 V12.8 Z" {_STROKE}/>',
    "download": f'<path d="M8 2 V10 M4.6 6.8 L8 10.2 L11.4 6.8 M2.4 13.4 H13.6" {_STROKE}/>',
    "scene": f'<rect x="1.8" y="2.8" width="12.4" height="10.4" {_STROKE}/>'
    f'<path d="M3 11 L6.4 7.2 L8.8 9.6 L11 6.8 L13.4 10.6" {_STROKE}/>',
}


@cache
def _renderer(name: str, color: str) -> QSvgRenderer:
    body = _BODIES[name].replace("{c}", color)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{body}</svg>'
    return QSvgRenderer(QByteArray(svg.encode()))


def paint(painter: QPainter, name: str, rect: QRectF, color: QColor) -> None:
    """Draw an icon."""
    _renderer(name, color.name()).render(painter, rect)


def icon(name: str, color: QColor, size: int = 16) -> QIcon:
    """Return an icon in one colour, sharp on fine screens."""
    pixmap = QPixmap(QSize(2 * size, 2 * size))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint(painter, name, QRectF(0, 0, 2 * size, 2 * size), color)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return QIcon(pixmap)


class IconButton(QToolButton):
    """A flat button that shows an icon in the colour of its text.

    Parameters
    ----------
    name : str
        Of the icon.
    tip : str
        What a press does; also its name for screen readers.
    other : str, optional
        Icon while the button is not checked; makes it checkable.
    """

    def __init__(
        self, name: str, tip: str, parent: QWidget | None = None, *, other: str = ""
    ) -> None:
        super().__init__(parent)
        self._on, self._off = name, other or name
        self.setCheckable(bool(other))
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setFixedSize(24, 24)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the icon, and a frame while it has the keyboard."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = self.palette().color(self.foregroundRole())
        if self.underMouse() and self.isEnabled():
            tint = QColor(color)
            tint.setAlpha(40)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tint)
            painter.drawRoundedRect(QRectF(self.rect()), 3, 3)
        if self.hasFocus():
            painter.setPen(color)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 3, 3)
        shown = self._on if self.isChecked() or not self.isCheckable() else self._off
        if not self.isEnabled():
            painter.setOpacity(0.35)
        side = 16
        rect = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        paint(painter, shown, rect, color)
        painter.end()
