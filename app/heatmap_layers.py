"""What is drawn of a heatmap beside its colours: contours, and the network's own cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.frames import Frame
from backends.heatmap_view import contour_lines, grid_lines
from backends.overlays import Heatmap

CONTOUR, CELLS = "#FFFFFF", "#9AD0FF"
# Key of a layer's metadata: which lines it holds.
PART = "clearband lines"


def line_layers(overlay: Heatmap, frame: Frame, besides: Iterable[Any] = ()) -> list[Any]:
    """Return the layers of lines that a heatmap's view asks for, lowest first.

    Parameters
    ----------
    besides : iterable of layers
        Those it has already.
    """
    from napari.layers import Vectors

    known = {layer.metadata.get(PART) for layer in besides}
    out = []
    for part, (color, lines, width) in _lines(overlay).items():
        if part in known or not lines:
            continue
        layer = Vectors(
            _hops(lines),
            name=f"{overlay.title}: {part}",
            edge_width=width,
            edge_color=color,
            vector_style="line",
            scale=frame.scale(),
            translate=frame.translate(),
            units=frame.units,
            metadata={PART: part},
        )
        out.append(layer)
    return out


def put_lines(layers: list[Any], overlay: Heatmap) -> None:
    """Give the layers of lines what a heatmap's view asks for now, if nothing.

    A layer that is taken away costs half a second; an empty one costs nothing.
    """
    wanted = _lines(overlay)
    for layer in layers:
        part = layer.metadata[PART]
        _, lines, width = wanted[part]
        hops = _hops(lines) if lines else np.zeros((0, 2, 2))
        if np.array_equal(hops, layer.data):
            continue
        layer.data = hops
        layer.name = f"{overlay.title}: {part}"
        layer.edge_width = width


def _lines(overlay: Heatmap) -> dict[str, tuple[str, list[NDArray[Any]], float]]:
    """Return colour, lines in scene pixels and width of what lies over a heatmap."""
    view, place, width = overlay.view, overlay.placement, _width(overlay)
    grid: list[NDArray[Any]] = []
    if view.grid and overlay.grid is not None:
        cells = overlay.grid
        at = (cells.row, cells.col, cells.row_step, cells.col_step)
        grid = _within(grid_lines(overlay.grid_shape, at), overlay)
    contour: list[NDArray[Any]] = []
    if view.contour is not None:
        start, step = (place.row, place.col), (place.row_step, place.col_step)
        contour = [line * step + start for line in contour_lines(overlay.values, view.contour)]
    return {"cells": (CELLS, grid, 0.7 * width), "contour": (CONTOUR, contour, 1.4 * width)}


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
