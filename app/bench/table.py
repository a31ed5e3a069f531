"""The table of benchmarks and what they share: processes of their own, medians, ratios."""

from __future__ import annotations

import importlib
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from backends.errors import ClearbandError, WrongUse

# Id, what it measures, module with a function ``run(rounds, size_gb) -> dict``.
BENCHMARKS: dict[str, tuple[str, str]] = {
    "open": (
        "first correct picture of an ENVI file against plain reads and SPy",
        "app.bench.opening",
    ),
    "hover": ("mouse move to drawn spectrum against bare pyqtgraph", "app.bench.hover"),
    "start": ("window shown against bare napari", "app.bench.start"),
    "heartbeat": ("a 10 ms timer of the window while a network trains", "app.bench.heartbeat"),
    "cancel": ("from the cross to the end of a training", "app.bench.cancel"),
    "memory": ("growth over 200 times open and close, and 200 times predict", "app.bench.memory"),
    "scan": ("clusters read by the scan against the raster order", "app.bench.scan"),
    "spectra": ("statistics, PCA, RX, SAM, unmixing against SPy", "app.bench.spectra"),
    "known-answers": (
        "unmixing beside published endmembers and abundances (CLEARBAND_DATA)",
        "app.bench.known_answers",
    ),
    "gpu": ("what a CUDA GPU brings beside this machine's processor", "app.bench.gpu"),
    "live": ("threshold, formula, index and brush on 2,000 × 2,000 pixels", "app.bench.live"),
    "hsi": ("the models on a named scene, see --scene", "app.bench.hsi"),
    "explain": (
        "Grad-CAM against captum and grad-cam, a trust card against the forwards it needs",
        "app.bench.explain",
    ),
    "slide": ("a heatmap that streams over a 100,000 × 80,000 slide", "app.bench.slide"),
    "finetune": ("classifiers taught on lung CT slices (CLEARBAND_DATA)", "app.bench.finetune"),
    "accuracy": ("the models on real scenes (needs CLEARBAND_DATA)", "app.bench.accuracy"),
    "fire": (
        "combined fire model, raw tile to mask, against the paper's 7.75 ms",
        "app.bench.fire",
    ),
    "fire-accuracy": (
        "fire rules and networks on real patches (CLEARBAND_DATA) and simulated lines",
        "app.bench.fire_accuracy",
    ),
    "perimeter": (
        "10,000 × 10,000 pixels to a draft perimeter, and dragging a vertex of 15,000",
        "app.bench.perimeter",
    ),
    "concepts": (
        "concepts of a 4,000 × 4,000 image by click and layer, training beside its floor",
        "app.bench.concepts",
    ),
    "concept-sets": (
        "concepts and bottlenecks on real images beside opaque and random ones (CLEARBAND_DATA)",
        "app.bench.concept_sets",
    ),
    "mhc": ("matrices: structure, streams left, does it matter (CLEARBAND_DATA)", "app.bench.mhc"),
}


# Need real data, or take long: only when named.
ON_REQUEST = (
    "scan",
    "spectra",
    "known-answers",
    "live",
    "explain",
    "slide",
    "hsi",
    "finetune",
    "accuracy",
    "mhc",
    "fire",
    "fire-accuracy",
    "perimeter",
    "concepts",
    "concept-sets",
)


@dataclass(frozen=True)
class Series:
    """Repeated measurements of one thing, in seconds or bytes."""

    values: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return count, minimum, median, 95th percentile and maximum."""
        ordered = sorted(self.values)
        return {
            "n": len(ordered),
            "min": ordered[0],
            "median": median(ordered),
            "p95": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
            "max": ordered[-1],
        }


def run(names: Sequence[str], *, rounds: int, size_gb: float) -> dict[str, Any]:
    """Run benchmarks and return their figures with the machine they were taken on."""
    for name in names:
        if name not in BENCHMARKS:
            known = ", ".join(BENCHMARKS)
            raise WrongUse(f"There is no benchmark called {name}.", way_out=f"Use: {known}.")
    results: dict[str, Any] = {"machine": machine(), "rounds": rounds}
    for name in names or [n for n in BENCHMARKS if n not in ON_REQUEST]:
        module = importlib.import_module(BENCHMARKS[name][1])
        results[name] = module.run(rounds, size_gb)
    return results


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    from backends import devices
    from backends.overlays import software_versions

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "device": devices.badge().label,
        "software": software_versions(),
    }


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a module in a fresh Python and return its answer.

    Raises
    ------
    ClearbandError
        It failed there.
    """
    code = (
        "import importlib, json, sys; m, f, a = json.loads(sys.argv[1]); "
        "print('\\n' + json.dumps(getattr(importlib.import_module(m), f)(*a)), flush=True); "
        # The answer is all that is wanted; Qt does not like to be taken apart in any order.
        "import os; os._exit(0)"
    )
    words = json.dumps([function.__module__, function.__name__, list(arguments)])
    said = subprocess.run(
        [sys.executable, "-c", code, words], capture_output=True, text=True, check=False
    )
    if said.returncode:
        raise ClearbandError(
            f"The benchmark {function.__module__}.{function.__name__} failed.",
            details=said.stderr[-3000:],
        )
    return json.loads(said.stdout.strip().splitlines()[-1])
