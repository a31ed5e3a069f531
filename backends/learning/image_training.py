"""The training loop for classifiers of images: live curves, stop, keep, resume.

A training that is stopped and resumed from its checkpoint ends in the same weights as one
that never stopped: order, changes of the images and dropout are drawn anew in each epoch from
the seed and the number of the epoch alone.
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from backends.errors import BadInput
from backends.jobs import Progress
from backends.learning.augment import Augmentation, augment
from backends.learning.image_metrics import ImageMetrics, image_metrics
from backends.learning.image_reading import BandScale, ImageReader
from backends.learning.learning_layers import (
    freeze,
    parameter_groups,
    set_training,
    stoppable,
)
from backends.learning.training_plan import EpochFigures, ImageCurve, TrainingPlan, rate_factor


@dataclass(frozen=True, eq=False)
class TaughtImages:
    """What the trainer is given.

    Attributes
    ----------
    reader : ImageReader
    label : int64 array of shape (images,)
    train, val : integer arrays
        Numbers of images.
    classes : tuple of str
    scale : BandScale
    mean, std : float32 arrays of shape (bands,)
        Of values 0..1.
    change : Augmentation
    """

    reader: ImageReader
    label: NDArray[np.int64]
    train: NDArray[np.intp]
    val: NDArray[np.intp]
    classes: tuple[str, ...]
    scale: BandScale
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    change: Augmentation

    def normal(self, unit: Tensor) -> Tensor:
        """Return images 0..1 as the network wants them."""
        mean = torch.from_numpy(self.mean).to(unit)[None, :, None, None]
        std = torch.from_numpy(self.std).to(unit)[None, :, None, None]
        return (unit - mean) / std


@dataclass
class TrainingState:
    """Everything a training goes on from.

    Attributes
    ----------
    epoch : int
        Epochs done.
    network, best : mapping of str to tensor
    optimiser, scaler : dict
        As PyTorch gives them.
    """

    epoch: int
    network: dict[str, Tensor]
    optimiser: dict[str, Any]
    curve: ImageCurve
    best: dict[str, Tensor] | None = None
    best_f1: float = -1.0
    scaler: dict[str, Any] = field(default_factory=dict)


def train_images(
    network: nn.Module,
    head: str,
    images: TaughtImages,
    plan: TrainingPlan,
    *,
    device: str = "cpu",
    state: TrainingState | None = None,
    keep: Callable[[TrainingState], None] | None = None,
    go_on: bool = True,
    progress: Progress | None = None,
) -> ImageCurve:
    """Train in place; the network ends in the state with the best validation macro F1.

    Parameters
    ----------
    network : nn.Module
        On ``device``.
    head : str
        Name of its last layer.
    state : TrainingState, optional
        Go on from here.
    keep : callable, optional
        Given the state after each epoch, to be written down.
    go_on : bool
        False trains no further than ``state``.
    progress : Progress, optional
        When it has ``enough``, the training ends after the running step and keeps what is
        best so far.

    Raises
    ------
    Cancelled
        The user stopped it; the last kept state is good for going on.
    BadInput
        The figures left the finite numbers, or the memory was not enough.
    """
    from backends.devices import is_out_of_memory

    progress = progress or Progress()
    loop = _Loop(network, head, images, plan, device, progress)
    try:
        with stoppable(network, progress):
            return loop.run(state, keep, go_on)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise BadInput(
            f"There was not enough memory for batches of {plan.batch} images.",
            way_out="Choose smaller batches or a smaller image size.",
            details=repr(error),
        ) from error


class _Loop:
    """The epochs of one training."""

    def __init__(
        self,
        network: nn.Module,
        head: str,
        images: TaughtImages,
        plan: TrainingPlan,
        device: str,
        progress: Progress,
    ) -> None:
        self.network, self.images, self.plan, self.device = network, images, plan, device
        self.progress = progress
        self.steps = max(1, math.ceil(images.train.size / plan.batch))
        self.frozen = freeze(network, head, plan.scope, fixed_norms=plan.fixed_norms)
        self.optimiser = torch.optim.AdamW(
            parameter_groups(network, head, plan), lr=plan.learning_rate, foreach=False
        )
        self.cuda = device.startswith("cuda")
        half = torch.float16
        if self.cuda and torch.cuda.is_bf16_supported():
            half = torch.bfloat16
        self.half = half if self.cuda and plan.mixed else None
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.half is torch.float16)
        self.weight = _class_weights(images, plan, device)
        self.best: dict[str, Tensor] | None = None
        self.best_f1 = -1.0
        self.curve = ImageCurve(plan.epochs, self.steps)

    def run(
        self,
        state: TrainingState | None,
        keep: Callable[[TrainingState], None] | None,
        go_on: bool,
    ) -> ImageCurve:
        first = self._resume(state) if state is not None else 1
        self.progress.start(self.plan.epochs * self.steps, "steps", "training")
        if first > 1:
            self.progress.advance((first - 1) * self.steps)
        self.progress.keeps = first > 1
        for epoch in range(first, self.plan.epochs + 1):
            if not go_on or self._is_over():
                break
            with torch.random.fork_rng(devices=[self.device] if self.cuda else []):
                torch.manual_seed(self.plan.seed * 1_000_003 + epoch)
                figures = self._epoch(epoch)
            if figures is None:  # enough, in the middle of an epoch
                break
            self._note(figures)
            if keep is not None:
                keep(self._state(epoch))
            self.progress.keeps = True
        self.progress.keeps = False
        if (self.progress.enough or not go_on) and len(self.curve.done) < self.plan.epochs:
            self._change_curve(ended="stopped by the user, best state kept")
        if self.best is not None:
            self.network.load_state_dict(self.best)
        self.network.eval()
        self.progress.partial(self.curve, force=True)
        return self.curve

    def _is_over(self) -> bool:
        if self.progress.enough:
            return True
        done, best = len(self.curve.done), self.curve.best_epoch
        waited = bool(self.plan.patience) and best > 0 and done - best >= self.plan.patience
        if waited:
            self._change_curve(
                ended=f"no better validation macro F1 for {self.plan.patience} epochs"
            )
        return waited

    def _epoch(self, epoch: int) -> EpochFigures | None:
        started, stood = time.monotonic(), self.progress.paused_seconds
        draw = torch.Generator().manual_seed(self.plan.seed * 7_919 + epoch)
        batches = self._order(draw)
        ahead: Future[NDArray[Any]] | None = self.images.reader.ahead(batches[0])
        lost, right, seen = 0.0, 0, 0
        rate = 0.0
        for number, batch in enumerate(batches):
            if self.progress.enough:
                return None
            self.progress.check()
            assert ahead is not None
            values = _wait_for(ahead, self.progress)
            ahead = (
                self.images.reader.ahead(batches[number + 1]) if number + 1 < len(batches) else None
            )
            rate = self._set_rate((epoch - 1) * self.steps + number)
            loss, hits = self._step(values, batch, draw)
            lost, right, seen = lost + loss * batch.size, right + hits, seen + batch.size
            self._change_curve(loss=(*self.curve.loss, loss))
            self.progress.partial(self.curve)
            self.progress.text = f"epoch {epoch}, loss {loss:.3f}"
            self.progress.advance()
        found = self._validate()
        return EpochFigures(
            epoch,
            lost / seen,
            right / seen,
            rate,
            time.monotonic() - started - (self.progress.paused_seconds - stood),
            None if found is None else found.cross_entropy,
            None if found is None else found.accuracy,
            None if found is None else found.macro_f1,
        )

    def _step(
        self, values: NDArray[Any], batch: NDArray[np.intp], draw: torch.Generator
    ) -> tuple[float, int]:
        set_training(self.network, self.frozen)
        unit = torch.from_numpy(self.images.scale.apply(values)).to(self.device)
        unit = augment(unit, self.images.change, draw)
        target = torch.from_numpy(self.images.label[batch]).to(self.device)
        with self._precision():
            logits = self.network(self.images.normal(unit))
            loss = functional.cross_entropy(
                logits.float(),
                target,
                weight=self.weight,
                label_smoothing=self.plan.label_smoothing,
            )
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        learnt = [p for p in self.network.parameters() if p.requires_grad]
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        value = float(loss.item())
        if not math.isfinite(value):
            raise BadInput(
                "The training ran away: its loss is no longer a number.",
                way_out="Choose a smaller learning rate.",
            )
        return value, int((logits.argmax(1) == target).sum())

    def _order(self, draw: torch.Generator) -> list[NDArray[np.intp]]:
        train = self.images.train
        if self.plan.balance == "sampling":
            counts = np.bincount(self.images.label[train], minlength=len(self.images.classes))
            weight = 1.0 / np.maximum(counts, 1)[self.images.label[train]]
            chosen = torch.multinomial(
                torch.from_numpy(weight), train.size, replacement=True, generator=draw
            )
        else:
            chosen = torch.randperm(train.size, generator=draw)
        return np.array_split(train[chosen.numpy()], self.steps)

    def _set_rate(self, step: int) -> float:
        factor = rate_factor(step, self.steps, self.plan)
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.learning_rate * group["part"] * factor
        return self.plan.learning_rate * factor

    def _validate(self) -> ImageMetrics | None:
        if not self.images.val.size:
            return None
        probability = predict_images(
            self.network, self.images, self.images.val, device=self.device,
            batch=self.plan.batch, half=self.half, progress=self.progress,
        )  # fmt: skip
        return image_metrics(self.images.label[self.images.val], probability, self.images.classes)

    def _note(self, figures: EpochFigures) -> None:
        best = self.curve.best_epoch
        score = figures.val_macro_f1
        if score is None or score > self.best_f1:
            self.best_f1 = -1.0 if score is None else score
            best = figures.epoch
            self.best = copy.deepcopy(self.network.state_dict())
        self._change_curve(done=(*self.curve.done, figures), best_epoch=best)
        self.progress.partial(self.curve, force=True)

    def _change_curve(self, **changes: Any) -> None:
        self.curve = ImageCurve(**{**_shallow(self.curve), **changes})

    def _precision(self) -> Any:
        if self.half is None:
            return contextlib.nullcontext()
        return torch.autocast("cuda", self.half)

    def _state(self, epoch: int) -> TrainingState:
        return TrainingState(
            epoch,
            self.network.state_dict(),
            self.optimiser.state_dict(),
            self.curve,
            self.best,
            self.best_f1,
            self.scaler.state_dict(),
        )

    def _resume(self, state: TrainingState) -> int:
        self.network.load_state_dict(state.network)
        self.optimiser.load_state_dict(state.optimiser)
        if state.scaler and self.scaler.is_enabled():
            self.scaler.load_state_dict(state.scaler)
        self.best, self.best_f1, self.curve = state.best, state.best_f1, state.curve
        return state.epoch + 1


def predict_images(
    network: nn.Module,
    images: TaughtImages,
    numbers: NDArray[np.intp],
    *,
    device: str = "cpu",
    batch: int = 32,
    half: torch.dtype | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Return class probabilities, shape (images, classes), in evaluation mode."""
    progress = progress or Progress()
    network.eval()
    parts: list[NDArray[np.float64]] = []
    with torch.no_grad():
        for start in range(0, numbers.size, batch):
            progress.check()
            values = images.reader.read(numbers[start : start + batch], progress)
            unit = torch.from_numpy(images.scale.apply(values)).to(device)
            with torch.autocast("cuda", half) if half is not None else contextlib.nullcontext():
                logits = network(images.normal(unit))
            parts.append(torch.softmax(logits.double(), 1).cpu().numpy())
    return np.concatenate(parts) if parts else np.empty((0, len(images.classes)))


def _class_weights(images: TaughtImages, plan: TrainingPlan, device: str) -> Tensor | None:
    if plan.balance != "weights":
        return None
    counts = np.bincount(images.label[images.train], minlength=len(images.classes))
    weight = np.where(counts > 0, counts.sum() / np.maximum(counts, 1), 0.0)
    weight /= weight[counts > 0].mean()
    return torch.tensor(weight, dtype=torch.float32, device=device)


def _wait_for(answer: Future[NDArray[Any]], progress: Progress) -> NDArray[Any]:
    while True:
        try:
            return answer.result(timeout=0.1)
        except TimeoutError:
            if answer.done():  # a reader's own timeout, not ours
                return answer.result()
            progress.check()


def _shallow(curve: ImageCurve) -> dict[str, Any]:
    return {name: getattr(curve, name) for name in ImageCurve.__dataclass_fields__}
