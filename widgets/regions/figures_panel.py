"""What the selected region holds: its size, and mean, spread, median and extremes by wavelength."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.areas import area_words
from backends.bands import BandTable
from backends.scene import Scene
from backends.spectra.region_figures import AreaFigures
from widgets.small_plot import SmallPlot
from widgets.theme import GRID, wrapped

_LEGEND = "Line: mean; shade: ± 1 standard deviation; dashed: median; thin: least and largest."
_DASHED = Qt.PenStyle.DashLine


class FiguresPanel(QWidget):
    """A line of words, a plot, and a readout of the band under the mouse."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        self.line = wrapped()
        self.plot = SmallPlot("", "", height=150)
        self.plot.setToolTip(_LEGEND)
        self.readout = wrapped()
        for part in (self.line, self.plot, self.readout):
            column.addWidget(part)
        self._figures: AreaFigures | None = None
        self._bands: BandTable | None = None
        self._x: NDArray[np.float64] = np.empty(0)
        self.curves: dict[str, Any] = {
            name: pg.PlotDataItem(connect="finite")
            for name in ("minimum", "maximum", "median", "mean", "low", "high")
        }
        self.shade = pg.FillBetweenItem(self.curves["low"], self.curves["high"])
        for item in (self.shade, *self.curves.values()):
            self.plot.addItem(item)
        self.plot.scene().sigMouseMoved.connect(self._on_mouse)
        self.hide()

    def show_figures(
        self, figures: AreaFigures | None, scene: Scene | None, problem: str = ""
    ) -> None:
        """Show what a region holds, or why that is not known."""
        self._figures = figures
        self.setVisible(figures is not None or bool(problem))
        self.line.setText(problem)
        several = figures is not None and len(figures.mean) > 1
        self.plot.setVisible(several)
        self.readout.setVisible(several)
        if figures is None or scene is None:
            return
        self.line.setText(_words(figures, scene))
        self.readout.setText(_LEGEND)
        if several:
            self._draw(figures, scene)

    def _draw(self, figures: AreaFigures, scene: Scene) -> None:
        bands = self._bands = scene.bands
        nm = bands.wavelengths()
        known = bands.has_wavelengths
        self._x = nm if known else np.arange(1, len(bands) + 1, dtype=float)
        order = np.argsort(self._x, kind="stable")
        good = bands.good_mask()
        color = QColor(figures.color)
        ways = {
            "mean": (figures.mean, pg.mkPen(color, width=2)),
            "median": (figures.median, pg.mkPen(color, width=1, style=_DASHED)),
            "minimum": (figures.minimum, pg.mkPen(color, width=1)),
            "maximum": (figures.maximum, pg.mkPen(color, width=1)),
            "low": (figures.mean - figures.std, pg.mkPen(None)),
            "high": (figures.mean + figures.std, pg.mkPen(None)),
        }
        for name, (values, pen) in ways.items():
            shown = np.where(good, values, np.nan)[order]
            self.curves[name].setData(self._x[order], shown)
            self.curves[name].setPen(pen)
        pale = QColor(color)
        pale.setAlpha(70)
        self.shade.setBrush(pale)
        self.plot.plot_item.setLabel("bottom", "Wavelength, nm" if known else "Band")
        unit = scene.info.unit
        self.plot.plot_item.setLabel("left", unit[:1].upper() + unit[1:] if unit else "Value")
        self.plot.plot_item.autoRange()

    def _on_mouse(self, point: Any) -> None:
        figures, bands = self._figures, self._bands
        if figures is None or bands is None or not self._x.size:
            return
        at = self.plot.plot_item.getViewBox().mapSceneToView(point).x()
        band = int(np.nanargmin(np.abs(self._x - at)))
        self.readout.setText(f"{bands.label(band)}: {_band_words(figures, band)}")


def _words(figures: AreaFigures, scene: Scene) -> str:
    name = figures.name.replace("&", "&amp;").replace("<", "&lt;")
    parts = [f"{figures.pixels:,} pixels"]
    if figures.area_m2 is not None:
        parts.append(area_words(figures.area_m2))
    if figures.measured < figures.pixels:
        parts.append(f"{figures.pixels - figures.measured:,} of them empty")
    if len(figures.mean) == 1:
        parts.append(_band_words(figures, 0))
    return f"<b>{name}</b>: {', '.join(parts)}. " + " ".join(figures.notes)


def _band_words(figures: AreaFigures, band: int) -> str:
    if not np.isfinite(figures.mean[band]):
        return "no value"
    return (
        f"{figures.mean[band]:.4g} ± {figures.std[band]:.2g}, median {figures.median[band]:.4g}, "
        f"{figures.minimum[band]:.4g} to {figures.maximum[band]:.4g}"
    )
