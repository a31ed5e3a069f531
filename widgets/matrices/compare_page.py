"""Trainings beside each other: does structure come earlier with more streams?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyqtgraph as pg
from PyQt6.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QSpinBox

from backends.errors import WrongUse
from backends.hyperspectral.groups import MOST_EXPANSION
from backends.jobs import Progress
from backends.matrix_history import structure_curve
from backends.overlays import MatrixField
from backends.palette import key_color
from widgets.background import listen
from widgets.matrices.desk import NO_LABELS, Desk
from widgets.pages import Page, narrow_box
from widgets.small_plot import SmallPlot
from widgets.theme import wrapped

_SCALES = {"share": "Spread as share of its end", "absolute": "Spread as it is"}


class ComparePage(Page):
    """Structure over the steps of several trainings in one plot."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.line = wrapped(
            "The source says that structure comes earlier with more streams. Train the network "
            "with several numbers of streams and see; all else stays as it is."
        )
        self.column.addWidget(self.line)
        form = QFormLayout()
        self.rates_edit = QLineEdit("1, 2")
        self.rates_edit.setToolTip("Expansion rates: streams a group of bands, e.g. 1, 2, 3")
        self.steps_box = QSpinBox()
        self.steps_box.setRange(10, 2000)
        self.steps_box.setSingleStep(20)
        self.steps_box.setValue(120)
        self.seed_box = QSpinBox()
        self.seed_box.setRange(0, 9999)
        form.addRow("Streams a group", self.rates_edit)
        form.addRow("Steps each", self.steps_box)
        form.addRow("Seed", self.seed_box)
        self.column.addLayout(form)
        self.train_button = QPushButton("Train and compare")
        self.train_button.clicked.connect(self.train)
        self.column.addWidget(self.train_button)
        row = QHBoxLayout()
        self.file_button = QPushButton("Add from file…")
        self.file_button.setToolTip("A checkpoint or metrics.json of another training of es_mhc")
        self.file_button.clicked.connect(self._choose)
        self.clear_button = QPushButton("Clear")
        self.clear_button.clicked.connect(self.clear)
        row.addWidget(self.file_button, 1)
        row.addWidget(self.clear_button)
        self.column.addLayout(row)
        self.need_line = wrapped()
        self.column.addWidget(self.need_line)
        self.scale_box = narrow_box("What the upper plot shows")
        for key, title in _SCALES.items():
            self.scale_box.addItem(title, key)
        self.column.addWidget(self.scale_box)
        self.spread = SmallPlot("Step", "Spread", 160)
        self.moran = SmallPlot("Step", "Moran's I", 150)
        self.column.addWidget(self.spread)
        self.column.addWidget(self.moran)
        self.key_line = wrapped()
        self.column.addWidget(self.key_line)
        self.scale_box.currentIndexChanged.connect(self._plot)
        listen(self, desk.workspace.labels_changed, self.refresh)
        self.added: list[Any] = []  # StructureRun, trained here or read from files
        self.own: list[Any] = []  # of the matrices that lie over the scene

    # -- runs ----------------------------------------------------------------------------

    @property
    def runs(self) -> list[Any]:
        """All runs that are drawn."""
        return [*self.own, *self.added]

    def draw(self) -> None:
        need = NO_LABELS if self.desk.labels is None else ""
        self.need_line.setText(need)
        self.need_line.setVisible(bool(need))
        self.train_button.setEnabled(not need)
        field = self.desk.field
        assert field is not None
        fields = [
            o
            for o in self.desk.workspace.overlays_of(field.scene_id)
            if isinstance(o, MatrixField) and o.history is not None
        ]

        def run(progress: Progress) -> list[Any]:
            from backends.hyperspectral.structure_runs import StructureRun

            made = []
            for one in fields:
                assert one.history is not None
                streams, seed = len(one.group_names), one.provenance.parameters.get("seed")
                title = f"{streams} streams" + ("" if seed is None else f", seed {seed}")
                title += ", still training" if one.partial else ", on this scene"
                curve = structure_curve(one.history, progress)
                made.append(StructureRun(title, streams, curve, finished=not one.partial))
            return made

        def show(found: list[Any]) -> None:
            self.own = found
            self._plot()

        self.desk.submit("Structure of trainings", "runs", run, show)

    def rates(self) -> list[int]:
        """Return the numbers of streams asked for.

        Raises
        ------
        WrongUse
            They cannot be read.
        """
        words = self.rates_edit.text().replace(";", ",").split(",")
        try:
            found = [int(word) for word in words if word.strip()]
        except ValueError:
            found = []
        if not found or any(not 1 <= rate <= MOST_EXPANSION for rate in found):
            raise WrongUse(
                f"Streams a group are whole numbers from 1 to {MOST_EXPANSION}, with commas.",
                way_out="Write for example: 1, 2, 3",
            )
        return found

    def train(self) -> None:
        """Train once for each number of streams; each is drawn when it is done."""
        field, scene, sheet = self.desk.field, self.desk.scene, self.desk.labels
        if field is None or scene is None or sheet is None:
            return
        try:
            rates = self.rates()
        except WrongUse as error:
            self.need_line.setText(str(error))
            self.need_line.show()
            return
        from backends.io.labels import Labels

        labels = Labels(sheet.values.copy(), dict(sheet.class_names), {})
        own = {
            key: value
            for key, value in self.desk.workspace.next_settings(scene.id, "es_mhc").items()
            if key != "expansion"
        }
        settings, seed = own | {"steps": self.steps_box.value()}, self.seed_box.value()
        before = list(self.added)

        def run(progress: Progress) -> Any:
            from backends.hyperspectral.mapping import polite_threads
            from backends.hyperspectral.structure_runs import train_rates

            with polite_threads():
                return train_rates(
                    scene, labels, rates, settings=settings, seed=seed, progress=progress
                )

        def show(found: Sequence[Any]) -> None:
            if isinstance(found, tuple):  # not the figures of the training itself
                self.added = [*before, *found]
                self._plot()

        self.need_line.setText("Training; each is drawn when it is done.")
        self.need_line.show()

        def done(found: Any) -> None:
            self.need_line.hide()
            show(found)

        self.desk.submit(
            f"Compare {len(rates)} trainings", "compare", run, done, quiet=False, partial=show
        )

    def _choose(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(
            self, "Trainings", "", "Trainings of es_mhc (*.safetensors metrics.json)"
        )
        for path in paths:
            self.add_file(Path(path))

    def add_file(self, path: Path) -> None:
        """Draw the training that left a file."""

        def run(progress: Progress) -> Any:
            from backends.hyperspectral.structure_runs import read_run

            return read_run(path)

        def show(found: Any) -> None:
            self.added.append(found)
            self._plot()

        self.desk.submit(f"Read {path.name}", f"run {path}", run, show, quiet=False)

    def clear(self) -> None:
        """Take away what was trained here or read from files."""
        self.added = []
        self._plot()

    # -- the plot ------------------------------------------------------------------------

    def _plot(self, *_: object) -> None:
        runs, share = self.runs, self.scale_box.currentData() == "share"
        for plot in (self.spread, self.moran):
            plot.plot_item.clear()
            plot.setVisible(bool(runs))
        self.scale_box.setVisible(bool(runs))
        self.clear_button.setEnabled(bool(self.added))
        self.spread.plot_item.setLabel("left", "Spread, share of end" if share else "Spread")
        lines = []
        for k, one in enumerate(runs):
            pen = pg.mkPen(key_color(k), width=2)
            spread, steps = one.curve.mean("spread"), list(one.curve.steps)
            top = spread[-1] or 1.0
            self.spread.plot_item.plot(steps, [v / top if share else v for v in spread], pen=pen)
            self.moran.plot_item.plot(steps, list(one.curve.mean("moran")), pen=pen)
            lines.append(f"<span style='color:{key_color(k)}'>●</span> {_escape(one.sentence)}")
        if len({one.curve.steps[-1] for one in runs}) > 1:
            lines.append("They differ in length: do not compare their steps.")
        if len(runs) > 1:
            lines.append("One seed shows little: structure of another seed may come earlier.")
        self.key_line.setText("<br>".join(lines))


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
