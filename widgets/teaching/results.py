"""What came out of a training: figures a class, confusion, errors, and the others beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from widgets.theme import GRID, wrapped

MOST_ERRORS = 8


class TeachingResult(QWidget):
    """Reads a card; see `backends.learning.trained_networks`.

    Parameters
    ----------
    open_image : callable
        Given the path of an image that is double-clicked, relative to the data set.
    """

    def __init__(self, open_image: Callable[[str], None]) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.line = wrapped()
        self.classes = table(("Class", "Right", "Found", "F1"))
        self.classes.setToolTip(
            "Right: share of the images so called that are it (precision). "
            "Found: share of the class's test images that were found (recall)."
        )
        self.confusion_line = wrapped("Test images: rows are what they are, columns what was said.")
        self.confusion = table(())
        self.errors_line = wrapped("Most certain errors on the test images; double-click opens.")
        self.errors = table(("Image", "is", "said", "sure"))
        self.errors.cellDoubleClicked.connect(
            lambda row, _: open_image(str(self.errors.item(row, 0).toolTip()))  # type: ignore[union-attr]
        )
        self.others_line = wrapped("Networks taught here on these images.")
        self.others = table(("Network", "M", "GF", "ms", "Acc.", "F1"))
        self.others.setToolTip(
            "Million parameters, billions of operations and milliseconds an image; accuracy and "
            "macro F1 on each one's own test images, %"
        )
        for widget in (
            self.line,
            self.classes,
            self.confusion_line,
            self.confusion,
            self.errors_line,
            self.errors,
            self.others_line,
            self.others,
        ):
            column.addWidget(widget)
        self.clear()

    def clear(self) -> None:
        """Forget the last result."""
        self.line.setText("")
        for widget in self.findChildren(QTableWidget):
            widget.setRowCount(0)
            widget.hide()
        for line in (self.confusion_line, self.errors_line, self.others_line):
            line.hide()

    def show_card(
        self,
        card: Mapping[str, Any],
        predictions: Sequence[Sequence[Any]],
        others: Sequence[Mapping[str, Any]],
    ) -> None:
        """Show a network's card.

        Parameters
        ----------
        card : mapping
        predictions : rows of (path, part, truth, prediction, certainty)
        others : sequence of mapping
            Cards of networks taught on the same images.
        """
        test = card["figures"]["test"]
        told = [
            f"<b>Accuracy {percent(test['accuracy'])}, macro F1 {percent(test['macro_f1'])}</b> on "
            f"{test['images']} test images; certainty is off by "
            f"{percent(test['calibration_error'])} on average.",
            *map(_escape, card["notes"]),
        ]
        self.line.setText("<br>".join(told))
        fill(
            self.classes,
            [
                (r["class"], percent(r["precision"]), percent(r["recall"]), percent(r["f1"]))
                for r in test["per_class"]
            ],
        )
        self._confusion(card["classes"], test["confusion"])
        self._errors(predictions)
        rows = [_compared(other) for other in others]
        fill(self.others, rows if len(rows) > 1 else [])
        self.others_line.setVisible(len(rows) > 1)

    def _confusion(self, names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        self.confusion_line.show()
        self.confusion.setColumnCount(len(names) + 1)
        self.confusion.setHorizontalHeaderLabels(["", *(_short(name) for name in names)])
        fill(self.confusion, [(n, *map(str, row)) for n, row in zip(names, counts, strict=True)])
        for r, row in enumerate(counts):
            for c, count in enumerate(row):
                cell = self.confusion.item(r, c + 1)
                if cell is not None and count:
                    color = QColor("#2a9d5c" if r == c else "#c8553d")
                    color.setAlphaF(0.15 + 0.5 * count / max(1, sum(row)))
                    cell.setBackground(color)
                    cell.setToolTip(f"{count} of {sum(row)} {names[r]}: said {names[c]}")

    def _errors(self, predictions: Sequence[Sequence[Any]]) -> None:
        wrong = [row for row in predictions[1:] if row[1] == "test" and row[2] != row[3]]
        wrong.sort(key=lambda row: -float(row[4]))
        rows = [
            (Path(str(path)).stem, truth, said, percent(float(sure)))
            for path, _, truth, said, sure in wrong[:MOST_ERRORS]
        ]
        fill(self.errors, rows)
        for number, row in enumerate(wrong[:MOST_ERRORS]):
            cell = self.errors.item(number, 0)
            if cell is not None:
                cell.setToolTip(str(row[0]))
        self.errors_line.setVisible(bool(rows))


def table(names: Sequence[str]) -> QTableWidget:
    """Return a table for reading, its first column as wide as there is room."""
    made = QTableWidget(0, len(names))
    made.setHorizontalHeaderLabels(list(names))
    made.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    made.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    header, rows = made.horizontalHeader(), made.verticalHeader()
    if header is not None and rows is not None:
        header.setMinimumSectionSize(24)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        rows.hide()
    return made


def fill(made: QTableWidget, rows: Sequence[Sequence[str]], most: int = 12) -> None:
    """Put rows into a table, and make it as high as they are; more than ``most`` scroll."""
    made.setRowCount(len(rows))
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            cell = QTableWidgetItem(text)
            cell.setFlags(Qt.ItemFlag.ItemIsEnabled)
            if c:
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            made.setItem(r, c, cell)
    header = made.horizontalHeader()
    if header is not None and made.columnCount():
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    high = header.sizeHint().height() if header is not None else 24
    made.setFixedHeight(high + sum(made.rowHeight(r) for r in range(min(len(rows), most))) + 4)
    made.setVisible(bool(rows))


def percent(value: float | None) -> str:
    """Return a share in %."""
    return "n/a" if value is None else f"{100 * value:.1f}\u00a0%"


def _compared(card: Mapping[str, Any]) -> tuple[str, ...]:
    cost, test = card["cost"], card["figures"]["test"]
    figures = [test["accuracy"], test["macro_f1"]]
    return (
        str(card["title"]).split(",", 1)[0],
        f"{cost['parameters'] / 1e6:.1f}",
        f"{cost['flops'] / 1e9:.2f}",
        f"{cost['latency_ms']:.0f}",
        *("n/a" if f is None else f"{100 * f:.0f}" for f in figures),
    )


def _short(name: str) -> str:
    return name if len(name) <= 9 else f"{name[:8]}…"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
