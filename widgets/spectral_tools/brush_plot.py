"""A density plot that one draws on: the left button brushes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor

from backends.palette import class_colors
from widgets.small_plot import SmallPlot
from widgets.theme import text_color

BRUSHED = "in the brush"  # the layer's class; the outline has its colour
BRUSH_COLOR = class_colors({1: BRUSHED})[1]
_NEAR_PX = 3.0
# Fewer pixels are drawn in larger cells, so that they are more than dust.
_FEW = ((20_000, 4), (200_000, 2))


class BrushBox(pg.ViewBox):  # type: ignore[misc]
    """Gives out the outline that is drawn with the left button, while it is drawn."""

    brushed = pyqtSignal(object)
    cleared = pyqtSignal()

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._points: list[tuple[float, float]] = []
        self._last: Any = None

    def mouseDragEvent(self, ev: Any, axis: Any = None) -> None:
        """Collect the points of a drag."""
        if ev.button() != Qt.MouseButton.LeftButton:
            ev.ignore()
            return
        ev.accept()
        if ev.isStart():
            start = self.mapToView(ev.buttonDownPos())
            self._points, self._last = [(start.x(), start.y())], ev.buttonDownPos()
        # A hand that rests gives hundreds of equal points.
        moved = ev.pos() - self._last
        if ev.isFinish() or abs(moved.x()) + abs(moved.y()) >= _NEAR_PX:
            here = self.mapToView(ev.pos())
            self._points.append((here.x(), here.y()))
            self._last = ev.pos()
            self.brushed.emit(list(self._points))

    def mouseClickEvent(self, ev: Any) -> None:
        """A click takes the brush away."""
        ev.accept()
        self.cleared.emit()


class BrushPlot(SmallPlot):
    """Density of pixels over two axes, areas in their colours, a brush and the cursor's pixel."""

    def __init__(self) -> None:
        self.box = BrushBox()
        super().__init__("", "", height=260, box=self.box)
        self.setToolTip("Draw around pixels with the left button; a click takes it away")
        self.image, self.areas = pg.ImageItem(), pg.ImageItem()
        # The darkest quarter is left out: a single pixel must be seen on a dark ground.
        colours = pg.colormap.get("viridis").getLookupTable(start=0.25, nPts=256, alpha=True)
        colours[0, 3] = 0  # where no pixel is, the ground is seen
        self.image.setLookupTable(colours)
        self.outline = pg.PlotCurveItem(pen=pg.mkPen(BRUSH_COLOR, width=2))
        self.here = pg.ScatterPlotItem(size=9, pen=pg.mkPen("w"), brush=pg.mkBrush("#d03030"))
        self.frame = pg.PlotCurveItem(connect="pairs")
        self._words: list[pg.TextItem] = []
        for item in (self.image, self.areas, self.frame, self.outline, self.here):
            self.addItem(item)

    def show_density(
        self,
        density: NDArray[Any],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        names: tuple[str, str],
        margin: float = 0.02,
    ) -> None:
        """Draw how dense pixels lie, on a logarithmic scale."""
        pixels = density.sum()
        self._together = next((n for most, n in _FEW if pixels <= most), 1)
        values = np.log1p(_coarse(density, self._together).astype(np.float32))
        self.image.setImage(values, levels=(0.0, max(float(values.max()), 1e-6)))
        self._rect = QRectF(
            x_range[0], y_range[0], x_range[1] - x_range[0], y_range[1] - y_range[0]
        )
        self.image.setRect(self._rect)
        self.areas.clear()
        self.plot_item.setLabel("bottom", names[0])
        self.plot_item.setLabel("left", names[1])
        self.box.setRange(self._rect, padding=margin)

    def show_frame(
        self,
        lines: Sequence[tuple[tuple[float, float], tuple[float, float]]] = (),
        words: Sequence[tuple[str, tuple[float, float], tuple[float, float]]] = (),
    ) -> None:
        """Draw lines and words instead of axes; nothing brings the axes back.

        Parameters
        ----------
        lines : sequence of (from, to)
        words : sequence of (text, place, anchor)
            Anchor (0, 0) has the place at the upper left of the text, (1, 1) at the lower right.
        """
        points = np.array([p for line in lines for p in line], np.float64).reshape(-1, 2)
        self.frame.setData(points[:, 0], points[:, 1])
        while len(self._words) < len(words):
            self._words.append(pg.TextItem())
            self.addItem(self._words[-1])
        for item in self._words[len(words) :]:
            self.removeItem(item)
        del self._words[len(words) :]
        for item, (text, place, anchor) in zip(self._words, words, strict=True):
            item.setText(text)
            item.setAnchor(anchor)
            item.setPos(*place)
        for name in ("left", "bottom"):
            self.plot_item.getAxis(name).setVisible(not lines)
        self.box.setAspectLocked(bool(lines))
        self._color()

    def _dress(self) -> None:
        super()._dress()
        self._color()

    def _color(self) -> None:
        text = text_color(self)
        self.frame.setPen(pg.mkPen(text))
        for item in self._words:
            item.setColor(text)

    def show_areas(self, layers: Sequence[tuple[NDArray[Any], str]]) -> None:
        """Draw the cells of areas in their colours over the density."""
        if not layers:
            self.areas.clear()
            return
        parts = [(_coarse(counts, self._together), QColor(name)) for counts, name in layers]
        picture = np.zeros((*parts[0][0].shape, 4), np.uint8)
        for counts, colour in parts:
            picture[counts > 0] = (colour.red(), colour.green(), colour.blue(), 230)
        self.areas.setImage(picture, levels=(0, 255))
        self.areas.setRect(self._rect)

    def show_outline(self, points: Sequence[tuple[float, float]]) -> None:
        """Draw the brush, closed."""
        if len(points) < 2:
            self.outline.setData([], [])
            return
        x, y = zip(*points, points[0], strict=True)
        self.outline.setData(np.array(x), np.array(y))

    def show_here(self, x: float, y: float) -> None:
        """Mark the pixel under the mouse; ``nan`` marks none."""
        known = np.isfinite(x) and np.isfinite(y)
        self.here.setData([x] if known else [], [y] if known else [])


def _coarse(counts: NDArray[Any], together: int) -> NDArray[Any]:
    """Put so many cells a side together."""
    side = counts.shape[0] // together
    return np.asarray(counts.reshape(side, together, side, together).sum(axis=(1, 3)))
