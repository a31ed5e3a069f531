"""Why a place or an image is of a class: exact parts of the score, and concepts to change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from backends.concepts.changes import Change
from backends.concepts.desk_decision import CONSTANT, OTHERS, Decision, LabelDecision
from backends.jobs import JobHandle, JobState
from widgets.background import listen
from widgets.concepts.changes_list import ChangesList
from widgets.concepts.decisions import WORDS
from widgets.concepts.desk import Desk
from widgets.concepts.energy_curve import EnergyCurve
from widgets.concepts.handles import ChangeHandles
from widgets.concepts.outcome import Outcome
from widgets.concepts.parts_chart import Bar, PartsChart
from widgets.explaining.words import escape, sentence
from widgets.pages import Page, laid_out_anew, narrow_box
from widgets.theme import GRID, wrapped

_NO_LABELS = (
    "No labels on this image. Paint two or more classes, or open a label file: then a place's "
    "class is put down to its concepts."
)
_READY = (
    "The labels of this image can teach how much each concept speaks for each class: then a "
    "place's class is put down to its concepts."
)
_NO_PLACE = "Click a place in the image."
LIKELIEST = -1


class WhyPage(Page):
    """The clicked place, else the one under the mouse."""

    desk: Desk

    def __init__(self, desk: Desk, do: Callable[[str], object] | None = None) -> None:
        super().__init__(desk)
        self._do = do
        self._handle: JobHandle[Any] | None = None
        self._other_hand: int | None = None
        self._build()
        desk.pointed.connect(self.refresh)
        desk.concept_changed.connect(self.refresh)
        desk.decisions.decided.connect(self.refresh)
        desk.decisions.changing.changed.connect(self.refresh)
        listen(self, desk.workspace.job_finished, self._on_finished)
        self._seen: Decision | None = None

    def _build(self) -> None:
        self.kind_box = narrow_box("What decides")
        self.kind_box.activated.connect(
            lambda _: self.desk.decisions.choose(str(self.kind_box.currentData()))
        )
        self.column.addWidget(self.kind_box)
        self.state_line = wrapped()
        self.column.addWidget(self.state_line)
        self.learn_button = QPushButton("Learn from the labels")
        self.learn_button.clicked.connect(self.learn)
        self.column.addWidget(self.learn_button)
        self.no_labels = QWidget()
        row = QHBoxLayout(self.no_labels)
        row.setContentsMargins(0, 0, 0, 0)
        self.paint_button = QPushButton("Paint")
        self.paint_button.setToolTip("Paint pixels of each class (B); 1 to 9 choose the class")
        self.file_button = QPushButton("Open labels…")
        self.file_button.setToolTip("Open a label file for this image")
        for button, action in (
            (self.paint_button, "edit.brush"),
            (self.file_button, "file.labels"),
        ):
            button.clicked.connect(partial(self._ask_window, action))
            row.addWidget(button, 1)
        self.no_labels.hide()
        self.column.addWidget(self.no_labels)
        self.problem_line = wrapped()
        self.problem_line.hide()
        self.column.addWidget(self.problem_line)
        self.body = QWidget()
        rows = QVBoxLayout(self.body)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(GRID)
        self.class_box = narrow_box("The class that is explained")
        self.class_box.currentIndexChanged.connect(self.refresh)
        rows.addWidget(self.class_box)
        self.said_line = wrapped()
        rows.addWidget(self.said_line)
        self.outcome = Outcome()
        rows.addWidget(self.outcome)
        self.why_line = wrapped()
        rows.addWidget(self.why_line)
        self.chart = PartsChart()
        self.chart.chosen.connect(self._take)
        self.chart.opened.connect(self._show_used)
        rows.addWidget(self.chart)
        self.handles = ChangeHandles()
        self.handles.previewed.connect(self._on_previewed)
        self.handles.changed.connect(self._on_changed)
        rows.addWidget(self.handles)
        self.answer_line = wrapped()
        rows.addWidget(self.answer_line)
        self.changes = ChangesList()
        self.changes.undone.connect(lambda n: self.change(n, None))
        rows.addWidget(self.changes)
        buttons = QHBoxLayout()
        self.used_button = QPushButton("Where it counts")
        self.used_button.clicked.connect(lambda: self._show_used(self.hand))
        self.back_button = QPushButton("Undo all")
        self.back_button.setToolTip("Give all concepts back their own strength")
        self.back_button.clicked.connect(self.desk.decisions.changing.reset)
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip(
            "The decision before and after, and what each concept adds, as JSON; the run log "
            "then has the command that does the same"
        )
        self.save_button.clicked.connect(self._ask_folder)
        buttons.addWidget(self.used_button, 1)
        buttons.addWidget(self.back_button)
        buttons.addWidget(self.save_button)
        rows.addLayout(buttons)
        self.column.addWidget(self.body)
        self.kept = EnergyCurve()
        self.kept.hide()
        self.column.addWidget(self.kept)

    # -- what is spoken of ---------------------------------------------------------------

    @property
    def hand(self) -> int | None:
        """The concept that is changed: of a bottleneck one of its own."""
        decision = self.desk.decision
        if decision is None or decision.of_dictionary:
            return self.desk.concept
        return self._other_hand

    def _take(self, concept: int) -> None:
        decision = self.desk.decision
        if decision is None or decision.of_dictionary:
            self.desk.take_concept(concept)
        else:
            self._other_hand = concept
            self.refresh()

    def _token(self) -> int | None:
        decision, reading = self.desk.decision, self.desk.field
        if decision is not None and decision.whole:
            return 0
        place = self.desk.clicked or self.desk.place
        if place is None or reading is None:
            return None
        return reading.image.cell_at(*place)

    def _target(self, decision: Decision, token: int) -> int:
        chosen = self.class_box.currentData()
        if chosen is None or chosen == LIKELIEST:
            return int(decision.probabilities(token).argmax())
        return int(chosen)

    # -- learning ------------------------------------------------------------------------

    def learn(self) -> None:
        """Teach the layer by the labels of the scene."""
        self.problem_line.hide()
        self._handle = self.desk.decisions.learn()
        self.refresh()
        if self._handle is not None and self._handle.state.is_final:
            self._on_finished(self._handle)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is not self._handle:
            return
        if handle.state is JobState.FAILED and handle.error is not None:
            self.problem_line.setText(sentence(handle.error))
            self.problem_line.show()
        self.refresh()

    # -- drawing -------------------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """Draw anew; a bottleneck decides without a reading, too."""
        self._stale = True
        there = self.desk.field is not None or self.desk.decision is not None
        if self.isVisible() and there:
            self._stale = False
            self.draw()

    def draw(self) -> None:
        decisions, decision = self.desk.decisions, self.desk.decision
        busy = self._handle is not None and not self._handle.state.is_final
        self.learn_button.setEnabled(decisions.labels is not None and not busy)
        self.body.setVisible(decision is not None)
        self._fill_kinds()
        lacking = decision is None and decisions.labels is None and self._do is not None
        self.no_labels.setVisible(lacking)
        if decision is None:
            self._seen = None
            self.kept.hide()
            self.learn_button.setVisible(not lacking)
            self.state_line.setText(_READY if decisions.labels is not None else _NO_LABELS)
            return
        self.state_line.setText(escape(decision.sentence))
        self.kept.show_bottleneck(decision)
        taught = isinstance(decision, LabelDecision)
        can_learn = decisions.labels is not None and self.desk.field is not None
        self.learn_button.setVisible(taught or can_learn)
        if decision is not self._seen:
            self._seen = decision
            self._other_hand = None
            self._fill_classes(decision)
            laid_out_anew(self)
        self._draw_place(decision)

    def _ask_window(self, action: str, *_: object) -> None:
        if self._do is not None:
            self._do(action)

    def _fill_kinds(self) -> None:
        kinds = list(self.desk.decisions.every)
        self.kind_box.setVisible(len(kinds) > 1)
        self.kind_box.clear()
        for kind in kinds:
            self.kind_box.addItem(WORDS[kind], kind)
        self.kind_box.setCurrentIndex(self.kind_box.findData(self.desk.decisions.kind))

    def _fill_classes(self, decision: Decision) -> None:
        self.class_box.blockSignals(True)
        self.class_box.clear()
        self.class_box.addItem("Why its likeliest class", LIKELIEST)
        for number, name in enumerate(decision.probe.classes):
            self.class_box.addItem(f"Why {name}, or why not", number)
        self.class_box.blockSignals(False)

    def _draw_place(self, decision: Decision) -> None:
        token, changes = self._token(), self.desk.decisions.changing.now
        there = token is not None
        if there and self.chart.isHidden():
            laid_out_anew(self.body)
        for part in (self.outcome, self.why_line, self.chart, self.handles, self.answer_line):
            part.setVisible(there)
        self.save_button.setEnabled(there)
        self.used_button.setEnabled(self.hand is not None and there)
        words = ("Where it counts", "What the concept adds to the class, everywhere")
        if not decision.of_dictionary:
            words = ("Where it is", "How alike every place is to the concept")
        self.used_button.setText(words[0])
        self.used_button.setToolTip(f"{words[1]}, as a layer")
        self.back_button.setEnabled(bool(changes))
        self.changes.show_changes(changes, decision.name)
        if token is None:
            self.said_line.setText(_NO_PLACE)
            return
        before = decision.probabilities(token)
        after = decision.probabilities(token, changes) if changes else None
        classes, target = decision.probe.classes, self._target(decision, token)
        place = self.desk.clicked or self.desk.place
        self.said_line.setText(
            "<b>This image</b>" if decision.whole or place is None
            else f"<b>Row {place[0]}, column {place[1]}</b>"
        )  # fmt: skip
        self.outcome.show_classes(classes, before, after, target)
        self.why_line.setText(f"Why <b>{escape(classes[target])}</b>, or why not:")
        names = {OTHERS: "all others", CONSTANT: "constant part"}
        bars = [
            Bar(
                part.concept,
                names.get(part.concept) or decision.name(part.concept),
                part.amount,
                part.concept in changes,
            )
            for part in decision.parts(token, target, changes)
        ]
        self.chart.show_bars(bars, self.hand)
        self._draw_handles(decision, token)
        self._draw_answer(decision, before, after)

    def _draw_handles(self, decision: Decision, token: int) -> None:
        concept = self.hand
        if concept is None:
            self.handles.show_none()
            return
        change = self.desk.decisions.changing.now.get(concept)
        own = float(decision.code(token)[concept])
        now = own if change is None else float(change.of(np.float64(own)))
        self.handles.show_concept(decision.name(concept), own, now, decision.top(concept), change)

    def _draw_answer(self, decision: Decision, before: Any, after: Any) -> None:
        if after is None:
            self.answer_line.setText("")
            return
        one, two = int(before.argmax()), int(after.argmax())
        was, is_now = (escape(decision.probe.classes[n]) for n in (one, two))
        said = (
            "The decision stays."
            if one == two
            else f"The decision changes: {was} → <b>{is_now}</b>."
        )
        if isinstance(decision, LabelDecision):
            moved = 100 * decision.changed_share(self.desk.decisions.changing.now)
            said += f" Over the image {moved:.1f}\u00a0% of the places would change their class."
        self.answer_line.setText(said)

    # -- changing ------------------------------------------------------------------------

    def change(self, concept: int, change: Change | None) -> None:
        """Change a concept in one step; None gives it back its own strength."""
        decision = self.desk.decision
        if decision is not None:
            told = "as it was" if change is None or change.nothing else change.sentence
            label = f"Concept {decision.name(concept)} {told}"
            self.desk.decisions.changing.put(concept, change, label)

    def _on_previewed(self, change: Change) -> None:
        if self.hand is not None:
            self.desk.decisions.changing.preview(self.hand, change)

    def _on_changed(self, change: Change) -> None:
        if self.hand is not None:
            self.change(self.hand, change)

    # -- keeping -------------------------------------------------------------------------

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder for the decision")
        if name:
            self.save(Path(name))

    def save(self, folder: Path) -> None:
        """Write the decision as it is now, and note the command that does the same."""
        decision, token = self.desk.decision, self._token()
        if decision is not None and token is not None:
            self.desk.decisions.save(
                folder, decision, token, self._target(decision, token),
                self.desk.clicked or self.desk.place,
            )  # fmt: skip

    def _show_used(self, concept: int | None) -> None:
        decision, token = self.desk.decision, self._token()
        if concept is not None and decision is not None and token is not None:
            self.desk.show_used(concept, self._target(decision, token))
