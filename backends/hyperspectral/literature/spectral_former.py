"""SpectralFormer: a transformer whose tokens are neighbouring bands.

After D. Hong et al., "SpectralFormer: Rethinking Hyperspectral Image Classification with
Transformers", IEEE TGRS 60, 2022: tokens of neighbouring bands, and weights across layers
that mix what a layer reads with what was there two layers before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.hyperspectral.literature.common import LiteratureSettings, SceneNetwork
from backends.hyperspectral.literature.transformer import Attention
from backends.hyperspectral.networks import Known

# Of the stretched range; a band that hardly varies is not blown up.
SMALLEST = 1e-3


@dataclass(frozen=True)
class SpectralFormerSettings(LiteratureSettings):
    """Size of the network.

    Attributes
    ----------
    patch : int
        Odd side of the square around a pixel; 1 reads its spectrum alone.
    group : int
        Odd number of neighbouring bands in a token.
    stride : int
        Bands from one token to the next; 1 makes a token around every band.
    width, layers, heads, hidden : int
        Of the transformer; ``width`` is divisible by ``heads``.
    dropout : float
    """

    patch: int = 7
    group: int = 7
    stride: int = 4
    width: int = 64
    layers: int = 3
    heads: int = 4
    hidden: int = 8
    dropout: float = 0.1

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "patch": (1, 15),
        "group": (1, 31),
        "stride": (1, 31),
        "width": (1, 1024),
        "layers": (1, 32),
        "heads": (1, 64),
        "hidden": (1, 4096),
        "dropout": (0, 0.9),
    }
    training: ClassVar[Mapping[str, Any]] = {
        "epochs": 150,
        "learning_rate": 1e-3,
        "warm_up": 30,
        "pixels_per_step": 60,
        "validate_every": 50,
        "brightness": 0.05,
        "noise": 0.02,
    }


class SpectralFormer(SceneNetwork):
    """The network.

    Parameters
    ----------
    bands, classes : int
    settings : SpectralFormerSettings
    """

    batch = 128
    mean: Tensor
    spread: Tensor

    def __init__(self, bands: int, classes: int, settings: SpectralFormerSettings) -> None:
        super().__init__()
        self.patch, self.group, self.stride = settings.patch, settings.group, settings.stride
        width = settings.width
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("spread", torch.ones(bands))
        self.embed = nn.Linear(settings.patch**2 * settings.group, width)
        # It begins at the mean of the square, and learns what else the square says.
        with torch.no_grad():
            side = settings.patch**2
            one = torch.empty(width, settings.group)
            nn.init.kaiming_uniform_(one, a=5**0.5)
            self.embed.weight.copy_(one.repeat(1, side) / side)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.empty(1, -(-bands // settings.stride) + 1, width))
        # Places must be told apart from the start: with a small spread the network reads a bag of
        # tokens, learns the training pixels by heart and little else.
        nn.init.normal_(self.place)
        nn.init.normal_(self.first, std=0.02)
        self.layers = nn.ModuleList(
            Attention(width, settings.heads, settings.hidden, settings.dropout)
            for _ in range(settings.layers)
        )
        # Weights of a layer's input and of that two layers before, for each channel.
        self.across = nn.Parameter(torch.full((max(0, settings.layers - 2), 2, width), 0.5))
        self.drop = settings.dropout
        self.head_norm = nn.LayerNorm(width)
        self.head_out = nn.Linear(width, classes)

    def prepare(self, known: Known) -> None:
        """Take mean and spread of each band from the training pixels."""
        values = known.taught.spectra.astype(np.float64)
        self.mean.copy_(torch.from_numpy(values.mean(axis=0)))
        self.spread.copy_(torch.from_numpy(np.maximum(values.std(axis=0), SMALLEST)))

    def of_pixels(self, seen: Tensor) -> Tensor:
        """Return the logits of patches (pixels, side, side, bands) or spectra."""
        level = (seen - self.mean) / self.spread
        bands = level.flatten(1, -2) if seen.ndim == 4 else level[:, None]
        half = self.group // 2
        # The spectrum is a ring at its ends, as in the source: every token is complete.
        ring = torch.arange(-half, bands.shape[2] + half, device=seen.device) % bands.shape[2]
        groups = bands[:, :, ring].unfold(2, self.group, self.stride)
        tokens = self.embed(groups.transpose(1, 2).flatten(2))
        tokens = torch.cat([self.first.expand(len(tokens), -1, -1), tokens], dim=1) + self.place
        tokens = functional.dropout(tokens, self.drop, self.training)
        before: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            if number >= 2:
                mix = self.across[number - 2]
                tokens = mix[0] * tokens + mix[1] * before[number - 2]
            before.append(tokens)
            tokens = layer(tokens)
        out: Tensor = self.head_out(self.head_norm(tokens[:, 0]))
        return out
