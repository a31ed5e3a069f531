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

from backends.hyperspectral.precision import exact
from backends.hyperspectral.recurrence import Kept, scan_blocked, scan_chunked, scan_loop
from backends.hyperspectral.token_groups import Group, Stretch, in_groups, most_tokens

FUSED_TOLERANCE = 1e-3
# Training on so many tokens fits; of more, the scans are kept and the rest is made again.
LARGE_TOKENS = 1 << 16


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


class _Convolution(torch.autograd.Function):
    """SiLU of a depthwise causal convolution along the first axis, as shifted products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        taps = weight.t().contiguous()  # (taps, channels)
        before = torch.addcmul(bias, x, taps[-1])
        for lag in range(1, min(len(taps), len(x))):
            before[lag:].addcmul_(x[:-lag], taps[-1 - lag])
        ctx.save_for_backward(x, taps, before)
        return functional.silu(before)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, taps, before = ctx.saved_tensors
        g = torch.ops.aten.silu_backward(grads[0], before)
        gx, gtaps = g * taps[-1], torch.zeros_like(taps)
        work = g * x
        gtaps[-1] = work.sum((0, 1))
        for lag in range(1, min(len(taps), len(x))):
            gx[:-lag].addcmul_(g[lag:], taps[-1 - lag])
            gtaps[-1 - lag] = torch.mul(g[lag:], x[:-lag], out=work[lag:]).sum((0, 1))
        return gx, gtaps.t(), g.sum((0, 1))


def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the SiLU of a depthwise causal convolution.

    Parameters
    ----------
    x : tensor of shape (length, batch, channels)
    weight : tensor of shape (channels, taps)
    bias : tensor of shape (channels,)
    """
    out: Tensor = _Convolution.apply(x, weight, bias)
    return out


class _Gate(torch.autograd.Function):
    """``(y + skip * x) * silu(gate)`` with few arrays in between."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, skip: Tensor, x: Tensor, gate: Tensor) -> Tensor:
        ctx.save_for_backward(y, skip, x, gate)
        return torch.addcmul(y, x, skip).mul_(functional.silu(gate))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        y, skip, x, gate = ctx.saved_tensors
        (g,) = grads
        gy = g * functional.silu(gate)
        gated = torch.addcmul(y, x, skip).mul_(g).to(gate.dtype)
        ggate = torch.ops.aten.silu_backward(gated, gate)
        return gy, (gy * x).sum((0, 1)), gy * skip, ggate


Scan = Callable[..., Tensor]


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
            Gets the mean step size of each token, shape (sequences, length), of some sequences
            after the other: near 0 the token is passed over, large it takes the place of what
            was read before.

        Returns
        -------
        tensor of the same shape; a token never depends on later ones
        """
        size = max(1, most_tokens(u) // max(1, u.shape[1]))
        fits = torch.is_grad_enabled() and u.shape[0] * u.shape[1] <= LARGE_TOKENS
        if fits or size >= len(u):
            return self.read(u, steps)
        rows = [slice(low, low + size) for low in range(0, len(u), size)]
        groups: list[Group] = [Stretch(part) for part in rows]

        def read(part: Tensor, _: Group, said: list[Tensor] | None, kept: Kept | None) -> Tensor:
            return self.read(part, said, kept)

        return in_groups(read, groups, u, self.parameters(), steps)

    def read(
        self, u: Tensor, steps: list[Tensor] | None = None, kept: Kept | None = None
    ) -> Tensor:
        """Read sequences at once; arguments as in `forward`, and what the scan says is kept."""
        # Steps first: what is one step later lies a line further, for all sequences.
        u = u.transpose(0, 1).contiguous()
        inner = len(self.A_log)
        into = self.in_proj.weight
        x, gate = functional.linear(u, into[:inner]), functional.linear(u, into[inner:])
        x = convolve(x.to(into.dtype), self.conv1d.weight[:, 0], self.conv1d.bias)
        rank, b, c = self.x_proj(x).split([self.rank, self.d_state, self.d_state], dim=-1)
        delta = softplus(self.dt_proj(rank).float())
        if steps is not None:
            steps.append(delta.detach().mean(-1).t())
        a = -torch.exp(self.A_log.float())
        given = [v.float().transpose(0, 1) for v in (x, delta, b, c)]
        with exact(u):
            y = self._recurrence(given[0], given[1], a, given[2], given[3], kept).transpose(0, 1)
        out: Tensor = self.out_proj(_Gate.apply(y, self.D, x, gate)).transpose(0, 1)
        return out

    def _recurrence(
        self, x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, kept: Kept | None
    ) -> Tensor:
        scan = SCANS[self.scan]
        if x.is_cuda and self.scan == "blocked":
            scan = fused_scan() or scan
        if kept is not None and scan is SCANS["blocked"]:
            return scan(x, delta, a, b, c, kept=kept)
        return scan(x, delta, a, b, c)
