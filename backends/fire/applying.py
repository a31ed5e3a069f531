"""Rules over whole scenes, tile by tile, and what every rule says of one pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.fire.fields import FireImage
from backends.fire.roles import ROLES
from backends.fire.rules import RULES, Rule, rule, usable
from backends.fire.rules.colour import luma_means
from backends.fire.verdicts import Answer
from backends.jobs import Progress
from backends.scene import Window

TILE = 1024


@dataclass(frozen=True, eq=False)
class RuleMap:
    """A rule's answer for a scene.

    Attributes
    ----------
    rule : Rule
    mask : bool array of shape (rows, cols)
    margin : float32 array of shape (rows, cols)
        How far inside (above 0) or outside its limits a pixel lies, in steps of 10 K, 0.1 of
        reflectance, 0.4 of a ratio; ``nan`` where it is not known.
    """

    rule: Rule
    mask: NDArray[np.bool_]
    margin: NDArray[np.float32]


def tiles(rows: int, cols: int, side: int, reach: int) -> Iterator[tuple[Window, Window]]:
    """Yield tiles that cover an image, and each with its surroundings."""
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            core = Window(row, col, side, side).clip(rows, cols)
            wide = Window(row - reach, col - reach, core.height + 2 * reach, core.width + 2 * reach)
            top, left = max(wide.row, 0), max(wide.col, 0)
            bottom = min(wide.row + wide.height, rows)
            right = min(wide.col + wide.width, cols)
            yield core, Window(top, left, bottom - top, right - left)


def scene_means(image: FireImage) -> Mapping[str, float]:
    """Return the means that colour rules compare with, from every so many rows."""
    rows, cols, _ = image.scene.shape
    step = max(1, rows // 16)
    found = []
    for row in range(0, rows, step):
        rgb = image.fields(Window(row, 0, 1, cols)).rgb
        if rgb is None:
            return {}
        found.append(luma_means(rgb))
    return {name: float(np.mean([f[name] for f in found])) for name in found[0]}


def apply_rule(
    image: FireImage,
    rule_id: str,
    numbers: Mapping[str, Any] | None = None,
    *,
    side: int = TILE,
    progress: Progress | None = None,
) -> RuleMap:
    """Run a rule over a scene: tiles that overlap as far as the rule looks, memory bounded.

    Raises
    ------
    BadInput
        The scene lacks a band; the sentence names it.
    WrongUse
        No such rule.
    """
    chosen = rule(rule_id)
    image.bands.need(*chosen.needs, subject=image.scene.title)
    rows, cols, _ = image.scene.shape
    mask = np.zeros((rows, cols), bool)
    margin = np.full((rows, cols), np.nan, np.float32)
    means = scene_means(image) if rule_id.startswith("J") else {}
    for core, wide in tiles(rows, cols, side, chosen.reach(image.pixel_m)):
        if progress is not None:
            progress.check()
        fields = image.fields(wide, means)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = chosen.run(fields, **(numbers or {}))
        inner = (
            slice(core.row - wide.row, core.row - wide.row + core.height),
            slice(core.col - wide.col, core.col - wide.col + core.width),
        )
        valid = fields.valid[inner]
        mask[core.slices] = found.holds[inner] & valid
        margin[core.slices] = np.where(valid, found.margin[inner], np.nan)
        if progress is not None:
            progress.advance(core.height * core.width)
    return RuleMap(chosen, mask, margin)


@dataclass(frozen=True)
class RuleAnswer:
    """What a rule says of a pixel.

    Attributes
    ----------
    rule_id, title : str
    fire : bool or None
        None where it cannot be asked.
    decided : Answer or None
        The number that decided.
    tests : tuple of Answer
        Every test.
    reason : str
        Why it cannot be asked.
    """

    rule_id: str
    title: str
    fire: bool | None
    decided: Answer | None = None
    tests: tuple[Answer, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class PixelStory:
    """Everything the methods know of one pixel.

    Attributes
    ----------
    row, col : int
    facts : mapping of str to float
        T4, T11, their difference in K, reflectance by role.
    rules : tuple of RuleAnswer
    notes : tuple of str
    """

    row: int
    col: int
    facts: Mapping[str, float]
    rules: tuple[RuleAnswer, ...]
    notes: tuple[str, ...] = ()
    networks: Mapping[str, float] = field(default_factory=dict)


def explain_pixel(
    image: FireImage, row: int, col: int, numbers: Mapping[str, Mapping[str, Any]] | None = None
) -> PixelStory:
    """Return each rule's yes or no at a pixel, with the number that decided.

    Reads as much about the pixel as the rules look at, once.

    Raises
    ------
    BadInput
        The pixel lies outside the image.
    """
    rows, cols, _ = image.scene.shape
    if not (0 <= row < rows and 0 <= col < cols):
        raise BadInput(f"Row {row}, column {col} lies outside {image.scene.title}.")
    reasons = usable(image)
    reach = max((r.reach(image.pixel_m) for r in RULES.values() if not reasons[r.id]), default=0)
    top, left = max(0, row - reach), max(0, col - reach)
    wide = Window(top, left, reach + 1 + row - top, reach + 1 + col - left).clip(rows, cols)
    means = scene_means(image) if not reasons["J-celik"] else {}
    fields = image.fields(wide, means)
    r, c = row - top, col - left
    facts: dict[str, float] = {}
    if fields.t4 is not None:
        facts["T4, K"] = float(fields.t4[r, c])
    if fields.t11 is not None:
        facts["T11, K"] = float(fields.t11[r, c])
    if fields.t4 is not None and fields.t11 is not None:
        facts["T4−T11, K"] = float(fields.t4[r, c] - fields.t11[r, c])
    for role, values in fields.reflectance.items():
        facts[f"reflectance, {ROLES[role].title}"] = float(values[r, c])
    here = np.zeros(fields.shape, bool)
    here[r, c] = True
    answers = []
    for found in RULES.values():
        if reasons[found.id]:
            answers.append(RuleAnswer(found.id, found.title, None, reason=reasons[found.id]))
            continue
        extra: dict[str, Any] = dict((numbers or {}).get(found.id, {}))
        if found.id in ("C", "H"):
            extra["consider"] = here
        with np.errstate(invalid="ignore", divide="ignore"):
            node = found.run(fields, **extra)
        fire = bool(node.holds[r, c] and fields.valid[r, c])
        tests = tuple(node.answers(r, c))
        answers.append(RuleAnswer(found.id, found.title, fire, node.decided(r, c), tests))
    return PixelStory(row, col, facts, tuple(answers), image.notes)


def with_networks(story: PixelStory, networks: Mapping[str, float]) -> PixelStory:
    """Add what the networks say."""
    return replace(story, networks=dict(networks))
