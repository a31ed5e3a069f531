"""Both directions between two streams against each other: what lies off the line is directed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt

from backends.matrix_analysis import Asymmetry, asymmetry
from backends.palette import key_color
from widgets.matrices.desk import Desk
from widgets.pages import Page, narrow_box
from widgets.small_plot import SmallPlot
from widgets.theme import wrapped


class PairsPage(Page):
    """H[i, j] against H[j, i] with the diagonal."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.pair_box = narrow_box("Which pair of streams")
        self.column.addWidget(self.pair_box)
        self.plot = SmallPlot("There", "Back", 250)
        self.column.addWidget(self.plot)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.pair_box.currentIndexChanged.connect(self._show)
        self._found: Asymmetry | None = None

    def draw(self) -> None:
        entry = self.desk.entry
        assert entry is not None

        def show(found: Asymmetry) -> None:
            self._found = found
            self._fill()
            self._show()

        self.desk.submit("Pairs", "pairs", lambda p: asymmetry(entry), show)

    def _fill(self) -> None:
        field, chosen = self.desk.field, self.pair_box.currentData()
        assert field is not None
        assert self._found is not None
        self.pair_box.blockSignals(True)
        self.pair_box.clear()
        self.pair_box.addItem("All pairs", -1)
        for k, (i, j) in enumerate(self._found.pairs.tolist()):
            self.pair_box.addItem(f"{field.group_names[i]} and {field.group_names[j]}", k)
        self.pair_box.setCurrentIndex(max(0, self.pair_box.findData(chosen)))
        self.pair_box.blockSignals(False)

    def _show(self, *_: object) -> None:
        field, found, chosen = self.desk.field, self._found, self.pair_box.currentData()
        if field is None or found is None or chosen is None:
            return
        plot, names = self.plot.plot_item, field.group_names
        plot.clear()
        low = float(min(found.forth.min(), found.back.min()))
        high = float(max(found.forth.max(), found.back.max()))
        dashed = pg.mkPen("#888888", width=1, style=Qt.PenStyle.DashLine)
        plot.plot([low, high], [low, high], pen=dashed)
        shown = range(len(found.pairs)) if chosen < 0 else [chosen]
        for k in shown:
            brush = pg.mkBrush(key_color(k))
            x, y = found.forth[:, k], found.back[:, k]
            plot.addItem(pg.ScatterPlotItem(x, y, size=3, brush=brush, pen=None))
        plot.setXRange(low, high)
        plot.setYRange(low, high)
        self._label(None if chosen < 0 else [names[i] for i in found.pairs[chosen]])
        self.line.setText(self._words(found, names, chosen, low, high))

    def _label(self, ends: list[str] | None) -> None:
        one, other = ends or ("first", "second")
        self.plot.plot_item.setLabel("bottom", f"{one} → {other}")
        self.plot.plot_item.setLabel("left", f"{other} → {one}")

    def _words(self, found: Asymmetry, names: Any, chosen: int, low: float, high: float) -> str:
        head = f"{len(found.forth)} pixels of the scene; range {low:.4f} to {high:.4f}. "
        head += "On the dashed line a pair talks alike both ways. "
        order = np.argsort(-np.abs(found.mean_difference))[:3] if chosen < 0 else [chosen]
        said = []
        for k in order:
            more = float(found.mean_difference[k])
            i, j = found.pairs[k] if more >= 0 else found.pairs[k][::-1]
            said.append(f"{names[i]} → {names[j]} {abs(more):.4f} above its way back")
        return f"{head}{'Largest: ' if chosen < 0 else 'Mean: '}{'; '.join(said)}."
