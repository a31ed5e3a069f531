"""Every job with how far it is, how long it takes, how to stop it, and why it failed."""

from __future__ import annotations

import time
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from backends.jobs import JobHandle, JobState, ProgressState
from backends.overlays import Overlay
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pause_button import PauseButton, pause_word
from widgets.pulse import Pulse
from widgets.theme import GRID, EmptyState, wrapped

_WORDS = {
    JobState.WAITING: "waiting",
    JobState.DONE: "done",
    JobState.CANCELLED: "cancelled",
    JobState.FAILED: "failed",
}


class JobsDock(QWidget):
    """The list of jobs, newest first."""

    ID = "jobs"
    TITLE = "Jobs"

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.rows: dict[int, JobRow] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout.addWidget(self.area)
        inside = QWidget()
        self.area.setWidget(inside)
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(GRID, GRID, GRID, GRID)
        self._column.setSpacing(GRID)
        self.empty = EmptyState("Nothing runs. What takes longer than a moment is listed here.")
        self._column.addWidget(self.empty)
        self._column.addStretch(1)
        self.clear_button = QPushButton("Clear finished")
        self.clear_button.clicked.connect(self.clear_finished)
        self._column.addWidget(self.clear_button, 0, Qt.AlignmentFlag.AlignRight)
        self._timer = Pulse(self, self._refresh)
        listen(self, workspace.job_submitted, self._on_submitted)
        listen(self, workspace.job_finished, self._on_finished)
        for handle in workspace.jobs:
            self._on_submitted(handle)
        self._refresh()

    def clear_finished(self) -> None:
        """Take the rows of jobs that are over away."""
        for number in [n for n, row in self.rows.items() if row.handle.state.is_final]:
            self.rows.pop(number).deleteLater()
        self._refresh()

    def _on_submitted(self, handle: JobHandle[Any]) -> None:
        if handle.job.quiet or handle.number in self.rows:
            return
        row = JobRow(handle, self._workspace)
        self.rows[handle.number] = row
        self._column.insertWidget(0, row)
        self._timer.start()
        self._refresh()

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle.number in self.rows:
            self._refresh()

    def _refresh(self) -> None:
        for row in self.rows.values():
            row.refresh()
        over = [row.handle.state.is_final for row in self.rows.values()]
        self.empty.setVisible(not over)
        self.clear_button.setVisible(any(over))
        if all(over):
            self._timer.stop()


class JobRow(QFrame):
    """One job."""

    def __init__(self, handle: JobHandle[Any], workspace: Workspace) -> None:
        super().__init__()
        self.handle, self._workspace = handle, workspace
        self._drawn: tuple[object, ...] | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        top = QHBoxLayout()
        self.title = wrapped(handle.job.title)
        self.state_label = QLabel()
        self.pause_button = PauseButton()
        self.pause_button.clicked.connect(self.refresh)
        self.cancel_button = QToolButton()
        self.cancel_button.setText("×")
        self.cancel_button.setToolTip("Stop this job")
        self.cancel_button.setAccessibleName(f"Stop {handle.job.title}")
        self.cancel_button.clicked.connect(self._cancel)
        self.show_button = QPushButton("Show")
        self.show_button.setToolTip("Make the result the active layer")
        self.show_button.clicked.connect(self._show_result)
        top.addWidget(self.title, 1)
        for widget in (
            self.state_label,
            self.show_button,
            self.pause_button,
            self.cancel_button,
        ):
            top.addWidget(widget)
        column.addLayout(top)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(GRID)
        column.addWidget(self.bar)
        self.line = wrapped()
        column.addWidget(self.line)
        self.details_button = QToolButton()
        self.details_button.setText("Details")
        self.details_button.setCheckable(True)
        column.addWidget(self.details_button)
        self.details = wrapped()
        self.details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(self.details)
        self.details_button.toggled.connect(self.details.setVisible)
        self.details.hide()
        self.refresh()

    def refresh(self) -> None:
        """Draw the state again, if it changed."""
        handle = self.handle
        running = handle.state is JobState.RUNNING
        second = int(time.monotonic()) if running else 0
        stamp = (handle.state, handle.progress, handle.token.paused, second)
        if stamp == self._drawn:
            return
        self._drawn = stamp
        over = handle.state.is_final
        self.bar.setVisible(not over)
        self.pause_button.follow(handle)
        self.cancel_button.setVisible(not over)
        self.cancel_button.setEnabled(not handle.token.cancelled)
        self.show_button.setVisible(handle.state is JobState.DONE and bool(self._results()))
        self.details_button.setVisible(handle.state is JobState.FAILED and bool(handle.details))
        fraction = handle.progress.fraction
        self.bar.setRange(0, 0 if running and fraction is None else 1000)
        self.bar.setValue(round(1000 * (fraction or 0)))
        word = pause_word(handle) or _WORDS.get(handle.state, "")
        if running and handle.token.cancelled:
            word = "stopping"
        elif running and handle.token.enough:
            word = "ending"
        if over and handle.state is not JobState.FAILED:
            word += f", {clock(handle.seconds)}"
        self.state_label.setText(word)
        if handle.state is JobState.FAILED:
            self.line.setText(str(handle.error))
            self.details.setText(handle.details)
        else:
            self.line.setText(progress_words(handle.progress) if running else "")
        self.line.setVisible(bool(self.line.text()))

    def _cancel(self) -> None:
        self.handle.cancel()
        self.refresh()

    def _results(self) -> list[Overlay]:
        """Return the overlays of the result that are still open."""
        result = self.handle.result
        found = getattr(result, "overlays", result if isinstance(result, (list, tuple)) else ())
        items = [result] if isinstance(result, Overlay) else list(found)
        return [o for o in items if isinstance(o, Overlay) and o.id in self._workspace.overlays]

    def _show_result(self) -> None:
        for overlay in self._results()[:1]:
            self._workspace.activate(overlay.scene_id)
            self._workspace.activate_overlay(overlay.id)


def progress_words(state: ProgressState) -> str:
    """Return how far, how fast and how long still, e.g. ``"12 of 48 tiles · 9 s left"``."""
    parts = [state.note] if state.note else []
    if state.total:
        parts.append(f"{state.done:.0f} of {state.total:.0f} {state.unit}".strip())
    elif state.done:
        parts.append(f"{state.done:.0f} {state.unit}".strip())
    if state.rate and state.unit:
        parts.append(f"{state.rate:.3g} {state.unit}/s")
    if state.seconds_left is not None and state.seconds > 1:
        parts.append(f"{clock(state.seconds_left)} left")
    return " · ".join(parts)


def clock(seconds: float) -> str:
    """Return a duration as people read it: ``"0.4 s"``, ``"1:05"``, ``"2:00:00"``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
