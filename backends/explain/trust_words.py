"""A trust card in words, for whoever prints or shows it; what was not measured says so."""

from __future__ import annotations

from backends.explain.curves import Faithfulness
from backends.explain.localisation import Localisation
from backends.explain.trust_card import NOT_ASSESSED, TrustCard


def in_words(card: TrustCard) -> list[tuple[str, str]]:
    """Return the card as names and sentences, the verdict first; T never without its parts."""
    road = None if card.road is None else card.road.combined
    lines = [
        ("Verdict", " ".join((f"{card.verdict}.", *card.reasons))),
        ("Trust T", _number(card.trust, "of 1; from F, S and R, no probability of being right")),
        ("Faithfulness F", _faithful(card.faithfulness)),
        ("Stability S", _number(card.s, "of its order stays when the image hardly changes")),
        ("Randomisation R", _number(card.r, "of it goes when the weights are drawn anew")),
        (
            "Peakedness P",
            _number(card.peakedness, "from 0, even, to 1, one pixel; shown, not judged"),
        ),
        ("ROAD", _number(road, "from −0.5 to 0.5, high is good")),
        ("Localisation", _place(card.localisation)),
    ]
    if card.cost.forwards:
        cost = f"{card.cost.forwards} forwards in {card.cost.batches} batches, "
        cost += f"{card.cost.explanations} maps, {card.seconds:.1f} s"
        lines.append(("Cost", cost))
    return lines


def in_short(card: TrustCard) -> str:
    """Return the card in one line: the verdict, T and its parts."""
    parts = (("F", card.f), ("S", card.s), ("R", card.r))
    said = ", ".join(f"{name} {'n/a' if v is None else f'{v:.2f}'}" for name, v in parts)
    if card.trust is None:
        return f"{card.verdict} ({said})"
    return f"{card.verdict} (T {card.trust:.2f}: {said})"


def _number(value: float | None, what: str) -> str:
    if value is None:
        return NOT_ASSESSED
    return f"{value:.2f} {what}".replace("-", "−")


def _faithful(of: Faithfulness | None) -> str:
    if of is None:
        return NOT_ASSESSED
    return (
        f"{of.faithfulness:.2f} of 1: the part of {len(of.random_gaps)} random maps that name less "
        f"of what was used; deletion {of.deletion_auc:.3f}, insertion {of.insertion_auc:.3f}"
    )


def _place(of: Localisation | None) -> str:
    if of is None:
        return f"{NOT_ASSESSED}; it needs a mask of where the thing is"
    hit = "inside" if of.pointing else "outside"
    return (
        f"hottest pixel {hit}; precision {of.precision:.2f}, coverage {of.coverage:.2f}, "
        f"overlap {of.iou:.2f}, mass inside {of.mass:.2f}"
    )
