"""Clusters with their classes, and the matches of two runs, as tables that fit a narrow dock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from backends.cluster_analysis import ClusterTable
from widgets.regions_dock import swatch

_ROWS = 9


class ClusterRows(QTableWidget):
    """A table with a cluster a row; a click on one chooses its cluster.

    Parameters
    ----------
    columns : mapping of str to str
        Titles, and what they mean.
    wide : int
        The column that takes what room is left.
    """

    chosen = pyqtSignal(int)

    def __init__(self, columns: Mapping[str, str], wide: int, parent: QWidget | None) -> None:
        super().__init__(0, len(columns), parent)
        self.setHorizontalHeaderLabels(list(columns))
        for column, tip in enumerate(columns.values()):
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
            header.setSectionResizeMode(wide, QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(24)
            rows.hide()
        self.cellClicked.connect(self._on_cell)

    def fill(self, row: int, cluster: int, color: str, texts: Sequence[str], tip: str) -> None:
        """Write a row that belongs to a cluster."""
        cell = QTableWidgetItem(swatch(color), str(cluster))
        cell.setData(Qt.ItemDataRole.UserRole, cluster)
        for column, item in enumerate((cell, *map(QTableWidgetItem, texts))):
            item.setToolTip(tip)
            self.setItem(row, column, item)

    def fit(self) -> None:
        """Be as high as the rows, up to nine; more scroll."""
        header = self.horizontalHeader()
        height = header.sizeHint().height() if header is not None else 24
        shown = min(_ROWS, self.rowCount())
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


class ClusterClasses(ClusterRows):
    """Clusters with their size, their commonest class and how pure they are."""

    COLUMNS: Mapping[str, str] = {
        "Cluster": "Numbers and colours as in the map of clusters",
        "Pixels": "All pixels of the cluster",
        "Mostly": "The commonest class among its labelled pixels",
        "Pure": "Part of its labelled pixels that are of that class",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.COLUMNS, 2, parent)

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
            texts = (f"{int(table.sizes[k - 1]):,}", name, _percent(pure))
            self.fill(row, k, colors[k], texts, _composition(table, k, names))
        self.fit()


class MatchedClusters(ClusterRows):
    """Clusters of this run beside those of another that hold most of the same pixels."""

    COLUMNS: Mapping[str, str] = {
        "Cluster": "Numbers and colours of this run",
        "Other run": "The cluster of the other run that it is matched to",
        "Pixels": "Pixels that both hold",
        "Overlap": "Pixels that both hold, of those that either holds",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.COLUMNS, 1, parent)

    def show_pairs(
        self, pairs: Sequence[tuple[int, int, int, float]], colors: Mapping[int, str]
    ) -> None:
        """Fill the rows."""
        self.setRowCount(len(pairs))
        for row, (one, two, both, part) in enumerate(pairs):
            texts = (str(two), f"{both:,}", _percent(part))
            tip = f"Cluster {one} here and cluster {two} there share {both:,} pixels."
            self.fill(row, one, colors[one], texts, tip)
        self.fit()


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
