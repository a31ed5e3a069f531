"""A second canvas of napari over or beside the first, showing another open scene in its place.

Both cameras look at the same ground: the second scene's layers carry the transform that lays them
on the first, so that the cameras are simply equal. The canvas is cut by the widget around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QEvent, QObject, QTimer
from PyQt6.QtWidgets import QLabel, QWidget

from app.canvas import CLICK_SLACK
from app.frames import Frame
from backends.pairs.alignment import Alignment
from widgets.measuring.sheet import Sheet, Stroke
from widgets.pairs.board import SIDE, PairBoard
from widgets.pairs.edge import Edge

_CAPTION = "background: rgba(20, 20, 20, 205); color: white; padding: 2px 6px; border-radius: 3px;"


class SecondView(QObject):
    """The widgets: made when first needed, gone with `close`.

    Parameters
    ----------
    viewer : napari.Viewer
    board : PairBoard
    strokes : callable
        Returns what is drawn on the second canvas (ties, the mouse's twin).
    moved, clicked, left : callable
        Told the canvas position (y, x) under the mouse in the second canvas.
    """

    def __init__(
        self,
        viewer: Any,
        board: PairBoard,
        strokes: Callable[[], list[Stroke]],
        moved: Callable[[float, float], None],
        clicked: Callable[[float, float], None],
        left: Callable[[], None],
    ) -> None:
        super().__init__()
        from napari._qt.qt_viewer import QtViewer
        from napari.components import ViewerModel

        self.viewer, self.board = viewer, board
        self._moved, self._clicked, self._left = moved, clicked, left
        qt_viewer = viewer.window._qt_viewer
        self._first: QWidget = qt_viewer
        self._native: QWidget = qt_viewer.canvas.native
        self._ground: QWidget = qt_viewer.parentWidget()
        self.model = ViewerModel()
        self.model.theme = viewer.theme
        self.box = QWidget(self._ground)
        self.qt = QtViewer(self.model)
        self.qt.dims.hide()
        self.qt.setParent(self.box)
        self.native: QWidget = self.qt.canvas.native
        self.edge = Edge(self._ground, self._drag)
        self.captions = QLabel(self._ground), QLabel(self._ground)
        for caption in self.captions:
            caption.setStyleSheet(_CAPTION)
        self.sheet = Sheet(self.native, strokes)
        self._busy = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._settle)
        for camera, other in self._cameras():
            camera.events.center.connect(other)
            camera.events.zoom.connect(other)
        self.model.mouse_move_callbacks.append(self._on_move)
        self.model.mouse_drag_callbacks.append(self._on_press)
        self.model.events.mouse_over_canvas.connect(self._on_over)
        viewer.events.theme.connect(self._on_theme)
        self._ground.installEventFilter(self)
        self.place()

    def _cameras(self) -> tuple[tuple[Any, Any], ...]:
        return (
            (self.viewer.scene.camera, self._follow_first),
            (self.model.scene.camera, self._follow_second),
        )

    def close(self) -> None:
        """Take everything away."""
        self._later.stop()
        self._ground.removeEventFilter(self)
        for camera, other in self._cameras():
            camera.events.center.disconnect(other)
            camera.events.zoom.disconnect(other)
        self.model.events.mouse_over_canvas.disconnect(self._on_over)
        self.model.mouse_move_callbacks.clear()
        self.model.mouse_drag_callbacks.clear()
        self.viewer.events.theme.disconnect(self._on_theme)
        self._margin(0)
        self.model.layers.clear()
        self.model._layer_slicer.shutdown()
        self.qt.close()
        for part in (self.edge, *self.captions, self.box):
            part.hide()
            part.deleteLater()

    # -- where everything stands ---------------------------------------------------------

    def place(self) -> None:
        """Put box, edge and captions where the board says."""
        self._margin(0 if self.board.mode != SIDE else self._width() - self._x())
        self._settle()
        self._later.start()  # once more when the layout has answered

    def _width(self) -> int:
        return max(2, self._ground.width())

    def _x(self) -> int:
        return round(self._width() * self.board.part)

    def _margin(self, right: int) -> None:
        layout = self._ground.layout()
        if layout is not None:
            layout.setContentsMargins(0, 0, right, 0)

    def _settle(self) -> None:
        x, width, height = self._x(), self._width(), self._ground.height()
        self.box.setGeometry(x, 0, width - x, height)
        # The second canvas stands in the frame of the first, whose edge cuts it.
        side = self.board.mode == SIDE
        self.qt.setGeometry(0 if side else -x, 0, width - x if side else width, height)
        self.edge.place(x, height)
        for caption, at in zip(self.captions, (8, x + 12), strict=True):
            room = (x if at == 8 else width) - at - 12
            caption.setMaximumWidth(max(16, room))
            caption.adjustSize()
            caption.move(at if at > 8 else max(8, x - caption.width() - 12), 8)
        for part in (self.box, self.qt, self.edge, *self.captions):
            part.show()
            part.raise_()
        self.follow()

    def name(self, first: str, second: str) -> None:
        """Write the names of the scenes over them."""
        for caption, text in zip(self.captions, (first, second), strict=True):
            caption.setText(text)
            caption.setToolTip(text)
        self._settle()

    def _drag(self, x: float) -> None:
        self.board.set_part(x / self._width())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep up with the size of the window."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self.place()
        return False

    def _on_theme(self, event: Any = None) -> None:
        self.model.theme = self.viewer.theme

    # -- the cameras ---------------------------------------------------------------------

    def follow(self) -> None:
        """Look where the first canvas looks."""
        self._equal(self.viewer.scene.camera, self.model.scene.camera)

    def _follow_first(self, event: Any = None) -> None:
        self._equal(self.viewer.scene.camera, self.model.scene.camera)

    def _follow_second(self, event: Any = None) -> None:
        self._equal(self.model.scene.camera, self.viewer.scene.camera)

    def _equal(self, source: Any, target: Any) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            if target.center != source.center:
                target.center = source.center
            if target.zoom != source.zoom:
                target.zoom = source.zoom
        finally:
            self._busy = False
        if self.sheet.isVisible():
            self.sheet.update()

    # -- the mouse in the second canvas --------------------------------------------------

    def _on_move(self, model: Any, event: Any) -> None:
        self._moved(*(float(v) for v in event.position[-2:]))

    def _on_over(self, event: Any) -> None:
        if not event.value:
            self._left()

    def _on_press(self, model: Any, event: Any) -> Iterator[None]:
        start, where = tuple(event.pos), tuple(event.position)
        plain = event.button == 1 and not event.modifiers
        yield
        moved = False
        while event.type == "mouse_move":
            moved = moved or any(
                abs(a - b) > CLICK_SLACK for a, b in zip(event.pos, start, strict=True)
            )
            yield
        if plain and not moved:
            self._clicked(*(float(v) for v in where[-2:]))

    def seen(self, y: float, x: float) -> tuple[float, float]:
        """Return where a canvas position is on the second canvas's widget."""
        camera = self.model.scene.camera
        zoom = float(camera.zoom)
        middle_y, middle_x = (float(v) for v in camera.center[-2:])
        return (
            (x - middle_x) * zoom + self.native.width() / 2,
            (y - middle_y) * zoom + self.native.height() / 2,
        )


def canvas_affine(laid: Alignment, one: Frame, other: Frame) -> NDArray[np.float64]:
    """Return the transform from the second scene's canvas to the first one's, (y, x, 1)."""
    from_canvas = np.diag([1 / other.height, 1 / other.width, 1.0])
    to_canvas = np.diag([one.height, one.width, 1.0])
    return to_canvas @ np.vstack([laid.matrix, [0.0, 0.0, 1.0]]) @ from_canvas
