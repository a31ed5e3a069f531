"""Two bands or maps against each other; what is brushed there is bright on the map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import QHBoxLayout, QPushButton

from backends.jobs import Job, JobHandle, Progress
from backends.overlays import ClassMap, Overlay, Provenance, ScoreMap
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import narrow_box
from widgets.spectral_tools.brush_plot import BRUSHED, BrushPlot
from widgets.spectral_tools.forms import ToolForm
from widgets.theme import wrapped

if TYPE_CHECKING:
    from backends.spectra.scatter import Axis, Scatter

_WANTED_NM = (660.0, 860.0)


class ScatterForm(ToolForm):
    """Brush in the plot: the map shows it. Draw a region on the map: the plot shows it."""

    TOOL = "scatter"
    RUNS = False

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("How do two bands or maps lie to each other?")
        self._workspace = workspace
        self._scatter: Scatter | None = None
        self._asked: tuple[str, Any, Any] = ("", None, None)
        self._scene_id = ""
        self._outline: list[tuple[float, float]] = []
        self._busy, self._waiting = False, False
        self._job: Job[Any] | None = None
        self._brush_job: Job[Any] | None = None
        self._provenance = Provenance("scatter brush")
        self.x_box, self.y_box = narrow_box("Across"), narrow_box("Upwards")
        self.rows.addRow("Across", self.x_box)
        self.rows.addRow("Upwards", self.y_box)
        self.plot = BrushPlot()
        self.line = wrapped()
        self.clear_button = QPushButton("Clear the brush")
        self.clear_button.clicked.connect(lambda: self.clear())
        row = QHBoxLayout()
        row.addWidget(self.clear_button)
        self.column.addWidget(self.plot)
        self.column.addWidget(self.line)
        self.column.addLayout(row)
        for box in (self.x_box, self.y_box):
            box.activated.connect(self._load)
        self.plot.box.brushed.connect(self.brush)
        self.plot.box.cleared.connect(self.clear)
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_info_changed, self._on_scene)
        listen(self, workspace.overlay_added, self._on_overlay)
        listen(self, workspace.overlay_removed, self._on_overlay)
        listen(self, workspace.regions_changed, self._on_regions)
        listen(self, workspace.cursor_moved, self._on_cursor)
        listen(self, workspace.cursor_left, self._on_cursor_left)
        listen(self, workspace.job_finished, self._on_finished)
        self._say()

    @property
    def overlay_id(self) -> str:
        """Id of the layer that shows the brushed pixels."""
        return f"{self._scene_id}-scatter"

    # -- axes ----------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._fill()
        self._load()

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self.clear()

    def choose(self, x: str, y: str) -> None:
        """Choose the axes by what the lists call them."""
        for box, name in ((self.x_box, x), (self.y_box, y)):
            box.setCurrentIndex(max(0, box.findText(name)))
        self._load()

    def _on_scene(self, *_: object) -> None:
        self.clear()
        self._scatter, self._asked = None, ("", None, None)
        self.x_box.clear()
        if self.isVisible():
            self._fill()
            self._load()

    def _on_overlay(self, overlay: Overlay) -> None:
        if isinstance(overlay, ScoreMap) and not overlay.partial and self.isVisible():
            self._fill()

    def _fill(self) -> None:
        """List the bands and the maps of the scene, and keep what was chosen."""
        scene = self._workspace.active_scene
        if scene is None:
            return
        maps = [
            o
            for o in self._workspace.overlays_of(scene.id)
            if isinstance(o, ScoreMap) and not o.partial and o.values.shape == scene.shape[:2]
        ]
        for box, nm in ((self.x_box, _WANTED_NM[0]), (self.y_box, _WANTED_NM[1])):
            kept = box.currentText()
            box.blockSignals(True)
            box.clear()
            for overlay in maps:
                box.addItem(overlay.title, overlay.id)
            for band in range(scene.shape[2]):
                box.addItem(scene.bands.label(band), band)
            at = box.findText(kept) if kept else -1
            if at < 0:
                found = scene.bands.nearest(nm)
                other = 0 if box is self.x_box else min(1, scene.shape[2] - 1)
                at = len(maps) + (other if found is None else found)
            box.setCurrentIndex(at)
            box.blockSignals(False)

    def _axis(self, box: Any) -> Axis | None:
        chosen = box.currentData()
        if isinstance(chosen, int):
            return chosen
        found = self._workspace.overlays.get(str(chosen))
        return found if isinstance(found, ScoreMap) else None

    def _load(self, *_: object) -> None:
        """Read the two axes in the background and draw how dense their pixels lie."""
        scene = self._workspace.active_scene
        if scene is None or not self.isVisible() or not self.x_box.count():
            return
        x, y = self._axis(self.x_box), self._axis(self.y_box)
        asked = (scene.id, self.x_box.currentData(), self.y_box.currentData())
        if x is None or y is None or asked == self._asked:
            return
        self.clear()
        self._asked, self._scene_id = asked, scene.id
        names = (self.x_box.currentText(), self.y_box.currentText())

        def run(progress: Progress) -> Scatter:
            from backends.spectra.scatter import scatter_of

            return scatter_of(scene, x, y, progress=progress)

        def show(found: Scatter) -> None:
            if self._asked == asked:
                self._scatter = found
                self.plot.show_density(found.density, found.x_range, found.y_range, names)
                self._on_regions()
                self._say()

        job = Job("Scatter plot", run, scene_id=scene.id, topic="scatter axes", quiet=True)
        self._job = job
        self._workspace.submit(job, on_result=show)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        # A job that is kept would keep its scene.
        if handle.job is self._brush_job:
            self._brush_job = None
            self._freed()
        elif handle.job is self._job:
            self._job = None
            if handle.error is not None:
                self._asked = ("", None, None)
                self.line.setText(str(handle.error))

    # -- from the plot to the map --------------------------------------------------------

    def brush(self, outline: Sequence[tuple[float, float]]) -> None:
        """Show on the map which pixels lie inside an outline over the plot."""
        self._outline = list(outline)
        self.plot.show_outline(self._outline)
        # One at a time: the newest outline waits for the one before, none in between.
        if self._busy:
            self._waiting = True
        else:
            self._mark()

    def clear(self) -> None:
        """Take the brush away."""
        self._outline, self._waiting = [], False
        self.plot.show_outline([])
        self._workspace.remove_overlay(self.overlay_id)
        self._say()

    def _mark(self) -> None:
        scatter, scene = self._scatter, self._workspace.scenes.get(self._scene_id)
        outline = list(self._outline)
        if scatter is None or scene is None or len(outline) < 3:
            return
        self._busy = True

        def run(progress: Progress) -> tuple[NDArray[np.uint8], int]:
            from backends.spectra.scatter import under_brush

            mask = under_brush(scatter, outline)
            return mask, int(np.count_nonzero(mask))

        def show(found: tuple[NDArray[np.uint8], int]) -> None:
            if self._outline and self._scatter is scatter:
                self._lay(scene, scatter, *found)

        job = Job("Brushed pixels", run, scene_id=scene.id, quiet=True)
        self._brush_job = job
        self._workspace.submit(job, on_result=show)

    def _freed(self) -> None:
        self._busy = False
        if self._waiting:
            self._waiting = False
            self._mark()

    def _lay(self, scene: Scene, scatter: Scatter, mask: NDArray[np.uint8], count: int) -> None:
        shown = ClassMap(
            "Brushed pixels", scene.id, self._provenance, labels=mask,
            class_names={1: BRUSHED}, placement=scatter.placement, partial=True,
            id=self.overlay_id,
        )  # fmt: skip
        self._workspace.add_overlay(shown)
        self._say(count)

    # -- from the map to the plot --------------------------------------------------------

    def _on_regions(self, *_: object) -> None:
        scatter = self._scatter
        if scatter is None or not self.isVisible():
            return
        mine = [r for r in self._workspace.regions.values() if r.scene_id == self._scene_id]

        def run(progress: Progress) -> list[tuple[NDArray[Any], str]]:
            from backends.spectra.scatter import cells_of

            return [(cells_of(scatter, region), region.shown_color) for region in mine]

        def show(layers: list[tuple[NDArray[Any], str]]) -> None:
            if self._scatter is scatter:
                self.plot.show_areas(layers)

        job = Job(
            "Regions on the scatter plot", run, scene_id=self._scene_id, topic="scatter regions",
            quiet=True,
        )  # fmt: skip
        self._workspace.submit(job, on_result=show)

    def _on_cursor(self, scene_id: str, row: int, col: int) -> None:
        if self._scatter is not None and scene_id == self._scene_id and self.isVisible():
            self.plot.show_here(*self._scatter.at(row, col))

    def _on_cursor_left(self) -> None:
        if self.isVisible():
            self.plot.show_here(np.nan, np.nan)

    def _say(self, count: int | None = None) -> None:
        self.clear_button.setEnabled(count is not None)
        scatter = self._scatter
        if scatter is None:
            self.line.setText("")
        elif count is None:
            self.line.setText(
                f"{scatter.pixels:,} pixels. Draw around some of them; regions of the map are "
                "shown in their colours."
            )
        else:
            share = 100 * count / max(1, scatter.pixels)
            self.line.setText(f"{count:,} of {scatter.pixels:,} pixels ({share:.1f} %).")
