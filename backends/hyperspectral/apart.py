"""The figure that belongs beside every figure on random pixels: the one on separate blocks.

Test pixels of a random split have neighbours that were trained on. So the same model is trained
once more, with the same settings and seed, on whole blocks of the scene with a guard band around
them, and measured on the blocks in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.errors import ClearbandError
from backends.hyperspectral.metrics import Metrics
from backends.hyperspectral.splits import SEPARATE
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.scene import Scene

PROTOCOL = "DISJ"


@dataclass(frozen=True, eq=False)
class Apart:
    """A model measured on blocks apart from those it learnt on.

    Attributes
    ----------
    seed : int
    metrics : Metrics or None
        None where it could not be measured; ``note`` says why.
    seconds : float
        Of the second training and its map.
    note : str
    """

    seed: int
    metrics: Metrics | None
    seconds: float = 0.0
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "protocol": PROTOCOL,
            "seed": self.seed,
            "metrics": self.metrics.to_dict() if self.metrics else None,
            "seconds": round(self.seconds, 3),
            "note": self.note,
        }


def needs_it(protocol: str) -> bool:
    """Tell whether the test pixels of a protocol have trained neighbours."""
    return protocol.upper() not in (*SEPARATE, "FIX", "ALL")


def measure_apart(
    scene: Scene,
    labels: Labels,
    model_id: str,
    *,
    seed: int = 0,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Apart:
    """Train a model once more on separate blocks and measure it there.

    What cannot be (labels that lie in one block) says so in the note, and fails nothing.

    Raises
    ------
    Cancelled
        The user stopped it.
    """
    from backends.hyperspectral.classify import classify

    try:
        result = classify(
            scene,
            labels,
            model_id,
            protocol=PROTOCOL,
            seed=seed,
            device=device,
            settings=settings,
            progress=progress,
        )
    except ClearbandError as error:
        return Apart(seed, None, note=f"Separate blocks could not be measured: {error.sentence}")
    seconds = result.train_seconds + result.predict_seconds
    if result.metrics is None:
        note = "Separate blocks could not be measured: no label is left to test on."
        return Apart(seed, None, seconds, note)
    note = result.curve.note if result.curve is not None else ""
    return Apart(seed, result.metrics, seconds, note)
