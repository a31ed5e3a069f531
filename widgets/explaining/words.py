"""Words of the explain dock."""

from __future__ import annotations

from collections.abc import Sequence

from backends.errors import ClearbandError

RED, AMBER, GREEN, GREY = "#d4573f", "#c08a1e", "#2a9d5c", "#8a8a8a"
COLORS = {"fails": RED, "weak": AMBER, "passes": GREEN, "not assessed": GREY}
# The quiet badge of ui.md: ring, outlined, half, solid.
BADGES = {"fails": "●", "weak": "◐", "passes": "◯", "not assessed": "○"}


def escape(text: str) -> str:
    """Return text that a label shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def sentence(error: ClearbandError) -> str:
    """Return an error as text that a label shows as it is."""
    return escape(str(error))


def share(value: float) -> str:
    """Return a probability in %."""
    return f"{100 * value:.1f}\u00a0%" if value >= 0.001 else "< 0.1\u00a0%"


def likeliest(top: Sequence[tuple[int, str, float]], most: int = 3) -> str:
    """Return what a network says, as text with marks."""
    said = ", ".join(f"{escape(name.split(',')[0])} {share(p)}" for _, name, p in top[:most])
    return f"The network says: {said}." if said else ""


def badge(verdict: str) -> str:
    """Return the badge of a verdict, as text with marks."""
    color = COLORS.get(verdict, GREY)
    word = verdict[:1].upper() + verdict[1:]
    return f'<span style="color:{color}"><b>{BADGES.get(verdict, "○")} {word}</b></span>'
