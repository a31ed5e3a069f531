"""Three-dimensional convolutions over small patches.

After A. Ben Hamida et al., "3-D Deep Learning Approach for Remote Sensing Image
Classification", IEEE TGRS 56(8), 2018: convolutions over space and spectrum, with strided
ones along the spectrum in place of pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from backends.hyperspectral.literature.common import LiteratureSettings, SceneNetwork


@dataclass(frozen=True)
class Cnn3dSettings(LiteratureSettings):
    """Size of the network.

    Attributes
    ----------
    patch : int
        Odd side of the square around a pixel.
    filters, wide : int
        Kernels of the first and of the later convolutions.
    """

    patch: int = 5
    filters: int = 20
    wide: int = 35

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "patch": (1, 15),
        "filters": (1, 256),
        "wide": (1, 256),
    }
    training: ClassVar[Mapping[str, Any]] = {
        "epochs": 150,
        "learning_rate": 1e-3,
        "weight_decay": 5e-4,
        "pixels_per_step": 100,
        "validate_every": 50,
        "brightness": 0.0,
        "noise": 0.0,
    }


class Cnn3d(SceneNetwork):
    """The network; where a patch or spectrum is smaller than a kernel, the kernel shrinks.

    Parameters
    ----------
    bands, classes : int
    settings : Cnn3dSettings
    """

    batch = 256

    def __init__(self, bands: int, classes: int, settings: Cnn3dSettings) -> None:
        super().__init__()
        self.patch = settings.patch
        first, wide = settings.filters, settings.wide
        size = (bands, settings.patch, settings.patch)
        layers: list[nn.Module] = []
        # In, out, kernel, step and padding along the spectrum; only the first and the third
        # kernel reach across pixels.
        for inside, outside, kernel, step, pad, across in (
            (1, first, 3, 1, 0, 3),
            (first, first, 3, 2, 1, 1),
            (first, wide, 3, 1, 1, 3),
            (wide, wide, 3, 2, 1, 1),
            (wide, wide, 3, 1, 1, 1),
            (wide, wide, 2, 2, 1, 1),
        ):
            deep = min(kernel, size[0] + 2 * pad)
            high = min(across, size[1])
            convolution = nn.Conv3d(inside, outside, (deep, high, high), (step, 1, 1), (pad, 0, 0))
            nn.init.kaiming_normal_(convolution.weight)
            nn.init.zeros_(convolution.bias)
            layers += [convolution]
            # The strided ones stand for pooling and have no nonlinearity of their own.
            if step == 1 or kernel == 2:
                layers.append(nn.ReLU())
            size = (
                (size[0] + 2 * pad - deep) // step + 1,
                size[1] - high + 1,
                size[2] - high + 1,
            )
        self.read = nn.Sequential(*layers, nn.Flatten())
        self.head_out = nn.Linear(wide * size[0] * size[1] * size[2], classes)

    def of_pixels(self, seen: Tensor) -> Tensor:
        """Return the logits of patches, shape (pixels, side, side, bands)."""
        if seen.ndim == 2:
            seen = seen[:, None, None]
        cubes = torch.movedim(2 * seen - 1, 3, 1)[:, None]
        out: Tensor = self.head_out(self.read(cubes.contiguous()))
        return out
