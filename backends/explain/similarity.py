"""How alike two maps are: rank correlation, structure, overlap of their hottest parts.

All take float arrays of one shape (rows, cols); none depends on the maps' scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

Map = NDArray[Any]


def rank_correlation(a: Map, b: Map) -> float:
    """Return Spearman's correlation of two maps, -1 to 1.

    A map without contrast has no order: its correlation with anything is 0.

    Raises
    ------
    BadInput
        The maps have different sizes.
    """
    from scipy.stats import rankdata

    _same(a, b)
    x, y = rankdata(a, axis=None), rankdata(b, axis=None)
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip(x @ y / size, -1.0, 1.0)) if size > 0 else 0.0


def structural_similarity(a: Map, b: Map) -> float:
    """Return the structural similarity (SSIM, Wang 2004) of two maps stretched to 0 … 1.

    Windows of 7 × 7 pixels, smaller on smaller maps; 0 where one map has no contrast.

    Raises
    ------
    BadInput
        The maps have different sizes.
    """
    from skimage.metrics import structural_similarity as ssim

    _same(a, b)
    x, y = stretched(a), stretched(b)
    side = min(7, *x.shape)
    if side < 3 or not np.ptp(x) or not np.ptp(y):
        return 0.0
    return float(ssim(x, y, win_size=side - (side % 2 == 0), data_range=1.0))


def stretched(values: Map) -> NDArray[np.float64]:
    """Return a map stretched to 0 … 1; zeros where it has no contrast."""
    finite = np.asarray(values, np.float64)
    low, high = float(finite.min()), float(finite.max())
    return (finite - low) / (high - low) if high > low else np.zeros_like(finite)


def hottest(values: Map, share: float) -> NDArray[np.bool_]:
    """Return where a map is among its hottest ``share`` of pixels (at least one).

    Exactly that many: of equal values the first in reading order are taken.
    """
    count = max(1, round(share * values.size))
    return top(values, count)


def top(values: Map, count: int) -> NDArray[np.bool_]:
    """Return where the ``count`` hottest pixels are; equal values in reading order."""
    chosen = np.zeros(values.size, bool)
    chosen[np.argsort(-np.asarray(values, np.float64), axis=None, kind="stable")[:count]] = True
    return chosen.reshape(values.shape)


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return intersection over union of two regions; 0 where both are empty."""
    _same(a, b)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0


def soft_overlap(a: Map, b: Map) -> float:
    """Return sum of minima over sum of maxima of two maps' positive parts, 0 to 1."""
    _same(a, b)
    x, y = np.maximum(a, 0), np.maximum(b, 0)
    largest = float(np.maximum(x, y).sum())
    return float(np.minimum(x, y).sum()) / largest if largest > 0 else 0.0


def at_size(values: Map, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return a map resampled bilinearly to ``shape``; cells are areas, not corners."""
    if values.shape == tuple(shape):
        return np.asarray(values, np.float64)
    rows, cols = (_between(n, m) for n, m in zip(shape, values.shape, strict=True))
    source = np.asarray(values, np.float64)
    return np.ascontiguousarray(_along(_along(source, rows).T, cols).T)


def _between(wanted: int, there: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the cell before each wanted place, and how far it lies towards the next."""
    place = np.clip((np.arange(wanted) + 0.5) * there / wanted - 0.5, 0, there - 1)
    before = np.minimum(place.astype(np.int64), max(0, there - 2))
    return before, place - before


def _along(source: Map, at: tuple[NDArray[np.int64], NDArray[np.float64]]) -> Map:
    before, part = at
    after = np.minimum(before + 1, len(source) - 1)
    # As a step from the cell before: between equal cells nothing is rounded.
    return source[before] + (source[after] - source[before]) * part[:, None]


def _same(a: Map, b: Map) -> None:
    if a.shape != b.shape:
        raise BadInput(
            f"The two maps have different sizes, {_size(a)} and {_size(b)}.",
            way_out="Compare maps of one image.",
        )


def _size(values: Map) -> str:
    return " × ".join(str(n) for n in values.shape)
