"""What the network said of itself while it learned, and how it is to be built next time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyqtgraph as pg
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QFormLayout, QPushButton, QSpinBox

from backends.palette import key_color
from widgets.clusters.desk import Desk, title
from widgets.pages import Page, narrow_box
from widgets.pulse import Pulse
from widgets.small_plot import SmallPlot
from widgets.theme import text_color, wrapped

MODEL = "css_mamba"
KINDS = {
    "cluster loss": "Loss of the clusters",
    "temperature": "Temperature",
    "spatial weight": "Weight of the spatial reader",
}
_MEANS = {
    "cluster loss": "How little clusters hold together and how much they resemble each other; "
    "in variant b, how far they have gone from their first grouping.",
    "temperature": "Small: pixels belong clearly to one cluster. Large: a little to many.",
    "spatial weight": "0: only each pixel's own spectrum is read. 1: only pixels in their order.",
}
VARIANTS = {
    "ours": "Ours: cluster by cluster",
    "a": "A: one sequence",
    "b": "B: groups from labels",
}
SELECTIONS = {
    "": "As the variant does",
    "hybrid": "Attention and cluster",
    "cluster": "Cluster alone",
    "attention": "Attention alone",
}


class TrainingPage(Page):
    """Curves, live while a training runs; below, settings of the next one."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.kind_box = narrow_box("What is plotted over the steps of the training")
        for key, words in KINDS.items():
            self.kind_box.addItem(words, key)
        self.kind_box.currentIndexChanged.connect(self.refresh)
        self.column.addWidget(self.kind_box)
        self.plot = SmallPlot("Step", "", 180)
        self.legend = self.plot.plot_item.addLegend(offset=(-8, 8), labelTextSize="8pt")
        self.column.addWidget(self.plot)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self._lines: list[pg.PlotDataItem] = []
        self.column.addWidget(wrapped(title("The next training")))
        form = QFormLayout()
        self.variant_box = narrow_box("How pixels are grouped and read; see the model's card")
        for key, words in VARIANTS.items():
            self.variant_box.addItem(words, key)
        self.selection_box = narrow_box("What the score is made of that orders and chooses pixels")
        for key, words in SELECTIONS.items():
            self.selection_box.addItem(words, key)
        self.kept_box = QSpinBox()
        self.kept_box.setRange(5, 100)
        self.kept_box.setValue(100)
        self.kept_box.setSuffix(" %")
        self.kept_box.setToolTip("Share of the pixels that the spatial reader reads")
        self.clusters_box = QSpinBox()
        self.clusters_box.setRange(0, 64)
        self.clusters_box.setSpecialValueText("As suits")
        self.clusters_box.setToolTip("Clusters of every block; as suits: twice the classes, or 50")
        form.addRow("Variant", self.variant_box)
        form.addRow("Score", self.selection_box)
        form.addRow("Read", self.kept_box)
        form.addRow("Clusters", self.clusters_box)
        self.column.addLayout(form)
        self.use_button = QPushButton("Use in the next training")
        self.use_button.clicked.connect(self.use)
        self.column.addWidget(self.use_button)
        self.said_line = wrapped()
        self.said_line.hide()
        self.column.addWidget(self.said_line)
        self._pulse = Pulse(self, self._beat)
        desk.trained.connect(self._on_live)

    def showEvent(self, event: QShowEvent | None) -> None:
        color = text_color(self)
        self.legend.setLabelTextColor(color)
        for _, label in self.legend.items:  # those that are there keep theirs otherwise
            label.setText(label.text, color=color)
        super().showEvent(event)

    def refresh(self, *_: object) -> None:
        """Draw anew, now or when the page is seen; a training that runs needs no field."""
        self._stale = True
        if self.isVisible() and (self.desk.field is not None or self.desk.live is not None):
            self._stale = False
            self.draw()

    def draw(self) -> None:
        live, field = self.desk.live, self.desk.field
        series: Mapping[str, Sequence[float]] = {}
        if live is not None:
            series = live.series
        elif field is not None:
            series = field.training
        kind = str(self.kind_box.currentData())
        mine = {name: values for name, values in series.items() if name.startswith(f"{kind}, ")}
        self._draw_lines(kind, mine)
        self.plot.setVisible(bool(mine))
        self.kind_box.setVisible(bool(mine))
        if not mine:
            self.line.setText(
                "What was said in the training is not kept with this map: it comes with a training."
            )
            return
        steps = max(len(values) for values in mine.values())
        head = f"After step {steps}"
        if live is not None:
            head = f"In training, step {steps} of {live.steps}"
        now = ", ".join(f"{_block(name)} {values[-1]:.3f}" for name, values in mine.items())
        self.line.setText(f"{head}: {now}. {_MEANS[kind]}")

    def _draw_lines(self, kind: str, mine: Mapping[str, Sequence[float]]) -> None:
        plot = self.plot.plot_item
        names = [_block(name) for name in mine]
        if names != [line.name() for line in self._lines]:
            for line in self._lines:
                plot.removeItem(line)
            self._lines = [
                plot.plot([], [], pen=pg.mkPen(key_color(i), width=2), name=name)
                for i, name in enumerate(names)
            ]
        for line, values in zip(self._lines, mine.values(), strict=True):
            line.setData(list(range(1, len(values) + 1)), list(values))
        live = self.desk.live
        if live is not None:  # an axis that moves with the curve is painted twice
            plot.setXRange(0, live.steps, padding=0.02)
        else:
            plot.enableAutoRange(x=True)

    def _on_live(self) -> None:
        if self.desk.live is None:
            self._pulse.stop()
            self.refresh()
        elif self.isVisible():
            self._pulse.start()
        else:
            self._stale = True

    def _beat(self) -> None:
        self._pulse.stop()
        self.refresh()

    def use(self) -> None:
        """Let the next training of the clustered reader on this scene take the settings."""
        scene = self.desk.scene or self.desk.workspace.active_scene
        if scene is None:
            return
        chosen: dict[str, object] = {"variant": self.variant_box.currentData()}
        if self.selection_box.currentData():
            chosen["selection"] = self.selection_box.currentData()
        if self.kept_box.value() < 100:
            chosen["kept"] = self.kept_box.value() / 100
        if self.clusters_box.value() > 1:
            chosen["clusters"] = self.clusters_box.value()
        self.desk.workspace.set_next_settings(scene.id, MODEL, chosen)
        words = ", ".join(f"{name} {value}" for name, value in chosen.items())
        self.said_line.show()
        self.said_line.setText(
            f"The next training of the clustered reader uses {words}. Start it in the Classify tab."
        )


def _block(name: str) -> str:
    return name.partition(", ")[2] or name
