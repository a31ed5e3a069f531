"""Large images tile by tile: which level is read, where tiles lie, and what each cell takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.encoders.base import Features
from backends.errors import BadInput
from backends.overlays import Placement
from backends.scene import Scene

# Beyond, a coarser level is read: features of all of it must fit the memory.
MOST_PIXELS = 36 << 20
# Share of a tile's side that neighbours share.
OVERLAP = 0.25


def level_for(scene: Scene) -> int:
    """Return the pyramid level to read: full size, of a very large image a coarser one.

    Raises
    ------
    BadInput
        It is too large, and has no smaller level.
    """
    for level, (rows, cols) in enumerate(scene.level_shapes):
        if rows * cols <= MOST_PIXELS:
            return level
    raise BadInput(
        f"{scene.title} is too large to be read for concepts, {scene.shape[0]} × "
        f"{scene.shape[1]} pixels.",
        way_out="Cut it, or write it with smaller levels (a pyramid).",
    )


def starts(length: int, side: int, cells: int) -> list[int]:
    """Return where overlapping tiles begin, evenly spread, between cells where that can be."""
    if length <= side:
        return [0]
    count = 1 + -(-(length - side) // max(1, int(side * (1 - OVERLAP))))
    step = side // cells if side % cells == 0 else 1
    inner = [round(n / step) * step for n in np.linspace(0, length - side, count)[:-1]]
    return [*inner, length - side]


def whole_grid(shape: tuple[int, int], place: Placement) -> tuple[tuple[int, int], Placement]:
    """Return the grid over a whole scene whose cells are as large as a tile's."""
    rows = max(1, round(shape[0] / place.row_step))
    cols = max(1, round(shape[1] / place.col_step))
    down, across = shape[0] / rows, shape[1] / cols
    return (rows, cols), Placement((down - 1) / 2, (across - 1) / 2, down, across)


def lay_in(
    values: NDArray[np.float32],
    depth: NDArray[Any],
    grid: tuple[int, int],
    place: Placement,
    part: Features,
    window: tuple[int, int, int, int],
) -> None:
    """Give cells inside a tile the features of the tile's nearest cell, the deepest wins."""
    top, left, height, width = window
    r = place.row + np.arange(grid[0]) * place.row_step
    c = place.col + np.arange(grid[1]) * place.col_step
    rows = np.flatnonzero((r >= top - 0.5) & (r <= top + height - 0.5))
    cols = np.flatnonzero((c >= left - 0.5) & (c <= left + width - 0.5))
    near_r = np.rint((r[rows] - part.placement.row) / part.placement.row_step).astype(int)
    near_c = np.rint((c[cols] - part.placement.col) / part.placement.col_step).astype(int)
    near_r, near_c = near_r.clip(0, part.grid[0] - 1), near_c.clip(0, part.grid[1] - 1)
    deep_r = np.minimum(r[rows] - top, top + height - r[rows])
    deep_c = np.minimum(c[cols] - left, left + width - c[cols])
    deep = np.minimum(deep_r[:, None], deep_c[None]).ravel()
    there = (rows[:, None] * grid[1] + cols[None]).ravel()
    source = (near_r[:, None] * part.grid[1] + near_c[None]).ravel()
    better = deep > depth[there]
    values[there[better]] = part.values[source[better]]
    depth[there[better]] = deep[better]
