"""What must be said of a map before any measure: how concentrated it is, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Methods that add up the channels of one layer; weak where a network looks everywhere at once.
CAM_METHODS = (
    "grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam", "score_cam",
)  # fmt: skip


@dataclass(frozen=True)
class Explained:
    """What was explained, as far as the trust card must know.

    Attributes
    ----------
    name : str
        Of the class or region.
    probability : float or None
        The network's, 0 to 1.
    classes : int or None
        How many there are.
    method : str
        Id of the explainer.
    tokens : bool
        Whether the network works on tokens (ViT).
    rank : int or None
        Place of the class in the network's answer, 1 for the first.
    """

    name: str = ""
    probability: float | None = None
    classes: int | None = None
    method: str = ""
    tokens: bool = False
    rank: int | None = None


@dataclass(frozen=True)
class State:
    """Something a person must know about a map.

    Attributes
    ----------
    id : str
    sentence : str
    fails : bool
        Whether the map cannot be believed at all; else it only weakens it.
    """

    id: str
    sentence: str
    fails: bool = False


def states(values: NDArray[Any], target: Explained) -> tuple[State, ...]:
    """Return what is wrong with a map, in words.

    Parameters
    ----------
    values : float array of shape (rows, cols)
        Raw and signed: a map stretched or clipped before hides what is asked here.
    """
    found: list[State] = []
    if not np.isfinite(values).all():
        found.append(State("not_finite", "The map holds values that are no numbers.", True))
    elif not np.any(values):
        found.append(
            State("zero_gradient", "The map is zero everywhere: no gradient reached it.", True)
        )
    elif not np.ptp(values):
        found.append(State("flat", "The map is the same everywhere; it points nowhere.", True))
    elif values.max() <= 0:
        found.append(
            State(
                "all_negative",
                "The map is negative everywhere: nothing here speaks for the class "
                "(a map cut at zero would be empty).",
            )
        )
    if target.probability is not None and target.classes:
        chance = 1.0 / target.classes
        if target.probability < chance:
            found.append(
                State(
                    "below_chance",
                    f"The network gives {_class(target)} {100 * target.probability:.2g} %, less "
                    f"than chance ({100 * chance:.2g} %): the map explains an answer it does "
                    "not give.",
                )
            )
    if target.tokens and target.method in CAM_METHODS:
        found.append(
            State(
                "vit",
                "On networks that work on tokens (ViT) this method is known to be weak; "
                "compare with attention gradients or token occlusion.",
            )
        )
    return tuple(found)


def peakedness(values: NDArray[Any]) -> float:
    """Return P: 1 − entropy of the positive part / log(pixels), 0 (even) to 1 (one pixel)."""
    positive = np.maximum(np.asarray(values, np.float64), 0).ravel()
    total = float(positive.sum())
    if total <= 0 or positive.size < 2:
        return 0.0
    part = positive[positive > 0] / total
    entropy = -float((part * np.log(part)).sum())
    return float(np.clip(1.0 - entropy / np.log(positive.size), 0.0, 1.0))


def gini(values: NDArray[Any]) -> float:
    """Return the Gini index of the positive part, 0 (even) to nearly 1 (one pixel)."""
    ordered = np.sort(np.maximum(np.asarray(values, np.float64), 0), axis=None)
    total, n = float(ordered.sum()), ordered.size
    if total <= 0:
        return 0.0
    place = np.arange(1, n + 1)
    return float((2 * (place * ordered).sum() / (n * total)) - (n + 1) / n)


def _class(target: Explained) -> str:
    return f"“{target.name}”" if target.name else "the class"
