"""HybridSN: three convolutions over space and spectrum, one over space, two hidden layers.

After S. K. Roy et al., "HybridSN: Exploring 3-D-2-D CNN Feature Hierarchy for
Hyperspectral Image Classification", IEEE GRSL 17(2), 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.hyperspectral.literature.common import (
    Components,
    LiteratureSettings,
    SceneNetwork,
    components_for,
)
from backends.hyperspectral.networks import Known

FILTERS = (1, 8, 16, 32)
DEPTHS = (7, 5, 3)
PLANES = 64


@dataclass(frozen=True)
class HybridSettings(LiteratureSettings):
    """Size of the network.

    Attributes
    ----------
    patch : int
        Odd side of the square around a pixel, at least 9.
    components : int
        Principal components it reads; 0 takes 30, or 15 of up to 120 bands.
    hidden, last : int
        Units of the two hidden layers.
    dropout : float
    """

    patch: int = 25
    components: int = 0
    hidden: int = 256
    last: int = 128
    dropout: float = 0.4

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "patch": (9, 41),
        "components": (0, 512),
        "hidden": (1, 4096),
        "last": (1, 4096),
        "dropout": (0, 0.9),
    }
    training: ClassVar[Mapping[str, Any]] = {
        "epochs": 30,
        "learning_rate": 1e-3,
        "pixels_per_step": 32,
        "validate_every": 20,
        "brightness": 0.0,
        "noise": 0.0,
    }


class HybridSn(SceneNetwork):
    """The network; with fewer components than its kernels are deep, the kernels shrink.

    Parameters
    ----------
    bands, classes : int
    settings : HybridSettings
    """

    batch = 1024
    dense = True

    def __init__(self, bands: int, classes: int, settings: HybridSettings) -> None:
        super().__init__()
        self.patch = settings.patch
        count = components_for(bands, settings.components)
        self.components = Components(bands, count)
        layers: list[nn.Module] = []
        for inside, outside, depth in zip(FILTERS[:-1], FILTERS[1:], DEPTHS, strict=True):
            deep = min(depth, count)
            layers += [nn.Conv3d(inside, outside, (deep, 3, 3)), nn.ReLU()]
            count -= deep - 1
        self.cube = nn.Sequential(*layers, nn.Flatten(1, 2))
        self.plane = nn.Sequential(nn.Conv2d(FILTERS[-1] * count, PLANES, 3), nn.ReLU())
        self.left = settings.patch - 8
        self.hidden = nn.Linear(PLANES * self.left**2, settings.hidden)
        self.last = nn.Linear(settings.hidden, settings.last)
        self.head_out = nn.Linear(settings.last, classes)
        self.drop = settings.dropout

    def prepare(self, known: Known) -> None:
        """Fit the components to the training pixels."""
        self.components.fit(known.taught.spectra)

    def _features(self, seen: Tensor) -> Tensor:
        """Turn (pixels, rows, cols, bands) into (pixels, channels, rows - 8, cols - 8)."""
        cubes = torch.movedim(self.components(seen), 3, 1)[:, None].contiguous()
        out: Tensor = self.plane(self.cube(cubes))
        return out

    def of_pixels(self, seen: Tensor) -> Tensor:
        """Return the logits of patches, shape (pixels, side, side, bands)."""
        return self._head(self.hidden(self._features(seen).flatten(1)))

    def of_image(self, image: Tensor, poll: Callable[[], None]) -> Tensor:
        """Return the logits of all pixels of a rectangle with half a patch around it.

        Neighbouring patches share nearly all of their convolutions, so these run once over
        the rectangle; the first hidden layer becomes a convolution as large as the patch.
        """
        features = self._features(image[None])
        poll()
        kernel = self.hidden.weight.unflatten(1, (PLANES, self.left, self.left))
        hidden = functional.conv2d(features, kernel, self.hidden.bias)
        return self._head(torch.movedim(hidden[0], 0, 2))

    def _head(self, hidden: Tensor) -> Tensor:
        drop = nn.functional.dropout
        hidden = drop(functional.relu(hidden), self.drop, self.training)
        last = drop(functional.relu(self.last(hidden)), self.drop, self.training)
        out: Tensor = self.head_out(last)
        return out
