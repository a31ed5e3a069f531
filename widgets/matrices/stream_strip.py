"""Small maps of what feeds a site, or of who receives its answer."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QFontMetricsF, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from backends.matrix_maps import StreamPicture
from widgets.matrix_view import to_image
from widgets.theme import text_color


class StreamStrip(QWidget):
    """One small map a stream with its range below; up to six in a row."""

    COLUMNS = 6

    chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names: Sequence[str] = ()
        self.picture: StreamPicture | None = None
        self.selected: int | None = None
        self._about = ""
        self._images: list[QImage] = []
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def sizeHint(self) -> QSize:
        return QSize(304, self.heightForWidth(304))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 96)

    def show_picture(
        self, names: Sequence[str], picture: StreamPicture | None, about: str = ""
    ) -> None:
        """Draw other weights; ``about`` says what they are."""
        self.names = names if picture is not None else ()
        self.picture, self._about = picture, about
        self._images = [] if picture is None else [to_image(tile) for tile in picture.tiles]
        self.updateGeometry()
        self.update()

    def heightForWidth(self, width: int) -> int:
        if not self.names:
            return 96
        rows = -(-len(self.names) // self._columns())
        return int(rows * (self._side(width) + self._line() * 3 + 8))

    def place(self, stream: int) -> QRectF:
        """Return where the map of a stream is drawn."""
        side = self._side(self.width())
        row, col = divmod(stream, self._columns())
        high = side + self._line() * 3 + 8
        return QRectF(col * (side + 6), row * high + self._line() + 2, side, side)

    def at(self, point: QPointF) -> int | None:
        """Return the stream under a point."""
        places = range(len(self.names))
        return next((stream for stream in places if self.place(stream).contains(point)), None)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and (found := self.at(event.position())) is not None:
            self.chosen.emit(found)

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip:
            found = self.at(QPointF(event.pos()))  # type: ignore[attr-defined]
            words = "" if found is None else self.tip(found)
            QToolTip.showText(event.globalPos(), words)  # type: ignore[attr-defined]
            return True
        return super().event(event)

    def tip(self, stream: int) -> str:
        """Return name and range of a stream."""
        if self.picture is None:
            return ""
        p = self.picture
        return (
            f"{self.names[stream]}: {self._about}\n"
            f"over the scene {p.low[stream]:.4f} to {p.high[stream]:.4f}, "
            f"without looking at the pixel {p.static[stream]:.4f}\n"
            f"colours from {p.shown[0][stream]:.4f} to {p.shown[1][stream]:.4f}\n"
            "Click to lay it over the image."
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if self.picture is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        metrics, line = QFontMetricsF(painter.font()), self._line()
        middle = Qt.AlignmentFlag.AlignCenter
        for stream, image in enumerate(self._images):
            cell = self.place(stream)
            painter.drawImage(cell, image)
            painter.setPen(text_color(self))
            wide = cell.width() + 4
            name = metrics.elidedText(self.names[stream], Qt.TextElideMode.ElideRight, wide)
            painter.drawText(QRectF(cell.x() - 2, cell.y() - line - 2, wide, line), middle, name)
            for number, value in enumerate((self.picture.low[stream], self.picture.high[stream])):
                at = QRectF(cell.x() - 2, cell.bottom() + 2 + number * line, wide, line)
                painter.drawText(at, middle, f"{value:.3f}")
            if stream == self.selected:
                painter.setPen(QPen(self.palette().highlight().color(), 2))
                painter.drawRect(cell.adjusted(-1, -1, 1, 1))
        painter.end()

    def _columns(self) -> int:
        return min(self.COLUMNS, max(1, len(self.names)))

    def _side(self, width: float) -> float:
        columns = self._columns()
        return max(24.0, min(110.0, (width - 6 * (columns - 1)) / columns))

    def _line(self) -> float:
        return QFontMetricsF(self.font()).height()
