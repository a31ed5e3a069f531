"""Pins and regions in one table: colour, name, place or area; every edit can be undone."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backends.palette import key_color
from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Pin, Workspace
from widgets.background import listen
from widgets.theme import GRID, EmptyState


class RegionsDock(QWidget):
    """What the user drew on the active scene."""

    ID = "regions"
    TITLE = "Regions"

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._filling = False
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID)
        self.empty = EmptyState(
            "No pins or regions. Press R and draw on the image, or S to pin a spectrum."
        )
        column.addWidget(self.empty)
        self.table = QTableWidget(0, 2)
        self.table.setHorizontalHeaderLabels(["Name", "Where or how large"])
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.table.horizontalHeader()
        rows = self.table.verticalHeader()
        if header is not None and rows is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            rows.hide()
        self.table.itemChanged.connect(self._on_renamed)
        self.table.itemDoubleClicked.connect(self._on_double_click)
        column.addWidget(self.table, 1)
        buttons = QHBoxLayout()
        self.delete_button = QPushButton("Delete")
        self.delete_button.setToolTip("Delete what is selected (can be undone)")
        self.delete_button.clicked.connect(self.delete_selected)
        buttons.addStretch(1)
        buttons.addWidget(self.delete_button)
        column.addLayout(buttons)
        for signal in (
            workspace.pins_changed,
            workspace.regions_changed,
            workspace.active_scene_changed,
        ):
            listen(self, signal, self._fill)
        self._fill()

    def delete_selected(self) -> None:
        """Delete the selected pins and regions in one step."""
        chosen = {index.row() for index in self.table.selectedIndexes()}
        ids = [self._id(row) for row in sorted(chosen)]
        with self._workspace.commands.bundle(f"Delete {len(ids)} pins or regions"):
            for item_id in ids:
                if item_id in self._workspace.pins:
                    self._workspace.remove_pin(item_id)
                elif item_id in self._workspace.regions:
                    self._workspace.remove_region(item_id)

    def _fill(self, *_: object) -> None:
        scene = self._workspace.active_scene
        items: list[Pin | Region] = []
        if scene is not None:
            both = (*self._workspace.pins.values(), *self._workspace.regions.values())
            items = [item for item in both if item.scene_id == scene.id]
        self._filling = True
        self.table.setRowCount(len(items))
        for row, item in enumerate(items):
            assert scene is not None
            name = QTableWidgetItem(_swatch(key_color(item.color)), item.name)
            name.setData(Qt.ItemDataRole.UserRole, item.id)
            self.table.setItem(row, 0, name)
            place = QTableWidgetItem(_place(item, scene))
            place.setFlags(place.flags() & ~Qt.ItemFlag.ItemIsEditable)
            self.table.setItem(row, 1, place)
        self._filling = False
        self.empty.setVisible(not items)
        self.table.setVisible(bool(items))
        self.delete_button.setVisible(bool(items))

    def _on_renamed(self, cell: QTableWidgetItem) -> None:
        if self._filling or cell.column() != 0:
            return
        item_id, name = self._id(cell.row()), cell.text().strip()
        if not name:
            self._fill()
        elif item_id in self._workspace.regions:
            self._workspace.change_region(item_id, name=name)
        elif item_id in self._workspace.pins:
            self._workspace.change_pin(item_id, name=name)

    def _on_double_click(self, cell: QTableWidgetItem) -> None:
        pin = self._workspace.pins.get(self._id(cell.row()))
        if pin is not None and cell.column() == 1:
            self._workspace.commands.shown.emit((pin.scene_id, pin.row, pin.col))

    def _id(self, row: int) -> str:
        cell = self.table.item(row, 0)
        return "" if cell is None else str(cell.data(Qt.ItemDataRole.UserRole))


def _place(item: Pin | Region, scene: Scene) -> str:
    if isinstance(item, Pin):
        return f"row {item.row}, col {item.col}"
    r, c = item.vertices[:, 0], item.vertices[:, 1]
    # The outline's own area (shoelace), so that a large region costs nothing here.
    pixels = abs(float((r * np.roll(c, -1) - c * np.roll(r, -1)).sum())) / 2
    text = f"{pixels:,.0f} px"
    one = scene.pixel_area_m2()
    if one is not None and scene.info.pixel_unit not in ("mm", "µm"):
        area = pixels * one
        text += f", {area / 1e4:.2f} ha" if area >= 1000 else f", {area:.1f} m²"
    return text


def _swatch(color: str) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(color))
    # A line around it: the palest colour is nearly that of the light theme.
    painter = QPainter(pixmap)
    painter.setPen(QColor(128, 128, 128, 130))
    painter.drawRect(0, 0, 11, 11)
    painter.end()
    return QIcon(pixmap)
