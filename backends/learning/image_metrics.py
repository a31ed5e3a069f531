"""How good a classifier of images is: found, right, F1, AUC; is its certainty earned?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.hyperspectral.calibration import calibration_error


@dataclass(frozen=True, eq=False)
class ImageMetrics:
    """Figures on images that were kept from the training.

    Attributes
    ----------
    confusion : int64 array of shape (classes, classes)
        Rows are the truth, columns the prediction.
    classes : tuple of str
    auc : tuple of (float or None)
        Area under the ROC curve of each class against the rest; None where a side is empty.
    calibration_error : float or None
        Expected calibration error of the most certain class, 15 bins of equal width.
    cross_entropy : float or None
    """

    confusion: NDArray[np.int64]
    classes: tuple[str, ...]
    auc: tuple[float | None, ...]
    calibration_error: float | None
    cross_entropy: float | None

    @property
    def images(self) -> int:
        """Images the figures stand on."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float | None:
        """Share of images that are right."""
        return _ratio(np.trace(self.confusion), self.images)

    @property
    def macro_f1(self) -> float | None:
        """Mean F1 over the classes that have images."""
        scores = [r["f1"] for r in self.per_class() if r["images"]]
        return float(np.mean(scores)) if scores else None

    @property
    def macro_auc(self) -> float | None:
        """Mean AUC over the classes that have one."""
        known = [value for value in self.auc if value is not None]
        return float(np.mean(known)) if known else None

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean over classes of the share found."""
        found = [r["recall"] for r in self.per_class() if r["images"]]
        return float(np.mean(found)) if found else None

    def per_class(self) -> list[dict[str, Any]]:
        """Return precision, recall, F1 and AUC of each class; None where there is none.

        F1 is 0 where a class with images was never found.
        """
        rows: list[dict[str, Any]] = []
        for k, name in enumerate(self.classes):
            hit = int(self.confusion[k, k])
            images, said = int(self.confusion[k].sum()), int(self.confusion[:, k].sum())
            rows.append(
                {
                    "class": name,
                    "images": images,
                    "precision": _ratio(hit, said),
                    "recall": _ratio(hit, images),
                    "f1": _ratio(2 * hit, images + said),
                    "auc": self.auc[k],
                }
            )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, rounded, ready for JSON."""
        per_class = [
            {key: _round(v) if isinstance(v, float) else v for key, v in row.items()}
            for row in self.per_class()
        ]
        return {
            "images": self.images,
            "accuracy": _round(self.accuracy),
            "balanced_accuracy": _round(self.balanced_accuracy),
            "macro_f1": _round(self.macro_f1),
            "macro_auc": _round(self.macro_auc),
            "calibration_error": _round(self.calibration_error),
            "cross_entropy": _round(self.cross_entropy),
            "per_class": per_class,
            "confusion": self.confusion.tolist(),
        }


def image_metrics(
    truth: NDArray[np.int64], probability: NDArray[np.floating], classes: Sequence[str]
) -> ImageMetrics:
    """Compare probabilities with the truth.

    Parameters
    ----------
    truth : int64 array of shape (images,)
        Class numbers from 0.
    probability : array of shape (images, classes)
    classes : sequence of str

    Raises
    ------
    BadInput
        Shapes that do not fit, or values that are no numbers.
    """
    count = len(classes)
    if probability.shape != (truth.size, count) or not np.isfinite(probability).all():
        raise BadInput(f"The network gives {probability.shape} for {truth.size} images.")
    if truth.size and not 0 <= truth.min() <= truth.max() < count:
        raise BadInput(f"The truth holds a class beyond the {count} there are.")
    said = probability.argmax(1) if truth.size else np.empty(0, np.int64)
    confusion = np.bincount(truth * count + said, minlength=count * count).reshape(count, count)
    entropy = None
    if truth.size:
        own = probability[np.arange(truth.size), truth].astype(np.float64)
        entropy = float(-np.log(np.maximum(own, 1e-12)).mean())
    return ImageMetrics(
        confusion,
        tuple(classes),
        tuple(area_under_roc(truth == k, probability[:, k]) for k in range(count)),
        calibration_error(probability.max(1), said == truth) if truth.size else None,
        entropy,
    )


def area_under_roc(positive: NDArray[np.bool_], score: NDArray[np.floating]) -> float | None:
    """Return the chance that a positive is scored above a negative, ties counting half.

    None where one side is empty. The rank sum of Mann and Whitney.
    """
    from scipy.stats import rankdata

    ups = int(positive.sum())
    downs = positive.size - ups
    if not ups or not downs:
        return None
    ranks = rankdata(score)
    return float((ranks[positive].sum() - ups * (ups + 1) / 2) / (ups * downs))


def _ratio(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 5)
