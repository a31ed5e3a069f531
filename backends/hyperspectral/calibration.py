"""Probabilities that keep their word: one temperature for all scores, and how far off they are.

Scores of a classifier are divided by one number, the temperature, before the softmax; it is
fitted on validation pixels (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
section 4.2). It changes no class. Where all validation pixels are right the likelihood would
want a temperature of zero; so the targets are smoothed as in Platt ("Probabilistic Outputs for
Support Vector Machines", 1999, section 2.2), by as much as that many pixels can tell. And where
few pixels validate, a fitted temperature may be chance and make things worse: it is used only
where it betters their likelihood by more than one standard error, else scores stay as they are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

BINS = 15
# Fewer tell nothing of a probability.
FEWEST = 10
COLDEST, HOTTEST = 0.01, 100.0
TINY = 1e-12


@dataclass(frozen=True)
class Calibration:
    """How far the probabilities of a map are from how often it is right.

    Attributes
    ----------
    temperature : float or None
        None where there was nothing to fit it on; 1 where none was better beyond chance.
    validation_pixels : int
        It was fitted on.
    error_before, error_after : float or None
        Expected calibration error on the test pixels, without and with the temperature; None
        without test pixels.
    """

    temperature: float | None
    validation_pixels: int = 0
    error_before: float | None = None
    error_after: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "bins": BINS}

    @property
    def sentence(self) -> str:
        """What to know of the probability layers."""
        if self.temperature is None:
            said = "The probabilities are not calibrated: there were too few validation pixels"
        elif self.temperature == 1:
            said = (
                f"The probabilities are used as they come: on {self.validation_pixels} validation "
                "pixels no temperature was better beyond chance"
            )
        else:
            said = (
                f"The probabilities are calibrated on {self.validation_pixels} validation pixels "
                f"(temperature {self.temperature:.2f})"
            )
        if self.error_before is None or self.error_after is None:
            return f"{said}."
        if self.temperature in (None, 1):
            return (
                f"{said}; on the test pixels they are off by {100 * self.error_after:.1f} points."
            )
        return (
            f"{said}; on the test pixels they are off by {100 * self.error_after:.1f} points, "
            f"before by {100 * self.error_before:.1f}."
        )


UNCALIBRATED = Calibration(None)


def softmax(scores: NDArray[Any], temperature: float = 1.0) -> Float:
    """Return probabilities of scores, shape (pixels, classes); -inf becomes 0."""
    scaled = np.asarray(scores, np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def fit_temperature(scores: NDArray[Any], target: NDArray[np.int64]) -> float | None:
    """Return the temperature with the best likelihood; None with too few pixels.

    It is 1 where the best is not better by more than one standard error of the mean gain (for
    one number fitted to pixels that don't depend on each other, a test at 5 %).

    Parameters
    ----------
    scores : float array of shape (pixels, classes)
        Logits; -inf for a class the model cannot give.
    target : int64 array of shape (pixels,)
        Class numbers from 0. Pixels of a class that cannot be given are left out.
    """
    from scipy.optimize import minimize_scalar

    scores = np.asarray(scores, np.float64)
    possible = np.isfinite(scores[np.arange(len(target)), target])
    scores, target = scores[possible], target[possible]
    classes = np.isfinite(scores).all(axis=0)
    scores, target = scores[:, classes], (np.cumsum(classes) - 1)[target]
    count, kinds = scores.shape
    if count < FEWEST or kinds < 2:
        return None
    right = (count + 1) / (count + 2)
    wanted = np.full((count, kinds), (1 - right) / (kinds - 1))
    wanted[np.arange(count), target] = right

    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        top = scaled.max(axis=1, keepdims=True)
        total = top + np.log(np.exp(scaled - top).sum(axis=1, keepdims=True))
        return float((wanted * (total - scaled)).sum(axis=1).mean())

    # Convex in 1 / temperature, so there is one valley.
    bounds = (np.log(COLDEST), np.log(HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    best = float(np.exp(found.x))
    # Judged by what the pixels are, not by the smoothed targets: those alone would heat up a
    # model that is sure and right on every pixel.
    pixel = np.arange(count)
    before, after = (softmax(scores, heat)[pixel, target] for heat in (1.0, best))
    gain = np.log(np.maximum(after, TINY)) - np.log(np.maximum(before, TINY))
    if gain.mean() <= gain.std(ddof=1) / np.sqrt(count):
        return 1.0
    return round(best, 4)


def calibration_error(sure: NDArray[Any], right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Return the expected calibration error: |accuracy - confidence|, averaged over bins.

    Guo et al. (2017), equation 3; bins of equal width.

    Parameters
    ----------
    sure : float array of shape (pixels,)
        Probability of the class given, 0 to 1.
    right : bool array of shape (pixels,)
    """
    if not sure.size:
        return float("nan")
    place = np.clip(np.ceil(np.asarray(sure, np.float64) * bins).astype(int) - 1, 0, bins - 1)
    confidence = np.bincount(place, sure, bins)
    accuracy = np.bincount(place, right, bins)
    return float(np.abs(accuracy - confidence).sum() / sure.size)


def probability_and_margin(
    probability: NDArray[Any], given: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the probability of the class given, and how far it lies before the next best.

    Parameters
    ----------
    probability : float array of shape (pixels, classes)
    given : int64 array of shape (pixels,)
    """
    pixel = np.arange(len(given))
    own = probability[pixel, given]
    rest = probability.copy()
    rest[pixel, given] = 0
    # Where tiles or pairs are blended, another class may lead by a hair: then there is none.
    margin = np.maximum(own - rest.max(axis=1), 0)
    return own.astype(np.float32), margin.astype(np.float32)
