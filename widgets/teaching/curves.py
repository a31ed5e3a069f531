"""Curves of a training of images while it runs: accuracy and macro F1, loss, learning rate."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.learning.training_plan import ImageCurve
from backends.palette import key_color
from widgets.pulse import SLOW, Pulse
from widgets.theme import text_color, wrapped


class ImageTrainingPlot(QWidget):
    """Above accuracy and macro F1 in % a round, below the loss of every step."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.line = wrapped()
        column.addWidget(self.line)
        self.key = wrapped()
        self.key.setToolTip(
            "Macro F1 and accuracy on validation images, which choose the state that is kept; "
            "accuracy in training is on changed images that it learns from"
        )
        column.addWidget(self.key)
        self.upper, self.lower = _plot("%", 160), _plot("Loss", 120)
        column.addWidget(self.upper)
        column.addWidget(self.lower)
        self.lower.getPlotItem().setLabel("bottom", "Round")
        self.upper.getPlotItem().setYRange(0, 100)
        # Not inside the plot: 300 pixels are too few for words beside the lines.
        named = ((0, "macro F1"), (2, "accuracy"), (1, "in\u00a0training"))
        dot = "<span style='color:{}'>●</span>\u00a0{}"
        self.key.setText(" ".join(dot.format(key_color(n), name) for n, name in named))
        self.f1, self.val, self.train = self._curve(0), self._curve(2), self._curve(1)
        self.loss = self.lower.getPlotItem().plot([], [], pen=pg.mkPen(key_color(1)))
        self.val_loss = self.lower.getPlotItem().plot(
            [], [], pen=pg.mkPen(key_color(2)), symbol="o", symbolSize=4,
            symbolBrush=key_color(2), symbolPen=None,
        )  # fmt: skip
        self._waiting: ImageCurve | None = None
        self._range = 0
        self._pulse = Pulse(self, self._draw, SLOW)
        self.hide()

    def _curve(self, color: int) -> Any:
        return self.upper.getPlotItem().plot(
            [], [], pen=pg.mkPen(key_color(color)), symbol="o", symbolSize=4,
            symbolBrush=key_color(color), symbolPen=None,
        )  # fmt: skip

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take the window's colours."""
        super().showEvent(event)
        text = text_color(self)
        for plot in (self.upper, self.lower):
            for name in ("left", "bottom"):
                axis = plot.getPlotItem().getAxis(name)
                axis.setPen(pg.mkPen(text))
                axis.setTextPen(text)

    def clear(self) -> None:
        """Forget the last training."""
        self._waiting, self._range = None, 0
        for curve in (self.f1, self.val, self.train, self.loss, self.val_loss):
            curve.setData([], [])
        self.line.setText("")
        self.hide()

    def show_curve(self, curve: ImageCurve) -> None:
        """Draw with the next beat; the newest counts."""
        self._waiting = curve
        self.show()
        self._pulse.start()

    def _draw(self) -> None:
        curve, self._waiting = self._waiting, None
        if curve is None:
            self._pulse.stop()
            return
        if self._range != curve.epochs:
            self._range = curve.epochs
            for plot in (self.upper, self.lower):
                plot.getPlotItem().setXRange(0, curve.epochs, padding=0.02)
        rounds = [figures.epoch for figures in curve.done]
        self.train.setData(rounds, [100 * f.accuracy for f in curve.done])
        tested = [f for f in curve.done if f.val_accuracy is not None]
        places = [f.epoch for f in tested]
        self.val.setData(places, [100 * (f.val_accuracy or 0) for f in tested])
        self.f1.setData(places, [100 * (f.val_macro_f1 or 0) for f in tested])
        steps = curve.steps_per_epoch
        self.loss.setData([(n + 1) / steps for n in range(len(curve.loss))], list(curve.loss))
        self.val_loss.setData(places, [f.val_loss or 0 for f in tested])
        # Early losses of new layers stand far above what is looked at later.
        top = max([*sorted(curve.loss)[: max(1, int(0.95 * len(curve.loss)))], 0.1])
        self.lower.getPlotItem().setYRange(0, 1.1 * top)
        now = len(curve.loss) // steps + (len(curve.loss) % steps > 0)
        text = f"Round {now} of {curve.epochs}"
        if curve.loss:
            text += f", loss {curve.loss[-1]:.3f}"
        if curve.done:
            text += f", learning rate {curve.done[-1].learning_rate:.1e}"
        if curve.best_epoch and tested:
            best = curve.done[curve.best_epoch - 1]
            score = 100 * (best.val_macro_f1 or 0)
            text += f". Best so far: round {curve.best_epoch}, macro F1 {score:.1f}\u00a0%"
        self.line.setText(text + ".")


def _plot(title: str, height: int) -> pg.PlotWidget:
    widget = pg.PlotWidget()
    widget.setFixedHeight(height)
    widget.setBackground(None)
    plot = widget.getPlotItem()
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.setLabel("left", title)
    plot.getAxis("left").setWidth(44)
    # Fixed ranges: an axis that moves with the curve is painted twice.
    plot.disableAutoRange()
    plot.showGrid(x=True, y=True, alpha=0.12)
    return widget
