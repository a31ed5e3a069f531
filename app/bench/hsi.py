"""``bench hsi``: the models on one scene, random and separate splits, several seeds.

Written after every run, so that a long table can be made in pieces: ``--resume`` keeps what
is there. Every run carries the command that makes it again.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.bench.scenes import BenchScene, Opened, bench_scene
from app.bench.table import machine
from backends.errors import BadInput, ClearbandError

FIGURES = ("overall_accuracy", "average_accuracy", "kappa", "train_seconds", "predict_seconds")


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Run the cheapest model on the smallest scene; what the list of benchmarks calls."""
    return tabulate("indian_pines_window", models=("svm",), seeds=range(rounds))


def tabulate(
    name: str,
    *,
    models: Sequence[str] = (),
    protocols: Sequence[str] = (),
    seeds: Sequence[int] = range(5),
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    out: Path | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Run models on a scene and return every run and a table of means.

    Parameters
    ----------
    name : str
        One of `scenes.SCENES`.
    models : sequence of str
        Default: every model that classifies pixels.
    protocols : sequence of str
        Default: P30 and the scene's separate one.
    out : Path, optional
        Written after each run.
    resume : bool
        Keep the runs that ``out`` has, and do only the others.
    """
    found = bench_scene(name)
    models = tuple(models) or _models()
    protocols = tuple(p.upper() for p in protocols) or ("P30", found.separate)
    settings = dict(settings or {})
    book = _Book(out, resume)
    wanted = [
        (model, protocol, seed) for seed in seeds for protocol in protocols for model in models
    ]
    missing = [w for w in wanted if not book.has(name, *w, settings)]
    if missing:
        opened = found.open()
        with opened.scene:
            book.describe(name, found, opened)
            for model, protocol, seed in missing:
                record = one(opened, name, model, protocol, seed, device, settings)
                book.add(record)
                print(_line(record), file=sys.stderr, flush=True)
    return book.contents()


def one(
    opened: Opened,
    name: str,
    model: str,
    protocol: str,
    seed: int,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train and measure one model once; what fails says why in its record."""
    from backends.hyperspectral.classify import classify

    words = ["clearband", "bench", "hsi", "--scene", name, "--protocol", protocol]
    words += ["--model", model, "--first-seed", str(seed), "--seeds", "1"]
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={value}"]
    record: dict[str, Any] = {
        "scene": name,
        "model": model,
        "protocol": protocol,
        "seed": seed,
        "set": dict(settings or {}),
        "command": shlex.join(words),
    }
    try:
        result = classify(
            opened.scene,
            opened.labels,
            model,
            protocol=protocol,
            seed=seed,
            device=device,
            settings=settings,
        )
    except ClearbandError as error:
        return {**record, "failed": str(error)}
    values = result.to_dict()
    metrics = values["metrics"] or {}
    weights = result.checkpoint.arrays.values()
    per_class = metrics.get("per_class", [])
    return {
        **record,
        **{key: metrics.get(key) for key in (*FIGURES[:3], "test_pixels")},
        **{key: values[key] for key in ("train_seconds", "predict_seconds", "device", "split")},
        "parameters": int(sum(getattr(array, "size", 1) for array in weights)),
        "per_class": {row["name"]: row.get("producer_accuracy") for row in per_class},
        "settings": _plain(values["settings"]),
    }


class _Book:
    """The results so far, and the file they are in."""

    def __init__(self, path: Path | None, resume: bool) -> None:
        self.path = path
        self.scenes: dict[str, Any] = {}
        self.runs: list[dict[str, Any]] = []
        if path is None or not resume or not path.is_file():
            return
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            self.scenes, self.runs = dict(kept["scenes"]), list(kept["runs"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"{path.name} is no table of this benchmark.",
                subject=path,
                way_out="Choose another file, or leave --resume out to write it anew.",
            ) from error

    def has(
        self, scene: str, model: str, protocol: str, seed: int, settings: Mapping[str, Any]
    ) -> bool:
        wanted = (scene, model, protocol, seed, _key(settings))
        return any(_name(record) == wanted for record in self.runs if "failed" not in record)

    def describe(self, name: str, scene: BenchScene, opened: Opened) -> None:
        self.scenes[name] = {
            "about": scene.about,
            "shape": list(opened.scene.shape),
            "labelled_pixels": int((opened.labels.values > 0).sum()),
            **opened.facts,
        }

    def add(self, record: dict[str, Any]) -> None:
        """Put a run in the place of one like it, and write the file."""
        self.runs = [r for r in self.runs if _name(r) != _name(record)] + [record]
        if self.path is not None:
            from backends.io.writers.atomic import write_text

            write_text(self.path, json.dumps(self.contents(), indent=1, ensure_ascii=False) + "\n")

    def contents(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "machine": machine(),
            "scenes": self.scenes,
            "table": summarise(self.runs),
            "runs": self.runs,
        }


def summarise(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a scene, protocol, model and settings: mean ± sd over seeds."""
    rows: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for record in runs:
        if "failed" not in record:
            rows.setdefault((*_name(record)[:3], _name(record)[4]), []).append(record)
    return [
        {
            "scene": records[0]["scene"],
            "protocol": records[0]["protocol"],
            "model": records[0]["model"],
            "set": records[0]["set"],
            "seeds": len(records),
            **{key: _spread([r[key] for r in records]) for key in FIGURES},
            "parameters": max(r["parameters"] for r in records),
            "device": records[0]["device"],
        }
        for _, records in sorted(rows.items(), key=lambda item: str(item[0]))
    ]


def text(found: Mapping[str, Any]) -> str:
    """Return the table for people."""
    head = f"{'scene':24}{'split':8}{'model':18}{'n':>3}  {'OA %':14}{'AA %':14}{'kappa %':14}"
    lines = [head + f"{'train s':>9}{'map s':>8}{'weights':>10}"]
    for row in found["table"]:
        cells = "".join(f"{_percent(row[key]):14}" for key in FIGURES[:3])
        own = "".join(f" {k}={v}" for k, v in row["set"].items())
        lines.append(
            f"{row['scene']:24}{row['protocol']:8}{row['model']:18}{row['seeds']:>3}  {cells}"
            f"{row['train_seconds']['mean']:9.1f}{row['predict_seconds']['mean']:8.1f}"
            f"{row['parameters']:10,}{own}"
        )
    failed = [r for r in found["runs"] if "failed" in r]
    lines += [f"{r['model']}, {r['protocol']}, seed {r['seed']}: {r['failed']}" for r in failed]
    return "\n".join(lines)


def _models() -> tuple[str, ...]:
    from backends.registry import cards

    return tuple(card.id for card in cards() if card.task == "classify pixels")


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps(dict(settings), sort_keys=True)


def _name(record: Mapping[str, Any]) -> tuple[str, str, str, int, str]:
    return (
        record["scene"],
        record["model"],
        record["protocol"],
        record["seed"],
        _key(record.get("set", {})),
    )


def _spread(values: Sequence[float | None]) -> dict[str, float | None]:
    """Return mean and standard deviation (of the sample) of what was measured."""
    from statistics import mean, stdev

    known = [v for v in values if v is not None]
    if not known:
        return {"mean": None, "sd": None}
    sd = stdev(known) if len(known) > 1 else None
    return {"mean": round(mean(known), 5), "sd": None if sd is None else round(sd, 5)}


def _percent(value: Mapping[str, float | None]) -> str:
    mean, sd = value["mean"], value["sd"]
    if mean is None:
        return "n/a"
    return f"{100 * mean:.2f}" + ("" if sd is None else f" ± {100 * sd:.2f}")


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are short values."""
    return {k: v for k, v in settings.items() if isinstance(v, str | int | float | bool)}


def _line(record: Mapping[str, Any]) -> str:
    what = f"{record['scene']}, {record['protocol']}, seed {record['seed']}, {record['model']}: "
    if "failed" in record:
        return what + str(record["failed"])
    found = [record[key] for key in FIGURES[:2]]
    oa, aa = ("n/a" if v is None else f"{100 * v:.2f}" for v in found)
    return what + f"OA {oa}, AA {aa}, {record['train_seconds']:.1f} s"
