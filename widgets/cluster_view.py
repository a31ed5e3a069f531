"""Small drawings of a clustered reader: two weights as a bar, sizes of clusters, their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QToolTip,
    QWidget,
)

from backends.cluster_analysis import ClusterTable
from backends.palette import CATEGORICAL
from widgets.regions_dock import _swatch as swatch
from widgets.theme import text_color

_ROWS = 9


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


class SizeBars(QWidget):
    """One bar a cluster, largest first: a long tail of small clusters shows at once."""

    chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: list[tuple[int, int, str]] = []
        self.selected: int | None = None
        self.setMouseTracking(True)
        self.setFixedHeight(56)
        self.setAccessibleName("Sizes of the clusters")

    def show_sizes(self, sizes: Sequence[int], colors: Mapping[int, str]) -> None:
        """Draw other sizes; the first belongs to cluster 1."""
        bars = [(k, int(n), colors[k]) for k, n in enumerate(sizes, 1)]
        self._bars = sorted(bars, key=lambda bar: -bar[1])
        self.update()

    def bar(self, place: int) -> QRectF:
        """Return where the bar at a place, from 0, is drawn."""
        wide = self.width() / max(1, len(self._bars))
        top = max((n for _, n, _ in self._bars), default=1) or 1
        high = max(1.0, (self.height() - 2) * self._bars[place][1] / top)
        return QRectF(place * wide, self.height() - high, max(1.0, wide - 1), high)

    def at(self, point: QPointF) -> tuple[int, int] | None:
        """Return cluster and size of the bar under a point."""
        place = int(point.x() * len(self._bars) / max(1, self.width()))
        return self._bars[place][:2] if 0 <= place < len(self._bars) else None

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and (found := self.at(event.position())):
            self.chosen.emit(found[0])

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip:
            found = self.at(QPointF(event.pos()))  # type: ignore[attr-defined]
            text = f"Cluster {found[0]}: {found[1]:,} pixels" if found else ""
            QToolTip.showText(event.globalPos(), text)  # type: ignore[attr-defined]
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        for place, (cluster, size, color) in enumerate(self._bars):
            box = self.bar(place)
            if size:
                painter.fillRect(box, QColor(color))
            if cluster == self.selected:
                painter.setPen(QPen(text_color(self), 1))
                painter.drawRect(QRectF(box.x(), 0.5, box.width(), self.height() - 1.5))
        painter.end()


class ClusterClasses(QTableWidget):
    """Clusters with their size, their commonest class and how pure they are."""

    chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 4, parent)
        self.setHorizontalHeaderLabels(["Cluster", "Pixels", "Mostly", "Pure"])
        for column, tip in enumerate(
            (
                "Numbers and colours as in the map of clusters",
                "All pixels of the cluster",
                "The commonest class among its labelled pixels",
                "Part of its labelled pixels that are of that class",
            )
        ):
            item = self.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(tip)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is not None and rows is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(24)
            rows.hide()
        self.cellClicked.connect(self._on_cell)

    def show_table(
        self, table: ClusterTable, names: Mapping[int, str], colors: Mapping[int, str]
    ) -> None:
        """Fill the rows, largest cluster first; empty clusters are left out."""
        order = sorted(range(1, len(table.sizes) + 1), key=lambda k: -int(table.sizes[k - 1]))
        order = [k for k in order if table.sizes[k - 1]]
        known = bool(table.labelled)
        self.setColumnHidden(2, not known)
        self.setColumnHidden(3, not known)
        self.setRowCount(len(order))
        for row, k in enumerate(order):
            best, pure = table.class_of(k), table.purity_of(k)
            name = "no labels" if best is None else names.get(best, f"Class {best}")
            cell = QTableWidgetItem(swatch(colors[k]), str(k))
            cell.setData(Qt.ItemDataRole.UserRole, k)
            texts = (f"{int(table.sizes[k - 1]):,}", name, _percent(pure))
            tip = _composition(table, k, names)
            for column, item in enumerate((cell, *map(QTableWidgetItem, texts))):
                item.setToolTip(tip)
                self.setItem(row, column, item)
        header = self.horizontalHeader()
        height = header.sizeHint().height() if header is not None else 24
        shown = min(_ROWS, len(order))
        self.setFixedHeight(height + sum(self.rowHeight(r) for r in range(shown)) + 4)

    def choose(self, cluster: int | None) -> None:
        """Select the row of a cluster."""
        self.clearSelection()
        for row in range(self.rowCount()):
            if self._cluster(row) == cluster:
                self.selectRow(row)

    def _cluster(self, row: int) -> int:
        item = self.item(row, 0)
        return int(item.data(Qt.ItemDataRole.UserRole)) if item is not None else 0

    def _on_cell(self, row: int, column: int) -> None:
        self.chosen.emit(self._cluster(row))


def _composition(table: ClusterTable, cluster: int, names: Mapping[int, str]) -> str:
    """Return the classes of a cluster, largest first."""
    row = table.counts[cluster - 1]
    total = int(row.sum())
    if not total:
        return f"Cluster {cluster} holds no labelled pixels."
    lines = [f"Cluster {cluster}, {total:,} labelled pixels:"]
    for column in sorted(range(len(row)), key=lambda c: -int(row[c])):
        if row[column]:
            value = table.classes[column]
            name = names.get(value, f"Class {value}")
            lines.append(f"{name}: {int(row[column]):,} ({100 * row[column] / total:.1f} %)")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f}\u00a0%"
