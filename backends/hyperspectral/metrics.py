"""How good a class map is, from one confusion matrix; absent classes are n/a, not averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

Array = NDArray[Any]


def confusion_matrix(truth: Array, predicted: Array, classes: int) -> NDArray[np.int64]:
    """Count pixels by true and predicted class.

    Parameters
    ----------
    truth, predicted : integer arrays of the same shape
        Class numbers 0 to ``classes - 1``; pixels with a negative truth are left out.
        A predicted class out of range counts as wrong, in no column.
    classes : int

    Returns
    -------
    int64 array of shape (classes, classes + 1)
        Rows are the truth, columns the prediction; the last column holds pixels that were
        given no class.
    """
    if truth.shape != predicted.shape:
        raise BadInput(f"Truth has shape {truth.shape}, the prediction {predicted.shape}.")
    t, p = truth.ravel().astype(np.int64), predicted.ravel().astype(np.int64)
    t, p = t[t >= 0], p[t >= 0]
    if t.size and t.max() >= classes:
        raise BadInput(f"The truth holds class {t.max()} of {classes}.")
    p = np.where((p >= 0) & (p < classes), p, classes)
    counts = np.bincount(t * (classes + 1) + p, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)


def overall_accuracy(confusion: Array) -> float:
    """Return the share of pixels on the diagonal; ``nan`` without pixels."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def producer_accuracy(confusion: Array) -> NDArray[np.float64]:
    """Return, a class, the share of its pixels that were found (recall); ``nan`` if absent."""
    return _divide(np.diagonal(confusion), confusion.sum(axis=1))


def user_accuracy(confusion: Array) -> NDArray[np.float64]:
    """Return, a class, the share of the map that is right (precision); ``nan`` if never given."""
    classes = confusion.shape[0]
    return _divide(np.diagonal(confusion), confusion[:, :classes].sum(axis=0))


def average_accuracy(confusion: Array) -> float:
    """Return the mean producer accuracy over the classes that have pixels."""
    values = producer_accuracy(confusion)
    found = values[np.isfinite(values)]
    return float(found.mean()) if found.size else float("nan")


def kappa(confusion: Array) -> float:
    """Return Cohen's kappa: agreement beyond chance; ``nan`` where chance is certain."""
    classes = confusion.shape[0]
    total = confusion.sum()
    if not total:
        return float("nan")
    rows = confusion.sum(axis=1) / total
    cols = confusion[:, :classes].sum(axis=0) / total
    chance = float(rows @ cols)
    return (overall_accuracy(confusion) - chance) / (1 - chance) if chance < 1 else float("nan")


@dataclass(frozen=True, eq=False)
class Metrics:
    """Figures of one class map on held-out pixels.

    Attributes
    ----------
    confusion : int64 array of shape (classes, classes + 1)
        Rows truth; last column: no class given.
    class_names : mapping
        Class value to name, in the order of the rows.
    """

    confusion: NDArray[np.int64]
    class_names: Mapping[int, str]

    @property
    def overall_accuracy(self) -> float:
        """Share of pixels that are right."""
        return overall_accuracy(self.confusion)

    @property
    def average_accuracy(self) -> float:
        """Mean over classes of the share found."""
        return average_accuracy(self.confusion)

    @property
    def kappa(self) -> float:
        """Agreement beyond chance."""
        return kappa(self.confusion)

    @property
    def pixels(self) -> int:
        """Pixels the figures stand on."""
        return int(self.confusion.sum())

    def per_class(self) -> list[dict[str, Any]]:
        """Return name, pixels, producer and user accuracy of each class; None where n/a."""
        found, right = producer_accuracy(self.confusion), user_accuracy(self.confusion)
        return [
            {
                "value": value,
                "name": name,
                "pixels": int(self.confusion[row].sum()),
                "producer_accuracy": _plain(found[row]),
                "user_accuracy": _plain(right[row]),
            }
            for row, (value, name) in enumerate(self.class_names.items())
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; None where a figure does not exist."""
        return {
            "overall_accuracy": _plain(self.overall_accuracy),
            "average_accuracy": _plain(self.average_accuracy),
            "kappa": _plain(self.kappa),
            "test_pixels": self.pixels,
            "classes": self.per_class(),
        }


def evaluate(truth: Array, predicted: Array, class_names: Mapping[int, str]) -> Metrics:
    """Compare two label images or lists in class values; truth 0 is left out.

    Parameters
    ----------
    truth, predicted : integer arrays of the same shape
        Class values as in ``class_names``; 0 is no class.
    class_names : mapping of int to str
    """
    lookup = {value: row for row, value in enumerate(class_names)}
    known = np.array(sorted(lookup), np.int64)
    rows = np.array([lookup[value] for value in known.tolist()], np.int64)

    def row_of(values: Array) -> NDArray[np.int64]:
        flat = values.ravel().astype(np.int64)
        if not known.size:
            return np.full(flat.size, -1, np.int64)
        at = np.minimum(np.searchsorted(known, flat), known.size - 1)
        return np.where(known[at] == flat, rows[at], -1)

    counts = confusion_matrix(row_of(truth), row_of(predicted), len(lookup))
    return Metrics(counts, dict(class_names))


def _divide(part: Array, whole: Array) -> NDArray[np.float64]:
    out = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
