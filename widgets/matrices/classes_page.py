"""What sets a class apart, and how well entries of the matrix tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg

from backends.jobs import Progress
from backends.matrix_analysis import class_matrices, class_ranking
from widgets.background import listen
from widgets.matrices.arrows import LESS, MORE
from widgets.matrices.desk import NO_LABELS, Desk
from widgets.matrix_view import MatrixTable
from widgets.pages import Page, narrow_box
from widgets.small_plot import SmallPlot
from widgets.theme import wrapped


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
        listen(self, desk.workspace.labels_changed, self.refresh)

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
        self.claim_line.setText(self.desk.claim())
