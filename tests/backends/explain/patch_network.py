"""A network of which we know what decides: one patch, and nothing else."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

SIDE, BANDS = 24, 3
PATCH = (slice(5, 11), slice(12, 18))


class PlantedPatch(nn.Module):
    """Two classes; the second is sure where the patch is bright. Input (n, 3, 24, 24)."""

    def __init__(self, sharpness: float = 8.0) -> None:
        super().__init__()
        self.head = nn.Linear(BANDS * SIDE * SIDE, 2)
        weights = torch.zeros(2, BANDS, SIDE, SIDE)
        weights[1, :, *PATCH] = sharpness / weights[1, :, *PATCH].numel()
        self.head.weight.data = weights.flatten(1)
        self.head.bias.data = torch.tensor([0.0, -sharpness / 2])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images.flatten(1))


def planted_image(seed: int = 0) -> torch.Tensor:
    """Return noise around 0.3 with a bright patch, shape (3, 24, 24)."""
    generator = torch.Generator().manual_seed(seed)
    image = 0.3 + 0.1 * torch.rand(BANDS, SIDE, SIDE, generator=generator)
    image[:, *PATCH] += 0.6
    return image


def true_map() -> np.ndarray:
    """Return a smooth map whose hottest pixels are the patch."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    return np.exp(-((rows - 7.5) ** 2 + (cols - 14.5) ** 2) / 18.0)


def patch_mask() -> np.ndarray:
    """Return where the patch is."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[PATCH] = True
    return mask


class Scorer:
    """The probability of the second class; remembers how large its batches were."""

    def __init__(self, network: nn.Module | None = None) -> None:
        self.network = network or PlantedPatch()
        self.batches: list[int] = []

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(images))
        return torch.softmax(self.network(images), dim=1)[:, 1]


def gradient_map(network: nn.Module, image: torch.Tensor, smooth: bool = True) -> np.ndarray:
    """Return gradient × input of the second class, summed over bands."""
    from scipy.ndimage import gaussian_filter

    with torch.enable_grad():
        x = image[None].clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(network(x)[0, 1], x)
    values = (slope * x).detach()[0].sum(0).numpy().astype(float)
    return gaussian_filter(values, 1.0) if smooth else values
