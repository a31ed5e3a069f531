"""How good a mask is: precision, recall, and both kinds of IoU, each by its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelCounts:
    """Pixels by what they are and what they were called.

    Attributes
    ----------
    hits, false_alarms, missed, quiet : int
    """

    hits: int = 0
    false_alarms: int = 0
    missed: int = 0
    quiet: int = 0

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(
            self.hits + other.hits,
            self.false_alarms + other.false_alarms,
            self.missed + other.missed,
            self.quiet + other.quiet,
        )

    @property
    def precision(self) -> float:
        """Part of what was called fire that is; ``nan`` where nothing was."""
        return _part(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        """Part of the fire that was found; ``nan`` where there is none."""
        return _part(self.hits, self.hits + self.missed)

    @property
    def fire_iou(self) -> float:
        """Intersection over union of fire alone."""
        return _part(self.hits, self.hits + self.false_alarms + self.missed)

    @property
    def mean_iou(self) -> float:
        """Mean of the IoU of fire and of background: the paper's "IoU"."""
        rest = _part(self.quiet, self.quiet + self.false_alarms + self.missed)
        return (self.fire_iou + rest) / 2

    def to_dict(self) -> dict[str, Any]:
        """Return counts and measures, ready for JSON; what is not known is None."""
        named = {
            name: getattr(self, name) for name in ("precision", "recall", "fire_iou", "mean_iou")
        }
        plain = {n: None if np.isnan(v) else round(float(v), 4) for n, v in named.items()}
        counts = ("hits", "false_alarms", "missed", "quiet")
        return {**plain, **{name: getattr(self, name) for name in counts}}


def count_pixels(
    found: NDArray[Any], truth: NDArray[Any], valid: NDArray[Any] | None = None
) -> PixelCounts:
    """Compare a mask with the truth, where something was measured."""
    found, truth = np.asarray(found, bool), np.asarray(truth, bool)
    use = np.ones(found.shape, bool) if valid is None else np.asarray(valid, bool)
    return PixelCounts(
        int((found & truth & use).sum()),
        int((found & ~truth & use).sum()),
        int((~found & truth & use).sum()),
        int((~found & ~truth & use).sum()),
    )


def pooled(counts: Iterable[PixelCounts]) -> PixelCounts:
    """Return the counts of several scenes together."""
    return sum(counts, PixelCounts())


def best_threshold(probability: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the probability from which fire IoU is highest, on the pixels given."""
    tried = np.linspace(0.05, 0.99, 48)
    scores = [np.nan_to_num(count_pixels(probability >= t, truth).fire_iou) for t in tried]
    return float(tried[int(np.argmax(scores))])


def _part(some: int, all_of_them: int) -> float:
    return some / all_of_them if all_of_them else float("nan")
