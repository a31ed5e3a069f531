"""Pause and go on: one button beside whatever shows a running job."""

from __future__ import annotations

from typing import Any

from PyQt6.QtWidgets import QWidget

from backends.jobs import JobHandle, JobState
from widgets.icons import IconButton


class PauseButton(IconButton):
    """Two bars while the job runs, a triangle while it waits; hidden otherwise."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("go", "Pause this job", parent, other="pause")
        self._handle: JobHandle[Any] | None = None
        self.clicked.connect(self._turn)
        self.hide()

    def follow(self, handle: JobHandle[Any] | None) -> None:
        """Show what can be done with a job now."""
        self._handle = handle
        running = handle is not None and handle.state is JobState.RUNNING
        self.setVisible(running)
        if handle is None:
            return
        paused = handle.token.paused
        self.setChecked(paused)
        self.setEnabled(not handle.token.cancelled and not handle.token.enough)
        tip = f"Go on with: {handle.job.title}" if paused else f"Pause: {handle.job.title}"
        self.setToolTip(tip)
        self.setAccessibleName(tip)

    def _turn(self) -> None:
        handle = self._handle
        if handle is not None:
            (handle.resume if handle.token.paused else handle.pause)()
            self.follow(handle)


def pause_word(handle: JobHandle[Any]) -> str:
    """Return "paused", "pausing", or nothing where the job just runs."""
    if not handle.token.paused or handle.state is not JobState.RUNNING:
        return ""
    return "paused" if handle.progress.paused else "pausing"
