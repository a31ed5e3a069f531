"""Pins and regions in one table: colour, name, class, place or area; every edit can be undone.

Regions come from and go to GeoJSON as QuPath writes it, with their class.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backends.io.annotations import Annotations, read_annotations, write_annotations
from backends.jobs import Job, JobHandle, Progress
from backends.palette import key_color
from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Pin, Workspace
from widgets.background import listen
from widgets.theme import GRID, EmptyState, wrapped

_NAME, _CLASS, _PLACE = range(3)
_FILES = "Annotations (*.geojson *.json *.geojson.gz)"


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
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(["Name", "Class", "Where or size"])
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.table.horizontalHeader()
        rows = self.table.verticalHeader()
        if header is not None and rows is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            rows.hide()
        self.table.itemChanged.connect(self._on_renamed)
        self.table.itemDoubleClicked.connect(self._on_double_click)
        column.addWidget(self.table, 1)
        self.line = wrapped()
        self.line.hide()
        column.addWidget(self.line)
        buttons = QHBoxLayout()
        self.open_button, self.save_button = QPushButton("Open…"), QPushButton("Save…")
        self.open_button.setToolTip("Areas with their class from GeoJSON, as QuPath writes it")
        self.save_button.setToolTip("All areas of this image as GeoJSON that QuPath reads")
        self.open_button.clicked.connect(self._ask_open)
        self.save_button.clicked.connect(self._ask_save)
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.save_button)
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
        listen(self, workspace.active_scene_changed, lambda scene: self._say(""))
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

    # -- files ---------------------------------------------------------------------------

    def _ask_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open annotations", "", _FILES)
        if name:
            self.open_file(Path(name))

    def open_file(self, path: Path) -> JobHandle[Annotations] | None:
        """Add the areas of a file to the active scene, in one step that can be undone."""
        scene = self._workspace.active_scene
        if scene is None:
            return None

        def run(progress: Progress) -> Annotations:
            return read_annotations(path, scene.id, scene.shape[:2], progress=progress)

        def show(found: Annotations) -> None:
            with self._workspace.commands.bundle(f"Open {path.name}"):
                for region in found.regions:
                    self._workspace.add_region(region)
            self._say(found.sentence(path.name))

        return self._workspace.submit(
            Job(f"Open {path.name}", run, scene_id=scene.id, topic="annotations"), on_result=show
        )

    def _ask_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save areas", "areas.geojson", _FILES)
        if name:
            self.save_file(Path(name))

    def save_file(self, path: Path) -> JobHandle[Path]:
        """Write the areas of the active scene."""
        path = path if path.suffix else path.with_suffix(".geojson")
        regions = self._regions()

        def run(progress: Progress) -> Path:
            return write_annotations(regions, path, progress=progress)

        def show(written: Path) -> None:
            self._say(f"{len(regions):,} areas written to {written.name}.")

        return self._workspace.submit(Job(f"Write {path.name}", run), on_result=show)

    def _regions(self) -> list[Region]:
        scene, every = self._workspace.active_scene, self._workspace.regions.values()
        return [r for r in every if scene is not None and r.scene_id == scene.id]

    def _say(self, text: str) -> None:
        self.line.setText(text)
        self.line.setVisible(bool(text))

    # -- the table -----------------------------------------------------------------------

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
            # As on the image and among the spectra: of its class, where an area has one.
            color = item.shown_color if isinstance(item, Region) else key_color(item.color)
            name = QTableWidgetItem(swatch(color), item.name)
            name.setData(Qt.ItemDataRole.UserRole, item.id)
            self.table.setItem(row, _NAME, name)
            kind = QTableWidgetItem(item.class_name if isinstance(item, Region) else "")
            place = QTableWidgetItem(_place(item, scene))
            fixed = (place,) if isinstance(item, Region) else (kind, place)
            for cell in fixed:
                cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
            self.table.setItem(row, _CLASS, kind)
            self.table.setItem(row, _PLACE, place)
        self._filling = False
        self.empty.setVisible(not items)
        self.table.setVisible(bool(items))
        self.delete_button.setVisible(bool(items))
        self.save_button.setVisible(any(isinstance(item, Region) for item in items))
        self.open_button.setEnabled(scene is not None)

    def _on_renamed(self, cell: QTableWidgetItem) -> None:
        if self._filling or cell.column() == _PLACE:
            return
        item_id, name = self._id(cell.row()), cell.text().strip()
        if cell.column() == _CLASS:
            if item_id in self._workspace.regions:
                self._workspace.change_region(item_id, class_name=name, class_color="")
        elif not name:
            self._fill()
        elif item_id in self._workspace.regions:
            self._workspace.change_region(item_id, name=name)
        elif item_id in self._workspace.pins:
            self._workspace.change_pin(item_id, name=name)

    def _on_double_click(self, cell: QTableWidgetItem) -> None:
        pin = self._workspace.pins.get(self._id(cell.row()))
        if pin is not None and cell.column() == _PLACE:
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


def swatch(color: str) -> QIcon:
    """Return a small square of a colour for a table."""
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(color))
    # A line around it: the palest colour is nearly that of the light theme.
    painter = QPainter(pixmap)
    painter.setPen(QColor(128, 128, 128, 130))
    painter.drawRect(0, 0, 11, 11)
    painter.end()
    return QIcon(pixmap)
