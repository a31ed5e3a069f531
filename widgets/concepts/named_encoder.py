"""An encoder by its name, as the command line takes it, with the words that name its concepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.errors import WrongUse
from backends.explain.model_choices import ModelChoice, by_name
from backends.jobs import Progress
from backends.scene import Scene
from widgets.theme import GRID, wrapped

if TYPE_CHECKING:
    from backends.concepts.encoders import Encoder
    from backends.concepts.learning_concepts import Words
    from backends.concepts.towers import TextTower

_ABOUT = (
    "Networks of timm by their name, of the others with the library before it. Published weights "
    "are downloaded only when you tick the box for it afterwards."
)


@dataclass(frozen=True)
class NamedEncoder:
    """What the command line is told of an encoder.

    Attributes
    ----------
    model : str
        ``"vit_base_patch14_dinov2"``, ``"open_clip:ViT-B-16"``, ``"transformers:NAME"``.
    weights : str
        A file, a tag of open_clip, or nothing.
    dense : bool
        A CLIP transformer's patches, as MaskCLIP.
    words : str
        A file of words, one a line, that concepts are named by; needs `tower`.
    tower : str
        Their text tower: ``"ViT-B-16:WEIGHTS"``, ``"transformers:NAME"``, ``"dinotxt:FILE"``.
    """

    model: str
    weights: str = ""
    dense: bool = False
    words: str = ""
    tower: str = ""

    @property
    def choice(self) -> ModelChoice:
        """The network as it stands on the list."""
        found = by_name(self.model)
        here = Path(self.weights or self.model.partition(":")[2]).expanduser().exists()
        return replace(found, here=here and bool(self.weights or ":" in self.model))

    def open(self, scene: Scene, *, fetch: bool, progress: Progress) -> Encoder:
        """Return the encoder."""
        from backends.concepts.opening import make_encoder

        progress.note("Reading the network")
        return make_encoder(
            self.model, self.weights or None, dense=self.dense, scene=scene, fetch=fetch,
            progress=progress,
        )  # fmt: skip

    def open_tower(self, *, fetch: bool, progress: Progress) -> TextTower | None:
        """Return what speaks the words, or None where no words are asked for.

        Raises
        ------
        WrongUse
            Only one of words and tower is given.
        """
        if not self.words and not self.tower:
            return None
        if not self.words or not self.tower:
            raise WrongUse(
                "Naming by words needs both: a file of words and their text tower.",
                way_out="Give the other one, too, or neither.",
            )
        from backends.concepts.towers import open_tower

        return open_tower(self.tower, fetch=fetch, progress=progress)

    def naming(self, scene: Scene, *, fetch: bool, progress: Progress) -> Words | None:
        """Return what concepts are named with; words for anything but colour are guesses."""
        tower = self.open_tower(fetch=fetch, progress=progress)
        if tower is None:
            return None
        from backends.concepts.bottleneck_folder import read_words
        from backends.concepts.learning_concepts import Words

        return Words(tuple(read_words(Path(self.words))), tower, bool(scene.info.is_rgb))

    def told(self) -> list[str]:
        """Return what the command line says of it."""
        out = ["--model", self.model]
        if self.weights:
            out += ["--weights", self.weights]
        if self.dense:
            out += ["--dense"]
        return [*out, *self.told_words()]

    def told_words(self) -> list[str]:
        """Return what the command line says of its words."""
        return ["--words", self.words, "--tower", self.tower] if self.words else []


class NamedEncoderDialog(QDialog):
    """Asks for a name, and on request for weights and words."""

    def __init__(self, parent: QWidget | None = None, before: NamedEncoder | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("An encoder by its name")
        column = QVBoxLayout(self)
        column.setSpacing(GRID)
        about = wrapped()
        about.setText(_ABOUT)
        column.addWidget(about)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.model_edit = self._line("open_clip:ViT-B-16, transformers:NAME, resnet50 …")
        self.weights_edit = self._line("a file or a tag; empty: those of its library")
        self.dense_check = QCheckBox("Every patch by itself, as words need it (CLIP)")
        self.words_edit = self._line("a text file, a phrase a line; or nothing")
        self.tower_edit = self._line("ViT-B-16:WEIGHTS, transformers:NAME, dinotxt:FILE")
        form.addRow("Network", self.model_edit)
        form.addRow("Weights", self._with_files(self.weights_edit))
        form.addRow("", self.dense_check)
        form.addRow("Named by", self._with_files(self.words_edit))
        form.addRow("Text tower", self.tower_edit)
        column.addLayout(form)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column.addWidget(self.buttons)
        self.model_edit.textChanged.connect(self._refresh)
        if before is not None:
            for edit, text in (
                (self.model_edit, before.model), (self.weights_edit, before.weights),
                (self.words_edit, before.words), (self.tower_edit, before.tower),
            ):  # fmt: skip
                edit.setText(text)
            self.dense_check.setChecked(before.dense)
        self._refresh()
        self.resize(60 * GRID, self.sizeHint().height())

    @property
    def encoder(self) -> NamedEncoder:
        """What was filled in."""
        texts = (self.model_edit, self.weights_edit, self.words_edit, self.tower_edit)
        model, weights, words, tower = (edit.text().strip() for edit in texts)
        return NamedEncoder(model, weights, self.dense_check.isChecked(), words, tower)

    def _line(self, hint: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setPlaceholderText(hint)
        edit.setMinimumWidth(40 * GRID)
        return edit

    def _with_files(self, edit: QLineEdit) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(edit, 1)
        button = QPushButton("File…")
        button.clicked.connect(lambda: self._ask(edit))
        row.addWidget(button)
        return row

    def _ask(self, edit: QLineEdit) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose a file")
        if name:
            edit.setText(name)

    def _refresh(self) -> None:
        ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        if ok is not None:
            ok.setEnabled(bool(self.model_edit.text().strip()))
