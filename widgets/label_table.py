"""The labels of a scene: where they come from, and how many pixels each class has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QTableWidgetItem, QVBoxLayout, QWidget

from backends.io.labels import Labels
from backends.jobs import Job, Progress
from backends.label_regions import labels_from_regions
from backends.palette import class_colors
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.regions_dock import swatch
from widgets.tables import fit_table, fixed_cell, plain_table
from widgets.theme import GRID, wrapped


class LabelTable(QWidget):
    """Paint, take regions or open a file; then a row a class that can be renamed."""

    def __init__(self, workspace: Workspace, do: Callable[[str], object] | None = None) -> None:
        super().__init__()
        self._workspace, self._do = workspace, do
        self._scene: Scene | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.line = wrapped()
        column.addWidget(self.line)
        row = QHBoxLayout()
        self.paint_button = QPushButton("Paint")
        self.paint_button.setToolTip("Paint training pixels (B); 1 to 9 choose the class")
        self.regions_button = QPushButton("Use regions")
        self.file_button = QPushButton("Open file…")
        self.file_button.setToolTip("Open a label file")
        for button, action in (
            (self.paint_button, "edit.brush"),
            (self.file_button, "file.labels"),
        ):
            button.setVisible(do is not None)
            button.clicked.connect(partial(self._ask, action))
        self.regions_button.clicked.connect(self.use_regions)
        for button in (self.paint_button, self.regions_button, self.file_button):
            row.addWidget(button)
        column.addLayout(row)
        self.table = plain_table(("Class", "Labelled pixels"))
        self.table.itemChanged.connect(self._on_renamed)
        column.addWidget(self.table)
        listen(self, workspace.regions_changed, self._on_regions)

    def fill(self, scene: Scene) -> None:
        """Show the labels of a scene."""
        self._scene = scene
        sheet = self._workspace.labels.get(scene.id)
        counts: dict[int, int] = {}
        if sheet is not None:
            import numpy as np

            counts = dict(enumerate(np.bincount(sheet.values.ravel(), minlength=256).tolist()))
        names = dict(sheet.class_names) if sheet is not None else {}
        self.table.blockSignals(True)
        self.table.setRowCount(len(names))
        colors = class_colors(names)
        for row, (value, name) in enumerate(names.items()):
            cell = QTableWidgetItem(swatch(colors[value]), name)
            cell.setData(Qt.ItemDataRole.UserRole, value)
            self.table.setItem(row, 0, cell)
            self.table.setItem(row, 1, fixed_cell(f"{counts.get(value, 0):,}"))
        self.table.blockSignals(False)
        fit_table(self.table)
        total = sum(n for v, n in counts.items() if v > 0)
        if total:
            source = f" from {Path(sheet.source).name}" if sheet and sheet.source else ""
            self.line.setText(f"{total:,} labelled pixels{source}.")
        else:
            self.line.setText(
                "No labels yet: paint some pixels of each class, draw regions (R), or open a "
                "label file."
            )
        self._on_regions()

    def use_regions(self) -> None:
        """Label the pixels of the regions of this scene, each name a class (undoable)."""
        scene = self._scene
        if scene is None:
            return
        regions = [r for r in self._workspace.regions.values() if r.scene_id == scene.id]
        sheet = self._workspace.labels.get(scene.id)
        values = None if sheet is None else sheet.values.copy()
        names = None if sheet is None else dict(sheet.class_names)

        def run(progress: Progress) -> Labels:
            return labels_from_regions(regions, scene.shape[:2], values, names, progress)

        def take(labels: Labels) -> None:
            self._workspace.set_labels(scene.id, labels.values, labels.class_names)

        job = Job("Label the regions", run, scene_id=scene.id, topic="label regions")
        self._workspace.submit(job, on_result=take)

    def _on_regions(self, *_: object) -> None:
        scene = self._scene
        names = [
            r.name for r in self._workspace.regions.values() if scene and r.scene_id == scene.id
        ]
        self.regions_button.setEnabled(bool(names))
        kinds = len(set(names))
        self.regions_button.setToolTip(
            f"Label the pixels of {len(names)} regions; each of {kinds} names is a class"
            if names
            else "Draw regions (R) and name them; regions of one name are one class"
        )

    def _on_renamed(self, cell: QTableWidgetItem) -> None:
        scene = self._scene
        sheet = self._workspace.labels.get(scene.id) if scene else None
        name = cell.text().strip()
        if scene is not None and sheet is not None and cell.column() == 0 and name:
            value = int(cell.data(Qt.ItemDataRole.UserRole))
            names = dict(sheet.class_names) | {value: name}
            self._workspace.set_labels(scene.id, sheet.values, names, sheet.source)

    def _ask(self, action_id: str, *_: object) -> None:
        if self._do is not None:
            self._do(action_id)
