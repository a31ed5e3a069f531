"""The labelled pixels that are most like a pixel vote for its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.hyperspectral.answers import (
    SMALLEST_SHARE,
    Answer,
    Arrays,
    class_weights,
    no_more,
    take_number,
    thinned,
)
from backends.jobs import Progress

# More would make a table of distances that no part of a map fits beside.
MOST_PIXELS = 20_000
_DISTANCES = 8 << 20


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k nearest training pixels in standardised spectra (Cover and Hart 1967).

    Attributes
    ----------
    mean, scale : float64 arrays of shape (bands,)
    known : float64 array of shape (training pixels, bands)
        Standardised.
    own : int64 array of shape (training pixels,)
        Number of their class among ``classes``.
    weight : float64 array of shape (classes,)
        What a vote of that class counts.
    classes : int64 array of shape (classes,)
    settings : dict
        ``neighbours``, ``balanced``.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    known: NDArray[np.float64]
    own: NDArray[np.int64]
    weight: NDArray[np.float64]
    classes: NDArray[np.int64]
    settings: dict[str, Any]

    @classmethod
    def from_arrays(cls, arrays: Arrays, settings: Mapping[str, Any]) -> Neighbours:
        """Rebuild it; raises ValueError or KeyError where arrays do not fit each other."""
        names = ("mean", "scale", "known", "weight")
        mean, scale, known, weight = (arrays[n].astype(np.float64) for n in names)
        own, classes = arrays["own"].astype(np.int64), arrays["classes"].astype(np.int64)
        fits = known.shape == (own.size, mean.size) and scale.shape == mean.shape
        if not own.size or not fits or weight.shape != classes.shape:
            raise ValueError("neighbours do not fit")
        if own.min() < 0 or own.max() >= classes.size:
            raise ValueError("class numbers")
        if not 1 <= int(settings["neighbours"]) <= own.size:
            raise ValueError("count")
        return cls(mean, scale, known, own, weight, classes, dict(settings))

    def arrays(self) -> Arrays:
        """Return everything it knows, by name."""
        names = ("mean", "scale", "known", "own", "weight", "classes")
        return {name: getattr(self, name) for name in names}

    def predict(self, spectra: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class most neighbours have, the first of equals."""
        return self.answer(spectra).classes

    def answer(self, spectra: NDArray[np.float32]) -> Answer:
        """Return the class most neighbours have, and logarithms of the shares."""
        k = int(self.settings["neighbours"])
        share = np.zeros((len(spectra), self.classes.size))
        square = (self.known * self.known).sum(axis=1)
        rows = max(1, _DISTANCES // len(self.known))
        for low in range(0, len(spectra), rows):
            x = (spectra[low : low + rows] - self.mean) / self.scale
            distance = square - 2 * x @ self.known.T
            near = np.argpartition(distance, k - 1, axis=1)[:, :k]
            votes = share[low : low + rows]
            place = np.arange(len(x))
            for at in range(k):
                found = self.own[near[:, at]]
                votes[place, found] += self.weight[found]
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
        # No neighbour may say "never": its temperature could not be told.
        scores = np.log(np.maximum(share, SMALLEST_SHARE))
        return Answer(np.asarray(self.classes[share.argmax(axis=1)]), scores)


def train_neighbours(
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    wanted: dict[str, Any],
    seed: int,
    progress: Progress,
) -> Neighbours:
    """Keep the training pixels; ``neighbours`` (5) of them vote.

    Raises
    ------
    WrongUse
        More neighbours than training pixels.
    """
    k = int(take_number(wanted, "neighbours", 5, 1))
    balanced = bool(wanted.pop("balanced"))
    no_more(wanted)
    spectra, target = thinned(spectra, target, MOST_PIXELS, np.random.default_rng(seed))
    if k > target.size:
        raise WrongUse(
            f"{k} neighbours were asked for, and only {target.size} pixels teach.",
            way_out="Ask for fewer, or label more pixels.",
        )
    x = spectra.astype(np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    classes, own = np.unique(target, return_inverse=True)
    counted = class_weights(target)
    weight = np.array([counted[int(c)] if balanced else 1.0 for c in classes])
    said = {"neighbours": k, "balanced": balanced, "kept_pixels": int(target.size)}
    return Neighbours(
        mean, scale, (x - mean) / scale, own.astype(np.int64), weight,
        classes.astype(np.int64), said,
    )  # fmt: skip
