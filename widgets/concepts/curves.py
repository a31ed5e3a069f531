"""How a dictionary of concepts gets on while it learns: what is left unexplained, and more."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.palette import key_color
from widgets.pulse import Pulse
from widgets.small_plot import SmallPlot
from widgets.theme import text_color, wrapped


class LearningCurves(QWidget):
    """Above FVU and the share of silent concepts in %; below how many are on at a place."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.line = wrapped()
        column.addWidget(self.line)
        self.upper = SmallPlot("", "%", 120)
        self.lower = SmallPlot("Step", "On", 100)
        for plot in (self.upper, self.lower):
            plot.plot_item.getAxis("left").setWidth(44)
            column.addWidget(plot)
        self.upper.plot_item.setYRange(0, 100)
        self.legend = self.upper.plot_item.addLegend(
            offset=(-4, 4), labelTextSize="8pt", verSpacing=-4
        )
        self.fvu = self.upper.plot_item.plot(
            [], [], pen=pg.mkPen(key_color(0), width=2), name="unexplained (FVU)"
        )
        self.dead = self.upper.plot_item.plot(
            [], [], pen=pg.mkPen(key_color(1), width=2), name="silent concepts"
        )
        self.l0 = self.lower.plot_item.plot([], [], pen=pg.mkPen(key_color(2), width=2))
        self._waiting: Any = None
        self._pulse = Pulse(self, self._draw)
        self.hide()

    @property
    def begun(self) -> bool:
        """Whether any step was reported."""
        return self._waiting is not None or bool(self.line.text())

    def clear(self) -> None:
        """Forget the last learning."""
        self._waiting = None
        for curve in (self.fvu, self.dead, self.l0):
            curve.setData([], [])
        self.line.setText("")
        self.hide()

    def show_curves(self, curves: Any) -> None:
        """Draw `Curves` with the next beat; the newest counts."""
        self._waiting = curves
        self.show()
        self._pulse.start()

    def _draw(self) -> None:
        curves, self._waiting = self._waiting, None
        if curves is None:
            self._pulse.stop()
            return
        self.draw(curves)

    def draw(self, curves: Any) -> None:
        """Draw now."""
        self.legend.setLabelTextColor(text_color(self))
        step = list(curves.step)
        self.fvu.setData(step, [100 * v for v in curves.fvu])
        self.dead.setData(step, [100 * v for v in curves.dead])
        self.l0.setData(step, list(curves.l0))
        for plot in (self.upper, self.lower):
            plot.plot_item.setXRange(0, max(1, curves.steps), padding=0.02)
        self.lower.plot_item.setYRange(0, 1.2 * max(curves.l0, default=1.0))
        if step:
            self.line.setText(
                f"Step {step[-1]} of {curves.steps}: {100 * curves.fvu[-1]:.0f}\u00a0% of the "
                f"variance unexplained, {curves.l0[-1]:.1f} concepts on at a place, "
                f"{100 * curves.dead[-1]:.0f}\u00a0% silent."
            )
