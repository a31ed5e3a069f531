"""A plot for a narrow dock."""

from __future__ import annotations

import pyqtgraph as pg
from PyQt6.QtCore import QEvent
from PyQt6.QtGui import QShowEvent

from widgets.theme import text_color


class SmallPlot(pg.PlotWidget):  # type: ignore[misc]
    """A plot for a narrow dock, in the window's colours."""

    def __init__(
        self, bottom: str, left: str, height: int = 190, box: pg.ViewBox | None = None
    ) -> None:
        super().__init__(**({} if box is None else {"viewBox": box}))
        self.setFixedHeight(height)
        self.setBackground(None)
        self.plot_item = self.getPlotItem()
        self.plot_item.setMenuEnabled(False)
        self.plot_item.hideButtons()
        self.plot_item.setLabel("bottom", bottom)
        self.plot_item.setLabel("left", left or None)
        # The labels of axes would else lose the feet of their letters.
        self.plot_item.layout.setContentsMargins(1, 1, 1, 6)
        self.plot_item.showGrid(x=True, y=True, alpha=0.12)
        for name in ("left", "bottom"):
            self.plot_item.getAxis(name).enableAutoSIPrefix(False)
        self.setMouseEnabled(False, False)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._dress()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        theme = (QEvent.Type.PaletteChange, QEvent.Type.StyleChange)
        if event is not None and event.type() in theme and self.isVisible():
            self._dress()

    def _dress(self) -> None:
        """Take the window's colours; the ground it keeps is else that of the theme before."""
        text = text_color(self)
        for name in ("left", "bottom"):
            axis = self.plot_item.getAxis(name)
            axis.setPen(pg.mkPen(text))
            axis.setTextPen(text)
        self.resetCachedContent()
