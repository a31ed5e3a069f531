"""Measuring on the canvas: a click sets a corner, a double click ends; the rest moves the view.

The lines lie on a sheet over the canvas (`widgets.measuring.sheet`), not in napari's layers:
what follows the mouse costs no drawing of the picture.
"""

from __future__ import annotations

from typing import Any

from PyQt6.QtWidgets import QWidget

from app.bridge import Latest
from app.canvas import Canvas
from backends.jobs import Job, Progress
from backends.measuring.asking import measure_command, rounded
from backends.measuring.lengths import AREA, DISTANCE, Measurement, measure
from backends.palette import key_color
from backends.scene import Scene
from widgets.measuring.board import PROFILE, MeasureBoard, Points
from widgets.measuring.sheet import Sheet, Stroke

_BEGUN = "#F0E442"
_LEAST = {DISTANCE: 2, PROFILE: 2, AREA: 3}


class Measuring:
    """Follows a `MeasureBoard` on a canvas.

    Parameters
    ----------
    canvas : Canvas
    board : MeasureBoard
    surface : QWidget
        The canvas as Qt knows it.
    """

    def __init__(self, canvas: Canvas, board: MeasureBoard, surface: QWidget) -> None:
        self.canvas, self.board = canvas, board
        self.workspace = canvas.workspace
        self.sheet = Sheet(surface, self.strokes)
        self._mouse: tuple[float, float] | None = None
        self._ready: set[str] = set()
        self._renew = Latest(self._renew_now)
        self._callbacks = (self._on_move, self._on_double_click)
        self._zoomers: list[Any] = []
        viewer = canvas.viewer
        viewer.mouse_move_callbacks.append(self._on_move)
        camera = viewer.scene.camera
        camera.events.center.connect(self._on_camera)
        camera.events.zoom.connect(self._on_camera)
        canvas.click_takers.append(self._on_click)
        board.tool_changed.connect(self._on_tool)
        board.corners_changed.connect(self._on_corners)
        board.shown_changed.connect(self._renew_now)
        board.marked.connect(self._renew_now)
        board.finish_asked.connect(self.finish)
        board.look_asked.connect(self._look)
        self.workspace.measurements_changed.connect(self._renew_now)
        self.workspace.active_scene_changed.connect(self._on_scene)
        self.workspace.scene_removed.connect(board.forget)

    def close(self) -> None:
        """Listen to the canvas no more."""
        self._renew.drop()
        self._give_back_zoom()
        viewer = self.canvas.viewer
        move = self._callbacks[0]
        if move in viewer.mouse_move_callbacks:
            viewer.mouse_move_callbacks.remove(move)
        viewer.scene.camera.events.center.disconnect(self._on_camera)
        viewer.scene.camera.events.zoom.disconnect(self._on_camera)

    # -- the tool ------------------------------------------------------------------------

    def _on_tool(self, tool: str) -> None:
        scene = self.workspace.active_scene
        double = self.canvas.viewer.mouse_double_click_callbacks
        self._give_back_zoom()
        self._mouse = None
        if not tool or scene is None:
            return
        self.canvas.drawing.put_down()
        # A double click ends a line; it must not zoom as well.
        self._zoomers, double[:] = list(double), [self._callbacks[1]]
        self._prepare(scene)

    def _give_back_zoom(self) -> None:
        double = self.canvas.viewer.mouse_double_click_callbacks
        if self._callbacks[1] in double:
            double[:] = self._zoomers

    def _prepare(self, scene: Scene) -> None:
        """Look up coordinate systems and tables beside the window before the mouse asks."""
        if scene.id in self._ready:
            return

        def run(progress: Progress) -> None:
            measure(scene, [(0.0, 0.0), (0.0, 1.0)], DISTANCE)
            measure(scene, [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)], AREA)

        def done(_: None) -> None:
            self._ready.add(scene.id)
            self._say()
            self._renew_now()

        job = Job("Get ready to measure", run, scene_id=scene.id, topic="measure", quiet=True)
        self.workspace.submit(job, on_result=done)

    def _on_click(self, scene_id: str, row: float, col: float) -> bool:
        """Take a click for a corner; False where no tool is in hand."""
        if not self.board.tool:
            return False
        corner = tuple(float(v) for v in rounded([(row, col)])[0])
        if not self.board.corners or self.board.corners[-1] != corner:
            self.board.add_corner(*corner)
        return True

    def _on_double_click(self, viewer: Any, event: Any) -> None:
        if self.board.tool:
            self.finish()

    def finish(self) -> None:
        """End the line or the area; with too few corners go on."""
        scene, tool = self.workspace.active_scene, self.board.tool
        if scene is None or len(self.board.corners) < _LEAST.get(tool, 99):
            return
        points = rounded(self.board.take_corners())
        self.board.say("")
        if tool == PROFILE:
            self.board.drawn.emit(scene.id, tool, points)
        else:
            self._keep(scene, tool, points)

    def _keep(self, scene: Scene, kind: str, points: Points) -> None:
        def run(progress: Progress) -> Measurement:
            size = measure(scene, points, kind)
            return Measurement("", scene.id, kind, points, size)

        def show(found: Measurement) -> None:
            kept = self.workspace.measurements.values()
            word = "Area" if kind == AREA else "Line"
            names = {one.name for one in kept}
            name = next(
                f"{word} {n}" for n in range(1, len(names) + 2) if f"{word} {n}" not in names
            )
            one = Measurement(name, scene.id, kind, points, found.size, self.workspace.next_color())
            self.workspace.add_measurement(one)
            self.board.drawn.emit(scene.id, kind, points)

        title = f"Measure {'an area' if kind == AREA else 'a distance'} in {scene.title}"
        job = Job(title, run, scene_id=scene.id, command=measure_command(scene, points, kind),
                  quiet=True)  # fmt: skip
        self.workspace.submit(job, on_result=show)

    # -- the mouse -----------------------------------------------------------------------

    def _on_move(self, viewer: Any, event: Any) -> None:
        scene = self.workspace.active_scene
        if not self.board.tool or scene is None or len(event.position) < 2:
            return
        self._mouse = self.canvas.stage.frame(scene).to_pixel(*event.position[-2:])
        self._renew()

    def _on_corners(self) -> None:
        self._say()
        self._renew_now()

    def _on_camera(self, event: Any = None) -> None:
        if self.sheet.isVisible():
            self.sheet.update()

    def _on_scene(self, scene: Scene | None) -> None:
        if self.board.tool:
            self.board.hold("")
        self._renew_now()

    def _look(self, scene_id: str, row: float, col: float) -> None:
        scene = self.workspace.scenes.get(scene_id)
        if scene is not None:
            self.workspace.activate(scene_id)
            self.canvas.stage.look_at(scene, row, col)

    def _begun(self) -> list[tuple[float, float]]:
        corners = list(self.board.corners)
        if corners and self._mouse is not None and self._mouse != corners[-1]:
            corners.append(self._mouse)
        return corners

    def _say(self) -> None:
        """Work out the live figure: a few corners, a fraction of a millisecond."""
        scene, tool, corners = self.workspace.active_scene, self.board.tool, self._begun()
        text = ""
        if scene is not None and tool and len(corners) >= 2 and scene.id in self._ready:
            area = tool == AREA and len(corners) > 2
            whole = rounded(corners)
            if len({tuple(p) for p in whole}) >= (3 if area else 2):
                size = measure(scene, whole, AREA if area else DISTANCE)
                text = size.text()
        self.board.say(text)

    def _renew_now(self, *_: object) -> None:
        if self.board.tool and self._mouse is not None:
            self._say()
        self.sheet.renew()

    # -- what lies on the sheet ----------------------------------------------------------

    def strokes(self) -> list[Stroke]:
        """Return what to draw now, in pixels of the canvas."""
        scene, board = self.workspace.active_scene, self.board
        if scene is None:
            return []
        out = []
        for one in self.workspace.measurements.values() if board.shown else ():
            if one.scene_id == scene.id:
                area = one.kind == AREA
                words = one.size.text().split(", ")[0]
                out.append(Stroke(self._seen(scene, one.points), key_color(one.color), area, words))
        if board.line is not None and board.line[0] == scene.id:
            out.append(Stroke(self._seen(scene, board.line[1]), _BEGUN))
        if board.mark is not None and board.mark[0] == scene.id:
            out.append(Stroke(self._seen(scene, [board.mark[1:]]), _BEGUN, cross=True))
        corners = self._begun()
        if board.tool and corners:
            out.append(
                Stroke(self._seen(scene, corners), _BEGUN, board.tool == AREA, board.live, True)
            )
        return out

    def _seen(self, scene: Scene, points: Any) -> list[tuple[float, float]]:
        """Return where pixels are on the sheet."""
        camera, frame = self.canvas.viewer.scene.camera, self.canvas.stage.frame(scene)
        zoom = float(camera.zoom)
        middle_y, middle_x = (float(v) for v in camera.center[-2:])
        high, wide = self.sheet.height() / 2, self.sheet.width() / 2
        out = []
        for row, col in points:
            y, x = frame.to_canvas(row, col)
            out.append(((x - middle_x) * zoom + wide, (y - middle_y) * zoom + high))
        return out
