"""Which model, which split, how to train: the questions of the classify dock, and its buttons."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from backends.hyperspectral.estimate import in_words, is_quick
from backends.map_filter import MapFilter
from backends.registry import ModelCard, cards
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.pages import narrow_box
from widgets.test_labels import TestLabels
from widgets.theme import GRID, wrapped

PROTOCOLS = {
    "P30": "30 pixels a class to train, 10 to validate",
    "P30g": "as P30, but 5 to train of a class with 30 or fewer",
    "P10": "10 % of each class to train",
    "S5": "5 % of each class to train",
    "S10": "10 % of each class to train, none to validate",
    "S30": "30 % of each class to train, none to validate",
    "DISJ": "Separate blocks of the scene: the honest one",
    "HALVES": "Left half of each class to train, right half to test",
    "TILES": "Whole tiles of 32 pixels to train, others to test",
    "FIX": "These labels train, those of another file test",
}


class ModelForm(QWidget):
    """Model, split, seed, three choices and what to do."""

    changed = pyqtSignal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._cards: dict[str, ModelCard] = {}
        self._decided = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addLayout(self._questions())
        self.test_labels = TestLabels(workspace)
        self.test_labels.changed.connect(self.changed)
        self.test_labels.hide()
        column.addWidget(self.test_labels)
        self.model_line = wrapped()
        column.addWidget(self.model_line)
        self.balanced_box = QCheckBox("Give rare classes equal weight")
        self.balanced_box.setToolTip(
            "Finds more of a class with few labels, and calls more pixels so that are not it"
        )
        self.apart_box = QCheckBox()
        self.apart_box.setToolTip(
            "Trains once more on separate blocks of the scene and shows that figure, too: "
            "random test pixels have neighbours that were trained on"
        )
        self.apart_box.clicked.connect(self._on_decided)
        self.go_button = QPushButton()
        self.go_button.setDefault(True)
        self.further_button = QPushButton("Train further")
        self.further_button.setToolTip(
            "Go on from the last result: what was left of a training that was stopped, else as "
            "many steps again"
        )
        self.use_button = QPushButton("Use the shipped weights")
        self.open_button = QPushButton("Open a trained model…")
        self.open_button.setToolTip("Map this scene with a model trained here or elsewhere")
        self.statistics_box = QCheckBox("Adapt it to this scene's light")
        self.statistics_box.setToolTip(
            "Stretch values by this scene's own percentiles instead of those of the scene the "
            "model was trained on"
        )
        for box in (self.balanced_box, self.apart_box, self.statistics_box):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for widget in (
            self.balanced_box,
            self.apart_box,
            self.go_button,
            self.further_button,
            self.use_button,
            self.open_button,
            self.statistics_box,
        ):
            column.addWidget(widget)
        self.model_box.currentIndexChanged.connect(self._on_model)
        self.protocol_box.currentIndexChanged.connect(lambda: self.changed.emit())
        self._on_model()

    def _questions(self) -> QFormLayout:
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.model_box, self.protocol_box = narrow_box("Which model"), narrow_box("Which split")
        self.seed_box = QSpinBox()
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
        models.addWidget(self.model_box, 1)
        models.addWidget(self.card_button)
        form.addRow("Model", models)
        form.addRow("Split", self.protocol_box)
        form.addRow("Seed", self.seed_box)
        self.majority_box = narrow_box("Each pixel gets the most frequent class around it")
        self.majority_box.addItem("Map as it comes", 0)
        for side in (3, 5, 7):
            self.majority_box.addItem(f"Majority of {side} × {side}", side)
        self.sieve_spin = QSpinBox()
        self.sieve_spin.setRange(1, 9999)
        self.sieve_spin.setSpecialValueText("no sieve")
        self.sieve_spin.setSuffix(" px")
        self.sieve_spin.setAccessibleName("Sieve")
        self.sieve_spin.setToolTip("Patches of fewer pixels go to the largest one beside them")
        form.addRow("Speckle", self.majority_box)
        form.addRow("Sieve", self.sieve_spin)
        return form

    @property
    def card(self) -> ModelCard | None:
        """The card of the chosen model."""
        return self._cards.get(str(self.model_box.currentData()))

    @property
    def protocol(self) -> str:
        """The chosen split."""
        return str(self.protocol_box.currentData())

    @property
    def statistics(self) -> str:
        """Whose percentiles stretch another scene, see `transfer.STATISTICS`."""
        return "scene" if self.statistics_box.isChecked() else "training"

    @property
    def smooth(self) -> MapFilter:
        """What is done to the map before it is measured."""
        pixels = self.sieve_spin.value()
        return MapFilter(int(self.majority_box.currentData()), pixels if pixels > 1 else 0)

    @property
    def wants_apart(self) -> bool:
        """Whether to measure on separate blocks, too."""
        return not self.apart_box.isHidden() and self.apart_box.isChecked()

    def settings(self, scene: Scene) -> dict[str, Any]:
        """Return what the training is to use beside its defaults."""
        card = self.card
        if card is None:
            return {}
        own = self._workspace.next_settings(scene.id, card.id)
        if self.balanced_box.isChecked() != _balanced(card):
            own = {**own, "balanced": self.balanced_box.isChecked()}
        return own

    def choose(self, model_id: str) -> None:
        """Choose a model."""
        self.model_box.setCurrentIndex(self.model_box.findData(model_id))

    def describe(self, scene: Scene) -> None:
        """Say what the model does and what was set for it elsewhere."""
        card = self.card
        if card is None:
            return
        own = self._workspace.next_settings(scene.id, card.id)
        said = ", ".join(f"{key} {value}" for key, value in own.items())
        text = card.summary + (f" Own settings: {said}." if own else "")
        self.model_line.setText(text.replace("&", "&amp;").replace("<", "&lt;"))

    def offer_apart(self, extra: float | None, makes_sense: bool) -> None:
        """Offer to measure on separate blocks; on by itself where that is quick.

        Parameters
        ----------
        extra : float or None
            Seconds it takes.
        """
        more = "" if extra is None else f" (about {in_words(extra)})"
        self.apart_box.setText(f"On separate blocks too{more}")
        self.apart_box.setVisible(makes_sense)
        if not self._decided:
            self.apart_box.setChecked(is_quick(extra))

    def _on_decided(self) -> None:
        self._decided = True

    def _on_model(self, *_: object) -> None:
        card = self.card
        if card is not None:
            self.balanced_box.setChecked(_balanced(card))
            self._decided = False
        self.changed.emit()


def _balanced(card: ModelCard) -> bool:
    """Tell whether a model weighs classes by itself: classic ones do, as in the literature."""
    return card.family == "classic"
