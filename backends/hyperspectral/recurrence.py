"""The recurrence of the selective scan, three ways with the same numbers.

Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces" (2023),
section 3.2: ``h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t``, ``y_t = C_t . h_t``. A plain
loop (to test against), blocks with their own backward pass (the default; memory bounded),
and doubling inside chunks (few, large steps).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# A block of (steps, batch, states, channels) stays in the cache of a processor's core together
# with what is made from it. A GPU wants large steps.
BLOCK_ELEMENTS = 1 << 17
GPU_TIMES = 512
BLOCK_STEPS = 128
# Of a wide batch so few steps are worked on at a time, but not fewer: each costs a call.
LEAST_STEPS = 8


def scan_loop(x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run the recurrence step by step; autograd does the rest. For tests.

    Parameters
    ----------
    x, delta : tensors of shape (batch, length, channels)
    a : tensor of shape (channels, states)
        Negative.
    b, c : tensors of shape (batch, length, states)

    Returns
    -------
    tensor of shape (batch, length, channels)
    """
    h = x.new_zeros(x.shape[0], x.shape[2], a.shape[1])
    out = []
    for t in range(x.shape[1]):
        decay = torch.exp(delta[:, t, :, None] * a)
        h = decay * h + (delta[:, t] * x[:, t])[:, :, None] * b[:, t, None, :]
        out.append((h * c[:, t, None, :]).sum(-1))
    return torch.stack(out, dim=1)


def scan_chunked(
    x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, *, chunk: int = 64
) -> Tensor:
    """Run the recurrence by doubling inside chunks, carrying the state between them.

    Arguments and result as in `scan_loop`. In training each chunk is recomputed
    instead of stored.
    """
    h = x.new_zeros(x.shape[0], x.shape[2], a.shape[1])
    out = []
    for start in range(0, x.shape[1], chunk):
        part = [v[:, start : start + chunk] for v in (x, delta, b, c)]
        if torch.is_grad_enabled():
            y, h = checkpoint(_one_chunk, h, a, *part, use_reentrant=False)
        else:
            y, h = _one_chunk(h, a, *part)
        out.append(y)
    return torch.cat(out, dim=1)


def _one_chunk(
    h: Tensor, a: Tensor, x: Tensor, delta: Tensor, b: Tensor, c: Tensor
) -> tuple[Tensor, Tensor]:
    decay = torch.exp(delta[..., None] * a)  # (batch, T, channels, states)
    state = (delta * x)[..., None] * b[:, :, None, :]
    first = torch.cat([decay[:, :1] * h[:, None] + state[:, :1], state[:, 1:]], dim=1)
    state, span = first, 1
    while span < x.shape[1]:
        # (decay, state) of t absorbs that of t - span: after log2(T) rounds all is summed.
        state = torch.cat(
            [state[:, :span], state[:, span:] + decay[:, span:] * state[:, :-span]], dim=1
        )
        decay = torch.cat([decay[:, :span], decay[:, span:] * decay[:, :-span]], dim=1)
        span *= 2
    return (state * c[:, :, None, :]).sum(-1), state[:, -1]


class Kept:
    """What a scan said, so that its backward pass needs no second forward pass.

    A first run without gradients fills it; a second run, with the same arguments and with
    gradients, takes from it.
    """

    def __init__(self) -> None:
        self.parts: list[tuple[Tensor, list[Tensor]]] = []
        self.full = False

    def taken(self) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Return what was said, in turn."""
        return iter(self.parts)


class _BlockedScan(torch.autograd.Function):
    """One fused multiply-add a step; everything else on whole blocks of steps.

    Inside, arrays are (steps, batch, states, channels): what is summed over states or
    channels then is a product of small matrices. Of the states only those at the edges of
    blocks are stored; for the way back the blocks are run again.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, known: Any, fill: bool
    ) -> tuple[Tensor, Any]:
        ctx.save_for_backward(x, delta, a, b, c)
        if known is not None:
            y, ctx.edges = known
            return y.detach(), None
        ctx.edges = []
        channels, count = a.shape
        a_rows = a.t().contiguous()
        h = x.new_zeros(x.shape[1], count, channels)
        y = torch.empty_like(x)
        # Fresh memory costs more than arithmetic: the same arrays serve every block.
        room = [_room(x, a) for _ in range(2)]
        for rows in _blocks(x, a):
            states, decay = (v[: rows.stop - rows.start] for v in room)
            if fill:
                ctx.edges.append(h)
            _run_block(states, decay, h, x[rows], delta[rows], a_rows, b[rows])
            said = y[rows].view(-1, 1, channels)
            torch.bmm(c[rows].reshape(-1, 1, count), states.flatten(0, 1), out=said)
            h = states[-1].clone()
        return y, ctx.edges

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        x, delta, a, b, c = ctx.saved_tensors
        gy_all = grads[0].contiguous()
        channels, count = a.shape
        a_rows = a.t().contiguous()
        gx, gdelta, gb, gc = (torch.empty_like(v) for v in (x, delta, b, c))
        ga = torch.zeros_like(a_rows)
        carried = x.new_zeros(x.shape[1], count, channels)
        room = [_room(x, a) for _ in range(3)]
        for number, rows in reversed(list(enumerate(_blocks(x, a)))):
            h0, d, xs, gy = ctx.edges[number], delta[rows], x[rows], gy_all[rows]
            states, decay, gh = (v[: rows.stop - rows.start] for v in room)
            _run_block(states, decay, h0, xs, d, a_rows, b[rows])
            flat = gh.flatten(0, 1)
            torch.bmm(
                states.flatten(0, 1), gy.view(-1, channels, 1), out=gc[rows].view(-1, count, 1)
            )
            torch.mul(gy[:, :, None], c[rows][..., None], out=gh)
            gh[-1] += carried
            backwards, decays = gh.unbind(0), decay.unbind(0)
            for t in range(len(backwards) - 2, -1, -1):
                backwards[t].addcmul_(decays[t + 1], backwards[t + 1])
            torch.mul(decay[0], gh[0], out=carried)
            along_b = torch.bmm(b[rows].reshape(-1, 1, count), flat).view(d.shape)
            torch.bmm(flat, (d * xs).view(-1, channels, 1), out=gb[rows].view(-1, count, 1))
            torch.mul(along_b, d, out=gx[rows])
            gh[0] *= h0
            gh[1:] *= states[:-1]
            through_decay = gh.mul_(decay)
            torch.sum(torch.mul(through_decay, a_rows, out=states), 2, out=gdelta[rows])
            gdelta[rows].addcmul_(along_b, xs)
            ga += through_decay.mul_(d[:, :, None]).flatten(0, 1).sum(0)
        return gx, gdelta, ga.t(), gb, gc, None, None


def _most(x: Tensor) -> int:
    """Return how many elements a block may have where an array lies."""
    return BLOCK_ELEMENTS * (1 if x.device.type == "cpu" else GPU_TIMES)


def _steps(x: Tensor, a: Tensor) -> int:
    """Return how many steps a block has; ``x`` is (steps, batch, channels)."""
    room = _most(x) // max(1, x.shape[1] * a.numel())
    steps: int = min(BLOCK_STEPS, len(x), max(LEAST_STEPS, room))
    return max(1, steps)


def _room(x: Tensor, a: Tensor) -> Tensor:
    """Return memory for one block of steps, (steps, batch, states, channels)."""
    return x.new_empty(_steps(x, a), x.shape[1], a.shape[1], a.shape[0])


def _blocks(x: Tensor, a: Tensor) -> list[slice]:
    steps = _steps(x, a)
    return [slice(s, min(s + steps, len(x))) for s in range(0, len(x), steps)]


def _run_block(
    states: Tensor, decay: Tensor, h: Tensor, x: Tensor, delta: Tensor, a_rows: Tensor, b: Tensor
) -> None:
    """Write every state and decay of one block, each (steps, batch, states, channels)."""
    torch.mul(delta[:, :, None], a_rows, out=decay).exp_()
    torch.mul((delta * x)[:, :, None], b[..., None], out=states)
    for state, kept in zip(states.unbind(0), decay.unbind(0), strict=True):
        h = state.addcmul_(kept, h)


def scan_blocked(
    x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, *, kept: Kept | None = None
) -> Tensor:
    """Run the recurrence in blocks of steps; arguments and result as in `scan_loop`.

    Large batches are cut too, so that what a block holds stays in the processor's cache.
    """
    _, length, _ = x.shape
    size = max(1, _most(x) // (min(length, LEAST_STEPS, BLOCK_STEPS) * a.numel()))
    known = kept.taken() if kept is not None and kept.full else None
    fill = torch.is_grad_enabled() or kept is not None
    parts = []
    for part in zip(*(_steps_first(v, size) for v in (x, delta, b, c)), strict=True):
        px, pd, pb, pc = part
        before = None if known is None else next(known)
        y, edges = _BlockedScan.apply(px, pd, a, pb, pc, before, fill)
        if kept is not None and not kept.full:
            kept.parts.append((y, edges))
        parts.append(y)
    if kept is not None:
        kept.full = True
    y = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    out: Tensor = y.transpose(0, 1)
    return out


def _steps_first(values: Tensor, size: int) -> list[Tensor]:
    """Turn (batch, steps, any) into pieces of (steps, size, any)."""
    return [part.transpose(0, 1).contiguous() for part in values.split(size)]
