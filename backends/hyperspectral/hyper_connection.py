"""One hyper-connection: how the streams of a pixel are read, mixed and written to.

After mHC (arXiv 2512.24880) and its spectral reading (arXiv 2601.15757). Convention
everywhere in Clearband: row = source stream, column = target stream.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.hyperspectral.sinkhorn import sinkhorn


@dataclass
class Mixing:
    """The weights of one site for each pixel.

    Attributes
    ----------
    read : tensor of shape (pixels, n)
        How much of each stream the site sees.
    mix : float32 tensor of shape (pixels, n, n)
        Doubly stochastic; entry (i, j) is the share of stream i that enters stream j.
    write : tensor of shape (pixels, n)
        How much of the site's answer each stream gets.
    order : tensor like ``mix``, or None
        By which pixels are ranked, where that is another matrix than ``mix``.
    """

    read: Tensor
    mix: Tensor
    write: Tensor
    order: Tensor | None = None


class RMSNorm(nn.Module):
    """Divide by the root mean square over the last axis, times a learned weight."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return an array of the same shape."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


class HyperConnection(nn.Module):
    """Static and pixel-dependent weights of one site.

    Parameters
    ----------
    streams, width : int
        n and d.
    gain : float
        Static scores are ``gain`` times the identity. 1 as in the authors' code mixes
        streams nearly evenly (diagonal 0.40 for n = 5); 4 keeps them apart (0.93).
    dynamic : float
        First value of the learned scales of the pixel-dependent part.

    Attributes
    ----------
    fixed : tensor of shape (n, n), or None
        Mixes every pixel instead of its own matrix; for checks, not part of the weights.
    shuffled : bool
        Pixels are ranked by the matrices of others, drawn anew from a fixed seed.
    """

    fixed: Tensor | None
    shuffled: bool

    def __init__(
        self, streams: int, width: int, *, gain: float = 1.0, dynamic: float = 0.01
    ) -> None:
        super().__init__()
        n = streams
        self.streams = n
        self.fixed, self.shuffled = None, False
        self.norm = RMSNorm(n * width)
        read = torch.zeros(n)
        read[0] = 1.0
        self.static_read = nn.Parameter(read)
        self.static_mix = nn.Parameter(gain * torch.eye(n))
        self.static_write = nn.Parameter(torch.full((n,), 1.0 / n))
        self.to_weights = nn.Linear(n * width, n * n + 2 * n, bias=False)
        nn.init.trunc_normal_(self.to_weights.weight, std=0.02)
        self.scale = nn.Parameter(torch.full((3,), dynamic))  # read, mix, write

    def weights(self, streams: Tensor) -> Mixing:
        """Return the mixing of each pixel; ``streams`` has shape (pixels, n, d)."""
        n = self.streams
        z = torch.tanh(self.to_weights(self.norm(streams.flatten(1))))
        read, mix, write = z.split([n, n * n, n], dim=1)
        scores = self.static_mix + self.scale[1] * mix.view(-1, n, n)
        mixing = Mixing(
            torch.sigmoid(self.static_read + self.scale[0] * read),
            sinkhorn(scores),
            2 * torch.sigmoid(self.static_write + self.scale[2] * write),
        )
        return self._occluded(mixing)

    def _occluded(self, mixing: Mixing) -> Mixing:
        """Take away what the pixels' own matrices say, where a check asks for it."""
        own = mixing.mix
        if self.shuffled:
            # On the processor: the same order whatever computes.
            draw = torch.Generator().manual_seed(0)
            mixing.order = own[torch.randperm(len(own), generator=draw).to(own.device)]
        if self.fixed is not None:
            if mixing.order is None:
                mixing.order = own
            mixing.mix = self.fixed.to(own).expand_as(own)
        return mixing

    def static_weights(self) -> Mixing:
        """Return the weights without looking at a pixel; shapes (n,), (n, n), (n,)."""
        return Mixing(
            torch.sigmoid(self.static_read),
            sinkhorn(self.static_mix),
            2 * torch.sigmoid(self.static_write),
        )


def read_streams(streams: Tensor, mixing: Mixing) -> Tensor:
    """Return what the site sees: ``f = sum_i read_i h_i``, shape (pixels, d)."""
    return (mixing.read[:, :, None] * streams).sum(1)


def mix_streams(streams: Tensor, mixing: Mixing) -> Tensor:
    """Return ``h'_j = sum_i mix_ij h_i``, shape (pixels, n, d)."""
    # Sums of products: a batched product of 5 by 5 matrices is three times slower here.
    targets = mixing.mix.unbind(2)
    return torch.stack([(share[:, :, None] * streams).sum(1) for share in targets], dim=1)


def write_streams(mixed: Tensor, mixing: Mixing, answer: Tensor, drop: float) -> Tensor:
    """Return ``h'_j + write_j F(f)``, shape (pixels, n, d)."""
    answer = functional.dropout(answer, drop, training=drop > 0)
    return mixed + mixing.write[:, :, None] * answer[:, None, :]
