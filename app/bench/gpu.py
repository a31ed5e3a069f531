"""``bench gpu``: what a CUDA GPU brings, beside this machine's own processor with one thread.

The daily work with spectra, in memory and on a file of ``--gb`` gigabytes (see
`app.bench.spectra`, which holds the processor against SPy); learning concepts beside the bare
products of matrices; fire tiles; a trust card. Loading what a first product needs is timed by
itself: it is paid once a start.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app.bench import concepts, fire, spectra, trust_card
from app.bench.table import in_process
from backends.errors import MissingCapability


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure everything; six minutes with one round and five gigabytes.

    Raises
    ------
    MissingCapability
        There is no CUDA GPU.
    """
    from backends import devices

    gpu = devices.gpu_for_products()
    if gpu is None:
        raise MissingCapability(
            "This machine offers no CUDA device.", way_out="Run it on one that does."
        )
    out: dict[str, Any] = {"gpu": gpu.label}
    out["concept_training"] = _told("concept training", concepts.training, rounds, gpu.id)
    out["fire"] = _told("fire", fire.measure, rounds)
    out["trust_card"] = {
        "curves": _told("curves", trust_card.deletion_insertion, rounds),
        "card": _told("card", trust_card.card, 2),
    }
    out["in_memory"] = {"shape": list(spectra.SHAPE)} | {
        task: _told(task, spectra.on_gpu, task, "", rounds) for task in spectra.TASKS
    }
    from app.bench.opening import write

    with tempfile.TemporaryDirectory(prefix="clearband-bench-") as folder:
        whole = str(write(Path(folder), "bil", size_gb))
        read = in_process(spectra.plain_read, whole)["seconds"]
        disk: dict[str, Any] = {"gb": size_gb, "plain_read_s": read}
        for task in spectra.TASKS:
            found = _told(task, spectra.on_gpu, task, whole, 1)
            disk[task] = found | {"gpu_times_a_plain_read": round(found["gpu_s"] / read, 2)}
        out["on_disk"] = disk
    return out


def _told(name: str, act: Any, *arguments: Any) -> Any:
    """Measure, and say on the error stream what came out, since the whole takes minutes."""
    began = time.perf_counter()
    found = act(*arguments) if act is spectra.on_gpu else in_process(act, *arguments)
    print(f"{name}: {found} ({time.perf_counter() - began:.0f} s)", file=sys.stderr, flush=True)
    return found
