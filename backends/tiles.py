"""What of a large picture is in view, put together from tiles that were read before.

`Tiles.compose` never reads: where a tile is not there yet it shows the same place from a
coarser level. `Tiles.fetch` reads one tile. A thread that fetches and a screen that composes
so never wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.cache import MemoryBudget
from backends.errors import ClearbandError

# Side of a tile in pixels, as most slides and tiled rasters store them.
TILE = 256
# Of all pictures together; a screen shows about 30 MB.
KEPT_BYTES = 256 << 20
# Longest side of the picture that stands in for tiles not read yet.
BASE_SIDE = 2048

_kept = MemoryBudget(KEPT_BYTES)

Place = tuple[int, int, int]


class Level(Protocol):
    """An array that is read where it is sliced."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, key: Any) -> NDArray[Any]: ...


@dataclass(frozen=True)
class View:
    """What is wanted: rows and columns of a level, half open."""

    level: int
    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    def grown(self, by: int, shape: Sequence[int]) -> View:
        """Return the view with a margin, inside a level of so many rows and columns."""
        return View(
            self.level,
            max(0, self.top - by),
            min(shape[0], self.bottom + by),
            max(0, self.left - by),
            min(shape[1], self.right + by),
        )

    def touches(self, place: Place) -> bool:
        """Tell whether a tile lies in it, if in part."""
        level, row, col = place
        down = row * TILE < self.bottom and (row + 1) * TILE > self.top
        return (
            level == self.level
            and down
            and col * TILE < self.right
            and ((col + 1) * TILE > self.left)
        )


class Tiles:
    """The tiles of a pyramid.

    Parameters
    ----------
    owner : str
        Id of the scene; `forget` lets its tiles go.
    name : str
        Tells several pictures of a scene apart.
    levels : sequence of Level
        Finest first; (rows, cols) or (rows, cols, colours).
    base : array
        All of the picture, coarse: what there is from the start.
    """

    def __init__(self, owner: str, name: str, levels: Sequence[Level], base: NDArray[Any]) -> None:
        self._owner, self._name, self._levels = owner, name, list(levels)
        self.base = base
        self._broken: dict[Place, NDArray[Any]] = {}
        self._lock = threading.Lock()

    def compose(self, view: View) -> tuple[NDArray[Any], list[Place]]:
        """Return the picture of a view as far as it is known, and what is missing in it.

        Returns
        -------
        array of shape (rows, cols) or (rows, cols, colours)
        list of (level, row, column) of tiles
            Those nearest the middle first.
        """
        like = self._levels[view.level]
        out = np.empty((*view.shape, *like.shape[2:]), like.dtype)
        missing = []
        for row in range(view.top // TILE, -(-view.bottom // TILE)):
            for col in range(view.left // TILE, -(-view.right // TILE)):
                place = (view.level, row, col)
                tile = self._known(place)
                top, left = row * TILE, col * TILE
                r0, r1 = max(top, view.top), min(top + TILE, view.bottom)
                c0, c1 = max(left, view.left), min(left + TILE, view.right)
                spot = np.s_[r0 - view.top : r1 - view.top, c0 - view.left : c1 - view.left]
                if tile is None:
                    missing.append(place)
                    out[spot] = self._coarser(view.level, r0, r1, c0, c1)
                else:
                    out[spot] = tile[r0 - top : r1 - top, c0 - left : c1 - left]
        middle = (
            (view.top + view.bottom) / 2 / TILE - 0.5,
            (view.left + view.right) / 2 / TILE - 0.5,
        )
        missing.sort(key=lambda p: (p[1] - middle[0]) ** 2 + (p[2] - middle[1]) ** 2)
        return out, missing

    def fetch(self, place: Place) -> None:
        """Read a tile; one that cannot be read is empty until the next `retry`."""
        level, row, col = place
        part = np.s_[row * TILE : (row + 1) * TILE, col * TILE : (col + 1) * TILE]
        try:
            values = np.ascontiguousarray(self._levels[level][part])
        except ClearbandError:
            rows, cols = self._levels[level].shape[:2]
            shape = min(TILE, rows - row * TILE), min(TILE, cols - col * TILE)
            empty = np.zeros((*shape, *self._levels[level].shape[2:]), self._levels[level].dtype)
            with self._lock:
                self._broken[place] = empty
            raise
        _kept.put((self._owner, self._name, *place), values)

    def retry(self) -> None:
        """Ask for tiles again that could not be read."""
        with self._lock:
            self._broken.clear()

    def _known(self, place: Place) -> NDArray[Any] | None:
        tile = _kept.get((self._owner, self._name, *place))
        return self._broken.get(place) if tile is None else tile

    def _coarser(self, level: int, r0: int, r1: int, c0: int, c1: int) -> NDArray[Any]:
        """Return a part of a level from the next coarser tile that is there, or the base."""
        rows, cols = self._levels[level].shape[:2]
        for above in range(level + 1, len(self._levels)):
            high, wide = self._levels[above].shape[:2]
            r = _matching(r0, r1, rows, high)
            c = _matching(c0, c1, cols, wide)
            first = (above, int(r[0]) // TILE, int(c[0]) // TILE)
            if first[1:] != (int(r[-1]) // TILE, int(c[-1]) // TILE):
                continue  # across two tiles: the next level will do for a moment
            tile = self._known(first)
            if tile is not None:
                return _pick(tile, r - first[1] * TILE, c - first[2] * TILE)
        high, wide = self.base.shape[:2]
        return _pick(self.base, _matching(r0, r1, rows, high), _matching(c0, c1, cols, wide))


def coarse_whole(level: Level) -> NDArray[Any]:
    """Read all of a level, at most `BASE_SIDE` pixels on its longer side."""
    rows, cols = level.shape[:2]
    step = max(1, -(-max(rows, cols) // BASE_SIDE))
    if step == 1:
        return np.ascontiguousarray(level[:, :])
    # A strip at a time: a whole level may not fit into memory.
    strip = step * max(1, TILE // step)
    parts = [level[row : row + strip, :][::step, ::step] for row in range(0, rows, strip)]
    return np.ascontiguousarray(np.concatenate(parts))


def forget(owner: str) -> None:
    """Let the tiles of a scene go."""
    _kept.forget(owner)


def _matching(start: int, stop: int, length: int, other: int) -> NDArray[np.intp]:
    """Return for pixels of one level those of another that lie at the same place."""
    at = (np.arange(start, stop) + 0.5) * (other / length)
    return np.minimum(at.astype(np.intp), other - 1)


def _pick(values: NDArray[Any], rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[Any]:
    return values.take(rows, axis=0).take(cols, axis=1)
