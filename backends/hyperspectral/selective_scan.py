"""The selective state-space block (Mamba) in plain PyTorch: CPU, CUDA and MPS alike.

Follows Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State
Spaces" (2023), section 3. Weights are named as in the mamba-ssm package, so that
checkpoints can be exchanged. Three ways to run the recurrence give the same
numbers: a plain loop (to test against), blocks with their own backward pass
(the default; memory bounded), and doubling inside chunks (few, large steps).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

# A block's (steps, states, batch, channels) array stays in a core's cache.
BLOCK_STEPS = 64
BLOCK_ELEMENTS = 1 << 19
KEPT_ELEMENTS = 1 << 23


def scan_loop(x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run the recurrence step by step; autograd does the rest. For tests.

    ``h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t``, ``y_t = C_t . h_t``.

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


class _BlockedScan(torch.autograd.Function):
    """One fused multiply-add a step; everything else on whole blocks of steps.

    Inside, arrays are (steps, states, batch, channels): products then run along long
    lines, three to six times faster on a processor than with the states last. Blocks
    are kept for the backward pass while they are small; of long scans only the states
    at the block edges are, and the blocks are run again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        h = x.new_zeros(a.shape[1], x.shape[1], x.shape[2])
        y = torch.empty_like(x)
        training = any(ctx.needs_input_grad)
        keep = training and x.numel() * a.shape[1] <= KEPT_ELEMENTS
        edges, blocks = [], []
        for rows in _blocks(x.shape[0]):
            states, decay = _run_block(h, x[rows], delta[rows], a, b[rows])
            y[rows] = (states * _lines(c[rows])).sum(1)
            if training:
                edges.append(h)
            if keep:
                blocks.append((states, decay))
            h = states[-1] if keep else states[-1].clone()
        ctx.save_for_backward(x, delta, a, b, c)
        ctx.edges, ctx.kept = edges, blocks
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        (gy,) = grads
        x, delta, a, b, c = ctx.saved_tensors
        gx, gdelta = torch.empty_like(x), torch.empty_like(delta)
        gb, gc, ga = torch.empty_like(b), torch.empty_like(c), torch.zeros_like(a)
        carried = x.new_zeros(a.shape[1], x.shape[1], x.shape[2])
        a_lines = a.t()[:, None, :]
        for number, rows in reversed(list(enumerate(_blocks(x.shape[0])))):
            h0, d, gy_t = ctx.edges[number], delta[rows], gy[rows][:, None]
            if ctx.kept:
                states, decay = ctx.kept[number]
            else:
                states, decay = _run_block(h0, x[rows], d, a, b[rows])
            gc[rows] = (gy_t * states).sum(-1).transpose(1, 2)
            gh = gy_t * _lines(c[rows])
            gh[-1] += carried
            for t in range(gh.shape[0] - 2, -1, -1):
                gh[t].addcmul_(decay[t + 1], gh[t + 1])
            carried = decay[0] * gh[0]
            along_b = (gh * _lines(b[rows])).sum(1)
            gx[rows] = along_b * d
            gb[rows] = (gh * (d * x[rows])[:, None]).sum(-1).transpose(1, 2)
            gh[0] *= h0
            gh[1:] *= states[:-1]
            through_decay = gh.mul_(decay)
            gdelta[rows] = (through_decay * a_lines).sum(1) + along_b * x[rows]
            ga += (through_decay * d[:, None]).sum((0, 2)).t()
        return gx, gdelta, ga, gb, gc


def _lines(values: Tensor) -> Tensor:
    """Turn (steps, batch, states) into (steps, states, batch, 1)."""
    return values.transpose(1, 2)[..., None]


def _blocks(length: int) -> list[slice]:
    return [slice(s, min(s + BLOCK_STEPS, length)) for s in range(0, length, BLOCK_STEPS)]


def _run_block(h: Tensor, x: Tensor, delta: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return every state and decay of one block, each (steps, states, batch, channels)."""
    decay = (delta[:, None] * a.t()[:, None, :]).exp_()
    states = (delta * x)[:, None] * _lines(b)
    states[0].addcmul_(decay[0], h)
    for t in range(1, states.shape[0]):
        states[t].addcmul_(decay[t], states[t - 1])
    return states, decay


def scan_blocked(x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run the recurrence in blocks of 64 steps; arguments and result as in `scan_loop`.

    Long batches are cut too, so that what a block holds stays in the processor's cache.
    """
    batch, length, channels = x.shape
    per_sequence = min(length, BLOCK_STEPS) * channels * a.shape[1]
    # A GPU wants large steps, a processor small ones.
    many = BLOCK_ELEMENTS * (64 if x.device.type != "cpu" else 1)
    size = max(1, many // per_sequence)
    x, delta, b, c = (v.transpose(0, 1).contiguous() for v in (x, delta, b, c))
    if size >= batch:
        y = _BlockedScan.apply(x, delta, a, b, c)
    else:
        parts = [
            _BlockedScan.apply(*(v.contiguous() for v in (px, pd)), a, pb.contiguous(), pc)
            for px, pd, pb, pc in zip(
                *(v.split(size, dim=1) for v in (x, delta, b, c)), strict=True
            )
        ]
        y = torch.cat(parts, dim=1)
    out: Tensor = y.transpose(0, 1)
    return out


def softplus(x: Tensor) -> Tensor:
    """Return ``log(1 + exp(x))``, from functions that processors have in vector form."""
    return functional.relu(x) - torch.log(torch.sigmoid(x.abs()))


SCANS = {"loop": scan_loop, "blocked": scan_blocked, "chunked": scan_chunked}


class Mamba(nn.Module):
    """One selective state-space block.

    Parameters
    ----------
    d_model : int
        Width of the tokens.
    d_state, d_conv, expand : int
        States a channel, taps of the causal convolution, widening.
    scan : str
        ``"blocked"``, ``"chunked"`` or ``"loop"``.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: int = 2,
        *,
        scan: str = "blocked",
    ) -> None:
        super().__init__()
        inner = expand * d_model
        self.d_state, self.d_conv, self.scan = d_state, d_conv, scan
        self.rank = math.ceil(d_model / 16)
        self.in_proj = nn.Linear(d_model, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, d_conv, groups=inner, padding=d_conv - 1)
        self.x_proj = nn.Linear(inner, self.rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.rank, inner)
        steps = torch.arange(1, d_state + 1, dtype=torch.float32)
        self.A_log = nn.Parameter(torch.log(steps).repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, d_model, bias=False)
        self._start_steps(inner)

    def _start_steps(self, inner: int) -> None:
        """Spread the first step sizes log-uniformly over 0.001 to 0.1, as in the source."""
        bound = self.rank**-0.5
        nn.init.uniform_(self.dt_proj.weight, -bound, bound)
        low, high = math.log(1e-3), math.log(1e-1)
        step = torch.exp(torch.rand(inner) * (high - low) + low).clamp(min=1e-4)
        with torch.no_grad():
            self.dt_proj.bias.copy_(step + torch.log(-torch.expm1(-step)))

    def forward(self, u: Tensor, steps: list[Tensor] | None = None) -> Tensor:
        """Read sequences from left to right.

        Parameters
        ----------
        u : tensor of shape (batch, length, d_model)
        steps : list, optional
            Gets the mean step size of each token, shape (batch, length): near 0 the token
            is passed over, large it takes the place of what was read before.

        Returns
        -------
        tensor of the same shape; a token never depends on later ones
        """
        x, gate = self.in_proj(u).chunk(2, dim=-1)
        x = functional.silu(self._causal(x))
        rank, b, c = self.x_proj(x).split([self.rank, self.d_state, self.d_state], dim=-1)
        delta = softplus(self.dt_proj(rank))
        if steps is not None:
            steps.append(delta.detach().float().mean(-1))
        a = -torch.exp(self.A_log.float())
        y = SCANS[self.scan](x.float(), delta.float(), a, b.float(), c.float())
        y = (y + self.D * x) * functional.silu(gate)
        out: Tensor = self.out_proj(y)
        return out

    def _causal(self, x: Tensor) -> Tensor:
        """Depthwise causal convolution as shifted products: no transposes, fast on CPU."""
        weight = self.conv1d.weight[:, 0]  # (inner, taps)
        length = x.shape[1]
        out = x * weight[:, -1] + self.conv1d.bias
        for lag in range(1, min(self.d_conv, length)):
            shifted = functional.pad(x[:, : length - lag], (0, 0, lag, 0))
            out = out + shifted * weight[:, -1 - lag]
        return out
