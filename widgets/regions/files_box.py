"""Regions from files and to files; what a file leaves open is asked on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from backends.errors import NeedsChoice
from backends.jobs import JobHandle
from backends.workspace import Workspace
from widgets.pages import narrow_box
from widgets.regions import region_jobs
from widgets.theme import GRID

_OPENED = (
    "Areas (*.geojson *.json *.geojson.gz *.gpkg *.shp *.zip *.kml *.kmz *.fgb);;All files (*)"
)
_SAVED = {
    "GeoJSON in pixels, as QuPath reads it (*.geojson)": ".geojson",
    "GeoPackage on the map (*.gpkg)": ".gpkg",
    "Tables of sizes and spectra (*.csv)": ".csv",
    "ENVI library of mean spectra (*.sli)": ".sli",
}
_SUFFIXES = (".geojson", ".json", ".gz", ".gpkg", ".csv", ".sli")


class FilesBox(QWidget):
    """A row of buttons, to which others may add theirs; above it a question, if there is one."""

    def __init__(self, workspace: Workspace, said: Callable[[str], None]) -> None:
        super().__init__()
        self._workspace, self._said = workspace, said
        self._choice: tuple[Path, dict[str, Any], NeedsChoice] | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        self.choice_box = narrow_box("Which one")
        self.choice_button = QPushButton("Open")
        self.choice_button.clicked.connect(lambda: self.choose())
        asked = QHBoxLayout()
        asked.addWidget(self.choice_box, 1)
        asked.addWidget(self.choice_button)
        column.addLayout(asked)
        self.row = QHBoxLayout()
        self.row.setSpacing(GRID // 2)
        column.addLayout(self.row)
        self.open_button = self.add("Open…", "Areas of GeoPackage, GeoJSON, shapefile, KML")
        self.save_button = self.add("Save…", "All areas: GeoJSON, GeoPackage, tables, library")
        self.open_button.clicked.connect(lambda: self._ask_open())
        self.save_button.clicked.connect(lambda: self._ask_save())
        self.offer(None)

    def add(self, text: str, tip: str) -> QPushButton:
        """Add a button to the row."""
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setMinimumWidth(1)
        self.row.addWidget(button, 1)
        return button

    def open_file(self, path: Path, **options: Any) -> JobHandle[Any] | None:
        """Add the areas of a file to the active scene, in one step that can be undone."""
        scene = self._workspace.active_scene
        if scene is None:
            return None
        self.offer(None)
        handle = region_jobs.open_areas(self._workspace, scene, path, options, self._said)

        def over(done: JobHandle[Any]) -> None:
            if isinstance(done.error, NeedsChoice):
                self.offer((path, options, done.error))
            elif done.error is not None:
                self._said(str(done.error))

        region_jobs.when_over(self, self._workspace, handle, over)
        return handle

    def offer(self, choice: tuple[Path, dict[str, Any], NeedsChoice] | None) -> None:
        """Offer what a file leaves open: one of its layers, or what its coordinates are."""
        self._choice = choice
        self.choice_box.clear()
        if choice is not None:
            self._said(choice[2].sentence)
            for value, title in zip(choice[2].choices, choice[2].titles, strict=True):
                self.choice_box.addItem(title[:1].upper() + title[1:], value)
        self.choice_box.setVisible(choice is not None)
        self.choice_button.setVisible(choice is not None)

    def choose(self) -> JobHandle[Any] | None:
        """Open the file with what was chosen."""
        if self._choice is None:
            return None
        path, options, error = self._choice
        return self.open_file(path, **{**options, error.option: self.choice_box.currentData()})

    def save_file(self, path: Path) -> JobHandle[Any] | None:
        """Write the areas of the active scene; the suffix says as what."""
        scene, every = self._workspace.active_scene, self._workspace.regions.values()
        if scene is None:
            return None
        path = path if path.suffix in _SUFFIXES else path.with_name(f"{path.name}.geojson")
        mine = [region for region in every if region.scene_id == scene.id]
        return region_jobs.save_areas(self._workspace, scene, mine, path, self._said)

    def _ask_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open areas", "", _OPENED)
        if name:
            self.open_file(Path(name))

    def _ask_save(self) -> None:
        kinds = ";;".join(_SAVED)
        name, chosen = QFileDialog.getSaveFileName(self, "Save areas", "areas.geojson", kinds)
        if name:
            path, wanted = Path(name), _SAVED.get(chosen, ".geojson")
            # The name is offered for the first kind; who turns to another means that one.
            known = path.suffix in _SUFFIXES and (path.suffix != ".geojson" or wanted == ".geojson")
            self.save_file(path if known else path.with_suffix(wanted))
