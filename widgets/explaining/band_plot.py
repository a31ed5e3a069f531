"""Which parts of the spectrum mattered: a curve over the bands, or a bar a range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg

from backends.palette import key_color
from widgets.small_plot import SmallPlot

BAR = 18


class BandPlot(SmallPlot):
    """Hidden where the method says nothing of bands, or there are hardly any."""

    def __init__(self) -> None:
        super().__init__("", "", 150)
        self.bars: dict[str, float] = {}
        self.curve: list[float] = []
        self.hide()

    def show_figures(self, figures: Mapping[str, Any], wavelength_nm: Sequence[float]) -> None:
        """Show what a method found out about bands, as the figures of its map hold it."""
        ranges = {str(k): float(v) for k, v in dict(figures.get("ranges") or {}).items()}
        bands = [float(v) for v in figures.get("bands") or ()]
        self.bars, self.curve = ranges, bands if len(bands) > 4 and not ranges else []
        self.plot_item.clear()
        self.setVisible(bool(self.bars or self.curve))
        if self.bars:
            self._show_bars()
        elif self.curve:
            self._show_curve(wavelength_nm)

    def _show_bars(self) -> None:
        names, values = list(self.bars), list(self.bars.values())
        places = np.arange(len(names))[::-1]  # the first on top
        bars = pg.BarGraphItem(
            x0=0, y=places, height=0.7, width=values, brush=key_color(5), pen=None
        )
        self.plot_item.addItem(bars)
        left = self.plot_item.getAxis("left")
        left.setTicks([[(float(at), name) for at, name in zip(places, names, strict=True)]])
        self.plot_item.setLabel("left", None)
        self.plot_item.setLabel("bottom", "Score that goes with it")
        self.plot_item.setYRange(-0.6, len(names) - 0.4, padding=0)
        self.plot_item.enableAutoRange(axis="x")
        self.setFixedHeight(60 + BAR * len(names))

    def _show_curve(self, wavelength_nm: Sequence[float]) -> None:
        known = len(wavelength_nm) == len(self.curve)
        x = np.asarray(wavelength_nm, float) if known else np.arange(1, len(self.curve) + 1)
        order = np.argsort(x)
        x, shares = x[order], np.asarray(self.curve)[order]
        shares = 100 * shares / max(float(shares.sum()), 1e-30)
        # Bands that were left out stay a gap, as in the spectrum.
        steps = np.diff(x)
        joined = np.append(steps <= 3 * np.median(steps), False)
        pen = pg.mkPen(key_color(5), width=1)
        self.plot_item.plot(x, shares, pen=pen, connect=joined)
        self.plot_item.getAxis("left").setTicks(None)
        self.plot_item.setLabel("left", "Share, %")
        self.plot_item.setLabel("bottom", "Wavelength, nm" if known else "Band")
        self.plot_item.enableAutoRange()
        self.setFixedHeight(150)
