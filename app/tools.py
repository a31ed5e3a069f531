"""What keys and menus do to the active scene: brush, lasso, blink, matrix here, help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PyQt6.QtGui import QCursor
from PyQt6.QtWidgets import QApplication, QToolTip

from app import help as help_pages
from backends.scene import Scene

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow


class Tools:
    """The hands of the user.

    Parameters
    ----------
    window : ClearbandWindow
    """

    def __init__(self, window: ClearbandWindow) -> None:
        self._window = window

    def brush(self) -> None:
        """Take the brush in hand."""
        self._with_scene(lambda scene: self._window.canvas.drawing.brush(scene))

    def eraser(self) -> None:
        """Take the eraser in hand."""
        self._with_scene(lambda scene: self._window.canvas.drawing.brush(scene, erase=True))

    def lasso(self) -> None:
        """Take the lasso in hand."""
        self._with_scene(lambda scene: self._window.canvas.drawing.lasso(scene))

    def choose_class(self, number: int) -> None:
        """Paint with a class."""

        def choose(scene: Scene) -> None:
            self._window.canvas.drawing.brush(scene)
            self._window.canvas.drawing.choose_label(scene, number)

        self._with_scene(choose)

    def class_title(self, number: int) -> str:
        """Return the name of a class of the training labels."""
        scene = self._window.workspace.active_scene
        sheet = None if scene is None else self._window.workspace.labels.get(scene.id)
        name = None if sheet is None else sheet.class_names.get(number)
        return f"{number}  {name}" if name else f"{number}  New class"

    def smaller_brush(self) -> None:
        """Make the brush smaller."""
        self._window.canvas.drawing.resize_brush(-2)

    def larger_brush(self) -> None:
        """Make the brush larger."""
        self._window.canvas.drawing.resize_brush(2)

    def blink(self) -> None:
        """Switch the active overlay off and on."""

        def switch(scene: Scene) -> None:
            if not self._window.canvas.overlays.blink(scene.id):
                self._window.tell(
                    "There is no overlay to blink yet; classify the scene first.", "info"
                )

        self._with_scene(switch)

    def matrix_here(self) -> None:
        """Show the matrices of the pixel under the mouse."""
        here = self._window.canvas.cursor
        self._window.show_dock("matrices")
        if here is not None:
            self._window.workspace.select_pixel(*here)

    def escape(self) -> None:
        """Put the tool down; with none in hand stop the job under the mouse."""
        palette = self._window.viewer.window._qt_window._command_palette
        if palette.isVisible():
            palette.hide()
        elif not self._window.canvas.drawing.put_down() and self._window.status.jobs.underMouse():
            self._window.status.jobs.cancel()

    def _with_scene(self, do: Callable[[Scene], Any]) -> None:
        scene = self._window.workspace.active_scene
        if scene is None:
            self._window.tell("Open a scene first.", "warning")
        else:
            do(scene)

    def what_is_this(self) -> None:
        """Say what the thing under the mouse is."""
        at = QCursor.pos()
        text = help_pages.describe(QApplication.widgetAt(at))
        QToolTip.showText(at, text, self._window.qt_window)

    def show_keys(self) -> None:
        """List the keys."""
        help_pages.keys_dialog(self._window.actions.table.values(), self._window.qt_window).open()

    def show_about(self) -> None:
        """Say what this program is."""
        help_pages.about_dialog(self._window.qt_window).open()
