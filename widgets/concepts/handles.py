"""What is done to the concept in hand: scale it, set it, take it away."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from backends.concepts.changes import REMOVED, Change
from widgets.explaining.words import escape
from widgets.theme import GRID, wrapped

MOST = 3.0  # the slider ends at so many times its strength
_LARGEST = 9999.0


class ChangeHandles(QWidget):
    """A slider for its share, a number for its strength, a button that takes it away."""

    previewed = pyqtSignal(object)  # while the slider is dragged
    changed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(GRID // 2)
        self.what_line = wrapped()
        rows.addWidget(self.what_line)
        line = QHBoxLayout()
        line.setSpacing(GRID // 2)
        line.addWidget(QLabel("Scale"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round(10 * MOST))
        self.slider.setToolTip("How strong the concept would be; the decision follows at once")
        self.slider.setAccessibleName("Scale the concept in hand")
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderReleased.connect(self._on_released)
        self.scale_line = QLabel()
        self.scale_line.setMinimumWidth(self.fontMetrics().horizontalAdvance("300\u00a0%"))
        self.scale_line.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        line.addWidget(self.slider, 1)
        line.addWidget(self.scale_line)
        rows.addLayout(line)
        line = QHBoxLayout()
        line.setSpacing(GRID // 2)
        line.addWidget(QLabel("Set to"))
        self.value_box = QDoubleSpinBox()
        self.value_box.setDecimals(2)
        # As far as anyone would go: a narrower range swallows digits while one types.
        self.value_box.setRange(0.0, _LARGEST)
        self.value_box.setKeyboardTracking(False)
        self.value_box.setMinimumWidth(1)
        self.value_box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.value_box.setToolTip("Its strength instead; also where the concept is off. Enter sets")
        self.value_box.setAccessibleName("Set the concept in hand to a strength")
        self.value_box.valueChanged.connect(lambda v: self.changed.emit(Change(value=v)))
        line_edit = self.value_box.lineEdit()
        assert line_edit is not None
        # Else Ctrl+Z would go on to undo letters in the box, not the change.
        line_edit.returnPressed.connect(self._leave)
        self.away_button = QPushButton("Take away")
        self.away_button.setToolTip("Decide as if the concept were not there")
        self.away_button.clicked.connect(lambda: self.changed.emit(REMOVED))
        line.addWidget(self.value_box, 1)
        line.addWidget(self.away_button)
        rows.addLayout(line)

    def show_none(self) -> None:
        """No concept is in hand."""
        self._enable(False, False)
        self.what_line.setText("Click a bar: then it can be scaled, set or taken away.")
        self.scale_line.setText("")
        for part in (self.slider, self.value_box):  # nothing stays of the one before
            part.blockSignals(True)
            part.setValue(0)
            part.blockSignals(False)

    def show_concept(
        self, name: str, own: float, now: float, top: float, change: Change | None
    ) -> None:
        """Show a concept.

        Parameters
        ----------
        own, now : float
            Its strength here, and after the change.
        top : float
            Its usual highest strength.
        """
        told = f"strength {own:.2f}" if own else "off here"
        told += f", usually up to {top:.2f}"
        self.what_line.setText(f"<b>{escape(name)}</b>: {told}.")
        self._enable(True, own > 0)
        self.away_button.setEnabled(now > 0)
        share = 1.0
        if change is not None:
            share = change.scale if change.value is None else now / (own or 1.0)
        self.scale_line.setText(f"{100 * share:.0f}\u00a0%" if own else "")
        for part in (self.slider, self.value_box):
            part.blockSignals(True)
        if not self.slider.isSliderDown():
            self.slider.setValue(round(10 * share))
        self.value_box.setSingleStep(max(0.01, round(max(top, own) / 20, 2)))
        self.value_box.setValue(now)
        for part in (self.slider, self.value_box):
            part.blockSignals(False)

    def _enable(self, there: bool, on: bool) -> None:
        self.slider.setEnabled(on)
        self.value_box.setEnabled(there)
        self.away_button.setEnabled(on)

    def _leave(self) -> None:
        self.setFocus()
        line_edit = self.value_box.lineEdit()
        if line_edit is not None:
            line_edit.deselect()

    def _on_slider(self, value: int) -> None:
        signal = self.previewed if self.slider.isSliderDown() else self.changed
        signal.emit(Change(value / 10))

    def _on_released(self) -> None:
        self.changed.emit(Change(self.slider.value() / 10))
