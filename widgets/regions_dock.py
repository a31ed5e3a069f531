"""Pins and regions in one table: colour, name, class, place or size; every edit can be undone.

Regions are drawn, found by wand and threshold, or come from files of maps and of QuPath; what the
selected one holds stands below.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHeaderView,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backends.areas import area_words
from backends.jobs import JobHandle
from backends.palette import CATEGORICAL, key_color
from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Pin, Workspace
from widgets.background import listen
from widgets.regions import region_jobs
from widgets.regions.figures_panel import FiguresPanel
from widgets.regions.files_box import FilesBox
from widgets.regions.tools_box import ToolsBox
from widgets.regions.wand_board import WandBoard
from widgets.theme import GRID, EmptyState, wrapped

if TYPE_CHECKING:
    from backends.spectra.region_figures import AreaFigures

_NAME, _CLASS, _PLACE = range(3)


class RegionsDock(QWidget):
    """What the user drew on the active scene.

    Parameters
    ----------
    do : callable, optional
        Runs an action by id: what takes the drawing tools in hand.
    wand : WandBoard, optional
    """

    ID = "regions"
    TITLE = "Regions"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        *,
        do: Callable[[str], Any] | None = None,
        wand: WandBoard | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._do = workspace, do
        self.wand = wand or WandBoard()
        self._filling = False
        # By region: the very one they are of, for each change makes another.
        self._figures: dict[str, tuple[Region, AreaFigures | str]] = {}
        self._asked: dict[str, Region] = {}
        self._build()
        for signal in (
            workspace.pins_changed,
            workspace.regions_changed,
            workspace.active_scene_changed,
        ):
            listen(self, signal, self._fill)
        listen(self, workspace.active_scene_changed, self._on_scene)
        self._fill()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID)
        self.empty = EmptyState(
            "No pins or regions. Press R and draw on the image, S to pin a spectrum, or open a "
            "file of areas."
        )
        self.tools = ToolsBox(self._workspace, self._do, self.wand, self._say)
        column.addWidget(self.tools)
        column.addWidget(self.empty)
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(["Name", "Class", "Where or size"])
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setMinimumHeight(12 * GRID)
        self.table.setWordWrap(False)
        header = self.table.horizontalHeader()
        rows = self.table.verticalHeader()
        if header is not None and rows is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(_PLACE, QHeaderView.ResizeMode.ResizeToContents)
            rows.hide()
        self.table.itemChanged.connect(self._on_renamed)
        self.table.itemDoubleClicked.connect(self._on_double_click)
        self.table.itemSelectionChanged.connect(self._show_figures)
        column.addWidget(self.table, 1)
        self.figures = FiguresPanel()
        column.addWidget(self.figures)
        self.line = wrapped()
        self.line.hide()
        column.addWidget(self.line)
        self.files = FilesBox(self._workspace, self._say)
        self.color_button = self.files.add("Colour…", "Another colour for what is selected")
        self.delete_button = self.files.add("Delete", "Delete what is selected (can be undone)")
        self.color_button.clicked.connect(lambda: self._ask_color())
        self.delete_button.clicked.connect(lambda: self.delete_selected())
        column.addWidget(self.files)
        self.open_button, self.save_button = self.files.open_button, self.files.save_button

    def open_file(self, path: Path, **options: Any) -> JobHandle[Any] | None:
        """Add the areas of a file to the active scene, in one step that can be undone."""
        return self.files.open_file(path, **options)

    def save_file(self, path: Path) -> JobHandle[Any] | None:
        """Write the areas of the active scene; the suffix says as what."""
        return self.files.save_file(path)

    # -- edits ---------------------------------------------------------------------------

    def delete_selected(self) -> None:
        """Delete the selected pins and regions in one step."""
        ids = self._selected()
        with self._workspace.commands.bundle(f"Delete {len(ids)} pins or regions"):
            for item_id in ids:
                if item_id in self._workspace.pins:
                    self._workspace.remove_pin(item_id)
                elif item_id in self._workspace.regions:
                    self._workspace.remove_region(item_id)

    def recolor(self, color: str) -> None:
        """Give what is selected a colour, ``#rrggbb``, and all others of its class with it."""
        workspace = self._workspace
        number = CATEGORICAL.index(color) if color in CATEGORICAL else None
        with workspace.commands.bundle("Change colour"):
            for item_id in self._selected():
                region = workspace.regions.get(item_id)
                if region is not None and region.class_name:
                    for other in list(workspace.regions.values()):
                        if other.class_name == region.class_name:
                            workspace.change_region(other.id, class_color=color)
                elif region is not None and number is not None:
                    workspace.change_region(item_id, color=number, class_color="")
                elif region is not None:
                    workspace.change_region(item_id, class_color=color)
                elif number is not None and item_id in workspace.pins:
                    workspace.change_pin(item_id, color=number)

    def _ask_color(self) -> None:
        menu = QMenu(self)
        for number, color in enumerate(CATEGORICAL, 1):
            action = menu.addAction(swatch(color), f"Colour {number}")
            if action is not None:
                action.triggered.connect(partial(self._on_color, color))
        other = menu.addAction("Another…")
        if other is not None:
            other.triggered.connect(lambda: self._ask_other_color())
        menu.exec(self.color_button.mapToGlobal(self.color_button.rect().bottomLeft()))
        menu.deleteLater()

    def _on_color(self, color: str, *_: object) -> None:
        self.recolor(color)

    def _ask_other_color(self) -> None:
        chosen = QColorDialog.getColor(parent=self)
        if chosen.isValid():
            self.recolor(chosen.name().upper())

    def _selected(self) -> list[str]:
        rows = {index.row() for index in self.table.selectedIndexes()}
        return [self._id(row) for row in sorted(rows)]

    def _regions(self) -> list[Region]:
        scene, every = self._workspace.active_scene, self._workspace.regions.values()
        return [r for r in every if scene is not None and r.scene_id == scene.id]

    def _say(self, text: str) -> None:
        self.line.setText(text)
        self.line.setVisible(bool(text))

    def _on_scene(self, scene: Scene | None) -> None:
        self._say("")
        self.files.offer(None)

    # -- the table -----------------------------------------------------------------------

    def _fill(self, *_: object) -> None:
        scene = self._workspace.active_scene
        items: list[Pin | Region] = []
        if scene is not None:
            both = (*self._workspace.pins.values(), *self._workspace.regions.values())
            items = [item for item in both if item.scene_id == scene.id]
        chosen = set(self._selected())
        newest = items[-1].id if items and items[-1].id not in self._shown() else ""
        self._filling = True
        self.table.setRowCount(len(items))
        self.table.clearSelection()
        for row, item in enumerate(items):
            assert scene is not None
            # As on the image and among the spectra: of its class, where an area has one.
            color = item.shown_color if isinstance(item, Region) else key_color(item.color)
            name = QTableWidgetItem(swatch(color), item.name)
            name.setData(Qt.ItemDataRole.UserRole, item.id)
            self.table.setItem(row, _NAME, name)
            kind = QTableWidgetItem(item.class_name if isinstance(item, Region) else "")
            place = QTableWidgetItem(self._place(item, scene))
            place.setToolTip(place.text())
            fixed = (place,) if isinstance(item, Region) else (kind, place)
            for cell in fixed:
                cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
            self.table.setItem(row, _CLASS, kind)
            self.table.setItem(row, _PLACE, place)
            if item.id == newest or (not newest and item.id in chosen):
                self._mark(row)
        self._filling = False
        self.empty.setVisible(not items)
        self.table.setVisible(bool(items))
        for button in (self.delete_button, self.color_button):
            button.setVisible(bool(items))
        self.save_button.setVisible(any(isinstance(item, Region) for item in items))
        for part in (self.open_button, self.tools):
            part.setEnabled(scene is not None)
        self._measure(scene)
        self._show_figures()

    def _shown(self) -> set[str]:
        return {self._id(row) for row in range(self.table.rowCount())}

    def _mark(self, row: int) -> None:
        """Select a row beside those that are."""
        for column in range(self.table.columnCount()):
            cell = self.table.item(row, column)
            if cell is not None:
                cell.setSelected(True)

    def _place(self, item: Pin | Region, scene: Scene) -> str:
        if isinstance(item, Pin):
            return f"row {item.row}, col {item.col}"
        made, figures = self._figures.get(item.id, (None, None))
        if made is item and isinstance(figures, str):
            return "no pixel"
        if made is item and figures is not None and not isinstance(figures, str):
            area = figures.area_m2
            text = f"{figures.pixels:,} px"
            return text if area is None else f"{text}, {area_words(area)}"
        return f"about {item.area_px:,.0f} px"

    # -- what they hold ------------------------------------------------------------------

    def _measure(self, scene: Scene | None) -> None:
        """Work out what is not known of the regions there are."""
        mine = self._regions()
        self._figures = {
            key: value for key, value in self._figures.items() if key in self._workspace.regions
        }
        new = [
            r for r in mine if self._figures.get(r.id, (None,))[0] is not r
        ]  # fmt: skip
        if scene is None or not new or all(self._asked.get(r.id) is r for r in new):
            return
        self._asked = {r.id: r for r in new}
        region_jobs.figures(self._workspace, scene, new, self._on_figures)

    def _on_figures(self, known: list[tuple[Region, AreaFigures | str]]) -> None:
        for region, found in known:
            made = self._figures.get(region.id, (None,))[0]
            if self._workspace.regions.get(region.id) is region and made is not region:
                self._figures[region.id] = region, found
                self._tell_size(region)
        self._show_figures()

    def _tell_size(self, region: Region) -> None:
        scene = self._workspace.active_scene
        for row in range(self.table.rowCount()):
            cell = self.table.item(row, _PLACE)
            if scene is not None and cell is not None and self._id(row) == region.id:
                self._filling = True
                cell.setText(self._place(region, scene))
                cell.setToolTip(cell.text())
                self._filling = False

    def _show_figures(self) -> None:
        if self._filling:
            return
        known = [i for i in self._selected() if i in self._workspace.regions]
        made, found = self._figures.get(known[-1] if known else "", (None, None))
        current = made is not None and self._workspace.regions.get(made.id) is made
        scene = self._workspace.active_scene
        if not current or found is None:
            self.figures.show_figures(None, None)
        elif isinstance(found, str):
            self.figures.show_figures(None, None, found)
        else:
            self.figures.show_figures(found, scene)

    # -- what the user does in it --------------------------------------------------------

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


def swatch(color: str) -> QIcon:
    """Return a small square of a colour."""
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(color))
    # A line around it: the palest colour is nearly that of the light theme.
    painter = QPainter(pixmap)
    painter.setPen(QColor(128, 128, 128, 130))
    painter.drawRect(0, 0, 11, 11)
    painter.end()
    return QIcon(pixmap)
