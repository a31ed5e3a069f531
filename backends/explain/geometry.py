"""Where the pixels of a network's input lie on the image they were made from.

Every crop, scaling and margin is one axis-aligned affine step, so that a map in the
network's grid can be laid back over the image without guessing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.overlays import Placement
from backends.scene import Window

FloatMap = NDArray[np.float32]


@dataclass(frozen=True)
class Geometry:
    """The way from an image to a network's input, and back.

    Attributes
    ----------
    image_shape : (rows, cols)
        Of the image given.
    input_shape : (rows, cols)
        Of the network's input.
    placement : Placement
        Image row = ``row + r * row_step`` for input row r, both at pixel centres.
    inside : Window
        Input pixels that show the image; the rest is margin.
    """

    image_shape: tuple[int, int]
    input_shape: tuple[int, int]
    placement: Placement
    inside: Window

    def grid_placement(self, rows: int, cols: int) -> Placement:
        """Return where the cells of a grid over the whole input lie on the image."""
        down, across = self.input_shape[0] / rows, self.input_shape[1] / cols
        place = self.placement
        return Placement(
            place.row + (down / 2 - 0.5) * place.row_step,
            place.col + (across / 2 - 0.5) * place.col_step,
            down * place.row_step,
            across * place.col_step,
        )

    def to_image(self, values: NDArray[np.floating], *, smooth: bool = True) -> FloatMap:
        """Bring a map over the whole input onto the image's own pixels.

        Parameters
        ----------
        values : float array of shape (rows, cols)
            Any grid over the whole input.
        smooth : bool
            Linear between the centres of cells (as ``align_corners=False``), else the
            nearest cell.

        Returns
        -------
        float32 array of shape ``image_shape``
            ``nan`` where the network did not see the image.
        """
        place = self.grid_placement(*values.shape)
        r = (np.arange(self.image_shape[0]) - place.row) / place.row_step
        c = (np.arange(self.image_shape[1]) - place.col) / place.col_step
        out = _sample(np.asarray(values, np.float32), r, c, smooth)
        top, left, bottom, right = self.seen
        out[:top], out[bottom:] = np.nan, np.nan
        out[:, :left], out[:, right:] = np.nan, np.nan
        return out

    def sample(
        self, values: NDArray[np.floating], rows: NDArray[Any], cols: NDArray[Any]
    ) -> FloatMap:
        """Read a map over the whole input at the crossings of image rows and columns.

        Parameters
        ----------
        rows, cols : float arrays
            In image pixels, whole numbers are centres; linear between, edges held.

        Returns
        -------
        float32 array of shape (rows, cols)
            ``nan`` where the network did not see the image.
        """
        place = self.grid_placement(*values.shape)
        r = (rows - place.row) / place.row_step
        c = (cols - place.col) / place.col_step
        out = _sample(np.asarray(values, np.float32), r, c, True)
        top, left, bottom, right = self.seen
        out[(rows < top - 0.5) | (rows > bottom - 0.5)] = np.nan
        out[:, (cols < left - 0.5) | (cols > right - 0.5)] = np.nan
        return out

    def to_input(
        self, values: NDArray[np.generic], *, smooth: bool = False, fill: float = 0.0
    ) -> FloatMap:
        """Bring an image-sized map (a mask, say) onto the network's input pixels.

        Returns
        -------
        float32 array of shape ``input_shape``
            ``fill`` in the margin.
        """
        place = self.placement
        r = place.row + np.arange(self.input_shape[0]) * place.row_step
        c = place.col + np.arange(self.input_shape[1]) * place.col_step
        out = _sample(np.asarray(values, np.float32), r, c, smooth)
        margin = np.ones(self.input_shape, bool)
        margin[self.inside.slices] = False
        out[margin] = fill
        return out

    def to_grid(self, values: NDArray[np.generic], shape: tuple[int, int]) -> FloatMap:
        """Bring an image-sized map onto a grid over the whole input: the mean of each cell."""
        fine = self.to_input(values)
        for axis, cells in enumerate(shape):
            fine = _cell_means(fine, axis, cells)
        return fine

    def grid_cell(self, pixel: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
        """Return the cell of a grid over the whole input that shows an image pixel."""
        place = self.grid_placement(*shape)
        row = round((pixel[0] - place.row) / place.row_step)
        col = round((pixel[1] - place.col) / place.col_step)
        return min(max(row, 0), shape[0] - 1), min(max(col, 0), shape[1] - 1)

    @property
    def seen(self) -> tuple[int, int, int, int]:
        """First and last (excluded) image row and column that the input shows: t, l, b, r."""
        place, inside = self.placement, self.inside
        # Outer edges of the input pixels, in image pixels whose outer edge is 0.
        top = place.row + 0.5 + (inside.row - 0.5) * place.row_step
        left = place.col + 0.5 + (inside.col - 0.5) * place.col_step
        bottom = top + inside.height * place.row_step
        right = left + inside.width * place.col_step
        rows, cols = self.image_shape
        # An image pixel counts as seen when its centre is.
        return (
            max(0, int(np.ceil(top - 0.5 - 1e-6))),
            max(0, int(np.ceil(left - 0.5 - 1e-6))),
            min(rows, int(np.floor(bottom - 0.5 + 1e-6)) + 1),
            min(cols, int(np.floor(right - 0.5 + 1e-6)) + 1),
        )


def _sample(values: FloatMap, r: NDArray[Any], c: NDArray[Any], smooth: bool) -> FloatMap:
    """Read a map at all crossings of fractional rows and columns; edges are held."""
    rows, cols = values.shape
    r, c = np.clip(r, 0, rows - 1), np.clip(c, 0, cols - 1)
    if not smooth:
        near = np.ix_(np.floor(r + 0.5).astype(np.intp), np.floor(c + 0.5).astype(np.intp))
        return np.array(values[near], np.float32)
    low = np.floor(r).astype(np.intp)
    high = np.minimum(low + 1, rows - 1)
    part = (r - low).astype(np.float32)[:, None]
    down = values[low] * (1 - part) + values[high] * part
    low = np.floor(c).astype(np.intp)
    high = np.minimum(low + 1, cols - 1)
    part = (c - low).astype(np.float32)[None, :]
    return np.asarray(down[:, low] * (1 - part) + down[:, high] * part, np.float32)


def _cell_means(values: FloatMap, axis: int, cells: int) -> FloatMap:
    """Shrink one axis to the means of its cells; an axis that is no longer stays."""
    length = values.shape[axis]
    if length <= cells:
        near = ((np.arange(cells) + 0.5) * length / cells).astype(np.intp)
        return np.asarray(np.take(values, near, axis), np.float32)
    edges = np.linspace(0, length, cells + 1).round().astype(np.intp)
    total = np.add.reduceat(values, edges[:-1], axis=axis)
    count = np.diff(edges).reshape([-1 if i == axis else 1 for i in range(2)])
    return np.asarray(total / count, np.float32)
