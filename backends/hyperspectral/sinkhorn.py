"""Sinkhorn normalisation: from scores to matrices whose rows and columns sum to one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ITERATIONS = 20
LOGIT_LIMIT = 8.0


def sinkhorn(logits: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """Return the (nearly) doubly stochastic matrices that belong to scores.

    In the log domain and float32 whatever comes in: rows, then columns are normalised
    in turn; the last step is the columns', so they are exact and rows very nearly so
    (mHC, arXiv 2512.24880; the clamp keeps the gradient alive where scores lie far apart).

    Parameters
    ----------
    logits : tensor of shape (..., n, n)
        Row = source, column = target; clamped to ±8 first.
    iterations : int
        Pairs of normalisations.

    Returns
    -------
    float32 tensor of shape (..., n, n)
    """
    scores = _SoftClamp.apply(logits.float(), LOGIT_LIMIT)
    # Matrices last: the reductions over n then run along long contiguous lines.
    z = scores.movedim((-2, -1), (0, 1)).contiguous()
    for _ in range(iterations):
        z = z - torch.logsumexp(z, dim=1, keepdim=True)
        z = z - torch.logsumexp(z, dim=0, keepdim=True)
    return z.exp().movedim((0, 1), (-2, -1))


class _SoftClamp(torch.autograd.Function):
    """Clamp values, let gradients through: a score at the limit can still come back."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, limit: float) -> Tensor:
        return values.clamp(-limit, limit)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def residual(matrices: Tensor) -> float:
    """Return how far the worst row or column sum is from one."""
    rows = (matrices.sum(-1) - 1).abs().max()
    cols = (matrices.sum(-2) - 1).abs().max()
    return float(torch.maximum(rows, cols))
