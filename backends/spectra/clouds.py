"""Pixels of more than two maps on a plot: shares in a triangle, components as a turning cloud.

Both end in a `Scatter`, so that a brush, areas and the cursor work as over two axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.overlays import Placement, ScoreMap
from backends.spectra.scatter import MOST_PIXELS, Scatter, over_axes

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
# Corners of the triangle: the first map's, the second's, the third's.
CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.5, math.sqrt(3) / 2))
LEAST_TOGETHER = 0.5  # of a pixel that the three must make up
_MARGIN = 0.04
# So many pixels fill the plot however the cloud is turned; few of the others lie beyond it.
_FILLS, _BEYOND = 0.99, 1.3
# In step with none of the others: after long the cloud has been seen from everywhere.
_PACES = tuple(math.sqrt(p) for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53))


def ternary_of(shares: Sequence[ScoreMap], *, most_pixels: int = MOST_PIXELS) -> Scatter:
    """Return the pixels of three shares in a triangle: a pure pixel lies in its corner.

    Shares are taken of the three alone; a pixel of which they make up less than half has no place.

    Parameters
    ----------
    shares : three ScoreMap of one size
        Below 0 counts as 0.

    Raises
    ------
    BadInput
        Sizes differ, or no pixel has a place.
    WrongUse
        They are not three.
    """
    if len(shares) != 3:
        raise WrongUse("A triangle has three corners.", way_out="Choose three maps.")
    planes, place = _thinned(shares, most_pixels)
    planes = np.maximum(planes, 0)
    total = planes.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total[~(total >= LEAST_TOGETHER)] = np.nan
        second, third = planes[1] / total, planes[2] / total
    if not np.isfinite(total).any():
        raise BadInput(
            "The three maps make up less than half of every pixel.",
            way_out="Choose maps of shares, as Unmix makes them.",
        )
    x, y = second + third / 2, third * np.float32(CORNERS[2][1])
    high = CORNERS[2][1] + _MARGIN
    return over_axes(x, y, (-_MARGIN, 1 + _MARGIN), (-_MARGIN, high), place)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Pixels in as many dimensions as there are maps, each of mean 0 and variance 1.

    Attributes
    ----------
    values : float32 array of shape (maps, rows, cols)
    reach : float
        Half a side of the plot; of the pixels one in a hundred or fewer lies beyond it.
    placement : Placement
    """

    values: Floats
    reach: float
    placement: Placement

    @property
    def dimensions(self) -> int:
        """Number of maps."""
        return int(self.values.shape[0])

    def seen(self, basis: Doubles) -> Scatter:
        """Return the pixels as they lie on a plane through the cloud.

        Parameters
        ----------
        basis : float64 array of shape (2, dimensions)
            Orthonormal rows: the directions of x and y.
        """
        flat = self.values.reshape(self.dimensions, -1)
        x, y = (basis.astype(np.float32) @ flat).reshape(2, *self.values.shape[1:])
        span = (-self.reach, self.reach)
        return over_axes(x, y, span, span, self.placement)


def cloud_of(maps: Sequence[ScoreMap], *, most_pixels: int = MOST_PIXELS) -> Cloud:
    """Return maps as a cloud of pixels, each map brought to mean 0 and variance 1.

    Raises
    ------
    BadInput
        Sizes differ, or no pixel has a value in all maps.
    WrongUse
        Fewer than two maps.
    """
    if len(maps) < 2:
        raise WrongUse("A cloud needs two maps or more.", way_out="Choose more of them.")
    planes, place = _thinned(maps, most_pixels)
    whole = np.isfinite(planes).all(axis=0)
    if not whole.any():
        raise BadInput("No pixel has a value in all maps.", way_out="Choose other maps.")
    known = planes[:, whole].astype(np.float64)
    mean, spread = known.mean(axis=1), known.std(axis=1)
    spread[spread == 0] = 1
    values = (planes - mean[:, None, None]) / spread[:, None, None]
    values[:, ~whole] = np.nan
    away = np.sqrt((((known - mean[:, None]) / spread[:, None]) ** 2).sum(axis=0))
    reach = float(np.quantile(away, _FILLS)) * _BEYOND or 1.0
    return Cloud(values.astype(np.float32), reach, place)


def turned(dimensions: int, turn: float) -> Doubles:
    """Return the plane that a tour of the cloud has come to (Asimov 1985, torus method).

    Each of the first two directions is turned towards every further one, at paces that are in
    step with none of the others.

    Parameters
    ----------
    turn : float
        How far, in radians of the slowest pair; 0 is the first two maps.

    Returns
    -------
    float64 array of shape (2, dimensions)
    """
    frame = np.eye(dimensions)
    pairs = [(i, j) for j in range(2, dimensions) for i in (0, 1)]
    for k, (i, j) in enumerate(pairs):
        angle = turn * _PACES[k % len(_PACES)] / _PACES[0]
        cos, sin = math.cos(angle), math.sin(angle)
        frame[[i, j]] = cos * frame[i] + sin * frame[j], cos * frame[j] - sin * frame[i]
    return frame[:2]


def _thinned(maps: Sequence[ScoreMap], most_pixels: int) -> tuple[Floats, Placement]:
    shape = maps[0].values.shape
    for other in maps[1:]:
        if other.values.shape != shape:
            raise BadInput(
                f"{other.title} has another size than {maps[0].title}.",
                way_out="Choose maps of the whole scene.",
            )
    step = max(1, math.ceil(math.sqrt(shape[0] * shape[1] / most_pixels)))
    planes = np.stack([m.values[::step, ::step] for m in maps]).astype(np.float32)
    # A value stands for a square of which it is the first pixel.
    middle = (step - 1) / 2
    return planes, Placement(middle, middle, step, step)
