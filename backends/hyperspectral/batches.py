"""The pixels of one step of a training, and those it is validated on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.hyperspectral.features import PixelFeatures, SceneParts
from backends.hyperspectral.networks import PixelNetwork


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


@dataclass(frozen=True)
class Validation:
    """How many validation pixels are right.

    Attributes
    ----------
    accuracy : float
        Of all pixels, 0 to 1.
    average : float
        Mean over the classes that have pixels.
    """

    accuracy: float
    average: float


class Batches:
    """Draws the pixels of a step: labelled first, then others.

    Parameters
    ----------
    network : PixelNetwork
    pixels : TrainingPixels
    size : int
        Pixels a step.
    seed : int or tuple of int
    device : str
    """

    def __init__(
        self,
        network: PixelNetwork,
        pixels: TrainingPixels,
        size: int,
        seed: int | tuple[int, ...],
        device: str,
    ) -> None:
        self.network, self.pixels, self.size = network, pixels, size
        self.rng = np.random.default_rng(seed)
        self.device = device
        self.others = np.setdiff1d(
            np.arange(len(pixels.features)), np.concatenate([pixels.train, pixels.val])
        )
        if pixels.parts is not None:
            self.images = self._again(pixels.parts)

    def training(self, brightness: float, noise: float) -> tuple[dict[str, Tensor], Tensor, int]:
        """Return the network's arguments, the target and how many pixels have one.

        Parameters
        ----------
        brightness, noise : float
            Standard deviations of a factor a pixel and of noise a band; not for whole images.
        """
        if self.pixels.parts is not None:
            return next(self.images)
        size = self.size
        most = max(1, size // 2) if self.network.company else size
        labelled = self._draw(self.pixels.train, most)
        index = self._fill(labelled, size)
        target = torch.from_numpy(self.pixels.target[labelled]).to(self.device)
        arguments = self._arguments(index)
        if brightness or noise:
            factor = 1 + brightness * torch.randn(len(index), 1, device=self.device)
            for name in ("spectra", "around", "patches"):
                if name in arguments:
                    value = arguments[name]
                    grain = noise * torch.randn_like(value)
                    own = factor.reshape(-1, *[1] * (value.ndim - 1))
                    arguments[name] = value * own + grain
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

    def validate(self) -> Validation:
        """Return how many of the validation pixels are right."""
        right: dict[int, list[bool]] = {}
        for logits, target in self._answers():
            same = (logits.argmax(1) == target).tolist()
            for number, good in zip(target.tolist(), same, strict=True):
                right.setdefault(number, []).append(good)
        count = sum(map(len, right.values()))
        return Validation(
            sum(map(sum, right.values())) / count,
            sum(sum(found) / len(found) for found in right.values()) / len(right),
        )

    def scores(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the logits of the validation pixels, (pixels, classes), and their classes."""
        found = list(self._answers())
        logits = torch.cat([a for a, _ in found]).double().cpu().numpy()
        return logits, torch.cat([t for _, t in found]).cpu().numpy()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _answers(self) -> list[tuple[Tensor, Tensor]]:
        """Return logits and classes of the validation pixels, part by part."""
        self.network.eval()
        out = []
        if self.pixels.parts is not None:
            for arguments, target, _ in self._images(self.pixels.parts, self.pixels.val):
                out.append((self.network(**arguments)[0], target))
            return out
        rng = np.random.default_rng(0)  # the same company each time
        for part in np.array_split(self.pixels.val, -(-self.pixels.val.size // self.size)):
            index = self._fill(part, max(self.size, 2 * part.size), rng)
            logits = self.network(**self._arguments(index))[0][: part.size]
            out.append((logits, torch.from_numpy(self.pixels.target[part]).to(self.device)))
        return out

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
