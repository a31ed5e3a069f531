"""Which fire rules a scene can answer, which bands each took, and why the others cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backends.errors import ClearbandError
from backends.fire.fields import FireImage
from backends.fire.maps import MAPS, why_not
from backends.fire.roles import ROLES
from backends.fire.rules import RULES


@dataclass(frozen=True)
class RuleRow:
    """A rule and a scene.

    Attributes
    ----------
    id, title, source : str
    bands : mapping of str to str
        Band of the scene by the part it plays.
    reason : str
        Why it cannot be asked; empty where it can.
    command : str
        What asks it.
    """

    id: str
    title: str
    source: str
    bands: dict[str, str]
    reason: str
    command: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "id": self.id, "title": self.title, "source": self.source, "bands": self.bands,
            "applies": not self.reason, "reason": self.reason, "command": self.command,
        }  # fmt: skip


def rule_rows(image: FireImage | ClearbandError, scene: Any) -> list[RuleRow]:
    """Return every rule of the trade with what it takes of a scene.

    Parameters
    ----------
    image : FireImage or ClearbandError
        The error where the scene's bands could not be understood: its sentence is the reason.
    scene : Scene
    """
    rows = []
    for rule in RULES.values():
        if isinstance(image, ClearbandError):
            rows.append(RuleRow(rule.id, rule.title, rule.source, {}, str(image), ""))
            continue
        roles = image.bands.roles
        missing = [ROLES[r].title for r in rule.needs if r not in roles]
        reason = f"The scene has no {' and no '.join(missing)} band." if missing else ""
        taken = {ROLES[r].title: scene.bands.label(roles[r]) for r in rule.needs if r in roles}
        if rule.id == "A" and "tir" in roles:
            taken[ROLES["tir"].title] = scene.bands.label(roles["tir"])
        command = "" if reason else f"fire SCENE --rules {rule.id}"
        rows.append(RuleRow(rule.id, rule.title, rule.source, taken, reason, command))
    rows.append(
        RuleRow(
            "E", "E On board of the AMS", "–", {},
            "Its numbers were never published; rule D with numbers of your own stands for it.", "",
        )
    )  # fmt: skip
    for made in MAPS.values():
        reason, taken = why_not(made.id, scene, image)
        command = "" if reason else f"fire map {made.id} SCENE"
        if made.wants_before:
            reason, command = reason or "", command and f"{command} --before SCENE"
        rows.append(RuleRow(made.id, made.title, made.source, taken, reason, command))
    none = all(row.reason for row in rows if row.id in RULES)
    rows.append(
        RuleRow(
            "K", "K Several passes", "MASTER FireSense", {},
            "No rule can be asked of a single pass." if none else "",
            "" if none else "fire passes SCENE SCENE … --out DIR",
        )
    )  # fmt: skip
    order = {row.id: number for number, row in enumerate(rows)}
    return sorted(rows, key=lambda row: (row.title[:1], order[row.id]))


def rule_words(rows: list[RuleRow]) -> dict[str, str]:
    """Return the table for people; a reason that many share is given once."""
    by_reason: dict[str, list[str]] = {}
    out = {}
    for row in rows:
        if row.reason:
            by_reason.setdefault(row.reason, []).append(row.title)
            continue
        taken = ", ".join(f"{part} = {band}" for part, band in row.bands.items())
        out[row.title] = f"yes; {taken}" if taken else f"yes; {row.command}"
    for reason, titles in by_reason.items():
        if len(titles) > 3:
            letters = ", ".join(dict.fromkeys(title.split()[0] for title in titles))
            out[f"Not asked ({letters})"] = reason
        else:
            out |= dict.fromkeys(titles, f"no: {reason}")
    return out
