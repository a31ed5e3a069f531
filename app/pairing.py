"""Two open scenes on the canvas: a `PairBoard` followed, the mouse of one told to the other."""

from __future__ import annotations

from app.bridge import Latest
from app.canvas import Canvas
from app.second_view import SecondView, canvas_affine
from backends.jobs import Job, Progress
from backends.pairs.alignment import Alignment, align
from backends.scene import Scene
from widgets.measuring.board import MeasureBoard
from widgets.measuring.sheet import Stroke
from widgets.pairs.board import OFF, SIDE, PairBoard

_TIE = "#F0E442"
_TWIN = "#FFFFFF"


class Pairing:
    """Shows a second scene over or beside the active one.

    Parameters
    ----------
    canvas : Canvas
    board : PairBoard
    measures : MeasureBoard
        Its sheet lies over the first canvas.
    """

    def __init__(self, canvas: Canvas, board: PairBoard, measures: MeasureBoard) -> None:
        self.canvas, self.board, self.measures = canvas, board, measures
        self.workspace = canvas.workspace
        self.view: SecondView | None = None
        self._first_id = ""
        self._twin: tuple[float, float] | None = None  # canvas y, x of the mouse in the other
        self._hover = Latest(self._on_hover)
        canvas.click_takers.insert(0, self._on_click)
        board.changed.connect(self._on_changed)
        board.part_changed.connect(self._on_part)
        board.aligned.connect(self._on_aligned)
        board.tie_changed.connect(self._renew)
        workspace = self.workspace
        workspace.active_scene_changed.connect(self._on_scene)
        workspace.scene_removed.connect(self._on_removed)
        workspace.scene_info_changed.connect(self._on_info)
        workspace.cursor_moved.connect(self._on_cursor)
        workspace.cursor_left.connect(self._on_left)

    def close(self) -> None:
        """Take the second canvas away."""
        self._hover.drop()
        self._put_away()

    # -- what is shown -------------------------------------------------------------------

    @property
    def other(self) -> Scene | None:
        """The second scene."""
        return self.workspace.scenes.get(self.board.other_id)

    def _on_changed(self) -> None:
        one, other = self.workspace.active_scene, self.other
        if self.board.mode == OFF or one is None or other is None or other is one:
            self._put_away()
            return
        self._first_id = one.id
        if self.board.alignment is None:
            self._align(one, other)
        else:
            self._on_aligned()

    def _align(self, one: Scene, other: Scene) -> None:
        def run(progress: Progress) -> Alignment:
            self.canvas.stage.frame(other)
            return align(one, other)

        def show(laid: Alignment) -> None:
            mine = self.other is other and self.workspace.active_scene is one
            # By a tie in view it may have been laid meanwhile.
            if mine and self.board.alignment is None:
                self.board.set_alignment(laid)

        job = Job(
            f"Lay {other.title} on {one.title}", run, scene_id=one.id, topic="pair", quiet=True
        )
        self.workspace.submit(job, on_result=show)

    def _on_aligned(self) -> None:
        one, other, laid = self.workspace.active_scene, self.other, self.board.alignment
        if one is None or other is None or laid is None or self.board.mode == OFF:
            return
        stage = self.canvas.stage
        if self.view is None:
            self.view = SecondView(
                self.canvas.viewer, self.board, self._strokes, self._on_second_move,
                self._on_second_click, self._on_second_left,
            )  # fmt: skip
        affine = canvas_affine(laid, stage.frame(one), stage.frame(other))
        stage.lend(other.id, self.view.model, affine)
        self.view.name(one.title, other.title)
        self.view.place()
        self._renew()

    def _on_part(self) -> None:
        if self.view is not None:
            self.view.place()

    def _put_away(self) -> None:
        self.canvas.stage.give_back()
        view, self.view = self.view, None
        self._twin = None
        if view is not None:
            view.close()
            view.deleteLater()

    # -- what else happens ---------------------------------------------------------------

    def _on_scene(self, scene: Scene | None) -> None:
        """The second scene stays; chosen as the first one it changes places with the first."""
        if self.board.mode == OFF:
            return
        if scene is not None and scene.id == self.board.other_id:
            kept = self._first_id if self._first_id in self.workspace.scenes else ""
            self.board.show(self.board.mode if kept else OFF, kept)
            return
        self.board.alignment = None
        if scene is None or self.other is None:
            self.board.show(OFF, "")
        else:
            self._on_changed()

    def _on_removed(self, scene_id: str) -> None:
        if scene_id == self.board.other_id:
            self.board.show(OFF, "")

    def _on_info(self, scene_id: str) -> None:
        """A scene was moved: lay them on each other anew."""
        one, other = self.workspace.active_scene, self.other
        if self.board.mode == OFF or one is None or other is None:
            return
        if scene_id in (one.id, other.id):
            self.board.alignment = None
            self._align(one, other)

    # -- the mouse -----------------------------------------------------------------------

    def _on_cursor(self, scene_id: str, row: int, col: int) -> None:
        """Show the mouse's place in the second scene, too."""
        one = self.workspace.active_scene
        if self.view is None or self.board.mode != SIDE or one is None or scene_id != one.id:
            return
        self._twin = self.canvas.stage.frame(one).to_canvas(row, col)
        self.view.sheet.renew()

    def _on_left(self) -> None:
        self._twin = None
        if self.view is not None:
            self.view.sheet.renew()

    def _second_pixel(self, y: float, x: float) -> tuple[float, float] | None:
        one, other, laid = self.workspace.active_scene, self.other, self.board.alignment
        if one is None or other is None or laid is None:
            return None
        row, col = laid.to_second(*self.canvas.stage.frame(one).to_pixel(y, x))
        rows, cols, _ = other.shape
        inside = -0.5 <= row <= rows - 0.5 and -0.5 <= col <= cols - 0.5
        return (row, col) if inside else None

    def _on_second_move(self, y: float, x: float) -> None:
        self._hover(y, x)

    def _on_hover(self, y: float, x: float) -> None:
        """Tell the status bar of the pixel, and the first canvas of the place."""
        one, other = self.workspace.active_scene, self.other
        if self.view is None or one is None or other is None:
            return
        pixel = self._second_pixel(y, x)
        if pixel is not None:
            self.workspace.cursor_moved.emit(other.id, round(pixel[0]), round(pixel[1]))
        if self.board.mode == SIDE:
            self.measures.set_mark((one.id, *self.canvas.stage.frame(one).to_pixel(y, x)))

    def _on_second_left(self) -> None:
        self._hover.drop()
        self.measures.set_mark(None)
        self.workspace.cursor_left.emit()

    # -- ties ----------------------------------------------------------------------------

    def _on_click(self, scene_id: str, row: float, col: float) -> bool:
        if not self.board.tying:
            return False
        self.board.set_end(row, col, in_other=False)
        return True

    def _on_second_click(self, y: float, x: float) -> None:
        pixel = self._second_pixel(y, x)
        if self.board.tying and pixel is not None:
            self.board.set_end(*pixel, in_other=True)

    def _renew(self) -> None:
        one, end = self.workspace.active_scene, self.board.first
        if one is not None and (end is not None or self.board.second is not None):
            self.measures.set_mark(None if end is None else (one.id, *end))
        elif self.view is not None:
            self.measures.set_mark(None)
        if self.view is not None:
            self.view.sheet.renew()

    def _strokes(self) -> list[Stroke]:
        """Return what lies on the second canvas."""
        one, laid, view = self.workspace.active_scene, self.board.alignment, self.view
        if one is None or laid is None or view is None:
            return []
        out = []
        frame = self.canvas.stage.frame(one)
        if self._twin is not None and self.board.mode == SIDE:
            out.append(Stroke([view.seen(*self._twin)], _TWIN, cross=True))
        if self.board.second is not None:
            at = frame.to_canvas(*laid.to_first(*self.board.second))
            out.append(Stroke([view.seen(*at)], _TIE, cross=True))
        return out
