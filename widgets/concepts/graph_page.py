"""How the concepts of the image hang together: coarse inside, fine outside, parents joined."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QWidget,
)

from backends.concepts.autoencoder import LEVELS
from backends.concepts.relations import Guards
from backends.io.writers.atomic import write_text
from backends.jobs import Job, Progress
from backends.palette import key_color
from widgets.concepts.desk import Desk
from widgets.explaining.words import escape
from widgets.pages import Page
from widgets.theme import text_color, wrapped

# Rings of the levels, and their colours.
RADII = (1.4, 2.6, 3.6)
COLORS = tuple(key_color(n) for n in (0, 1, 2))
# Room for names above the outermost ring.
_REACH = 4.3
_NAMED = 12
_LETTERS = 14
# Names nearer to each other than this would lie one over the other.
_APART = 0.75


class GraphPage(Page):
    """Nodes are concepts of this image, lines lead from a concept to its parents."""

    desk: Desk

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.plot = pg.PlotWidget()
        self.plot.setBackground(None)
        self.plot.setFixedHeight(288)
        item = self.plot.getPlotItem()
        item.hideAxis("left")
        item.hideAxis("bottom")
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setAspectLocked(True)
        item.getViewBox().setDefaultPadding(0)
        self.edges = pg.PlotDataItem(connect="pairs")
        self.strong = pg.PlotDataItem(connect="pairs")
        self.nodes = pg.ScatterPlotItem(hoverable=True, pxMode=True)
        for part in (self.edges, self.strong, self.nodes):
            item.addItem(part)
        self.nodes.sigClicked.connect(self._on_nodes)
        self.plot.scene().sigMouseClicked.connect(self._on_double)
        self.column.addWidget(self.plot)
        self.labels: list[pg.TextItem] = []
        key = QHBoxLayout()
        for level, color in zip(LEVELS, COLORS, strict=True):
            words = QLabel(f'<span style="color:{color}">●</span> {level}')
            key.addWidget(words)
        key.addStretch(1)
        self.column.addLayout(key)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(31, 99)
        self.strength.setValue(60)
        self.strength.setToolTip(
            "How much of a concept's activation must fall where the other is on, too"
        )
        self.support = QSlider(Qt.Orientation.Horizontal)
        self.support.setRange(1, 200)
        self.support.setValue(15)
        self.support.setToolTip("On how many places a concept must be to have parents")
        self.strength_line, self.support_line = QLabel(), QLabel()
        form.addRow(self.strength_line, self.strength)
        form.addRow(self.support_line, self.support)
        holder = QWidget()
        holder.setLayout(form)
        self.column.addWidget(holder)
        self.about_line = wrapped()
        self.about_line.linkActivated.connect(self._on_link)
        self.column.addWidget(self.about_line)
        row = QHBoxLayout()
        self.layer_button = QPushButton("Show as layer")
        self.layer_button.clicked.connect(self._show_layer)
        self.card_button = QPushButton("Its card")
        self.card_button.clicked.connect(self._show_card)
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip("The graph as GraphML, for programs that draw graphs")
        self.save_button.clicked.connect(self._ask_file)
        row.addWidget(self.layer_button, 1)
        row.addWidget(self.card_button)
        row.addWidget(self.save_button)
        self.column.addLayout(row)
        self.strength.valueChanged.connect(self.refresh)
        self.support.valueChanged.connect(self.refresh)
        desk.concept_changed.connect(self._on_concept)
        desk.changed.connect(self._on_reading)
        self.graph: Any = None
        self.places: NDArray[np.float64] = np.zeros((0, 2))

    def _on_reading(self) -> None:
        reading = self.desk.field
        if reading is not None:
            self.support.blockSignals(True)
            self.support.setValue(reading.guards.support)
            self.support.blockSignals(False)

    def draw(self) -> None:
        reading = self.desk.field
        assert reading is not None
        strength, support = self.strength.value() / 100, self.support.value()
        self.strength_line.setText(f"Joined from {100 * strength:.0f}\u00a0%")
        self.support_line.setText(f"On at {support} places" if support > 1 else "On at a place")
        self.graph = graph = reading.graph(self._guards(), besides=self.desk.concept)
        self.places = ring_places(graph)
        rest = f"; {graph.left_out} weaker ones are left out" if graph.left_out else ""
        lines = "line" if len(graph.edges) == 1 else "lines"
        self.line.setText(
            f"{len(graph.nodes)} concepts of this image, {len(graph.edges)} {lines} to "
            f"parents{rest}."
        )
        text = text_color(self)
        faint = QColor(text)
        faint.setAlpha(90)
        self.edges.setData(*self._segments(graph.edges), pen=pg.mkPen(faint, width=1))
        self._draw_nodes(text)
        self.plot.getPlotItem().setRange(
            xRange=(-_REACH, _REACH), yRange=(-_REACH, _REACH), padding=0
        )
        self._say_about()

    def _guards(self) -> Guards:
        reading = self.desk.field
        assert reading is not None
        strength, support = self.strength.value() / 100, self.support.value()
        return replace(reading.guards, strength=strength, support=support)

    def _segments(self, edges: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        ends = self.places[edges.ravel()] if len(edges) else np.zeros((0, 2))
        return ends[:, 0], ends[:, 1]

    def _draw_nodes(self, text: QColor) -> None:
        graph, reading = self.graph, self.desk.field
        assert reading is not None
        largest = float(graph.weight.max()) if len(graph.weight) else 1.0
        size = 6 + 12 * np.sqrt(graph.weight / largest)
        spots = []
        for number, concept in enumerate(graph.nodes):
            chosen = concept == self.desk.concept
            pen = pg.mkPen(text, width=3) if chosen else pg.mkPen(text, width=0.5)
            spots.append(
                {
                    "pos": self.places[number], "size": size[number], "data": concept,
                    "brush": COLORS[graph.level[number]], "pen": pen,
                }
            )  # fmt: skip
        self.nodes.setData(spots)
        mine = np.zeros((0, 2), np.int64)
        if self.desk.concept in graph.nodes and len(graph.edges):
            at = graph.nodes.index(self.desk.concept)
            mine = graph.edges[(graph.edges == at).any(1)]
        self.strong.setData(*self._segments(mine), pen=pg.mkPen(key_color(5), width=2.5))
        item = self.plot.getPlotItem()
        for label in self.labels:
            item.removeItem(label)
        self.labels = []
        near = set(mine.ravel().tolist())
        related = set(graph.edges.ravel().tolist())
        hand = self.desk.concept
        order = sorted(
            range(len(graph.nodes)),
            key=lambda n: (graph.nodes[n] != hand, n not in near, n not in related, n),
        )
        named: list[Any] = []
        for number in order:
            at = self.places[number] * (1, 1.6)  # letters are wider than high
            if len(named) == _NAMED:
                break
            if any(np.hypot(*(at - other)) < _APART for other in named):
                continue
            named.append(at)
            concept = graph.nodes[number]
            name = reading.marked(concept).split(" · ")[0]
            if len(name) > _LETTERS:
                name = f"{name[: _LETTERS - 1]}…"
            label = pg.TextItem(name, color=text, anchor=(0.5, 1.2))
            label.setPos(*self.places[number])
            item.addItem(label)
            self.labels.append(label)

    def _on_concept(self) -> None:
        drawn = self.graph is not None and self.desk.concept in self.graph.nodes
        if self.isVisible() and drawn:
            self._draw_nodes(text_color(self))
            self._say_about()
        else:
            self.refresh()

    def _say_about(self) -> None:
        reading, concept = self.desk.field, self.desk.concept
        self.layer_button.setEnabled(concept is not None)
        self.card_button.setEnabled(concept is not None)
        if reading is None or concept is None:
            self.about_line.setText("Click a node; double-click lays it over the image.")
            return
        graph = self.graph
        name = reading.dictionary.name(concept)
        mark = reading.mark(concept)
        said = [f"<b>{escape(name[:1].upper() + name[1:])}</b>" + (f" ({mark})" if mark else "")]
        for (child, parent), part, count in zip(
            graph.edges.tolist(), graph.strength.tolist(), graph.support.tolist(), strict=True
        ):
            if graph.nodes[child] == concept:
                other = escape(reading.marked(graph.nodes[parent]))
                where = self._link(concept, graph.nodes[parent], count)
                said.append(f"{100 * part:.0f}\u00a0% of it lies where {other} is ({where})")
            elif graph.nodes[parent] == concept:
                other = escape(reading.marked(graph.nodes[child]))
                where = self._link(concept, graph.nodes[child], count)
                said.append(f"{100 * part:.0f}\u00a0% of {other} lies where it is ({where})")
        if concept not in graph.nodes:
            said.append("It is on nowhere in this image.")
        elif len(said) == 1:
            loosen = any(s.value() > s.minimum() for s in (self.strength, self.support))
            more = "; move the sliders to the left for more lines" if loosen else ""
            said.append(f"Joined with no other here{more}.")
        self.about_line.setText("<br>".join(said[:7]))

    def _link(self, one: int, other: int, count: int) -> str:
        color = text_color(self).name()  # that of links is too dark for a dark window
        return f'<a href="{one},{other}" style="color:{color}">{count:,} places</a>'

    def _on_link(self, link: str) -> None:
        one, other = map(int, link.split(","))
        self.desk.show_both(one, other)

    def _ask_file(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Save the graph", "concepts.graphml", "GraphML (*.graphml)"
        )
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """Write the graph as it is joined now."""
        reading = self.desk.field
        if reading is None:
            return
        guards, besides = self._guards(), self.desk.concept

        def run(progress: Progress) -> None:
            write_text(path, reading.graph_text(guards, besides))

        job: Job[None] = Job(f"Save the graph of concepts to {path.name}", run)
        self.desk.workspace.submit(job)

    # -- the mouse -----------------------------------------------------------------------

    def _on_nodes(self, item: Any, points: Any, *_: object) -> None:
        if len(points):
            self.desk.take_concept(int(points[0].data()))

    def _on_double(self, event: Any) -> None:
        if event.double() and self.desk.concept is not None:
            at = self.nodes.mapFromScene(event.scenePos())
            points = self.nodes.pointsAt(at)
            if len(points):
                self.desk.show_layer(int(points[0].data()))

    def _show_layer(self) -> None:
        if self.desk.concept is not None:
            self.desk.show_layer(self.desk.concept)

    def _show_card(self) -> None:
        if self.desk.concept is not None:
            self.desk.take_concept(self.desk.concept, card=True)


def ring_places(graph: Any) -> NDArray[np.float64]:
    """Return where the nodes lie: a ring a level, children at the angle of their parents."""
    count = len(graph.nodes)
    angle = np.zeros(count)
    parents: dict[int, list[int]] = {}
    for child, parent in graph.edges.tolist():
        parents.setdefault(child, []).append(parent)
    levels = np.asarray(graph.level)
    for level in range(3):
        mine = np.flatnonzero(levels == level)
        wanted = []
        for number in mine.tolist():
            known = [p for p in parents.get(number, ()) if levels[p] < level]
            if known:
                turn = np.exp(1j * angle[known]).mean()
                wanted.append((float(np.angle(turn)) % (2 * np.pi), number))
            else:
                wanted.append((2 * np.pi * len(wanted) / max(1, len(mine)), number))
        # In the order of where they belong, evenly spread, so that none covers another.
        wanted.sort()
        for place, (_, number) in enumerate(wanted):
            angle[number] = 2 * np.pi * place / max(1, len(wanted)) + 0.3 * level
    radius = np.array(RADII)[levels] if count else np.zeros(0)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
