"""Loss and accuracy of a training while it runs."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.palette import key_color
from widgets.pulse import Pulse
from widgets.theme import text_color, wrapped


class TrainingPlot(QWidget):
    """Two lines on two axes: loss (left), accuracy in % (right)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.line = wrapped()
        column.addWidget(self.line)
        self.widget = pg.PlotWidget()
        self.widget.setFixedHeight(184)
        column.addWidget(self.widget)
        self.widget.setBackground(None)  # the window's ground shines through
        plot = self.widget.getPlotItem()
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setLabel("bottom", "Step")
        plot.setLabel("left", "Accuracy, %")
        # Fixed ranges: an axis that moves with the curve is painted twice.
        plot.disableAutoRange()
        plot.setYRange(0, 100)
        plot.showGrid(x=True, y=True, alpha=0.12)
        self.legend = plot.addLegend(offset=(-8, -24), labelTextSize="8pt")
        self.train = plot.plot([], [], pen=pg.mkPen(key_color(1)), name="training pixels")
        self.val = plot.plot(
            [], [], pen=pg.mkPen(key_color(0)), symbol="o", symbolSize=4,
            symbolBrush=key_color(0), symbolPen=None, name="validation pixels",
        )  # fmt: skip
        self._waiting: Any = None
        self._range = 0
        self._pulse = Pulse(self, self._draw)
        self.hide()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take the window's colours."""
        super().showEvent(event)
        text = text_color(self)
        for name in ("left", "bottom"):
            axis = self.widget.getPlotItem().getAxis(name)
            axis.setPen(pg.mkPen(text))
            axis.setTextPen(text)
        self.legend.setLabelTextColor(text)

    def clear(self) -> None:
        """Forget the last training."""
        self._waiting = None
        self.train.setData([], [])
        self.val.setData([], [])
        self.line.setText("")
        self.hide()

    def show_curve(self, curve: Any) -> None:
        """Draw a `TrainingCurve` with the next beat; the newest counts."""
        self._waiting = curve
        self._pulse.start()

    def _draw(self) -> None:
        curve, self._waiting = self._waiting, None
        if curve is None:
            self._pulse.stop()
            return
        self.train.setData(list(curve.step), [100 * a for a in curve.train_accuracy])
        self.val.setData(list(curve.val_step), [100 * a for a in curve.val_accuracy])
        if self._range != curve.steps:
            self._range = curve.steps
            self.widget.getPlotItem().setXRange(0, curve.steps, padding=0.02)
        if curve.step:
            text = f"Step {curve.step[-1]} of {curve.steps}, loss {curve.loss[-1]:.3f}"
            if curve.val_accuracy:
                text += f", validation {100 * curve.val_accuracy[-1]:.1f}\u00a0%"
            self.line.setText(text)
