"""The training loop of the networks: live figures, stoppable at every step."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from backends.errors import BadInput
from backends.hyperspectral.features import PixelFeatures, SceneParts
from backends.hyperspectral.networks import PixelNetwork
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingCurve:
    """How the training went so far; handed over as a partial result.

    Attributes
    ----------
    steps : int
        Steps planned.
    step, loss, train_accuracy : tuples
        One entry a step; loss is the cross-entropy, accuracy 0 to 1.
    val_step, val_accuracy : tuples
        One entry a validation.
    best_step : int
        The state of this step is kept (the last where nothing validates).
    series : mapping of str to tuple
        What the network says of itself, see `PixelNetwork.diagnostics`; one entry a step.
    """

    steps: int
    step: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    train_accuracy: tuple[float, ...] = ()
    val_step: tuple[int, ...] = ()
    val_accuracy: tuple[float, ...] = ()
    best_step: int = 0
    series: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }
        values["series"] = {name: list(value) for name, value in self.series.items()}
        return values


@dataclass(frozen=True, eq=False)
class TrainingPixels:
    """What the trainer is given.

    Attributes
    ----------
    features : PixelFeatures
        Labelled and unlabelled pixels.
    target : int64 array of shape (pixels,)
        Class numbers from 0; -1 is ignored.
    train, val : int64 arrays
        Positions in ``features``.
    parts : SceneParts, optional
        The scene itself, for a network that reads whole images.
    """

    features: PixelFeatures
    target: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    parts: SceneParts | None = None


def train_network(
    network: PixelNetwork,
    pixels: TrainingPixels,
    settings: TrainingSettings,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    watch: Callable[[int], None] | None = None,
) -> TrainingCurve:
    """Train in place; the network ends in its best validated state.

    Parameters
    ----------
    watch : callable, optional
        Told the number of each step when it is done; may look at the network, not change it.

    Raises
    ------
    Cancelled
        The user stopped it; the network is then in no particular state.
    BadInput
        The figures left the finite numbers.
    """
    progress = progress or Progress()
    progress.start(settings.steps, "steps", "training")
    batches = _Batches(network, pixels, settings, seed, device)
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    weight = _class_weights(pixels, settings, device)
    log = _Log(settings.steps)
    best: dict[str, Tensor] | None = None
    best_accuracy = -1.0
    for step in range(1, settings.steps + 1):
        progress.check()
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, settings)
        network.train()
        arguments, target, labelled = batches.training()
        logits = network(**arguments)[0][:labelled]
        loss = functional.cross_entropy(logits, target, weight=weight, ignore_index=-1)
        optimiser.zero_grad(set_to_none=True)
        (loss + network.extra_loss).backward()
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
        log.step(step, value, accuracy)
        log.note(network.diagnostics())
        last = step == settings.steps
        if pixels.val.size and (last or step % settings.validate_every == 0):
            found = batches.validate()
            log.validated(step, found)
            # Early states sometimes shine on few validation pixels; later is smoother.
            if found >= best_accuracy and step >= settings.steps // 2:
                best_accuracy, log.best_step = found, step
                best = copy.deepcopy(network.state_dict())
        progress.partial(log.curve(), force=last)
        progress.text = f"loss {value:.3f}, accuracy {100 * accuracy:.1f} %"
        progress.advance()
    if best is not None:
        network.load_state_dict(best)
    network.eval()
    return log.curve()


class _Log:
    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.lists: tuple[list[Any], ...] = ([], [], [], [], [])
        self.series: dict[str, list[float]] = {}
        self.best_step = steps

    def note(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.series.setdefault(name, []).append(value)

    def step(self, step: int, loss: float, accuracy: float) -> None:
        for values, new in zip(self.lists[:3], (step, loss, accuracy), strict=True):
            values.append(new)

    def validated(self, step: int, accuracy: float) -> None:
        self.lists[3].append(step)
        self.lists[4].append(accuracy)

    def curve(self) -> TrainingCurve:
        step, loss, accuracy, val_step, val_accuracy = (tuple(v) for v in self.lists)
        series = {name: tuple(values) for name, values in self.series.items()}
        return TrainingCurve(
            self.steps, step, loss, accuracy, val_step, val_accuracy, self.best_step, series
        )


class _Batches:
    """Draws the pixels of a step: labelled first, then others."""

    def __init__(
        self,
        network: PixelNetwork,
        pixels: TrainingPixels,
        settings: TrainingSettings,
        seed: int,
        device: str,
    ) -> None:
        self.network, self.pixels, self.settings = network, pixels, settings
        self.rng = np.random.default_rng(seed)
        self.device = device
        self.others = np.setdiff1d(
            np.arange(len(pixels.features)), np.concatenate([pixels.train, pixels.val])
        )
        if pixels.parts is not None:
            self.images = self._again(pixels.parts)

    def training(self) -> tuple[dict[str, Tensor], Tensor, int]:
        if self.pixels.parts is not None:
            return next(self.images)
        size = self.settings.pixels_per_step
        most = max(1, size // 2) if self.network.company else size
        labelled = self._draw(self.pixels.train, most)
        index = self._fill(labelled, size)
        target = torch.from_numpy(self.pixels.target[labelled]).to(self.device)
        arguments = self._arguments(index)
        if self.settings.brightness or self.settings.noise:
            factor = 1 + self.settings.brightness * torch.randn(len(index), 1, device=self.device)
            for name in ("spectra", "around", "patches"):
                if name in arguments:
                    value = arguments[name]
                    noise = self.settings.noise * torch.randn_like(value)
                    own = factor.reshape(-1, *[1] * (value.ndim - 1))
                    arguments[name] = value * own + noise
        return arguments, target, len(labelled)

    def _images(
        self, parts: SceneParts, positions: NDArray[np.int64]
    ) -> Iterator[tuple[dict[str, Tensor], Tensor, int]]:
        """Yield each part of the scene that holds some of the pixels, with those pixels."""
        for number in range(len(parts.windows)):
            mine, chosen = parts.inside(number, positions)
            if not mine.size:
                continue
            image = torch.from_numpy(parts.image(number)).to(self.device)
            arguments = {
                "spectra": image.flatten(0, 1),
                "image": image,
                "chosen": torch.from_numpy(chosen).to(self.device),
            }
            target = torch.from_numpy(self.pixels.target[mine]).to(self.device)
            yield arguments, target, mine.size

    def _again(self, parts: SceneParts) -> Iterator[tuple[dict[str, Tensor], Tensor, int]]:
        while True:
            yield from self._images(parts, self.pixels.train)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def validate(self) -> float:
        """Return the accuracy on all validation pixels."""
        self.network.eval()
        size = self.settings.pixels_per_step
        right = 0
        if self.pixels.parts is not None:
            seen = 0
            for arguments, target, count in self._images(self.pixels.parts, self.pixels.val):
                right += int((self.network(**arguments)[0].argmax(1) == target).sum())
                seen += count
            return right / seen
        rng = np.random.default_rng(0)  # the same company each time
        for part in np.array_split(self.pixels.val, -(-self.pixels.val.size // size)):
            index = self._fill(part, max(size, 2 * part.size), rng)
            logits = self.network(**self._arguments(index))[0][: part.size]
            target = torch.from_numpy(self.pixels.target[part]).to(self.device)
            right += int((logits.argmax(1) == target).sum())
        return right / self.pixels.val.size

    def _draw(
        self, pool: NDArray[np.int64], most: int, rng: np.random.Generator | None = None
    ) -> NDArray[np.int64]:
        if pool.size <= most:
            return pool
        return (rng or self.rng).choice(pool, most, replace=False)

    def _fill(
        self, first: NDArray[np.int64], size: int, rng: np.random.Generator | None = None
    ) -> NDArray[np.int64]:
        if not self.network.company:
            return first
        return np.concatenate([first, self._draw(self.others, max(0, size - first.size), rng)])

    def _arguments(self, index: NDArray[np.int64]) -> dict[str, Tensor]:
        return network_arguments(self.network, self.pixels.features.take(index), self.device)


def network_arguments(
    network: PixelNetwork, features: PixelFeatures, device: str
) -> dict[str, Tensor]:
    """Return the features as the network's arguments, on its device."""
    out = {"spectra": torch.from_numpy(features.spectra).to(device)}
    if network.context > 1 and features.around is not None:
        out["around"] = torch.from_numpy(features.around).to(device)
    if network.patch > 1 and features.patches is not None:
        out["patches"] = torch.from_numpy(features.patches.gather()).to(device)
    if network.position:
        out["places"] = torch.from_numpy(features.places).to(device)
    if not features.valid.all():
        out["valid"] = torch.from_numpy(features.valid).to(device)
    return out


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
