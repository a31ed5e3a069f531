"""The errors that a network is surest of, with what it went by; a click opens the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QFileDialog, QFrame, QGridLayout, QPushButton, QVBoxLayout, QWidget

from backends.explain.model_choices import ModelChoice
from backends.jobs import Job, JobHandle
from widgets.background import listen
from widgets.explaining.desk import Desk
from widgets.explaining.picture_label import PictureLabel
from widgets.explaining.questions import FindErrors
from widgets.explaining.words import escape, sentence, share
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped

if TYPE_CHECKING:
    from backends.explain.confident_errors import ConfidentError, Errors


class ErrorsPage(QWidget):
    """Choose labelled images, look through what went wrong.

    Parameters
    ----------
    desk : Desk
    chosen : callable
        Returns the network and the method that are chosen, or None.
    open_error : callable
        Opens an image with its map; given path and class that was said.
    """

    def __init__(
        self,
        desk: Desk,
        chosen: Callable[[], tuple[ModelChoice, str] | None],
        open_error: Callable[[Path, str], None],
    ) -> None:
        super().__init__()
        self._desk, self._chosen, self._open = desk, chosen, open_error
        self._handle: JobHandle[Any] | None = None
        self._folder: Path | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.line = wrapped(
            "Images that the network of the Explain page is sure of and wrong about, each with "
            "what it went by. Choose a folder with one folder of images a class."
        )
        self.button = QPushButton("Labelled images…")
        self.button.clicked.connect(self._ask)
        self.problem_line, self.running = wrapped(), RunningRow()
        self.problem_line.hide()
        self.result_line = wrapped()
        for widget in (
            self.line,
            self.button,
            self.problem_line,
            self.running,
            self.result_line,
        ):
            column.addWidget(widget)
        self.tiles = QVBoxLayout()
        self.tiles.setSpacing(GRID)
        column.addLayout(self.tiles)
        self.cards: list[ErrorCard] = []
        listen(self, desk.workspace.job_finished, self._on_finished)

    def _ask(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder with one folder a class")
        if name:
            self.find(Path(name))

    def find(self, folder: Path) -> None:
        """Look for errors among the images of a folder."""
        chosen = self._chosen()
        self._folder = folder
        if chosen is None:
            self._say("Choose a network first (Explain).")
            return
        choice, how = chosen
        self._say("")
        self.show_errors(None)
        work = FindErrors(choice, folder, how, self._desk.networks)
        job: Job[Any] = Job(
            f"Surest errors of {choice.title} in {folder.name}", work, topic="explain errors"
        )
        self._handle = self._desk.workspace.submit(
            job, on_result=self.show_errors, on_partial=self.show_errors
        )
        self.running.follow(self._handle)
        self.button.setEnabled(False)
        if self._handle.state.is_final:
            self._on_finished(self._handle)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is not self._handle:
            return
        self.running.refresh()
        self.button.setEnabled(True)
        if handle.error is not None:
            self._say(sentence(handle.error))

    def _say(self, text: str) -> None:
        self.problem_line.setText(text)
        self.problem_line.setVisible(bool(text))

    def show_errors(self, errors: Errors | None) -> None:
        """Show what was found so far; None empties the page."""
        known = [] if errors is None else list(errors.found)
        while self.cards and (not known or len(self.cards) > len(known)):
            card = self.cards.pop()
            self.tiles.removeWidget(card)
            card.deleteLater()
        for error in known[len(self.cards) :]:
            card = ErrorCard(error)
            card.clicked.connect(lambda e=error: self._open(e.path, e.said))
            self.cards.append(card)
            self.tiles.addWidget(card)
        if errors is None:
            self.result_line.setText("")
            return
        whose = "test images of its training" if errors.part == "test" else "images"
        words = f"<b>{errors.wrong:,} of {errors.asked:,} {whose} wrong.</b>"
        if errors.part == "all":
            words += " It may have been taught on some of them."
        if errors.skipped:
            words += f" {len(errors.skipped)} could not be read."
            self.result_line.setToolTip("\n".join(errors.skipped[:20]))
        self.result_line.setText(words)


class ErrorCard(QFrame):
    """One error: the image, its heatmap, what it is and what was said."""

    clicked = pyqtSignal()

    def __init__(self, error: ConfidentError) -> None:
        super().__init__()
        self.error = error
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(f"{error.name}: click to open it with its map")
        grid = QGridLayout(self)
        grid.setContentsMargins(4, 4, 4, 4)
        grid.setSpacing(4)
        for side, picture in enumerate((error.picture, error.explained)):
            label = PictureLabel(112)
            label.show_array(picture)
            label.clicked.connect(self.clicked.emit)
            grid.addWidget(label, 0, side)
            grid.setColumnStretch(side, 1)
        words = wrapped(
            f"Is <b>{escape(error.truth)}</b>, said <b>{escape(error.said)}</b> "
            f"{share(error.sure)} · {escape(error.path.name)}"
        )
        grid.addWidget(words, 1, 0, 1, 2)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Tell of the click."""
        self.clicked.emit()
