"""MambaHSI: selective scans over all pixels of an image and over the parts of each spectrum.

After Y. Li et al., "MambaHSI: Spatial-Spectral Mamba for Hyperspectral Image
Classification", IEEE TGRS 62, 2024.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.errors import WrongUse
from backends.hyperspectral.literature.common import MOST_STEPS, LiteratureSettings, SceneNetwork
from backends.hyperspectral.selective_scan import Mamba

HEAD = 128
NORM_GROUPS = 4


@dataclass(frozen=True)
class MambaHsiSettings(LiteratureSettings):
    """Size of the network.

    Attributes
    ----------
    width, blocks, tokens, d_state : int
        ``width`` is divisible by 4 and by ``tokens``, the parts of a spectrum.
    part_pixels : int
        Larger scenes are learnt in overlapping parts of at most about this many pixels, one
        a step: a step then takes the same time and memory on a scene of any size.
    """

    width: int = 64
    blocks: int = 3
    tokens: int = 4
    d_state: int = 16
    part_pixels: int = 20_000

    whole_image: ClassVar[bool] = True
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "width": (4, 1024),
        "blocks": (1, 8),
        "tokens": (1, 64),
        "d_state": (1, 256),
        "part_pixels": (1024, 10_000_000),
    }
    training: ClassVar[Mapping[str, Any]] = {
        "steps": 100,
        "learning_rate": 1e-3,
        "validate_every": 10,
        "brightness": 0.0,
        "noise": 0.0,
    }

    @classmethod
    def recipe(cls, pixels: int, scene_pixels: int) -> dict[str, Any]:
        """Return the training settings; a scene in many parts takes more steps, not a pass each."""
        out = super().recipe(pixels, scene_pixels)
        parts = math.ceil(scene_pixels / cls.part_pixels)
        out["steps"] = min(MOST_STEPS, round(out["steps"] * math.sqrt(parts)))
        return out


class Scan(nn.Module):
    """A scan of sequences, normalised, with a way past it.

    Parameters
    ----------
    width, d_state : int
        Of the tokens and of the scan.
    parts : int
        Tokens a pixel that are normalised together.
    """

    def __init__(self, width: int, d_state: int, parts: int) -> None:
        super().__init__()
        self.scan = Mamba(width, d_state)
        self.norm = nn.GroupNorm(NORM_GROUPS, parts * width)

    def forward(self, x: Tensor, rows: int, cols: int) -> Tensor:
        """Return features of the same shape (sequences, length, width), one image in all."""
        read = self.scan(x).reshape(rows * cols, -1)
        # Statistics of a group of channels over the whole image, as for a picture.
        image = read.t().reshape(1, -1, rows, cols)
        out: Tensor = functional.silu(self.norm(image))
        return x + out.flatten(2)[0].t().reshape(x.shape)


class Block(nn.Module):
    """Both scans, weighed by two learned numbers, and the way past them."""

    def __init__(self, settings: MambaHsiSettings) -> None:
        super().__init__()
        part = settings.width // settings.tokens
        self.tokens = settings.tokens
        self.spatial = Scan(settings.width, settings.d_state, 1)
        self.spectral = Scan(part, settings.d_state, settings.tokens)
        self.fusion = nn.Parameter(torch.ones(2))

    def forward(self, image: Tensor, poll: Callable[[], None]) -> Tensor:
        """Turn (width, rows, cols) into the same shape."""
        width, rows, cols = image.shape
        pixels = image.flatten(1).t()
        weight = torch.softmax(self.fusion, dim=0)
        spatial = self.spatial(pixels[None], rows, cols)[0]
        poll()
        parts = pixels.reshape(len(pixels), self.tokens, -1)
        spectral = self.spectral(parts, rows, cols).reshape(pixels.shape)
        poll()
        both = weight[0] * spatial + weight[1] * spectral + pixels
        return both.t().reshape(width, rows, cols)


class MambaHsi(SceneNetwork):
    """The network.

    Parameters
    ----------
    bands, classes : int
    settings : MambaHsiSettings
    """

    whole_image = True

    def __init__(self, bands: int, classes: int, settings: MambaHsiSettings) -> None:
        super().__init__()
        if settings.width % math.lcm(settings.tokens, NORM_GROUPS):
            raise WrongUse(
                f"The width {settings.width} is not divisible by {settings.tokens} "
                f"and by {NORM_GROUPS}.",
                way_out="Choose another width or number of tokens.",
            )
        width = settings.width
        self.embed = nn.Conv2d(bands, width, 1)
        self.embed_norm = nn.GroupNorm(NORM_GROUPS, width)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.blocks))
        self.head_in = nn.Conv2d(width, HEAD, 1)
        self.head_norm = nn.GroupNorm(NORM_GROUPS, HEAD)
        self.head_out = nn.Linear(HEAD, classes)

    def of_image(self, image: Tensor, poll: Callable[[], None]) -> Tensor:
        """Return the logits of every pixel, shape (rows, cols, classes)."""
        rows, cols, _ = image.shape
        x = functional.silu(self.embed_norm(self.embed(torch.movedim(image, 2, 0)[None])))
        for number, block in enumerate(self.blocks):
            x = block(x[0], poll)[None]
            if number + 1 < len(self.blocks):
                x = functional.avg_pool2d(x, 2, ceil_mode=True)
        x = functional.silu(self.head_norm(self.head_in(x)))
        small: Tensor = self.head_out(torch.movedim(x, 1, 3))
        grown = functional.interpolate(
            torch.movedim(small, 3, 1), (rows, cols), mode="bilinear", align_corners=True
        )
        return torch.movedim(grown[0], 0, 2)
