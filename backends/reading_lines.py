"""The order in which pixels were read, as lines and points over the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.overlays import GraphOverlay, Overlay

# Hops that are drawn at a time.
HOPS = 200


def order_path(field: Overlay, name: str, points: NDArray[Any], first: int = 0) -> GraphOverlay:
    """Return up to `HOPS` hops of a reading order as lines.

    Parameters
    ----------
    field : Overlay
        What was read.
    name : str
        Of the order, in words.
    points : int array of shape (tokens, 2)
        Row and column in the field, in the order of reading.
    first : int
        Place of the first pixel.
    """
    nodes = scene_pixels(field, points[first : first + HOPS + 1])
    each = np.arange(max(0, len(nodes) - 1))
    return GraphOverlay(
        f"Path of {name}",
        field.scene_id,
        field.provenance,
        id=f"{field.id}-path",
        nodes=nodes,
        edges=np.column_stack([each, each + 1]),
    )


def order_point(field: Overlay, name: str, points: NDArray[Any], at: int) -> GraphOverlay:
    """Return the pixel that is read at a place of an order, as a point."""
    return GraphOverlay(
        f"Now read in {name}",
        field.scene_id,
        field.provenance,
        id=f"{field.id}-now",
        nodes=scene_pixels(field, points[at : at + 1]),
        edges=np.empty((0, 2), np.int64),
    )


def scene_pixels(field: Overlay, points: NDArray[Any]) -> NDArray[np.float64]:
    """Return where pixels of a field, shape (n, 2), lie in its scene."""
    place = field.placement
    steps = np.array([place.row_step, place.col_step])
    return np.asarray(points * steps + np.array([place.row, place.col]), np.float64)
