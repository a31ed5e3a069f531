"""Loss and accuracy of a training while it runs."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.palette import key_color
from widgets.theme import plot_colors, wrapped


class TrainingPlot(QWidget):
    """Two lines on two axes: loss (left), accuracy in % (right)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.line = wrapped()
        column.addWidget(self.line)
        self.widget = pg.PlotWidget()
        self.widget.setFixedHeight(160)
        column.addWidget(self.widget)
        ground, text, _ = plot_colors(self)
        self.widget.setBackground(ground)
        plot = self.widget.getPlotItem()
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setLabel("bottom", "Step")
        plot.setLabel("left", "Accuracy, %")
        plot.setYRange(0, 100)
        plot.showGrid(x=True, y=True, alpha=0.12)
        for name in ("left", "bottom"):
            plot.getAxis(name).setPen(pg.mkPen(text))
            plot.getAxis(name).setTextPen(text)
        legend = plot.addLegend(offset=(-8, -24), labelTextSize="8pt")
        legend.setLabelTextColor(text)
        self.train = plot.plot([], [], pen=pg.mkPen(key_color(1)), name="training pixels")
        self.val = plot.plot(
            [], [], pen=pg.mkPen(key_color(0)), symbol="o", symbolSize=4,
            symbolBrush=key_color(0), symbolPen=None, name="validation pixels",
        )  # fmt: skip
        self.hide()

    def clear(self) -> None:
        """Forget the last training."""
        self.train.setData([], [])
        self.val.setData([], [])
        self.line.setText("")
        self.hide()

    def show_curve(self, curve: Any) -> None:
        """Draw a `TrainingCurve`."""
        self.train.setData(list(curve.step), [100 * a for a in curve.train_accuracy])
        self.val.setData(list(curve.val_step), [100 * a for a in curve.val_accuracy])
        if curve.step:
            text = f"Step {curve.step[-1]} of {curve.steps}, loss {curve.loss[-1]:.3f}"
            if curve.val_accuracy:
                text += f", validation {100 * curve.val_accuracy[-1]:.1f} %"
            self.line.setText(text)
