"""A deletion or insertion curve in the band of random maps, with a cursor along it."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QColor

from backends.explain.curves import Band, Curve
from backends.palette import key_color
from widgets.small_plot import SmallPlot

BAND = "#8a8a8a"


class CurvePlot(SmallPlot):
    """One curve; its cursor can be dragged, or set by a click.

    Parameters
    ----------
    what : str
        For the axis: what happens to the pixels.
    color : int
        Number in the shared colour key.
    """

    moved = pyqtSignal(float)

    def __init__(self, what: str, color: int) -> None:
        super().__init__(f"Pixels {what}, %", "Class, %", 140)
        # Without any pen the filling would have no edges to lie between.
        clear = pg.mkPen(0, 0, 0, 0)
        self.low = self.plot_item.plot([], [], pen=clear)
        self.high = self.plot_item.plot([], [], pen=clear)
        fill = QColor(BAND)
        fill.setAlphaF(0.35)
        self.band = pg.FillBetweenItem(self.low, self.high, brush=pg.mkBrush(fill))
        self.plot_item.addItem(self.band)
        dashed = pg.mkPen(BAND, style=Qt.PenStyle.DashLine)
        self.mean = self.plot_item.plot([], [], pen=dashed)
        self.curve = self.plot_item.plot([], [], pen=pg.mkPen(key_color(color), width=2))
        self.cursor_line = pg.InfiniteLine(
            0, movable=True, bounds=(0, 100), pen=pg.mkPen(key_color(color), width=1)
        )
        self.cursor_line.setCursor(Qt.CursorShape.SizeHorCursor)
        self.plot_item.addItem(self.cursor_line)
        self.cursor_line.sigPositionChanged.connect(self._on_cursor)
        self.scene().sigMouseClicked.connect(self._on_click)
        self.plot_item.setXRange(0, 100, padding=0.01)
        self.shown: Curve | None = None

    def show_curve(self, curve: Curve, band: Band) -> None:
        """Show a curve and what random maps do: mean and one standard deviation."""
        self.shown = curve
        x, mean, sd = 100 * band.fraction, 100 * band.mean, 100 * band.sd
        self.low.setData(x, np.maximum(mean - sd, 0))
        self.high.setData(x, np.minimum(mean + sd, 100))
        self.mean.setData(x, mean)
        self.curve.setData(100 * curve.fraction, 100 * curve.score)
        top = float(np.max([100 * curve.score.max(), np.max(mean + sd)]))
        self.plot_item.setYRange(0, max(1.0, min(100.0, top)), padding=0.04)

    def score_at(self, fraction: float) -> float:
        """Return the class's probability at a part of the pixels, between the steps too."""
        assert self.shown is not None
        return float(np.interp(fraction, self.shown.fraction, self.shown.score))

    def place(self, percent: float) -> None:
        """Put the cursor somewhere."""
        self.cursor_line.setValue(min(100.0, max(0.0, percent)))

    def _on_cursor(self, line: pg.InfiniteLine) -> None:
        self.moved.emit(float(line.value()) / 100)

    def _on_click(self, event: object) -> None:
        at = self.plot_item.vb.mapSceneToView(event.scenePos())  # type: ignore[attr-defined]
        self.place(float(at.x()))
