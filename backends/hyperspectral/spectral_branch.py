"""How a block of CSSMamba reads along each pixel's own features, with or without attention.

The scan over the parts of a pixel is that of MambaHSI (Li et al., TGRS 2024); the forms of
attention are those our notes list for CSSMamba's development code. Padding is not needed: the
width is divisible by the number of parts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.hyperspectral.hyper_connection import RMSNorm
from backends.hyperspectral.selective_scan import Mamba

if TYPE_CHECKING:
    from backends.hyperspectral.css_settings import CssSettings

HEADS = 2
REDUCTION = 4


class SpectralBranch(nn.Module):
    """A scan along the parts of each pixel's features.

    Parameters
    ----------
    settings : CssSettings
        ``spectral_attention`` adds, before or beside the scan: ``"channel"``, a weight a
        feature, the same for all pixels read together; ``"self"``, attention among the parts
        of a pixel; ``"hybrid"``, parts, scan and attention in learned shares; ``"light"``, a
        weight a feature and a weight a part.
    """

    def __init__(self, settings: CssSettings) -> None:
        super().__init__()
        self.tokens, self.kind = settings.tokens, settings.spectral_attention
        width, part = settings.width, settings.width // settings.tokens
        self.scan = Mamba(part, settings.d_state)
        self.norm = RMSNorm(width)
        if self.kind in ("channel", "light"):
            self.weigh = FeatureWeights(width)
        if self.kind in ("self", "hybrid"):
            self.attend = PartAttention(part)
        if self.kind == "hybrid":
            self.shares = nn.Parameter(torch.zeros(3))
        if self.kind == "light":
            self.part_weight = nn.Linear(part, 1)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return an array of the same shape (pixels, width)."""
        if self.kind in ("channel", "light"):
            x = x * self.weigh(x, valid, peaks=self.kind == "channel")
        tokens = x.view(x.shape[0], self.tokens, -1)
        if self.kind == "light":
            tokens = tokens * torch.sigmoid(self.part_weight(tokens))
        if self.kind == "self":
            tokens = tokens + self.attend(tokens)
        read = self.scan(tokens)
        if self.kind == "hybrid":
            share = torch.softmax(self.shares, dim=0)
            read = share[0] * tokens + share[1] * read + share[2] * self.attend(tokens)
        return functional.silu(self.norm(read.reshape(x.shape)))


class FeatureWeights(nn.Module):
    """A weight from 0 to 1 a feature, from its mean (and peak) over the pixels with data."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = max(1, width // REDUCTION)
        self.layers = nn.Sequential(nn.Linear(width, narrow), nn.ReLU(), nn.Linear(narrow, width))

    def forward(self, x: Tensor, valid: Tensor | None, *, peaks: bool) -> Tensor:
        """Return weights of shape (width,)."""
        seen = x[valid] if valid is not None and bool(valid.any()) else x
        score = self.layers(seen.mean(0))
        if peaks:
            score = score + self.layers(seen.amax(0))
        return torch.sigmoid(score)


class PartAttention(nn.Module):
    """Attention of two heads among the parts of each pixel."""

    def __init__(self, part: int) -> None:
        super().__init__()
        self.heads = HEADS if part % HEADS == 0 else 1
        self.ask = nn.Linear(part, 3 * part, bias=False)
        self.out = nn.Linear(part, part, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return an array of the same shape (pixels, parts, width of a part)."""
        pixels, parts, width = tokens.shape
        asked = self.ask(tokens).view(pixels, parts, 3, self.heads, width // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        near = query @ key.transpose(-1, -2) / math.sqrt(width // self.heads)
        mixed = torch.softmax(near, dim=-1) @ value
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(tokens.shape))
        return out
