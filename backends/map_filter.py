"""Speckle taken out of a class map: majority filter and sieve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse

if TYPE_CHECKING:
    from backends.jobs import Progress

_STRIP_PIXELS = 1 << 21


@dataclass(frozen=True)
class MapFilter:
    """What is done to a class map, the majority first.

    Attributes
    ----------
    majority : int
        Odd side of the square whose most frequent class a pixel gets; 0 leaves it.
    sieve : int
        Patches of fewer pixels are given to the largest patch beside them; 0 leaves them.
    """

    majority: int = 0
    sieve: int = 0

    def __post_init__(self) -> None:
        if self.majority and (self.majority < 3 or self.majority % 2 == 0):
            raise WrongUse(
                f"The side of the majority filter is odd and at least 3, not {self.majority}.",
                way_out="Use --majority 3, 5, 7 …",
            )
        if self.sieve and self.sieve < 2:
            raise WrongUse(
                f"A sieve keeps patches of at least 2 pixels, not {self.sieve}.",
                way_out="Use --sieve 2 or more.",
            )

    def __bool__(self) -> bool:
        return bool(self.majority or self.sieve)

    def words(self) -> list[str]:
        """Return the options of the command line."""
        pairs = (("--majority", self.majority), ("--sieve", self.sieve))
        return [word for name, value in pairs if value for word in (name, str(value))]

    def apply(self, labels: NDArray[Any], progress: Progress | None = None) -> NDArray[Any]:
        """Return the filtered map; 0 stays 0 and never spreads.

        Parameters
        ----------
        labels : integer array of shape (rows, cols)
        """
        out = labels
        if self.majority:
            out = majority(out, self.majority, progress)
        if self.sieve:
            out = sieve(out, self.sieve)
        return out

    def note(self, before: NDArray[Any], after: NDArray[Any]) -> str:
        """Return what was done, in a sentence."""
        what = [f"a majority filter of {self.majority} × {self.majority} pixels"] * bool(
            self.majority
        )
        what += [f"a sieve of {self.sieve} pixels"] * bool(self.sieve)
        known = max(1, int(np.count_nonzero(before)))
        share = 100 * np.count_nonzero(before != after) / known
        return f"The map went through {' and '.join(what)}, which changed {share:.1f} % of it."


def majority(labels: NDArray[Any], side: int, progress: Progress | None = None) -> NDArray[Any]:
    """Give each pixel the most frequent class of the square around it.

    Of equally frequent classes the pixel's own wins, else the smallest number. Squares end at the
    edge of the map; pixels of no class (0) neither vote nor change.
    """
    rows, cols = labels.shape
    half = side // 2
    out = labels.copy()
    step = max(1, _STRIP_PIXELS // cols)
    if progress is not None:
        progress.start(rows, "rows", "Majority filter")
    for low in range(0, rows, step):
        if progress is not None:
            progress.check()
        high = min(rows, low + step)
        top = max(0, low - half)
        part = labels[top : min(rows, high + half)]
        inner = slice(low - top, low - top + high - low)
        own = part[inner]
        best, votes = own.copy(), _votes(part, own, half, inner)
        for value in np.unique(part[part > 0]):
            count = _square_sum(part == value, half)[inner]
            better = count > votes
            best[better], votes[better] = value, count[better]
        out[low:high] = np.where(own > 0, best, own)
        if progress is not None:
            progress.advance(high - low)
    return out


def sieve(labels: NDArray[Any], pixels: int) -> NDArray[Any]:
    """Give patches of fewer pixels (edge to edge) to their largest neighbour, as GDAL does."""
    from rasterio.features import sieve as gdal_sieve

    kept = gdal_sieve(labels.astype(np.int32), pixels, mask=labels > 0, connectivity=4)
    return np.where(labels > 0, kept, labels).astype(labels.dtype)


def _votes(part: NDArray[Any], own: NDArray[Any], half: int, inner: slice) -> NDArray[np.int64]:
    """Return how many pixels around each one are of its own class."""
    votes = np.zeros(own.shape, np.int64)
    for value in np.unique(own[own > 0]):
        here = own == value
        votes[here] = _square_sum(part == value, half)[inner][here]
    return votes


def _square_sum(mask: NDArray[np.bool_], half: int) -> NDArray[np.int64]:
    """Return how many pixels are set in the square around each one."""
    rows, cols = mask.shape
    total = np.zeros((rows + 1, cols + 1), np.int64)
    total[1:, 1:] = mask.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    r, c = np.arange(rows), np.arange(cols)
    r0, r1 = np.maximum(r - half, 0)[:, None], np.minimum(r + half + 1, rows)[:, None]
    c0, c1 = np.maximum(c - half, 0)[None], np.minimum(c + half + 1, cols)[None]
    return np.asarray(total[r1, c1] - total[r0, c1] - total[r1, c0] + total[r0, c0])
