"""``bench accuracy``: the first models on real scenes; ``bench hsi`` measures them all.

Needs the folder of real data (``CLEARBAND_DATA``). The command line of each run is kept
with its figures, paths relative to that folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from backends.errors import MissingCapability

MODELS = ("svm", "random_forest", "es_mhc")
PROTOCOLS = ("P30", "P10", "DISJ")
SCENES: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "EnMAP Potsdam": (
        "hsi/envi/enmap_potsdam_a.bil",
        "hsi/envi/enmap_potsdam_a_labels.hdr",
        {},
        {},
    ),
    "Indian Pines, 70 × 70": (
        "hsi/indian_pines/Indian_subset.mat",
        "hsi/indian_pines/Indian_subset.mat",
        {"key": "Indian_subset", "wavelengths": "hsi/indian_pines/92AV3C.spc"},
        {"key": "gt"},
    ),
}


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Run every model on every scene by every protocol, ``rounds`` seeds each."""
    folder = os.environ.get("CLEARBAND_DATA")
    if not folder or not Path(folder).is_dir():
        raise MissingCapability(
            "The real data are not here.", way_out="Set CLEARBAND_DATA to their folder."
        )
    runs = []
    for name in SCENES:
        for protocol in PROTOCOLS:
            for model in MODELS:
                for seed in range(rounds):
                    runs.append(one(Path(folder), name, model, protocol, seed))
    return {"runs": runs}


def one(folder: Path, name: str, model: str, protocol: str, seed: int) -> dict[str, Any]:
    """Classify one scene once."""
    from backends.hyperspectral.classify import classify
    from backends.io import open_scene
    from backends.io.labels import open_labels

    image, truth, options, label_options = SCENES[name]
    given = {k: str(folder / v) if k == "wavelengths" else v for k, v in options.items()}
    with open_scene(folder / image, given) as scene:
        labels = open_labels(folder / truth, label_options)
        result = classify(scene, labels, model, protocol=protocol, seed=seed, device="auto")
    values = result.to_dict()
    words = ["clearband classify", image, "--labels", truth, "--model", model]
    words += ["--protocol", protocol, "--seed", str(seed)]
    words += [f"--option {k}={v}" for k, v in options.items()]
    words += [f"--label-option {k}={v}" for k, v in label_options.items()]
    kept = ("model", "protocol", "seed", "split", "train_seconds", "predict_seconds", "device")
    metrics = values["metrics"]
    return {
        "scene": name,
        "command": " ".join([*words, "--out DIR"]),
        **{key: values[key] for key in kept},
        **{k: metrics[k] for k in ("overall_accuracy", "average_accuracy", "kappa", "test_pixels")},
    }
