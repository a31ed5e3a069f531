"""``bench mhc``: what the matrices of the white-box network show, and whether it matters.

Expansion rates 3, 5 and 8 on the Indian Pines window (needs ``CLEARBAND_DATA``): structure
over the steps of the training, what is left of the streams for start gains 1 and 4, and the
accuracy with the matrices taken away. The network stands alone in these runs
(``components=0``): with the spectral front beside it a check would measure the front, too.
The last run has the front, for comparison.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from app.bench.accuracy import SCENES
from backends.errors import MissingCapability
from backends.jobs import Progress

SCENE = "Indian Pines, 70 × 70"
STEPS = 120
ALONE = {"components": 0, "context": 1, "steps": STEPS, "layers": 2, "d_state": 4}
RATES: dict[str, dict[str, Any]] = {
    "n=3": {"groups": "VNIR:400-1000;SWIR:1000-2600"},
    "n=5": {},
    "n=8": {"expansion": 2, "full": 0},
}


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Run every rate with gains 1 and 4, and one network with its front."""
    folder = os.environ.get("CLEARBAND_DATA")
    if not folder or not Path(folder).is_dir():
        raise MissingCapability(
            "The real data are not here.", way_out="Set CLEARBAND_DATA to their folder."
        )
    plans = [
        (f"{name}, g={gain:g}", ALONE | extra | {"res_gain": gain})
        for name, extra in RATES.items()
        for gain in (1.0, 4.0)
    ]
    plans.append(("n=5, g=1, with the spectral front", {"steps": STEPS}))
    runs = [
        one(Path(folder), name, settings, seed)
        for name, settings in plans
        for seed in range(min(rounds, 3))
    ]
    return {"scene": SCENE, "protocol": "P30", "runs": runs}


def one(folder: Path, name: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Train once; return structure, what is left of the streams, and three checks."""
    from backends.hyperspectral.classify import classify
    from backends.hyperspectral.occlusion import WHAT, held_out_mask, occlusion_check
    from backends.io import open_scene
    from backends.io.labels import open_labels
    from backends.matrix_analysis import depth_of
    from backends.matrix_history import structure_curve
    from backends.overlays import MatrixField

    image, truth, options, label_options = SCENES[SCENE]
    given = {k: str(folder / v) if k == "wavelengths" else v for k, v in options.items()}
    with open_scene(folder / image, given) as scene:
        labels = open_labels(folder / truth, label_options)
        made = classify(
            scene, labels, "es_mhc", protocol="P30", seed=seed, device="cpu",
            settings=settings, progress=Progress(),
        )  # fmt: skip
        field = next(o for o in made.overlays if isinstance(o, MatrixField))
        assert field.history is not None
        assert made.metrics is not None
        test = held_out_mask(made.checkpoint, scene, labels.values)
        checks = [
            occlusion_check(made.checkpoint, scene, labels.values, test, what=what)[0]
            for what in WHAT
        ]
        deep = depth_of(field)
        entries = [
            {
                "layer": e.layer,
                "site": e.site,
                "diagonal_static": float(np.diag(e.static).mean()),
                "deviation_p1_p99": [float(v) for v in np.percentile(e.deviation, (1, 99))],
            }
            for e in field.entries
        ]
    return {
        "run": name,
        "seed": seed,
        "streams": len(field.group_names),
        "settings": settings,
        "overall_accuracy": made.metrics.overall_accuracy,
        "train_seconds": made.train_seconds,
        "structure": structure_curve(field.history).to_dict(),
        "sites": entries,
        "retention_by_site": [float(v) for v in deep.retention],
        "second_eigenvalue_by_site": [float(v) for v in deep.second],
        "occlusion": [check.to_dict() for check in checks],
    }
