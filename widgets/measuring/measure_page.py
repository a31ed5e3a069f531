"""Distances and areas: the tool, the live figure, what was kept."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.jobs import Job, JobHandle, Progress
from backends.measuring.files import write_measurements
from backends.measuring.lengths import Measurement
from backends.palette import key_color
from backends.workspace import Workspace
from widgets.background import listen
from widgets.measuring.board import AREA, DISTANCE, MeasureBoard
from widgets.regions_dock import swatch
from widgets.tables import fit_table, fixed_cell, plain_table
from widgets.theme import GRID, wrapped

_FILES = "GeoJSON (*.geojson);;Table (*.csv)"
_HINT = "Click each corner on the image; a double click ends. Dragging still moves the view."


class MeasurePage(QWidget):
    """Reads as a sentence: what, how much so far, what was kept."""

    def __init__(self, workspace: Workspace, board: MeasureBoard) -> None:
        super().__init__()
        self._workspace, self._board = workspace, board
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        row = QHBoxLayout()
        self.buttons = {
            DISTANCE: QPushButton("Distance"),
            AREA: QPushButton("Area"),
        }
        for tool, button in self.buttons.items():
            button.setCheckable(True)
            button.clicked.connect(partial(self._press, tool))
            row.addWidget(button)
        column.addLayout(row)
        self.hint = wrapped(_HINT)
        self.live = wrapped()
        font = self.live.font()
        font.setPointSizeF(1.3 * font.pointSizeF())
        self.live.setFont(font)
        self.end_button = QPushButton("End here")
        self.end_button.setToolTip("End at the last corner; a double click does the same")
        self.end_button.clicked.connect(lambda: board.finish_asked.emit())
        self.table = plain_table(("Name", "Size"))
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.itemDoubleClicked.connect(self._go)
        self.said = wrapped()
        for part in (self.hint, self.live, self.end_button, self.table, self.said):
            column.addWidget(part)
        below = QHBoxLayout()
        self.copy_button, self.save_button = QPushButton("Copy"), QPushButton("Save…")
        self.delete_button = QPushButton("Delete")
        self.copy_button.setToolTip("Copy the figures, a line each")
        self.save_button.setToolTip("Write them as GeoJSON or as a table (CSV)")
        self.delete_button.setToolTip("Delete what is selected, or all (can be undone)")
        self.copy_button.clicked.connect(lambda: self.copy())
        self.save_button.clicked.connect(lambda: self._ask_save())
        self.delete_button.clicked.connect(lambda: self.delete())
        for button in (self.copy_button, self.save_button, self.delete_button):
            below.addWidget(button)
        column.addLayout(below)
        self.show_box = QCheckBox("Show on the image")
        self.show_box.setChecked(True)
        self.show_box.toggled.connect(board.show)
        column.addWidget(self.show_box)
        listen(self, board.tool_changed, self._on_tool)
        listen(self, board.said, self._on_said)
        listen(self, board.corners_changed, self._on_corners)
        listen(self, board.drawn, self._on_drawn)
        listen(self, workspace.measurements_changed, self._fill)
        listen(self, workspace.active_scene_changed, self._on_scene)
        self._on_tool(board.tool)
        self._fill()

    # -- the tool ------------------------------------------------------------------------

    def _press(self, tool: str, *_: object) -> None:
        self._board.hold("" if self._board.tool == tool else tool)

    def _on_tool(self, tool: str) -> None:
        for name, button in self.buttons.items():
            button.setChecked(name == tool)
        self._on_corners()

    def _on_said(self, text: str) -> None:
        self.live.setText(text)
        self.live.setVisible(bool(text))

    def _on_corners(self) -> None:
        mine = self._board.tool in self.buttons
        self.hint.setVisible(mine or not self._mine())
        self.end_button.setVisible(mine and len(self._board.corners) > 1)
        self._on_said(self._board.live if mine else "")

    def _on_drawn(self, scene_id: str, tool: str, points: object) -> None:
        if tool in self.buttons and (kept := self._mine()):
            text = kept[-1].size.text()
            clipboard = QGuiApplication.clipboard()
            if clipboard is not None:
                clipboard.setText(text)
            note = kept[-1].size.note or f"Copied: {text}. {kept[-1].size.method}"
            self._say(note)

    def _on_scene(self, scene: object) -> None:
        self._say("")
        self._fill()

    # -- what was kept -------------------------------------------------------------------

    def _mine(self) -> list[Measurement]:
        scene, kept = self._workspace.active_scene, self._workspace.measurements.values()
        return [one for one in kept if scene is not None and one.scene_id == scene.id]

    def _chosen(self) -> list[Measurement]:
        """What is selected; all where nothing is."""
        mine = self._mine()
        rows = sorted({index.row() for index in self.table.selectedIndexes()})
        return [mine[row] for row in rows if row < len(mine)] or mine

    def _fill(self, *_: object) -> None:
        mine = self._mine()
        self.table.setRowCount(len(mine))
        for row, one in enumerate(mine):
            name, size = fixed_cell(one.name), fixed_cell(one.size.text())
            name.setIcon(swatch(key_color(one.color)))
            for cell in (name, size):
                cell.setFlags(cell.flags() | Qt.ItemFlag.ItemIsSelectable)
                cell.setToolTip(f"{one.size.text()}\n{one.size.method}")
            self.table.setItem(row, 0, name)
            self.table.setItem(row, 1, size)
        fit_table(self.table)
        for part in (self.copy_button, self.save_button, self.delete_button, self.show_box):
            part.setVisible(bool(mine))
        self._on_corners()

    def _go(self, *_: object) -> None:
        chosen = self._chosen()
        if chosen:
            middle = chosen[0].points.mean(axis=0)
            self._board.look_asked.emit(chosen[0].scene_id, *map(float, middle))

    def copy(self) -> str:
        """Copy the figures of what is selected."""
        text = "\n".join(f"{one.name}\t{one.size.text()}" for one in self._chosen())
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        self._say("Copied.")
        return text

    def delete(self) -> None:
        """Delete what is selected, in one step that can be undone."""
        self._workspace.remove_measurements([one.id for one in self._chosen()])

    def _ask_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Save measurements", "measurements.geojson", _FILES
        )
        if name:
            self.save_file(Path(name))

    def save_file(self, path: Path) -> JobHandle[Path] | None:
        """Write what is selected, or all."""
        scene, chosen = self._workspace.active_scene, self._chosen()
        if scene is None:
            return None
        path = path if path.suffix else path.with_suffix(".geojson")

        def run(progress: Progress) -> Path:
            return write_measurements(scene, chosen, path)

        def show(written: Path) -> None:
            self._say(f"{len(chosen)} written to {written.name}.")

        return self._workspace.submit(Job(f"Write {path.name}", run), on_result=show)

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))
