"""Everything the methods know of one pixel: a table for the window and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.fire.applying import PixelStory, RuleAnswer, explain_pixel, with_networks
from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import TileAnswer, blend_weight, read_tile, tile_windows
from backends.fire.fields import FireImage

CLASSIFIER = "classifier"
SEGMENTER = "segmenter"


def pixel_report(
    image: FireImage,
    row: int,
    col: int,
    networks: FireNetworks | None = None,
    *,
    tiles: Sequence[TileAnswer] = (),
    numbers: Mapping[str, Mapping[str, Any]] | None = None,
    device: str = "cpu",
) -> PixelStory:
    """Return each rule's yes or no at a pixel with what decided, and both networks' answers.

    The segmenter is asked whatever the gate says.

    Parameters
    ----------
    networks : FireNetworks, optional
    tiles : sequence of TileAnswer
        What was read of the scene already; tiles that lack are read now, four at most.
    numbers : mapping of rule id to mapping, optional
        Numbers of rules that were changed.

    Raises
    ------
    BadInput
        The pixel lies outside the image.
    """
    story = explain_pixel(image, row, col, numbers)
    if networks is None:
        return story
    known = {tile.window: tile for tile in tiles if tile.opened}
    rows, cols, _ = image.scene.shape
    weight = blend_weight()
    chance = total = weights = 0.0
    networks.to(device)
    for window in tile_windows(rows, cols):
        inside = window.clip(rows, cols)
        r, c = row - inside.row, col - inside.col
        if not (0 <= r < inside.height and 0 <= c < inside.width):
            continue
        tile = known.get(inside) or read_tile(image, networks, inside, 0.0, device)[0]
        chance = max(chance, tile.chance)
        counts = max(float(weight[r, c]), 1e-4)
        total += counts * float(tile.probability[r, c])
        weights += counts
    return with_networks(story, {CLASSIFIER: chance, SEGMENTER: total / max(weights, 1e-6)})


def decided_words(answer: RuleAnswer) -> str:
    """Return the number that decided and its limit: ``T4 341 K > 325 K``."""
    if answer.decided is None:
        return answer.reason
    a = answer.decided
    unit = f" {a.unit}" if a.unit else ""
    if not np.isfinite(a.value) or not np.isfinite(a.limit):
        return f"{a.name}: not known here"
    return f"{a.name} {a.value:.4g} {a.sign} {a.limit:.4g}{unit}"


def rows_of(story: PixelStory, gate: float | None = None, threshold: float | None = None) -> list[
    tuple[str, str, str]
]:  # fmt: skip
    """Return the table: who, yes or no, by which number."""
    said = {True: "fire", False: "no", None: "–"}
    rows = [(a.title, said[a.fire], decided_words(a)) for a in story.rules]
    titles = {CLASSIFIER: ("Classifier, tile", gate), SEGMENTER: ("Segmenter", threshold)}
    for name, value in story.networks.items():
        title, limit = titles[name]
        yes = said[None if limit is None else value >= limit]
        against = "" if limit is None else f" ≥ {limit:.2f}"
        rows.append((title, yes, f"p {value:.3f}{against}"))
    return rows


def plain(story: PixelStory) -> dict[str, Any]:
    """Return a report ready for JSON."""
    return {
        "row": story.row,
        "col": story.col,
        "facts": dict(story.facts),
        "rules": {
            a.rule_id: {
                "title": a.title, "fire": a.fire, "reason": a.reason,
                "decided": None if a.decided is None else vars(a.decided),
                "tests": [vars(t) for t in a.tests],
            }
            for a in story.rules
        },
        "networks": dict(story.networks),
        "notes": list(story.notes),
    }  # fmt: skip
