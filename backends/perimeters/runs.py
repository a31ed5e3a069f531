"""A mask as runs: per row, the columns where it begins and ends. A scene of any size fits.

Everything that follows (components, closing, outlines) works on runs alone, so memory grows
with the length of the outlines and not with the number of pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RunMask:
    """Runs of set pixels, ordered by row and column; no two of a row touch.

    Attributes
    ----------
    row, start, stop : int64 arrays of shape (runs,)
        Row, first column, and the column behind the last.
    shape : (int, int)
        Rows and columns of the scene.
    """

    row: Ints
    start: Ints
    stop: Ints
    shape: tuple[int, int]

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> RunMask:
        """Return a mask of nothing."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, shape)

    @classmethod
    def from_array(cls, mask: NDArray[np.bool_]) -> RunMask:
        """Return the runs of a mask, shape (rows, cols)."""
        shape = int(mask.shape[0]), int(mask.shape[1])
        return cls(*runs_of_rows(mask, 0), shape)

    @classmethod
    def joined(cls, parts: Iterable[tuple[Ints, Ints, Ints]], shape: tuple[int, int]) -> RunMask:
        """Return one mask of strips that follow each other (`runs_of_rows`)."""
        listed = list(parts)
        if not listed:
            return cls.empty(shape)
        row, start, stop = (np.concatenate(column) for column in zip(*listed, strict=True))
        return cls(row, start, stop, shape)

    def __len__(self) -> int:
        return len(self.row)

    @property
    def pixels(self) -> int:
        """How many pixels are set."""
        return int((self.stop - self.start).sum())

    @property
    def lengths(self) -> Ints:
        """Pixels of each run."""
        return self.stop - self.start

    @cached_property
    def first(self) -> Ints:
        """Number of the first run of each row, shape (rows + 1,)."""
        return np.searchsorted(self.row, np.arange(self.shape[0] + 1)).astype(np.int64)

    def to_array(self) -> NDArray[np.bool_]:
        """Return the mask as pixels, shape (rows, cols); for small scenes and tests."""
        steps = np.zeros((self.shape[0], self.shape[1] + 1), np.int8)
        np.add.at(steps, (self.row, self.start), 1)
        np.add.at(steps, (self.row, self.stop), -1)
        return np.asarray(np.cumsum(steps, axis=1)[:, :-1] > 0)

    def chosen(self, keep: NDArray[np.bool_]) -> RunMask:
        """Return the runs that are kept."""
        return RunMask(self.row[keep], self.start[keep], self.stop[keep], self.shape)

    def at(self, row: Ints, col: Ints) -> Ints:
        """Return the number of the run each pixel lies in; −1 where it lies in none."""
        if not len(self):
            return np.full(len(row), -1, np.int64)
        width = self.shape[1] + 2
        found = np.searchsorted(self.row * width + self.start, row * width + col, "right") - 1
        safe = np.maximum(found, 0)
        inside = (found >= 0) & (self.row[safe] == row) & (col < self.stop[safe])
        return np.where(inside, safe, -1)

    def components(self, connectivity: int) -> tuple[int, Ints]:
        """Return how many connected pieces there are, and the piece of each run, from 0.

        Parameters
        ----------
        connectivity : 4 or 8
            Whether pixels that touch at a corner are connected.
        """
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        if not len(self):
            return 0, np.zeros(0, np.int64)
        reach = 1 if connectivity == 8 else 0
        upper, lower = overlapping(self, self, row_step=1, reach=reach)
        links = coo_matrix(
            (np.ones(len(upper), np.int8), (upper, lower)), shape=(len(self), len(self))
        )
        count, labels = connected_components(links, directed=False)
        return int(count), np.asarray(labels, np.int64)


def overlapping(a: RunMask, b: RunMask, *, row_step: int = 0, reach: int = 0) -> tuple[Ints, Ints]:
    """Return all pairs of a run of ``a`` and one of ``b``, ``row_step`` rows below, that overlap.

    Parameters
    ----------
    reach : int
        Columns that may lie between them: 1 lets corners touch.
    """
    width = np.int64(a.shape[1] + 4)
    row = (a.row + row_step) * width
    low = np.searchsorted(b.row * width + b.stop, row + a.start - reach, "right")
    high = np.searchsorted(b.row * width + b.start, row + a.stop + reach, "left")
    many = np.maximum(high - low, 0)
    left = np.repeat(np.arange(len(a)), many)
    begun = np.cumsum(many) - many
    right = np.arange(int(many.sum())) - np.repeat(begun, many) + np.repeat(low, many)
    return left.astype(np.int64), right.astype(np.int64)


def runs_of_rows(mask: NDArray[np.bool_], first_row: int) -> tuple[Ints, Ints, Ints]:
    """Return row, start and stop of the runs in a strip, shape (rows, cols)."""
    rows, cols = mask.shape
    padded = np.zeros((rows, cols + 2), np.uint8)
    padded[:, 1:-1] = mask
    flat = padded.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    row, col = np.divmod(edges, cols + 2)
    row = row.astype(np.int64) + first_row
    return row[::2], col[::2].astype(np.int64), col[1::2].astype(np.int64)


def counts_within(counted: RunMask, regions: RunMask, labels: Ints, pieces: int) -> Ints:
    """Return how many pixels of ``counted`` lie in each piece of ``regions``."""
    left, right = overlapping(counted, regions)
    shared = np.minimum(counted.stop[left], regions.stop[right])
    shared = shared - np.maximum(counted.start[left], regions.start[right])
    found: Any = np.bincount(labels[right], weights=np.maximum(shared, 0), minlength=pieces)
    return np.asarray(np.rint(found), np.int64)
