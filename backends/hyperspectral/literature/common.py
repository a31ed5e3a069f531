"""What the networks of the literature share: checked settings and principal components."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.errors import WrongUse
from backends.hyperspectral.networks import PixelNetwork, go_on
from backends.hyperspectral.precision import exact

# A training by epochs takes no more steps than these, however many labels there are.
MOST_STEPS = 500
# Of the spread of the first component; below it a component is noise and is not blown up.
SMALLEST = 1e-4


@dataclass(frozen=True)
class LiteratureSettings:
    """Sizes of a network, and how the trainer treats it.

    Attributes
    ----------
    limits : mapping of str to (low, high)
        What each setting may be.
    training : mapping
        Training settings that differ from the common ones; ``epochs`` in the place of
        ``steps`` where a published recipe counts passes over the training pixels.
    """

    context: ClassVar[int] = 1
    company: ClassVar[bool] = False
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}
    training: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def recipe(cls, pixels: int, scene_pixels: int) -> dict[str, Any]:
        """Return the training settings for a number of training pixels, and of the scene."""
        out = dict(cls.training)
        if "epochs" in out:
            a_pass = math.ceil(max(1, pixels) / out["pixels_per_step"])
            out["steps"] = min(MOST_STEPS, out.pop("epochs") * a_pass)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def check(self) -> None:
        """Refuse sizes that make no network.

        Raises
        ------
        WrongUse
            A setting lies outside of its limits, or the side of a patch is even.
        """
        for item in fields(self):
            value = getattr(self, item.name)
            low, high = self.limits[item.name]
            if not low <= value <= high:
                raise WrongUse(
                    f"The setting {item.name} must be between {low} and {high}, not {value}."
                )
            if item.name == "patch" and value % 2 == 0:
                raise WrongUse(f"The side of a patch must be odd, not {value}.")


class SceneNetwork(PixelNetwork):
    """A network that sees more of the scene than single spectra."""

    company = False

    def forward(
        self,
        spectra: Tensor,
        *,
        around: Tensor | None = None,
        places: Tensor | None = None,
        valid: Tensor | None = None,
        patches: Tensor | None = None,
        image: Tensor | None = None,
        chosen: Tensor | None = None,
        record: bool = False,
        poll: Callable[[], None] = go_on,
    ) -> tuple[Tensor, list[Any]]:
        """Classify pixels, see `PixelNetwork.forward`.

        Parameters
        ----------
        spectra : tensor of shape (pixels, bands)
        patches : tensor of shape (pixels, patch, patch, bands), optional
            Squares of spectra around the pixels; needed when ``patch > 1``.
        image : tensor of shape (rows, cols, bands), optional
            Needed when ``whole_image``; when ``dense``, a rectangle with half a patch more
            on every side, which can take the place of ``patches``.
        chosen : int64 tensor, optional
            Numbers of the pixels of ``image`` to answer for; all of them without.
        """
        if self.whole_image:
            if image is None:
                raise ValueError("this network reads images")
            logits = self.of_image(image, poll).flatten(0, 1)
            return (logits if chosen is None else logits[chosen]), []
        if image is not None:
            return self.of_image(image, poll).flatten(0, 1), []
        if self.patch > 1 and patches is None:
            raise ValueError("this network reads patches")
        return self.of_pixels(spectra if patches is None else patches), []

    def of_pixels(self, seen: Tensor) -> Tensor:
        """Return the logits (pixels, classes) of spectra (pixels, bands) or patches."""
        raise TypeError(f"{type(self).__name__} does not read pixels")

    def of_image(self, image: Tensor, poll: Callable[[], None]) -> Tensor:
        """Return the logits (rows, cols, classes) of an image, without its margin."""
        raise TypeError(f"{type(self).__name__} does not read images")


class Components(nn.Module):
    """Principal components of the training spectra, whitened; fixed once they are fitted.

    The published recipes fit them to the whole scene, test pixels included; here only the
    training pixels count.

    Parameters
    ----------
    bands, count : int
        ``count`` is at most ``bands``.
    """

    mean: Tensor
    weight: Tensor

    def __init__(self, bands: int, count: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("weight", torch.eye(bands)[:, :count].clone())

    @property
    def count(self) -> int:
        """Number of components."""
        return int(self.weight.shape[1])

    def fit(self, spectra: NDArray[np.float32]) -> None:
        """Take the components of spectra, shape (pixels, bands)."""
        values = spectra.astype(np.float64)
        mean = values.mean(axis=0)
        _, size, axes = np.linalg.svd(values - mean, full_matrices=True)
        spread = np.zeros(len(axes))
        spread[: len(size)] = size / np.sqrt(max(1, len(values) - 1))
        spread = np.maximum(spread, SMALLEST * max(spread[0], 1e-12))
        weight = (axes / spread[:, None])[: self.count].T
        # Directions without any spread in the training pixels say nothing.
        weight[:, min(len(values) - 1, self.count) :] = 0
        self.mean.copy_(torch.from_numpy(mean))
        self.weight.copy_(torch.from_numpy(weight))

    def forward(self, spectra: Tensor) -> Tensor:
        """Turn (..., bands) into (..., count)."""
        with exact(spectra):
            return (spectra - self.mean) @ self.weight


def components_for(bands: int, components: int) -> int:
    """Return the number of components: as many as asked; 0 takes 30, or 15 of up to 120 bands."""
    return min(bands, components or (15 if bands <= 120 else 30))
