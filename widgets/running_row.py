"""What can be done with a job while it runs: pause it, end it with what it has, stop it."""

from __future__ import annotations

from typing import Any

from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from backends.jobs import JobHandle
from widgets.eliding import ElidedLabel
from widgets.icons import IconButton
from widgets.jobs_dock import clock
from widgets.pause_button import PauseButton, pause_word
from widgets.pulse import SLOW, Pulse
from widgets.theme import GRID


class RunningRow(QWidget):
    """A line of words and the buttons beside it; hidden while nothing runs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._handle: JobHandle[Any] | None = None
        self.words: QLabel = ElidedLabel()
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.keep_button = QPushButton("Stop and keep")
        self.keep_button.setToolTip(
            "End the training now and map the scene with the best state so far"
        )
        self.keep_button.clicked.connect(self._keep)
        self.pause_button = PauseButton()
        self.pause_button.clicked.connect(self.refresh)
        self.cancel_button = IconButton("close", "Stop and throw away", self)
        self.cancel_button.clicked.connect(self._cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        row.addWidget(self.words, 1)
        for button in (self.keep_button, self.pause_button, self.cancel_button):
            row.addWidget(button)
        self._pulse = Pulse(self, self.refresh, SLOW)
        self.hide()

    def follow(self, handle: JobHandle[Any] | None) -> None:
        """Speak of another job from now on."""
        self._handle = handle
        if handle is not None:
            self._pulse.start()
        self.refresh()

    def refresh(self) -> None:
        """Show the state again."""
        handle = self._handle
        runs = handle is not None and not handle.state.is_final
        self.setVisible(runs)
        if handle is None or not runs:
            self._pulse.stop()
            return
        token = handle.token
        word = "stopping" if token.cancelled else "ending" if token.enough else pause_word(handle)
        state = handle.progress
        # Short, for three buttons stand beside it; the rest is above the curves.
        words = [word] if word else []
        if state.total:
            unit = "" if state.keeps or not state.unit else f" {state.unit}"
            words.append(f"{state.done:.0f} of {state.total:.0f}{unit}")
        if not word and state.seconds_left is not None and state.seconds > 1:
            words.append(f"{clock(state.seconds_left)} left")
        self.words.setText(", ".join(words) or state.note or "waiting")
        self.keep_button.setVisible(state.keeps)
        self.keep_button.setEnabled(not token.enough and not token.cancelled)
        self.pause_button.follow(handle)
        self.cancel_button.setEnabled(not token.cancelled)

    def _keep(self) -> None:
        if self._handle is not None:
            self._handle.finish()
            self.refresh()

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self.refresh()
