"""SSFTT: convolutions make a patch into a few tokens, a small transformer reads them.

After L. Sun et al., "Spectral-Spatial Feature Tokenization Transformer for Hyperspectral
Image Classification", IEEE TGRS 60, 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from backends.hyperspectral.literature.transformer import Attention
from backends.hyperspectral.networks import Known


@dataclass(frozen=True)
class SsfttSettings(LiteratureSettings):
    """Size of the network.

    Attributes
    ----------
    patch : int
        Odd side of the square around a pixel.
    components : int
        Principal components it reads; 0 takes 30, or 15 of up to 120 bands.
    width, tokens, heads, hidden : int
        Of the transformer; ``width`` is divisible by ``heads``.
    dropout : float
    """

    patch: int = 13
    components: int = 0
    width: int = 64
    tokens: int = 4
    heads: int = 8
    hidden: int = 8
    dropout: float = 0.1

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "patch": (5, 31),
        "components": (0, 512),
        "width": (1, 1024),
        "tokens": (1, 64),
        "heads": (1, 64),
        "hidden": (1, 4096),
        "dropout": (0, 0.9),
    }
    training: ClassVar[Mapping[str, Any]] = {
        "epochs": 100,
        "learning_rate": 1e-3,
        "pixels_per_step": 64,
        "validate_every": 20,
        "brightness": 0.0,
        "noise": 0.0,
    }


class Ssftt(SceneNetwork):
    """The network.

    Parameters
    ----------
    bands, classes : int
    settings : SsfttSettings
    """

    batch = 512

    def __init__(self, bands: int, classes: int, settings: SsfttSettings) -> None:
        super().__init__()
        self.patch = settings.patch
        count = components_for(bands, settings.components)
        width = settings.width
        self.components = Components(bands, count)
        deep = min(3, count)
        self.cube = nn.Sequential(
            nn.Conv3d(1, 8, (deep, 3, 3)), nn.BatchNorm3d(8), nn.ReLU(), nn.Flatten(1, 2)
        )
        self.plane = nn.Sequential(
            nn.Conv2d(8 * (count - deep + 1), width, 3), nn.BatchNorm2d(width), nn.ReLU()
        )
        # The tokeniser: which places a token gathers, and what it takes from there; both
        # begin as draws from a normal distribution, as the source has it.
        self.where = nn.Parameter(torch.empty(width, settings.tokens))
        self.what = nn.Parameter(torch.empty(width, width))
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.empty(1, settings.tokens + 1, width))
        nn.init.xavier_normal_(self.where)
        nn.init.xavier_normal_(self.what)
        nn.init.normal_(self.place, std=0.02)
        self.drop = settings.dropout
        self.read = Attention(width, settings.heads, settings.hidden, settings.dropout)
        self.head_out = nn.Linear(width, classes)
        nn.init.xavier_uniform_(self.head_out.weight)

    def prepare(self, known: Known) -> None:
        """Fit the components to the training pixels."""
        self.components.fit(known.taught.spectra)

    def of_pixels(self, seen: Tensor) -> Tensor:
        """Return the logits of patches, shape (pixels, side, side, bands)."""
        cubes = torch.movedim(self.components(seen), 3, 1)[:, None].contiguous()
        places = self.plane(self.cube(cubes)).flatten(2).transpose(1, 2)
        share = torch.softmax((places @ self.where).transpose(1, 2), dim=-1)
        tokens = share @ (places @ self.what)
        tokens = torch.cat([self.first.expand(len(tokens), -1, -1), tokens], dim=1) + self.place
        read = self.read(functional.dropout(tokens, self.drop, self.training))
        out: Tensor = self.head_out(read[:, 0])
        return out
