"""What a clustered reader did: groups of pixels, the order they were read in, what was kept."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PyQt6 import sip
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import (
    QFileDialog,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.jobs import Job, JobHandle, Progress
from backends.overlays import ClusterField, Overlay
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.clusters.classes_page import ClassesPage
from widgets.clusters.compare_page import ComparePage
from widgets.clusters.desk import Desk, run_title
from widgets.clusters.kept_page import KeptPage
from widgets.clusters.maps_page import MapsPage
from widgets.clusters.order_page import OrderPage
from widgets.clusters.pixel_page import PixelPage
from widgets.clusters.spectra_page import SpectraPage
from widgets.clusters.training_page import MODEL, TrainingPage
from widgets.pages import Page, PageTabs, narrow_box, scrolled_column
from widgets.theme import GRID, wrapped

_TIPS = {
    "Maps": "Clusters, how sure they are, what the reader took in, as maps",
    "Pixel": "One pixel and its membership in every cluster",
    "Order": "In which order pixels were read",
    "Kept": "What would be read if only part were, and the score that decides",
    "Classes": "Clusters beside labels: sizes, purity, borders",
    "Spectra": "Mean spectra of the clusters",
    "Training": "Losses and temperatures over the training; settings of the next one",
    "Compare": "These clusters beside those of another run",
}
_EMPTY = (
    "No clusters yet. Classify the scene with the clustered reader (css_mamba, Classify tab): "
    "the map comes with the groups it read."
)


class ClustersDock(QWidget):
    """The groups of a clustered reader, block by block."""

    ID = "clusters"
    TITLE = "Clusters"

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._watched: JobHandle[Any] | None = None
        self.desk = Desk(workspace, self)
        self._build()
        for signal in (
            workspace.overlay_added,
            workspace.active_overlay_changed,
            workspace.active_scene_changed,
        ):
            listen(self, signal, self._find_field)
        listen(self, workspace.overlay_removed, self._on_removed)
        listen(self, workspace.overlay_replaced, lambda old, new: self._find_field())
        listen(self, workspace.pixel_selected, self._on_pixel)
        listen(self, workspace.cursor_moved, self._on_hover)
        listen(self, workspace.cursor_left, lambda: self.pixel.under_mouse(None))
        listen(self, workspace.labels_changed, self._on_labels)
        listen(self, workspace.job_submitted, self._on_job)
        listen(self, workspace.job_finished, self._on_finished)
        for handle in workspace.running_jobs():
            self._on_job(handle)
        self._find_field()

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        column = scrolled_column(self)
        self.empty = wrapped(_EMPTY)
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self.heading = wrapped("Which pixels were read together, and in which order.")
        body.addWidget(self.heading)
        self.run_box = narrow_box("Which run")
        self.run_box.currentIndexChanged.connect(self._on_run)
        body.addWidget(self.run_box)
        self.maps, self.pixel = MapsPage(self.desk), PixelPage(self.desk)
        self.order, self.kept = OrderPage(self.desk), KeptPage(self.desk)
        self.classes, self.spectra = ClassesPage(self.desk), SpectraPage(self.desk)
        self.training, self.compare = TrainingPage(self.desk), ComparePage(self.desk)
        self.pages: dict[str, Page] = {
            "Maps": self.maps,
            "Pixel": self.pixel,
            "Order": self.order,
            "Kept": self.kept,
            "Classes": self.classes,
            "Spectra": self.spectra,
            "Training": self.training,
            "Compare": self.compare,
        }
        tabs = PageTabs(self.pages, _TIPS, self.show_page)
        self.tabs = tabs.buttons
        body.addLayout(tabs)
        self.block_box = narrow_box("Which block of the network")
        self.block_box.currentIndexChanged.connect(self._on_block)
        body.addWidget(self.block_box)
        for page in self.pages.values():
            body.addWidget(page)
        self.save_button = QPushButton("Save everything as files…")
        self.save_button.setToolTip("Maps, orders, tables and figures into a folder")
        self.save_button.clicked.connect(lambda: self.save_files())
        body.addWidget(self.save_button)
        self.show_page("Maps")

    def show_page(self, name: str, *_: object) -> None:
        """Turn to a page."""
        self.tabs[name].setChecked(True)
        for other, page in self.pages.items():
            page.setVisible(other == name)
        if name != "Order":
            self.order.play_button.setChecked(False)
        self.block_box.setVisible(name != "Training" and self.desk.field is not None)

    # -- what is shown -------------------------------------------------------------------

    @property
    def field(self) -> ClusterField | None:
        """The clusters shown now."""
        return self.desk.field

    @property
    def cluster(self) -> int | None:
        """The cluster chosen now."""
        return self.desk.cluster

    def showEvent(self, event: QShowEvent | None) -> None:
        """Compute what was put off while nobody looked."""
        super().showEvent(event)
        self.desk.compute()

    def _fields(self) -> list[ClusterField]:
        """Return the runs of the active scene, the newest last."""
        scene = self._workspace.active_scene
        if scene is None:
            return []
        return [o for o in self._workspace.overlays_of(scene.id) if isinstance(o, ClusterField)]

    def _find_field(self, *_: object) -> None:
        """Take the active overlay's clusters, else a run that is new, else stay."""
        fields, active, shown = self._fields(), self._workspace.active_overlay, self.desk.field
        listed = [self.run_box.itemData(i) for i in range(self.run_box.count())]
        found: ClusterField | None = fields[-1] if fields else None
        if isinstance(active, ClusterField) and active in fields:
            found = active
        elif found is not None and shown is not None and (found.partial or found.id in listed):
            # Laying a map over the image says nothing about which clusters are meant.
            found = next((f for f in fields if f.id == shown.id), found)
        if [f.id for f in fields] != listed:
            self._fill_runs(fields, found)
        self._show(found)

    def _fill_runs(self, fields: list[ClusterField], chosen: ClusterField | None) -> None:
        self.run_box.blockSignals(True)
        self.run_box.clear()
        for field in fields:
            self.run_box.addItem(run_title(field, fields), field.id)
        if chosen is not None:
            self.run_box.setCurrentIndex(self.run_box.findData(chosen.id))
        self.run_box.blockSignals(False)
        self.run_box.setVisible(len(fields) > 1)

    def _on_run(self, *_: object) -> None:
        key = self.run_box.currentData()
        found = next((f for f in self._fields() if f.id == key), None)
        if found is not None:
            self._show(found)

    def _show(self, field: ClusterField | None) -> None:
        before = self.desk.field
        live = self.desk.live is not None
        self.empty.setVisible(field is None and not live)
        self.content.setVisible(field is not None or live)
        if field is None and live:
            self.show_page("Training")
        for name, tab in self.tabs.items():
            tab.setEnabled(field is not None or name == "Training")
        self.save_button.setVisible(field is not None and not field.partial)
        if field is before:
            return
        same = field is not None and before is not None and before.id == field.id
        if not same:
            self.order.rest()
        self.run_box.blockSignals(True)
        self.run_box.setCurrentIndex(-1 if field is None else self.run_box.findData(field.id))
        self.run_box.blockSignals(False)
        self.block_box.setVisible(field is not None and not self.training.isVisibleTo(self))
        if field is None:
            self.desk.show(None)
            return
        self.heading.setToolTip(field.title)
        number = self.desk.number if same else len(field.blocks)
        self.block_box.blockSignals(True)
        self.block_box.clear()
        for other in range(1, len(field.blocks) + 1):
            self.block_box.addItem(f"Block {other} of {len(field.blocks)}", other)
        self.block_box.setCurrentIndex(number - 1)
        self.block_box.blockSignals(False)
        self.desk.show(field, number)
        self._compute()

    def _on_block(self, *_: object) -> None:
        if self.desk.field is not None and self.block_box.currentData():
            self.order.rest()
            self.desk.show(self.desk.field, int(self.block_box.currentData()))
            self._compute()

    def _on_labels(self, scene_id: str) -> None:
        if self.desk.field is not None and self.desk.field.scene_id == scene_id:
            self.desk.stale()
            self._compute()

    def _compute(self) -> None:
        if self.isVisible():
            self.desk.compute()

    # -- pixels --------------------------------------------------------------------------

    def _on_hover(self, scene_id: str, row: int, col: int) -> None:
        if self.isVisible():
            self.pixel.under_mouse(self.desk.place(scene_id, row, col))

    def _on_pixel(self, scene_id: str, row: int, col: int) -> None:
        place = self.desk.place(scene_id, row, col)
        if place is None:
            return
        self.desk.pixel = place
        self.desk.pointed.emit()
        block = self.desk.block
        if block.cluster[place]:
            self.desk.choose(int(block.cluster[place]), int(block.sequence[place]))

    # -- a training that runs ------------------------------------------------------------

    def _on_job(self, handle: JobHandle[Any]) -> None:
        """Look on while a clustered reader is trained."""
        if handle.job.parameters.get("model") != MODEL:
            return
        self._watched = handle
        listen(self, handle.partial, self._on_part)

    def _on_part(self, part: Any) -> None:
        # On the thread of the training.
        self._workspace.dispatch(partial(self._take_part, part))

    def _take_part(self, part: Any) -> None:
        handle, scene = self._watched, self._workspace.active_scene
        if sip.isdeleted(self) or handle is None or handle.state.is_final:
            return
        if scene is None or handle.job.scene_id != scene.id:
            return
        if getattr(part, "series", None):
            first = self.desk.live is None
            self.desk.live = part
            if first and self.desk.field is None:
                self._show(None)
            self.desk.trained.emit()

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is not self._watched:
            return
        self._watched, self.desk.live = None, None
        self._find_field()
        self.desk.trained.emit()

    def _on_removed(self, overlay: Overlay) -> None:
        if isinstance(overlay, ClusterField) and overlay.partial:
            # Maps of clusters that are no more.
            for overlay_id in [i for i in self._workspace.overlays if i.startswith(overlay.id)]:
                self._workspace.remove_overlay(overlay_id)
        self._find_field()

    # -- files ---------------------------------------------------------------------------

    def save_files(self, folder: str | Path | None = None) -> None:
        """Write everything into a folder; without one, ask for it."""
        field, scene = self.desk.field, self.desk.scene
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

        labels, names = self.desk.labels, self.desk.label_names
        sheet = self._workspace.labels.get(scene.id)
        source = sheet.source if sheet is not None else ""
        command = whitebox_command(field, scene, self._workspace.run_log.lines, folder, source)
        other = self.compare.other

        def run(progress: Progress) -> list[Path]:
            return write_whitebox(
                (field,),
                scene,
                folder,
                labels=labels,
                class_names=names,
                other=other,
                progress=progress,
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
