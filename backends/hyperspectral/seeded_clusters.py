"""Clusters held to a prior that training pixels seed: variant b of CSSMamba.

After the development code of CSSMamba's authors as our notes describe it (a k-means over all
pixels that begins at sub-clusters of each class's training pixels; Gaussian memberships about
centres that follow the features). The prior is kept as centres in a space of standardised
spectra, so that any pixel of any tile or scene has one; it knows no label but those of the
training pixels and is made anew for each split and seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

PRIOR_COMPONENTS = 20
ROUNDS = 25
# Of the running centres that are used where nothing is learned.
MOMENTUM = 0.1

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prior:
    """Where the pixels of each block's clusters lie, before anything is learned.

    Attributes
    ----------
    mean : float32 array of shape (bands,)
    weight : float32 array of shape (bands, components)
        ``(x - mean) @ weight``: principal components of standardised spectra.
    seeds : tuple of float32 arrays of shape (clusters, components)
        Centres, one array a block; a pixel belongs to the nearest.
    """

    mean: NDArray[np.float32]
    weight: NDArray[np.float32]
    seeds: tuple[NDArray[np.float32], ...]


def fit_prior(
    taught: NDArray[np.float32],
    target: NDArray[np.int64],
    anywhere: NDArray[np.float32],
    counts: Sequence[int],
    seed: int = 0,
) -> Prior:
    """Make the prior.

    Parameters
    ----------
    taught : float array of shape (pixels, bands)
        Spectra of the training pixels, and of no others that are labelled.
    target : int64 array of shape (pixels,)
        Their classes, from 0.
    anywhere : float array of shape (sample, bands)
        Pixels of the scene, without labels; of a large one a sample.
    counts : sequence of int
        Clusters of each block.
    """
    rng = np.random.default_rng(seed)
    pixels = anywhere.astype(np.float64)
    mean, spread = pixels.mean(axis=0), np.maximum(pixels.std(axis=0), 1e-6)
    standard = (pixels - mean) / spread
    _, turn = np.linalg.eigh(standard.T @ standard)
    weight = turn[:, ::-1][:, :PRIOR_COMPONENTS] / spread[:, None]
    known, everywhere = (taught - mean) @ weight, (pixels - mean) @ weight
    seeds = []
    for count in counts:
        first = class_seeds(known, target, everywhere, count, rng)
        seeds.append(k_means(everywhere, first).astype(np.float32))
    return Prior(mean.astype(np.float32), weight.astype(np.float32), tuple(seeds))


def sub_clusters(sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Deal clusters out to classes in proportion to their training pixels, at least one each.

    Never more than a class has pixels, so that the sum may be less than ``count``; more than
    ``count`` only where there are more classes.
    """
    there = sizes > 0
    dealt = there.astype(np.int64)
    while dealt.sum() < count and (dealt < sizes).any():
        # The class whose sub-clusters are largest gets the next one.
        each = np.where(dealt < sizes, sizes / np.maximum(dealt, 1), -1.0)
        dealt[int(each.argmax())] += 1
    return dealt


def k_means(points: Floats, centres: Floats, rounds: int = ROUNDS) -> Floats:
    """Return centres after some rounds of Lloyd's method; empty clusters stay where they are."""
    centres = centres.copy()
    before: NDArray[np.intp] | None = None
    for _ in range(rounds):
        nearest = _nearest(points, centres)
        if before is not None and np.array_equal(nearest, before):
            break
        before = nearest
        held = np.bincount(nearest, minlength=len(centres))
        total = np.zeros_like(centres)
        np.add.at(total, nearest, points)
        some = held > 0
        centres[some] = total[some] / held[some, None]
    return centres


def class_seeds(
    known: Floats,
    target: NDArray[np.int64],
    everywhere: Floats,
    count: int,
    rng: np.random.Generator,
) -> Floats:
    """Return centres of sub-clusters of the classes, shape (count, components).

    Parameters
    ----------
    known : float array of shape (taught, components)
        Training pixels, of the classes ``target``.
    everywhere : float array of shape (sample, components)
        Other pixels: where clusters begin for which there are too few labels.
    """
    dealt = sub_clusters(np.bincount(target), count)
    found = []
    for label in np.flatnonzero(dealt):
        mine = known[target == label]
        found.append(k_means(mine, _spread_out(mine, mine[:0], int(dealt[label]), rng)))
    seeds = np.concatenate(found)[:count]
    # Few labels: the other clusters begin at pixels unlike any that was labelled.
    return np.concatenate([seeds, _spread_out(everywhere, seeds, count - len(seeds), rng)])


def _spread_out(points: Floats, chosen: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Draw points far from those chosen and from each other (k-means++)."""
    picked: list[Floats] = []
    far = np.full(len(points), np.inf)
    for one in chosen:
        far = np.minimum(far, ((points - one) ** 2).sum(axis=1))
    for _ in range(count):
        if np.isinf(far).all():
            at = int(rng.integers(len(points)))
        else:
            total = far.sum()
            at = int(rng.choice(len(points), p=far / total)) if total > 0 else 0
        picked.append(points[at])
        far = np.minimum(far, ((points - points[at]) ** 2).sum(axis=1))
    return np.array(picked).reshape(-1, points.shape[1])


def _nearest(points: Floats, centres: Floats) -> NDArray[np.intp]:
    # ||c||^2 - 2 x.c: what ||x||^2 adds is the same for all.
    return np.asarray(((centres**2).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1))


class PriorSpace(nn.Module):
    """Standardised spectra in few numbers, where the prior lies.

    Parameters
    ----------
    bands : int
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.components = min(PRIOR_COMPONENTS, bands)
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("weight", torch.zeros(bands, self.components))
        self.mean: Tensor
        self.weight: Tensor

    def take(self, prior: Prior) -> None:
        """Take over what was fitted."""
        self.mean.copy_(torch.from_numpy(prior.mean))
        self.weight.copy_(torch.from_numpy(prior.weight))

    def forward(self, spectra: Tensor) -> Tensor:
        """Return coordinates, shape (pixels, components)."""
        return (spectra - self.mean) @ self.weight


class SeededClusters(nn.Module):
    """Gaussian memberships about centres that follow the features of the prior's clusters.

    Parameters
    ----------
    width : int
        Of the features.
    clusters : int
    components : int
        Of the space of the prior.
    """

    def __init__(self, width: int, clusters: int, components: int) -> None:
        super().__init__()
        self.register_buffer("seeds", torch.zeros(clusters, components))
        self.register_buffer("centres", torch.zeros(clusters, width))
        self.register_buffer("met", torch.zeros(clusters))
        self.seeds: Tensor
        self.centres: Tensor
        self.met: Tensor
        self.mean = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.mean.weight)
        self.spread = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.spread.weight)

    @property
    def temperature(self) -> Tensor:
        """Mean variance of the clusters: small is decided, large is undecided."""
        return self._variance(self.centres).mean()

    def prior(self, places: Tensor) -> Tensor:
        """Return the prior's cluster of each pixel from its place in the prior's space."""
        return (self.seeds.square().sum(1) - 2 * places @ self.seeds.t()).argmin(1)

    def forward(self, features: Tensor, prior: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return logits of the memberships, shape (pixels, clusters).

        In training the centres are those of the pixels given, and are remembered; else the
        remembered ones are used, so that clusters mean the same in every tile.
        """
        centres = self._follow(features, prior, valid) if self.training else self.centres
        mean = self.mean(centres)
        # ||u||^2 - 2 u.m + ||m||^2, without the (pixels, clusters, width) array; divided by
        # the root of the width, or the softmax would be saturated from the first step.
        apart = features.square().sum(1, keepdim=True) - 2 * features @ mean.t()
        apart = (apart + mean.square().sum(1)).clamp(min=0) / math.sqrt(features.shape[1])
        logits = -apart / (2 * self._variance(centres))
        # A cluster that no pixel ever belonged to has no centre.
        return logits.masked_fill(self.met == 0, -1e4) if bool((self.met > 0).any()) else logits

    def loss(self, logits: Tensor, prior: Tensor, valid: Tensor | None) -> Tensor:
        """Return how far the memberships have gone from the prior: a cross-entropy."""
        if valid is not None:
            prior = prior.masked_fill(~valid, -1)
        return functional.cross_entropy(logits.float(), prior, ignore_index=-1)

    def _variance(self, centres: Tensor) -> Tensor:
        return self.spread(centres).squeeze(1).clamp(-10, 5).exp()

    def _follow(self, features: Tensor, prior: Tensor, valid: Tensor | None) -> Tensor:
        share = functional.one_hot(prior, len(self.seeds)).to(features.dtype)
        if valid is not None:
            share = share * valid[:, None]
        held = share.sum(0)
        there = (held > 0)[:, None]
        mean = share.t() @ features / held.clamp(min=1)[:, None]
        with torch.no_grad():
            first = (self.met == 0)[:, None]
            part = torch.where(first, torch.ones_like(mean), torch.full_like(mean, MOMENTUM))
            moved = self.centres + part * (mean.detach() - self.centres)
            self.centres.copy_(torch.where(there, moved, self.centres))
            self.met.add_(held.detach())
        return torch.where(there, mean, self.centres)
