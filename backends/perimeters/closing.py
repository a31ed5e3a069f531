"""Morphology on runs with an exact Euclidean disc: dilation, closing, union, difference."""

from __future__ import annotations

import numpy as np

from backends.perimeters.runs import Ints, RunMask
from backends.progress import Progress

_MOST_AT_ONCE = 1 << 21  # runs held while they are merged


def closed(mask: RunMask, radius_px: float, progress: Progress | None = None) -> RunMask:
    """Return the closing of a mask with a disc: gaps narrower than its width are filled.

    The plane beyond the scene counts as unset but may be reached in between, so that the
    border of the scene is treated like any other place.

    Parameters
    ----------
    radius_px : float
        Pixels at whose centres lie at most that far are within the disc.
    """
    reach = int(radius_px)
    if reach < 1 or not len(mask):
        return mask
    rows, cols = mask.shape
    room = rows + 2 * reach, cols + 2 * reach
    roomy = RunMask(mask.row + reach, mask.start + reach, mask.stop + reach, room)
    grown = dilated(roomy, radius_px, progress)
    shrunk = complement(dilated(complement(grown, reach + 1), radius_px, progress))
    # Back from the frame of the complement and from the room around the scene.
    off = 2 * reach + 1
    return clipped(shrunk, off, off, mask.shape)


def dilated(mask: RunMask, radius_px: float, progress: Progress | None = None) -> RunMask:
    """Return every pixel within a distance of a set one, inside the same scene."""
    reach = int(radius_px)
    if reach < 1 or not len(mask):
        return mask
    rows, cols = mask.shape
    widths = np.sqrt(radius_px**2 - np.arange(-reach, reach + 1) ** 2.0).astype(np.int64)
    parts: list[tuple[Ints, Ints, Ints]] = []
    step = max(1, _MOST_AT_ONCE // (2 * reach + 1))
    low = 0
    while low < rows:
        # As many rows at a time as hold a bounded number of runs.
        begin = int(mask.first[max(0, low - reach)])
        high = int(np.searchsorted(mask.first, begin + step, "right")) - 1 - reach
        high = min(rows, max(high, low + 1))
        end = int(mask.first[min(rows, high + reach)])
        row, start, stop = mask.row[begin:end], mask.start[begin:end], mask.stop[begin:end]
        spread = np.concatenate([row + dy for dy in range(-reach, reach + 1)])
        left = np.concatenate([start - w for w in widths])
        right = np.concatenate([stop + w for w in widths])
        inside = (spread >= low) & (spread < high)
        parts.append(
            merged(
                spread[inside],
                np.maximum(left[inside], 0),
                np.minimum(right[inside], cols),
            )
        )
        low = high
        if progress is not None:
            progress.check()
    return RunMask.joined(parts, mask.shape)


def merged(row: Ints, start: Ints, stop: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the union of intervals, row by row, ordered and apart."""
    if not len(row):
        return row, start, stop
    width = np.int64(stop.max() + 2)
    # With the row in front, one running maximum serves all rows.
    begin, end = row * width + start, row * width + stop
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], end[order]
    furthest = np.maximum.accumulate(end)
    fresh = np.ones(len(begin), bool)
    fresh[1:] = begin[1:] > furthest[:-1]
    firsts = np.flatnonzero(fresh)
    lasts = np.append(firsts[1:], len(begin)) - 1
    where = row[order][firsts]
    return where, begin[firsts] - where * width, furthest[lasts] - where * width


def complement(mask: RunMask, frame: int = 0) -> RunMask:
    """Return what is not set, with a frame of so many unset pixels added around the scene."""
    rows, cols = mask.shape[0] + 2 * frame, mask.shape[1] + 2 * frame
    every = np.arange(rows, dtype=np.int64)
    # Between the stop of one run and the start of the next; a row's ends count as both.
    row_start = np.concatenate([every, mask.row + frame])
    start = np.concatenate([np.zeros(rows, np.int64), mask.stop + frame])
    row_stop = np.concatenate([mask.row + frame, every])
    stop = np.concatenate([mask.start + frame, np.full(rows, cols, np.int64)])
    width = np.int64(cols + 1)
    begin, end = np.sort(row_start * width + start), np.sort(row_stop * width + stop)
    some = end > begin
    row, first = np.divmod(begin[some], width)
    return RunMask(row, first, end[some] - row * width, (rows, cols))


def clipped(mask: RunMask, row: int, col: int, shape: tuple[int, int]) -> RunMask:
    """Return a window of a mask, with its corner at row, col."""
    start = np.clip(mask.start - col, 0, shape[1])
    stop = np.clip(mask.stop - col, 0, shape[1])
    keep = (mask.row >= row) & (mask.row < row + shape[0]) & (stop > start)
    return RunMask(mask.row[keep] - row, start[keep], stop[keep], shape)


def union(a: RunMask, b: RunMask) -> RunMask:
    """Return what either has."""
    row, start, stop = (
        np.concatenate(pair) for pair in ((a.row, b.row), (a.start, b.start), (a.stop, b.stop))
    )
    return RunMask(*merged(row, start, stop), a.shape)


def difference(a: RunMask, b: RunMask) -> RunMask:
    """Return what ``a`` has and ``b`` has not."""
    return complement(union(complement(a), b))
