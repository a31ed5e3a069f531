"""``bench mhc``: what the matrices of the white-box network show, and whether it matters.

Networks of 3, 5 and 8 streams on the Indian Pines window (needs ``CLEARBAND_DATA``): structure
over the steps of the training, what is left of the streams for start gains 1 and 4, and the
accuracy with the matrices taken away. The network stands alone in these runs
(``components=0``): with the spectral front beside it a check would measure the front, too.
The last plan has the front, for comparison. Written after every run; ``--resume`` goes on.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.bench.scenes import Opened, bench_scene
from app.bench.table import machine
from backends.errors import BadInput

SCENE = "indian_pines_window"
PROTOCOL = "P30"
STEPS = 120
SNAPSHOTS = 24
ALONE: dict[str, Any] = {
    "components": 0,
    "context": 1,
    "steps": STEPS,
    "layers": 2,
    "d_state": 4,
    "snapshots": SNAPSHOTS,
}
RATES: dict[int, dict[str, Any]] = {
    3: {"groups": "VNIR:400-1000;SWIR:1000-2600"},
    5: {},
    8: {"expansion": 2, "full": 0},
}
FRONT = "n=5, g=1, with the spectral front"
PLANS: dict[str, dict[str, Any]] = {
    **{
        f"n={streams}, g={gain:g}": ALONE | extra | {"res_gain": gain}
        for streams, extra in RATES.items()
        for gain in (1.0, 4.0)
    },
    FRONT: {"steps": STEPS, "snapshots": SNAPSHOTS},
}
# Below this a check says that the maps matter more than chance would have it.
SURE = 0.05


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Run every plan with so many seeds; what the list of benchmarks calls."""
    return tabulate(range(rounds))


def tabulate(
    seeds: Sequence[int] = range(5),
    *,
    out: Path | None = None,
    resume: bool = False,
    plans: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Train every plan with every seed and return the runs and a table of means.

    Parameters
    ----------
    out : Path, optional
        Written after each run.
    resume : bool
        Keep the runs that ``out`` has, and do only the others.
    plans : mapping of str to settings, optional
        Default `PLANS`.

    Raises
    ------
    BadInput
        ``out`` is to be resumed and is no table of this benchmark.
    """
    plans = PLANS if plans is None else plans
    runs = _kept(out) if resume and out is not None else []
    done = {(r["run"], r["seed"], json.dumps(r["settings"], sort_keys=True)) for r in runs}
    missing = [
        (name, settings, seed)
        for seed in seeds
        for name, settings in plans.items()
        if (name, seed, json.dumps(dict(settings), sort_keys=True)) not in done
    ]
    words = ["clearband", "bench", "mhc", "--seeds", str(len(seeds))]
    words += ["--first-seed", str(seeds[0])] if len(seeds) and seeds[0] else []
    command = shlex.join([*words, "--out", "FILE", "--resume"])
    if missing:
        opened = bench_scene(SCENE).open()
        with opened.scene:
            for name, settings, seed in missing:
                found = one(opened, name, dict(settings), seed)
                runs = [r for r in runs if (r["run"], r["seed"]) != (name, seed)] + [found]
                print(_line(found), file=sys.stderr, flush=True)
                if out is not None:
                    write(out, contents(runs, command))
    found_all = contents(runs, command)
    if out is not None:
        write(out, found_all)
    return found_all


def one(opened: Opened, name: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Train once; return structure, what is left of the streams, and three checks."""
    from backends.hyperspectral.classify import classify
    from backends.hyperspectral.occlusion import WHAT, held_out_mask, occlusion_check
    from backends.matrix_analysis import depth_of
    from backends.matrix_history import structure_curve
    from backends.overlays import MatrixField

    scene, labels = opened.scene, opened.labels
    made = classify(
        scene, labels, "es_mhc", protocol=PROTOCOL, seed=seed, device="cpu", settings=settings
    )
    field = next(o for o in made.overlays if isinstance(o, MatrixField))
    assert field.history is not None
    assert made.metrics is not None
    test = held_out_mask(made.checkpoint, scene, labels.values)
    checks = [
        occlusion_check(made.checkpoint, scene, labels.values, test, what=what)[0] for what in WHAT
    ]
    deep, curve = depth_of(field), structure_curve(field.history)
    entries = [
        {
            "layer": e.layer,
            "site": e.site,
            "diagonal_static": float(np.diag(e.static).mean()),
            "deviation_p1_p99": [float(v) for v in np.percentile(e.deviation, (1, 99))],
        }
        for e in field.entries
    ]
    found = {
        "run": name,
        "seed": seed,
        "streams": len(field.group_names),
        "settings": settings,
        "overall_accuracy": made.metrics.overall_accuracy,
        "train_seconds": made.train_seconds,
        "half_step": round(curve.half_step, 2),
        "structure": curve.to_dict(),
        "sites": entries,
        "retention_by_site": [float(v) for v in deep.retention],
        "second_eigenvalue_by_site": [float(v) for v in deep.second],
        "occlusion": [check.to_dict() for check in checks],
    }
    rounded: dict[str, Any] = _rounded(found)
    return rounded


def contents(runs: Sequence[Mapping[str, Any]], command: str) -> dict[str, Any]:
    """Return everything, ready for JSON."""
    return {
        "command": command,
        "machine": machine(),
        "scene": SCENE,
        "protocol": PROTOCOL,
        "table": summarise(runs),
        "runs": list(runs),
    }


def summarise(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a plan: mean and standard deviation over seeds.

    Of each check: mean change of the overall accuracy, pixels that turned wrong and right over
    all seeds, and in how many seeds so uneven a change is unlikely to be chance (sign test).
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for record in runs:
        rows.setdefault(record["run"], []).append(record)
    return [
        {
            "run": name,
            "streams": mine[0]["streams"],
            "seeds": len(mine),
            "overall_accuracy": _spread([r["overall_accuracy"] for r in mine]),
            "retention_at_the_end": _spread([r["retention_by_site"][-1] for r in mine]),
            "half_step": _spread([r["half_step"] for r in mine]),
            "spread_at_the_end": _spread([_last(r, "spread") for r in mine]),
            "morans_i_at_the_start": _spread([_last(r, "morans_i", 0) for r in mine]),
            "morans_i_at_the_end": _spread([_last(r, "morans_i") for r in mine]),
            "train_seconds": _spread([r["train_seconds"] for r in mine]),
            "checks": {
                check["what"]: _check([r["occlusion"][number] for r in mine])
                for number, check in enumerate(mine[0]["occlusion"])
            },
        }
        for name, mine in rows.items()
    ]


def text(found: Mapping[str, Any]) -> str:
    """Return the table for people."""
    lines = [
        f"{'run':36}{'n':>3}  {'OA %':14}{'left %':14}{'half by step':15}{'Moran':12}"
        "change of OA in points: mixing / order / both (seeds beyond chance)"
    ]
    for row in found["table"]:
        checks = " / ".join(
            f"{100 * c['delta']['mean']:+.2f} ({c['seeds_beyond_chance']})"
            for c in row["checks"].values()
        )
        lines.append(
            f"{row['run']:36}{row['seeds']:>3}  {_words(row['overall_accuracy'], 100):14}"
            f"{_words(row['retention_at_the_end'], 100):14}{_words(row['half_step'], 1, 1):15}"
            f"{_words(row['morans_i_at_the_end'], 1):12}{checks}"
        )
    return "\n".join(lines)


def write(path: Path, found: Mapping[str, Any]) -> None:
    """Write the table, one line a run."""
    from backends.io.writers.atomic import write_text

    head = json.dumps({k: v for k, v in found.items() if k != "runs"}, indent=1)
    runs = ",\n  ".join(json.dumps(record) for record in found["runs"])
    write_text(path, f'{head[:-2]},\n "runs": [\n  {runs}\n ]\n}}\n')


def _kept(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    from backends.matrix_history import StructureCurve

    try:
        runs = list(json.loads(path.read_text(encoding="utf-8"))["runs"])
        for record in runs:  # as it is defined now
            curve = StructureCurve.from_dict(record["structure"])
            record["half_step"] = round(curve.half_step, 2)
        summarise(runs)
    except (ValueError, KeyError, TypeError, IndexError, BadInput) as error:
        raise BadInput(
            f"{path.name} is no table of this benchmark.",
            subject=path,
            way_out="Choose another file, or leave --resume out to write it anew.",
        ) from error
    return runs


def _last(record: Mapping[str, Any], what: str, at: int = -1) -> float:
    return float(np.mean([site[what][at] for site in record["structure"]["sites"]]))


def _check(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "delta": _spread([c["delta_overall_accuracy"] for c in found]),
        "changed_share": _spread([c["changed_share"] for c in found]),
        "lost": sum(c["lost"] for c in found),
        "won": sum(c["won"] for c in found),
        "seeds_beyond_chance": sum(c["sign_test_p"] < SURE for c in found),
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    """Return mean and standard deviation (of the sample)."""
    from statistics import mean, stdev

    sd = stdev(values) if len(values) > 1 else None
    return {"mean": round(mean(values), 6), "sd": None if sd is None else round(sd, 6)}


def _words(value: Mapping[str, float | None], times: float, digits: int = 2) -> str:
    mean, sd = value["mean"], value["sd"]
    assert mean is not None
    said = f"{times * mean:.{digits}f}"
    return said if sd is None else f"{said} ± {times * sd:.{digits}f}"


def _rounded(value: Any) -> Any:
    """Return plain values with floats of six digits: a table, no archive."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _line(record: Mapping[str, Any]) -> str:
    deltas = ", ".join(
        f"{c['what']} {100 * c['delta_overall_accuracy']:+.2f}" for c in record["occlusion"]
    )
    return (
        f"{record['run']}, seed {record['seed']}: OA {100 * record['overall_accuracy']:.2f}, "
        f"left {100 * record['retention_by_site'][-1]:.2f} %, half its structure by step "
        f"{record['half_step']:.0f}, points without: {deltas}; {record['train_seconds']:.0f} s"
    )
