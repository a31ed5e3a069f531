"""What keys and menus do to the active scene: brush, lasso, blink, matrix here, help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PyQt6.QtGui import QCursor
from PyQt6.QtWidgets import QApplication, QToolTip

from app import help as help_pages
from backends.composite import default_recipe, window_words
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
        self._bare_hands()
        self._with_scene(lambda scene: self._window.canvas.drawing.brush(scene))

    def eraser(self) -> None:
        """Take the eraser in hand."""
        self._bare_hands()
        self._with_scene(lambda scene: self._window.canvas.drawing.brush(scene, erase=True))

    def lasso(self, tool: str = "lasso") -> None:
        """Take the lasso, or another tool that draws regions, in hand."""
        self._bare_hands()
        self._with_scene(lambda scene: self._window.canvas.drawing.lasso(scene, tool))

    def take_wand(self) -> None:
        """Take the wand in hand: a click makes a region of what is like the pixel."""

        def hold(scene: Scene) -> None:
            self._bare_hands()
            self._window.lines.hold("")
            self._window.canvas.drawing.put_down()
            self._window.show_dock("regions")
            self._window.wand.hold(True)

        self._with_scene(hold)

    def _bare_hands(self) -> None:
        """Put down what takes clicks."""
        self._window.measures.hold("")
        self._window.wand.hold(False)
        self._window.pair.tie(False)

    def measure(self, tool: str) -> None:
        """Take a tool in hand that measures: its page of the dock comes with it."""

        def hold(scene: Scene) -> None:
            self._window.lines.hold("")
            self._window.wand.hold(False)
            self._window.show_dock("measure")
            self._window.measures.hold(tool)

        self._with_scene(hold)

    def measure_page(self, name: str) -> None:
        """Turn to a page of the measure dock."""

        def show(scene: Scene) -> None:
            self._window.show_dock("measure")
            self._window.docks["measure"].inner.show_page(name)

        self._with_scene(show)

    def go_to(self) -> None:
        """Ask where to go."""
        self.measure_page("Find")
        dock = self._window.docks.get("measure")
        if dock is not None and self._window.workspace.active_scene is not None:
            dock.inner.find.place_edit.setFocus()

    def pair(self, mode: str) -> None:
        """Show the active scene and another one over or beside each other, or this one alone."""

        def show(scene: Scene) -> None:
            window = self._window
            if window.pair.mode == mode:
                window.pair.show("", "")
                return
            window.show_dock("pair")
            window.docks["pair"].inner.show_mode(mode)

        self._with_scene(show)

    def undo(self) -> None:
        """Undo: the last corner of what is being drawn, else the last thing done."""
        if not self._window.measures.drop_corner():
            self._window.workspace.commands.undo()

    def choose_class(self, number: int) -> None:
        """Paint with a class."""

        def choose(scene: Scene) -> None:
            self._bare_hands()
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

    # -- display windows -----------------------------------------------------------------

    def windows(self) -> list[tuple[str, tuple[float, float]]]:
        """Return the display windows of the active scene: name, lowest and highest value."""
        scene = self._window.workspace.active_scene
        return [] if scene is None or scene.info.is_rgb else list(scene.info.windows.items())

    def show_window(self, number: int) -> None:
        """Show the active scene in a display window, counted from 1."""
        found = self.windows()
        scene = self._window.workspace.active_scene
        if scene is None or not found:
            self._window.tell("Display windows come with CT images and other DICOM files.", "info")
        elif number <= len(found):
            pictures = self._window.canvas.pictures
            recipe = pictures.wanted(scene.id) or default_recipe(scene)
            limits = (found[number - 1][1],) * len(recipe.bands)
            pictures.ask(scene.id, replace(recipe, limits=limits))

    def next_window(self) -> None:
        """Show the display window after the one that is shown."""
        count = len(self.windows())
        # Two may be the same, as the file's own and one of ours: go on from the last of them.
        now = max((n for n in range(1, count + 1) if self.window_is_shown(n)), default=0)
        self.show_window(now % count + 1 if count else 1)

    def window_is_shown(self, number: int) -> bool:
        """Tell whether a display window is in use."""
        found, scene = self.windows(), self._window.workspace.active_scene
        recipe = None if scene is None else self._window.canvas.pictures.wanted(scene.id)
        if recipe is None or recipe.limits is None or number > len(found):
            return False
        return bool(recipe.limits[0] == found[number - 1][1])

    def window_title(self, number: int) -> str:
        """Return the name of a display window with its level and width."""
        found = self.windows()
        return window_words(*found[number - 1]) if number <= len(found) else "–"

    def matrix_here(self) -> None:
        """Show the matrices of the pixel under the mouse."""
        here = self._window.canvas.cursor
        self._window.show_dock("matrices")
        if here is not None:
            self._window.workspace.select_pixel(*here)

    def explain_here(self) -> None:
        """Turn to the explanation of what is under the mouse."""
        here, scene = self._window.canvas.cursor, self._window.workspace.active_scene
        self._window.show_dock("explain")
        if here is not None and scene is not None and here[0] == scene.id:
            self._window.docks["explain"].inner.explain_here(*here[1:])

    def escape(self) -> None:
        """Put the tool down; with none in hand stop the job under the mouse."""
        palette = self._window.viewer.window._qt_window._command_palette
        if palette.isVisible():
            palette.hide()
        elif self._window.lines.tool:
            self._window.lines.hold("")
        elif self._window.wand.held:
            self._window.wand.hold(False)
        elif self._window.pair.tying:
            self._window.pair.tie(False)
        elif self._window.measures.tool:
            # First what was begun, then the tool.
            measures = self._window.measures
            measures.hold(measures.tool if measures.corners else "")
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
