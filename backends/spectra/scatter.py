"""Two bands or maps against each other: how dense, and which pixels lie under a brush.

Every pixel gets the number of its cell in a grid over the plot, once. After that a brush is a
table of cells and one look-up a pixel, and the pixels of an area are one count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.overlays import Placement, ScoreMap
from backends.regions import Outline, Region
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

Floats = NDArray[np.float32]
Axis = int | ScoreMap
CELLS = 256
OUTSIDE = CELLS * CELLS
MOST_PIXELS = 1_000_000
# Of the pixels, so many may lie beyond each end of an axis.
_BEYOND = 0.0005


@dataclass(frozen=True, eq=False)
class Scatter:
    """A scene's pixels over two axes.

    Attributes
    ----------
    x, y : float32 arrays of shape (rows, cols)
        Values, every step-th pixel of a large scene.
    cell : uint32 array of shape (rows, cols)
        ``cell x * CELLS + cell y``; `OUTSIDE` where a value is missing or beyond the axes.
    density : int64 array of shape (CELLS, CELLS)
        Pixels in each cell, x first.
    x_range, y_range : (low, high)
    placement : Placement
        Where the pixels lie on the scene.
    """

    x: Floats
    y: Floats
    cell: NDArray[np.uint32]
    density: NDArray[np.int64]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    placement: Placement

    @property
    def pixels(self) -> int:
        """Pixels that are on the plot."""
        return int(self.density.sum())

    def at(self, row: int, col: int) -> tuple[float, float]:
        """Return the values of a pixel of the scene; of the nearest that was taken."""
        place, (rows, cols) = self.placement, self.cell.shape
        r = min(max(round((row - place.row) / place.row_step), 0), rows - 1)
        c = min(max(round((col - place.col) / place.col_step), 0), cols - 1)
        return float(self.x[r, c]), float(self.y[r, c])


def scatter_of(
    scene: Scene,
    x: Axis,
    y: Axis,
    *,
    most_pixels: int = MOST_PIXELS,
    progress: Progress | None = None,
) -> Scatter:
    """Read two axes and count how dense their pixels lie.

    Parameters
    ----------
    x, y : int or ScoreMap
        A band, or a map of the scene's own size.

    Raises
    ------
    BadInput
        A map has another size, or no pixel has values on both axes.
    """
    from backends.spectra.expression import parse
    from backends.spectra.preview import preview

    window = Window(0, 0, *scene.shape[:2])
    bands = [axis for axis in (x, y) if isinstance(axis, int)]
    # The bands go through the preview: it reads sparsely and keeps what it read.
    guide = preview(
        parse(f"band[{(bands or [0])[0] + 1}]", {"b": scene}), window, most_pixels=most_pixels,
        progress=progress,
    )  # fmt: skip
    place, shape = guide.placement, guide.values.shape

    def values(axis: Axis) -> Floats:
        if isinstance(axis, int):
            if bands and axis == bands[0]:
                return guide.values
            formula = parse(f"band[{axis + 1}]", {"b": scene})
            return preview(formula, window, most_pixels=most_pixels, progress=progress).values
        if axis.values.shape != scene.shape[:2]:
            raise BadInput(
                f"{axis.title} has another size than {scene.title}.",
                way_out="Choose a map of the whole scene.",
            )
        # A value of the preview is the first pixel of the square it stands for.
        first = (place.row - (place.row_step - 1) / 2, place.col - (place.col_step - 1) / 2)
        rows = np.round(first[0] + np.arange(shape[0]) * place.row_step).astype(np.intp)
        cols = np.round(first[1] + np.arange(shape[1]) * place.col_step).astype(np.intp)
        rows, cols = rows.clip(0, scene.shape[0] - 1), cols.clip(0, scene.shape[1] - 1)
        return axis.values[np.ix_(rows, cols)].astype(np.float32)

    one, other = values(x), values(y)
    inside = np.isfinite(one) & np.isfinite(other)
    if not inside.any():
        raise BadInput("No pixel has values on both axes.", way_out="Choose other bands.")
    ranges = []
    for plane in (one, other):
        if progress is not None:
            progress.check()
        low, high = (float(v) for v in np.quantile(plane[inside], (_BEYOND, 1 - _BEYOND)))
        margin = 0.02 * (high - low) or max(abs(high), 1.0) * 1e-3
        ranges.append((low - margin, high + margin))
    return over_axes(one, other, ranges[0], ranges[1], place)


def over_axes(
    x: Floats,
    y: Floats,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    placement: Placement,
) -> Scatter:
    """Count pixels over axes that are given; what isn't finite or lies beyond is left out.

    Parameters
    ----------
    x, y : float32 arrays of shape (rows, cols)
    """
    cell = np.zeros(x.shape, np.uint32)
    inside = np.ones(x.shape, bool)
    for plane, (low, high) in ((x, x_range), (y, y_range)):
        with np.errstate(invalid="ignore"):
            place_of = (plane - np.float32(low)) * np.float32(CELLS / (high - low))
            inside &= (place_of >= 0) & (place_of < CELLS)
        cell = cell * CELLS + np.where(inside, place_of, 0).astype(np.uint32)
    cell[~inside] = OUTSIDE
    counts = np.bincount(cell.ravel(), minlength=OUTSIDE + 1)[:OUTSIDE]
    return Scatter(x, y, cell, counts.reshape(CELLS, CELLS), x_range, y_range, placement)


def under_brush(scatter: Scatter, outline: Sequence[tuple[float, float]]) -> NDArray[np.uint8]:
    """Return 1 for each pixel whose cell lies inside an outline over the plot.

    Parameters
    ----------
    outline : sequence of (x, y)
        In values of the axes; closed by itself.

    Returns
    -------
    uint8 array of shape (rows, cols)
    """
    from skimage.draw import polygon

    table = np.zeros(OUTSIDE + 1, np.uint8)
    if len(outline) >= 3:
        points = np.asarray(outline, np.float64)
        at = []
        for k, (low, high) in enumerate((scatter.x_range, scatter.y_range)):
            # Whole numbers are the middles of cells.
            at.append((points[:, k] - low) * (CELLS / (high - low)) - 0.5)
        inside = polygon(at[0], at[1], (CELLS, CELLS))
        table[inside[0] * CELLS + inside[1]] = 1
    return np.asarray(table[scatter.cell])


def cells_under(scatter: Scatter, mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many marked pixels lie in each cell, shape (CELLS, CELLS).

    Parameters
    ----------
    mask : uint8 array of shape (rows, cols)
        Of the scatter's own pixels, as `under_brush` gives it.
    """
    found = scatter.cell[mask.astype(bool)]
    counts = np.bincount(found, minlength=OUTSIDE + 1)[:OUTSIDE]
    return np.asarray(counts.reshape(CELLS, CELLS))


def cells_of(scatter: Scatter, region: Region) -> NDArray[np.int64]:
    """Return how many pixels of an area of the scene lie in each cell, shape (CELLS, CELLS)."""
    place = scatter.placement
    origin = np.array([place.row, place.col])
    step = np.array([place.row_step, place.col_step])
    outlines = tuple(
        Outline((o.exterior - origin) / step, tuple((h - origin) / step for h in o.holes))
        for o in region.outlines
    )
    rows, cols, mask = region.with_outlines(outlines).inside(scatter.cell.shape)
    found = scatter.cell[rows, cols][mask]
    counts = np.bincount(found, minlength=OUTSIDE + 1)[:OUTSIDE]
    return np.asarray(counts.reshape(CELLS, CELLS))
