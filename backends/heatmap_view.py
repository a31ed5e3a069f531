"""How a heatmap is looked at: colours, their ends, contours, the network's own grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Contours are looked for in at most so many rows and columns: maps are smooth between the
# cells of a coarse grid.
CONTOUR_SIDE = 400


@dataclass(frozen=True)
class HeatmapView:
    """What of a heatmap is on the screen; the values themselves never change.

    Attributes
    ----------
    colormap : str
        A name in `backends.colormaps.NAMES`; empty as suits the map.
    limits : (low, high) or None
        Values at the ends of the colours; None finds them in the map alone.
    contour : float or None
        A line where the map reaches this part of its highest value, 0 to 1.
    grid : bool
        Outlines of the network's own cells.
    fade : bool
        Clear where the map says nothing.
    positive : bool
        Colours only for what speaks for the target, above nought.
    """

    colormap: str = ""
    limits: tuple[float, float] | None = None
    contour: float | None = None
    grid: bool = False
    fade: bool = True
    positive: bool = False

    def colors(self, centre: float | None) -> str:
        """Return the colour map that a heatmap is drawn with, on screen and on paper.

        Parameters
        ----------
        centre : float, optional
            Of the map: it has two sides.
        """
        return self.colormap or ("inferno" if centre is None or self.positive else "cold_hot")


def shared_limits(
    limits: Iterable[tuple[float, float]], centre: float | None
) -> tuple[float, float]:
    """Return one pair of limits that holds several maps.

    Parameters
    ----------
    limits : pairs of (low, high)
        Of each map; at least one.
    centre : float, optional
        The limits lie equally far to both sides of it.
    """
    lows, highs = zip(*limits, strict=True)
    low, high = min(lows), max(highs)
    if centre is None:
        return low, high
    reach = max(abs(low - centre), abs(high - centre))
    return centre - reach, centre + reach


def contour_lines(values: NDArray[Any], share: float) -> list[NDArray[np.float64]]:
    """Return lines where a map reaches a part of its highest value.

    Parameters
    ----------
    values : float array of shape (rows, cols)
    share : float
        0 to 1.

    Returns
    -------
    list of float arrays of shape (points, 2)
        Row, col in pixels of the map; none where nothing is above nought.
    """
    from skimage.measure import find_contours

    step = max(1, -(-max(values.shape) // CONTOUR_SIDE))
    some = np.nan_to_num(np.asarray(values[::step, ::step], np.float64))
    highest = float(some.max())
    if highest <= 0 or min(some.shape) < 2:
        return []
    # A margin closes lines that would end at the map's edge.
    wide = np.pad(some, 1, constant_values=min(0.0, float(some.min())))
    found = find_contours(wide, share * highest)
    last = np.array(some.shape) - 1
    return [np.clip(line - 1, 0, last) * step for line in found]


def grid_lines(
    shape: tuple[int, int], place: tuple[float, float, float, float]
) -> list[NDArray[np.float64]]:
    """Return the lines between the cells of a grid, two points each.

    Parameters
    ----------
    shape : (rows, cols)
        Cells.
    place : (row, col, row_step, col_step)
        Centre of the first cell and the way to the next, in scene pixels.
    """
    row, col, down, across = place
    top, left = row - down / 2, col - across / 2
    bottom, right = top + shape[0] * down, left + shape[1] * across
    lines = [
        np.array([[top + k * down, left], [top + k * down, right]]) for k in range(shape[0] + 1)
    ]
    lines += [
        np.array([[top, left + k * across], [bottom, left + k * across]])
        for k in range(shape[1] + 1)
    ]
    return lines
