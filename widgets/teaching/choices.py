"""What can be chosen before a training: groups, network, weights, and the folded rest."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from backends.errors import ClearbandError
from backends.learning.grouping import GroupRule
from backends.learning.starting_weights import PUBLISHED
from widgets.eliding import ElidedLabel
from widgets.pages import narrow_box
from widgets.theme import wrapped

# Id, and title with million parameters.
NETWORKS: tuple[tuple[str, str], ...] = (
    ("compact_cnn", "Compact CNN · 1.2 M"),
    ("mobilenetv2_100", "MobileNetV2 · 2.2 M"),
    ("squeezenet1_0", "SqueezeNet · 0.7 M"),
    ("efficientnet_b0", "EfficientNet-B0 · 4 M"),
    ("resnet18", "ResNet-18 · 11 M"),
    ("resnet50", "ResNet-50 · 24 M"),
    ("resnet101", "ResNet-101 · 43 M"),
    ("densenet161", "DenseNet-161 · 26 M"),
    ("vit_base_patch16_224", "ViT-B/16 · 86 M"),
)
SCOPES = (
    ("full", "all layers"),
    ("late", "the later half of the layers"),
    ("head", "only the last layer"),
)
BALANCE = (
    ("weights", "rare classes weigh more"),
    ("sampling", "rare classes are shown more often"),
    ("none", "as they are"),
)
KINDS = (
    ("auto", "by the images"),
    ("ct", "CT, X-ray: small movements"),
    ("photo", "photographs: movements, light, colour"),
    ("slide", "tissue: all turns, a little colour"),
    ("aerial", "seen from above: all turns, light"),
    ("cube", "many bands: all turns, light, no colour"),
    ("none", "not at all"),
)
SPLITS = ((70, 15, 15), (60, 20, 20), (80, 10, 10))


class GroupChoice(QWidget):
    """Which images belong together and so stand in one part."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.kind_box = narrow_box()
        self.kind_box.addItem("each image by itself", "none")
        self.kind_box.addItem("neighbouring numbers", "block")
        self.kind_box.addItem("part of the name", "pattern")
        self.kind_box.setToolTip(
            "What belongs together (a patient, a slide) stands in one part only; numbers and parts "
            "are those of the file names"
        )
        column.addWidget(self.kind_box)
        self.numbers = QWidget()
        row = QVBoxLayout(self.numbers)
        row.setContentsMargins(0, 0, 0, 0)
        self.block_box, self.gap_box = QSpinBox(), QSpinBox()
        self.block_box.setRange(2, 100_000)
        self.block_box.setValue(10)
        self.block_box.setPrefix("blocks of ")
        self.block_box.setToolTip("So many numbers are about one patient or slide")
        self.gap_box.setRange(0, 100_000)
        self.gap_box.setPrefix("gap ")
        self.gap_box.setToolTip(
            "Numbers that have to lie between images of two parts; what lies nearer is left out"
        )
        for box in (self.block_box, self.gap_box):
            box.setMinimumWidth(1)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            row.addWidget(box)
            box.valueChanged.connect(lambda _: self.changed.emit())
        column.addWidget(self.numbers)
        self.pattern_edit = QLineEdit(r"^(.*?)[_/]")
        self.pattern_edit.setToolTip(
            r"A regular expression with one pair of brackets around the group: ^(p\d+)_"
        )
        self.pattern_edit.editingFinished.connect(self.changed.emit)
        column.addWidget(self.pattern_edit)
        self.kind_box.currentIndexChanged.connect(self._on_kind)
        self._show()

    def rule(self) -> GroupRule:
        """Return the rule that is chosen.

        Raises
        ------
        WrongUse
            The pattern cannot be read.
        """
        kind = self.kind_box.currentData()
        if kind == "block":
            return GroupRule(block=self.block_box.value(), gap=self.gap_box.value())
        if kind == "pattern":
            return GroupRule(self.pattern_edit.text().strip())
        return GroupRule()

    def _on_kind(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        kind = self.kind_box.currentData()
        self.numbers.setVisible(kind == "block")
        self.pattern_edit.setVisible(kind == "pattern")


class StartChoice(QWidget):
    """Random weights, published ones, or a file of weights that know images already."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.path = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.box = narrow_box()
        self.box.addItem("random weights", "")
        self.box.addItem("published weights", PUBLISHED)
        self.box.addItem("a file…", "file")
        self.box.setToolTip(
            "Published weights are downloaded on first use and checked; a file holds weights of "
            "this architecture, or a network taught here"
        )
        self.label = ElidedLabel()
        column.addWidget(self.box)
        column.addWidget(self.label)
        self.label.hide()
        # Also when the file is chosen again.
        self.box.activated.connect(self._on_choice)

    def choose(self, path: str) -> None:
        """Take a file, published weights, or (empty) random ones."""
        self.path = path
        place = self.box.findData(path)
        self.box.setCurrentIndex(place if place >= 0 else self.box.findData("file"))
        self.label.setText(Path(path).name)
        self.label.setToolTip(path)
        self.label.setVisible(place < 0)
        self.changed.emit()

    def _on_choice(self) -> None:
        wanted = str(self.box.currentData())
        if wanted == "file":
            # Not asked about again when the dialog is closed without an answer.
            wanted, _ = QFileDialog.getOpenFileName(
                self, "Weights to start from", self.path, "Weights (*.safetensors *.pt *.pth)"
            )
            wanted = wanted or self.path
        self.choose(wanted)


class FoldedSettings(QWidget):
    """The rest, folded away until asked for."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.fold = QToolButton()
        self.fold.setCheckable(True)
        self.fold.setAutoRaise(True)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.setArrowType(Qt.ArrowType.RightArrow)
        self.fold.setText("Settings")
        self.fold.toggled.connect(self._on_fold)
        column.addWidget(self.fold)
        self.line = wrapped()
        column.addWidget(self.line)
        self.inside = QWidget()
        self.inside.hide()
        column.addWidget(self.inside)
        form = QFormLayout(self.inside)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.size_box = _number(32, 1024, 128, 16, " px")
        self.size_box.setToolTip("Images are scaled to this many rows and columns")
        self.epochs_box = _number(1, 500, 20, 1)
        self.epochs_box.setToolTip("How often every training image is shown, at most")
        self.batch_box = _number(2, 512, 16, 4)
        self.batch_box.setToolTip("Images a step; fewer need less memory")
        self.patience_box = _number(0, 100, 6, 1)
        self.patience_box.setToolTip(
            "End after so many rounds without a better validation macro F1; 0 = never"
        )
        self.seed_box = _number(0, 9999, 0, 1)
        self.seed_box.setToolTip("The same seed gives the same split and the same training")
        self.split_box, self.scope_box = narrow_box(), narrow_box()
        self.balance_box, self.kind_box = narrow_box(), narrow_box()
        for shares in SPLITS:
            self.split_box.addItem(" / ".join(map(str, shares)) + " %", shares)
        self.split_box.setToolTip("Training, validation, test")
        for box, choices in (
            (self.scope_box, SCOPES),
            (self.balance_box, BALANCE),
            (self.kind_box, KINDS),
        ):
            for value, words in choices:
                box.addItem(words, value)
        for name, widget in (
            ("Size", self.size_box),
            ("Rounds", self.epochs_box),
            ("Batch", self.batch_box),
            ("Patience", self.patience_box),
            ("Split", self.split_box),
            ("Learns", self.scope_box),
            ("Classes", self.balance_box),
            ("Changes", self.kind_box),
            ("Seed", self.seed_box),
        ):
            form.addRow(name, widget)
            if isinstance(widget, QSpinBox):
                widget.valueChanged.connect(self._on_change)
            else:
                widget.currentIndexChanged.connect(self._on_change)
        self._on_change()

    def _on_fold(self, open_: bool) -> None:
        self.fold.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
        self.inside.setVisible(open_)
        self.line.setVisible(not open_)

    def _on_change(self, *_: object) -> None:
        self.line.setText(
            f"{self.size_box.value()} px, at most {self.epochs_box.value()} rounds, "
            f"split {self.split_box.currentText()}, {self.scope_box.currentText()}, "
            f"seed {self.seed_box.value()}."
        )
        self.changed.emit()


def sentence(error: ClearbandError) -> str:
    """Return an error as text that Qt shows as it is."""
    return str(error).replace("&", "&amp;").replace("<", "&lt;")


def _number(low: int, high: int, value: int, step: int, suffix: str = "") -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setValue(value)
    box.setSuffix(suffix)
    return box
