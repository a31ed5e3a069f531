"""Overlays of lines and points: perimeters and graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.errors import BadInput
from backends.overlays.record import Array, Overlay


@dataclass(frozen=True, eq=False)
class Perimeter:
    """One outline with its islands.

    Attributes
    ----------
    exterior : float array of shape (points, 2)
        Row, col in scene pixels; whole numbers are pixel centres.
    holes : tuple of such arrays
    properties : mapping
        Heat class, review state, name …
    """

    exterior: Array
    holes: tuple[Array, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for ring in (self.exterior, *self.holes):
            if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3:
                raise BadInput("An outline needs three or more points of row and column.")


@dataclass(frozen=True, eq=False)
class Perimeters(Overlay):
    """Outlines on the scene. ``draft`` until somebody verified them."""

    perimeters: tuple[Perimeter, ...] = field(kw_only=True)
    draft: bool = field(default=True, kw_only=True)


@dataclass(frozen=True, eq=False)
class GraphOverlay(Overlay):
    """Points joined by lines.

    Attributes
    ----------
    nodes : float array of shape (nodes, 2)
        Row, col in scene pixels.
    edges : integer array of shape (edges, 2)
        Node numbers.
    node_names : tuple of str
    weights : float array of shape (edges,), optional
    """

    nodes: Array = field(kw_only=True)
    edges: Array = field(kw_only=True)
    node_names: tuple[str, ...] = field(default=(), kw_only=True)
    weights: Array | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        count = len(self.nodes)
        fits = self.nodes.shape == (count, 2) and self.edges.shape == (len(self.edges), 2)
        fits = fits and len(self.node_names) in (0, count)
        fits = fits and (self.weights is None or self.weights.shape == (len(self.edges),))
        if not fits or not np.issubdtype(self.edges.dtype, np.integer):
            raise BadInput(f"{self.title}: points, lines and names do not fit each other.")
        if self.edges.size and (self.edges.min() < 0 or self.edges.max() >= count):
            raise BadInput(f"{self.title}: a line leads to a point that is not there.")
