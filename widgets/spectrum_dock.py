"""The spectrum under the mouse, and beside it those that were pinned or drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from backends.export import ExportRequest, export
from backends.jobs import Job, Progress
from backends.palette import key_color
from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Pin, Workspace
from widgets.background import listen
from widgets.library_curves import LibraryCurves
from widgets.spectrum_plot import Curve, SpectrumPlot
from widgets.theme import GRID, EmptyState, wrapped

if TYPE_CHECKING:
    from backends.spectra.library import SpectralLibrary

_REGION_SAMPLE = 20_000
_LIBRARIES = "Spectral libraries (*.sli *.hdr *.csv *.txt *.asc);;All files (*)"
SIDE_WIDTH = 19 * GRID
HINT = "Open a scene and move the mouse over it to read its spectrum."
ONE_BAND = "its value under the mouse stands in the status bar."
NOWHERE = "Move the mouse over the scene"
_FILES = "Table (*.csv);;ENVI spectral library (*.sli);;Picture (*.png);;Drawing (*.svg)"


class SpectrumDock(QWidget):
    """Follows the mouse; a click on Pin (or S) keeps a spectrum."""

    ID = "spectrum"
    TITLE = "Spectrum"

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._curves: dict[str, Curve] = {}
        self._made_of: dict[str, object] = {}
        self._at: tuple[str, int, int] | None = None
        self.library = LibraryCurves(workspace, self, self._show_kept, self._ask_file)
        self._build()
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_info_changed, self._on_info)
        listen(self, workspace.cursor_moved, self._on_cursor)
        listen(self, workspace.cursor_left, self._on_left)
        listen(self, workspace.pixel_selected, self._on_cursor)
        listen(self, workspace.pins_changed, self._on_kept)
        listen(self, workspace.regions_changed, self._on_kept)
        listen(self, workspace.library_added, self.library.take)
        listen(self, workspace.libraries_changed, self.library.resample)
        self._on_scene(workspace.active_scene)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.stack = QStackedWidget()
        layout.addWidget(self.stack)
        self.empty = EmptyState(HINT)
        self.stack.addWidget(self.empty)
        page = QWidget()
        self.stack.addWidget(page)
        # Controls stand beside the plot: the dock is low, and height is what a spectrum needs.
        both = QHBoxLayout(page)
        both.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        both.setSpacing(GRID)
        side = QWidget()
        side.setFixedWidth(SIDE_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        self.where = wrapped(NOWHERE)
        column.addWidget(self.where)
        column.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        self.unit_box = QComboBox()
        self.unit_box.addItems(["nm", "µm"])
        self.unit_box.setToolTip("Unit of the wavelength axis")
        self.unit_box.currentTextChanged.connect(self._on_unit)
        row.addWidget(self.unit_box, 1)
        self.pin_button = self._button(row, "Pin", "Keep this spectrum (S)", self.pin_here)
        column.addLayout(row)
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        self.clear_button = self._button(
            row, "Clear", "Take all pins away", self._workspace.clear_pins
        )
        self.export_button = self._button(
            row, "Export…", "Write the kept spectra to a file", self._ask_export
        )
        column.addLayout(row)
        row = QHBoxLayout()
        self.library_button = self._button(
            row, "Library…", "Draw spectra of a library beside these", self._ask_library
        )
        column.addLayout(row)
        both.addWidget(side)
        self.plot = SpectrumPlot()
        both.addWidget(self.plot, 1)

    def _button(
        self, row: QHBoxLayout, text: str, tip: str, run: Callable[[], object]
    ) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: run())
        row.addWidget(button)
        return button

    # -- what the mouse does -------------------------------------------------------------

    def pin_here(self) -> None:
        """Keep the spectrum under the mouse."""
        if self._at is None:
            return
        self._workspace.pin_here(*self._at)

    def _on_cursor(self, scene_id: str, row: int, col: int) -> None:
        scene = self._workspace.active_scene
        if scene is None or scene.id != scene_id:
            return
        self._at = (scene_id, row, col)

        def run(progress: Progress) -> NDArray[Any]:
            return scene.spectrum(row, col)

        def show(values: NDArray[Any]) -> None:
            if self._at is None or self._at[0] != scene_id:
                return  # another scene is shown by now, with bands of its own
            self.where.setText(f"Row {row}, column {col}")
            self.plot.show_hover(values)

        job = Job("Read a spectrum", run, scene_id=scene_id, topic="hover", quiet=True)
        self._workspace.submit(job, on_result=show)

    def _on_left(self) -> None:
        self.plot.show_hover(None)
        self.where.setText(NOWHERE)

    # -- what stays ----------------------------------------------------------------------

    def _on_scene(self, scene: Scene | None) -> None:
        self._at = None
        self.where.setText(NOWHERE)
        self._curves, self._made_of = {}, {}
        self.library.curves = {}  # they are on the bands of the scene before
        self._show_page(scene)
        self.plot.set_bands(
            scene.bands if scene else None, scene.info.unit if scene is not None else ""
        )
        self.unit_box.setVisible(scene is not None and scene.bands.has_wavelengths)
        self._on_kept()
        self.library.resample()

    def _show_page(self, scene: Scene | None) -> None:
        """Show the plot where there is a spectrum to be read, else say why not."""
        if scene is None:
            self.empty.label.setText(HINT)
        elif len(scene.bands) == 1:
            self.empty.label.setText(f"{scene.title} has one band: {ONE_BAND}")
        self.stack.setCurrentIndex(0 if scene is None or len(scene.bands) == 1 else 1)

    def _on_info(self, scene_id: str) -> None:
        scene = self._workspace.active_scene
        if scene is not None and scene.id == scene_id:
            self._show_page(scene)
            self.plot.set_bands(scene.bands, scene.info.unit)
            self.library.resample()

    def _on_unit(self, unit: str) -> None:
        scene = self._workspace.active_scene
        self.plot.set_unit(unit, scene.info.unit if scene else "")
        self._show_kept()

    def _on_kept(self) -> None:
        """Read what is new, forget what is gone."""
        scene = self._workspace.active_scene
        kept: dict[str, Pin | Region] = {}
        if scene is not None:
            both = (*self._workspace.pins.values(), *self._workspace.regions.values())
            kept = {item.id: item for item in both if item.scene_id == scene.id}
        self.clear_button.setEnabled(any(isinstance(item, Pin) for item in kept.values()))
        self.export_button.setEnabled(bool(kept))
        for gone in set(self._curves) - set(kept):
            del self._curves[gone]
            self._made_of.pop(gone, None)
        if scene is not None:
            for item in kept.values():
                if self._made_of.get(item.id) is not item:
                    self._made_of[item.id] = item
                    self._read(scene, item)
        self._show_kept()

    def _read(self, scene: Scene, item: Pin | Region) -> None:
        def run(progress: Progress) -> Curve:
            if isinstance(item, Pin):
                color = key_color(item.color)
                return Curve(item.name, color, scene.spectrum(item.row, item.col))
            color = item.shown_color
            values = scene.spectra(item.mask(scene.shape[:2]), limit=_REGION_SAMPLE)
            if len(values) == 0:
                return Curve(item.name, color, np.full(scene.shape[2], np.nan))
            valid = np.isfinite(values)
            count = np.maximum(valid.sum(axis=0), 1)
            mean = np.where(valid, values, 0).sum(axis=0) / count
            spread = np.sqrt((np.where(valid, values - mean, 0) ** 2).sum(axis=0) / count)
            mean = np.where(valid.any(axis=0), mean, np.nan)
            return Curve(item.name, color, mean, spread)

        def show(curve: Curve) -> None:
            if self._made_of.get(item.id) is item:
                self._curves[item.id] = curve
                self._show_kept()

        job = Job(f"Read {item.name}", run, scene_id=scene.id, quiet=isinstance(item, Pin))
        self._workspace.submit(job, on_result=show)

    def _show_kept(self) -> None:
        self.plot.show_kept({**self._curves, **self.library.curves})

    def _ask_library(self) -> None:
        """Choose from the library in use, or open one first."""
        if self.library.library is not None:
            self.library.choose()
        else:
            self._ask_file()

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a spectral library", "", _LIBRARIES)
        if path:
            self.open_library(Path(path))

    def open_library(self, path: Path) -> None:
        """Read a library and let the user choose from it."""

        def run(progress: Progress) -> SpectralLibrary:
            from backends.spectra.library import read_library

            return read_library(path, progress.check)

        self._workspace.submit(Job(f"Open {path.name}", run), on_result=self._workspace.add_library)

    # -- out -----------------------------------------------------------------------------

    def _ask_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export spectra", "spectra.csv", _FILES)
        if path:
            self.export_to(Path(path))

    def export_to(self, path: Path) -> None:
        """Write the kept spectra (CSV, ENVI library) or the plot (PNG, SVG)."""
        scene = self._workspace.active_scene
        if scene is None:
            return
        if path.suffix.lower() in (".png", ".svg"):
            content = self._picture(path.suffix.lower())

            def write(progress: Progress) -> Path:
                from backends.io.writers.atomic import write_bytes

                write_bytes(path, content)
                return path

            self._workspace.submit(Job(f"Write {path.name}", write, scene_id=scene.id))
            return
        pins = [p for p in self._workspace.pins.values() if p.scene_id == scene.id]
        regions = [r for r in self._workspace.regions.values() if r.scene_id == scene.id]
        request = ExportRequest(scene, "spectra", pins=pins, regions=regions)

        def run(progress: Progress) -> Path:
            return export(request, path, progress=progress)

        self._workspace.submit(Job(f"Export spectra to {path.name}", run, scene_id=scene.id))

    def _picture(self, suffix: str) -> bytes:
        """Return the plot as PNG or SVG."""
        if suffix == ".svg":
            from pyqtgraph.exporters import SVGExporter

            return bytes(SVGExporter(self.plot.plot).export(toBytes=True))
        from PyQt6.QtCore import QBuffer, QIODevice

        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        self.plot.grab().save(buffer, "PNG")
        return bytes(buffer.data().data())

    def changeEvent(self, event: QEvent | None) -> None:
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self.plot.apply_theme()
        super().changeEvent(event)
