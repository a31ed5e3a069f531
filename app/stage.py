"""The canvas as a stage: each scene has its own set of layers, one set is on at a time.

Scenes lie on different grounds (metres here, micrometres there), so their layers
never share the canvas; they are kept and come back with the scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.followed import let_go
from app.frames import Frame, frame_of
from backends.scene import Scene


class Rank(IntEnum):
    """What lies over what."""

    PICTURE = 0
    OVERLAY = 10
    LABELS = 20
    REGIONS = 30
    PINS = 40


@dataclass
class _Lent:
    """A scene that another viewer shows beside the active one."""

    scene_id: str
    viewer: Any
    affine: NDArray[np.float64]


@dataclass
class _Set:
    frame: Frame
    layers: list[tuple[int, Any]] = field(default_factory=list)
    camera: tuple[tuple[float, ...], float] | None = None


class Stage:
    """Puts layers on the canvas for the active scene.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.frames: dict[str, Frame] = {}
        self.on_taken: list[Callable[[str, Any], None]] = []
        self._sets: dict[str, _Set] = {}
        self._shown: str | None = None
        self._lent: _Lent | None = None
        self._busy = False
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def shown(self) -> str | None:
        """Id of the scene on the canvas."""
        return self._shown

    def frame(self, scene: Scene) -> Frame:
        """Return the frame of a scene; opening a file has worked it out beforehand."""
        if scene.id not in self.frames:
            self.frames[scene.id] = frame_of(scene)
        return self.frames[scene.id]

    def add(self, scene: Scene, layer: Any, rank: int, at: int | None = None) -> None:
        """Give a scene a layer, above those of lower and equal rank or at a place among them."""
        mine = self._sets.setdefault(scene.id, _Set(self.frame(scene)))
        top = sum(1 for other, _ in mine.layers if other <= rank)
        mine.layers.insert(top if at is None else min(at, top), (rank, layer))
        if self._shown == scene.id:
            self._insert(layer)
        elif self._lent is not None and self._lent.scene_id == scene.id:
            self._lend(layer)

    def place(self, scene_id: str, layer: Any) -> int | None:
        """Return where a layer stands among those of a scene, 0 lowest."""
        layers = self.layers(scene_id)
        return next((i for i, found in enumerate(layers) if found is layer), None)

    def remove(self, scene_id: str, layer: Any) -> None:
        """Take a layer away from a scene."""
        mine = self._sets.get(scene_id)
        if mine is None:
            return
        mine.layers = [(rank, found) for rank, found in mine.layers if found is not layer]
        let_go(layer)
        self._take_off([layer])

    def layers(self, scene_id: str) -> list[Any]:
        """Return the layers of a scene, lowest first."""
        mine = self._sets.get(scene_id)
        return [] if mine is None else [layer for _, layer in mine.layers]

    def show(self, scene_id: str | None) -> None:
        """Bring the layers of a scene on and put those of the others away."""
        if scene_id == self._shown:
            return
        if self._lent is not None and self._lent.scene_id == scene_id:
            self.give_back()
        before = self._sets.get(self._shown or "")
        if before is not None:
            camera = self.viewer.scene.camera
            before.camera = (tuple(camera.center), float(camera.zoom))
            self._take_off([layer for _, layer in before.layers])
        self._shown = scene_id
        now = self._sets.get(scene_id or "")
        if now is None:
            return
        for _, layer in now.layers:
            self._insert(layer)
        if now.camera is not None:
            camera = self.viewer.scene.camera
            camera.center, camera.zoom = now.camera
        elif now.layers:
            self.fit()

    def forget(self, scene_id: str) -> None:
        """Drop a scene's layers for good."""
        if self._lent is not None and self._lent.scene_id == scene_id:
            self.give_back()
        mine = self._sets.pop(scene_id, None)
        self.frames.pop(scene_id, None)
        if mine is not None:
            for _, layer in mine.layers:
                let_go(layer)
            self._take_off([layer for _, layer in mine.layers])
        if self._shown == scene_id:
            self._shown = None

    # -- a second scene beside the active one --------------------------------------------

    @property
    def lent(self) -> str | None:
        """Id of the scene that another viewer shows."""
        return None if self._lent is None else self._lent.scene_id

    def lend(self, scene_id: str, viewer: Any, affine: NDArray[np.float64]) -> None:
        """Let another viewer show the layers of a scene that is not on the canvas.

        They are the same layers, not copies: what changes in them is seen there at once.

        Parameters
        ----------
        affine : float array of shape (3, 3)
            From the scene's own canvas to the one it is shown on (y, x, 1).
        """
        assert scene_id != self._shown
        if self._lent is not None and self._lent.scene_id == scene_id:
            self._lent.affine = affine
            for layer in self.layers(scene_id):
                layer.affine = affine
            return
        self.give_back()
        self._lent = _Lent(scene_id, viewer, affine)
        for layer in self.layers(scene_id):
            self._lend(layer)

    def give_back(self) -> None:
        """Take the layers of the second scene back."""
        lent, self._lent = self._lent, None
        if lent is not None:
            lent.viewer.layers.clear()
            for layer in self.layers(lent.scene_id):
                layer.affine = np.eye(3)

    def _lend(self, layer: Any) -> None:
        lent = self._lent
        assert lent is not None
        layer.affine = lent.affine
        _insert_in_order(lent.viewer, layer, self.layers(lent.scene_id))

    def fit(self) -> None:
        """Show all of the active scene."""
        layers = [layer for rank, layer in self._ranked() if rank == Rank.PICTURE]
        if layers:
            self.viewer.fit_to_view(layers=layers)

    def look_at(self, scene: Scene, row: float, col: float) -> None:
        """Move the view to a pixel, without zooming."""
        y, x = self.frame(scene).to_canvas(row, col)
        self.viewer.scene.camera.center = (0.0, y, x)

    def _ranked(self) -> list[tuple[int, Any]]:
        mine = self._sets.get(self._shown or "")
        return [] if mine is None else mine.layers

    def _insert(self, layer: Any) -> None:
        active = self.viewer.layers.selection.active
        _insert_in_order(self.viewer, layer, [found for _, found in self._ranked()])
        # A new overlay must not take the brush out of the user's hand.
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = active

    def _take_off(self, layers: list[Any]) -> None:
        self._busy = True
        try:
            for layer in layers:
                if layer in self.viewer.layers:
                    self.viewer.layers.remove(layer)
                elif self._lent is not None and layer in self._lent.viewer.layers:
                    self._lent.viewer.layers.remove(layer)
        finally:
            self._busy = False

    def _on_removed(self, event: Any) -> None:
        """The user took a layer away with napari's own list: the workspace must hear of it."""
        if self._busy:
            return
        layer = event.value
        for scene_id, mine in self._sets.items():
            if any(found is layer for _, found in mine.layers):
                mine.layers = [(rank, found) for rank, found in mine.layers if found is not layer]
                let_go(layer)
                for told in self.on_taken:
                    told(scene_id, layer)
                return


def _insert_in_order(viewer: Any, layer: Any, ranked: list[Any]) -> None:
    """Put a layer of a scene into a viewer above those that lie below it."""
    here = next(i for i, found in enumerate(ranked) if found is layer)
    below = {id(found) for found in ranked[:here]}
    at = 0
    for index, found in enumerate(viewer.layers):
        if id(found) in below:
            at = index + 1
    viewer.layers.insert(at, layer)
