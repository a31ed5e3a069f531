"""What the spectral tools need of the canvas: where the user looks, told when that changes."""

from __future__ import annotations

from typing import Any

from app.bridge import Latest
from app.canvas import Canvas
from widgets.sight import Sight


class CanvasSight(Sight):
    """The view of a canvas.

    Parameters
    ----------
    canvas : Canvas
    """

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas.visible_window, self._pixels)
        self._viewer = canvas.viewer
        self._told = Latest(self.moved.emit)
        camera = self._viewer.scene.camera
        camera.events.center.connect(self._on_camera)
        camera.events.zoom.connect(self._on_camera)

    def close(self) -> None:
        """Follow the camera no more."""
        self._told.drop()
        camera = self._viewer.scene.camera
        camera.events.center.disconnect(self._on_camera)
        camera.events.zoom.disconnect(self._on_camera)

    def _pixels(self) -> int:
        height, width = self._viewer.canvas.size
        return max(1, int(height) * int(width))

    def _on_camera(self, event: Any = None) -> None:
        self._told()
