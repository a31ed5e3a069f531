"""Small tables that only show something."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

MOST_ROWS = 9


def plain_table(names: tuple[str, ...]) -> QTableWidget:
    """Return a table whose first column takes the room that is left."""
    table = QTableWidget(0, len(names))
    table.setHorizontalHeaderLabels(list(names))
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    header, rows = table.horizontalHeader(), table.verticalHeader()
    if header is not None and rows is not None:
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        rows.hide()
    return table


def fit_table(table: QTableWidget) -> None:
    """Make a table as high as its rows, up to nine; more scroll. Without rows it is hidden."""
    header = table.horizontalHeader()
    height = header.sizeHint().height() if header is not None else 24
    rows = min(table.rowCount(), MOST_ROWS)
    table.setFixedHeight(height + sum(table.rowHeight(r) for r in range(rows)) + 4)
    table.setVisible(table.rowCount() > 0)


def fixed_cell(text: str) -> QTableWidgetItem:
    """Return a cell that cannot be edited."""
    cell = QTableWidgetItem(text)
    cell.setFlags(Qt.ItemFlag.ItemIsEnabled)
    return cell
