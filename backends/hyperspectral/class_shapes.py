"""Classes by their mean: Gaussian maximum likelihood, and the spectral angle to the means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.hyperspectral.answers import Answer, Arrays, folds, no_more, take_number
from backends.jobs import Progress

Doubles = NDArray[np.float64]
# Below this share of its largest variance a direction holds only rounding.
SINGULAR = 1e-10
SMALLEST_ANGLE = 1e-6
# How much of the covariance of all classes goes into that of each; the best is chosen.
POOLED = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True, eq=False)
class GaussianClasses:
    """A normal distribution for each class.

    The score is ``log p_k - (log |S_k| + (x - m_k)' inv(S_k) (x - m_k)) / 2`` (Richards, "Remote
    Sensing Digital Image Analysis", section 8.3).

    Attributes
    ----------
    mean : float64 array of shape (classes, bands)
    whiten : float64 array of shape (classes, bands, bands)
        ``(x - m_k) @ whiten[k]`` has unit covariance in class k.
    constant : float64 array of shape (classes,)
        ``log p_k - log |S_k| / 2``.
    classes : int64 array of shape (classes,)
    settings : dict
        ``pooled``, ``balanced``.
    """

    mean: Doubles
    whiten: Doubles
    constant: Doubles
    classes: NDArray[np.int64]
    settings: dict[str, Any]

    @classmethod
    def from_arrays(cls, arrays: Arrays, settings: Mapping[str, Any]) -> GaussianClasses:
        """Rebuild it; raises ValueError or KeyError where arrays do not fit each other."""
        mean, whiten, constant = (
            arrays[n].astype(np.float64) for n in ("mean", "whiten", "constant")
        )
        classes = arrays["classes"].astype(np.int64)
        count, bands = classes.size, mean.shape[-1]
        fits = mean.shape == (count, bands) and whiten.shape == (count, bands, bands)
        if not count or not fits or constant.shape != (count,):
            raise ValueError("classes do not fit")
        return cls(mean, whiten, constant, classes, dict(settings))

    def arrays(self) -> Arrays:
        """Return everything it knows, by name."""
        return {n: getattr(self, n) for n in ("mean", "whiten", "constant", "classes")}

    def predict(self, spectra: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the most likely class."""
        return self.answer(spectra).classes

    def answer(self, spectra: NDArray[np.float32]) -> Answer:
        """Return the most likely class, and the log-likelihoods."""
        scores = np.empty((len(spectra), self.classes.size))
        for k in range(self.classes.size):
            white = (spectra - self.mean[k]) @ self.whiten[k]
            scores[:, k] = self.constant[k] - np.einsum("ij,ij->i", white, white) / 2
        return Answer(np.asarray(self.classes[scores.argmax(axis=1)]), scores)


@dataclass(frozen=True, eq=False)
class ClassAngles:
    """The spectral angle to the mean spectrum of each class (Kruse et al. 1993).

    Attributes
    ----------
    mean : float64 array of shape (classes, bands)
        As measured.
    classes : int64 array of shape (classes,)
    settings : dict
        ``typical_angle`` in radians: the median of training pixels to their own mean.
    """

    mean: Doubles
    classes: NDArray[np.int64]
    settings: dict[str, Any]

    @classmethod
    def from_arrays(cls, arrays: Arrays, settings: Mapping[str, Any]) -> ClassAngles:
        """Rebuild it; raises ValueError or KeyError where arrays do not fit each other."""
        mean, classes = arrays["mean"].astype(np.float64), arrays["classes"].astype(np.int64)
        if mean.ndim != 2 or not classes.size or len(mean) != classes.size:
            raise ValueError("means do not fit")
        return cls(mean, classes, dict(settings))

    def arrays(self) -> Arrays:
        """Return everything it knows, by name."""
        return {"mean": self.mean, "classes": self.classes}

    def angles(self, spectra: NDArray[np.float32]) -> Doubles:
        """Return the angle to each mean in radians, shape (pixels, classes)."""
        x = spectra.astype(np.float64)
        length = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(self.mean, axis=1)[None]
        cosine = np.divide(x @ self.mean.T, length, out=np.zeros_like(length), where=length > 0)
        return np.asarray(np.arccos(np.clip(cosine, -1, 1)))

    def predict(self, spectra: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of the smallest angle."""
        return self.answer(spectra).classes

    def answer(self, spectra: NDArray[np.float32]) -> Answer:
        """Return the class of the smallest angle; probabilities fall with its fourth power.

        Angles know no probability. Of the powers tried, this one needed the least correction by a
        temperature and put pixels that are right before those that are not.
        """
        angles = self.angles(spectra)
        scores = -4 * np.log(np.maximum(angles, SMALLEST_ANGLE))
        return Answer(np.asarray(self.classes[angles.argmin(axis=1)]), scores)


def train_angles(
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    wanted: dict[str, Any],
    seed: int,
    progress: Progress,
) -> ClassAngles:
    """Take the mean spectrum of each class; classes always count alike."""
    wanted.pop("balanced", None)
    no_more(wanted)
    classes = np.unique(target)
    mean = np.stack([spectra[target == k].mean(axis=0, dtype=np.float64) for k in classes])
    made = ClassAngles(mean, classes.astype(np.int64), {"typical_angle": 1.0})
    own = made.angles(spectra)[np.arange(len(target)), np.searchsorted(classes, target)]
    return ClassAngles(mean, made.classes, {"typical_angle": round(float(np.median(own)), 6)})


def train_likelihood(
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    wanted: dict[str, Any],
    seed: int,
    progress: Progress,
) -> GaussianClasses:
    """Fit a normal distribution to each class.

    Where a class has too few pixels for its covariance to be inverted, each class's is mixed with
    that of all classes (Hoffbeck and Landgrebe 1996), in the proportion that labels most training
    pixels rightly in three folds; the common one is drawn towards a multiple of the identity after
    Ledoit and Wolf (2004). ``pooled`` (0 to 1) sets the proportion.

    Raises
    ------
    WrongUse
        ``pooled`` is no share.
    """
    balanced = bool(wanted.pop("balanced"))
    given = take_number(wanted, "pooled", -1.0, 0.0) if "pooled" in wanted else None
    no_more(wanted)
    if given is not None and given > 1:
        raise WrongUse(f"The setting pooled is a share from 0 to 1, not {given:g}.")
    x = spectra.astype(np.float64)
    classes = np.unique(target)
    poor = [int(k) for k in classes if _is_singular(x[target == k])]
    if given == 0 and poor:
        raise WrongUse(
            f"{len(poor)} classes have too few pixels for a covariance of {x.shape[1]} bands.",
            way_out="Leave pooled out, or label more pixels.",
        )
    note, share = "", 0.0 if given is None else given
    if given is None and poor:
        share = _best_share(x, target, balanced, seed, progress)
        note = (
            f"{len(poor)} of {classes.size} classes have too few pixels for a covariance of "
            f"{x.shape[1]} bands: each is mixed with {100 * share:g} % of the one of all classes."
        )
    settings = {"pooled": share, "balanced": balanced}
    return _fit(x, target, share, balanced, settings | ({"note": note} if note else {}))


def _fit(
    x: Doubles, target: NDArray[np.int64], share: float, balanced: bool, settings: dict[str, Any]
) -> GaussianClasses:
    classes, counts = np.unique(target, return_counts=True)
    means = np.stack([x[target == k].mean(axis=0) for k in classes])
    common = _common(x - means[np.searchsorted(classes, target)], classes.size) if share else None
    prior = np.full(classes.size, 1 / classes.size) if balanced else counts / counts.sum()
    whiten, constant = [], []
    for k, p in zip(classes, prior, strict=True):
        own = x[target == k]
        covariance = np.zeros((x.shape[1], x.shape[1]))
        # A single pixel has no covariance of its own.
        mixed = share if len(own) > 1 else 1.0
        if mixed < 1:
            covariance += (1 - mixed) * np.cov(own, rowvar=False).reshape(covariance.shape)
        if common is not None:
            covariance += mixed * common
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, SINGULAR * values[-1])
        whiten.append(vectors / np.sqrt(values))
        constant.append(np.log(p) - np.log(values).sum() / 2)
    return GaussianClasses(
        means, np.stack(whiten), np.array(constant), classes.astype(np.int64), settings
    )


def _is_singular(own: Doubles) -> bool:
    if len(own) <= own.shape[1] + 1:
        return True
    values = np.linalg.eigvalsh(np.cov(own, rowvar=False).reshape(own.shape[1], own.shape[1]))
    return bool(values[0] <= SINGULAR * max(values[-1], 1e-300))


def _common(residual: Doubles, classes: int) -> Doubles:
    """Return the covariance within classes, invertible however few pixels there are."""
    from sklearn.covariance import ledoit_wolf

    found = np.asarray(ledoit_wolf(residual, assume_centered=True)[0])
    found *= len(residual) / max(1, len(residual) - classes)
    # Training pixels that are all the same leave nothing: any direction counts alike then.
    return found + np.eye(len(found)) * max(1e-12, 1e-10 * float(np.trace(found)) / len(found))


def _best_share(
    x: Doubles, target: NDArray[np.int64], balanced: bool, seed: int, progress: Progress
) -> float:
    """Return the share of the common covariance that labels most pixels of other folds rightly."""
    _, counts = np.unique(target, return_counts=True)
    # A fold needs two pixels of each class for a covariance of its own.
    if counts.min() < 4:
        return 1.0
    fold = folds(target, np.random.default_rng(seed))
    progress.start(len(POOLED), "settings tried", "Training")
    scores = []
    for share in POOLED:
        right = 0
        for part in range(3):
            progress.check()
            teach = fold != part
            made = _fit(x[teach], target[teach], share, balanced, {})
            found = made.predict(x[~teach].astype(np.float32))
            right += int((found == target[~teach]).sum())
        scores.append(right)
        progress.advance()
    # Of equals the one that trusts the class least: it was fitted with most pixels.
    return POOLED[len(POOLED) - 1 - int(np.argmax(scores[::-1]))]
