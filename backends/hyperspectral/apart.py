"""The figure that belongs beside every figure on random pixels: the one on separate blocks.

Test pixels of a random split have neighbours that were trained on. So the same model is trained
once more, with the same settings, seed and number of labels a class, on whole blocks of the scene
with a guard band around them, and measured on the blocks in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import ClearbandError
from backends.hyperspectral.metrics import Metrics
from backends.hyperspectral.splits import SEPARATE, Split, make_split
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.map_filter import MapFilter
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
    sizes : mapping
        Pixels that taught, chose and tested.
    seconds : float
        Of the second training and its map.
    note : str
    """

    seed: int
    metrics: Metrics | None
    sizes: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "protocol": PROTOCOL,
            "seed": self.seed,
            "metrics": self.metrics.to_dict() if self.metrics else None,
            "split": dict(self.sizes),
            "seconds": round(self.seconds, 3),
            "note": self.note,
        }


def needs_it(protocol: str) -> bool:
    """Tell whether the test pixels of a protocol have trained neighbours."""
    return protocol.upper() not in (*SEPARATE, "FIX", "ALL")


def blocks_like(labels: NDArray[Any], split: Split) -> Split:
    """Return separate blocks in which each class has no more labels than in a split.

    Parameters
    ----------
    labels : integer array of shape (rows, cols)
        0 is unlabelled.
    split : Split
        Of the same labels; its seed is taken.

    Raises
    ------
    BadInput
        The labels cannot be parted.
    """
    made = make_split(labels, PROTOCOL, split.seed)
    flat, rng = labels.ravel(), np.random.default_rng(split.seed)
    kept = []
    for part in ("train", "val"):
        mine, most = getattr(made, part), np.bincount(flat[getattr(split, part)], minlength=256)
        members = [rng.permutation(mine[flat[mine] == value]) for value in np.unique(flat[mine])]
        chosen = [some[: most[flat[some[0]]]] for some in members]
        kept.append(np.sort(np.concatenate([np.empty(0, np.int64), *chosen])))
    train, val = kept
    return replace(made, train=train, val=val)


def measure_apart(
    scene: Scene,
    labels: Labels,
    model_id: str,
    split: Split,
    *,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    smooth: MapFilter | None = None,
    progress: Progress | None = None,
) -> Apart:
    """Train a model once more on separate blocks and measure it there.

    What cannot be (labels that lie in one block) says so in the note, and fails nothing.

    Parameters
    ----------
    split : Split
        Of the first training.

    Raises
    ------
    Cancelled
        The user stopped it.
    """
    from backends.hyperspectral.classify import classify

    try:
        blocks = blocks_like(labels.values, split)
        result = classify(
            scene,
            labels,
            model_id,
            split=blocks,
            device=device,
            settings=settings,
            smooth=smooth,
            progress=progress,
        )
    except ClearbandError as error:
        said = f"Separate blocks could not be measured: {error.sentence}"
        return Apart(split.seed, None, note=said)
    seconds = result.train_seconds + result.predict_seconds
    sizes = blocks.sizes()
    if result.metrics is None:
        note = "Separate blocks could not be measured: no label is left to test on."
        return Apart(split.seed, None, sizes, seconds, note)
    note = result.curve.note if result.curve is not None else ""
    return Apart(split.seed, result.metrics, sizes, seconds, note)
