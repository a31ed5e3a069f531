"""Maps of a volume: the one of the slice that is on the screen is shown, no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from backends.overlays import Heatmap
from backends.workspace import Workspace
from widgets.boards import LayerBoard
from widgets.explaining.questions import Answer

# Volumes whose every slice is kept with what the network saw of it.
VOLUMES_KEPT = 2


def slice_of(heatmap: Heatmap, workspace: Workspace) -> int | None:
    """Return the slice that a map was made of, from 0; None where it lies on no volume."""
    scene = workspace.scenes.get(heatmap.scene_id)
    if scene is None or scene.bands.axis != "slice":
        return None
    bands = heatmap.provenance.parameters.get("bands") or ()
    return int(bands[0]) if len(bands) == 1 else None


class SliceMaps:
    """Exchanges the map of a volume when another slice comes onto the screen.

    A map over a slice that it was not made of would show the network looking at something it
    never saw: where a slice has no map of its own, the map is hidden.
    """

    def __init__(self, workspace: Workspace, board: LayerBoard | None) -> None:
        self._workspace, self._board = workspace, board
        self._each: dict[str, dict[int, Answer]] = {}
        self._hidden: set[str] = set()

    def keep(self, answer: Answer) -> bool:
        """Keep what belongs to one slice; False where the screen is at another one."""
        heatmap = answer.heatmap
        if heatmap is None:
            return True
        number = slice_of(heatmap, self._workspace)
        if answer.each:
            self._each[heatmap.id] = dict(answer.each)
            for slice_number, one in answer.each:
                self._keep_map(slice_number, one)
            while len(self._each) > VOLUMES_KEPT:
                self._each.pop(next(iter(self._each)))
        each = self._each.get(heatmap.id)
        if each is None or number is None:
            return True
        each[number] = answer
        self._keep_map(number, answer)
        shown = self._workspace.overlays.get(heatmap.id)
        if not isinstance(shown, Heatmap):
            return True
        return slice_of(shown, self._workspace) == number

    def _keep_map(self, number: int, answer: Answer) -> None:
        """Keep a map beyond its answer: for the session, and when answers are many."""
        if answer.heatmap is not None:
            self._workspace.keep_slice_map(number, answer.heatmap)

    def forget(self, overlay_id: str) -> None:
        """A map was closed."""
        self._each.pop(overlay_id, None)
        self._hidden.discard(overlay_id)

    def show(self, scene_id: str, number: int, keep: Callable[[str, Answer | None], None]) -> None:
        """Bring the maps of a slice onto the screen.

        Parameters
        ----------
        number : int
            Of the slice, from 0.
        keep : callable
            Told the id of a map and the answer that it now belongs to, if that is still known.
        """
        for heatmap in list(self._workspace.overlays_of(scene_id)):
            if not isinstance(heatmap, Heatmap):
                continue
            there = slice_of(heatmap, self._workspace)
            if there is None:
                continue
            kept = self._workspace.slice_maps.get(heatmap.id, {}).get(number)
            if there != number and kept is not None:
                answer = self._each.get(heatmap.id, {}).get(number)
                # Without its answer, as after a session, a map is seen but cannot be assessed.
                keep(heatmap.id, answer)
                self._workspace.add_overlay(replace(kept, view=heatmap.view))
                there = number
            self._set_visible(heatmap, there == number)

    def _set_visible(self, heatmap: Heatmap, on: bool) -> None:
        """Hide a map, or show it again if it was not the user who hid it."""
        row = None if self._board is None else self._board.row(heatmap.scene_id, heatmap.id)
        if self._board is None or row is None:
            return
        if not on and row.visible:
            self._hidden.add(heatmap.id)
            self._board.change(heatmap.scene_id, heatmap.id, visible=False)
        elif on and heatmap.id in self._hidden:
            self._hidden.discard(heatmap.id)
            self._board.change(heatmap.scene_id, heatmap.id, visible=True)
