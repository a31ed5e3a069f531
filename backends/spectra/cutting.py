"""Where likeness, or strangeness, is enough: a threshold over scores that are kept in memory.

A whole map of 2,000 × 2,000 pixels is cut anew in a few milliseconds, so that a threshold can
be turned while one looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.overlays import ClassMap

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_SAMPLE = 250_000


@dataclass(frozen=True, eq=False)
class Cut:
    """Classes before any threshold, and what the threshold is laid on.

    Attributes
    ----------
    labels : unsigned integer array of shape (rows, cols)
        The class a pixel has where its score passes; 0 where it can have none.
    scores : float32 array of the same shape
        ``nan`` where nothing was measured.
    alike : str
        ``"small"`` or ``"large"``: on which side of the threshold scores pass.
    dimensions : int
        Of the background that RX scores were taken against; 0 for other scores.
    """

    labels: NDArray[Any]
    scores: Floats
    alike: str
    dimensions: int = 0

    def at(self, threshold: float | None) -> NDArray[Any]:
        """Return the classes that are left, shape (rows, cols); all of them for None."""
        if threshold is None:
            return self.labels
        # Equal passes where small means alike, as in `match`; RX must be exceeded.
        limit = np.float32(threshold)
        kept = self.scores > limit if self.dimensions else self._passing(limit)
        return np.asarray(np.multiply(self.labels, kept, dtype=self.labels.dtype))

    def _passing(self, limit: np.float32) -> NDArray[Any]:
        return np.asarray(self.scores <= limit if self.alike == "small" else self.scores >= limit)

    def steps(self, count: int = 201) -> Doubles:
        """Return thresholds between which about equally many pixels lie, fewest passing first.

        Returns
        -------
        float64 array of shape (count,)
            The last lets every pixel pass. Empty where nothing was measured.
        """
        flat = self.scores.reshape(-1)
        some = flat[:: max(1, flat.size // _SAMPLE)]
        some = some[np.isfinite(some)]
        if not some.size:
            return np.empty(0)
        found = np.quantile(some.astype(np.float64), np.linspace(0, 1, count))
        known = self.scores[np.isfinite(self.scores)]
        if self.alike == "small":
            found[-1] = float(known.max())
            return np.asarray(found)
        found[0] = float(known.min())
        return np.asarray(found[::-1])


def cut_again(
    class_map: ClassMap,
    cut: Cut,
    threshold: float,
    *,
    false_alarms: float | None = None,
    command: str = "",
) -> ClassMap:
    """Return a class map at another threshold; it takes the place of the one before.

    Parameters
    ----------
    false_alarms : float, optional
        The rate an RX threshold was taken from (`backends.spectra.detectors.threshold_for`).
    command : str
        The command line that makes it; empty keeps the one there is.
    """
    labels = cut.at(threshold)
    before = class_map.provenance
    origin = replace(before, command=command or before.command)
    if false_alarms is None:
        origin = replace(origin, parameters={**before.parameters, "threshold": threshold})
    else:
        share = float(np.count_nonzero(labels)) / labels.size
        origin = replace(
            origin,
            parameters={**before.parameters, "false_alarms": false_alarms},
            figures={**before.figures, "threshold": threshold, "share_above": share},
            notes=(passing_note(share, false_alarms),),
        )
    return replace(class_map, labels=labels, provenance=origin)


def passing_note(share: float, false_alarms: float) -> str:
    """Return how many pixels pass an RX threshold beside how many should."""
    return (
        f"The threshold holds for a Gaussian background; {share:.2%} of the pixels pass it where "
        f"{false_alarms:.2%} would."
    )
