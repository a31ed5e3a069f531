"""Sequences are read some at a time: they know nothing of each other, so memory can be bounded.

What is kept for the way back is the input and what the scans said; the rest is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from backends.hyperspectral.pixel_clusters import Sequences
from backends.hyperspectral.precision import autocast
from backends.hyperspectral.recurrence import Kept

# So many tokens at a time stay near a processor's core; a GPU wants large steps.
GROUP_TOKENS = 1 << 13
GPU_TOKENS = 1 << 16


def most_tokens(like: Tensor) -> int:
    """Return how many tokens are read at a time where an array lies."""
    return GROUP_TOKENS if like.device.type == "cpu" else GPU_TOKENS


class Group(Protocol):
    """Some sequences, and where their tokens lie in an array of all."""

    def take(self, values: Tensor, *, blank: bool = False) -> Tensor:
        """Return their part, shape (sequences, length, any); ``blank`` zeroes the padding."""

    def put(self, into: Tensor, values: Tensor) -> None:
        """Write their part into an array that `room` gave."""

    def room(self, like: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return an array for all groups; ``shape`` is that of one token."""


Read = Callable[[Tensor, Any, "list[Tensor] | None", "Kept | None"], Tensor]


@dataclass(frozen=True)
class Stretch:
    """Rows of an array of sequences, shape (sequences, length, any)."""

    rows: slice

    def take(self, values: Tensor, *, blank: bool = False) -> Tensor:
        """Return their part, shape (sequences, length, any)."""
        return values[self.rows]

    def put(self, into: Tensor, values: Tensor) -> None:
        """Write their part into an array that `room` gave."""
        into[self.rows] = values

    def room(self, like: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return an array for all groups."""
        return like.new_empty(*like.shape[:2], *shape, dtype=dtype)


@dataclass(frozen=True)
class Chosen:
    """Pixels of an array of shape (pixels, any), each in one sequence at most.

    Attributes
    ----------
    members : int64 tensor of shape (length, sequences)
        Numbers of the pixels; padding is 0.
    mask : bool tensor of the same shape
        False for padding.
    cluster : int64 tensor of shape (sequences,)
    """

    members: Tensor
    mask: Tensor
    cluster: Tensor

    def take(self, values: Tensor, *, blank: bool = False) -> Tensor:
        """Return their part; one step after the other in memory, as scans want it."""
        found = values.index_select(0, self.members.flatten())
        found = found.view(*self.members.shape, *values.shape[1:])
        if blank:
            found[~self.mask] = 0
        return found.transpose(0, 1)

    def put(self, into: Tensor, values: Tensor) -> None:
        """Write their part; what is said of padding goes to the last row."""
        places = self.members.masked_fill(~self.mask, len(into) - 1).flatten()
        into.index_copy_(0, places, values.transpose(0, 1).flatten(0, 1).to(into.dtype))

    def room(self, like: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return zeros for all pixels, and a row for padding."""
        return like.new_zeros(len(like) + 1, *shape)


def chosen_groups(sequences: Sequences, tokens: int) -> list[Chosen]:
    """Cut sequences into groups of about equal lengths, each of ``tokens`` at most with padding.

    A sequence that is longer makes a group of its own.
    """
    length = sequences.mask.sum(1)
    order = length.argsort(descending=True, stable=True)
    lengths, groups, low = length[order].tolist(), [], 0
    while low < len(lengths) and lengths[low] > 0:
        longest = lengths[low]
        rows = order[low : low + max(1, tokens // longest)]
        low += len(rows)
        members, mask = (v[rows, :longest].t() for v in (sequences.members, sequences.mask))
        groups.append(Chosen(members, mask, sequences.cluster[rows]))
    return groups


class _InGroups(torch.autograd.Function):
    """Runs in groups without gradients, and again, one group after the other, with them."""

    @staticmethod
    def forward(
        ctx: Any,
        read: Read,
        groups: list[Group],
        steps: list[Tensor] | None,
        keep: bool,
        u: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        kind = u.device.type
        mixed = torch.is_autocast_enabled(kind)
        ctx.precision = torch.get_autocast_dtype(kind) if mixed else None
        ctx.read, ctx.groups = read, groups
        ctx.kept = [Kept() if keep else None for _ in groups]
        ctx.save_for_backward(u, *weights)
        out: Tensor | None = None
        for group, kept in zip(groups, ctx.kept, strict=True):
            said = read(group.take(u), group, steps, kept)
            if out is None:
                out = group.room(u, said.shape[2:], said.dtype)
            group.put(out, said)
        assert out is not None
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        u, *weights = ctx.saved_tensors
        taught = [v for v in weights if v.requires_grad]
        total = [torch.zeros_like(v) for v in taught]
        back = ctx.groups[0].room(u, u.shape[-1:], u.dtype)
        with torch.enable_grad(), autocast(u.device.type, ctx.precision):
            for group, kept in zip(ctx.groups, ctx.kept, strict=True):
                tokens = group.take(u.detach()).requires_grad_()
                said = ctx.read(tokens, group, None, kept)
                found = torch.autograd.grad(
                    said, [tokens, *taught], group.take(grads[0], blank=True)
                )
                group.put(back, found[0])
                for mine, more in zip(total, found[1:], strict=True):
                    mine += more
        given = iter(total)
        back = back[: len(u)]
        return (
            None,
            None,
            None,
            None,
            back,
            *(next(given) if v.requires_grad else None for v in weights),
        )


def in_groups(
    read: Read,
    groups: list[Group],
    u: Tensor,
    weights: Iterable[Tensor],
    steps: list[Tensor] | None = None,
) -> Tensor:
    """Read groups of sequences one after the other.

    Parameters
    ----------
    read : callable
        Takes tokens, their group, a list for step sizes and what was kept; see `Mamba.read`.
    groups : list, not empty
        No two hold the same token.
    u : tensor
        What the groups take their tokens from.
    weights : iterable of tensors
        All that ``read`` uses and that may need a gradient.
    steps : list, optional
        Gets what ``read`` adds, of one group after the other.

    Returns
    -------
    tensor
        What was said, where the groups put it.
    """
    keep = torch.is_grad_enabled()
    if keep and len(groups) == 1:  # it fits, and once is faster
        said = read(groups[0].take(u), groups[0], steps, None)
        whole = groups[0].room(u, said.shape[2:], said.dtype)
        groups[0].put(whole, said)
        return whole
    out: Tensor = _InGroups.apply(read, groups, steps, keep, u, *weights)
    return out


def read_chosen(
    read: Read, sequences: Sequences, x: Tensor, weights: Iterable[Tensor]
) -> tuple[Tensor, Tensor]:
    """Read the pixels of sequences; return what is said of each, and its mean step size.

    Parameters
    ----------
    x : tensor of shape (pixels, width)

    Returns
    -------
    said : tensor of shape (pixels, width)
        0 for pixels in no sequence.
    step : tensor of shape (pixels,)
    """
    groups: list[Any] = list(chosen_groups(sequences, most_tokens(x)))
    steps: list[Tensor] = []
    out = in_groups(read, groups, x, weights, steps)
    step = x.new_zeros(len(x) + 1)
    for group, one in zip(groups, steps, strict=True):
        group.put(step, one)
    return out[: len(x)], step[: len(x)]
