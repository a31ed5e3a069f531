"""Gate, pixel threshold and least size: three sliders that the detection and the feed share."""

from __future__ import annotations

from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.fire.results import Tuning
from widgets.fire.number_row import NumberRow

SETTLE_MS = 120


def _chance(value: float) -> str:
    return f"{value:.2f}"


def _pixels(value: float) -> str:
    return f"{value:.0f} px"


class TuningRows(QWidget):
    """The sliders; they tell their numbers once they have come to rest for a moment."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.gate = NumberRow(
            "Gate", "Probability of the classifier from which a tile is looked at closely",
            0, 1, 0.01, _chance,
        )  # fmt: skip
        self.threshold = NumberRow(
            "Fire from", "Probability from which a pixel is fire", 0.01, 1, 0.01, _chance
        )
        self.least = NumberRow(
            "Least size", "Smaller spots are left out of the mask", 1, 60, 1, _pixels
        )
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(SETTLE_MS)
        self._rest.timeout.connect(self.changed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for row in (self.gate, self.threshold, self.least):
            row.changed.connect(self._on_changed)
            column.addWidget(row)
        self.put(Tuning(0.2, 0.5))

    @property
    def tuning(self) -> Tuning:
        """The numbers."""
        return Tuning(self.gate.value, self.threshold.value, int(self.least.value))

    def put(self, tuning: Tuning) -> None:
        """Show numbers without telling anybody."""
        self._rest.stop()
        self.gate.put(tuning.gate)
        self.threshold.put(tuning.threshold)
        self.least.put(tuning.min_size)

    def with_networks(self, there: bool) -> None:
        """Show what concerns networks, or only what concerns rules."""
        self.gate.setVisible(there)
        self.threshold.setVisible(there)

    def _on_changed(self, *_: object) -> None:
        self._rest.start()
