"""What a first start shows: the demo scene, and over it what its model makes of it just now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.overlays import MatrixField, Overlay
from backends.scene import Scene

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

MODEL = "es_mhc"


class FirstLook:
    """Opens the demo scene, maps it with the shipped weights, turns to the matrices.

    Each step follows the one before; closing the scene ends it.

    Parameters
    ----------
    window : ClearbandWindow
    """

    def __init__(self, window: ClearbandWindow) -> None:
        self._window = window
        self._scene_id = ""
        window.workspace.scene_added.connect(self._on_scene)
        window.open_sample("demo")

    def _on_scene(self, scene: Scene) -> None:
        window = self._window
        window.workspace.scene_added.disconnect(self._on_scene)
        self._scene_id = scene.id
        window.workspace.overlay_added.connect(self._on_overlay)
        window.workspace.scene_removed.connect(self._on_removed)
        # The window takes the scene in first: the docks belong to its workbench.
        window.workspace.dispatch(self._map)

    def _map(self) -> None:
        scene = self._window.workspace.active_scene
        if scene is None or scene.id != self._scene_id:
            return
        self._window.show_dock("classify")
        dock = self._window.docks["classify"].inner
        dock.form.choose(MODEL)
        dock.use_weights()

    def _on_overlay(self, overlay: Overlay) -> None:
        if overlay.scene_id != self._scene_id or not isinstance(overlay, MatrixField):
            return
        self._end()
        self._window.show_dock("matrices")
        rows, cols = overlay.shape
        self._window.workspace.select_pixel(overlay.scene_id, rows // 2, cols // 2)

    def _on_removed(self, scene_id: str) -> None:
        if scene_id == self._scene_id:
            self._end()

    def _end(self) -> None:
        self._window.workspace.overlay_added.disconnect(self._on_overlay)
        self._window.workspace.scene_removed.disconnect(self._on_removed)
