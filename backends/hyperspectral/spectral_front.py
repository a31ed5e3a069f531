"""The front of a network: whitened spectra, and what they say of the class by themselves.

A network that may use the neighbourhood of a pixel learns places by heart where labels lie
close together. Here the spectrum speaks first: a closed-form classifier (nearest class mean in
whitened space, i.e. linear discriminant analysis) whose answer the network only corrects, and
which it must not contradict without reason on the many pixels that have no label.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from backends.hyperspectral.networks import Known
from backends.hyperspectral.precision import exact
from backends.hyperspectral.whitening import Whitening, fit_whitening


class SpectralFront(nn.Module):
    """A fixed linear map and a fixed linear classifier on it.

    Parameters
    ----------
    bands, components, classes : int
    """

    def __init__(self, bands: int, components: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(bands, components))
        self.register_buffer("bias", torch.zeros(components))
        self.register_buffer("class_weight", torch.zeros(components, classes))
        self.register_buffer("class_bias", torch.zeros(classes))
        self.weight: Tensor
        self.bias: Tensor
        self.class_weight: Tensor
        self.class_bias: Tensor

    def take(self, found: Whitening) -> None:
        """Take over what was fitted."""
        means = torch.from_numpy(found.means)
        self.weight.copy_(torch.from_numpy(found.weight))
        self.bias.copy_(torch.from_numpy(found.bias))
        self.class_weight.copy_(2 * means.t() / found.heat)
        bias = -(means**2).sum(1) / found.heat
        # A class that was never taught is never answered.
        bias[torch.from_numpy(~np.asarray(found.present))] = -30.0
        self.class_bias.copy_(bias)

    def forward(self, spectra: Tensor) -> Tensor:
        """Return whitened spectra, shape (pixels, components)."""
        with exact(spectra):
            return spectra @ self.weight + self.bias

    def logits(self, whitened: Tensor) -> Tensor:
        """Return what the spectrum alone says, shape (pixels, classes)."""
        # No more than certain: the distance of an outlier must not drown the network.
        with exact(whitened):
            raw = whitened @ self.class_weight + self.class_bias
        return 10 * torch.tanh(torch.log_softmax(raw, dim=1) / 10)


def whitening_of(
    known: Known, front: SpectralFront, members: NDArray[np.int64] | None = None
) -> Whitening:
    """Fit the whitening for a front.

    Parameters
    ----------
    members : int64 array, optional
        The bands it reads; all by default.
    """
    pick = slice(None) if members is None else members
    return fit_whitening(
        known.taught.seen[:, pick],
        known.target,
        known.anywhere.seen[:, pick],
        known.local if members is None else known.local[np.ix_(members, members)],
        front.class_bias.numel(),
        components=front.bias.numel(),
    )


def disagreement(logits: Tensor, spectral: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence from the spectrum's own answer."""
    wanted = torch.softmax(spectral.detach(), dim=1)
    return functional.kl_div(torch.log_softmax(logits, dim=1), wanted, reduction="batchmean")
