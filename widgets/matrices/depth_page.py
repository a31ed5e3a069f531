"""What is left of the streams on the way through the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QPushButton

from backends.matrix_analysis import DepthView, depth_of, retention_map
from backends.overlays import ScoreMap
from backends.palette import key_color
from widgets.matrices.desk import Desk, site_title
from widgets.matrix_view import MatrixTable
from widgets.pages import Page
from widgets.small_plot import SmallPlot
from widgets.theme import wrapped

# Below this a plot from 0 to 1 shows nothing but a line at its foot.
_SMALL = 0.02


class DepthPage(Page):
    """Products of the matrices: retention, second eigenvalue, row-sum gain."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.plot = SmallPlot("Site", "", 180)
        self.column.addWidget(self.plot)
        self.key_line = wrapped()
        keys = (
            (key_color(0), "● left of the streams"),
            (key_color(1), "● |λ₂| of the product"),
            ("#888888", "┄ row-sum gain"),
        )
        self.key_line.setText(
            "&nbsp; ".join(
                f"<span style='color:{color}'>{words[0]}</span>"
                + words[1:].replace(" ", "&nbsp;").replace("-", "\u2011")
                for color, words in keys
            )
        )
        self.key_line.setToolTip(
            "Left: distance of the product of all matrices so far from the plain average of all "
            "streams, 1 untouched, 0 averaged. |λ₂|: its second eigenvalue. Row-sum gain: its "
            "largest row sum; 1 means that nothing grows or dies."
        )
        self.column.addWidget(self.key_line)
        self.keep_button = QPushButton("Map what is left here")
        self.keep_button.setToolTip("What is left of the streams after the chosen site, each pixel")
        self.keep_button.clicked.connect(self._keep)
        self.column.addWidget(self.keep_button)
        self.table_line = wrapped()
        self.column.addWidget(self.table_line)
        self.table = MatrixTable()
        self.column.addWidget(self.table)
        desk.subject_changed.connect(self.refresh)

    def draw(self) -> None:
        field, subject = self.desk.field, self.desk.subject()
        assert field is not None
        if subject.is_empty:
            self.line.setText(subject.words)
            return

        def run(progress: Any) -> DepthView:
            return depth_of(field, pixel=subject.pixel, mask=subject.mask, progress=progress)

        self.desk.submit("Depth", "depth", run, lambda view: self._show(view, subject.words))

    def _show(self, view: DepthView, whose: str) -> None:
        field = self.desk.field
        assert field is not None
        self._plot(view)
        self.line.setText(
            f"{whose} After the last site {100 * view.retention[-1]:.2g} % is left of what tells "
            f"the streams apart (second eigenvalue {view.second[-1]:.2g}, row-sum gain "
            f"{view.gain[-1]:.3f}). Near 0 the streams carry one average, and their names are "
            "names only."
        )
        at = view.sites.index(self.desk.site)
        product = view.products[at]
        self.table_line.setText(
            f"All matrices up to {site_title(*self.desk.site).lower()} multiplied "
            f"({100 * view.retention[at]:.2g} % left): which stream of the input went where."
        )
        low, high = float(product.min()), float(product.max())
        sums = product.sum(axis=1), product.sum(axis=0)
        limits = (low, max(high, low + 1e-6))
        self.table.show_matrix(field.group_names, product, limits, sums=sums)

    def _plot(self, view: DepthView) -> None:
        plot, x = self.plot.plot_item, np.arange(len(view.sites) + 1)
        plot.clear()
        lines = np.r_[1, view.retention], np.r_[1, view.second]
        logarithmic = min(float(line.min()) for line in lines) < _SMALL
        plot.setLogMode(False, logarithmic)
        for k, values in enumerate(lines):
            color = key_color(k)
            plot.plot(
                x, np.maximum(values, 1e-12), pen=pg.mkPen(color, width=2 - k), symbol="o",
                symbolSize=5 - k, symbolBrush=color, symbolPen=None,
            )  # fmt: skip
        dotted = pg.mkPen("#888888", width=1, style=Qt.PenStyle.DotLine)
        plot.plot(x, np.r_[1, view.gain], pen=dotted)
        if logarithmic:
            least = min(float(line.min()) for line in lines)
            plot.setYRange(np.log10(max(least, 1e-12)), 0.05)
        else:
            plot.setYRange(0, 1.05)
        plot.setLabel("left", "Share, log" if logarithmic else "Share")
        # Of a deep network not every site has room for its name.
        step = max(1, -(-len(view.sites) // 8))
        words = {"mixer": "mix", "ffn": "ffn"}
        ticks = [(0, "in")] + [
            (int(i), f"{s[0]} {words.get(s[1], s[1])}")
            for i, s in zip(x[1::step], view.sites[::step], strict=True)
        ]
        plot.getAxis("bottom").setTicks([ticks])

    def _keep(self) -> None:
        field, site = self.desk.field, self.desk.site
        if field is None:
            return
        title = f"Left of the streams after {site_title(*site).lower()}"

        def show(values: Any) -> None:
            made = ScoreMap(
                title, field.scene_id, field.provenance, placement=field.placement,
                id=f"{field.id}-left", values=values.astype(np.float32), unit="share",
            )  # fmt: skip
            self.desk.workspace.add_overlay(made)

        self.desk.submit(title, "left", lambda p: retention_map(field, site, p), show)
