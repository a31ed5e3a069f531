"""``bench finetune``: classifiers of lung CT slices, taught here, patients apart.

Three classes of slices (IQ-OTH/NCCD, a part), split by ranges of numbers since neighbours are one
patient. Written after every run; ``--resume`` keeps what is there. Large networks are taught
from random weights for an epoch only: their rows show cost and that they learn at all, no
quality.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.bench.table import machine
from backends.errors import BadInput, ClearbandError, MissingCapability, WrongUse
from backends.io.writers.atomic import write_text
from backends.learning.grouping import GroupRule

SIZE = 128
SHARES = (0.60, 0.20, 0.20)  # those of the study, arXiv 2601.12826
BLOCK, GAP = 12, 5  # numbers; about a patient, and about half of one
# Neighbouring slices in one part, or (as is often done, and shown to be wrong) anywhere.
PROTOCOLS = {"SEPARATE": GroupRule(block=BLOCK, gap=GAP), "RANDOM": GroupRule()}
FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "calibration_error")


@dataclass(frozen=True)
class Recipe:
    """How an architecture is taught here.

    Attributes
    ----------
    weights : str
        File below ``weights/imagenet`` of the data; empty = random.
    training : mapping
    seeds : int
        How many, as planned.
    """

    training: Mapping[str, Any]
    weights: str = ""
    seeds: int = 3
    about: str = field(default="")


_TRANSFER = {"epochs": 10, "batch": 16, "patience": 5, "learning_rate": 5e-4}
_ONCE = {"epochs": 1, "batch": 16, "patience": 0}

RECIPES: dict[str, Recipe] = {
    "mobilenetv2_100": Recipe(_TRANSFER, "mobilenetv2_100_timm.safetensors"),
    "squeezenet1_0": Recipe(_TRANSFER, "squeezenet1_0_torchvision.safetensors"),
    "efficientnet_b0": Recipe(_ONCE, seeds=1),
    "resnet50": Recipe(_ONCE, seeds=1),
    "resnet101": Recipe(_ONCE, seeds=1),
    "densenet161": Recipe(_ONCE, seeds=1),
    "vit_base_patch16_224": Recipe({**_ONCE, "learning_rate": 1e-4}, seeds=1),
    "compact_cnn": Recipe({"epochs": 12, "batch": 16, "patience": 6}),
}


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Run the cheapest; what the list of benchmarks calls."""
    return tabulate(models=("squeezenet1_0",), seeds=range(min(rounds, 3)))


def tabulate(
    *,
    models: Sequence[str] = (),
    protocols: Sequence[str] = (),
    seeds: Iterable[int] | None = None,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    out: Path | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Teach and measure; return every run and a table of means.

    Parameters
    ----------
    models : sequence of str
        Default: all of `RECIPES`.
    protocols : sequence of str
        Of `PROTOCOLS`; default ``"SEPARATE"``.
    seeds : iterable of int, optional
        Default: as many as the recipe plans.
    settings : mapping, optional
        Of the training, instead of the recipe's.
    out : Path, optional
        Written after each run.
    resume : bool
        Keep the runs that ``out`` has, and do only the others.

    Raises
    ------
    MissingCapability
        The slices are not here.
    """
    folder = _data() / "lung_ct"
    if not folder.is_dir():
        raise MissingCapability(
            "The CT slices are not here.",
            way_out="Set CLEARBAND_DATA to the folder that holds lung_ct.",
        )
    protocols = tuple(p.upper() for p in protocols) or ("SEPARATE",)
    if unknown := set(protocols) - set(PROTOCOLS):
        raise WrongUse(
            f"There is no split called {unknown.pop()}.", way_out="Use SEPARATE or RANDOM."
        )
    runs = _kept(out) if resume else []
    chosen = [
        (model, protocol, seed)
        for protocol in protocols
        for model in models or tuple(RECIPES)
        for seed in (range(_recipe(model).seeds) if seeds is None else tuple(seeds))
    ]
    for what in chosen:
        if any(_is(r, what, settings) and "failed" not in r for r in runs):
            continue
        record = one(folder, *what, device, settings)
        runs = [r for r in runs if not _is(r, what, settings)] + [record]
        print(_line(record), file=sys.stderr, flush=True)
        if out is not None:
            write_text(out, json.dumps(_contents(runs, []), indent=1, ensure_ascii=False) + "\n")
    # One after the other, so that the times can be compared.
    found = _contents(runs, costs(runs))
    if out is not None:
        write_text(out, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return found


def costs(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what one image costs in each network of the runs: measured in turn, one thread."""
    import torch

    from backends.learning.architectures import architecture, build_network
    from backends.learning.network_cost import network_cost

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    made = []
    try:
        for model in dict.fromkeys(r["model"] for r in runs if "failed" not in r):
            network = build_network(architecture(model), 3, 1, (SIZE, SIZE))
            made.append({"model": model, **network_cost(network, 1, (SIZE, SIZE)).to_dict()})
    finally:
        torch.set_num_threads(threads)
    return made


def one(
    folder: Path,
    model: str,
    protocol: str,
    seed: int,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Teach and measure one network; what fails says why in its record."""
    from backends.learning.finetune import FinetuneSettings, finetune

    recipe = _recipe(model)
    words = ["clearband", "bench", "finetune", "--model", model, "--protocol", protocol]
    words += ["--first-seed", str(seed), "--seeds", "1"]
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={value}"]
    training = {**recipe.training, **(settings or {})}
    record: dict[str, Any] = {
        "model": model,
        "protocol": protocol,
        "seed": seed,
        "set": dict(settings or {}),
        "command": shlex.join(words),
    }
    weights = str(_data() / "weights" / "imagenet" / recipe.weights) if recipe.weights else ""
    wanted = FinetuneSettings(
        model, weights, (SIZE, SIZE), PROTOCOLS[protocol], SHARES,
        training=training, seed=seed,
    )  # fmt: skip
    try:
        card = finetune(folder, wanted, device=device).card
    except ClearbandError as error:
        return {**record, "failed": str(error)}
    test, leakage = card["figures"]["test"], card["data"]["leakage"]
    return {
        **record,
        "start": card["start"]["weights"],
        "epochs": len(card["curve"]["done"]),
        "planned_epochs": card["curve"]["epochs"],
        "best_epoch": card["curve"]["best_epoch"],
        **{key: test[key] for key in FIGURES},
        "test_images": test["images"],
        "recall": {row["class"]: row["recall"] for row in test["per_class"]},
        "precision": {row["class"]: row["precision"] for row in test["per_class"]},
        "confusion": test["confusion"],
        "val_macro_f1": card["figures"]["val"]["macro_f1"],
        "train_seconds": card["training"]["seconds"],
        "parameters": card["cost"]["parameters"],
        "input": card["cost"]["input"],
        "device": card["training"]["device"],
        "split": card["data"]["split"]["parts"],
        "near_duplicate_pairs": leakage["near_duplicate_pairs"],
        "groups_in_two_parts": leakage["groups_in_two_parts"],
        "notes": [n for n in card["notes"] if "commonest" in n or "begins" in n or "began" in n],
        "training": training,
    }


def summarise(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a network and its settings: mean ± sd over seeds."""
    from app.bench.hsi import _spread

    rows: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for record in runs:
        if "failed" not in record:
            own = json.dumps(record["set"], sort_keys=True)
            key = record["protocol"], record["model"], own
            rows.setdefault(key, []).append(record)
    return [
        {
            "model": records[0]["model"],
            "protocol": records[0]["protocol"],
            "set": records[0]["set"],
            "start": records[0]["start"],
            "seeds": len(records),
            "epochs": [r["epochs"] for r in records],
            **{key: _spread([r[key] for r in records]) for key in (*FIGURES, "train_seconds")},
            "parameters": records[0]["parameters"],
        }
        for records in rows.values()
    ]


def text(found: Mapping[str, Any]) -> str:
    """Return the table for people."""
    head = f"{'split':10}{'network':22}{'began with':12}{'n':>3}{'epochs':>8}  {'accuracy %':16}"
    lines = [head + f"{'macro F1 %':16}{'parameters':>12}{'GFLOPs':>8}{'ms':>7}{'train s':>9}"]
    cost = {row["model"]: row for row in found["costs"]}
    for row in found["table"]:
        start = "random" if row["start"] == "random" else "ImageNet"
        epochs = "–".join(dict.fromkeys(str(e) for e in (min(row["epochs"]), max(row["epochs"]))))
        lines.append(
            f"{row['protocol']:10}{row['model']:22}{start:12}{row['seeds']:>3}{epochs:>8}  "
            f"{_percent(row['accuracy']):16}{_percent(row['macro_f1']):16}"
            f"{row['parameters']:12,}{cost[row['model']]['flops'] / 1e9:8.2f}"
            f"{cost[row['model']]['latency_ms']:7.1f}"
            f"{row['train_seconds']['mean']:9.0f}"
        )
    failed = [r for r in found["runs"] if "failed" in r]
    lines += [f"{r['model']}, {r['protocol']}, seed {r['seed']}: {r['failed']}" for r in failed]
    return "\n".join(lines)


def _contents(
    runs: Sequence[Mapping[str, Any]], cost: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "command": "clearband bench finetune",
        "machine": machine(),
        "data": {
            "about": "lung CT slices of three classes, a part of IQ-OTH/NCCD, grey, "
            f"scaled to {SIZE} × {SIZE}",
            "split": f"ranges of numbers in blocks of {BLOCK}, {GAP} numbers between parts left "
            "out, shares 60, 20, 20; neighbours in number are one patient. RANDOM: any slice in "
            "any part, to show what that seems to add",
        },
        "table": summarise(runs),
        "costs": list(cost),
        "runs": list(runs),
    }


def _kept(out: Path | None) -> list[dict[str, Any]]:
    if out is None or not out.is_file():
        return []
    try:
        return list(json.loads(out.read_text(encoding="utf-8"))["runs"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{out.name} is no table of this benchmark.",
            subject=out,
            way_out="Choose another file, or leave --resume out to write it anew.",
        ) from error


def _recipe(model: str) -> Recipe:
    return RECIPES.get(model, Recipe(_ONCE))


def _is(
    record: Mapping[str, Any], what: tuple[str, str, int], settings: Mapping[str, Any] | None
) -> bool:
    found = record["model"], record["protocol"], record["seed"], record["set"]
    return found == (*what, dict(settings or {}))


def _data() -> Path:
    return Path(os.environ.get("CLEARBAND_DATA", "data"))


def _percent(value: Mapping[str, float | None]) -> str:
    mean, sd = value["mean"], value["sd"]
    if mean is None:
        return "n/a"
    return f"{100 * mean:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")


def _line(record: Mapping[str, Any]) -> str:
    what = f"{record['model']}, {record['protocol']}, seed {record['seed']}: "
    if "failed" in record:
        return what + str(record["failed"])
    return what + (
        f"accuracy {100 * record['accuracy']:.1f}, macro F1 {100 * record['macro_f1']:.1f}, "
        f"{record['epochs']} epochs, {record['train_seconds']:.0f} s"
    )
