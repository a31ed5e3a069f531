"""Words of the explain dock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    """Return a probability in %, in letters that mean nothing to a label with marks."""
    return f"{100 * value:.1f}\u00a0%" if value >= 0.001 else "below 0.1\u00a0%"


def likeliest(
    top: Sequence[tuple[int, str, float]], most: int = 3, start: str = "The network says"
) -> str:
    """Return what a network says, as text with marks."""
    said = ", ".join(f"{escape(name.split(',')[0])} {share(p)}" for _, name, p in top[:most])
    return f"{start}: {said}." if said else ""


def badge(verdict: str) -> str:
    """Return the badge of a verdict, as text with marks."""
    color = COLORS.get(verdict, GREY)
    word = verdict[:1].upper() + verdict[1:]
    return f'<span style="color:{color}"><b>{BADGES.get(verdict, "○")} {word}</b></span>'


def trust_line(verdict: str, figures: Mapping[str, float]) -> str:
    """Return badge and figures in one line, as text with marks: T never without its parts."""
    parts = ", ".join(
        f"{letter} {figures[name]:.2f}"
        for letter, name in (("F", "faithfulness"), ("S", "stability"), ("R", "randomisation"))
        if name in figures
    )
    if "trust" in figures and parts:
        parts = f"T {figures['trust']:.2f} of {parts}"
    return f"Trust: {badge(verdict)}" + (f" · {parts}" if parts else "")
