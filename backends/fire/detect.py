"""Finding fire in a scene: rules, networks, and where they disagree, as overlays.

The window and the command line call `detect`; tiles arrive through `Progress.partial` while it
runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.fire.applying import RuleMap, apply_rule
from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import GATE, OVERLAP, Combined, TileAnswer, run_combined, tile_windows
from backends.fire.fields import FireImage
from backends.fire.results import (
    FireResult,
    Maker,
    TilePartial,
    Tuning,
    any_rule,
    mask_of,
    summary_of,
    without_small,
)
from backends.fire.rules import rule, usable
from backends.jobs import Progress
from backends.overlays import Overlay
from backends.scene import Scene

# What is asked for first where nobody says which: as far as the bands allow.
DEFAULT_RULES = ("A", "B", "C", "F")


def detect(
    scene: Scene | FireImage,
    *,
    rules: Sequence[str] | None = None,
    model: FireNetworks | None = None,
    gate: float = GATE,
    pixel_threshold: float | None = None,
    min_size: int = 1,
    numbers: Mapping[str, Mapping[str, Any]] | None = None,
    device: str = "cpu",
    command: str = "",
    progress: Progress | None = None,
) -> FireResult:
    """Run fire rules and, where given, the networks over a scene.

    Parameters
    ----------
    scene : Scene or FireImage
        A `FireImage` carries what was said about bands, units, day or night.
    rules : sequence of str, optional
        Ids of `backends.fire.rules.RULES`; default A, B, C and F as far as the bands allow.
    model : FireNetworks, optional
    gate : float
        Probability from which a tile is looked at closely.
    pixel_threshold : float, optional
        Probability from which a pixel is fire; default what the networks' training chose, or 0.5.
    min_size : int
        Pixels below which a spot is left out of the mask.
    numbers : mapping of rule id to mapping, optional
        Numbers of rules to change.

    Raises
    ------
    BadInput
        The bands or units are not known, or nothing that was asked for can run.
    WrongUse
        A number out of its range, or an unknown rule.
    """
    default = 0.5 if model is None else float(model.facts.get("pixel_threshold", 0.5))
    tuning = Tuning(gate, default if pixel_threshold is None else pixel_threshold, min_size)
    progress = progress or Progress()
    image = scene if isinstance(scene, FireImage) else FireImage(scene)
    began = time.perf_counter()
    chosen = _choose(image, rules, model)
    made = Maker(image, command, tuning)
    rows, cols, _ = image.scene.shape
    found: dict[str, RuleMap] = {}
    for rule_id in chosen:
        progress.start(rows * cols, "pixels", f"Rule {rule(rule_id).title}")
        found[rule_id] = apply_rule(image, rule_id, (numbers or {}).get(rule_id), progress=progress)
    by_rules = any_rule(found, (rows, cols))
    overlays: list[Overlay] = []
    for rule_id, answer_map in found.items():
        by_rule = made.provenance(rule_id=rule_id, numbers=(numbers or {}).get(rule_id))
        title = f"Rule {answer_map.rule.title}"
        overlays.append(made.scores(f"{title}: margin", answer_map.margin, by_rule, centre=0.0))
        overlays.append(made.classes(title, answer_map.mask, by_rule, shown=False))
    probability: NDArray[np.float32] | None = None
    tiles: tuple[TileAnswer, ...] = ()
    if model is not None:
        answer = _ask_model(image, model, made, device, progress)
        probability, tiles = answer.probability, answer.tiles
        mask = mask_of(probability, tuning)
        seconds = time.perf_counter() - began
        by_model = made.provenance(model=model, device=device, seconds=seconds)
        if found:
            overlays.append(made.beside(by_rules, mask, np.isfinite(probability), by_model))
        overlays += made.of_model(tiles, probability, mask, by_model)
    else:
        mask = without_small(by_rules, min_size)
        overlays.append(made.classes("Fire mask", mask, made.by_rules(list(found), began)))
    summary = summary_of(image, found, model, mask, tiles, tuning)
    summary["seconds"] = round(time.perf_counter() - began, 3)
    return FireResult(tuple(overlays), found, probability, mask, tiles, summary, tuning)


def _choose(image: FireImage, rules: Sequence[str] | None, model: FireNetworks | None) -> list[str]:
    reasons = usable(image)
    if rules is None:
        chosen = [r for r in DEFAULT_RULES if not reasons[r]]
    else:
        chosen = list(dict.fromkeys(rules))
        for rule_id in chosen:
            image.bands.need(*rule(rule_id).needs, subject=image.scene.title)
    if not chosen and model is None:
        raise BadInput(
            f"No fire rule can be asked of {image.scene.title}: it has neither heat nor shortwave "
            "infrared.",
            subject=image.scene.info.path,
            way_out="Open a scene with a band near 3.7 µm, or near 2.2 µm.",
        )
    return chosen


def _ask_model(
    image: FireImage, model: FireNetworks, made: Maker, device: str, progress: Progress
) -> Combined:
    rows, cols, _ = image.scene.shape
    count = sum(1 for _ in tile_windows(rows, cols, OVERLAP))
    progress.start(count, "tiles", "Reading tiles")
    seen: list[TileAnswer] = []
    by = made.provenance(model=model, device=device)
    next_picture = 0.0

    def tell(tile: TileAnswer, so_far: Callable[[], NDArray[np.float32]]) -> None:
        nonlocal next_picture
        seen.append(tile)
        if not progress.is_watched:
            return
        began = time.monotonic()
        parts: list[Overlay] = []
        if began >= next_picture:
            probability = so_far()
            mask = mask_of(probability, made.tuning)
            layers = made.of_model(seen, probability, mask, by)
            parts = [replace(layer, partial=True) for layer in layers]
            # Pictures of a large scene take their time: a tenth of it all at most.
            next_picture = began + 10 * (time.monotonic() - began)
        progress.partial(TilePartial(tuple(seen), tuple(parts)))

    return run_combined(
        image, model, gate=made.tuning.gate, device=device, on_tile=tell, progress=progress
    )
