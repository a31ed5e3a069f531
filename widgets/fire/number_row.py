"""A number with its name, a slider and its value in words."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from widgets.theme import GRID


class NumberRow(QWidget):
    """A slider over whole steps of a number.

    Parameters
    ----------
    name, tip : str
    low, high, step : float
        ``step`` is what one notch is worth.
    words : callable
        The value in words.
    """

    changed = pyqtSignal(float)

    def __init__(
        self,
        name: str,
        tip: str,
        low: float,
        high: float,
        step: float,
        words: Callable[[float], str],
    ) -> None:
        super().__init__()
        self._step, self._words = step, words
        self.name = QLabel(name)
        self.name.setMinimumWidth(80)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(low / step), round(high / step))
        self.slider.setAccessibleName(name)
        self.value_label = QLabel()
        self.value_label.setMinimumWidth(self.value_label.fontMetrics().horizontalAdvance("000 px"))
        self.value_label.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setToolTip(tip)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.name)
        row.addWidget(self.slider, 1)
        row.addWidget(self.value_label)
        self.slider.valueChanged.connect(self._on_value)
        self._say()

    @property
    def value(self) -> float:
        """The number."""
        return round(self.slider.value() * self._step, 6)

    def put(self, value: float) -> None:
        """Show a number without telling anybody."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(value / self._step))
        self.slider.blockSignals(False)
        self._say()

    def _say(self) -> None:
        self.value_label.setText(self._words(self.value))

    def _on_value(self, *_: object) -> None:
        self._say()
        self.changed.emit(self.value)
