"""Small drawings of a clustered reader: two weights as a bar, sizes and memberships as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from backends.palette import CATEGORICAL
from widgets.theme import text_color


class FusionBar(QWidget):
    """Two weights that add up to one, as a bar in two parts with names and numbers."""

    PARTS = ("Spatial", "Spectral")
    COLORS = (CATEGORICAL[0], CATEGORICAL[1])

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.weights: tuple[float, float] = (0.5, 0.5)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "How much the block's answer takes from reading pixels in order (spatial), and how "
            "much from reading along each pixel's own spectrum (spectral). Learned, the same for "
            "all pixels."
        )

    def show_weights(self, weights: tuple[float, float]) -> None:
        """Draw other weights."""
        self.weights = weights
        self.setAccessibleName(", ".join(self.texts()))
        self.update()

    def texts(self) -> tuple[str, str]:
        """Return both parts in words."""
        one, two = (
            f"{name} {100 * w:.0f}\u00a0%" for name, w in zip(self.PARTS, self.weights, strict=True)
        )
        return one, two

    def sizeHint(self) -> QSize:
        return QSize(240, round(QFontMetricsF(self.font()).height()) + 16)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        high = QFontMetricsF(self.font()).height()
        left, right = self.texts()
        painter.setPen(text_color(self))
        line = QRectF(0, 0, self.width(), high)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, left)
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, right)
        cut = self.width() * self.weights[0] / max(1e-9, sum(self.weights))
        painter.fillRect(QRectF(0, high + 3, cut, 10), QColor(self.COLORS[0]))
        painter.fillRect(QRectF(cut, high + 3, self.width() - cut, 10), QColor(self.COLORS[1]))
        painter.end()


class ClusterBars(QWidget):
    """One bar a cluster in its colour; a click chooses the cluster, a rest on it names it."""

    chosen = pyqtSignal(int)

    def __init__(self, height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: list[tuple[int, float, str]] = []
        self.selected: int | None = None
        self.setMouseTracking(True)
        self.setFixedHeight(height)

    @property
    def top(self) -> float:
        """Value of the highest bar."""
        return max((n for _, n, _ in self._bars), default=1) or 1

    def bar(self, place: int) -> QRectF:
        """Return where the bar at a place, from 0, is drawn."""
        wide = self.width() / max(1, len(self._bars))
        high = max(1.0, (self.height() - 2) * self._bars[place][1] / self.top)
        return QRectF(place * wide, self.height() - high, max(1.0, wide - 1), high)

    def at(self, point: QPointF) -> tuple[int, float] | None:
        """Return cluster and value of the bar under a point."""
        place = int(point.x() * len(self._bars) / max(1, self.width()))
        return self._bars[place][:2] if 0 <= place < len(self._bars) else None

    def words(self, cluster: int, value: float) -> str:
        """Return what a bar says."""
        return f"Cluster {cluster}: {value:,.0f} pixels"

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and (found := self.at(event.position())):
            self.chosen.emit(found[0])

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip:
            found = self.at(QPointF(event.pos()))  # type: ignore[attr-defined]
            text = self.words(*found) if found else ""
            QToolTip.showText(event.globalPos(), text)  # type: ignore[attr-defined]
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        faint = text_color(self)
        faint.setAlpha(50)
        for place, (cluster, size, color) in enumerate(self._bars):
            box = self.bar(place)
            # A line below each, so that empty ones have a place; and one around what is pale.
            painter.fillRect(QRectF(box.x(), self.height() - 1, box.width(), 1), faint)
            if size:
                painter.fillRect(box, QColor(color))
                painter.setPen(QPen(faint, 1))
                painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
            if cluster == self.selected:
                painter.setPen(QPen(text_color(self), 1))
                painter.drawRect(QRectF(box.x(), 0.5, box.width(), self.height() - 1.5))
        painter.end()


class SizeBars(ClusterBars):
    """Sizes, largest first: a long tail of small clusters shows at once."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(56, parent)
        self.setAccessibleName("Sizes of the clusters")

    def show_sizes(self, sizes: Sequence[int], colors: Mapping[int, str]) -> None:
        """Draw other sizes; the first belongs to cluster 1."""
        bars = [(k, int(n), colors[k]) for k, n in enumerate(sizes, 1)]
        self._bars = sorted(bars, key=lambda bar: -bar[1])
        self.update()


class MembershipBars(ClusterBars):
    """Memberships of one pixel in every cluster, by number, the highest as high as there is room.

    In the order of the numbers, so that a cluster keeps its place while the mouse moves on.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(88, parent)
        self.setAccessibleName("Membership of the pixel in every cluster")

    def words(self, cluster: int, value: float) -> str:
        return f"Cluster {cluster}: membership {100 * value:.1f}\u00a0%"

    def show_memberships(
        self, values: Sequence[float], colors: Mapping[int, str], own: int | None
    ) -> None:
        """Draw the memberships of another pixel; ``own`` is the cluster it was read in."""
        self._bars = [(k, float(v), colors[k]) for k, v in enumerate(values, 1)]
        self.selected = own
        self.update()
