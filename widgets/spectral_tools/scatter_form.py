"""Bands, shares or components against each other; what is brushed there is bright on the map."""

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
from widgets.spectral_tools.brush_plot import BRUSH_COLOR, BRUSHED, BrushPlot
from widgets.spectral_tools.cloud_row import CloudRow
from widgets.spectral_tools.forms import ToolForm
from widgets.spectral_tools.scatter_choice import ScatterChoice
from widgets.theme import wrapped

if TYPE_CHECKING:
    from backends.spectra.clouds import Cloud
    from backends.spectra.scatter import Scatter

_SHORT = 0.25


class ScatterForm(ToolForm):
    """Brush in the plot: the map shows it. Draw a region on the map: the plot shows it."""

    TOOL = "scatter"
    RUNS = False

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("How do bands, shares or components lie to each other?")
        self._workspace = workspace
        self._scatter: Scatter | None = None
        self._cloud: Cloud | None = None
        self._asked: tuple[Any, ...] = ()
        self._scene_id = ""
        self._outline: list[tuple[float, float]] = []
        self._mask: NDArray[np.uint8] | None = None
        self._busy, self._waiting = False, False
        self._turning, self._turn_again = False, False
        self._job: Job[Any] | None = None
        self._brush_job: Job[Any] | None = None
        self._turn_job: Job[Any] | None = None
        self._provenance = Provenance("scatter brush")
        self.choice = ScatterChoice(workspace, self.rows)
        self.plot = BrushPlot()
        self.cloud_row = CloudRow()
        self.line = wrapped()
        self.clear_button = QPushButton("Clear the brush")
        self.clear_button.clicked.connect(lambda: self.clear())
        row = QHBoxLayout()
        row.addWidget(self.clear_button)
        for part in (self.plot, self.cloud_row, self.line):
            self.column.addWidget(part)
        self.column.addLayout(row)
        self.choice.view_changed.connect(self._on_view)
        self.choice.changed.connect(self._load)
        self.cloud_row.turned.connect(self._turn)
        self.cloud_row.rested.connect(self._on_regions)
        self.plot.box.brushed.connect(self.brush)
        self.plot.box.cleared.connect(self.clear)
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_info_changed, self._on_scene)
        listen(self, workspace.scene_removed, self.choice.forget)
        listen(self, workspace.overlay_added, self._on_overlay)
        listen(self, workspace.overlay_removed, self._on_overlay)
        listen(self, workspace.regions_changed, self._on_regions)
        listen(self, workspace.cursor_moved, self._on_cursor)
        listen(self, workspace.cursor_left, self._on_cursor_left)
        listen(self, workspace.job_finished, self._on_finished)
        self._on_view()
        self._say()

    def offer(self, scene_id: str, overlays: Sequence[Overlay]) -> None:
        """Take the maps of a result, of which most are no layers yet, as axes and corners."""
        if self.choice.offer(scene_id, overlays) and self.isVisible():
            self.choice.fill()
            self._load()

    @property
    def overlay_id(self) -> str:
        """Id of the layer that shows the brushed pixels."""
        return f"{self._scene_id}-scatter"

    # -- axes ----------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self.choice.fill()
        self._load()

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self.clear()

    def choose(self, x: str, y: str) -> None:
        """Choose the axes by what the lists call them."""
        self.choice.choose(x, y)
        self._load()

    def _on_scene(self, *_: object) -> None:
        self.clear()
        self.cloud_row.rest()
        self._scatter, self._cloud, self._asked = None, None, ()
        self.choice.clear()
        if self.isVisible():
            self.choice.fill()
            self._load()

    def _on_view(self, *_: object) -> None:
        self.clear()
        self.cloud_row.rest()
        self.cloud_row.setVisible(self.choice.view == "cloud")
        self._scatter, self._cloud, self._asked = None, None, ()
        self._load()

    def _on_overlay(self, overlay: Overlay) -> None:
        if isinstance(overlay, ScoreMap) and not overlay.partial and self.isVisible():
            self.choice.fill()

    def _load(self, *_: object) -> None:
        """Read what is to be shown in the background and draw how dense the pixels lie."""
        scene = self._workspace.active_scene
        if scene is None or not self.isVisible() or self.choice.empty:
            return
        view, chosen = self.choice.view, self.choice.chosen()
        asked = (scene.id, view, *(c if isinstance(c, int) else c and c.id for c in chosen))
        if asked == self._asked:
            return
        missing = self.choice.missing(chosen)
        self.plot.setVisible(not missing)
        self.cloud_row.setEnabled(not missing)
        if missing or any(c is None for c in chosen):
            self._scatter, self._cloud, self._asked = None, None, ()
            self.line.setText(missing)
            return
        self.clear()
        self._asked, self._scene_id = asked, scene.id
        names = self.choice.names
        turn = self.cloud_row.turn

        def run(progress: Progress) -> tuple[Scatter, Cloud | None]:
            from backends.spectra import clouds
            from backends.spectra.scatter import scatter_of

            if view == "axes":
                return scatter_of(scene, *chosen, progress=progress), None  # type: ignore[arg-type]
            if view == "triangle":
                return clouds.ternary_of(chosen), None  # type: ignore[arg-type]
            cloud = clouds.cloud_of(chosen)  # type: ignore[arg-type]
            return cloud.seen(clouds.turned(cloud.dimensions, turn)), cloud

        def show(found: tuple[Scatter, Cloud | None]) -> None:
            if self._asked == asked:
                self._scatter, self._cloud = found
                self.plot.show_frame()
                self._draw(names)
                self._on_regions()
                self._say()

        job = Job("Scatter plot", run, scene_id=scene.id, topic="scatter axes", quiet=True)
        self._job = job
        self._workspace.submit(job, on_result=show)

    def _draw(self, names: tuple[str, str] = ("", "")) -> None:
        """Draw the density, and what stands instead of axes."""
        found = self._scatter
        if found is None:
            return
        framed = self.choice.view != "axes"
        self.plot.show_density(
            found.density, found.x_range, found.y_range, names, 0.08 if framed else 0.02
        )
        if self.choice.view == "triangle":
            from backends.spectra.clouds import CORNERS

            a, b, c = CORNERS
            anchors = ((0.2, 0.0), (0.8, 0.0), (0.5, 1.0))
            titles = self.choice.corner_names
            self.plot.show_frame(
                ((a, b), (b, c), (c, a)), list(zip(titles, CORNERS, anchors, strict=True))
            )
        elif self._cloud is not None:
            from backends.spectra.clouds import turned

            reach = 0.9 * self._cloud.reach
            ends = (reach * turned(self._cloud.dimensions, self.cloud_row.turn).T).tolist()
            # Directions that point at the eye are dots; their numbers would lie over each other.
            words = [
                (str(k), (x, y), (0.5, 0.5))
                for k, (x, y) in enumerate(ends, 1)
                if x * x + y * y > (_SHORT * reach) ** 2
            ]
            self.plot.show_frame([((0.0, 0.0), (0.92 * x, 0.92 * y)) for x, y in ends], words)

    # -- turning -------------------------------------------------------------------------

    def _turn(self) -> None:
        """Look at the cloud from where it is turned to; the newest turn waits for the last."""
        cloud, mask = self._cloud, self._mask
        if cloud is None or self._turning:
            self._turn_again = cloud is not None
            return
        self._turning, self._turn_again = True, False
        self._outline = []
        self.plot.show_outline([])
        turn, scene_id = self.cloud_row.turn, self._scene_id

        def run(progress: Progress) -> tuple[Scatter, Any]:
            from backends.spectra.clouds import turned
            from backends.spectra.scatter import cells_under

            seen = cloud.seen(turned(cloud.dimensions, turn))
            return seen, None if mask is None else cells_under(seen, mask)

        def show(found: tuple[Scatter, Any]) -> None:
            if self._cloud is not cloud:
                return
            self._scatter, cells = found
            self._draw()
            if cells is not None:
                self.plot.show_areas([(cells, BRUSH_COLOR)])
            if not self.cloud_row.turning:
                self._on_regions()

        job = Job("Turned cloud", run, scene_id=scene_id, quiet=True)
        self._turn_job = job
        self._workspace.submit(job, on_result=show)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        # A job that is kept would keep its scene.
        if handle.job is self._brush_job:
            self._brush_job = None
            self._freed()
        elif handle.job is self._turn_job:
            self._turn_job, self._turning = None, False
            if self._turn_again:
                self._turn()
        elif handle.job is self._job:
            self._job = None
            if handle.error is not None:
                self._asked = ()
                self.line.setText(str(handle.error))

    # -- from the plot to the map --------------------------------------------------------

    def brush(self, outline: Sequence[tuple[float, float]]) -> None:
        """Show on the map which pixels lie inside an outline over the plot."""
        self.cloud_row.rest()
        self._outline = list(outline)
        self.plot.show_outline(self._outline)
        # One at a time: the newest outline waits for the one before, none in between.
        if self._busy:
            self._waiting = True
        else:
            self._mark()

    def clear(self) -> None:
        """Take the brush away."""
        self._outline, self._waiting, self._mask = [], False, None
        self.plot.show_outline([])
        self._workspace.remove_overlay(self.overlay_id)
        if self._cloud is not None and not self.cloud_row.turning:
            self._on_regions()
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
        if self._cloud is not None:
            self._mask = mask
        self._say(count)

    # -- from the map to the plot --------------------------------------------------------

    def _on_regions(self, *_: object) -> None:
        scatter = self._scatter
        if scatter is None or not self.isVisible() or self.cloud_row.turning:
            return
        mask = self._mask if self._cloud is not None else None
        mine = [r for r in self._workspace.regions.values() if r.scene_id == self._scene_id]

        def run(progress: Progress) -> list[tuple[NDArray[Any], str]]:
            from backends.spectra.scatter import cells_of, cells_under

            marked = [] if mask is None else [(cells_under(scatter, mask), BRUSH_COLOR)]
            return marked + [(cells_of(scatter, region), region.shown_color) for region in mine]

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
