"""From a few labelled pixels to a class map, with its measured accuracy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backends.hyperspectral.estimate import expected_seconds, in_words, training_pixels
from backends.io.labels import Labels
from backends.jobs import Job, JobHandle, Progress
from backends.overlays import Overlay
from backends.palette import class_colors
from backends.registry import ModelCard, cards
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.card_dialog import CardDialog
from widgets.regions_dock import _swatch as swatch
from widgets.theme import GRID, EmptyState, wrapped
from widgets.training_plot import TrainingPlot

PROTOCOLS = {
    "P30": "30 pixels a class to train, 10 to validate",
    "P10": "10 % of each class to train",
    "S5": "5 % of each class to train",
    "S10": "10 % of each class to train, none to validate",
    "DISJ": "Separate blocks of the scene: the honest one",
    "HALVES": "Left half of each class to train, right half to test",
}


class ClassifyDock(QWidget):
    """Reads as a sentence: labels, model, protocol, go, figures."""

    ID = "classify"
    TITLE = "Classify"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        do: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._do = workspace, do
        self._cards: dict[str, ModelCard] = {}
        self._handle: JobHandle[Any] | None = None
        self._live = ""
        self._build()
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.labels_changed, self._on_labels)
        listen(self, workspace.job_finished, self._on_finished)
        self._on_scene(workspace.active_scene)

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.empty = EmptyState("Open a scene to classify its pixels.")
        outer.addWidget(self.empty)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer.addWidget(self.area)
        inside = QWidget()
        self.area.setWidget(inside)
        column = QVBoxLayout(inside)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID)
        self.scene_line = wrapped()
        column.addWidget(self.scene_line)
        self.labels_line = wrapped()
        column.addWidget(self.labels_line)
        row = QHBoxLayout()
        self.paint_button, self.file_button = QPushButton("Paint"), QPushButton("Open label file…")
        self.paint_button.setToolTip("Paint training pixels (B); 1 to 9 choose the class")
        for button, action in (
            (self.paint_button, "edit.brush"),
            (self.file_button, "file.labels"),
        ):
            button.setVisible(self._do is not None)
            button.clicked.connect(partial(self._ask, action))
            row.addWidget(button)
        column.addLayout(row)
        self.classes = _table(("Class", "Labelled pixels"))
        self.classes.itemChanged.connect(self._on_renamed)
        column.addWidget(self.classes)
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.model_box, self.protocol_box, self.seed_box = QComboBox(), QComboBox(), QSpinBox()
        for box in (self.model_box, self.protocol_box):
            box.setMinimumContentsLength(10)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        for card in cards():
            if card.task == "classify pixels":
                self._cards[card.id] = card
                self.model_box.addItem(card.title, card.id)
        for name, words in PROTOCOLS.items():
            self.protocol_box.addItem(f"{name}: {words}", name)
        self.seed_box.setRange(0, 9999)
        self.seed_box.setToolTip("The same seed gives the same split and the same training")
        models = QHBoxLayout()
        self.card_button = QPushButton("Card…")
        self.card_button.setToolTip("What this model is, and when not to believe it")
        self.card_button.clicked.connect(self.show_card)
        models.addWidget(self.model_box, 1)
        models.addWidget(self.card_button)
        form.addRow("Model", models)
        form.addRow("Split", self.protocol_box)
        form.addRow("Seed", self.seed_box)
        column.addLayout(form)
        self.model_line = wrapped()
        column.addWidget(self.model_line)
        self.go_button = QPushButton("Train and map the scene")
        self.go_button.setDefault(True)
        self.go_button.clicked.connect(self.train)
        column.addWidget(self.go_button)
        self.use_button = QPushButton("Use the shipped weights")
        self.use_button.clicked.connect(self.use_weights)
        column.addWidget(self.use_button)
        self.problem_line = wrapped()
        column.addWidget(self.problem_line)
        self.curve = TrainingPlot()
        column.addWidget(self.curve)
        self.result_line = wrapped()
        column.addWidget(self.result_line)
        self.accuracy = _table(("Class", "Found", "Right"))
        self.accuracy.setToolTip(
            "Found: share of the class's test pixels that were found (producer's accuracy). "
            "Right: share of the pixels so called that are it (user's accuracy)."
        )
        column.addWidget(self.accuracy)
        column.addStretch(1)
        self.model_box.currentIndexChanged.connect(self._on_model)
        self.protocol_box.currentIndexChanged.connect(self._on_model)

    # -- what there is -------------------------------------------------------------------

    def _on_scene(self, scene: Scene | None) -> None:
        self.empty.setVisible(scene is None)
        self.area.setVisible(scene is not None)
        self.curve.hide()
        self.accuracy.hide()
        self.result_line.setText("")
        if scene is None:
            return
        self.scene_line.setText(f"<b>{_escape(scene.title)}</b>")
        self._on_labels(scene.id)

    def _on_labels(self, scene_id: str) -> None:
        scene = self._workspace.active_scene
        if scene is None or scene.id != scene_id:
            return
        sheet = self._workspace.labels.get(scene_id)
        counts: dict[int, int] = {}
        if sheet is not None:
            import numpy as np

            counts = dict(enumerate(np.bincount(sheet.values.ravel(), minlength=256).tolist()))
        names = dict(sheet.class_names) if sheet is not None else {}
        self.classes.blockSignals(True)
        self.classes.setRowCount(len(names))
        colors = class_colors(names)
        for row, (value, name) in enumerate(names.items()):
            cell = QTableWidgetItem(swatch(colors[value]), name)
            cell.setData(Qt.ItemDataRole.UserRole, value)
            self.classes.setItem(row, 0, cell)
            self.classes.setItem(row, 1, _fixed(f"{counts.get(value, 0):,}"))
        self.classes.blockSignals(False)
        _fit(self.classes)
        total = sum(n for v, n in counts.items() if v > 0)
        if total:
            source = f" from {Path(sheet.source).name}" if sheet and sheet.source else ""
            self.labels_line.setText(f"{total:,} labelled pixels{source}.")
        else:
            self.labels_line.setText(
                "No labels yet: paint some pixels of each class, or open a label file."
            )
        self._on_model()

    def _on_renamed(self, cell: QTableWidgetItem) -> None:
        scene = self._workspace.active_scene
        sheet = self._workspace.labels.get(scene.id) if scene else None
        name = cell.text().strip()
        if scene is not None and sheet is not None and cell.column() == 0 and name:
            value = int(cell.data(Qt.ItemDataRole.UserRole))
            names = dict(sheet.class_names) | {value: name}
            self._workspace.set_labels(scene.id, sheet.values, names, sheet.source)

    def _card(self) -> ModelCard | None:
        return self._cards.get(str(self.model_box.currentData()))

    def _on_model(self, *_: object) -> None:
        card, scene = self._card(), self._workspace.active_scene
        if card is None or scene is None:
            self.go_button.setEnabled(False)
            self.use_button.hide()
            return
        own = self._workspace.next_settings(scene.id, card.id)
        said = ", ".join(f"{key} {value}" for key, value in own.items())
        self.model_line.setText(_escape(card.summary + (f" Own settings: {said}." if own else "")))
        sheet = self._workspace.labels.get(scene.id)
        classes = len(sheet.class_names) if sheet is not None and sheet.values.any() else 0
        busy = self._handle is not None and not self._handle.state.is_final
        problem = ""
        if classes == 0:
            problem = "Training needs labels."
        elif classes < 2:
            problem = "Training needs at least two classes."
        self.problem_line.setText(problem)
        self.go_button.setEnabled(not problem and not busy)
        pixels = scene.shape[0] * scene.shape[1]
        train = None
        if sheet is not None and not problem:
            train = training_pixels(
                str(self.protocol_box.currentData()), int((sheet.values > 0).sum()), classes
            )
        self.go_button.setText("Train and map the scene" + _about(card, pixels, train))
        self.use_button.setText("Use the shipped weights" + _about(card, pixels, None))
        self.use_button.setVisible(card.is_trained)
        self.use_button.setEnabled(not busy)
        self.use_button.setToolTip(f"Trained on: {card.trained_on}")

    def _ask(self, action_id: str, *_: object) -> None:
        if self._do is not None:
            self._do(action_id)

    def show_card(self) -> None:
        """Show what the chosen model is and when not to believe it."""
        card = self._card()
        if card is not None:
            self.card_dialog = CardDialog(card, self)
            self.card_dialog.open()

    # -- do ------------------------------------------------------------------------------

    def train(self) -> None:
        """Train the chosen model on the labels and map the scene."""
        scene = self._workspace.active_scene
        if scene is not None and scene.id in self._workspace.labels:
            sheet = self._workspace.labels[scene.id]
            labels = Labels(sheet.values.copy(), dict(sheet.class_names), {})
            self._run(scene, labels, sheet.source)

    def use_weights(self) -> None:
        """Map the scene with the weights that come with the model."""
        scene = self._workspace.active_scene
        if scene is not None:
            self._run(scene, None, "")

    def _run(self, scene: Scene, labels: Labels | None, source: str) -> None:
        card = self._card()
        if card is None:
            return
        protocol, seed = str(self.protocol_box.currentData()), self.seed_box.value()
        own = self._workspace.next_settings(scene.id, card.id) if labels is not None else {}
        work = partial(_classify, scene, labels, card.id, protocol, seed, own)
        command: list[str] = []
        # What was painted is in no file: such a run cannot be replayed from the log.
        if scene.info.path is not None and (labels is None or source):
            command = ["classify", str(scene.info.path), "--model", card.id]
            for key, value in scene.info.options.items():
                command += ["--option", f"{key}={value}"]
            if labels is not None:
                command += ["--labels", source, "--protocol", protocol, "--seed", str(seed)]
            for key, value in own.items():
                command += ["--set", f"{key}={value}"]
            command += ["--out", f"{scene.info.path.stem}_{card.id}"]
        job: Job[Any] = Job(
            f"Classify {scene.title} with {card.title}",
            work,
            scene_id=scene.id,
            parameters={"model": card.id, "protocol": protocol, "seed": seed, **own},
            command=tuple(command),
            topic="classify",
        )
        self.result_line.setText("")
        self.accuracy.hide()
        self.curve.clear()
        handle = self._workspace.submit(job, on_result=self._show, on_partial=self._show_partial)
        self._handle = handle
        self._on_model()

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is self._handle:
            self._end_live()
            if handle.error is not None:
                self.result_line.setText(_escape(str(handle.error)))
            self._on_model()

    def _show_partial(self, part: Any) -> None:
        if hasattr(part, "loss"):
            self.curve.show_curve(part)
            self.curve.show()
        elif isinstance(part, Overlay):  # the inside of a network while it learns
            self._live = part.id
            self._workspace.add_overlay(part)

    def _end_live(self) -> None:
        """Take away what was shown while it learnt: the result, or nothing, takes its place."""
        if self._live:
            self._workspace.remove_overlay(self._live)
            self._live = ""

    def _show(self, result: Any) -> None:
        for overlay in reversed(result.overlays):  # the class map comes to lie on top
            self._workspace.add_overlay(overlay)
        if result.overlays:
            self._workspace.activate_overlay(result.overlays[0].id)
        values = result.to_dict()
        seconds = values["predict_seconds"] + (values.get("train_seconds") or 0)
        lines = [f"Made in {seconds:.1f} s on {values['device']}."]
        metrics = values.get("metrics")
        if metrics:
            lines.insert(
                0,
                f"Overall accuracy {_percent(metrics['overall_accuracy'])}, average "
                f"{_percent(metrics['average_accuracy'])}, kappa {_number(metrics['kappa'])} on "
                f"{metrics['test_pixels']:,} test pixels "
                f"({values['protocol']}, seed {values['seed']}).",
            )
        lines += values.get("notes", ())
        self.result_line.setText(_escape("\n".join(lines)).replace("\n", "<br>"))
        self._fill_accuracy((metrics or {}).get("classes") or ())

    def _fill_accuracy(self, rows: Any) -> None:
        self.accuracy.setVisible(bool(rows))
        self.accuracy.setRowCount(len(rows))
        for number, row in enumerate(rows):
            self.accuracy.setItem(number, 0, _fixed(str(row["name"])))
            self.accuracy.setItem(number, 1, _fixed(_percent(row.get("producer_accuracy"))))
            self.accuracy.setItem(number, 2, _fixed(_percent(row.get("user_accuracy"))))
        _fit(self.accuracy)


def _classify(
    scene: Scene,
    labels: Labels | None,
    model_id: str,
    protocol: str,
    seed: int,
    settings: dict[str, Any],
    progress: Progress,
) -> Any:
    from backends.hyperspectral.classify import classify
    from backends.hyperspectral.estimate import learn

    result = classify(
        scene,
        labels,
        model_id,
        protocol=protocol,
        seed=seed,
        device="auto",
        settings=settings,
        progress=progress,
    )
    learn(result)
    return result


def _table(names: tuple[str, ...]) -> QTableWidget:
    table = QTableWidget(0, len(names))
    table.setHorizontalHeaderLabels(list(names))
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    header, rows = table.horizontalHeader(), table.verticalHeader()
    if header is not None and rows is not None:
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        rows.hide()
    return table


def _fit(table: QTableWidget) -> None:
    """Make a table as high as its rows, up to nine; more scroll."""
    header = table.horizontalHeader()
    height = header.sizeHint().height() if header is not None else 24
    rows = min(table.rowCount(), 9)
    table.setFixedHeight(height + sum(table.rowHeight(r) for r in range(rows)) + 4)
    table.setVisible(table.rowCount() > 0)


def _fixed(text: str) -> QTableWidgetItem:
    cell = QTableWidgetItem(text)
    cell.setFlags(Qt.ItemFlag.ItemIsEnabled)
    return cell


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}\u00a0%"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _about(card: ModelCard, pixels: int, train: int | None) -> str:
    """Return the expected time, for a button."""
    seconds = expected_seconds(card.id, pixels, train)
    return "" if seconds is None else f" (about {in_words(seconds)})"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
