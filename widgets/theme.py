"""The few tokens that our widgets share: spacing, plot colours, words for empty docks."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

GRID = 8


def text_color(widget: QWidget) -> QColor:
    """Return the colour of text in a widget, style sheet considered."""
    # A style sheet's colours reach the palette of what it styled, labels first of all.
    probe = QLabel(widget)
    probe.ensurePolished()
    color = probe.palette().color(QPalette.ColorRole.WindowText)
    probe.deleteLater()
    return color


def wrapped(text: str = "") -> QLabel:
    """Return a label that breaks its lines instead of widening its dock."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


class EmptyState(QWidget):
    """One sentence, and the one action that fills the dock."""

    def __init__(
        self, sentence: str, action: str = "", run: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        self.label = wrapped(sentence)
        column.addWidget(self.label)
        self.button: QPushButton | None = None
        if run is not None:
            self.button = QPushButton(action)
            self.button.clicked.connect(lambda: run())
            column.addWidget(self.button)
        column.addStretch(1)
