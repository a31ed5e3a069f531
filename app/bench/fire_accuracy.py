"""``bench fire-accuracy``: rules, networks and both together, on real patches and simulated lines.

Real: six 5-band AMS patches with hand-drawn masks (needs ``CLEARBAND_DATA``). Patches 00, 02 and
05 overlap on the ground, so leaving one out flatters; leaving one place out does not. Simulated:
flight lines of seeds that no network has seen. Networks are small trainings on one core.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.bench.scenes import data_folder
from app.bench.table import machine
from backends.fire.applying import apply_rule
from backends.fire.combined import GATE, run_combined
from backends.fire.fields import FireImage
from backends.fire.measures import PixelCounts, count_pixels, pooled
from backends.fire.published import CAVEATS, published_table
from backends.fire.rules import RULES, usable
from backends.fire.samples import FireSample, cut_samples
from backends.simulate.ams import VARIANTS, simulate_ams

PATCHES = ("00", "01", "02", "04", "05", "07")
PLACES = (("00", "02", "05"), ("01",), ("04",), ("07",))
REAL_CHANNELS = ((2, 3, 5, 7, 11), (11,))
# Small squares, so that all folds are taught in minutes on one core.
REAL: dict[str, Any] = {
    "segmenter_epochs": 20,
    "segmenter_patience": 20,
    "classifier_epochs": 40,
    "crop": 64,
    "crops": 6,
    "segmenter_rate": 2e-3,
}
SIMULATED: dict[str, Any] = {**REAL, "segmenter_epochs": 16}
SIMULATED_CHANNELS = (tuple(range(1, 13)), (10, 9, 2))
TRAIN_SEEDS, TEST_SEEDS = (100, 101, 102), (0, 1)
TEST_SIZE = 320


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Run everything once; what the list of benchmarks calls."""
    return tabulate()


def tabulate(*, seeds: Sequence[int] = (0,), out: Path | None = None) -> dict[str, Any]:
    """Return every figure, and write them.

    Parameters
    ----------
    seeds : sequence of int
        Of the trainings.
    """
    found: dict[str, Any] = {
        "command": f"clearband bench fire-accuracy --seeds {len(seeds)}",
        "machine": machine(),
        "published": published_table(),
        "caveats": list(CAVEATS),
    }
    for name, part in (("real", real), ("simulated", simulated)):
        found[name] = part(seeds)
        _write(found, out)
    return found


def _write(found: Mapping[str, Any], out: Path | None) -> None:
    if out is not None:
        from backends.io.writers.atomic import write_text

        write_text(out, json.dumps(found, indent=1, ensure_ascii=False) + "\n")


# -- real patches ------------------------------------------------------------------------


def open_patches(folder: Path) -> dict[str, tuple[FireImage, np.ndarray]]:
    """Return the real patches with their masks."""
    from PIL import Image

    from backends.io import open_scene

    found = {}
    for name in PATCHES:
        scene = open_scene(folder / f"ams_patch_{name}.tif")
        with Image.open(folder / f"ams_patch_{name}_mask.png") as picture:
            truth = np.asarray(picture) > 0
        # The masks say fire was seen from the air by day.
        found[name] = (FireImage(scene, night=False), truth)
    return found


def real(seeds: Sequence[int]) -> dict[str, Any]:
    """Measure rules and networks on the six patches."""
    patches = open_patches(data_folder() / "wildfire" / "ams")
    rows: list[dict[str, Any]] = []

    def every(method: str, mask: Callable[[FireImage], np.ndarray]) -> None:
        counts = [count_pixels(mask(image), truth) for image, truth in patches.values()]
        rows.append({"method": method, "split": "none needed", **pooled(counts).to_dict()})

    every("T4 > 310 K", lambda image: apply_rule(image, "A", {"day_k": 310.0}).mask)
    reasons = usable(next(iter(patches.values()))[0])
    for rule_id, reason in reasons.items():
        if reason:
            rows.append({"method": RULES[rule_id].title, "missing": reason})
        else:
            every(RULES[rule_id].title, lambda image, r=rule_id: apply_rule(image, r).mask)
    for channels in REAL_CHANNELS:
        samples = [
            s for name, (image, truth) in patches.items()
            for s in cut_samples(image, truth, name, channels)
        ]  # fmt: skip
        splits: dict[str, Sequence[Sequence[str]]] = {"one place left out": PLACES}
        if channels == REAL_CHANNELS[0]:
            splits["one patch left out"] = [(p,) for p in PATCHES]
        done: dict[tuple[Any, ...], Any] = {}
        for split, groups in splits.items():
            for seed in seeds:
                parts: dict[str, list[PixelCounts]] = {}
                gates: list[tuple[str, float]] = []
                for left in groups:
                    key = (tuple(left), seed)
                    if key not in done:
                        done[key] = _fold(patches, samples, left, channels, seed)
                    for method, counts in done[key][0].items():
                        parts.setdefault(method, []).extend(counts)
                    gates += done[key][1]
                for method, counts in parts.items():
                    rows.append(
                        {
                            "method": f"{method}, channels {_listed(channels)}",
                            "split": split, "seed": seed, **pooled(counts).to_dict(),
                        }
                    )  # fmt: skip
                rows[-1]["gates"] = dict(gates)
    for image, _ in patches.values():
        image.scene.close()
    return {"patches": len(patches), "recipe": REAL, "rows": rows}


def _fold(
    patches: Mapping[str, tuple[FireImage, np.ndarray]], samples: Sequence[FireSample],
    left: Sequence[str], channels: Sequence[int], seed: int,
) -> tuple[dict[str, list[PixelCounts]], list[tuple[str, float]]]:  # fmt: skip
    from backends.fire.training import recipe_of, train

    taught = [s for s in samples if s.line not in left]
    print(f"teaching without {', '.join(left)} on {_listed(channels)}", file=sys.stderr)
    networks = train(taught, [], channels, recipe=recipe_of("corrected", **REAL), seed=seed)
    threshold = networks.facts["pixel_threshold"]
    counts: dict[str, list[PixelCounts]] = {}
    gates = []
    for name in left:
        image, truth = patches[name]
        open_ = run_combined(image, networks, gate=0.0)
        drawn = open_.probability >= threshold
        chance = open_.tiles[0].chance
        rule = apply_rule(image, "A", {"day_k": 310.0}).mask
        for method, mask in (
            ("segmenter", drawn),
            (f"gate {GATE} and segmenter", drawn & (chance >= GATE)),
            ("segmenter and T4 > 310 K", drawn & rule),
            ("segmenter or T4 > 310 K", drawn | rule),
        ):
            counts.setdefault(method, []).append(count_pixels(mask, truth))
        gates.append((name, round(chance, 3)))
    return counts, gates


# -- simulated lines ---------------------------------------------------------------------


def simulated(seeds: Sequence[int]) -> dict[str, Any]:
    """Measure rules and networks on simulated lines that taught nobody."""
    tests = {
        variant: [simulate_ams(TEST_SIZE, seed=s, variant=variant) for s in TEST_SEEDS]
        for variant in VARIANTS
    }
    rows: list[dict[str, Any]] = []

    def every(
        method: str, mask: Callable[[FireImage], np.ndarray], extra: Mapping[str, Any]
    ) -> None:
        all_of_them = []
        for variant, lines in tests.items():
            counts = [count_pixels(mask(FireImage(x.to_scene())), x.truth) for x in lines]
            all_of_them += counts
            rows.append({"method": method, "variant": variant, **extra, **pooled(counts).to_dict()})
        rows.append({"method": method, "variant": "all", **extra, **pooled(all_of_them).to_dict()})

    for rule_id in RULES:
        every(RULES[rule_id].title, lambda image, r=rule_id: apply_rule(image, r).mask, {})
    gates = []
    for channels in SIMULATED_CHANNELS:
        for seed in seeds:
            gates.append(_simulated_networks(channels, seed, every, tests))
    return {
        "train_seeds": TRAIN_SEEDS, "test_seeds": TEST_SEEDS, "size": TEST_SIZE,
        "recipe": SIMULATED, "gate": gates, "rows": rows,
    }  # fmt: skip


def _simulated_networks(
    channels: Sequence[int], seed: int, every: Callable[..., None], tests: Mapping[str, Any]
) -> dict[str, Any]:
    from backends.fire.training import recipe_of, train

    taught, held = [], []
    for number in TRAIN_SEEDS:
        for variant in VARIANTS:
            made = simulate_ams(256, seed=number, variant=variant)
            samples = cut_samples(
                FireImage(made.to_scene()), made.truth, f"{variant} {number}", channels
            )
            (held if number == TRAIN_SEEDS[-1] else taught).extend(samples)
    networks = train(taught, held, channels, recipe=recipe_of("corrected", **SIMULATED), seed=seed)
    threshold = networks.facts["pixel_threshold"]
    extra = {"seed": seed, "training_seconds": networks.facts["seconds"]}
    named = f"channels {_listed(channels)}"

    def drawn(gate: float) -> Callable[[FireImage], np.ndarray]:
        return lambda image: run_combined(image, networks, gate=gate).probability >= threshold

    def both(image: FireImage) -> np.ndarray:
        return drawn(GATE)(image) & apply_rule(image, "B").mask

    every(f"segmenter, {named}", drawn(0.0), extra)
    every(f"gate {GATE} and segmenter, {named}", drawn(GATE), extra)
    every(f"gate {GATE}, segmenter and rule B, {named}", both, extra)
    right = tiles = 0
    for lines in tests.values():
        for line in lines:
            for tile in run_combined(FireImage(line.to_scene()), networks, gate=2.0).tiles:
                burns = int(line.truth[tile.window.slices].sum()) > 3
                right += burns == (tile.chance >= 0.5)
                tiles += 1
    return {"channels": list(channels), "seed": seed, "accuracy": right / tiles, "tiles": tiles}


def _listed(channels: Sequence[int]) -> str:
    if len(channels) == 12:
        return "1–12"
    return ", ".join(str(n) for n in channels)


def text(found: Mapping[str, Any]) -> str:
    """Return the tables for people."""
    lines = []
    for part in ("real", "simulated"):
        lines.append(f"{part:10}{'precision':>44}{'recall':>9}{'fire IoU':>10}{'mean IoU':>10}")
        for row in found[part]["rows"]:
            if "missing" in row:
                continue
            if row.get("variant", "all") != "all":
                continue
            values = [row[k] for k in ("precision", "recall", "fire_iou", "mean_iou")]
            said = "".join(f"{'–' if v is None else f'{100 * v:.1f}':>10}" for v in values)
            lines.append(f"{row['method'][:46]:46}{said}  {row.get('split', '')}")
    return "\n".join(lines)
