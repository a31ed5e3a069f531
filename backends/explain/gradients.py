"""Explanations from the gradient at the input: saliency, SmoothGrad, integrated gradients.

Gradients by ``torch.autograd.grad`` at the input alone: nothing is left on the network's
weights, and frozen networks work.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backends.errors import BadInput
from backends.explain.asking import Ask
from backends.explain.substrates import baseline_of


def input_gradient(ask: Ask, batch: Tensor) -> Tensor:
    """Return the gradient of the explained number at the input, shaped like the batch."""
    with torch.inference_mode(False), torch.enable_grad():
        leaf = batch.detach().clone().requires_grad_()
        score = ask.target.of(ask.classifier.logits(leaf))
        if not score.requires_grad:
            raise BadInput(
                f"{ask.classifier.card.title} computes without gradients.",
                way_out="Choose a method that needs none: occlusion or RISE.",
            )
        (found,) = torch.autograd.grad(score.sum(), leaf)
    return found.detach()


def saliency(ask: Ask, batch: Tensor) -> Tensor:
    """Gradient at the input (Simonyan et al. 2013); over bands its length (L2)."""
    gradient = input_gradient(ask, batch)
    _note_bands(ask, gradient * batch)
    return gradient.square().sum(1).sqrt()


def smooth_grad(ask: Ask, batch: Tensor) -> Tensor:
    """SmoothGrad (Smilkov et al. 2017): mean gradient under noise, then its length over bands.

    ``noise`` is its standard deviation as a part of the input's range; seeded.
    """
    count, size = int(ask.settings["samples"]), int(ask.settings["batch"])
    spread = (batch.amax((1, 2, 3), keepdim=True) - batch.amin((1, 2, 3), keepdim=True)) * float(
        ask.settings["noise"]
    )
    dice = torch.Generator().manual_seed(int(ask.settings["seed"]))
    total = torch.zeros_like(batch)
    ask.progress.start(count, "samples", "Gradients under noise")
    for low in range(0, count, size):
        ask.progress.check()
        now = min(size, count - low)
        # Drawn on the processor, so that every device sees the same noise.
        noise = torch.randn((now, *batch.shape), generator=dice).to(batch.device, batch.dtype)
        noisy = (batch + noise * spread).flatten(0, 1)
        total += input_gradient(ask, noisy).unflatten(0, (now, -1)).sum(0)
        ask.progress.advance(now)
    mean = total / count
    _note_bands(ask, mean * batch)
    return mean.square().sum(1).sqrt()


def integrated_gradients(ask: Ask, batch: Tensor) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017, eq. 1), summed over bands.

    Gauss-Legendre points along the straight way from the baseline. The map's sum is what the
    score gained on that way; what is missing of it is noted as ``missing``.
    """
    steps, size = int(ask.settings["steps"]), int(ask.settings["batch"])
    base = baseline_of(batch, str(ask.settings["baseline"]))
    points, weights = np.polynomial.legendre.leggauss(steps)
    points, weights = (points + 1) / 2, weights / 2
    total = torch.zeros_like(batch)
    ask.progress.start(steps, "steps", "Gradients along the way")
    for low in range(0, steps, size):
        ask.progress.check()
        some = slice(low, min(low + size, steps))
        at = torch.tensor(points[some], dtype=batch.dtype, device=batch.device)
        share = torch.tensor(weights[some], dtype=batch.dtype, device=batch.device)
        way = base + at[:, None, None, None, None] * (batch - base)
        found = input_gradient(ask, way.flatten(0, 1)).unflatten(0, (len(at), -1))
        total += (found * share[:, None, None, None, None]).sum(0)
        ask.progress.advance(len(at))
    values = total * (batch - base)
    gained = ask.scores(batch) - ask.scores(base.expand_as(batch))
    missing = gained - values.flatten(1).sum(1).float()
    ask.side["figures"] = {
        "score_gained": float(gained[0]),
        "missing": float(missing[0]),
        "baseline": str(ask.settings["baseline"]),
    }
    _note_bands(ask, values)
    return values.sum(1)


def _note_bands(ask: Ask, values: Tensor) -> None:
    """Keep how much each band mattered: the mean size of gradient times value."""
    ask.side["bands"] = values[0].abs().mean((1, 2)).cpu().numpy().astype(np.float32)
