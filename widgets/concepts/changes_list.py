"""What was changed, a line each, with a way back beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from backends.concepts.changes import Change
from widgets.eliding import ElidedLabel
from widgets.icons import IconButton
from widgets.theme import GRID


class ChangesList(QWidget):
    """A line a concept; hidden while nothing is changed."""

    undone = pyqtSignal(int)

    def __init__(self) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.lines: dict[int, QWidget] = {}
        self.labels: dict[int, ElidedLabel] = {}
        self.buttons: dict[int, IconButton] = {}
        self.hide()

    def show_changes(self, changes: Mapping[int, Change], name: Callable[[int], str]) -> None:
        """Draw what is changed now."""
        for concept in [n for n in self.lines if n not in changes]:
            line = self.lines.pop(concept)
            del self.labels[concept], self.buttons[concept]
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        for concept, change in changes.items():
            if concept not in self.lines:
                self._add(concept)
            words = f"{name(concept)}: {change.sentence}"
            self.labels[concept].setText(words)
            self.labels[concept].setToolTip(words)
            tip = f"Undo: {words}"
            self.buttons[concept].setToolTip(tip)
            self.buttons[concept].setAccessibleName(tip)
        self.setVisible(bool(changes))

    def _add(self, concept: int) -> None:
        line, label = QWidget(), ElidedLabel()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        button = IconButton("close", "Undo")
        button.clicked.connect(lambda _=False, n=concept: self.undone.emit(n))
        row.addWidget(label, 1)
        row.addWidget(button)
        self._column.addWidget(line)
        self.lines[concept], self.labels[concept] = line, label
        self.buttons[concept] = button
