"""The training loop of the networks: live figures, stoppable at every step."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from backends.errors import BadInput
from backends.hyperspectral.batches import Batches, TrainingPixels, Validation
from backends.hyperspectral.networks import PixelNetwork
from backends.hyperspectral.precision import autocast, training_precision
from backends.jobs import Progress


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained.

    Attributes
    ----------
    steps : int
        Optimiser steps.
    learning_rate, final_rate : float
        Cosine from one to the other, after ``warm_up`` steps.
    grad_clip : float
        Largest norm of the gradient.
    pixels_per_step : int
        Pixels the network sees together in a step; at most half of them labelled, the
        others fill the lists as the whole scene does in the map.
    validate_every : int
        Steps between two looks at the validation pixels.
    balanced : bool
        Weigh classes by the inverse of their number of pixels.
    brightness, noise : float
        Standard deviations of a factor a pixel and of noise a band, drawn anew in each step
        (stretched units): light and sensor vary more than a few labels show.
    mixed_precision : str
        ``"on"``, ``"off"`` or ``"auto"`` (on where a CUDA device has bfloat16), see
        `precision`.
    """

    steps: int = 200
    learning_rate: float = 3e-3
    final_rate: float = 1e-5
    warm_up: int = 10
    grad_clip: float = 1.0
    weight_decay: float = 0.0
    pixels_per_step: int = 1024
    validate_every: int = 20
    balanced: bool = False
    brightness: float = 0.1
    noise: float = 0.02
    mixed_precision: str = "auto"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingCurve:
    """How the training went so far; handed over as a partial result.

    Attributes
    ----------
    steps : int
        Steps planned in all, those of an earlier training counted in.
    step, loss, train_accuracy, rate : tuples
        One entry a step; loss is the cross-entropy, accuracy 0 to 1, rate the learning rate.
    val_step, val_accuracy, val_average : tuples
        One entry a validation: overall accuracy, and the mean over classes.
    best_step : int
        The state of this step is kept (the last where nothing validates).
    began_at : int
        Steps that an earlier training had done.
    stopped_at : int
        The step at which the user ended it; 0 where it went to its end.
    series : mapping of str to tuple
        What the network says of itself, see `PixelNetwork.diagnostics`; one entry a step.
    """

    steps: int
    step: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    train_accuracy: tuple[float, ...] = ()
    rate: tuple[float, ...] = ()
    val_step: tuple[int, ...] = ()
    val_accuracy: tuple[float, ...] = ()
    val_average: tuple[float, ...] = ()
    best_step: int = 0
    began_at: int = 0
    stopped_at: int = 0
    series: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Steps done in all."""
        return self.step[-1] if self.step else self.began_at

    @property
    def note(self) -> str:
        """What to know of a training that the user ended early; else nothing."""
        if not self.stopped_at:
            return ""
        return (
            f"Training was stopped at step {self.stopped_at} of {self.steps}; the state of "
            f"step {self.best_step} is used."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }
        values["series"] = {name: list(value) for name, value in self.series.items()}
        return values


def train_network(
    network: PixelNetwork,
    pixels: TrainingPixels,
    settings: TrainingSettings,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    watch: Callable[[int], None] | None = None,
    after: int = 0,
) -> TrainingCurve:
    """Train in place; the network ends in its best validated state.

    The user may end it early (`Progress.enough`): the best state so far is then taken.

    Parameters
    ----------
    watch : callable, optional
        Told the number of each step when it is done; may look at the network, not change it.
    after : int
        Steps that the network has behind it, where this goes on with a training. What it
        brings then competes with what comes.

    Raises
    ------
    Cancelled
        The user stopped it; the network is then in no particular state.
    BadInput
        The figures left the finite numbers.
    """
    progress = progress or Progress()
    progress.start(settings.steps, "steps", "training")
    progress.keeps = True
    # Going on draws other pixels than the beginning did.
    batches = Batches(
        network, pixels, settings.pixels_per_step, (seed, after) if after else seed, device
    )
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    weight = _class_weights(pixels, settings, device)
    precision = training_precision(settings.mixed_precision, device)
    log = _Log(after, settings.steps)
    best = _Best()
    if after and pixels.val.size:
        found = batches.validate()
        log.validated(0, found)
        best.look(network, 0, found.accuracy, late=True)
    for step in range(1, settings.steps + 1):
        progress.check()
        rate = _rate(step, settings)
        for group in optimiser.param_groups:
            group["lr"] = rate
        network.train()
        arguments, target, labelled = batches.training(settings.brightness, settings.noise)
        with autocast(device, precision):
            logits = network(**arguments)[0][:labelled].float()
            loss = functional.cross_entropy(logits, target, weight=weight, ignore_index=-1)
            whole = loss + network.extra_loss
        optimiser.zero_grad(set_to_none=True)
        whole.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.grad_clip)
        optimiser.step()
        network.after_step()
        if watch is not None:
            watch(step)
        value = loss.item()
        if not math.isfinite(value):
            raise BadInput(
                "The training ran away: its loss is no longer a number.",
                way_out="Choose a smaller learning rate.",
            )
        accuracy = float((logits.argmax(1) == target).float().mean())
        log.step(step, value, accuracy, rate)
        log.note(network.diagnostics())
        ends = progress.enough and step < settings.steps
        last = ends or step == settings.steps
        if pixels.val.size and (last or step % settings.validate_every == 0):
            found = batches.validate()
            log.validated(step, found)
            late = bool(after) or step >= settings.steps // 2
            best.look(network, step, found.accuracy, late=late)
        log.best_step = best.step if best.state is not None else step
        if ends:
            log.stopped_at = step
        progress.partial_from(log.curve, force=last)
        progress.text = log.words()
        progress.advance()
        if ends:
            break
    progress.keeps = False
    if best.state is not None:
        network.load_state_dict(best.state)
    network.eval()
    return log.curve()


class _Best:
    """The best validated state.

    Early states sometimes shine on few validation pixels; later is smoother. So once the
    second half has begun, those before count no more.
    """

    def __init__(self) -> None:
        self.state: dict[str, Tensor] | None = None
        self.accuracy = -1.0
        self.step = 0
        self.late = False

    def look(self, network: PixelNetwork, step: int, accuracy: float, *, late: bool) -> None:
        """Keep the state if it is as good as the best or better."""
        if late and not self.late:
            self.late, self.accuracy = True, -1.0
        if accuracy >= self.accuracy:
            self.accuracy, self.step = accuracy, step
            self.state = copy.deepcopy(network.state_dict())


class _Log:
    """The curve in the making; steps are counted from the beginning of this training."""

    def __init__(self, after: int, steps: int) -> None:
        self.after, self.steps = after, steps
        self.each: tuple[list[Any], ...] = ([], [], [], [])
        self.validations: tuple[list[Any], ...] = ([], [], [])
        self.series: dict[str, list[float]] = {}
        self.best_step = 0
        self.stopped_at = 0

    def step(self, step: int, loss: float, accuracy: float, rate: float) -> None:
        for values, new in zip(self.each, (self.after + step, loss, accuracy, rate), strict=True):
            values.append(new)

    def note(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.series.setdefault(name, []).append(value)

    def validated(self, step: int, found: Validation) -> None:
        row = (self.after + step, found.accuracy, found.average)
        for values, new in zip(self.validations, row, strict=True):
            values.append(new)

    def words(self) -> str:
        _, loss, accuracy, rate = (values[-1] for values in self.each)
        text = f"loss {loss:.3f}, accuracy {100 * accuracy:.1f} %"
        if self.validations[0]:
            overall, average = (100 * values[-1] for values in self.validations[1:])
            text += f", validation {overall:.1f} % (average {average:.1f} %)"
        return f"{text}, rate {rate:.1e}"

    def curve(self) -> TrainingCurve:
        step, loss, accuracy, rate = map(tuple, self.each)
        val_step, val_accuracy, val_average = map(tuple, self.validations)
        return TrainingCurve(
            self.after + self.steps,
            step,
            loss,
            accuracy,
            rate,
            val_step,
            val_accuracy,
            val_average,
            self.after + self.best_step,
            self.after,
            self.after + self.stopped_at if self.stopped_at else 0,
            {name: tuple(values) for name, values in self.series.items()},
        )


def _rate(step: int, settings: TrainingSettings) -> float:
    if step <= settings.warm_up:
        return settings.learning_rate * step / settings.warm_up
    part = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    cosine = 0.5 * (1 + math.cos(math.pi * part))
    return settings.final_rate + (settings.learning_rate - settings.final_rate) * cosine


def _class_weights(
    pixels: TrainingPixels, settings: TrainingSettings, device: str
) -> Tensor | None:
    if not settings.balanced:
        return None
    counts = np.bincount(pixels.target[pixels.train])
    weight = np.where(counts > 0, counts.sum() / np.maximum(counts, 1), 0.0)
    weight /= weight[counts > 0].mean()
    return torch.tensor(weight, dtype=torch.float32, device=device)
