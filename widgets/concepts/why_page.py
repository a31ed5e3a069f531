"""Why a place or an image is of a class: exact parts of the score; scale or take away a concept."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from backends.concepts.desk_decision import CONSTANT, OTHERS, Decision, LabelDecision
from backends.jobs import JobHandle, JobState
from widgets.background import listen
from widgets.concepts.desk import Desk
from widgets.concepts.parts_chart import Bar, PartsChart
from widgets.explaining.words import escape, sentence, share
from widgets.pages import Page, narrow_box
from widgets.theme import GRID, wrapped

_NO_LABELS = (
    "No labels on this image. Paint two or more classes, or open a label file (Classify tab): "
    "then a place's class is put down to its concepts."
)
_READY = "The labels of this image teach a sum over concepts to tell the classes apart."
_NO_PLACE = "Click a place in the image."
LIKELIEST = -1


class WhyPage(Page):
    """The clicked place, else the one under the mouse."""

    desk: Desk

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._handle: JobHandle[Any] | None = None
        self.state_line = wrapped()
        self.column.addWidget(self.state_line)
        self.learn_button = QPushButton("Learn from the labels")
        self.learn_button.clicked.connect(self.learn)
        self.column.addWidget(self.learn_button)
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
        self.chart = PartsChart()
        self.chart.chosen.connect(lambda n: desk.take_concept(n))
        self.chart.opened.connect(self._show_used)
        rows.addWidget(self.chart)
        self.what_line = QLabel()
        rows.addWidget(self.what_line)
        line = QHBoxLayout()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 30)
        self.slider.setToolTip("How strong the concept would be; the decision follows at once")
        self.slider.valueChanged.connect(self._on_slider)
        self.away_button = QPushButton("Take away")
        self.away_button.clicked.connect(self._take_away)
        line.addWidget(self.slider, 1)
        line.addWidget(self.away_button)
        rows.addLayout(line)
        self.answer_line = wrapped()
        rows.addWidget(self.answer_line)
        buttons = QHBoxLayout()
        self.used_button = QPushButton("Show where it counts")
        self.used_button.setToolTip("What the concept adds to the class, everywhere, as a layer")
        self.used_button.clicked.connect(lambda: self._show_used(desk.concept))
        self.back_button = QPushButton("As it was")
        self.back_button.setToolTip("Give all concepts back their own strength")
        self.back_button.clicked.connect(self._reset)
        buttons.addWidget(self.used_button, 1)
        buttons.addWidget(self.back_button)
        rows.addLayout(buttons)
        self.column.addWidget(self.body)
        desk.pointed.connect(self.refresh)
        desk.concept_changed.connect(self.refresh)
        desk.decided.connect(self._on_decided)
        listen(self, desk.workspace.job_finished, self._on_finished)
        self._seen: Decision | None = None

    # -- learning ------------------------------------------------------------------------

    def learn(self) -> None:
        """Teach the layer by the labels of the scene."""
        self.problem_line.hide()
        self._handle = self.desk.decide()
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

    def _on_decided(self) -> None:
        self.refresh()

    # -- drawing -------------------------------------------------------------------------

    def draw(self) -> None:
        decision = self.desk.decision
        busy = self._handle is not None and not self._handle.state.is_final
        self.learn_button.setEnabled(self.desk.labels is not None and not busy)
        self.body.setVisible(decision is not None)
        if decision is None:
            self.learn_button.show()
            self.state_line.setText(_READY if self.desk.labels is not None else _NO_LABELS)
            return
        self.state_line.setText(decision.sentence)
        self.learn_button.setVisible(not decision.whole or self.desk.labels is not None)
        if decision is not self._seen:
            self._seen = decision
            self._fill_classes(decision)
        self._draw_place(decision)

    def _fill_classes(self, decision: Decision) -> None:
        self.class_box.blockSignals(True)
        self.class_box.clear()
        self.class_box.addItem("Why its likeliest class", LIKELIEST)
        for number, name in enumerate(decision.probe.classes):
            self.class_box.addItem(f"Why {name}, or why not", number)
        self.class_box.blockSignals(False)

    def _token(self) -> int | None:
        place, reading = self.desk.clicked or self.desk.place, self.desk.field
        if self.desk.decision is not None and self.desk.decision.whole:
            return 0
        if place is None or reading is None:
            return None
        return reading.image.cell_at(*place)

    def _target(self, decision: Decision, token: int) -> int:
        chosen = self.class_box.currentData()
        if chosen is None or chosen == LIKELIEST:
            return int(decision.probabilities(token).argmax())
        return int(chosen)

    def _draw_place(self, decision: Decision) -> None:
        token, reading, factors = self._token(), self.desk.field, self.desk.factors
        there = token is not None
        for widget in (self.chart, self.slider, self.away_button, self.answer_line):
            widget.setVisible(there)
        self.what_line.setVisible(there)
        self.used_button.setEnabled(self.desk.concept is not None)
        self.back_button.setEnabled(bool(factors))
        if token is None or reading is None:
            self.said_line.setText(_NO_PLACE)
            return
        target = self._target(decision, token)
        classes = decision.probe.classes
        before = decision.probabilities(token)
        likely = ", ".join(f"{escape(classes[n])} {share(before[n])}" for n in _best(before))
        what = "This image" if decision.whole else "This place"
        self.said_line.setText(f"{what}: {likely}. Why <b>{escape(classes[target])}</b>:")
        names = {OTHERS: "all others", CONSTANT: "constant part"}
        bars = [
            Bar(
                part.concept,
                names.get(part.concept) or reading.short(part.concept),
                part.amount,
                part.concept in factors,
            )
            for part in decision.parts(token, target, factors)
        ]
        self.chart.show_bars(bars, self.desk.concept)
        self._draw_change(decision, token, before)

    def _draw_change(self, decision: Decision, token: int, before: Any) -> None:
        reading, factors, concept = self.desk.field, self.desk.factors, self.desk.concept
        assert reading is not None
        on = concept is not None and bool(decision.code(token)[concept] > 0)
        self.slider.setEnabled(on)
        self.away_button.setEnabled(on)
        if not on or concept is None:
            self.what_line.setText("Click a bar to change how strong it is.")
        else:
            factor = factors.get(concept, 1.0)
            self.what_line.setText(f"{reading.short(concept)} at {100 * factor:.0f}\u00a0%")
            self.slider.blockSignals(True)
            self.slider.setValue(round(10 * factor))
            self.slider.blockSignals(False)
        if not factors:
            self.answer_line.setText("")
            return
        after = decision.probabilities(token, factors)
        one, two = int(before.argmax()), int(after.argmax())
        classes = [escape(name) for name in decision.probe.classes]
        said = f"{classes[one]} {share(before[one])} → <b>{classes[two]} {share(after[two])}</b>"
        if one == two:
            said += ": the decision stays."
        else:
            said += f": the decision changes ({classes[one]} now {share(after[one])})."
        if isinstance(decision, LabelDecision):
            moved = 100 * decision.changed_share(factors)
            said += f" Over the image {moved:.1f}\u00a0% of the places would change their class."
        self.answer_line.setText(said)

    # -- changing ------------------------------------------------------------------------

    def _on_slider(self, value: int) -> None:
        if self.desk.concept is not None:
            self.change(self.desk.concept, value / 10)

    def change(self, concept: int, factor: float) -> None:
        """Scale a concept; 1 gives it back its own strength."""
        if factor == 1.0:
            self.desk.factors.pop(concept, None)
        else:
            self.desk.factors[concept] = factor
        self.refresh()

    def _take_away(self) -> None:
        if self.desk.concept is not None:
            self.change(self.desk.concept, 0.0)

    def _reset(self) -> None:
        self.desk.factors.clear()
        self.refresh()

    def _show_used(self, concept: int | None) -> None:
        decision, token = self.desk.decision, self._token()
        if concept is not None and decision is not None and token is not None:
            self.desk.show_used(concept, self._target(decision, token))


def _best(values: Any, most: int = 3) -> list[int]:
    order = [int(n) for n in values.argsort()[::-1][:most]]
    return [n for n in order if values[n] >= 0.01] or order[:1]
