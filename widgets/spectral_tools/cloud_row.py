"""How a cloud of pixels is turned: by itself, or by hand."""

from __future__ import annotations

import time

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QHideEvent
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QSlider, QWidget

from widgets.theme import GRID

FRAME_MS = 50
PACE = 0.35  # radians a second
_NOTCH = 0.02  # radians a notch of the slider
_NOTCHES = 2000


class CloudRow(QWidget):
    """A button that lets it turn, and a slider for the hand."""

    turned = pyqtSignal()
    rested = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0.0
        self._since = 0.0
        self.button = QPushButton("Turn")
        self.button.setCheckable(True)
        self.button.setToolTip("Let the cloud turn; drawing around pixels stops it")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _NOTCHES)
        self.slider.setAccessibleName("How far the cloud is turned")
        self.slider.setToolTip("Turn it by hand; at the left end the first two are seen")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.button)
        row.addWidget(self.slider, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._tick)
        self.button.toggled.connect(self._on_toggled)
        self.slider.valueChanged.connect(self._on_slider)

    @property
    def turning(self) -> bool:
        """Whether it turns by itself."""
        return self._timer.isActive()

    def rest(self) -> None:
        """Stay as it is."""
        self.button.setChecked(False)

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self.rest()

    def _on_toggled(self, on: bool) -> None:
        self.button.setText("Stop" if on else "Turn")
        self._since = time.monotonic()
        if on:
            self._timer.start()
        else:
            self._timer.stop()
            self.rested.emit()

    def _tick(self) -> None:
        now = time.monotonic()
        # After a pause of the program it goes on where it was.
        step = PACE * min(now - self._since, 0.25)
        self._since = now
        self.turn = (self.turn + step) % (_NOTCHES * _NOTCH)
        self.slider.blockSignals(True)
        self.slider.setValue(round(self.turn / _NOTCH))
        self.slider.blockSignals(False)
        self.turned.emit()

    def _on_slider(self, value: int) -> None:
        self.turn = value * _NOTCH
        self.turned.emit()
