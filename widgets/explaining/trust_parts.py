"""The parts of a trust card as a table: T never without them, red where they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt6.QtGui import QBrush, QColor
from PyQt6.QtWidgets import QTableWidget, QVBoxLayout, QWidget

from widgets.explaining.words import RED
from widgets.teaching.results import fill, table

if TYPE_CHECKING:
    from backends.explain.trust_card import TrustCard


@dataclass(frozen=True)
class Part:
    """A line of the table."""

    name: str
    value: str
    about: str
    fails: bool = False


# Name, figure, meaning; of `TrustCard.figures`.
_LINES = (
    ("Trust T", "trust", "(F · S · R)^(1/3): our summary, no probability of being right"),
    ("Faithfulness F", "faithfulness", "Share of random smooth maps that do worse; red below 0.75"),
    ("Stability S", "stability", "Order that stays when the image hardly changes; red below 0.3"),
    (
        "Randomisation R",
        "randomisation",
        "How much of the map goes when the weights are drawn anew; red below 0.25",
    ),
    ("Peakedness P", "peakedness", "0 even, 1 a single pixel; shown, not judged"),
    ("Deletion", "deletion_auc", "Area below the curve; low is good"),
    ("Insertion", "insertion_auc", "Area below the curve; high is good"),
    ("ROAD", "road", "Removed pixels filled in plausibly: −0.5 to 0.5, high is good"),
    ("Precision", "mask_precision", "Share of the hot pixels that lies in the mask"),
    ("Coverage", "mask_coverage", "Share of the mask that is hot"),
    ("Overlap", "mask_iou", "Hot pixels and mask, intersection over union"),
    ("Mass inside", "mask_mass", "Share of the map's positive sum that lies in the mask"),
)
_LIMITS = {"faithfulness": 0.75, "stability": 0.3, "randomisation": 0.25}


def parts_of(card: TrustCard | None, figures: Mapping[str, float]) -> list[Part]:
    """Return the lines of a card, or of the figures that an earlier session kept.

    Returns
    -------
    list of Part
        Empty where nothing was measured.
    """
    known = dict(figures) if card is None else card.figures()
    if not known:
        return []
    out = []
    for name, key, about in _LINES:
        if key not in known:
            continue
        fails = known[key] < _LIMITS.get(key, float("-inf"))
        if key == "trust":
            fails = known[key] <= 0 or any(known.get(k, 1) < v for k, v in _LIMITS.items())
        out.append(Part(name, f"{known[key]:.2f}".replace("-", "−"), about, fails))
    if "pointing" in known:
        hit = known["pointing"] > 0
        out.append(Part("Hottest pixel", "inside" if hit else "outside", "Of the mask", not hit))
    if card is not None:
        out += _more(card)
    return out


def _more(card: TrustCard) -> list[Part]:
    out = []
    if card.stability is not None:
        said = [
            f"{change.name}: {change.rank_correlation:.2f}".replace("-", "−")
            for change in card.stability.changes
        ]
        worst = min(c.rank_correlation for c in card.stability.changes)
        out.append(Part("Worst change", f"{worst:.2f}".replace("-", "−"), "\n".join(said)))
    if card.cost.forwards:
        said = f"{card.cost.forwards} looks in {card.cost.batches} calls, "
        said += f"{card.cost.explanations} maps"
        out.append(Part("Took", f"{card.seconds:.1f}\u00a0s", said))
    return out


class PartsTable(QWidget):
    """Name and figure; what it means where the mouse rests."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.table: QTableWidget = table(("Measured", "is"))
        rows = self.table.verticalHeader()
        if rows is not None:  # a card is long, and the curves stand below it
            rows.setMinimumSectionSize(16)
            rows.setDefaultSectionSize(20)
        self.table.setShowGrid(False)
        column.addWidget(self.table)

    def show_parts(self, parts: Sequence[Part]) -> None:
        """Show the lines; without any, nothing."""
        fill(self.table, [(part.name, part.value) for part in parts], most=16)
        for row, part in enumerate(parts):
            for column in (0, 1):
                cell = self.table.item(row, column)
                if cell is None:
                    continue
                cell.setToolTip(part.about)
                if row == 0:
                    font = cell.font()
                    font.setBold(True)
                    cell.setFont(font)
                if part.fails:
                    cell.setForeground(QBrush(QColor(RED)))
        self.setVisible(bool(parts))
