"""Train the weights that ship with Clearband, on the scene that Clearband makes.

Run ``python -m backends.hyperspectral.train_demo``; it writes the weights and the
measured figures into the model card. Pixels that taught are not those that measure.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import resources
from backends.hyperspectral.checkpoints import save_checkpoint
from backends.hyperspectral.classify import classify
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.io.writers.atomic import write_text
from backends.simulate import demo_scene

WEIGHTS = "es_mhc_demo.safetensors"
SETTINGS = {"steps": 300}
log = logging.getLogger("clearband")


def main() -> Path:
    """Train on protocol P10, seed 0, and write weights and card."""
    data, truth = demo_scene("valley")
    with open_scene(data) as scene:
        result = classify(scene, open_labels(truth), "es_mhc", protocol="P10", settings=SETTINGS)
    assert result.checkpoint is not None
    assert result.metrics is not None
    path = resources.path("weights", WEIGHTS)
    digest = save_checkpoint(result.checkpoint, path)
    card = resources.path("cards", "es_mhc.json")
    values = json.loads(card.read_text(encoding="utf-8"))
    measured = result.metrics.to_dict()
    values |= {
        "weights": WEIGHTS,
        "weights_digest": digest,
        "trained_on": "the simulated demo valley, 10 % of its labelled pixels (P10, seed 0)",
        "figures": {
            "overall_accuracy": round(measured["overall_accuracy"], 4),
            "average_accuracy": round(measured["average_accuracy"], 4),
            "kappa": round(measured["kappa"], 4),
            "test_pixels": measured["test_pixels"],
            "measured_on": "the rest of the same scene, random pixels",
            "train_seconds": round(result.train_seconds, 1),
            "device": result.device,
            "command": "python -m backends.hyperspectral.train_demo",
        },
    }
    write_text(card, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    log.info("%s", values["figures"])
    return path


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
