"""What a classification gave: its figures on both splits, side by side, and its notes."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from backends.hyperspectral.apart import needs_it
from backends.hyperspectral.estimate import in_words
from widgets.tables import fit_table, fixed_cell, plain_table
from widgets.theme import GRID, wrapped

NOT_YET = "–"
_DEVICES = {"cpu": "the processor", "cuda": "the graphics card", "mps": "the graphics chip"}


class ResultPanel(QWidget):
    """Figures, notes, accuracy of each class; asks to measure once more and to save."""

    apart_asked = pyqtSignal()
    save_asked = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.figures = plain_table(("Measured on", "", "Separate blocks"))
        self.figures.setToolTip(
            "Test pixels chosen at random have neighbours that were trained on. On separate "
            "blocks of the scene, with an unused band around them, they have none."
        )
        column.addWidget(self.figures)
        self.apart_button = QPushButton()
        self.apart_button.setToolTip("Trains the same model once more on separate blocks")
        self.apart_button.clicked.connect(lambda: self.apart_asked.emit())
        column.addWidget(self.apart_button)
        self.line = wrapped()
        column.addWidget(self.line)
        self.accuracy = plain_table(("Class", "Found", "Right"))
        self.accuracy.setToolTip(
            "Found: share of the class's test pixels that were found (producer's accuracy). "
            "Right: share of the pixels so called that are it (user's accuracy)."
        )
        column.addWidget(self.accuracy)
        row = QHBoxLayout()
        self.save_button = QPushButton("Save the trained model…")
        self.save_button.setToolTip("For another scene, or to train it further some other day")
        self.save_button.clicked.connect(lambda: self.save_asked.emit())
        row.addWidget(self.save_button)
        row.addStretch(1)
        column.addLayout(row)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.line.setText("")
        for widget in (self.figures, self.apart_button, self.accuracy, self.save_button):
            widget.hide()

    def say(self, text: str) -> None:
        """Show a sentence in place of a result."""
        self.line.setText(_escape(text))

    def show_result(self, result: Any) -> None:
        """Show a `ClassifyResult`."""
        values = result.to_dict()
        seconds = values["predict_seconds"] + (values.get("train_seconds") or 0)
        lines = [
            f"Made in {seconds:.1f} s on {_DEVICES.get(values['device'], values['device'])}.",
            *values.get("notes", ()),
        ]
        self.line.setText(_escape("\n".join(lines)).replace("\n", "<br>"))
        metrics = values.get("metrics")
        self.save_button.setVisible(result.was_trained)
        self._fill_accuracy((metrics or {}).get("classes") or ())
        self.figures.setVisible(bool(metrics))
        random = bool(metrics) and result.was_trained and needs_it(str(values["protocol"]))
        # It takes what the first training took.
        self.apart_button.setText(f"Separate blocks too (about {in_words(seconds)})")
        self.apart_button.setVisible(random)
        if metrics:
            self.figures.setColumnHidden(2, not random)
            # Two lines: in one, there is no room for the names of the figures.
            named = f"{values['protocol']},\nseed {values['seed']}"
            self.figures.setHorizontalHeaderLabels(["Measured on", named, "Separate\nblocks"])
            self._fill(1, metrics, values["split"])
            self._fill(2, None, None)
            fit_table(self.figures)

    def measuring(self) -> None:
        """Say that the figures of separate blocks are on their way."""
        self.apart_button.setEnabled(False)
        for row in range(self.figures.rowCount()):
            self.figures.setItem(row, 2, fixed_cell("…"))

    def show_apart(self, apart: Any | None) -> None:
        """Show what an `Apart` says; None where the user stopped it."""
        self.apart_button.setEnabled(True)
        self.apart_button.setVisible(apart is None)
        values = {} if apart is None else apart.to_dict()
        self._fill(2, values.get("metrics"), values.get("split"))
        if apart is not None and apart.note:
            self.line.setText(f"{self.line.text()}<br>{_escape(apart.note)}")

    def _fill(self, column: int, metrics: Any, split: Any) -> None:
        rows = (
            ("Overall accuracy", "overall_accuracy", _percent),
            ("Average accuracy", "average_accuracy", _percent),
            ("Kappa", "kappa", _number),
            ("Test pixels", "test_pixels", lambda value: f"{value:,}"),
            ("Trained on", "train", lambda value: f"{value:,}"),
        )
        known = {**(metrics or {}), **(split or {})}
        self.figures.setRowCount(len(rows))
        for row, (title, key, say) in enumerate(rows):
            self.figures.setItem(row, 0, fixed_cell(title))
            text = NOT_YET if metrics is None else say(known[key])
            self.figures.setItem(row, column, fixed_cell(text))

    def _fill_accuracy(self, rows: Any) -> None:
        self.accuracy.setRowCount(len(rows))
        for number, row in enumerate(rows):
            self.accuracy.setItem(number, 0, fixed_cell(str(row["name"])))
            self.accuracy.setItem(number, 1, fixed_cell(_percent(row.get("producer_accuracy"))))
            self.accuracy.setItem(number, 2, fixed_cell(_percent(row.get("user_accuracy"))))
        fit_table(self.accuracy)


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}\u00a0%"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
