"""Making a scene ready: a list of ways, the page of the one chosen, and the file it goes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import narrow_box
from widgets.sight import Sight
from widgets.spectral_tools.asking import ReferenceChoice
from widgets.spectral_tools.forms import ToolForm
from widgets.spectral_tools.prepare_page import PreparePage
from widgets.spectral_tools.prepare_pages import every_page
from widgets.spectral_tools.previewed_form import LOOK_MS
from widgets.theme import GRID

_FILES = "GeoTIFF (*.tif);;ENVI (*.bil)"
_WORDS = {
    "subset": "part",
    "destripe": "destriped",
    "resample": "bands",
    "denoise": "denoised",
    "decorrelate": "stretched",
    "reproject": "grid",
}


class PrepareForm(ToolForm):
    """What is written is opened as a new scene; the scene it came from stays as it is."""

    def __init__(self, workspace: Workspace, sight: Sight) -> None:
        super().__init__("What should be made of the scene before it is worked with?")
        self._workspace, self._sight = workspace, sight
        self._asked: Path | None = None  # chosen in a dialog, which asked about replacing it
        self._named = ""
        self.way_box = narrow_box("What is made")
        self.rows.addRow("Make", self.way_box)
        self.pages: dict[str, PreparePage] = {}
        for page in every_page(workspace, sight):
            self.pages[page.TOOL] = page
            self.way_box.addItem(page.TITLE, page.TOOL)
            self.column.addWidget(page)
            page.changed.connect(self._on_changed)
        self.file_row = QWidget()
        row = QHBoxLayout(self.file_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        self.file_edit = QLineEdit()
        self.file_edit.setAccessibleName("File that is written")
        self.file_edit.setToolTip(".tif is GeoTIFF, everything else ENVI")
        self.file_edit.textChanged.connect(lambda *_: self.changed.emit())
        self.file_button = QPushButton("…")
        self.file_button.setToolTip("Choose where it is written")
        self.file_button.setFixedWidth(4 * GRID)
        self.file_button.clicked.connect(lambda: self.ask_file())
        row.addWidget(self.file_edit, 1)
        row.addWidget(self.file_button)
        self.column.addWidget(self.file_row)
        self.way_box.currentIndexChanged.connect(self._turn)
        for signal in (
            workspace.active_scene_changed, workspace.scene_added, workspace.scene_removed,
            workspace.regions_changed, workspace.scene_info_changed,
        ):  # fmt: skip
            listen(self, signal, self._fill)
        listen(self, sight.moved, self._on_moved)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(LOOK_MS)
        self._rest.timeout.connect(self._show_sight)
        self._turn()
        self._fill()

    # -- what is asked -------------------------------------------------------------------

    @property
    def page(self) -> PreparePage:
        """The page of the way chosen."""
        return self.pages[str(self.way_box.currentData())]

    @property
    def tool(self) -> str:
        return self.page.TOOL

    @property
    def title(self) -> str:
        return self.page.NAME

    @property
    def go(self) -> str:
        return self.page.GO

    @property
    def target(self) -> Path | None:
        """The file that is written; None where nothing is."""
        text = self.file_edit.text().strip()
        return Path(text).expanduser() if self.page.WRITES and text else None

    @property
    def replaces(self) -> bool:
        """Whether the user said that a file of that name may be replaced."""
        return self._asked is not None and self._asked == self.target

    def settings(self) -> dict[str, Any]:
        scene = self._workspace.active_scene
        if scene is None:
            return {}
        told = self.page.told(scene)
        target = self.target
        if self.page.regions() and target is not None:
            # The command line finds the regions there.
            told[self.page.REGIONS_AS] = target.with_name(f"{target.stem}_regions.geojson")
            told[f"{self.page.REGIONS_AS}_option"] = ("coordinates=pixels",)
        return told

    def regions(self) -> tuple[Region, ...]:
        """Return the regions that are written beside the file, for the command line."""
        return self.page.regions()

    def problem(self, scene: Scene, choice: ReferenceChoice) -> str:
        found = self.page.problem(scene)
        if found or not self.page.WRITES:
            return found
        target = self.target
        if target is None:
            return "Say which file is to be written."
        if target == scene.info.path or target.with_suffix("") == _bare(scene.info.path):
            return "The scene itself cannot be written over; choose another file."
        return ""

    def ask_file(self) -> None:
        """Let the user say where it is written."""
        name, _ = QFileDialog.getSaveFileName(self, self.page.TITLE, self.file_edit.text(), _FILES)
        if name:
            path = Path(name)
            self._asked = path if path.suffix else path.with_suffix(".tif")
            self.file_edit.setText(str(self._asked))

    def show_way(self, tool: str) -> None:
        """Turn to a way."""
        self.way_box.setCurrentIndex(self.way_box.findData(tool))

    # -- what there is -------------------------------------------------------------------

    def _turn(self, *_: object) -> None:
        for page in self.pages.values():
            page.setVisible(page is self.page)
        self.file_row.setVisible(self.page.WRITES)
        self._name_file()
        self.changed.emit()

    def _fill(self, *_: object) -> None:
        for page in self.pages.values():
            page.fill()
        self._name_file()
        self.changed.emit()

    def name_anew(self) -> None:
        """Offer a name that no run has written to."""
        self._asked = None
        self._name_file()

    def _name_file(self) -> None:
        """Offer a file beside the scene, unless the user wrote another."""
        scene = self._workspace.active_scene
        if scene is None or self.file_edit.text() not in ("", self._named):
            return
        path = scene.info.path
        folder = Path.home() if path is None else path.parent
        stem = scene.title if path is None else path.stem
        stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in stem).strip("_") or "scene"
        stem = f"{stem}_{_WORDS.get(self.tool, 'made')}"
        used = {word for line in self._workspace.run_log.lines for word in line.command}
        name, number = folder / f"{stem}.tif", 2
        while str(name) in used:
            name, number = folder / f"{stem}_{number}.tif", number + 1
        self._named = str(name)
        self.file_edit.setText(self._named)
        self.file_edit.setCursorPosition(len(self._named))

    def _on_changed(self) -> None:
        self.changed.emit()

    def _on_moved(self) -> None:
        """The view moves many times a second; the words need not."""
        if self.isVisible():
            self._rest.start()

    def _show_sight(self) -> None:
        for page in self.pages.values():
            page.show_fields()


def _bare(path: Path | None) -> Path | None:
    return None if path is None else path.with_suffix("")
