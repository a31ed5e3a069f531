"""A model's card: what it does, what it was trained on, when not to believe it."""

from __future__ import annotations

from html import escape

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QScrollArea, QVBoxLayout, QWidget

from backends.registry import ModelCard
from widgets.theme import GRID

_PERCENT = ("overall_accuracy", "average_accuracy")


class CardDialog(QDialog):
    """Shows one card."""

    def __init__(self, card: ModelCard, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(card.title)
        self.resize(60 * GRID, 56 * GRID)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        self.text = QLabel(card_html(card))
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.text)
        column.addWidget(area, 1)
        buttons = QDialogButtonBox()
        buttons.addButton("Close", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)


def card_html(card: ModelCard) -> str:
    """Return a card as simple HTML."""
    parts = [f"<h3>{escape(card.title)}</h3><p>{escape(card.summary)}</p>"]
    if card.limits:
        items = "".join(f"<li>{escape(limit)}</li>" for limit in card.limits)
        parts.append(f"<p><b>When not to believe it</b></p><ul>{items}</ul>")
    weights = card.trained_on if card.is_trained else "none; it learns from your labels"
    parts.append(f"<p><b>Weights</b><br>{escape(weights)}</p>")
    if card.figures:
        rows = "".join(
            f"<tr><td>{escape(name.replace('_', ' '))}&nbsp;&nbsp;</td>"
            f"<td>{escape(_value(name, value))}</td></tr>"
            for name, value in card.figures.items()
        )
        parts.append(f"<p><b>Measured</b></p><table>{rows}</table>")
    parts.append(f"<p><b>Source</b><br>{escape(card.source)}</p>")
    if card.reconstruction:
        parts.append(f"<p><b>Our reading of it</b><br>{escape(card.reconstruction)}</p>")
    parts.append(
        f"<p><b>Name on the command line</b><br>{escape(card.id)}, version "
        f"{escape(card.version)}, {escape(card.licence)}</p>"
    )
    return "".join(parts)


def _value(name: str, value: object) -> str:
    if name in _PERCENT and isinstance(value, float):
        return f"{100 * value:.2f} %"
    return f"{value:,}" if isinstance(value, int) else str(value)
