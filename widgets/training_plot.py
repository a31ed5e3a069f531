"""Accuracy, loss and learning rate of a training while it runs."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.palette import key_color
from widgets.pulse import SLOW, Pulse
from widgets.theme import text_color, wrapped

# Both plots leave the same room at the sides, so that their steps lie one above the other.
LEFT, RIGHT = 52, 56
LOSS, RATE = key_color(5), key_color(6)


class TrainingPlot(QWidget):
    """Above accuracy in %; below loss (left axis) and learning rate (right axis)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.line = wrapped()
        column.addWidget(self.line)
        self.widget, plot = _plot("Accuracy, %", 168)
        self.lower, below = _plot("Loss", 132)
        column.addWidget(self.widget)
        column.addWidget(self.lower)
        plot.getAxis("bottom").setStyle(showValues=False)
        plot.setYRange(0, 100)
        self.legend = plot.addLegend(offset=(-4, -4), labelTextSize="8pt", verSpacing=-4)
        self.train = plot.plot([], [], pen=pg.mkPen(key_color(1)), name="training pixels")
        self.val = plot.plot([], [], name="validation pixels", **_dotted(key_color(0), "o"))
        self.average = plot.plot(
            [], [], name="mean of the classes", **_dotted(key_color(2), "s", dashed=True)
        )
        plot.showAxis("right")
        plot.getAxis("right").setStyle(showValues=False)
        below.setLabel("bottom", "Step")
        self.loss = below.plot([], [], pen=pg.mkPen(LOSS))
        # pyqtgraph has one scale a box: the learning rate gets a box of its own over the other.
        self.second = pg.ViewBox(enableMenu=False)
        below.scene().addItem(self.second)
        below.showAxis("right")
        axis = below.getAxis("right")
        axis.linkToView(self.second)
        axis.setLabel("Learning rate")
        axis.enableAutoSIPrefix(False)
        self.second.setXLink(below.getViewBox())
        self.rate = pg.PlotDataItem([], [], pen=pg.mkPen(RATE))
        self.second.addItem(self.rate)
        self.second.disableAutoRange()
        below.getViewBox().sigResized.connect(self._follow)
        self._waiting: Any = None
        self._ranges: tuple[float, ...] = ()
        self._pulse = Pulse(self, self._draw, SLOW)
        self._validated = 0
        self.hide()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take the window's colours."""
        super().showEvent(event)
        text = text_color(self)
        for widget in (self.widget, self.lower):
            for name in ("left", "bottom", "right"):
                axis = widget.getPlotItem().getAxis(name)
                axis.setPen(pg.mkPen(text))
                axis.setTextPen(text)
        self.legend.setLabelTextColor(text)
        # The words say which curve belongs to which side.
        for name, color in (("left", LOSS), ("right", RATE)):
            axis = self.lower.getPlotItem().getAxis(name)
            axis.setLabel(axis.labelText, color=color)
        self._follow()

    def clear(self) -> None:
        """Forget the last training."""
        self._waiting, self._validated = None, 0
        for curve in (self.train, self.val, self.average, self.loss, self.rate):
            curve.setData([], [])
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
        step, val_step = list(curve.step), list(curve.val_step)
        self.train.setData(step, [100 * a for a in curve.train_accuracy])
        if len(val_step) != self._validated:
            self._validated = len(val_step)
            self.val.setData(val_step, [100 * a for a in curve.val_accuracy])
            self.average.setData(val_step, [100 * a for a in curve.val_average])
        self.loss.setData(step, list(curve.loss))
        self.rate.setData(step, list(curve.rate))
        self._scale(curve)
        if curve.step:
            text = f"Step {curve.step[-1]} of {curve.steps}, loss {curve.loss[-1]:.3f}"
            if curve.val_accuracy:
                text += f", validation {_percent(curve.val_accuracy[-1])}"
                text += f" (mean of the classes {_percent(curve.val_average[-1])})"
            self.line.setText(f"{text}, learning rate {curve.rate[-1]:.1e}")

    def _scale(self, curve: Any) -> None:
        """Widen the axes where a curve would leave them.

        They do not move with it: an axis that moves is painted twice.
        """
        highest = max(curve.loss, default=1.0), max(curve.rate, default=1e-3)
        wanted = (curve.began_at, curve.steps, *map(_rounded_up, highest))
        if wanted == self._ranges:
            return
        self._ranges = wanted
        for widget in (self.widget, self.lower):
            widget.getPlotItem().setXRange(curve.began_at, curve.steps, padding=0.02)
        self.lower.getPlotItem().setYRange(0, wanted[2], padding=0.02)
        self.second.setYRange(0, wanted[3], padding=0.02)

    def _follow(self) -> None:
        self.second.setGeometry(self.lower.getPlotItem().getViewBox().sceneBoundingRect())


def _plot(label: str, height: int) -> tuple[pg.PlotWidget, pg.PlotItem]:
    widget = pg.PlotWidget()
    widget.setFixedHeight(height)
    widget.setBackground(None)  # the window's ground shines through
    plot = widget.getPlotItem()
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.setMouseEnabled(x=False, y=False)
    plot.setLabel("left", label)
    plot.getAxis("left").setWidth(LEFT)
    plot.getAxis("left").enableAutoSIPrefix(False)
    plot.getAxis("right").setWidth(RIGHT)
    plot.disableAutoRange()
    plot.showGrid(x=True, y=True, alpha=0.12)
    return widget, plot


def _dotted(color: str, symbol: str, *, dashed: bool = False) -> dict[str, Any]:
    style = pg.QtCore.Qt.PenStyle.DashLine if dashed else pg.QtCore.Qt.PenStyle.SolidLine
    return {
        "pen": pg.mkPen(color, style=style),
        "symbol": symbol,
        "symbolSize": 4,
        "symbolBrush": color,
        "symbolPen": None,
    }


def _rounded_up(value: float) -> float:
    """Return the next of 1, 2, 5 times a power of ten, so that an axis rarely changes."""
    import math

    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}\u00a0%"
