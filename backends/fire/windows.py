"""Statistics of the surroundings of each pixel, in metres, looking past what is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# A wider window is looked at on every second, third … pixel, so that this many remain a side.
_FINEST = 61
_CHUNK_VALUES = 4_000_000


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies about each pixel.

    Attributes
    ----------
    count : float64 array of shape (rows, cols)
        Pixels that were used.
    mean, std : float64 arrays of shape (rows, cols)
        ``nan`` where no pixel was.
    """

    count: Array
    mean: Array
    std: Array


def half_width(metres: float, pixel_m: float) -> int:
    """Return how many pixels to either side make a window of so many metres, 1 at least."""
    return max(1, round((metres / pixel_m - 1) / 2))


def box_sum(values: Array, half: int) -> NDArray[np.float64]:
    """Return the sum over a square of ``2 half + 1`` pixels, cut at the image's edge.

    By an integral image: the cost does not depend on the window.
    """
    rows, cols = values.shape
    total = np.zeros((rows + 1, cols + 1))
    np.cumsum(values, axis=0, dtype=np.float64, out=total[1:, 1:])
    np.cumsum(total[1:, 1:], axis=1, out=total[1:, 1:])
    r0, r1 = _ends(rows, half)
    c0, c1 = _ends(cols, half)
    below, above = total[r1], total[r0]
    return np.asarray(below[:, c1] - above[:, c1] - below[:, c0] + above[:, c0])


def _ends(length: int, half: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    at = np.arange(length)
    return np.maximum(at - half, 0), np.minimum(at + half + 1, length)


def surroundings(values: Array, use: Array, half: int) -> Surroundings:
    """Return count, mean and standard deviation of the pixels used in each square.

    Parameters
    ----------
    values : array of shape (rows, cols)
    use : bool array of shape (rows, cols)
        Pixels to look at; those without a number are left out in any case.
    """
    use = use & np.isfinite(values)
    # Squares of small numbers lose less than squares of temperatures.
    shift = float(values[use].mean()) if use.any() else 0.0
    plain = np.where(use, values - shift, 0.0)
    count = box_sum(use, half)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = box_sum(plain, half) / count
        std = np.sqrt(np.maximum(box_sum(plain**2, half) / count - mean**2, 0))
    some = count > 0.5
    return Surroundings(count, np.where(some, mean + shift, np.nan), np.where(some, std, np.nan))


def growing_halves(low_m: float, high_m: float, pixel_m: float | None) -> list[int]:
    """Return half widths from a smallest to a largest window, nine at most.

    Without a pixel size, and for pixels of a kilometre, these are the 5 × 5 to 21 × 21 pixels
    of the satellite rules.
    """
    if pixel_m is None or pixel_m * 5 > low_m:
        return list(range(2, 11))
    first, last = max(2, half_width(low_m, pixel_m)), max(10, half_width(high_m, pixel_m))
    return sorted({round(v) for v in np.linspace(first, last, 9)})


def fitting_half(use: Array, halves: list[int], *, share: float, least: int) -> NDArray[np.int32]:
    """Return the half width of the first window with enough usable pixels; 0 where none has.

    Parameters
    ----------
    use : bool array of shape (rows, cols)
    halves : list of int
        Rising.
    share : float
        Of the window's full area.
    least : int
        Pixels.
    """
    chosen = np.zeros(use.shape, np.int32)
    for half in halves:
        enough = box_sum(use, half)
        fits = (enough >= max(least, share * (2 * half + 1) ** 2)) & (chosen == 0)
        chosen[fits] = half
        if chosen.all():
            break
    return chosen


def mean_and_deviation(
    values: Array, use: Array, rows: Array, cols: Array, half: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and mean absolute deviation about some pixels, each shape (pixels,).

    The pixel itself is left out. Windows wider than 61 pixels are looked at on a coarser grid.
    """
    step = math.ceil((2 * half + 1) / _FINEST)
    offsets = np.arange(-half, half + 1, step)
    down, right = (o.ravel() for o in np.meshgrid(offsets, offsets, indexing="ij"))
    other = (down != 0) | (right != 0)
    down, right = down[other], right[other]
    mean = np.full(rows.size, np.nan)
    deviation = np.full(rows.size, np.nan)
    height, width = values.shape
    chunk = max(1, _CHUNK_VALUES // down.size)
    for low in range(0, rows.size, chunk):
        part = slice(low, low + chunk)
        r, c = rows[part, None] + down, cols[part, None] + right
        inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        r, c = np.clip(r, 0, height - 1), np.clip(c, 0, width - 1)
        found = values[r, c].astype(np.float64)
        good = inside & use[r, c] & np.isfinite(found)
        count = good.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            centre = np.where(good, found, 0).sum(axis=1) / count
            apart = np.where(good, np.abs(found - centre[:, None]), 0).sum(axis=1) / count
        mean[part] = np.where(count > 0, centre, np.nan)
        deviation[part] = np.where(count > 0, apart, np.nan)
    return mean, deviation
