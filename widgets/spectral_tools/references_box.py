"""What to compare with: spectra of an open library, regions and pins of the scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QPixmap
from PyQt6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.jobs import Job, JobHandle, Progress
from backends.palette import key_color
from backends.regions import Region
from backends.workspace import OpenLibrary, Pin, Workspace
from widgets.background import listen
from widgets.pages import narrow_box
from widgets.spectral_tools.asking import ReferenceChoice
from widgets.theme import GRID, wrapped

if TYPE_CHECKING:
    from backends.spectra.library import SpectralLibrary

_LIBRARIES = "Spectral libraries (*.sli *.hdr *.csv *.txt *.asc);;All files (*)"
_AREAS = "Areas (*.geojson)"
_MOST_ROWS = 6
NOTHING = "Draw regions (R), pin pixels (S) or open a library to have something to compare with."


class ReferencesBox(QWidget):
    """One library with a filter, and ticks at the regions and pins of the active scene."""

    changed = pyqtSignal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._known: dict[str, bool] = {}
        self._saved: tuple[tuple[Region, ...], Path] | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        self.library_box = narrow_box("Library of reference spectra")
        self.library_box.currentIndexChanged.connect(self._on_library)
        self.open_button = QPushButton("Open…")
        self.open_button.setToolTip("Open a library of reference spectra")
        self.open_button.clicked.connect(lambda: self.ask_library())
        row.addWidget(self.library_box, 1)
        row.addWidget(self.open_button)
        column.addLayout(row)
        self.filter_edit = QLineEdit()
        self.filter_edit.setPlaceholderText("All its spectra; or words in their names, a, b")
        self.filter_edit.setToolTip("Only spectra whose name holds one of these words")
        self.filter_edit.textChanged.connect(self._on_filter)
        column.addWidget(self.filter_edit)
        self.list = QListWidget()
        self.list.setToolTip("Regions count with their mean spectrum")
        self.list.itemChanged.connect(self._on_ticked)
        column.addWidget(self.list)
        self.line = wrapped()
        column.addWidget(self.line)
        self.save_button = QPushButton("Save these regions…")
        self.save_button.setToolTip(
            "A run is listed in the run log when all it used is in files: regions as GeoJSON"
        )
        self.save_button.clicked.connect(lambda: self.ask_save())
        column.addWidget(self.save_button)
        for signal in (
            workspace.regions_changed,
            workspace.pins_changed,
            workspace.active_scene_changed,
        ):
            listen(self, signal, self._fill)
        listen(self, workspace.libraries_changed, self._fill_libraries)
        listen(self, workspace.library_added, self._fill_libraries)
        self._fill_libraries()
        self._fill()

    # -- what is chosen ------------------------------------------------------------------

    def chosen(self) -> ReferenceChoice:
        """Return what is ticked and named."""
        items = self._ticked()
        regions = tuple(item for item in items if isinstance(item, Region))
        saved = self._saved
        return ReferenceChoice(
            self.library,
            self._words(),
            regions,
            saved[1] if saved is not None and _same(saved[0], regions) else None,
            tuple((item.row, item.col) for item in items if isinstance(item, Pin)),
        )

    @property
    def library(self) -> SpectralLibrary | None:
        """The library chosen."""
        place = self.library_box.currentData()
        libraries = self._workspace.libraries
        return libraries[place].library if place is not None and place < len(libraries) else None

    def _words(self) -> tuple[str, ...]:
        if self.library is None:
            return ()
        return tuple(w.strip() for w in self.filter_edit.text().split(",") if w.strip())

    def _items(self) -> list[Region | Pin]:
        scene = self._workspace.active_scene
        if scene is None:
            return []
        both = (*self._workspace.regions.values(), *self._workspace.pins.values())
        return [item for item in both if item.scene_id == scene.id]

    def _ticked(self) -> list[Region | Pin]:
        return [item for item in self._items() if self._known.get(item.id)]

    # -- what there is -------------------------------------------------------------------

    def _fill_libraries(self, *_: object) -> None:
        libraries = self._workspace.libraries
        before, known = self.library, self.library_box.count() - 1
        self.library_box.blockSignals(True)
        self.library_box.clear()
        self.library_box.addItem("No library", None)
        for place, opened in enumerate(libraries):
            title = f"{opened.library.title} ({len(opened.library.names)} spectra)"
            self.library_box.addItem(title, place)
        places = [p for p, opened in enumerate(libraries) if opened.library is before]
        # Who opens the first library means it.
        first = 0 if known <= 0 and libraries and before is None and not self._ticked() else None
        at = self.library_box.findData(places[0] if places else first)
        self.library_box.setCurrentIndex(max(0, at))
        self.library_box.blockSignals(False)
        self._on_library()

    def _fill(self, *_: object) -> None:
        items = self._items()
        for item in items:
            if item.id not in self._known:
                # Regions are drawn to be used; of many pins only the first one is.
                nothing = self.library is None and not self._ticked()
                self._known[item.id] = isinstance(item, Region) or nothing
        self.list.blockSignals(True)
        self.list.clear()
        for item in items:
            color = item.shown_color if isinstance(item, Region) else key_color(item.color)
            cell = QListWidgetItem(_swatch(color), item.name)
            cell.setData(Qt.ItemDataRole.UserRole, item.id)
            cell.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            on = self._known[item.id]
            cell.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.list.addItem(cell)
        self.list.blockSignals(False)
        rows = min(len(items), _MOST_ROWS)
        self.list.setFixedHeight(max(1, rows) * max(18, self.list.sizeHintForRow(0)) + 6)
        self.list.setVisible(bool(items))
        self._say()

    def _on_ticked(self, cell: QListWidgetItem) -> None:
        on = cell.checkState() == Qt.CheckState.Checked
        self._known[str(cell.data(Qt.ItemDataRole.UserRole))] = on
        self._say()

    def _on_library(self, *_: object) -> None:
        self.filter_edit.setVisible(self.library is not None)
        self._say()

    def _on_filter(self, *_: object) -> None:
        self._say()

    def _say(self) -> None:
        library, words = self.library, [w.casefold() for w in self._words()]
        ticked = self._ticked()
        parts = []
        if library is not None:
            named = [n for n in library.names if not words or any(w in n.casefold() for w in words)]
            parts.append(f"{len(named)} of {len(library.names)} spectra of {library.title}")
        for kind, what in ((Region, "region"), (Pin, "pixel")):
            count = sum(isinstance(item, kind) for item in ticked)
            if count:
                parts.append(f"{count} {what}{'s' if count > 1 else ''}")
        self.line.setText(" and ".join(parts) if parts else NOTHING)
        choice = self.chosen()
        self.save_button.setVisible(bool(choice.regions) and choice.areas is None)
        self.changed.emit()

    # -- files ---------------------------------------------------------------------------

    def ask_library(self) -> None:
        """Let the user choose a library."""
        name, _ = QFileDialog.getOpenFileName(self, "Open a spectral library", "", _LIBRARIES)
        if name:
            self.open_library(Path(name))

    def open_library(self, path: Path) -> JobHandle[SpectralLibrary]:
        """Read a library and compare with it."""

        def run(progress: Progress) -> SpectralLibrary:
            from backends.spectra.library import read_library

            return read_library(path, progress.check)

        def show(library: SpectralLibrary) -> None:
            libraries = self._workspace.libraries
            same = [o for o in libraries if o.library.digest and o.library.digest == library.digest]
            if not same:
                self._workspace.set_libraries([*libraries, OpenLibrary(library)])
            wanted = same[0].library if same else library
            place = next(i for i, o in enumerate(self._workspace.libraries) if o.library is wanted)
            self.library_box.setCurrentIndex(self.library_box.findData(place))

        return self._workspace.submit(Job(f"Open {path.name}", run), on_result=show)

    def ask_save(self) -> None:
        """Let the user say where the ticked regions go."""
        name, _ = QFileDialog.getSaveFileName(self, "Save regions", "areas.geojson", _AREAS)
        if name:
            self.save_areas(Path(name))

    def save_areas(self, path: Path) -> JobHandle[Path]:
        """Write the ticked regions as GeoJSON, in pixels of the scene."""
        path = path if path.suffix else path.with_suffix(".geojson")
        regions = self.chosen().regions

        def run(progress: Progress) -> Path:
            from backends.io.annotations import write_annotations

            return write_annotations(regions, path, progress=progress)

        def show(written: Path) -> None:
            self._saved = (regions, written)
            self._say()

        return self._workspace.submit(Job(f"Write {path.name}", run), on_result=show)


def _same(one: tuple[Region, ...], other: tuple[Region, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _swatch(color: str) -> QIcon:
    pixmap = QPixmap(10, 10)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)
