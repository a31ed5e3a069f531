"""Pages that plot: classes, depth, both directions of pairs, training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtWidgets import QPushButton

from backends.jobs import Progress
from backends.matrix_analysis import (
    asymmetry,
    class_matrices,
    class_ranking,
    coverage_map,
    depth_of,
    retention_map,
)
from backends.matrix_history import structure_curve
from backends.overlays import ScoreMap
from backends.palette import key_color
from widgets.matrices.desk import Desk, Page, narrow_box, site_title
from widgets.matrices.drawings import LESS, MORE, SmallPlot
from widgets.matrix_view import MatrixTable
from widgets.theme import wrapped

NO_LABELS = "No labels on this scene: open a label file or paint some (Classify tab)."


class ClassesPage(Page):
    """What sets a class apart, and how well each entry tells it on held-out pixels."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.class_box = narrow_box("Which class")
        self.column.addWidget(self.class_box)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.plot = SmallPlot("Difference", "Entry", 280)
        self.column.addWidget(self.plot)
        self.auc_line = wrapped()
        self.column.addWidget(self.auc_line)
        self.table = MatrixTable()
        self.column.addWidget(self.table)
        self.claim_line = wrapped()
        self.column.addWidget(self.claim_line)
        self.class_box.currentIndexChanged.connect(self._show)
        self._found: Any = None
        desk.checked.connect(self._show)
        desk.workspace.labels_changed.connect(self._on_labels)

    def _on_labels(self, *_: object) -> None:
        self.refresh()

    def draw(self) -> None:
        sheet, entry, held = self.desk.labels, self.desk.entry, self.desk.held_out()
        for part in (self.class_box, self.plot, self.auc_line, self.table, self.claim_line):
            part.setVisible(sheet is not None)
        if sheet is None or entry is None:
            self.line.setText(NO_LABELS)
            return
        labels = self.desk.grid(sheet.values)
        test = None if held is None else self.desk.grid(held)

        def run(progress: Progress) -> Any:
            means = class_matrices(entry, labels, progress)
            ranks = None if test is None else class_ranking(entry, labels, test, progress=progress)
            return means, ranks

        def show(found: Any) -> None:
            self._found = found
            chosen = self.class_box.currentData()
            self.class_box.blockSignals(True)
            self.class_box.clear()
            for value in found[0].classes:
                self.class_box.addItem(sheet.class_names.get(value, f"Class {value}"), value)
            self.class_box.setCurrentIndex(max(0, self.class_box.findData(chosen)))
            self.class_box.blockSignals(False)
            self._show()

        self.desk.submit("Matrices of classes", "classes", run, show)

    def _show(self, *_: object) -> None:
        field, value = self.desk.field, self.class_box.currentData()
        if field is None or self._found is None or value is None:
            return
        means, ranks = self._found
        names, n = field.group_names, len(field.group_names)
        contrast = means.contrast[means.classes.index(value)].ravel()
        order = np.argsort(-np.abs(contrast), kind="stable")[:12]
        y = np.arange(len(order))[::-1]
        self.plot.plot_item.clear()
        bars = pg.BarGraphItem(
            x0=0, y=y, height=0.7, width=contrast[order],
            brushes=[MORE if v > 0 else LESS for v in contrast[order]], pen=None,
        )  # fmt: skip
        self.plot.plot_item.addItem(bars)
        ticks = [(int(p), f"{names[k // n]}→{names[k % n]}") for p, k in zip(y, order, strict=True)]
        self.plot.plot_item.getAxis("left").setTicks([ticks])
        self.plot.plot_item.setLabel("left", "")
        count = int(means.counts[means.classes.index(value)])
        self.line.setText(
            f"Mean of {count:,} pixels minus the mean of the classes; the {len(order)} largest "
            f"differences, up to {np.abs(contrast).max():.4f}."
        )
        if ranks is None or value not in ranks.classes:
            self.auc_line.setText(
                "How well entries tell this class needs held-out pixels: train es_mhc here, or "
                "choose its checkpoint on the Check page."
            )
            self.table.hide()
        else:
            at = ranks.classes.index(value)
            self.auc_line.setText(
                f"How well each entry alone ranks this class (AUC, 0.5 is chance) on "
                f"{int(ranks.counts.sum()):,} held-out pixels, {int(ranks.counts[at]):,} of it:"
            )
            self.table.show()
            self.table.show_matrix(names, ranks.auc[at], (0.0, 1.0), "diverging")
        self.claim_line.setText(claim(self.desk))


class DepthPage(Page):
    """What is left of the streams on the way down, and maps over depth."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.plot = SmallPlot("Site", "Left of the streams")
        self.plot.plot_item.setYRange(0, 1)
        self.column.addWidget(self.plot)
        self.keep_button = QPushButton("Map what is left here")
        self.keep_button.setToolTip("What is left of the streams after the chosen site, each pixel")
        self.cover_button = QPushButton("Map how many lists")
        self.cover_button.setToolTip("In how many of the token lists each pixel is; 0 = not read")
        for button, do in ((self.keep_button, self._keep), (self.cover_button, self._cover)):
            button.clicked.connect(do)
            self.column.addWidget(button)
        self.table_line = wrapped()
        self.column.addWidget(self.table_line)
        self.table = MatrixTable()
        self.column.addWidget(self.table)

    def draw(self) -> None:
        field, pixel = self.desk.field, self.desk.pixel
        assert field is not None

        def show(view: Any) -> None:
            x = np.arange(1, len(view.sites) + 1)
            self.plot.plot_item.clear()
            self.plot.plot_item.plot(
                np.r_[0, x], np.r_[1, view.retention], pen=pg.mkPen(key_color(0), width=2),
                symbol="o", symbolSize=5, symbolBrush=key_color(0), symbolPen=None,
            )  # fmt: skip
            ticks = [(0, "in")] + [
                (int(i), f"{s[0]}{s[1][0]}") for i, s in zip(x, view.sites, strict=True)
            ]
            self.plot.plot_item.getAxis("bottom").setTicks([ticks])
            whose = "the scene's mean" if pixel is None else f"row {pixel[0]}, column {pixel[1]}"
            self.line.setText(
                f"After the last site {100 * view.retention[-1]:.2g} % is left of what tells the "
                f"streams apart (second eigenvalue {view.second[-1]:.2g}; {whose}). Near 0 the "
                "streams carry one average, and their names are names only."
            )
            at = view.sites.index(self.desk.site)
            product = view.products[at]
            self.table_line.setText(
                f"All matrices up to {site_title(*self.desk.site).lower()} multiplied "
                f"({100 * view.retention[at]:.2g} % left): which stream of the input went where."
            )
            low, high = float(product.min()), float(product.max())
            self.table.show_matrix(field.group_names, product, (low, max(high, low + 1e-6)))

        self.desk.submit("Depth", "depth", lambda p: depth_of(field, pixel=pixel, progress=p), show)
        self.cover_button.setEnabled(self.desk.site[1] == "mixer")

    def _lay(self, title: str, key: str, run: Any) -> None:
        field = self.desk.field
        if field is None:
            return

        def show(values: Any) -> None:
            made = ScoreMap(
                title, field.scene_id, field.provenance, placement=field.placement,
                id=f"{field.id}-{key}", values=values.astype(np.float32),
            )  # fmt: skip
            self.desk.workspace.add_overlay(made)

        self.desk.submit(title, key, run, show)

    def _keep(self) -> None:
        field, site = self.desk.field, self.desk.site
        if field is not None:
            title = f"Left of the streams after {site_title(*site).lower()}"
            self._lay(title, "left", lambda p: retention_map(field, site, p))

    def _cover(self) -> None:
        field, entry = self.desk.field, self.desk.entry
        if field is not None and entry is not None:
            share = float(field.provenance.parameters.get("list_share", 0.1))
            title = f"Lists that hold the pixel, layer {self.desk.site[0]}"
            self._lay(title, "lists", lambda p: coverage_map(entry, share, p))


class PairsPage(Page):
    """H[i, j] against H[j, i]: what is not on the diagonal has a direction."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.plot = SmallPlot("Forth, H[i, j]", "Back, H[j, i]", 240)
        self.column.addWidget(self.plot)
        self.line = wrapped()
        self.column.addWidget(self.line)

    def draw(self) -> None:
        entry, field = self.desk.entry, self.desk.field
        assert entry is not None
        assert field is not None

        def show(found: Any) -> None:
            plot = self.plot.plot_item
            plot.clear()
            low = float(min(found.forth.min(), found.back.min()))
            high = float(max(found.forth.max(), found.back.max()))
            plot.plot([low, high], [low, high], pen=pg.mkPen("#888888", width=1))
            for k in range(len(found.pairs)):
                brush = pg.mkBrush(key_color(k))
                plot.addItem(
                    pg.ScatterPlotItem(
                        found.forth[:, k], found.back[:, k], size=3, brush=brush, pen=None
                    )
                )
            names = field.group_names
            largest = np.argsort(-np.abs(found.mean_difference))[:3]
            said = []
            for k in largest:
                i, j = found.pairs[k]
                said.append(f"{names[i]}→{names[j]} minus back {found.mean_difference[k]:+.4f}")
            self.line.setText(
                f"{len(found.forth)} pixels, one colour a pair; range {low:.4f} to {high:.4f}. "
                f"On the line a pair talks alike both ways. Largest: {'; '.join(said)}."
            )

        self.desk.submit("Pairs", "pairs", lambda p: asymmetry(entry), show)


class TrainingPage(Page):
    """When structure came."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.spread = SmallPlot("Step", "Spread over pixels", 160)
        self.moran = SmallPlot("Step", "Moran's I", 160)
        self.column.addWidget(self.spread)
        self.column.addWidget(self.moran)

    def draw(self) -> None:
        field = self.desk.field
        assert field is not None
        history = field.history
        for plot in (self.spread, self.moran):
            plot.setVisible(history is not None)
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
                    plot.plot_item.plot(list(curve.steps), list(values), pen=pen)
            self.line.setText(
                f"Thick: {site_title(*self.desk.site).lower()}, from spread "
                f"{curve.spread[at][0]:.5f} and Moran's I {curve.moran[at][0]:.2f} to "
                f"{curve.spread[at][-1]:.5f} and {curve.moran[at][-1]:.2f}. Of the streams "
                f"{100 * curve.retention[-1]:.2g} % is left at the end. Moran's I is high as soon "
                "as the image is smooth: it alone is no sign of learning."
            )

        self.desk.submit("Structure", "history", lambda p: structure_curve(history, p), show)


def claim(desk: Desk) -> str:
    """Return what the last check found, to stand beside claims of relevance."""
    found = desk.findings.get(desk.field.id) if desk.field is not None else None
    return found or "Whether this matters for the classes is not checked yet (Check page)."
