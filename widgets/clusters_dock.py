"""What a clustered reader did: groups of pixels, the order they were read in, what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from backends.cluster_analysis import (
    HOPS,
    ClusterSpectra,
    ClusterTable,
    Coverage,
    ReadingPath,
    cluster_spectra,
    cluster_table,
    reading_path,
)
from backends.cluster_edges import BoundaryAgreement, boundary_agreement
from backends.cluster_maps import MAPS, block_map, cluster_names, path_overlay, point_overlay
from backends.jobs import Job, Progress
from backends.overlays import ClusterBlock, ClusterField, Overlay
from backends.palette import class_colors
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.cluster_view import ClusterClasses, FusionBar, SizeBars
from widgets.pulse import Pulse
from widgets.spectrum_plot import Curve, SpectrumPlot
from widgets.theme import GRID, wrapped

# A path plays in about half a minute, however long it is.
_BEATS = 120
_MOST_CURVES = 8
_MAP_TIPS = {
    "attention": "What attention adds to the score",
    "typical": "What membership adds to the score",
    "clusters": "One colour a cluster, as in the table below",
    "certainty": "Membership of each pixel in its cluster",
    "order": "Dark is read first, bright last: the last have heard all before them",
    "step": "What the reader took in: small steps pass a pixel over",
    "score": "By which the pixels of a cluster are ordered and chosen",
    "kept": "Pixels that would be read at the share set below",
}


@dataclass(frozen=True, eq=False)
class _Figures:
    """What is computed of one block."""

    table: ClusterTable
    edges: BoundaryAgreement | None
    coverage: Coverage


class ClustersDock(QWidget):
    """The groups of a clustered reader, block by block."""

    ID = "clusters"
    TITLE = "Clusters"

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._field: ClusterField | None = None
        self._cluster: int | None = None
        self._sequence = 0
        self._path: ReadingPath | None = None
        self._figures: _Figures | None = None
        self._spectra: tuple[ClusterSpectra, ...] | None = None
        self._stale = True
        self._drawn_from: int | None = None
        self._build()
        self._pulse = Pulse(self, self._step_on)
        for signal in (
            workspace.overlay_added,
            workspace.overlay_removed,
            workspace.active_overlay_changed,
            workspace.active_scene_changed,
        ):
            listen(self, signal, self._find_field)
        listen(self, workspace.overlay_replaced, lambda old, new: self._find_field())
        listen(self, workspace.pixel_selected, self._on_pixel)
        listen(self, workspace.cursor_moved, self._on_hover)
        listen(self, workspace.labels_changed, self._on_labels)
        self._find_field()

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(GRID, GRID, GRID, GRID)
        outer.setSpacing(GRID)
        self.empty = wrapped(
            "No clusters yet. Classify the scene with the clustered reader (css_mamba, Classify "
            "tab): the map comes with the groups it read."
        )
        outer.addWidget(self.empty)
        self.content = QWidget()
        outer.addWidget(self.content)
        outer.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)

        self.heading = wrapped()
        body.addWidget(self.heading)
        self.block_box = QComboBox()
        self.block_box.setToolTip("Which block of the network")
        self.block_box.currentIndexChanged.connect(self._on_block)
        body.addWidget(self.block_box)
        self.facts_line = wrapped()
        body.addWidget(self.facts_line)
        self.fusion = FusionBar()
        body.addWidget(self.fusion)

        body.addWidget(_title("Lay over the image"))
        grid = QGridLayout()
        grid.setSpacing(4)
        self.map_buttons: dict[str, QPushButton] = {}
        for number, (what, title) in enumerate(MAPS.items()):
            button = QPushButton(title)
            button.setToolTip(_MAP_TIPS[what])
            button.clicked.connect(partial(self.lay_over, what))
            grid.addWidget(button, number // 2, number % 2)
            self.map_buttons[what] = button
        body.addLayout(grid)
        self.pixel_line = wrapped()
        body.addWidget(self.pixel_line)

        body.addWidget(_title("Reading order of a cluster"))
        self.path_line = wrapped()
        body.addWidget(self.path_line)
        row = QHBoxLayout()
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Follow the reader from pixel to pixel on the image")
        self.play_button.toggled.connect(self._on_play)
        self.path_slider = QSlider(Qt.Orientation.Horizontal)
        self.path_slider.setAccessibleName("Place in the reading order")
        self.path_slider.valueChanged.connect(self._on_place)
        row.addWidget(self.play_button)
        row.addWidget(self.path_slider, 1)
        body.addLayout(row)

        body.addWidget(_title("If only part were read"))
        self.ratio_slider = QSlider(Qt.Orientation.Horizontal)
        self.ratio_slider.setRange(1, 100)
        self.ratio_slider.setAccessibleName("Share of the pixels that would be read")
        self.ratio_slider.valueChanged.connect(self._show_coverage)
        self.ratio_slider.sliderReleased.connect(self._on_ratio_set)
        body.addWidget(self.ratio_slider)
        self.ratio_line = wrapped()
        body.addWidget(self.ratio_line)

        body.addWidget(_title("Clusters and classes"))
        self.sizes = SizeBars()
        self.sizes.chosen.connect(self.choose)
        body.addWidget(self.sizes)
        self.classes = ClusterClasses()
        self.classes.chosen.connect(self.choose)
        body.addWidget(self.classes)
        self.purity_line = wrapped()
        body.addWidget(self.purity_line)
        self.edges_line = wrapped()
        self.edges_line.setToolTip(
            "Where two labelled classes touch, do clusters end there, too? Within one pixel, and "
            "only between labelled pixels: elsewhere nobody knows where an edge is. Many small "
            "clusters have edges everywhere: then all label edges are met, but few cluster edges "
            "are label edges."
        )
        body.addWidget(self.edges_line)

        body.addWidget(_title("Mean spectra"))
        self.plot = SpectrumPlot()
        self.plot.setFixedHeight(200)
        self.plot.legend.hide()
        body.addWidget(self.plot)
        self.spectra_line = wrapped()
        body.addWidget(self.spectra_line)
        self.save_button = QPushButton("Save everything as files…")
        self.save_button.setToolTip("Maps, orders, tables and figures into a folder")
        self.save_button.clicked.connect(lambda: self.save_files())
        body.addWidget(self.save_button)

    # -- what is shown -------------------------------------------------------------------

    @property
    def field(self) -> ClusterField | None:
        """The clusters shown now."""
        return self._field

    @property
    def cluster(self) -> int | None:
        """The cluster chosen now."""
        return self._cluster

    @property
    def path(self) -> ReadingPath | None:
        """The reading order shown now."""
        return self._path

    def showEvent(self, event: QShowEvent | None) -> None:
        """Compute what was put off while nobody looked."""
        super().showEvent(event)
        self._compute()

    def _find_field(self, *_: object) -> None:
        """Take the active overlay's clusters, else the newest of the scene."""
        scene = self._workspace.active_scene
        active = self._workspace.active_overlay
        found: Overlay | None = None
        if scene is not None:
            fields = [
                o for o in self._workspace.overlays_of(scene.id) if isinstance(o, ClusterField)
            ]
            found = fields[-1] if fields else None
            if isinstance(active, ClusterField) and active in fields:
                found = active
        # Laying a map over the image says nothing about which clusters are meant.
        if found is self._field and (found is not None or not self.content.isVisibleTo(self)):
            return
        self._field = found if isinstance(found, ClusterField) else None
        self._forget()
        self.empty.setVisible(self._field is None)
        self.content.setVisible(self._field is not None)
        if self._field is None or scene is None:
            return
        self.heading.setText(
            "Which pixels were read together, and in which order. "
            f"<b>{_escape(self._field.title)}</b>"
        )
        self.block_box.blockSignals(True)
        self.block_box.clear()
        for number in range(1, len(self._field.blocks) + 1):
            self.block_box.addItem(f"Block {number} of {len(self._field.blocks)}", number)
        self.block_box.setCurrentIndex(self.block_box.count() - 1)
        self.block_box.blockSignals(False)
        self.plot.set_bands(scene.info.bands, scene.info.unit)
        self._on_block()

    def _forget(self) -> None:
        self.play_button.setChecked(False)
        self._spectra, self._figures, self._path = None, None, None
        self._cluster, self._sequence, self._stale = None, 0, True
        self._drawn_from = None

    def _on_block(self, *_: object) -> None:
        if self._field is None:
            return
        block = self._block()
        self.play_button.setChecked(False)
        self._figures, self._path, self._stale = None, None, True
        self._cluster, self._sequence = None, 0
        self._drawn_from = None
        self.fusion.show_weights(block.fusion)
        self.facts_line.setText(_facts(block, self._field.tiles))
        self.pixel_line.setText("Point at a pixel to read its cluster; click to follow it.")
        for line in (self.ratio_line, self.purity_line, self.edges_line, self.path_line):
            line.setText("")
        self.ratio_slider.blockSignals(True)
        self.ratio_slider.setValue(round(100 * block.kept))
        self.ratio_slider.blockSignals(False)
        self._show_spectra()
        self._compute()

    def _on_labels(self, scene_id: str) -> None:
        if self._field is not None and self._field.scene_id == scene_id:
            self._stale = True
            self._compute()

    def _compute(self) -> None:
        """Ask for the figures of the block, and once a field for the spectra."""
        field = self._field
        if field is None or not self._stale or not self.isVisible():
            return
        self._stale = False
        block, labels = self._block(), self._labels()

        def run(progress: Progress) -> _Figures:
            table = cluster_table(block, labels)
            progress.check()
            agreement = None if labels is None else boundary_agreement(block.cluster, labels)
            progress.check()
            return _Figures(table, agreement, Coverage(block, labels))

        def show(figures: _Figures) -> None:
            if self._field is field and self._block() is block:
                self._figures = figures
                self._show_figures()

        self._submit("Look at the clusters", run, show, "clusters")
        if self._spectra is None:
            self._ask_spectra(field)

    def _ask_spectra(self, field: ClusterField) -> None:
        scene = self._workspace.scenes.get(field.scene_id)
        if scene is None:
            return
        self.spectra_line.setText("Reading the scene once …")

        def run(progress: Progress) -> tuple[ClusterSpectra, ...]:
            return cluster_spectra(
                scene, field.blocks, placement=field.placement, progress=progress
            )

        def show(spectra: tuple[ClusterSpectra, ...]) -> None:
            if self._field is field:
                self._spectra = spectra
                self._show_spectra()

        self._submit("Mean spectra of the clusters", run, show, "cluster spectra", quiet=False)

    def _show_figures(self) -> None:
        figures, field = self._figures, self._field
        if figures is None or field is None:
            return
        table, names = figures.table, self._label_names()
        self.sizes.show_sizes(table.sizes.tolist(), self._colors())
        self.classes.show_table(table, names, self._colors())
        if table.purity is None or table.nmi is None or table.chance_purity is None:
            self.purity_line.setText("With labels of the scene, clusters are compared to them.")
            self.edges_line.setText("")
        else:
            self.purity_line.setText(
                f"Purity {100 * table.purity:.1f}\u00a0% of {table.labelled:,} labelled pixels "
                f"(one cluster for all: {100 * table.chance_purity:.1f}\u00a0%). "
                f"Shared information {table.nmi:.2f} of 1. "
                "Pixels that taught the network are among them."
            )
            self.edges_line.setText(_edges_words(figures.edges))
        self._show_coverage()
        if self._cluster is None and table.sizes.any():
            self.choose(int(table.sizes.argmax()) + 1)
        else:
            self._mark()

    def _show_coverage(self, *_: object) -> None:
        figures = self._figures
        if figures is None:
            return
        ratio = self.ratio_slider.value() / 100
        kept = figures.coverage.kept(ratio)
        if kept == figures.coverage.pixels:
            self.ratio_line.setText("All pixels are read. Move the slider to read fewer.")
            return
        lines = [f"{100 * ratio:.0f}\u00a0% with the highest score: {kept:,} pixels."]
        parts = figures.coverage.of_classes(ratio)
        if parts:
            names = self._label_names()
            words = (f"{names.get(v, f'Class {v}')} {100 * p:.0f}\u00a0%" for v, p in parts.items())
            lines.append("Of the classes: " + ", ".join(words) + ".")
        else:
            clusters = figures.coverage.of_clusters(ratio)
            untouched = sum(1 for p in clusters.values() if p == 0)
            if untouched:
                lines.append(f"Of {untouched} clusters nothing would be read.")
        self.ratio_line.setText(_escape(" ".join(lines)))

    def _show_spectra(self) -> None:
        field = self._field
        if field is None or self._spectra is None:
            self.plot.show_kept({})
            return
        spectra = self._spectra[self._number() - 1]
        colors = self._colors()
        held = spectra.count.max(axis=1)
        largest = [k for k in (np.argsort(-held, kind="stable") + 1).tolist() if held[k - 1]]
        shown = largest[:_MOST_CURVES]
        if self._cluster is not None and self._cluster not in shown and held[self._cluster - 1]:
            shown.append(self._cluster)
        curves = {}
        for k in sorted(shown, key=lambda k: k == self._cluster):  # the chosen one on top
            spread = spectra.spread[k - 1] if k == self._cluster else None
            curves[str(k)] = Curve(f"Cluster {k}", colors[k], spectra.mean[k - 1], spread)
        self.plot.show_kept(curves)
        self.plot.legend.hide()
        words = f"The {len(shown)} largest of {len(largest)} clusters."
        if len(shown) == len(largest):
            words = f"All {len(largest)} clusters."
        if self._cluster is not None:
            words += f" Cluster {self._cluster} with its spread (± one standard deviation)."
        self.spectra_line.setText(words)

    # -- pixels and paths ----------------------------------------------------------------

    def _on_hover(self, scene_id: str, row: int, col: int) -> None:
        if self.isVisible() and (place := self._place(scene_id, row, col)) is not None:
            self.pixel_line.setText(self._pixel_words(*place))

    def _on_pixel(self, scene_id: str, row: int, col: int) -> None:
        place = self._place(scene_id, row, col)
        if place is None:
            return
        self.pixel_line.setText(self._pixel_words(*place))
        block = self._block()
        if block.cluster[place]:
            self.choose(int(block.cluster[place]), int(block.sequence[place]))

    def _place(self, scene_id: str, row: int, col: int) -> tuple[int, int] | None:
        """Return the pixel of the maps under a pixel of the scene."""
        field = self._field
        if field is None or field.scene_id != scene_id:
            return None
        p = field.placement
        r, c = int((row - p.row) / p.row_step), int((col - p.col) / p.col_step)
        return (r, c) if 0 <= r < field.shape[0] and 0 <= c < field.shape[1] else None

    def _pixel_words(self, row: int, col: int) -> str:
        block = self._block()
        cluster = int(block.cluster[row, col])
        head = f"Row {row}, column {col}: "
        if cluster == 0:
            return head + "nothing was measured here."
        sizes = "" if self._figures is None else f" ({self._figures.table.sizes[cluster - 1]:,} px)"
        sure = 100 * float(block.certainty[row, col])
        text = f"{head}cluster {cluster}{sizes}, membership {sure:.0f}\u00a0%."
        if sure < 100 / block.clusters:  # the best of so many is never less
            text += " Its best cluster was full."
        if block.sequence[row, col] == 0:
            return text + " Not read."
        place = 100 * float(block.rank[row, col]) / 65535
        step = float(block.step[row, col])
        return f"{text} Read {place:.0f}\u00a0% down its sequence, step size {step:.3f}."

    def choose(self, cluster: int, sequence: int = 0) -> None:
        """Look at one cluster: its row, spectrum and reading order."""
        field = self._field
        if field is None or (cluster == self._cluster and sequence in (0, self._sequence)):
            return
        self.play_button.setChecked(False)
        self._cluster, self._sequence = cluster, sequence
        self._mark()
        self._show_spectra()
        block = self._block()

        def run(progress: Progress) -> ReadingPath:
            return reading_path(block, cluster, sequence)

        def show(path: ReadingPath) -> None:
            if self._field is field and self._block() is block:
                self._show_path(path)

        self._submit("Reading order", run, show, "cluster path")

    def _mark(self) -> None:
        self.classes.choose(self._cluster)
        self.sizes.selected = self._cluster
        self.sizes.update()

    def _show_path(self, path: ReadingPath) -> None:
        self._path, self._sequence = path, path.sequence
        drawn = self._field is not None and f"{self._field.id}-path" in self._workspace.overlays
        self._drawn_from = None
        count = len(path.points)
        self.path_slider.blockSignals(True)
        self.path_slider.setRange(0, max(0, count - 1))
        self.path_slider.setValue(0)
        self.path_slider.blockSignals(False)
        for widget in (self.path_slider, self.play_button):
            widget.setEnabled(count > 1)
        self._path_words(0)
        if drawn and count:
            self._draw_place(0)

    def _path_words(self, at: int) -> None:
        path = self._path
        if path is None or not len(path.points):
            self.path_line.setText("Nothing of this cluster was read.")
            return
        of = f", sequence {path.number} of {path.of}" if path.of > 1 else ""
        row, col = path.points[at].tolist()
        self.path_line.setText(
            f"Cluster {path.cluster}{of}: pixel {at + 1:,} of {len(path.points):,}, "
            f"row {row}, column {col}."
        )

    def _on_place(self, at: int) -> None:
        self._path_words(at)
        self._draw_place(at)

    def _draw_place(self, at: int) -> None:
        """Lay the point and the hops around it over the image."""
        field, path = self._field, self._path
        if field is None or path is None or not len(path.points):
            return
        first = at // HOPS * HOPS
        active = self._workspace.active_overlay
        if first != self._drawn_from:
            self._drawn_from = first
            self._workspace.add_overlay(path_overlay(field, path, first))
        self._workspace.add_overlay(point_overlay(field, path, at))
        if active is not None and active.id in self._workspace.overlays:
            self._workspace.activate_overlay(active.id)

    def _on_play(self, on: bool) -> None:
        self.play_button.setText("Pause" if on else "Play")
        if not on:
            self._pulse.stop()
            return
        if self.path_slider.value() >= self.path_slider.maximum():
            self.path_slider.setValue(0)
        self._draw_place(self.path_slider.value())
        self._pulse.start()

    def _step_on(self) -> None:
        top = self.path_slider.maximum()
        if self._field is None or self.path_slider.value() >= top:
            self.play_button.setChecked(False)
            return
        step = max(1, round(top / _BEATS))
        self.path_slider.setValue(min(top, self.path_slider.value() + step))

    # -- maps and files ------------------------------------------------------------------

    def lay_over(self, what: str, *_: object) -> None:
        """Lay one of the block's maps over the image."""
        field, number = self._field, self._number()
        if field is None:
            return
        coverage = self._figures.coverage if self._figures is not None else None
        ratio = self.ratio_slider.value() / 100

        def run(progress: Progress) -> Overlay:
            mask = None
            if what == "kept" and coverage is not None and ratio != field.blocks[number - 1].kept:
                mask = coverage.mask(ratio)
            return block_map(field, number, what, mask)

        def show(overlay: Overlay) -> None:
            if self._field is field:
                self._workspace.add_overlay(overlay)
                self._workspace.activate_overlay(overlay.id)

        self._submit(f"{MAPS[what]}", run, show, "cluster map")

    def _on_ratio_set(self) -> None:
        """A map of kept pixels that lies over the image follows the slider."""
        field = self._field
        shown = None if field is None else self._workspace.overlays.get(f"{field.id}-map")
        if shown is not None and shown.title.startswith(MAPS["kept"]):
            self.lay_over("kept")

    def save_files(self, folder: str | Path | None = None) -> None:
        """Write everything into a folder; without one, ask for it."""
        field = self._field
        scene = None if field is None else self._workspace.scenes.get(field.scene_id)
        if field is None or scene is None:
            return
        if folder is None:
            name = QFileDialog.getExistingDirectory(self, "Folder for maps, tables and figures")
            if not name:
                return
            folder = name
        self._submit_files(scene, field, Path(folder))

    def _submit_files(self, scene: Scene, field: ClusterField, folder: Path) -> None:
        from backends.hyperspectral.whitebox import whitebox_command, write_whitebox

        labels, names = self._labels(), self._label_names()
        sheet = self._workspace.labels.get(scene.id)
        source = sheet.source if sheet is not None else ""
        command = whitebox_command(field, scene, self._workspace.run_log.lines, folder, source)

        def run(progress: Progress) -> list[Path]:
            return write_whitebox(
                (field,), scene, folder, labels=labels, class_names=names, progress=progress
            ).files

        def show(files: list[Path]) -> None:
            self.save_button.setToolTip(f"{len(files)} files written to {folder}")

        job: Job[Any] = Job(
            f"Save the clusters of {scene.title}",
            run,
            scene_id=scene.id,
            command=command,
            topic="whitebox files",
        )
        self._workspace.submit(job, on_result=show)

    # -- small things --------------------------------------------------------------------

    def _submit(self, title: str, run: Any, show: Any, topic: str, *, quiet: bool = True) -> None:
        assert self._field is not None
        job: Job[Any] = Job(title, run, scene_id=self._field.scene_id, topic=topic, quiet=quiet)
        self._workspace.submit(job, on_result=show)

    def _number(self) -> int:
        return int(self.block_box.currentData() or 1)

    def _block(self) -> ClusterBlock:
        assert self._field is not None
        return self._field.blocks[self._number() - 1]

    def _colors(self) -> dict[int, str]:
        return class_colors(cluster_names(self._block()))

    def _labels(self) -> NDArray[Any] | None:
        field = self._field
        sheet = None if field is None else self._workspace.labels.get(field.scene_id)
        if field is None or sheet is None or sheet.values.shape != field.shape:
            return None
        return sheet.values.copy() if sheet.values.any() else None

    def _label_names(self) -> Mapping[int, str]:
        sheet = None if self._field is None else self._workspace.labels.get(self._field.scene_id)
        return {} if sheet is None else dict(sheet.class_names)


def _facts(block: ClusterBlock, tiles: int) -> str:
    words = f"{block.clusters} clusters, temperature {block.temperature:.2f}"
    words += f", {100 * block.kept:.0f}\u00a0% of the pixels read." if block.kept < 1 else "."
    if block.moved > 0.0005:
        words += f" {100 * block.moved:.1f}\u00a0% of the pixels went to their next best cluster: "
        words += "the best was full."
    if tiles > 1:
        words += f" Read in {tiles} tiles: clusters are the same in all, orders are each tile's."
    return words


def _edges_words(found: BoundaryAgreement | None) -> str:
    if found is None or found.f1 is None or found.precision is None or found.recall is None:
        return "Edges: no two labelled classes touch, or no cluster ends between them."
    return (
        f"Edges agree {100 * found.f1:.0f}\u00a0% (F1, within {found.tolerance} pixel): "
        f"{100 * found.recall:.0f}\u00a0% of the edges between classes lie on a cluster's edge, "
        f"{100 * found.precision:.0f}\u00a0% of the clusters' edges on one between classes."
    )


def _title(text: str) -> QLabel:
    label = QLabel(f"<b>{text}</b>")
    return label


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
