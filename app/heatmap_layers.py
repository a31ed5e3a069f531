"""What is drawn of a heatmap beside its colours: contours, and the network's own cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.frames import Frame
from backends.heatmap_view import contour_lines, grid_lines
from backends.overlays import Heatmap

CONTOUR, CELLS = "#FFFFFF", "#9AD0FF"


def line_layers(overlay: Heatmap, frame: Frame) -> list[Any]:
    """Return the layers of lines that a heatmap's view asks for, lowest first."""
    from napari.layers import Vectors

    out = []
    view, place = overlay.view, overlay.placement
    if view.grid and overlay.grid is not None:
        cells = overlay.grid
        lines = grid_lines(
            overlay.grid_shape, (cells.row, cells.col, cells.row_step, cells.col_step)
        )
        out.append(("cells", CELLS, _within(lines, overlay), 0.7))
    if view.contour is not None:
        start, step = (place.row, place.col), (place.row_step, place.col_step)
        lines = [line * step + start for line in contour_lines(overlay.values, view.contour)]
        out.append(("contour", CONTOUR, lines, 1.4))
    width = _width(overlay)
    return [
        Vectors(
            _hops(lines),
            name=f"{overlay.title}: {name}",
            edge_width=width * thick,
            edge_color=color,
            vector_style="line",
            scale=frame.scale(),
            translate=frame.translate(),
            units=frame.units,
        )
        for name, color, lines, thick in out
        if lines
    ]


def _hops(lines: list[NDArray[Any]]) -> NDArray[np.float64]:
    """Return lines as napari's vectors: start and reach of each piece, (pieces, 2, 2)."""
    starts = np.concatenate([line[:-1] for line in lines])
    ends = np.concatenate([line[1:] for line in lines])
    return np.stack([starts, ends - starts], axis=1)


def _within(lines: list[NDArray[Any]], overlay: Heatmap) -> list[NDArray[Any]]:
    """Hold lines inside the map: a network's cells may reach beyond what it was shown."""
    place, (rows, cols) = overlay.placement, overlay.values.shape
    low = np.array([place.row - place.row_step / 2, place.col - place.col_step / 2])
    high = low + np.array([rows * place.row_step, cols * place.col_step])
    held = [np.clip(line, low, high) for line in lines]
    return [line for line, whole in zip(held, lines, strict=True) if _kept(line, whole)]


def _kept(held: NDArray[Any], whole: NDArray[Any]) -> bool:
    # A line that lay outside altogether has moved across its own direction.
    along = int(np.argmax(np.abs(whole[1] - whole[0])))
    across = 1 - along
    moved = abs(held[0, across] - whole[0, across])
    return bool(moved < 1e-6 and np.any(held[0] != held[1]))


def _width(overlay: Heatmap) -> float:
    """Return a width in scene pixels that looks alike on maps of any size."""
    rows, cols = overlay.values.shape
    reach = np.hypot(rows * overlay.placement.row_step, cols * overlay.placement.col_step)
    return max(0.02, float(reach) / 450)
