"""What the pages of the clusters dock share: the field, the block, the cluster, the pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal

from backends.cluster_analysis import ClusterTable, Coverage, cluster_table
from backends.cluster_maps import MAPS, block_map, cluster_names
from backends.jobs import Progress
from backends.matrix_analysis import on_grid
from backends.overlays import ClusterBlock, ClusterField, Overlay
from backends.palette import class_colors
from backends.workspace import Workspace
from widgets.pages import PageDesk


@dataclass(frozen=True, eq=False)
class Figures:
    """What is computed of one block for several pages."""

    table: ClusterTable
    coverage: Coverage


class Desk(PageDesk):
    """The state the pages speak of; it changes with the field and with the block."""

    topic = "clusters"
    field: ClusterField | None
    figured = pyqtSignal()  # its figures are there
    chosen = pyqtSignal()  # another cluster or sequence
    pointed = pyqtSignal()  # another pixel, under the mouse or clicked
    trained = pyqtSignal()  # a training that runs has said something

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(workspace, parent)
        self.number = 1
        self.cluster: int | None = None
        self.sequence = 0
        self.pixel: tuple[int, int] | None = None  # in the field
        self.ratio = 1.0
        self.figures: Figures | None = None
        self.live: Any = None  # the curve of a training that runs
        self._stale = True

    # -- what there is -------------------------------------------------------------------

    @property
    def block(self) -> ClusterBlock:
        """The block shown."""
        assert self.field is not None
        return self.field.blocks[min(self.number, len(self.field.blocks)) - 1]

    @property
    def labels(self) -> NDArray[Any] | None:
        """The labels at the pixels of the field, where some are set."""
        field, scene = self.field, self.scene
        sheet = None if field is None else self.workspace.labels.get(field.scene_id)
        if field is None or scene is None or sheet is None or not sheet.values.any():
            return None
        if sheet.values.shape != scene.shape[:2]:
            return None
        return np.array(on_grid(sheet.values, field.placement, field.shape))

    @property
    def label_names(self) -> Mapping[int, str]:
        """Names of the labels by value."""
        sheet = None if self.field is None else self.workspace.labels.get(self.field.scene_id)
        return {} if sheet is None else dict(sheet.class_names)

    @property
    def colors(self) -> dict[int, str]:
        """A colour a cluster, as in the map."""
        return class_colors(cluster_names(self.block))

    @property
    def variant(self) -> str:
        """How the pixels were grouped and read, see `CssSettings`."""
        assert self.field is not None
        return str(self.field.provenance.parameters.get("variant", "ours"))

    def place(self, scene_id: str, row: int, col: int) -> tuple[int, int] | None:
        """Return the pixel of the maps under a pixel of the scene."""
        field = self.field
        if field is None or field.scene_id != scene_id:
            return None
        p = field.placement
        r, c = int((row - p.row) / p.row_step), int((col - p.col) / p.col_step)
        return (r, c) if 0 <= r < field.shape[0] and 0 <= c < field.shape[1] else None

    def scene_pixel(self, row: int, col: int) -> tuple[int, int]:
        """Return the pixel of the scene under a pixel of the maps."""
        assert self.field is not None
        p = self.field.placement
        return int(p.row + row * p.row_step), int(p.col + col * p.col_step)

    # -- what happens --------------------------------------------------------------------

    def show(self, field: ClusterField | None, number: int | None = None) -> None:
        """Speak of another field or block; the newest state of the same keeps what is chosen."""
        same = field is not None and self.field is not None and field.id == self.field.id
        keeps = same and number in (None, self.number)
        self.field = field
        if number is not None:
            self.number = number
        self.figures, self._stale = None, True
        if not keeps:
            self.cluster, self.sequence, self.pixel = None, 0, None
            self.ratio = 1.0 if field is None else self.block.kept
        self.changed.emit()

    def stale(self) -> None:
        """Figures have to be computed anew."""
        self._stale = True

    def compute(self) -> None:
        """Ask for the figures of the block."""
        if self.field is None or not self._stale:
            return
        self._stale = False
        block, labels = self.block, self.labels

        def run(progress: Progress) -> Figures:
            table = cluster_table(block, labels)
            progress.check()
            return Figures(table, Coverage(block, labels))

        def show(figures: Figures) -> None:
            if self.block is not block:
                return
            self.figures = figures
            if self.cluster is None and figures.table.sizes.any():
                self.choose(int(figures.table.sizes.argmax()) + 1)
            self.figured.emit()

        self.submit("Look at the clusters", "figures", run, show)

    def choose(self, cluster: int, sequence: int = 0) -> None:
        """Look at one cluster: its row, spectrum and reading order."""
        if self.field is None or (cluster == self.cluster and sequence in (0, self.sequence)):
            return
        self.cluster, self.sequence = cluster, sequence
        self.chosen.emit()

    def lay_over(self, what: str) -> None:
        """Lay one of the block's maps over the image."""
        field, number, ratio = self.field, self.number, self.ratio
        if field is None:
            return
        coverage = None if self.figures is None else self.figures.coverage

        def run(progress: Progress) -> Overlay:
            mask = None
            if what == "kept" and coverage is not None and ratio != field.blocks[number - 1].kept:
                mask = coverage.mask(ratio)
            return block_map(field, number, what, mask)

        self.submit(MAPS[what], "map", run, self.put_on)

    def put_above(self, overlay: Overlay) -> None:
        """Lay something over the map that lies on the image, which stays the active one."""
        active = self.workspace.active_overlay
        self.workspace.add_overlay(overlay)
        if active is not None and active.id in self.workspace.overlays:
            self.workspace.activate_overlay(active.id)

    def put_on(self, overlay: Overlay) -> None:
        """Lay a map over the image and let it be the active one."""
        self.workspace.add_overlay(overlay)
        self.workspace.activate_overlay(overlay.id)


def run_title(field: ClusterField, runs: Sequence[ClusterField]) -> str:
    """Return a name that tells the runs of a scene apart, short enough for a list."""
    said = field.provenance.parameters
    built = said.get("variant", field.provenance.method)
    if field.partial:
        return f"In training: {built}"
    at = next((i for i, run in enumerate(runs, 1) if run.id == field.id), None)
    seed = f", seed {said['seed']}" if "seed" in said else ""
    return f"{'File' if at is None else f'Run {at}'}: {built}{seed}"


def title(text: str) -> str:
    """Return a small heading for a label."""
    return f"<b>{text}</b>"


def escape(text: str) -> str:
    """Return text that a label shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
