"""The selective state-space block (Mamba) in plain PyTorch: CPU, CUDA and MPS alike.

Follows Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State
Spaces" (2023), section 3. Weights are named as in the mamba-ssm package, so that
checkpoints can be exchanged. Three ways to run the recurrence give the same
numbers: a plain loop (to test against), blocks with their own backward pass
(the default; memory bounded), and doubling inside chunks (few, large steps).
On CUDA the kernel of an installed mamba-ssm is used once it has given the same.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from backends.hyperspectral.precision import autocast, exact

# A block's (steps, states, batch, channels) array stays in a core's cache.
BLOCK_STEPS = 64
BLOCK_ELEMENTS = 1 << 19
KEPT_ELEMENTS = 1 << 23
# Of a batch of more tokens than the first figure, the second are worked on at a time, and
# run again in training: a third of the memory. Smaller ones fit, and once is faster.
LARGE_TOKENS = 1 << 16
GROUP_TOKENS = 1 << 13
FUSED_TOLERANCE = 1e-3


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
    def forward(
        ctx: Any, x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, keep: bool
    ) -> Tensor:
        h = x.new_zeros(a.shape[1], x.shape[1], x.shape[2])
        y = torch.empty_like(x)
        training = any(ctx.needs_input_grad)
        keep = keep and training
        # Fresh memory costs more than arithmetic: the same arrays serve every block.
        room = [_room(x, a) for _ in range(3)]
        edges, blocks = [], []
        for rows in _blocks(x.shape[0]):
            steps = rows.stop - rows.start
            states, decay = (_room(x[rows], a) if keep else v[:steps] for v in room[:2])
            _run_block(states, decay, h, x[rows], delta[rows], a, b[rows])
            torch.sum(torch.mul(states, _lines(c[rows]), out=room[2][:steps]), 1, out=y[rows])
            if training:
                edges.append(h)
            if keep:
                blocks.append((states, decay))
            h = states[-1] if keep else states[-1].clone()
        ctx.save_for_backward(x, delta, a, b, c)
        ctx.edges, ctx.kept = edges, blocks
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gy,) = grads
        x, delta, a, b, c = ctx.saved_tensors
        gx, gdelta = torch.empty_like(x), torch.empty_like(delta)
        gb, gc, ga = torch.empty_like(b), torch.empty_like(c), torch.zeros_like(a)
        carried = x.new_zeros(a.shape[1], x.shape[1], x.shape[2])
        a_lines = a.t()[:, None, :]
        room = [_room(x, a) for _ in range(2 if ctx.kept else 4)]
        for number, rows in reversed(list(enumerate(_blocks(x.shape[0])))):
            h0, d, gy_t = ctx.edges[number], delta[rows], gy[rows][:, None]
            gh, work, *rest = (v[: rows.stop - rows.start] for v in room)
            if ctx.kept:
                states, decay = ctx.kept[number]
            else:
                states, decay = rest
                _run_block(states, decay, h0, x[rows], d, a, b[rows])
            gc[rows] = torch.mul(gy_t, states, out=work).sum(-1).transpose(1, 2)
            torch.mul(gy_t, _lines(c[rows]), out=gh)
            gh[-1] += carried
            later = gh[-1]
            for t in range(gh.shape[0] - 2, -1, -1):
                later = gh[t].addcmul_(decay[t + 1], later)
            torch.mul(decay[0], gh[0], out=carried)
            along_b = torch.mul(gh, _lines(b[rows]), out=work).sum(1)
            torch.mul(along_b, d, out=gx[rows])
            gb[rows] = torch.mul(gh, (d * x[rows])[:, None], out=work).sum(-1).transpose(1, 2)
            gh[0] *= h0
            gh[1:] *= states[:-1]
            through_decay = gh.mul_(decay)
            torch.sum(torch.mul(through_decay, a_lines, out=work), 1, out=gdelta[rows])
            gdelta[rows].addcmul_(along_b, x[rows])
            # Steps first: along long lines. Both at once would take four times as long.
            ga += through_decay.mul_(d[:, None]).sum(0).sum(1).t()
        return gx, gdelta, ga, gb, gc, None


def _room(x: Tensor, a: Tensor) -> Tensor:
    """Return memory for one block of steps, (steps, states, batch, channels)."""
    return x.new_empty(min(len(x), BLOCK_STEPS), a.shape[1], *x.shape[1:])


def _lines(values: Tensor) -> Tensor:
    """Turn (steps, batch, states) into (steps, states, batch, 1)."""
    return values.transpose(1, 2)[..., None]


def _blocks(length: int) -> list[slice]:
    return [slice(s, min(s + BLOCK_STEPS, length)) for s in range(0, length, BLOCK_STEPS)]


def _run_block(
    states: Tensor, decay: Tensor, h: Tensor, x: Tensor, delta: Tensor, a: Tensor, b: Tensor
) -> None:
    """Write every state and decay of one block, each (steps, states, batch, channels)."""
    torch.mul(delta[:, None], a.t()[:, None, :], out=decay).exp_()
    torch.mul((delta * x)[:, None], _lines(b), out=states)
    for t in range(states.shape[0]):
        h = states[t].addcmul_(decay[t], h)


def scan_blocked(x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run the recurrence in blocks of 64 steps; arguments and result as in `scan_loop`.

    Long batches are cut too, so that what a block holds stays in the processor's cache.
    """
    _, length, channels = x.shape
    per_sequence = min(length, BLOCK_STEPS) * channels * a.shape[1]
    # A GPU wants large steps, a processor small ones.
    many = BLOCK_ELEMENTS * (64 if x.device.type != "cpu" else 1)
    size = max(1, many // per_sequence)
    keep = x.numel() * a.shape[1] <= KEPT_ELEMENTS
    parts = [
        _BlockedScan.apply(px, pd, a, pb, pc, keep)
        for px, pd, pb, pc in zip(*(_steps_first(v, size) for v in (x, delta, b, c)), strict=True)
    ]
    y = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    out: Tensor = y.transpose(0, 1)
    return out


def _steps_first(values: Tensor, size: int) -> list[Tensor]:
    """Turn (batch, steps, any) into pieces of (steps, size, any)."""
    return [part.transpose(0, 1).contiguous() for part in values.split(size)]


class _Softplus(torch.autograd.Function):
    """``log(1 + exp(x))``, from functions that processors have in vector form."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = functional.relu(x).sub_(torch.abs(x).sigmoid_().log_())
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return grads[0] * (-torch.expm1(-y))  # the sigmoid of x


def softplus(x: Tensor) -> Tensor:
    """Return ``log(1 + exp(x))``."""
    out: Tensor = _Softplus.apply(x)
    return out


class _CausalConvolution(torch.autograd.Function):
    """Depthwise causal convolution as shifted products: no transposes, fast on a processor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        out = x * weight[:, -1]
        for lag in range(1, min(weight.shape[1], x.shape[1])):
            out[:, lag:].addcmul_(x[:, :-lag], weight[:, -1 - lag])
        return out.add_(bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        (g,) = grads
        gx, gweight = g * weight[:, -1], torch.zeros_like(weight)
        gweight[:, -1] = (g * x).sum((0, 1))
        for lag in range(1, min(weight.shape[1], x.shape[1])):
            gx[:, :-lag].addcmul_(g[:, lag:], weight[:, -1 - lag])
            gweight[:, -1 - lag] = (g[:, lag:] * x[:, :-lag]).sum((0, 1))
        return gx, gweight, g.sum((0, 1))


class _RunAgain(torch.autograd.Function):
    """A stretch of a network of which only the input is kept, and which runs twice."""

    @staticmethod
    def forward(ctx: Any, run: Any, steps: list[Tensor] | None, u: Tensor, *weights: Tensor) -> Any:
        ctx.run = run
        kind = u.device.type
        mixed = torch.is_autocast_enabled(kind)
        ctx.precision = torch.get_autocast_dtype(kind) if mixed else None
        ctx.save_for_backward(u, *weights)
        return run(u, steps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        u, *weights = ctx.saved_tensors
        with torch.enable_grad(), autocast(u.device.type, ctx.precision):
            u = u.detach().requires_grad_(ctx.needs_input_grad[2])
            wanted = [v for v in (u, *weights) if v.requires_grad]
            found = iter(torch.autograd.grad(ctx.run(u), wanted, grads))
        given = [next(found) if v.requires_grad else None for v in (u, *weights)]
        return None, None, *given


Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def fused_scan() -> Scan | None:
    """Return mamba-ssm's CUDA kernel in our terms, or None; see `fused_status`."""
    return _probe()[0]


def fused_status() -> str:
    """Return one sentence on whether the fused CUDA kernel is used, and why not."""
    return _probe()[1]


@cache
def _probe() -> tuple[Scan | None, str]:
    """Import the kernel and compare it once with the plain loop.

    The package may be there without its kernel (it is not built by a plain install), and
    then fails only when called; so the compiled module itself is asked for.
    """
    ours = "the scan runs in plain PyTorch."
    try:
        importlib.import_module("selective_scan_cuda")
        interface = importlib.import_module("mamba_ssm.ops.selective_scan_interface")
        fused = interface.selective_scan_fn
    except Exception as error:  # a broken binary raises anything, at import
        return None, f"No fused CUDA scan ({type(error).__name__}): {ours}"

    def scan(x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        x, delta, b, c = (v.transpose(1, 2).contiguous() for v in (x, delta, b, c))
        y: Tensor = fused(x, delta, a, b, c)
        return y.transpose(1, 2)

    try:
        off = _difference(scan)
    except Exception as error:
        return None, f"The fused CUDA scan does not run here ({type(error).__name__}): {ours}"
    if not off < FUSED_TOLERANCE:
        return None, f"The fused CUDA scan differs from ours by {off:.2g}: {ours}"
    return scan, f"The fused CUDA scan is used; it differs from ours by {off:.1g} at most."


def _difference(scan: Scan) -> float:
    """Return by how much a scan differs from the loop on 64 tokens."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    made = torch.Generator().manual_seed(0)
    x, delta = torch.randn(2, 64, 8, generator=made), torch.rand(2, 64, 8, generator=made)
    a = -torch.arange(1.0, 5).repeat(8, 1)
    b, c = torch.randn(2, 2, 64, 4, generator=made)
    given = [v.to(device) for v in (x, delta, a, b, c)]
    with torch.no_grad():
        return float((scan(*given) - scan_loop(*given)).abs().max())


SCANS: dict[str, Scan] = {"loop": scan_loop, "blocked": scan_blocked, "chunked": scan_chunked}


class Mamba(nn.Module):
    """One selective state-space block.

    Parameters
    ----------
    d_model : int
        Width of the tokens.
    d_state, d_conv, expand : int
        States a channel, taps of the causal convolution, widening.
    scan : str
        ``"blocked"`` (on CUDA the fused kernel where it proves right), ``"chunked"`` or
        ``"loop"``.
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
        group = max(1, GROUP_TOKENS // max(1, u.shape[1]))
        if u.shape[0] * u.shape[1] <= LARGE_TOKENS or group >= len(u):
            return self._read(u, steps)
        # Sequences know nothing of each other: memory follows the group, not the batch.
        weights = tuple(self.parameters())
        return torch.cat(
            [_RunAgain.apply(self._read, steps, part, *weights) for part in u.split(group)]
        )

    def _read(self, u: Tensor, steps: list[Tensor] | None = None) -> Tensor:
        x, gate = self.in_proj(u).chunk(2, dim=-1)
        x = functional.silu(self._causal(x))
        rank, b, c = self.x_proj(x).split([self.rank, self.d_state, self.d_state], dim=-1)
        delta = softplus(self.dt_proj(rank).float())
        if steps is not None:
            steps.append(delta.detach().float().mean(-1))
        a = -torch.exp(self.A_log.float())
        scan = SCANS[self.scan]
        if u.is_cuda and self.scan == "blocked":
            scan = fused_scan() or scan
        with exact(u):
            y = scan(x.float(), delta, a, b.float(), c.float())
        y = (y + self.D * x) * functional.silu(gate)
        out: Tensor = self.out_proj(y)
        return out

    def _causal(self, x: Tensor) -> Tensor:
        weight = self.conv1d.weight[:, 0]  # (inner, taps)
        out: Tensor = _CausalConvolution.apply(x.to(weight.dtype), weight, self.conv1d.bias)
        return out
