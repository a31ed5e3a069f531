"""Clusters beside labels: sizes, commonest classes, purity, and whether borders agree."""

from __future__ import annotations

from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSpinBox

from backends.cluster_edges import BoundaryAgreement, boundary_agreement
from backends.jobs import Progress
from widgets.clusters.desk import Desk, title
from widgets.clusters.drawings import SizeBars
from widgets.clusters.maps_page import borders_button
from widgets.clusters.tables import ClusterClasses
from widgets.pages import Page
from widgets.theme import wrapped

_EDGES_TIP = (
    "Where two labelled classes touch, do clusters end there, too? Only between labelled pixels: "
    "elsewhere nobody knows where an edge is. Many small clusters have edges everywhere: then all "
    "label edges are met, but few cluster edges are label edges."
)


class ClassesPage(Page):
    """Bars, a table, two sentences."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.sizes = SizeBars()
        self.sizes.chosen.connect(desk.choose)
        self.column.addWidget(self.sizes)
        self.classes = ClusterClasses()
        self.classes.chosen.connect(desk.choose)
        self.column.addWidget(self.classes)
        self.purity_line = wrapped()
        self.column.addWidget(self.purity_line)
        self.column.addWidget(wrapped(title("Borders of clusters and of classes")))
        row = QHBoxLayout()
        label = QLabel("Within")
        self.tolerance = QSpinBox()
        self.tolerance.setRange(0, 5)
        self.tolerance.setValue(1)
        self.tolerance.setSuffix(" px")
        self.tolerance.setToolTip("How far from each other two borders may lie and still agree")
        label.setBuddy(self.tolerance)
        self.tolerance.valueChanged.connect(self._measure)
        row.addWidget(label)
        row.addWidget(self.tolerance)
        row.addStretch(1)
        self.column.addLayout(row)
        self.edges_line = wrapped()
        self.edges_line.setToolTip(_EDGES_TIP)
        self.column.addWidget(self.edges_line)
        self.column.addWidget(borders_button(desk))
        desk.figured.connect(self.refresh)
        desk.chosen.connect(self._mark)

    def draw(self) -> None:
        figures = self.desk.figures
        if figures is None:
            self.purity_line.setText("")
            self.edges_line.setText("")
            return
        table, names, colors = figures.table, self.desk.label_names, self.desk.colors
        self.sizes.show_sizes(table.sizes.tolist(), colors)
        self.classes.show_table(table, names, colors)
        if table.purity is None or table.nmi is None or table.chance_purity is None:
            self.purity_line.setText("With labels of the scene, clusters are compared to them.")
        else:
            self.purity_line.setText(
                f"Purity {100 * table.purity:.1f}\u00a0% of {table.labelled:,} labelled pixels "
                f"(one cluster for all: {100 * table.chance_purity:.1f}\u00a0%). "
                f"Shared information {table.nmi:.2f} of 1. "
                "Pixels that taught the network are among them."
            )
        self._mark()
        self._measure()

    def _measure(self, *_: object) -> None:
        if self.desk.field is None:
            return
        block, labels, within = self.desk.block, self.desk.labels, self.tolerance.value()
        self.tolerance.setEnabled(labels is not None)
        if labels is None:
            self.edges_line.setText("With labels, the borders are compared to theirs.")
            return

        def run(progress: Progress) -> BoundaryAgreement:
            return boundary_agreement(block.cluster, labels, within)

        def show(found: BoundaryAgreement) -> None:
            if self.desk.block is block:
                self.edges_line.setText(_edges_words(found))

        self.desk.submit("Borders against labels", "edges", run, show)

    def _mark(self) -> None:
        self.classes.choose(self.desk.cluster)
        self.sizes.selected = self.desk.cluster
        self.sizes.update()


def _edges_words(found: BoundaryAgreement) -> str:
    if found.f1 is None or found.precision is None or found.recall is None:
        return "Edges: no two labelled classes touch, or no cluster ends between them."
    return (
        f"Edges agree {100 * found.f1:.0f}\u00a0% (F1, within {found.tolerance} px): "
        f"{100 * found.recall:.0f}\u00a0% of the edges between classes lie on a cluster's edge, "
        f"{100 * found.precision:.0f}\u00a0% of the clusters' edges on one between classes."
    )
