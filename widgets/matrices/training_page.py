"""When structure came: step by step in this training."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg

from backends.matrix_history import structure_curve
from backends.palette import key_color
from widgets.matrices.desk import Desk, site_title
from widgets.pages import Page
from widgets.small_plot import SmallPlot
from widgets.theme import wrapped


class TrainingPage(Page):
    """Spread and Moran's I of every site over the steps."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.spread = SmallPlot("Step", "Spread over pixels", 160)
        self.moran = SmallPlot("Step", "Moran's I", 160)
        self.column.addWidget(self.spread)
        self.column.addWidget(self.moran)
        self.key_line = wrapped()
        self.key_line.setToolTip(
            "Spread: root of the mean variance of the maps over pixels, in the units of the "
            "matrices. Moran's I: 1 for smooth maps, 0 for noise."
        )
        self.column.addWidget(self.key_line)

    def draw(self) -> None:
        field = self.desk.field
        assert field is not None
        history = field.history
        for part in (self.spread, self.moran, self.key_line):
            part.setVisible(history is not None)
        if history is None:
            self.line.setText(
                "No snapshots: train es_mhc on this scene (Classify tab) and they are kept "
                "while it learns."
            )
            return

        def show(curve: Any) -> None:
            at = curve.sites.index(self.desk.site)
            for plot, lines in ((self.spread, curve.spread), (self.moran, curve.moran)):
                plot.plot_item.clear()
                for k, values in enumerate(lines):
                    pen = pg.mkPen(key_color(k), width=3 if k == at else 1)
                    lone = len(curve.steps) < 3  # too few for a line to be seen
                    plot.plot_item.plot(
                        list(curve.steps), list(values), pen=pen, symbol="o" if lone else None,
                        symbolSize=4, symbolBrush=key_color(k), symbolPen=None,
                    )  # fmt: skip
            self.key_line.setText(
                "&nbsp; ".join(
                    f"<span style='color:{key_color(k)}'>●</span>&nbsp;"
                    + site_title(*site).replace(" ", "&nbsp;").replace("-", "\u2011")
                    for k, site in enumerate(curve.sites)
                )
            )
            so_far = "so far" if field.partial else "at the end"
            self.line.setText(
                f"Thick: {site_title(*self.desk.site).lower()}, from spread "
                f"{curve.spread[at][0]:.5f} and Moran's I {curve.moran[at][0]:.2f} to "
                f"{curve.spread[at][-1]:.5f} and {curve.moran[at][-1]:.2f}. Of the streams "
                f"{100 * curve.retention[-1]:.2g} % is left {so_far}. Moran's I is high as soon as "
                "the image is smooth: it alone is no sign of learning."
            )

        self.desk.submit("Structure", "history", lambda p: structure_curve(history, p), show)
