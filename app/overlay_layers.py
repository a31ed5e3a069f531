"""Overlays of the workspace on the canvas: rows, legends, blink and swipe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app import layers as conversion
from app import overlay_looks as looks
from app.followed import Followed, Follower
from app.map_levels import put_values
from app.stage import Rank, Stage
from backends.areas import class_areas
from backends.jobs import Job, Progress
from backends.overlays import (
    ClassMap,
    ClusterField,
    ConceptMaps,
    MatrixField,
    Overlay,
    ScoreMap,
)
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.boards import (
    LABELS,
    PINS,
    REGIONS,
    ColorScale,
    LayerBoard,
    Legend,
    Row,
)

_ABOVE = (PINS, REGIONS, LABELS)


class OverlayLayers:
    """Keeps canvas and board in step with the overlays of the workspace.

    Parameters
    ----------
    workspace : Workspace
    stage : Stage
    board : LayerBoard
    """

    def __init__(self, workspace: Workspace, stage: Stage, board: LayerBoard) -> None:
        self.workspace, self.stage, self.board = workspace, stage, board
        self._layers: dict[str, list[Any]] = {}
        self._blinked: set[str] = set()
        self._following = False
        workspace.overlay_added.connect(self._on_added)
        workspace.overlay_replaced.connect(self._on_replaced)
        workspace.overlay_removed.connect(self._on_removed)
        workspace.active_overlay_changed.connect(self._on_active_overlay)
        board.row_changed.connect(self._on_row)
        board.active_changed.connect(self._on_active_row)
        board.swipe_changed.connect(self._on_swipe)
        board.blink_asked.connect(self.blink)
        stage.on_taken.append(self._on_taken)

    def layers(self, overlay_id: str) -> list[Any]:
        """Return the napari layers of an overlay."""
        return self._layers.get(overlay_id, [])

    def blink(self, scene_id: str) -> bool:
        """Switch between the active overlay and the next one below, or the bare picture.

        What comes hidden, as the margins of a map, takes part once the user has shown it.

        Returns
        -------
        bool
            False where there is no overlay.
        """
        rows = self.board.overlay_rows(scene_id)
        if not rows:
            return False
        ids = [row.id for row in rows]
        active = self.board.active(scene_id)
        at = ids.index(active) if active in ids else 0
        other = next((row for row in rows[at + 1 :] if self._blinks(row)), None)
        show = not rows[at].visible
        self.board.change(scene_id, rows[at].id, visible=show)
        if other is not None:
            self._blinked.add(other.id)
            self.board.change(scene_id, other.id, visible=not show)
        return True

    def _blinks(self, row: Row) -> bool:
        overlay = self.workspace.overlays.get(row.id)
        return row.visible or row.id in self._blinked or overlay is None or overlay.shown

    # -- the workspace changed -----------------------------------------------------------

    def _on_added(self, overlay: Overlay) -> None:
        scene = self.workspace.scenes[overlay.scene_id]
        made = conversion.to_layers(overlay, self.stage.frame(scene))
        self._put(scene, overlay, made)
        rows = self.board.rows(scene.id)
        above = sum(1 for row in rows if row.id in _ABOVE)
        self.board.put(scene.id, self._row(overlay), at=above)
        self._apply(scene.id, overlay.id)
        self._color_later(overlay)
        self._compute_legend(overlay)
        if overlay.shown and not isinstance(overlay, (MatrixField, ClusterField)):
            self.workspace.activate_overlay(overlay.id)

    def _on_replaced(self, before: Overlay, overlay: Overlay) -> None:
        scene = self.workspace.scenes[overlay.scene_id]
        row = self.board.row(scene.id, overlay.id)
        choice = row.choice if row else 0
        old = self._layers.get(overlay.id, [])
        if not conversion.update_layers(old, overlay, choice):
            # What lies above it stays above.
            at = self.stage.place(scene.id, old[0]) if old else None
            for layer in old:
                self.stage.remove(scene.id, layer)
            made = conversion.to_layers(overlay, self.stage.frame(scene))
            self._put(scene, overlay, made, at)
            self._place_colorbar(self.board.active(scene.id))
        elif old:
            more = conversion.further_layers(old, overlay, self.stage.frame(scene))
            at = self.stage.place(scene.id, old[-1])
            self._put(scene, overlay, more, None if at is None else at + 1)
        self.board.put(scene.id, self._row(overlay, row))
        self._apply(scene.id, overlay.id)
        self._color_later(overlay)
        self._compute_legend(overlay)

    def _on_removed(self, overlay: Overlay) -> None:
        for layer in self._layers.pop(overlay.id, []):
            self.stage.remove(overlay.scene_id, layer)
        self.board.take(overlay.scene_id, overlay.id)

    def _put(self, scene: Scene, overlay: Overlay, made: list[Any], at: int | None = None) -> None:
        kept = [
            one for one in self._layers.get(overlay.id, []) if one in self.stage.layers(scene.id)
        ]
        self._layers[overlay.id] = [*kept, *made]
        for number, layer in enumerate(made):
            if isinstance(layer, Followed):
                Follower(self.workspace, scene.id, layer)
            self.stage.add(scene, layer, Rank.OVERLAY, None if at is None else at + number)
            # napari's own list may hide it or fade it, too.
            layer.events.visible.connect(lambda event, o=overlay: self._from_canvas(o, event))
            layer.events.opacity.connect(lambda event, o=overlay: self._from_canvas(o, event))

    def _row(self, overlay: Overlay, before: Row | None = None) -> Row:
        made = self._layers.get(overlay.id, [])
        default = conversion.OPACITY.get(overlay.kind, 1.0)
        return Row(
            overlay.id,
            overlay.title,
            looks.kind_words(overlay),
            swatch=looks.swatch(overlay),
            visible=before.visible if before else overlay.shown,
            opacity=before.opacity if before else default,
            partial=overlay.partial,
            tooltip=looks.provenance_text(overlay),
            choices=overlay.names if isinstance(overlay, ConceptMaps) else (),
            choice=before.choice if before else 0,
            on_canvas=bool(made),
        )

    # -- the board or the canvas changed -------------------------------------------------

    def _on_row(self, scene_id: str, row_id: str) -> None:
        overlay = self.workspace.overlays.get(row_id)
        row = self.board.row(scene_id, row_id)
        if overlay is None or row is None:
            return
        for layer in self._layers.get(row_id, []):
            if layer.metadata[conversion.META]["choice"] != row.choice:
                conversion.update_layers([layer], overlay, row.choice)
                self._compute_legend(overlay)
        self._apply(scene_id, row_id)

    def _apply(self, scene_id: str, row_id: str) -> None:
        row = self.board.row(scene_id, row_id)
        if row is None:
            return
        self._following = True
        try:
            for layer in self._layers.get(row_id, []):
                # napari draws anew even when nothing changes.
                if layer.visible != row.visible:
                    layer.visible = row.visible
                if layer.opacity != row.opacity:
                    layer.opacity = row.opacity
        finally:
            self._following = False

    def _from_canvas(self, overlay: Overlay, event: Any) -> None:
        if not self._following:
            layer = event.source
            self.board.change(
                overlay.scene_id,
                overlay.id,
                visible=bool(layer.visible),
                opacity=float(layer.opacity),
            )

    def _on_taken(self, scene_id: str, layer: Any) -> None:
        """The user deleted the layer with napari's own list."""
        for overlay_id, made in list(self._layers.items()):
            if layer in made:
                made.remove(layer)
                self.workspace.remove_overlay(overlay_id)

    def _on_active_overlay(self, overlay: Overlay | None) -> None:
        if overlay is not None:
            self.board.activate(overlay.scene_id, overlay.id)

    def _on_active_row(self, scene_id: str) -> None:
        self.board.set_swipe(None)
        active = self.board.active(scene_id)
        if active in self.workspace.overlays:
            self.workspace.activate_overlay(active)
        self._place_colorbar(active)

    def _place_colorbar(self, active: str | None) -> None:
        """Show one colour bar at a time: that of the layer the legend speaks of."""
        for overlay_id, made in self._layers.items():
            for layer in made:
                if hasattr(layer, "colorbar"):  # colours that are drawn as they are have no bar
                    layer.colorbar.visible = overlay_id == active and not layer.rgb

    def _color_later(self, overlay: Overlay) -> None:
        """Make the colours of a large map that fades on a worker."""
        if not isinstance(overlay, ClassMap) or not looks.later(overlay):
            return

        def show(colors: NDArray[np.uint8]) -> None:
            made = self._layers.get(overlay.id)
            if made and self.workspace.overlays.get(overlay.id) is overlay:
                swiped = self.board.active(overlay.scene_id) == overlay.id
                conversion.put_colors(made[0], colors, self.board.swipe if swiped else None)

        job = Job(
            f"Colours of {overlay.title}",
            lambda progress: looks.faded(overlay),
            scene_id=overlay.scene_id,
            topic=f"colours {overlay.id}",
            quiet=True,
        )
        self.workspace.submit(job, on_result=show)

    # -- legends -------------------------------------------------------------------------

    def _compute_legend(self, overlay: Overlay) -> None:
        scene = self.workspace.scenes[overlay.scene_id]
        row = self.board.row(scene.id, overlay.id)
        choice = row.choice if row else 0

        def run(progress: Progress) -> Legend | None:
            return legend_of(overlay, scene, choice, progress)

        def show(legend: Legend | None) -> None:
            if legend is not None and self.workspace.overlays.get(overlay.id) is overlay:
                self.board.set_legend(scene.id, overlay.id, legend)

        job = Job(
            f"Legend of {overlay.title}",
            run,
            scene_id=scene.id,
            topic=f"legend {overlay.id}",
            quiet=True,
        )
        self.workspace.submit(job, on_result=show)

    # -- swipe ---------------------------------------------------------------------------

    def _on_swipe(self, part: float | None) -> None:
        """Let the active overlay end at a part of its width: a view of it, no copy."""
        scene = self.workspace.active_scene
        active = None if scene is None else self.board.active(scene.id)
        for overlay_id, made in self._layers.items():
            overlay = self.workspace.overlays.get(overlay_id)
            wanted = part if overlay_id == active else None
            if isinstance(overlay, (ClassMap, ScoreMap, ConceptMaps)):
                # The picture comes first; lines over it stay whole.
                for layer in made[:1]:
                    _cut(layer, overlay, wanted)


def legend_of(
    overlay: Overlay, scene: Scene, choice: int = 0, progress: Progress | None = None
) -> Legend | None:
    """Return what the colours of an overlay mean, with areas where the pixel size is known."""
    if isinstance(overlay, ClassMap):
        colors = looks.colors_of(overlay)
        return class_areas(overlay, scene, colors=colors, progress=progress)
    if isinstance(overlay, (ScoreMap, ConceptMaps)):
        values = looks.plane(overlay, choice)
        low, high = looks.limits(overlay, choice)
        finite = np.isfinite(values)
        some = bool(finite.any())
        return ColorScale(
            looks.colormap_name(overlay),
            low,
            high,
            smallest=float(values.min(where=finite, initial=np.inf)) if some else low,
            largest=float(values.max(where=finite, initial=-np.inf)) if some else high,
            unit=overlay.unit if isinstance(overlay, ScoreMap) else "",
            centre=overlay.centre if isinstance(overlay, ScoreMap) else None,
        )
    return None


def _cut(layer: Any, overlay: Overlay, part: float | None) -> None:
    choice = layer.metadata[conversion.META]["choice"]
    if looks.later(overlay):
        colors = layer.metadata.get(conversion.COLORS)
        if colors is not None:
            conversion.put_colors(layer, colors, part)
        return
    if isinstance(overlay, ClassMap):
        cols = overlay.labels.shape[1]
    else:
        cols = looks.plane(overlay, choice).shape[1]
    keep = cols if part is None else min(cols, max(1, round(part * cols)))
    if layer.data.shape[1] != keep:
        flat = isinstance(overlay, ClassMap)
        full = looks.picture(overlay) if flat else looks.plane(overlay, choice)
        if flat:
            layer.data = full[:, :keep]
        else:
            put_values(layer, full[:, :keep])
