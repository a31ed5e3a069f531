"""From a few labelled pixels to a class map, with its measured accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QFrame, QScrollArea, QVBoxLayout, QWidget

from backends.hyperspectral.apart import needs_it
from backends.hyperspectral.estimate import (
    expected_seconds,
    in_words,
    training_pixels,
)
from backends.io.labels import Labels
from backends.jobs import Job, JobHandle
from backends.overlays import Overlay
from backends.registry import ModelCard
from backends.scene import Scene
from backends.workspace import LabelSheet, Workspace
from widgets.background import listen
from widgets.card_dialog import CardDialog
from widgets.classify_jobs import Classification, MeasureApart, SaveModel
from widgets.classify_result import ResultPanel
from widgets.label_table import LabelTable
from widgets.model_form import ModelForm
from widgets.running_row import RunningRow
from widgets.theme import GRID, EmptyState, wrapped
from widgets.training_plot import TrainingPlot

MODEL_FILES = "Trained models (*.safetensors)"


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
        self._workspace = workspace
        self._handle: JobHandle[Any] | None = None
        self._second: JobHandle[Any] | None = None
        self._asked: Classification | None = None
        self._result: Any = None
        self._live = ""
        self._build(do)
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_removed, self._on_removed)
        listen(self, workspace.labels_changed, self._on_labels)
        listen(self, workspace.job_finished, self._on_finished)
        self._on_scene(workspace.active_scene)

    def _build(self, do: Callable[[str], object] | None) -> None:
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
        self.scene_line, self.problem_line = wrapped(), wrapped()
        self.labels = LabelTable(self._workspace, do)
        self.form = ModelForm(self._workspace)
        self.running = RunningRow()
        self.curve = TrainingPlot()
        self.result = ResultPanel()
        for part in (
            self.scene_line,
            self.labels,
            self.form,
            self.problem_line,
            self.running,
            self.curve,
            self.result,
        ):
            column.addWidget(part)
        column.addStretch(1)
        form = self.form
        self.model_box, self.protocol_box = form.model_box, form.protocol_box
        self.go_button, self.use_button = form.go_button, form.use_button
        form.changed.connect(self._on_model)
        for button, action in (
            (form.card_button, self.show_card),
            (form.go_button, self.train),
            (form.further_button, self.train_further),
            (form.use_button, self.use_weights),
            (form.open_button, self.ask_weights),
        ):
            button.clicked.connect(partial(self._press, action))
        self.result.apart_asked.connect(self.measure_apart)
        self.result.save_asked.connect(self.ask_save)

    @staticmethod
    def _press(action: Callable[[], None], *_: object) -> None:
        action()

    # -- what there is -------------------------------------------------------------------

    def _on_scene(self, scene: Scene | None) -> None:
        self.empty.setVisible(scene is None)
        self.area.setVisible(scene is not None)
        self.curve.hide()
        self.result.clear()
        self._result = None
        if scene is not None:
            self.scene_line.setText(f"<b>{_escape(scene.title)}</b>")
            self._on_labels(scene.id)

    def _on_removed(self, scene_id: str) -> None:
        if self._asked is not None and self._asked.scene.id == scene_id:
            self._asked = self._result = None

    def _on_labels(self, scene_id: str) -> None:
        scene = self._workspace.active_scene
        if scene is not None and scene.id == scene_id:
            self.labels.fill(scene)
            self._on_model()

    def _sheet(self) -> LabelSheet | None:
        scene = self._workspace.active_scene
        return None if scene is None else self._workspace.labels.get(scene.id)

    def _on_model(self) -> None:
        form = self.form
        card, scene, sheet = form.card, self._workspace.active_scene, self._sheet()
        if card is None or scene is None:
            return
        form.describe(scene)
        classes = len(sheet.class_names) if sheet is not None and sheet.values.any() else 0
        busy = self._handle is not None and not self._handle.state.is_final
        fixed = form.protocol == "FIX"
        form.test_labels.setVisible(fixed)
        form.test_labels.show_for(scene)
        problem = ""
        if classes == 0:
            problem = "Training needs labels."
        elif classes < 2:
            problem = "Training needs at least two classes."
        elif fixed and form.test_labels.of(scene) is None:
            problem = "This split needs labels that test."
        self.problem_line.setText(problem)
        self.problem_line.setVisible(bool(problem))
        pixels = scene.shape[0] * scene.shape[1]
        labelled = 0 if sheet is None or problem else int((sheet.values > 0).sum())
        train = training_pixels(self.form.protocol, labelled, classes) if labelled else None
        extra = None if train is None else expected_seconds(card.id, pixels, train)
        form.go_button.setEnabled(not problem and not busy)
        form.go_button.setText("Train and map the scene" + _about(card, pixels, train))
        form.offer_apart(extra, needs_it(form.protocol) and bool(labelled))
        form.further_button.setVisible(self._trained() is not None)
        form.further_button.setEnabled(not problem and not busy)
        form.use_button.setText("Use the shipped weights" + _about(card, pixels, None))
        form.use_button.setVisible(card.is_trained)
        form.use_button.setToolTip(f"Trained on: {card.trained_on}")
        form.use_button.setEnabled(not busy)
        form.open_button.setEnabled(not busy)

    def _trained(self) -> Any | None:
        """Return the network of the last result, if it is the chosen one and can learn on."""
        card, scene = self.form.card, self._workspace.active_scene
        if self._result is None or card is None or scene is None or card.family != "network":
            return None
        found = self._result.checkpoint
        return found if found.model_id == card.id else None

    def show_card(self) -> None:
        """Show what the chosen model is and when not to believe it."""
        if self.form.card is not None:
            self.card_dialog = CardDialog(self.form.card, self)
            self.card_dialog.open()

    # -- do ------------------------------------------------------------------------------

    def train(self) -> None:
        """Train the chosen model on the labels and map the scene."""
        self._run(labels=True)

    def train_further(self) -> None:
        """Train the network of the last result further, on the labels there are now."""
        self._run(labels=True, weights=self._trained(), further=True)

    def use_weights(self) -> None:
        """Map the scene with the weights that come with the model."""
        self._run(labels=False, statistics=self.form.statistics)

    def ask_weights(self) -> None:
        """Let the user choose a trained model."""
        name, _ = QFileDialog.getOpenFileName(self, "Open a trained model", "", MODEL_FILES)
        if name:
            self.open_weights(Path(name))

    def open_weights(self, path: Path) -> None:
        """Map the scene with a trained model from a file; labels, if any, measure it."""
        self._run(labels=True, weights=path, model="", statistics=self.form.statistics)

    def ask_save(self) -> None:
        """Let the user say where the trained model goes."""
        if self._result is None:
            return
        name, _ = QFileDialog.getSaveFileName(
            self, "Save the trained model", f"{self._result.model}.safetensors", MODEL_FILES
        )
        if name:
            self.save_model(Path(name))

    def save_model(self, path: Path) -> JobHandle[Path]:
        """Write the trained model of the last result to a file."""
        path = path if path.suffix else path.with_suffix(".safetensors")
        job = Job(f"Save {path.name}", SaveModel(self._result.checkpoint, path))
        return self._workspace.submit(job)

    def _run(
        self,
        *,
        labels: bool,
        weights: Any = None,
        model: str | None = None,
        further: bool = False,
        statistics: str = "training",
    ) -> None:
        card, scene, sheet = self.form.card, self._workspace.active_scene, self._sheet()
        if card is None or scene is None:
            return
        given = None
        if labels and sheet is not None and sheet.values.any():
            given = Labels(sheet.values.copy(), dict(sheet.class_names), {})
        trains = given is not None and (weights is None or further)
        asked = Classification(
            scene,
            given,
            card.id if model is None else model,
            self.form.protocol,
            self.form.seed_box.value(),
            self.form.settings(scene) if trains and not further else {},
            sheet.source if sheet is not None and given is not None else "",
            weights,
            further,
            statistics,
            trains and not further and self.form.wants_apart,
            *(self._testing(scene) if trains else ()),
            smooth=self.form.smooth,
        )
        said = {"model": asked.model, "protocol": asked.protocol, "seed": asked.seed}
        how = card.title if asked.model else weights.name
        job: Job[Any] = Job(
            f"Classify {scene.title} with {how}",
            asked,
            scene_id=scene.id,
            parameters={**said, **asked.settings},
            command=asked.command,
            topic="classify",
        )
        self._asked, self._second = asked, None
        self.result.clear()
        self.curve.clear()
        self._handle = self._workspace.submit(
            job, on_result=self._show, on_partial=self._show_partial
        )
        self.running.follow(self._handle)
        self._on_model()

    def _testing(self, scene: Scene) -> tuple[Any, ...]:
        """Return the labels that only test, and their file, where the split has such."""
        found = self.form.test_labels.of(scene) if self.form.protocol == "FIX" else None
        return () if found is None else (found[0], str(found[1]))

    def measure_apart(self) -> None:
        """Train the model of the last result once more and measure it on separate blocks."""
        asked = self._asked
        if asked is None or self._result is None:
            return
        work = MeasureApart(asked, self._result.split)
        job: Job[Any] = Job(
            f"Measure {asked.model} on separate blocks of {asked.scene.title}",
            work,
            scene_id=asked.scene.id,
            # The first line of the log says both already where both were asked for.
            command=() if asked.apart else work.command,
            topic="classify",
        )
        self.result.measuring()
        self._second = self._workspace.submit(job, on_result=self._show_apart)
        self.running.follow(self._second)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is self._handle:
            self._end_live()
            if handle.error is not None:
                self.result.say(str(handle.error))
            self._on_model()
        elif handle is self._second and handle.result is None:
            self.result.show_apart(None)
        self.running.refresh()

    # -- what came -----------------------------------------------------------------------

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
        asked, scene = self._asked, self._workspace.active_scene
        if asked is None or scene is None or scene.id != asked.scene.id:
            return  # the user looks at another scene
        self._result = result
        if not asked.model:
            self._asked = replace(asked, model=result.model)
            self.form.choose(result.model)
        self.result.show_result(result)
        if asked.apart and not (result.curve is not None and result.curve.stopped_at):
            self.measure_apart()

    def _show_apart(self, apart: Any) -> None:
        from backends.hyperspectral.classify import with_apart

        if self._result is None:
            return
        self._result = with_apart(self._result, apart)
        self.result.show_apart(apart)
        for overlay in self._result.overlays:
            shown = self._workspace.overlays.get(overlay.id)
            if shown is not None:  # it may have another name by now
                self._workspace.add_overlay(replace(shown, provenance=overlay.provenance))


def _about(card: ModelCard, pixels: int, train: int | None) -> str:
    """Return the expected time, for a button."""
    seconds = expected_seconds(card.id, pixels, train)
    return "" if seconds is None else f" (about {in_words(seconds)})"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
