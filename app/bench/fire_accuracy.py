"""``bench fire-accuracy``: rules, networks and both together, on real patches and simulated lines.

Real: six 5-band AMS patches with hand-drawn masks (needs ``CLEARBAND_DATA``). Patches 00, 02 and
05 overlap on the ground, so leaving one out flatters; leaving one place out does not. Simulated:
flight lines of seeds that no network has seen. Networks are small trainings on one core.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from functools import partial
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
from backends.fire.temperature import scene_kelvin
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
HIGHS = (310.0, 312.0, 315.0, 320.0, 325.0, 330.0, 340.0, 350.0)
LOWS = (300.0, 302.0, 304.0, 306.0, 308.0, 310.0, 312.0, 315.0)
TRAIN_SEEDS, TEST_SEEDS = (100, 101, 102), (0, 1)
TEST_SIZE = 320


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Run everything once; what the list of benchmarks calls."""
    return tabulate()


def tabulate(
    *, seeds: Sequence[int] = (0,), out: Path | None = None, resume: bool = False
) -> dict[str, Any]:
    """Return every figure, and write them.

    Parameters
    ----------
    seeds : sequence of int
        Of the trainings.
    out : Path, optional
        What was learnt and measured so far lies beside it until all is done.
    resume : bool
        Keep the trainings that were measured before it was stopped.
    """
    found: dict[str, Any] = {
        "command": f"clearband bench fire-accuracy --seeds {len(seeds)}",
        "machine": machine(),
        "published": published_table(),
        "caveats": list(CAVEATS),
    }
    parts = Parts(out, resume=resume)
    for name, part in (("real", real), ("simulated", simulated)):
        found[name] = part(seeds, parts)
        found[name]["over_seeds"] = over_seeds(found[name]["rows"])
        _write(found, out)
    return found


class Parts:
    """What was measured of each training, on disk at once, so that a run can go on later.

    Parameters
    ----------
    out : Path or None
        File of the whole; the parts lie beside it as ``NAME.parts.json``.
    resume : bool
        Use what is there.
    """

    def __init__(self, out: Path | None, *, resume: bool = False) -> None:
        self.path = None if out is None else out.with_suffix(".parts.json")
        self._known: dict[str, Any] = {}
        if resume and self.path is not None and self.path.exists():
            self._known = json.loads(self.path.read_text(encoding="utf-8"))

    def of(self, key: Mapping[str, Any], make: Callable[[], Any]) -> Any:
        """Return a part by what it depends on: kept, or made now and kept."""
        name = json.dumps(key, sort_keys=True)
        if name not in self._known:
            self._known[name] = json.loads(json.dumps(make()))
            _write(self._known, self.path)
        return self._known[name]


def over_seeds(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and standard deviation (n − 1) over the seeds of each trained method."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if "seed" in row and row.get("variant", "all") == "all":
            groups.setdefault((row["method"], row.get("split", "")), []).append(row)
    found = []
    for (method, split), some in groups.items():
        made: dict[str, Any] = {"method": method, "split": split}
        made["seeds"] = [row["seed"] for row in some]
        for name in ("precision", "recall", "fire_iou", "mean_iou"):
            values = np.array([np.nan if r[name] is None else r[name] for r in some], float)
            spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            made[name] = [round(float(values.mean()), 4), round(spread, 4)]
        found.append(made)
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


def real(seeds: Sequence[int], parts: Parts) -> dict[str, Any]:
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
    rows += hysteresis_rows(patches)
    for channels in REAL_CHANNELS:
        samples = [
            s for name, (image, truth) in patches.items()
            for s in cut_samples(image, truth, name, channels)
        ]  # fmt: skip
        splits: dict[str, Sequence[Sequence[str]]] = {"one place left out": PLACES}
        if channels == REAL_CHANNELS[0]:
            splits["one patch left out"] = [(p,) for p in PATCHES]
        for split, groups in splits.items():
            for seed in seeds:
                found: dict[str, list[PixelCounts]] = {}
                gates: list[tuple[str, float]] = []
                for left in groups:
                    fold = parts.of(
                        {"left": left, "channels": channels, "seed": seed, "recipe": REAL},
                        partial(_fold, patches, samples, left, channels, seed),
                    )
                    for method, counts in fold["counts"].items():
                        found.setdefault(method, []).extend(PixelCounts(*c) for c in counts)
                    gates += fold["gates"]
                for method, counts in found.items():
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


def hysteresis_rows(
    patches: Mapping[str, tuple[FireImage, np.ndarray]],
) -> list[dict[str, Any]]:
    """Measure two thresholds on T4, chosen anew on the patches of each training fold.

    What is above the lower one counts where it touches something above the higher one.
    """
    kelvin = {name: scene_kelvin(image) for name, (image, _) in patches.items()}
    pairs = [(high, low) for high in HIGHS for low in LOWS if low <= high]
    counts = {
        (pair, name): count_pixels(_hysteresis(kelvin[name], *pair), truth)
        for pair in pairs
        for name, (_, truth) in patches.items()
    }
    rows: list[dict[str, Any]] = []
    every_patch: tuple[tuple[str, ...], ...] = tuple((p,) for p in PATCHES)
    for split, groups in (("one place left out", PLACES), ("one patch left out", every_patch)):
        found, chosen = [], {}
        for left in groups:
            rest = [name for name in PATCHES if name not in left]
            scores = [pooled(counts[pair, n] for n in rest).fire_iou for pair in pairs]
            best = pairs[int(np.nanargmax(scores))]
            chosen[", ".join(left)] = best
            found += [counts[best, name] for name in left]
        rows.append(
            {
                "method": "T4 by two thresholds, chosen on the others", "split": split,
                "chosen_k": chosen, **pooled(found).to_dict(),
            }
        )  # fmt: skip
    return rows


def _hysteresis(kelvin: Any, high: float, low: float) -> np.ndarray:
    from scipy.ndimage import label

    spots, count = label(kelvin >= low, np.ones((3, 3)))
    keep = np.zeros(count + 1, bool)
    keep[np.unique(spots[kelvin >= high])] = True
    keep[0] = False
    return np.asarray(keep[spots])


def _fold(
    patches: Mapping[str, tuple[FireImage, np.ndarray]], samples: Sequence[FireSample],
    left: Sequence[str], channels: Sequence[int], seed: int,
) -> dict[str, Any]:  # fmt: skip
    from backends.fire.training import recipe_of, train

    taught = [s for s in samples if s.line not in left]
    print(f"teaching without {', '.join(left)} on {_listed(channels)}", file=sys.stderr)
    networks = train(taught, [], channels, recipe=recipe_of("corrected", **REAL), seed=seed)
    threshold = networks.facts["pixel_threshold"]
    counts: dict[str, list[tuple[int, ...]]] = {}
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
            counts.setdefault(method, []).append(astuple(count_pixels(mask, truth)))
        gates.append((name, round(chance, 3)))
    return {"counts": counts, "gates": gates}


# -- simulated lines ---------------------------------------------------------------------


def simulated(seeds: Sequence[int], parts: Parts) -> dict[str, Any]:
    """Measure rules and networks on simulated lines that taught nobody."""
    tests = {
        variant: [simulate_ams(TEST_SIZE, seed=s, variant=variant) for s in TEST_SEEDS]
        for variant in VARIANTS
    }

    def rule_rows(rule_id: str) -> dict[str, Any]:
        return _counts(tests, lambda line: apply_rule(FireImage(line.to_scene()), rule_id).mask)

    rows: list[dict[str, Any]] = []
    for rule_id in RULES:
        found = parts.of({"rule": rule_id, "seeds": TEST_SEEDS}, partial(rule_rows, rule_id))
        rows += _rows(RULES[rule_id].title, found, {})
    gates = []
    for channels in SIMULATED_CHANNELS:
        for seed in seeds:
            made = parts.of(
                {"simulated": channels, "seed": seed, "recipe": SIMULATED},
                partial(_simulated_networks, channels, seed, tests),
            )
            for method, found in made["methods"].items():
                rows += _rows(
                    f"{method}, channels {_listed(channels)}", found,
                    {"seed": seed, "training_seconds": made["seconds"]},
                )  # fmt: skip
            gates.append(made["gate"])
    return {
        "train_seeds": TRAIN_SEEDS, "test_seeds": TEST_SEEDS, "size": TEST_SIZE,
        "recipe": SIMULATED, "gate": gates, "rows": rows,
    }  # fmt: skip


def _counts(
    tests: Mapping[str, Sequence[Any]], mask: Callable[[Any], np.ndarray]
) -> dict[str, list[tuple[int, ...]]]:
    """Return the counts of every line by variant."""
    return {
        variant: [astuple(count_pixels(mask(line), line.truth)) for line in lines]
        for variant, lines in tests.items()
    }


def _rows(method: str, found: Mapping[str, Any], extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    by = {variant: [PixelCounts(*c) for c in counts] for variant, counts in found.items()}
    by["all"] = [c for counts in list(by.values()) for c in counts]
    return [
        {"method": method, "variant": variant, **extra, **pooled(counts).to_dict()}
        for variant, counts in by.items()
    ]


def _simulated_networks(
    channels: Sequence[int], seed: int, tests: Mapping[str, Any]
) -> dict[str, Any]:
    from backends.fire.training import recipe_of, train

    print(f"teaching on simulated lines, {_listed(channels)}, seed {seed}", file=sys.stderr)
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
    open_: dict[int, np.ndarray] = {}
    gated: dict[int, np.ndarray] = {}
    right = tiles = 0
    for lines in tests.values():
        for line in lines:
            found = run_combined(FireImage(line.to_scene()), networks, gate=0.0)
            open_[id(line)] = found.probability >= threshold
            every_tile = all(tile.chance >= GATE for tile in found.tiles)
            if not every_tile:
                found = run_combined(FireImage(line.to_scene()), networks, gate=GATE)
            gated[id(line)] = found.probability >= threshold
            for tile in found.tiles:
                burns = int(line.truth[tile.window.slices].sum()) > 3
                right += burns == (tile.chance >= 0.5)
                tiles += 1

    def both(line: Any) -> np.ndarray:
        return gated[id(line)] & apply_rule(FireImage(line.to_scene()), "B").mask

    return {
        "methods": {
            "segmenter": _counts(tests, lambda line: open_[id(line)]),
            f"gate {GATE} and segmenter": _counts(tests, lambda line: gated[id(line)]),
            f"gate {GATE}, segmenter and rule B": _counts(tests, both),
        },
        "seconds": networks.facts["seconds"],
        "gate": {
            "channels": list(channels), "seed": seed, "accuracy": right / tiles, "tiles": tiles
        },
    }  # fmt: skip


def _listed(channels: Sequence[int]) -> str:
    if len(channels) == 12:
        return "1–12"
    return ", ".join(str(n) for n in channels)


def text(found: Mapping[str, Any]) -> str:
    """Return the tables for people; trained methods as mean ± standard deviation over seeds."""
    lines = []
    for part in ("real", "simulated"):
        lines.append(f"{part:10}{'precision':>50}{'recall':>14}{'fire IoU':>14}{'mean IoU':>14}")
        for row in found[part]["rows"]:
            if "missing" in row or "seed" in row or row.get("variant", "all") != "all":
                continue
            lines.append(_line(row, lambda v: "–" if v is None else f"{100 * v:.1f}"))
        for row in found[part]["over_seeds"]:
            lines.append(_line(row, lambda v: f"{100 * v[0]:.1f} ± {100 * v[1]:.1f}"))
    return "\n".join(lines)


def _line(row: Mapping[str, Any], said: Callable[[Any], str]) -> str:
    names = ("precision", "recall", "fire_iou", "mean_iou")
    values = "".join(f"{said(row[name]):>14}" for name in names)
    return f"{row['method'][:46]:46}{values}  {row.get('split', '')}"
