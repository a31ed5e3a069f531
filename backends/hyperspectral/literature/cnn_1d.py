"""A one-dimensional convolution along the spectrum of a single pixel.

After W. Hu et al., "Deep Convolutional Neural Networks for Hyperspectral Image
Classification", Journal of Sensors, 2015: one convolution, one pooling, one hidden layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from backends.hyperspectral.literature.common import LiteratureSettings, SceneNetwork


@dataclass(frozen=True)
class Cnn1dSettings(LiteratureSettings):
    """Size of the network.

    Attributes
    ----------
    filters, hidden : int
        Kernels along the spectrum; units of the hidden layer.
    """

    filters: int = 20
    hidden: int = 100

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "filters": (1, 1024),
        "hidden": (1, 4096),
    }
    training: ClassVar[Mapping[str, Any]] = {
        "epochs": 300,
        "learning_rate": 3e-3,
        "pixels_per_step": 100,
        "validate_every": 50,
        "brightness": 0.0,
        "noise": 0.0,
    }


class Cnn1d(SceneNetwork):
    """The network; kernel and pooling shrink with the number of bands.

    Parameters
    ----------
    bands, classes : int
    settings : Cnn1dSettings
    """

    def __init__(self, bands: int, classes: int, settings: Cnn1dSettings) -> None:
        super().__init__()
        kernel = math.ceil(bands / 9)
        left = bands - kernel + 1
        pool = min(left, math.ceil(kernel / 5))
        self.read = nn.Sequential(
            nn.Conv1d(1, settings.filters, kernel), nn.Tanh(), nn.MaxPool1d(pool), nn.Flatten()
        )
        self.hidden = nn.Linear(settings.filters * (left // pool), settings.hidden)
        self.head_out = nn.Linear(settings.hidden, classes)

    def of_pixels(self, seen: Tensor) -> Tensor:
        """Return the logits of spectra, shape (pixels, bands)."""
        hidden = self.hidden(self.read((2 * seen - 1)[:, None])).tanh()
        out: Tensor = self.head_out(hidden)
        return out
