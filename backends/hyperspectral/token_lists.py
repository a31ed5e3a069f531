"""Which pixels the spatial scan of the white-box network reads together, and in which order.

Two sources: the matrices themselves, a list for each entry (Zhu et al., arXiv 2601.15757,
their code; lists overlap and leave pixels out), or a learned partition (Dewis et al., arXiv
2601.16098; each pixel in exactly one).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from backends.hyperspectral.pixel_clusters import capped_partition, make_sequences

SOURCES = ("hres", "lcm")
SCANS = ("shared", "own")


@dataclass
class TokenLists:
    """Pixels in the order in which they are read.

    Attributes
    ----------
    codes : int64 tensor of shape (lists,)
        What each list belongs to: entry ``i * n + j`` of the matrix, or a cluster.
    members : int64 tensor of shape (lists, length)
        Pixel numbers.
    mask : bool tensor of the same shape, or None
        False for padding, which stands at the end; None where there is none.
    """

    codes: Tensor
    members: Tensor
    mask: Tensor | None = None

    def spread(self, scanned: Tensor, pixels: int) -> Tensor:
        """Return the mean of what the lists say of each pixel; 0 for pixels in none.

        Parameters
        ----------
        scanned : tensor of shape (lists, length, d)

        Returns
        -------
        tensor of shape (pixels, d)
        """
        flat = self.members.reshape(-1) if self.mask is None else self.members[self.mask]
        width = scanned.shape[-1]
        said = scanned.reshape(-1, width) if self.mask is None else scanned[self.mask]
        total = said.new_zeros(pixels, width).index_add_(0, flat, said)
        hits = torch.bincount(flat, minlength=pixels).clamp(min=1)
        return total / hits[:, None].to(total.dtype)


def rank_lists(
    mix: Tensor, share: float, longest: int, *, valid: Tensor | None = None
) -> TokenLists:
    """Rank pixels by every matrix entry and keep the top ones, highest first.

    Parameters
    ----------
    mix : tensor of shape (pixels, n, n)
    share : float
        Part of the pixels kept, at least one.
    longest : int
        Lists longer than this are dealt out by rank in turn to equally long ones; the
        lowest ranks that do not fill them up are left out.
    valid : bool tensor of shape (pixels,), optional
        Pixels that may be ranked.
    """
    pixels, n, _ = mix.shape
    scores = mix.detach().reshape(pixels, n * n).t()
    usable = pixels
    if valid is not None:
        usable = int(valid.sum())
        scores = scores.masked_fill(~valid[None, :], float("-inf"))
    top = min(max(1, int(share * usable)), pixels)
    order = scores.topk(top, dim=1).indices  # (n * n, top), descending
    parts = math.ceil(top / longest)
    length = top // parts
    dealt = order[:, : length * parts].reshape(n * n, length, parts).transpose(1, 2)
    codes = torch.arange(n * n, device=mix.device).repeat_interleave(parts)
    return TokenLists(codes, dealt.reshape(n * n * parts, length))


@dataclass
class Partition:
    """A learned partition as lists, and what it was made from.

    Attributes
    ----------
    lists : TokenLists
    hard : int64 tensor of shape (pixels,)
        The cluster each pixel is read in.
    score : float tensor of shape (pixels,)
        Log membership there; the most typical are read last.
    rank : float tensor of shape (pixels,)
        Place in its list, 0 to 1; -1 where not read.
    sequence : int64 tensor of shape (pixels,)
        Its list; -1 where not read.
    """

    lists: TokenLists
    hard: Tensor
    score: Tensor
    rank: Tensor
    sequence: Tensor

    def gate(self) -> Tensor:
        """Return factors around 1 that give the memberships a gradient, shape (pixels, 1).

        Which pixels stand together, and in which order, has none.
        """
        spread = self.score.detach().std(unbiased=False) + 1e-6
        return 1 + torch.tanh((self.score - self.score.detach().mean()) / spread)[:, None]


def partition_lists(membership: Tensor, longest: int, *, valid: Tensor | None = None) -> Partition:
    """Put every pixel into its best cluster that has room, none above 1.5 times the mean.

    Parameters
    ----------
    membership : tensor of shape (pixels, clusters)
        Rows sum to one.
    """
    pixels, clusters = membership.shape
    hard = capped_partition(membership, math.ceil(1.5 * pixels / clusters))
    own = membership.gather(1, hard[:, None]).squeeze(1)
    score = torch.log(own + 1e-6).float()
    kept = valid if valid is None or bool(valid.any()) else None
    found = make_sequences(hard, score, longest, kept=kept)
    lists = TokenLists(found.cluster, found.members, found.mask)
    return Partition(lists, hard, score, found.rank, found.sequence)
