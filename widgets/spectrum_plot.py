"""The plot of spectra: a true wavelength axis, gaps where bands are bad, a readout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QBrush, QColor, QPalette, QShowEvent
from PyQt6.QtWidgets import QGraphicsItem, QVBoxLayout, QWidget

from backends.bands import BandTable
from widgets.theme import text_color

# Where water vapour swallows the light, in nm.
WATER_VAPOUR_NM = ((1345.0, 1425.0), (1800.0, 1955.0))
FEW = 8  # bands that are named on the axis
LEGEND_ROWS = 3  # more would not fit into a low dock


@dataclass(frozen=True, eq=False)
class Curve:
    """One spectrum that stays on the plot.

    Attributes
    ----------
    values : float array of shape (bands,)
    spread : float array of the same shape, or None
        Standard deviation, drawn as a band.
    dashed : bool
        Drawn dashed: it is not of this scene.
    """

    name: str
    color: str
    values: NDArray[Any]
    spread: NDArray[Any] | None = None
    dashed: bool = False


class SpectrumPlot(QWidget):
    """Draws the spectrum under the mouse and those that were kept."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.unit = "nm"
        self._bands: BandTable | None = None
        self._x = np.empty(0)
        self._order = np.empty(0, np.intp)
        self._good = np.empty(0, bool)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.widget = pg.PlotWidget()
        layout.addWidget(self.widget)
        self.plot = self.widget.getPlotItem()
        # The label of the axis would else lose the feet of its letters.
        self.plot.layout.setContentsMargins(1, 1, 1, 6)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.enableAutoSIPrefix(False)
            # Fine translucent lines, drawn anew with every move, took three quarters of its time.
            axis.setStyle(maxTickLevel=0)
            axis.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.plot.showGrid(x=True, y=True, alpha=0.12)
        self.legend = self.plot.addLegend(offset=(4, 2), labelTextSize="8pt", verSpacing=-6)
        self.hover = pg.PlotDataItem(connect="finite", antialias=False)
        self.plot.addItem(self.hover)
        self.readout = pg.TextItem(anchor=(1, 0))
        self.readout.setParentItem(self.plot.getViewBox())
        self.plot.getViewBox().sigResized.connect(self._put_readout)
        self.widget.scene().sigMouseMoved.connect(self._on_mouse)
        self._kept: list[Any] = []
        self._shades: list[pg.LinearRegionItem] = []
        self._last: NDArray[Any] | None = None

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take the window's colours; before it is shown the style sheet is not known."""
        super().showEvent(event)
        self.apply_theme()

    def apply_theme(self) -> None:
        """Take the colours of the window."""
        text = text_color(self)
        self.widget.setBackground(None)  # the window's ground shines through
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.setPen(pg.mkPen(text, width=1))
            axis.setTextPen(text)
        self.hover.setPen(pg.mkPen(text, width=1))
        self.legend.setLabelTextColor(text)
        ground = self.palette().color(QPalette.ColorRole.Window)
        ground.setAlpha(120)  # names stay readable, and the curves behind them seen
        self.legend.setBrush(ground)
        self.readout.setColor(text)
        for shade in self._shades:
            shade.setBrush(self._hatch())

    def set_bands(self, bands: BandTable | None, unit: str = "") -> None:
        """Take the axis of another scene.

        Parameters
        ----------
        unit : str
            Of the values.
        """
        self._bands, self._last = bands, None
        self.hover.setData([], [])
        self.show_kept({})
        self.readout.setText("")
        for shade in self._shades:
            self.plot.removeItem(shade)
        self._shades = []
        if bands is None:
            return
        self._good = bands.good_mask()
        if bands.has_wavelengths:
            nm = bands.wavelengths()
            factor = 1e-3 if self.unit == "µm" else 1.0
            self._x = nm * factor
            label = f"Wavelength, {self.unit}"
            for low, high in WATER_VAPOUR_NM:
                if np.nanmin(nm) < low and np.nanmax(nm) > high:
                    self._shade(low * factor, high * factor)
        else:
            self._x = np.arange(1, len(bands) + 1, dtype=float)
            label = {"slice": "Slice", "time": "Time step"}.get(bands.axis, "Band")
        # AVIRIS steps back where its spectrometers overlap: a line must not.
        self._order = np.argsort(self._x, kind="stable")
        self.plot.setLabel("bottom", label)
        self.plot.getAxis("bottom").setHeight(
            2 * self.fontMetrics().height() + 12
        )  # with descenders
        self.plot.setLabel("left", _title(unit or "value"))
        named = not bands.has_wavelengths and len(bands) <= FEW
        ticks = None
        if named:
            shared, names = _shared(bands.names)
            ticks = [list(enumerate(names, start=1))]
            self.plot.setLabel("bottom", shared or label)
        self.plot.getAxis("bottom").setTicks(ticks)
        finite = self._x[np.isfinite(self._x)]
        if named:  # half a step at each side, where the first and last name find room
            self.plot.setXRange(0.5, len(bands) + 0.5, padding=0)
        elif finite.size > 1:
            self.plot.setXRange(float(finite.min()), float(finite.max()), padding=0.01)

    def set_unit(self, unit: str, value_unit: str = "") -> None:
        """Show wavelengths in ``"nm"`` or ``"µm"``."""
        self.unit = unit
        self.set_bands(self._bands, value_unit)

    def show_hover(self, values: NDArray[Any] | None) -> None:
        """Draw the spectrum under the mouse; None takes it away."""
        self._last = values
        if values is None:
            self.hover.setData([], [])
            return
        self.hover.setData(self._x[self._order], self._gaps(values)[self._order])

    def show_kept(self, curves: Mapping[str, Curve]) -> None:
        """Draw the spectra that stay."""
        for item in self._kept:
            self.plot.removeItem(item)
        self._kept = []
        self.legend.clear()
        self.legend.setColumnCount(max(1, -(-len(curves) // LEGEND_ROWS)))
        for curve in curves.values():
            x, y = self._x[self._order], self._gaps(curve.values)[self._order]
            style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
            pen = pg.mkPen(curve.color, width=1, style=style)
            item = pg.PlotDataItem(x, y, pen=pen, connect="finite", name=_short(curve.name))
            self.plot.addItem(item)
            self._kept.append(item)
            if curve.spread is not None:
                self._kept += self._band(curve, x)

    def _band(self, curve: Curve, x: NDArray[Any]) -> list[Any]:
        """Return the items of mean ± one standard deviation."""
        assert curve.spread is not None
        pen = pg.mkPen(None)
        edges = []
        for sign in (-1, 1):
            y = self._gaps(curve.values + sign * curve.spread)[self._order]
            edges.append(pg.PlotDataItem(x, y, pen=pen, connect="finite"))
        color = QColor(curve.color)
        color.setAlpha(50)
        fill = pg.FillBetweenItem(*edges, brush=color)
        for item in (*edges, fill):
            self.plot.addItem(item)
        return [*edges, fill]

    def _gaps(self, values: NDArray[Any]) -> NDArray[np.float64]:
        out = np.asarray(values, dtype=np.float64).copy()
        out[~self._good] = np.nan
        return out

    def _hatch(self) -> QBrush:
        color = text_color(self)
        color.setAlpha(70)
        return QBrush(color, Qt.BrushStyle.BDiagPattern)

    def _shade(self, low: float, high: float) -> None:
        shade = pg.LinearRegionItem(
            (low, high), movable=False, brush=self._hatch(), pen=pg.mkPen(None)
        )
        shade.setZValue(-10)
        shade.setToolTip("Water vapour swallows the light here")
        self.plot.addItem(shade)
        self._shades.append(shade)

    def _put_readout(self, box: Any) -> None:
        self.readout.setPos(box.width() - 8, 2)

    def _on_mouse(self, point: Any) -> None:
        if self._bands is None or self._x.size == 0:
            return
        at = self.plot.getViewBox().mapSceneToView(point).x()
        band = int(np.nanargmin(np.abs(self._x - at)))
        text = self._bands.label(band)
        if not self._good[band]:
            text += ", bad band"
        if self._last is not None and np.isfinite(self._last[band]):
            text += f": {self._last[band]:.4g}"
        self.readout.setText(text)


def _shared(names: Sequence[str]) -> tuple[str, list[str]]:
    """Return the words all names begin with, and the names without them."""
    words = [name.split(" ") for name in names]
    count = 0
    while all(len(w) > count + 1 and w[count] == words[0][count] for w in words):
        count += 1
    if len(names) < 2:
        count = 0
    return " ".join(words[0][:count]), [" ".join(w[count:]) for w in words]


def _short(name: str) -> str:
    """Return a name without its place, which the picture shows: "Pin 3 (76, 140)" as "Pin 3"."""
    return name.partition(" (")[0]


def _title(unit: str) -> str:
    """Return a unit with a large first letter; K and HU keep theirs."""
    return unit[:1].upper() + unit[1:]
