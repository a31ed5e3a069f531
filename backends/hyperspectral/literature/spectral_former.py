"""SpectralFormer: a transformer whose tokens are neighbouring bands.

After D. Hong et al., "SpectralFormer: Rethinking Hyperspectral Image Classification with
Transformers", IEEE TGRS 60, 2022: tokens of neighbouring bands, and weights across layers
that mix what a layer reads with what was there two layers before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.hyperspectral.literature.common import LiteratureSettings, SceneNetwork
from backends.hyperspectral.literature.transformer import Attention


@dataclass(frozen=True)
class SpectralFormerSettings(LiteratureSettings):
    """Size of the network.

    Attributes
    ----------
    patch : int
        Odd side of the square around a pixel; 1 reads its spectrum alone.
    group : int
        Odd number of neighbouring bands in a token.
    width, layers, heads, hidden : int
        Of the transformer; ``width`` is divisible by ``heads``.
    dropout : float
    """

    patch: int = 7
    group: int = 3
    width: int = 64
    layers: int = 5
    heads: int = 4
    hidden: int = 8
    dropout: float = 0.1

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "patch": (1, 15),
        "group": (1, 31),
        "width": (1, 1024),
        "layers": (1, 32),
        "heads": (1, 64),
        "hidden": (1, 4096),
        "dropout": (0, 0.9),
    }
    training: ClassVar[Mapping[str, Any]] = {
        "epochs": 100,
        "learning_rate": 1e-3,
        "pixels_per_step": 32,
        "validate_every": 50,
        "brightness": 0.0,
        "noise": 0.0,
    }


class SpectralFormer(SceneNetwork):
    """The network.

    Parameters
    ----------
    bands, classes : int
    settings : SpectralFormerSettings
    """

    batch = 128

    def __init__(self, bands: int, classes: int, settings: SpectralFormerSettings) -> None:
        super().__init__()
        self.patch, self.group = settings.patch, settings.group
        width = settings.width
        self.embed = nn.Linear(settings.patch**2 * settings.group, width)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.empty(1, bands + 1, width))
        nn.init.normal_(self.place, std=0.02)
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

    def of_pixels(self, seen: Tensor) -> Tensor:
        """Return the logits of patches (pixels, side, side, bands) or spectra."""
        bands = (2 * seen - 1).flatten(1, -2) if seen.ndim == 4 else (2 * seen - 1)[:, None]
        half = self.group // 2
        # The spectrum is a ring at its ends, as in the source: every token is complete.
        ring = torch.arange(-half, bands.shape[2] + half, device=seen.device) % bands.shape[2]
        groups = bands[:, :, ring].unfold(2, self.group, 1)
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
