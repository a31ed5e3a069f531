"""Two open scenes of one place: seen together, checked whether they lie on each other, moved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from backends.errors import ClearbandError
from backends.georeference import GeoReference
from backends.jobs import Job, JobHandle, Progress
from backends.measuring.lengths import DISTANCE, measure
from backends.pairs.alignment import Alignment
from backends.pairs.asking import shift_command
from backends.pairs.registration import Registration, register
from backends.pairs.shifting import (
    Offset,
    moved_notes,
    offset_against,
    offset_for,
    offset_of,
    offset_text,
)
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import narrow_box, scrolled_column
from widgets.pairs.board import OFF, SIDE, SWIPE, PairBoard
from widgets.running_row import RunningRow
from widgets.theme import GRID, EmptyState, wrapped

_WAYS = {
    OFF: ("One", "This scene alone"),
    SWIPE: ("Swipe", "The second scene over the first, with an edge to drag (X)"),
    SIDE: ("Side by side", "Both, looking at the same ground (Shift+X)"),
}
_MOVE, _LAY = "Move the second scene by this", "Lay the second scene so in view"
_TIE_MOVE, _TIE_LAY = "Move the second scene there", "Lay the second scene there in view"
_TIE_HINT = "Click a thing in the left scene, then the same thing in the right one."


class PairDock(QWidget):
    """Reads as a sentence: with which scene, how seen, do they fit, move it."""

    ID = "pair"
    TITLE = "Two scenes"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        *,
        pair: PairBoard | None = None,
        open_files: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self.board = workspace, pair or PairBoard()
        self._found: tuple[Scene, Scene, Registration] | None = None
        self._offset: Offset | None = None
        # Where no map says how they lie: pixels below and right that a tie takes back in view.
        self._in_view: tuple[float, float] | None = None
        self._tie_words: tuple[str, ...] = ()
        ask = open_files or (lambda: None)
        column = scrolled_column(self)
        self.empty = EmptyState(
            "Open a second scene of the same place to see both.", "Open…", lambda: (ask(), None)[1]
        )
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self._build_view(body)
        self._build_check(body)
        self._build_tie(body)
        self.moved_line = wrapped()
        self.back_button = QPushButton("Put it back")
        self.back_button.setToolTip("Where its file has it (can be undone)")
        self.back_button.clicked.connect(lambda: self.put_back())
        body.addWidget(self.moved_line)
        body.addWidget(self.back_button)
        for signal in (
            workspace.active_scene_changed, workspace.scene_added, workspace.scene_removed
        ):  # fmt: skip
            listen(self, signal, self._fill)
        listen(self, workspace.scene_info_changed, self._on_info)
        listen(self, self.board.changed, self._on_board)
        listen(self, self.board.aligned, self._on_aligned)
        listen(self, self.board.tie_changed, self._on_tie)
        self._fill()

    # -- made once -----------------------------------------------------------------------

    def _build_view(self, body: QVBoxLayout) -> None:
        form = QFormLayout()
        form.setSpacing(GRID)
        self.other_box = narrow_box("The second scene")
        self.other_box.currentIndexChanged.connect(lambda *_: self._on_other())
        form.addRow("Second scene", self.other_box)
        body.addLayout(form)
        row = QHBoxLayout()
        row.setSpacing(2)
        self.ways: dict[str, QPushButton] = {}
        for mode, (title, tip) in _WAYS.items():
            button = QPushButton(title)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.clicked.connect(partial(self._press, mode))
            row.addWidget(button)
            self.ways[mode] = button
        body.addLayout(row)
        self.laid_line = wrapped()
        body.addWidget(self.laid_line)

    def _build_check(self, body: QVBoxLayout) -> None:
        body.addSpacing(GRID)
        body.addWidget(wrapped("<b>Do they lie on each other?</b>"))
        self.check_button = QPushButton("Check")
        self.check_button.setToolTip("Phase correlation of many parts of both scenes")
        self.check_button.clicked.connect(lambda: self.check())
        self.running = RunningRow()
        self.check_line = wrapped()
        self.check_line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.move_button = QPushButton(_MOVE)
        self.move_button.clicked.connect(lambda: self.move_checked())
        for part in (self.check_button, self.running, self.check_line, self.move_button):
            body.addWidget(part)

    def _build_tie(self, body: QVBoxLayout) -> None:
        body.addSpacing(GRID)
        body.addWidget(wrapped("<b>Move it by a tie</b>"))
        self.tie_button = QPushButton("Tie two points")
        self.tie_button.setCheckable(True)
        self.tie_button.clicked.connect(self._press_tie)
        self.tie_line = wrapped()
        self.tie_move_button = QPushButton(_TIE_MOVE)
        self.tie_move_button.clicked.connect(lambda: self.move_tied())
        for part in (self.tie_button, self.tie_line, self.tie_move_button):
            body.addWidget(part)

    # -- which and how -------------------------------------------------------------------

    @property
    def other(self) -> Scene | None:
        """The second scene."""
        return self._workspace.scenes.get(str(self.other_box.currentData()))

    def show_mode(self, mode: str) -> None:
        """Show the second scene so; without one nothing happens."""
        other = self.other
        self.board.show(mode if other is not None else OFF, "" if other is None else other.id)
        self._mark()

    def _press(self, mode: str, *_: object) -> None:
        self.show_mode(mode)

    def _on_other(self) -> None:
        if self.board.mode != OFF:
            self.show_mode(self.board.mode)
        self._forget_check()
        self._show_moved()

    def _on_board(self) -> None:
        at = self.other_box.findData(self.board.other_id)
        if at >= 0 and at != self.other_box.currentIndex():
            self.other_box.setCurrentIndex(at)
        self._mark()
        self._on_aligned()

    def _mark(self) -> None:
        for mode, button in self.ways.items():
            button.setChecked(mode == self.board.mode)

    def _on_aligned(self) -> None:
        laid = self.board.alignment
        self.laid_line.setText("" if laid is None else laid.sentence)
        self.laid_line.setVisible(bool(laid is not None and laid.sentence))

    def _fill(self, *_: object) -> None:
        scene, kept = self._workspace.active_scene, self.other_box.currentData()
        self.other_box.blockSignals(True)
        self.other_box.clear()
        for other in self._workspace.scenes.values():
            if other is not scene:
                self.other_box.addItem(other.title, other.id)
        wanted = self.board.other_id or kept
        self.other_box.setCurrentIndex(max(0, self.other_box.findData(wanted)))
        self.other_box.blockSignals(False)
        some = scene is not None and self.other_box.count() > 0
        self.empty.setVisible(not some)
        self.content.setVisible(some)
        self._forget_check()
        self._on_tie()
        self._mark()
        self._on_aligned()
        self._show_moved()

    def _on_info(self, scene_id: str) -> None:
        self._forget_check()
        self._show_moved()

    # -- the check -----------------------------------------------------------------------

    def _forget_check(self) -> None:
        self._found = None
        self.check_line.setText("")
        self.check_line.hide()
        self.move_button.hide()

    def check(self) -> JobHandle[Registration] | None:
        """Find how far the second scene lies beside the first."""
        one, other = self._workspace.active_scene, self.other
        if one is None or other is None:
            return None
        self._forget_check()

        def run(progress: Progress) -> Registration:
            return register(one, other, progress=progress)

        def show(found: Registration) -> None:
            if self.other is not other or self._workspace.active_scene is not one:
                return
            self._found = (one, other, found)
            lines = [found.note]
            if found.parts:
                lines.append(
                    f"Correlation {found.before:.2f} as they lie, {found.after:.2f} moved "
                    f"({' against '.join(dict.fromkeys(found.bands))})."
                )
            self.check_line.setText("\n".join(lines))
            self.check_line.show()
            placed = found.alignment.placed
            movable = isinstance(other.place, GeoReference) or not placed
            self.move_button.setText(_MOVE if placed else _LAY)
            self.move_button.setVisible(found.apart and movable)

        job = Job(
            f"Compare {other.title} with {one.title}", run, scene_id=one.id, topic="register",
            command=shift_command(one, other),
        )  # fmt: skip
        handle = self._workspace.submit(job, on_result=show)
        self.running.follow(handle)
        return handle

    def move_checked(self) -> None:
        """Move the second scene by what the check found."""
        if self._found is None:
            return
        one, other, found = self._found
        if found.rows is None or found.cols is None:
            return
        if not found.alignment.placed:
            self._lay(found.alignment, found.rows, found.cols, "the check")
            return
        offset = offset_against(one, other, found.rows, found.cols, found.alignment)
        self._workspace.move_scene(other.id, offset, "as the check says")

    def _lay(self, laid: Alignment, rows: float, cols: float, by: str) -> None:
        """Lay the second scene elsewhere in view; there is no map on which it could be moved."""
        if self.board.mode == OFF:
            self.show_mode(SWIPE)
        first = laid.sentence.split(" They are laid")[0]
        said = f"{first} They are laid by {by}, in this view only."
        self.board.set_alignment(laid.moved(rows, cols, said))

    # -- the tie -------------------------------------------------------------------------

    def _press_tie(self, *_: object) -> None:
        on = self.tie_button.isChecked()
        if on and self.board.mode == OFF:
            self.show_mode(SIDE)
        self.board.tie(on and self.board.mode != OFF)
        self._on_tie()

    def _on_tie(self) -> None:
        board, one, other = self.board, self._workspace.active_scene, self.other
        laid = board.alignment
        self._in_view, self._offset = None, None
        self.tie_button.setChecked(board.tying)
        self.tie_button.setText("Drop the tie" if board.tying else "Tie two points")
        self._offset = None
        text = _TIE_HINT if board.tying else ""
        ends = board.first is not None and board.second is not None
        if laid is not None and not laid.placed and board.first and board.second:
            there = laid.to_first(*board.second)
            self._in_view = (there[0] - board.first[0], there[1] - board.first[1])
            far = (self._in_view[0] ** 2 + self._in_view[1] ** 2) ** 0.5
            text = f"They lie {far:.2f} pixels of the first apart; no map holds that, the view can."
        elif one is not None and other is not None and board.first and board.second:
            try:
                self._offset = offset_for(one, other, board.first, board.second)
                text = self._tie_text(one, other)
                self._tie_words = shift_command(one, other, (board.first, board.second))
            except ClearbandError as error:
                text = str(error)
        elif not ends and (board.first or board.second):
            text = f"Now the same thing in the {'right' if board.first else 'left'} scene."
        self.tie_line.setText(text)
        self.tie_line.setVisible(bool(text))
        self.tie_move_button.setText(_TIE_MOVE if self._in_view is None else _TIE_LAY)
        some = self._offset is not None or self._in_view is not None
        self.tie_move_button.setVisible(some)

    def _tie_text(self, one: Scene, other: Scene) -> str:
        laid, board = self.board.alignment, self.board
        assert self._offset is not None
        assert isinstance(other.place, GeoReference)
        before = offset_of(other)
        more = (self._offset[0] - before[0], self._offset[1] - before[1])
        text = f"The second scene would move {offset_text(other.place, more)}"
        if laid is not None and board.first is not None and board.second is not None:
            there = laid.to_first(*board.second)
            apart = ((there[0] - board.first[0]) ** 2 + (there[1] - board.first[1]) ** 2) ** 0.5
            size = ""
            if apart > 0:
                size = f", {measure(one, [there, board.first], DISTANCE).text().split(', ')[0]}"
            text += f" ({apart:.2f} pixels of the first{size})"
        return text + "."

    def move_tied(self) -> None:
        """Move the second scene so that both ends of the tie are one."""
        laid, in_view = self.board.alignment, self._in_view
        if laid is not None and in_view is not None:
            self.board.tie(False)
            self._lay(laid, *in_view, "a tie")
            return
        other, offset, words = self.other, self._offset, self._tie_words
        if other is None or offset is None:
            return
        self.board.tie(False)
        self._workspace.move_scene(other.id, offset, "by a tie")
        if words:
            self._workspace.run_log.add(f"Move {other.title} by a tie", words)

    # -- where it is ---------------------------------------------------------------------

    def _show_moved(self) -> None:
        other = self.other
        told = [] if other is None else moved_notes(other)
        text = "" if other is None or not told else f"{other.title}: {told[0]}"
        self.moved_line.setText(text)
        self.moved_line.setVisible(bool(text))
        self.back_button.setVisible(bool(text))

    def put_back(self) -> None:
        """Put the second scene back where its file has it."""
        other = self.other
        if other is not None and moved_notes(other):
            self._workspace.move_scene(other.id, (0.0, 0.0), "back")
