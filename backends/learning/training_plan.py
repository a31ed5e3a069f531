"""How a network is taught, and how it went so far; plain values, no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from backends.errors import WrongUse

SCOPES = ("full", "late", "head")
BALANCE = ("weights", "sampling", "none")


@dataclass(frozen=True)
class TrainingPlan:
    """How a network is trained.

    Attributes
    ----------
    epochs : int
    batch : int
        Images a step, about: an epoch is cut into batches of even size.
    learning_rate : float
        Highest, after the warm-up; then a cosine down to 1 % of it.
    body_rate : float
        Factor on it for everything but the last layer.
    weight_decay : float
        AdamW's; not on biases and norms.
    warm_up : float
        Epochs.
    scope : str
        ``"full"`` trains everything, ``"late"`` the later half of the layers and the last one,
        ``"head"`` the last layer only (linear probe). What is not trained is frozen with its
        running statistics.
    balance : str
        ``"weights"`` weighs classes by the inverse of their number, ``"sampling"`` draws them
        equally often, ``"none"``.
    label_smoothing : float
    patience : int
        Epochs without a better validation macro F1 after which it ends; 0 = never.
    mixed : bool
        Half precision on CUDA.
    fixed_norms : bool
        Batch norms keep their running statistics: for small batches, and needed where weights
        were published with the norms folded into them.
    seed : int
    """

    epochs: int = 30
    batch: int = 32
    learning_rate: float = 1e-3
    body_rate: float = 1.0
    weight_decay: float = 1e-4
    warm_up: float = 1.0
    scope: str = "full"
    balance: str = "weights"
    label_smoothing: float = 0.05
    patience: int = 6
    mixed: bool = True
    fixed_norms: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise WrongUse(f"What is trained is one of: {', '.join(SCOPES)}.")
        if self.balance not in BALANCE:
            raise WrongUse(f"Classes are balanced by one of: {', '.join(BALANCE)}.")
        if self.epochs < 1 or self.batch < 2 or self.patience < 0:
            raise WrongUse("A training needs at least one epoch and two images a step.")
        if not (0 < self.learning_rate < 10 and 0 <= self.body_rate <= 10):
            raise WrongUse("That learning rate makes no sense.", way_out="Try 0.001.")
        if not (0 <= self.label_smoothing < 1 and self.weight_decay >= 0 and self.warm_up >= 0):
            raise WrongUse("Smoothing lies between 0 and 1; decay and warm-up are not negative.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class EpochFigures:
    """One epoch, looked back on. Accuracy and F1 0 to 1; None without validation images."""

    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    seconds: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_macro_f1: float | None = None


@dataclass(frozen=True)
class ImageCurve:
    """How a training went so far; handed over as a partial result.

    Attributes
    ----------
    epochs : int
        Planned.
    steps_per_epoch : int
    loss : tuple of float
        Of every step.
    done : tuple of EpochFigures
    best_epoch : int
        Its state is kept; 0 before there is one.
    ended : str
        Why it ended before the plan; empty otherwise.
    """

    epochs: int
    steps_per_epoch: int
    loss: tuple[float, ...] = ()
    done: tuple[EpochFigures, ...] = ()
    best_epoch: int = 0
    ended: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "epochs": self.epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "best_epoch": self.best_epoch,
            "ended": self.ended,
            "done": [asdict(figures) for figures in self.done],
        }


def rate_factor(step: int, steps: int, plan: TrainingPlan) -> float:
    """Return the learning rate of a step in parts of the highest: warm-up, then a cosine."""
    warm = round(plan.warm_up * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    part = (step - warm) / max(1, plan.epochs * steps - warm)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, part)))
