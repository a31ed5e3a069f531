"""How much of the images a bottleneck's concepts stand for, one concept after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.concepts.desk_bottleneck import BottleneckDecision
from backends.palette import key_color
from widgets.small_plot import SmallPlot
from widgets.theme import wrapped


class EnergyCurve(QWidget):
    """The explained energy over the number of concepts, as they were chosen."""

    def __init__(self) -> None:
        super().__init__()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        self.line = wrapped()
        rows.addWidget(self.line)
        self.plot = SmallPlot("Concepts, as chosen", "%", 110)
        self.curve = self.plot.plot_item.plot([], [], pen=pg.mkPen(key_color(1), width=2))
        self.plot.setToolTip(
            "Energy: the squared length of the images' features, less their mean, that the "
            "concepts so far can stand for"
        )
        rows.addWidget(self.plot)
        self._drawn: object = None

    def show_bottleneck(self, decision: Any) -> None:
        """Draw the curve of a bottleneck; of anything else that decides there is none."""
        bottleneck = isinstance(decision, BottleneckDecision)
        self.setVisible(bottleneck)
        if not bottleneck or decision is self._drawn:
            return
        self._drawn = decision
        explained = 100 * np.asarray(decision.made.selection.explained, float)
        count = np.arange(len(explained) + 1)
        self.curve.setData(count, np.concatenate([[0.0], explained]))
        self.plot.plot_item.setXRange(0, len(explained), padding=0.02)
        self.plot.plot_item.setYRange(0, 100, padding=0.02)
        kept = decision.made.figures.get("test_explained")
        active = decision.made.settings.active
        words = (
            f"Energy explained: {explained[-1]:.0f}\u00a0% by all {len(explained)} concepts "
            "(training images)"
        )
        if kept is not None:
            words += f", {100 * kept:.0f}\u00a0% by at most {active} an image (test images)"
        self.line.setText(words + ".")
