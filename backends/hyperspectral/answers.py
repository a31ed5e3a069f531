"""What a classifier of spectra is, and what all of them share when they are trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse

Arrays = Mapping[str, NDArray[Any]]
SMALLEST_SHARE = 1e-3


class Answer(NamedTuple):
    """What a classifier says of some spectra.

    Attributes
    ----------
    classes : int64 array of shape (pixels,)
        Class numbers.
    scores : float64 array of shape (pixels, classes of the model)
        Logarithms of something like probabilities, to be divided by a temperature.
    """

    classes: NDArray[np.int64]
    scores: NDArray[np.float64]


class SpectraModel(Protocol):
    """A trained classifier of spectra."""

    @property
    def settings(self) -> dict[str, Any]:
        """What was chosen or found; ``note`` is for people."""
        ...

    @property
    def classes(self) -> NDArray[np.int64]:
        """The class numbers it knows, rising."""
        ...

    def predict(self, spectra: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return a class number for each spectrum, shape (pixels,)."""
        ...

    def answer(self, spectra: NDArray[np.float32]) -> Answer:
        """Return the class numbers, and the scores behind them."""
        ...

    def arrays(self) -> Arrays:
        """Return everything it knows, by name."""
        ...


def folds(target: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal the pixels of each class to three folds in turn."""
    fold = np.empty(target.size, np.int64)
    for value in np.unique(target):
        members = rng.permutation(np.flatnonzero(target == value))
        fold[members] = np.arange(members.size) % 3
    return fold


def thinned(
    spectra: NDArray[np.float32], target: NDArray[np.int64], most: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Keep at most about so many pixels, each class in proportion and none lost."""
    if target.size <= most:
        return spectra, target
    kept = []
    for value in np.unique(target):
        members = np.flatnonzero(target == value)
        size = max(min(members.size, 3), members.size * most // target.size)
        kept.append(rng.choice(members, size, replace=False))
    index = np.sort(np.concatenate(kept))
    return spectra[index], target[index]


def class_weights(target: NDArray[np.int64]) -> dict[int, float]:
    """Return for each class how much a pixel counts so that all classes count alike."""
    found, counts = np.unique(target, return_counts=True)
    weights = len(target) / (len(found) * counts)
    return dict(zip(found.tolist(), weights.tolist(), strict=True))


def take_number(wanted: dict[str, Any], name: str, default: float, least: float) -> float:
    """Take a number out of the settings.

    Raises
    ------
    WrongUse
        It is none, or too small.
    """
    given = wanted.pop(name, default)
    try:
        value = float(given)
        if isinstance(given, bool) or not value >= least:
            raise ValueError
    except (TypeError, ValueError):
        raise WrongUse(
            f"The setting {name} must be a number from {least:g}, not {given}."
        ) from None
    return value


def no_more(left: Mapping[str, Any]) -> None:
    """Refuse settings that nobody took."""
    if left:
        raise WrongUse(f"There is no setting called {next(iter(left))}.")
