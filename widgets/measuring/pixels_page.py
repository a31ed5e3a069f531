"""The values of a pixel and its neighbours in every band."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PyQt6.QtCore import QAbstractTableModel, QModelIndex, Qt
from PyQt6.QtGui import QFont, QGuiApplication
from PyQt6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from backends.jobs import Job, JobHandle, Progress
from backends.measuring.asking import pixel_command
from backends.measuring.files import write_table
from backends.measuring.places import place_words
from backends.measuring.reading import Neighbourhood, neighbourhood, neighbourhood_rows
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.measuring.board import MeasureBoard
from widgets.pages import narrow_box
from widgets.theme import GRID, wrapped

_SIZES = {"This pixel alone": 0, "3 × 3 pixels": 1, "5 × 5 pixels": 2}
_NO_INDEX = QModelIndex()


class _Values(QAbstractTableModel):
    """A line a band, a column a pixel; nothing is made but for what is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Neighbourhood | None = None
        self._flat = np.empty((0, 0), np.float32)
        self._bold = QFont()
        self._bold.setBold(True)

    def take(self, found: Neighbourhood | None) -> None:
        """Show other values."""
        shape = self._flat.shape
        flat = np.empty((0, 0), np.float32)
        if found is not None:
            flat = found.values.reshape(-1, found.values.shape[2]).T
        if flat.shape != shape:
            self.beginResetModel()
            self.found, self._flat = found, flat
            self.endResetModel()
            return
        self.found, self._flat = found, flat
        if flat.size:
            last = self.index(flat.shape[0] - 1, flat.shape[1] - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, flat.shape[1] - 1)

    def rowCount(self, parent: QModelIndex = _NO_INDEX) -> int:
        return 0 if parent.isValid() else self._flat.shape[0]

    def columnCount(self, parent: QModelIndex = _NO_INDEX) -> int:
        return 0 if parent.isValid() else self._flat.shape[1]

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            value = float(self._flat[index.row(), index.column()])
            return f"{value:.5g}" if np.isfinite(value) else "no data"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole and index.column() == self.middle:
            return self._bold
        return None

    @property
    def middle(self) -> int:
        """The column of the pixel itself."""
        found = self.found
        if found is None:
            return -1
        w = found.window
        return (found.row - w.row) * w.width + found.col - w.col

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        found = self.found
        down = orientation == Qt.Orientation.Vertical
        if found is not None and down and role == Qt.ItemDataRole.ToolTipRole:
            return found.labels[section]
        if found is None or role != Qt.ItemDataRole.DisplayRole:
            return None
        if down:
            return found.labels[section]
        below, right = divmod(section, found.window.width)
        return f"{found.window.row + below}, {found.window.col + right}"


class PixelsPage(QWidget):
    """Follows the mouse; a click on the image holds a pixel."""

    def __init__(self, workspace: Workspace, board: MeasureBoard) -> None:
        super().__init__()
        self._workspace, self._board = workspace, board
        self._here: tuple[str, int, int] | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        row = QHBoxLayout()
        self.size_box = narrow_box("How many pixels around the mouse")
        for words, radius in _SIZES.items():
            self.size_box.addItem(words, radius)
        self.size_box.setCurrentIndex(1)
        self.size_box.currentIndexChanged.connect(lambda *_: self._ask())
        self.follow_box = QCheckBox("Follow the mouse")
        self.follow_box.setToolTip("Off: a click on the image chooses the pixel")
        self.follow_box.setChecked(True)
        row.addWidget(self.size_box, 1)
        row.addWidget(self.follow_box)
        column.addLayout(row)
        self.line = wrapped("Move the mouse over the image; a click holds a pixel.")
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(self.line)
        self.model = _Values()
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setMinimumHeight(280)
        for header in (self.table.horizontalHeader(), self.table.verticalHeader()):
            assert header is not None
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down = self.table.verticalHeader()
        across = self.table.horizontalHeader()
        assert down is not None
        assert across is not None
        down.setDefaultSectionSize(22)
        down.setMaximumWidth(112)  # long names of bands leave room for values
        down.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        across.setDefaultSectionSize(60)
        column.addWidget(self.table)
        below = QHBoxLayout()
        self.copy_button, self.save_button = QPushButton("Copy"), QPushButton("Save…")
        self.copy_button.setToolTip("Copy the table; spreadsheets take it")
        self.save_button.setToolTip("Write the table as CSV")
        self.copy_button.clicked.connect(lambda: self.copy())
        self.save_button.clicked.connect(lambda: self._ask_save())
        below.addWidget(self.copy_button)
        below.addWidget(self.save_button)
        column.addLayout(below)
        listen(self, workspace.cursor_moved, self._on_cursor)
        listen(self, workspace.pixel_selected, self._on_selected)
        listen(self, workspace.active_scene_changed, self._on_scene)
        self._enable()

    def _on_cursor(self, scene_id: str, row: int, col: int) -> None:
        if self.follow_box.isChecked() and not self.visibleRegion().isEmpty():
            self._here = (scene_id, row, col)
            self._ask()

    def _on_selected(self, scene_id: str, row: int, col: int) -> None:
        if not self.visibleRegion().isEmpty():
            self.follow_box.setChecked(False)
            self.show_pixel(scene_id, row, col)

    def _on_scene(self, scene: Scene | None) -> None:
        self._here = None
        self._board.set_mark(None)
        self.model.take(None)
        self._enable()

    def show_pixel(self, scene_id: str, row: int, col: int) -> None:
        """Show a pixel and mark it."""
        self._here = (scene_id, row, col)
        self._board.set_mark((scene_id, float(row), float(col)))
        self._ask()

    def _ask(self) -> None:
        if self._here is None:
            return
        scene_id, row, col = self._here
        scene = self._workspace.scenes.get(scene_id)
        if scene is None:
            return
        radius = int(self.size_box.currentData())

        def run(progress: Progress) -> tuple[Neighbourhood, dict[str, str]]:
            return neighbourhood(scene, row, col, radius), place_words(scene, row, col)

        job = Job("Values around the mouse", run, scene_id=scene.id, topic="pixels", quiet=True)
        self._workspace.submit(job, on_result=self._show)

    def _show(self, answer: tuple[Neighbourhood, dict[str, str]]) -> None:
        found, words = answer
        if self._here is None or (found.row, found.col) != self._here[1:]:
            return
        before = self.model.columnCount()
        self.model.take(found)
        self._fit_heads()
        if self.model.columnCount() != before:  # the pixel itself stands in the middle
            self.table.scrollTo(
                self.model.index(0, self.model.middle), QTableView.ScrollHint.PositionAtCenter
            )
        unit = f" ({found.unit})" if found.unit else ""
        lines = [f"Row {found.row}, column {found.col}{unit}"]
        lines += [words[name] for name in ("map", "lat_lon") if name in words]
        self.line.setText("\n".join(lines))
        self._enable()

    def _fit_heads(self) -> None:
        """Make columns as wide as the places over them, which grow with the scene."""
        header = self.table.horizontalHeader()
        last = self.model.headerData(self.model.columnCount() - 1, Qt.Orientation.Horizontal)
        if header is not None and last:
            wide = max(60, self.fontMetrics().horizontalAdvance(str(last)) + 14)
            if wide != header.defaultSectionSize():
                header.setDefaultSectionSize(wide)

    def _enable(self) -> None:
        for button in (self.copy_button, self.save_button):
            button.setEnabled(self.model.found is not None)

    def copy(self) -> str:
        """Copy the table."""
        if self.model.found is None:
            return ""
        heads, rows = neighbourhood_rows(self.model.found)
        lines = [heads, *([("" if v is None else str(v)) for v in row] for row in rows)]
        text = "\n".join("\t".join(line) for line in lines)
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        return text

    def _ask_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save values", "pixels.csv", "Table (*.csv)")
        if name:
            self.save_file(Path(name))

    def save_file(self, path: Path) -> JobHandle[Path] | None:
        """Write the table as CSV."""
        found = self.model.found
        scene = None if self._here is None else self._workspace.scenes.get(self._here[0])
        if found is None or scene is None:
            return None
        path = path if path.suffix else path.with_suffix(".csv")
        radius = int(self.size_box.currentData())

        def run(progress: Progress) -> Path:
            return write_table(path, *neighbourhood_rows(found))

        job = Job(
            f"Write {path.name}", run,
            command=pixel_command(scene, found.row, found.col, radius, str(path)),
        )  # fmt: skip
        return self._workspace.submit(job)
