"""Large maps on the canvas: coarser views of the same values, changed in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.followed import Followed
from backends.tiles import TILE, Place, View

# Larger maps are drawn from as many of their values as the screen has pixels.
LARGEST_FLAT = 2048 * 2048
# Side of what is drawn until the map has been copied in full.
BASE_SIDE = 256


class MapLevel:
    """A coarser view of a large map that takes newer values without a new layer.

    Parameters
    ----------
    step : int
        Every so manieth row and column.
    """

    def __init__(self, values: NDArray[Any], step: int) -> None:
        self._step, self.dtype, self.ndim = step, values.dtype, 2
        # The canvas keeps what it has until the view leaves it by as much.
        self.chunks = (TILE, TILE)
        self.put(values)

    def put(self, values: NDArray[Any]) -> None:
        """Take other values of the same size; what reads just now keeps the old ones."""
        self._view = values[:: self._step, :: self._step]
        self.shape, self.size = self._view.shape, self._view.size

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self._view[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._view, dtype=dtype)


def large(values: NDArray[Any]) -> bool:
    """Tell whether a map is drawn from coarser views of itself."""
    return values.size > LARGEST_FLAT


def levels(values: NDArray[Any]) -> NDArray[Any] | list[MapLevel]:
    """Return a map as the canvas takes it: a large one with coarser views of itself, no copies.

    A heatmap has more values than its network has cells, so that leaving some out shows
    the same picture.
    """
    if not large(values):
        return values
    out = [MapLevel(values, 1)]
    while max(out[-1].shape) > 1024:
        out.append(MapLevel(values, 2 ** len(out)))
    return out


class MapSource:
    """Pictures of a large map for a `Followed` layer: copied out of it on a worker thread."""

    def __init__(self, found: list[MapLevel]) -> None:
        self._levels = found
        self.base = self._few()

    def _few(self) -> NDArray[Any]:
        """Return a few of its values from everywhere."""
        step = max(1, max(self._levels[0].shape) // BASE_SIDE)
        return np.ascontiguousarray(self._levels[0][::step, ::step])

    def compose(self, view: View) -> tuple[NDArray[Any], list[Place]]:
        """Return the values in view; nothing is ever missing."""
        self.base = self._few()
        part = self._levels[view.level][view.top : view.bottom, view.left : view.right]
        return np.array(part, order="C"), []

    def fetch(self, place: Place) -> None:
        """Nothing is missing."""

    def retry(self) -> None:
        """Nothing fails."""


def put_values(layer: Any, values: NDArray[Any]) -> None:
    """Give a layer newer values; of a large one only what is in view, made elsewhere."""
    known = list(layer.data) if layer.multiscale else []
    if not known or known[0].shape != values.shape or not isinstance(known[0], MapLevel):
        made = levels(values)
        if isinstance(layer, Followed) and isinstance(made, list):
            layer.pixels = MapSource(made)
        layer.data = made
        return
    for level in known:
        level.put(values)
    layer.refresh(thumbnail=False, highlight=False, extent=False)
