"""The curve that belongs to a result: how like its neighbours a band is, how strong a component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt

from backends.palette import key_color
from widgets.small_plot import SmallPlot
from widgets.spectral_tools.asking import Answer
from widgets.theme import text_color

_HEIGHT = 150
_STRENGTHS = {"pca": "Variance", "mnf": "Signal to noise"}


class ResultPlot(SmallPlot):
    """Hidden where a result has no curve."""

    def __init__(self) -> None:
        super().__init__("", "", height=_HEIGHT)
        self.curve = pg.PlotDataItem(connect="finite")
        self.marks = pg.ScatterPlotItem(size=7, pen=None, brush=pg.mkBrush(key_color(5)))
        self.limit = pg.InfiniteLine(angle=0, pen=pg.mkPen(key_color(0), style=_DASHED))
        for item in (self.curve, self.marks, self.limit):
            self.addItem(item)
        self.hide()

    def show_for(self, answer: Answer | None) -> None:
        """Draw what a run gave, or nothing."""
        product = None if answer is None else answer.product
        bands = () if product is None else product.tables.get("bands", ())
        values = () if product is None else product.summary.get("eigenvalues", ())
        self.setVisible(bool(bands) or len(values) > 1)
        if answer is None or self.isHidden():
            return
        self.curve.setPen(pg.mkPen(text_color(self), width=1))
        if bands:
            self._show_bands(bands, float(answer.asked.settings["least"]))
        else:
            asked, said = answer.asked, answer.product.summary
            title = _STRENGTHS.get(str(asked.settings.get("method", asked.tool)), "Strength")
            kept = said.get("kept") or len(said.get("strength", ()))
            self._show_strengths(values, title, int(kept))

    def _show_bands(self, rows: Sequence[Mapping[str, Any]], least: float) -> None:
        known = all(row["wavelength_nm"] is not None for row in rows)
        x = np.array([row["wavelength_nm"] if known else row["band"] for row in rows], float)
        y = np.array([np.nan if row["alike"] is None else row["alike"] for row in rows], float)
        bad = np.array([row["bad"] for row in rows], bool)
        order = np.argsort(x, kind="stable")
        self.plot_item.setLogMode(False, False)
        self.plot_item.setLabel("bottom", "Wavelength, nm" if known else "Band")
        self.plot_item.setLabel("left", "Correlation")
        self.curve.setData(x[order], y[order], symbol=None)
        low = float(np.nanmin(y)) if np.isfinite(y).any() else 0.0
        self.marks.setData(x[bad], np.nan_to_num(y[bad], nan=low))
        self.limit.setAngle(0)
        self.limit.setPos(least)
        self.plot_item.autoRange()

    def _show_strengths(self, values: Sequence[float], title: str, kept: int) -> None:
        y = np.asarray(values, float)
        y = np.where(y > 0, y, np.nan)
        self.plot_item.setLogMode(False, True)
        self.plot_item.setLabel("bottom", "Component")
        self.plot_item.setLabel("left", title)
        self.curve.setData(np.arange(1, y.size + 1), y)
        self.marks.setData([], [])
        self.limit.setAngle(90)
        self.limit.setPos(kept + 0.5)
        self.plot_item.autoRange()


_DASHED = Qt.PenStyle.DashLine
