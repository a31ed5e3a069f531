"""The canvas and the workspace, joined: scenes, overlays, drawing, the mouse.

Everything here works on a bare `napari.Viewer`; menus, docks and the welcome
page are the business of ``app/window.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from app.bridge import Latest
from app.composites import Composites
from app.drawing import Drawing
from app.overlay_layers import OverlayLayers
from app.stage import Stage
from backends.composite import single_band
from backends.errors import ClearbandError
from backends.scene import Scene, Window
from backends.workspace import Workspace
from widgets.boards import LayerBoard, PictureBoard

# A press and a release this close together, in canvas pixels, are a click.
CLICK_SLACK = 4


class Canvas:
    """A napari viewer that shows a workspace.

    Parameters
    ----------
    viewer : napari.Viewer
    workspace : Workspace
    notify : callable
        Told of a `ClearbandError`.
    """

    def __init__(
        self, viewer: Any, workspace: Workspace, notify: Callable[[ClearbandError], None]
    ) -> None:
        self.viewer, self.workspace = viewer, workspace
        self.board, self.pictures = LayerBoard(), PictureBoard()
        self.stage = Stage(viewer)
        self.composites = Composites(workspace, self.stage, self.pictures, self.board, notify)
        self.overlays = OverlayLayers(workspace, self.stage, self.board)
        self.drawing = Drawing(workspace, self.stage, self.board)
        self.cursor: tuple[str, int, int] | None = None
        # Asked at each click: whether it pins the spectrum, or only chooses the pixel.
        self.click_pins: Callable[[], bool] = lambda: False
        # Told of each click first, with row and column as exact as the mouse; True where it
        # was meant for a tool.
        self.click_takers: list[Callable[[str, float, float], bool]] = []
        self._tell_cursor = Latest(self._emit_cursor)
        self._callbacks = (self._on_move, self._on_press)
        workspace.scene_added.connect(self._on_scene_added)
        workspace.scene_removed.connect(self._on_scene_removed)
        workspace.active_scene_changed.connect(self._on_active_scene)
        workspace.commands.shown.connect(self._look_where)
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.events.mouse_over_canvas.connect(self._on_over)

    def close(self) -> None:
        """Listen to the viewer no more."""
        self._tell_cursor.drop()
        move, press = self._callbacks
        if move in self.viewer.mouse_move_callbacks:
            self.viewer.mouse_move_callbacks.remove(move)
        if press in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(press)
        self.viewer.events.mouse_over_canvas.disconnect(self._on_over)

    # -- what keys do --------------------------------------------------------------------

    def previous_band(self) -> None:
        """Show the good band before."""
        self.step_band(-1)

    def next_band(self) -> None:
        """Show the next good band."""
        self.step_band(1)

    def step_band(self, step: int) -> None:
        """Show the previous or next good band alone."""
        scene = self.workspace.active_scene
        if scene is None or scene.shape[2] < 2:
            return
        recipe = self.pictures.wanted(scene.id)
        good = scene.bands.good
        band = recipe.bands[0] if recipe else 0
        alone = recipe is not None and len(recipe.bands) == 1
        wanted = band + step if alone else band
        while 0 <= wanted < len(good) and not good[wanted]:
            wanted += step
        if 0 <= wanted < len(good):
            colormap = recipe.colormap if recipe and alone else "gray"
            limits = None
            if recipe and alone and scene.bands.axis == "slice":
                limits = recipe.limits  # a window of Hounsfield units holds for every slice
            self.pictures.ask(
                scene.id, single_band(scene, wanted, colormap=colormap, limits=limits)
            )

    def pin_here(self) -> None:
        """Keep the spectrum under the mouse."""
        scene = self.workspace.active_scene
        if scene is not None and self.cursor is not None and self.cursor[0] == scene.id:
            self.drawing.pin(scene, *self.cursor[1:])

    def click(self, scene_id: str, row: int, col: int) -> None:
        """Choose a pixel, and pin its spectrum where spectra are on the desk."""
        self.workspace.select_pixel(scene_id, row, col)
        scene = self.workspace.scenes.get(scene_id)
        pins = self.workspace.pins.values()
        there = any((p.scene_id, p.row, p.col) == (scene_id, row, col) for p in pins)
        if scene is not None and not there and self.click_pins():
            self.drawing.pin(scene, row, col)

    def takes_click(self, scene_id: str, row: float, col: float) -> bool:
        """Tell whether a tool took a click for itself."""
        return any(taker(scene_id, row, col) for taker in self.click_takers)

    def value_at(self, scene: Scene, row: int, col: int) -> tuple[float, ...] | None:
        """Return the values of the planes on the screen at a pixel, without reading a file."""
        picture = self.composites.picture(scene.id)
        if picture is None:
            return None
        row_step, col_step = picture.step
        rows, cols = picture.planes[0].shape
        r, c = min(rows - 1, int(row / row_step)), min(cols - 1, int(col / col_step))
        return tuple(float(plane[r, c]) for plane in picture.planes)

    # -- the workspace changed -----------------------------------------------------------

    def _on_scene_added(self, scene: Scene) -> None:
        self.composites.open(scene)

    def _on_active_scene(self, scene: Scene | None) -> None:
        self.drawing.put_down()
        self.stage.show(scene.id if scene else None)
        bar = self.viewer.canvas.overlays.scale_bar
        bar.position = "bottom_left"  # messages appear at the right
        bar.visible = scene is not None and self.stage.frame(scene).unit != "pixel"
        self._leave()
        self.board.changed.emit(scene.id if scene else "")

    def _on_scene_removed(self, scene_id: str) -> None:
        self.composites.forget(scene_id)
        self.drawing.forget(scene_id)
        self.board.forget(scene_id)
        self.stage.forget(scene_id)

    def _look_where(self, where: Any) -> None:
        """After undo and redo the view goes where it happened."""
        scene_id, row, col = where
        scene = self.workspace.scenes.get(scene_id)
        if scene is None:
            return
        if scene_id == self.stage.lent:  # it is seen beside the active one
            return
        self.workspace.activate(scene_id)
        if row is not None and not self._in_view(scene, row, col):
            self.stage.look_at(scene, row, col)

    def _in_view(self, scene: Scene, row: float, col: float) -> bool:
        camera = self.viewer.scene.camera
        y, x = self.stage.frame(scene).to_canvas(row, col)
        height, width = self.viewer.canvas.size
        middle = camera.center[-2:]
        zoom = max(1e-12, float(camera.zoom))
        return bool(
            abs(y - middle[0]) <= height / zoom / 2 and abs(x - middle[1]) <= width / zoom / 2
        )

    def visible_window(self, scene: Scene) -> Window:
        """Return the part of the active scene that is on the screen, in its own pixels."""
        top, left, height, width = self.in_view(scene)
        row, col = round(top + 0.5), round(left + 0.5)
        whole = Window(
            row,
            col,
            max(1, round(top + height + 0.5) - row),
            max(1, round(left + width + 0.5) - col),
        )
        return whole.clip(*scene.shape[:2])

    def in_view(self, scene: Scene) -> tuple[float, float, float, float]:
        """Return row, column, height and width of what the screen shows, in scene pixels."""
        camera, frame = self.viewer.scene.camera, self.stage.frame(scene)
        zoom = max(1e-12, float(camera.zoom))
        high, wide = (float(side) / zoom for side in self.viewer.canvas.size)
        y, x = (float(v) for v in camera.center[-2:])
        row, col = frame.to_pixel(y - high / 2, x - wide / 2)
        return row, col, high / frame.height, wide / frame.width

    # -- the mouse -----------------------------------------------------------------------

    def _pixel(self, position: Any) -> tuple[str, int, int] | None:
        scene = self.workspace.active_scene
        if scene is None or len(position) < 2 or self.viewer.dims.ndisplay != 2:
            return None
        row, col = self.stage.frame(scene).to_pixel(*position[-2:])
        r, c = round(row), round(col)
        inside = 0 <= r < scene.shape[0] and 0 <= c < scene.shape[1]
        return (scene.id, r, c) if inside else None

    def _on_move(self, viewer: Any, event: Any) -> None:
        here = self._pixel(event.position)
        if here is None:
            self._leave()
        elif here != self.cursor:
            self.cursor = here
            self._tell_cursor(*here)

    def _emit_cursor(self, scene_id: str, row: int, col: int) -> None:
        if scene_id in self.workspace.scenes:
            self.workspace.cursor_moved.emit(scene_id, row, col)

    def _leave(self) -> None:
        self._tell_cursor.drop()
        if self.cursor is not None:
            self.cursor = None
            self.workspace.cursor_left.emit()

    def _on_over(self, event: Any) -> None:
        if not event.value:
            self._leave()

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        """Tell a click from a drag; with a tool in hand both belong to the tool."""
        start, where = tuple(event.pos), tuple(event.position)
        plain = event.button == 1 and not event.modifiers
        yield
        moved = False
        while event.type == "mouse_move":
            moved = moved or any(
                abs(a - b) > CLICK_SLACK for a, b in zip(event.pos, start, strict=True)
            )
            yield
        here = self._pixel(where)
        if plain and not moved and here is not None and self.drawing.tool == "pan_zoom":
            scene = self.workspace.scenes[here[0]]
            exact = self.stage.frame(scene).to_pixel(*where[-2:])
            if not self.takes_click(here[0], *exact):
                self.click(*here)
