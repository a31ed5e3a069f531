"""The few tokens that our widgets share: spacing, plot colours, words for empty docks."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

GRID = 8


def is_dark(widget: QWidget) -> bool:
    """Tell whether the widget lies on a dark ground."""
    return widget.palette().color(QPalette.ColorRole.Window).lightness() < 128


def plot_colors(widget: QWidget) -> tuple[QColor, QColor, QColor]:
    """Return ground, text and faint lines for a plot that fits the theme."""
    palette = widget.palette()
    ground = palette.color(QPalette.ColorRole.Window)
    text = palette.color(QPalette.ColorRole.WindowText)
    faint = QColor(text)
    faint.setAlpha(60)
    return ground, text, faint


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
