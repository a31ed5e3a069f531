"""Runs to polygons that are valid by construction: 4-connected pieces with their holes.

Outlines are linked from their corners. On the line between two rows a corner is where exactly
one of the rows begins or ends; neighbours along the line and along the column pair up, and the
pairs close into rings. Two pixels that touch only at a corner stay apart there, and a ring that
meets itself at a point is split into an outline and a hole, so no ring touches itself (what
polygonisers with connectivity 8 get wrong).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.perimeters.runs import Ints, RunMask
from backends.progress import Progress

Affine = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Traced:
    """Polygons of a mask.

    Attributes
    ----------
    polygons : object array of shape (pieces,)
        shapely polygons on the map, exterior counter-clockwise, one a 4-connected piece.
    pixels : int64 array of shape (pieces,)
        Pixels of each.
    """

    polygons: NDArray[Any]
    pixels: Ints


def trace(
    mask: RunMask,
    affine: Affine,
    *,
    smallest_hole_px: float = 0.0,
    progress: Progress | None = None,
) -> Traced:
    """Return the polygons of a mask.

    Parameters
    ----------
    affine : tuple of 6 float
        ``x = a*col + b*row + c``, ``y = d*col + e*row + f`` of pixel corners.
    smallest_hole_px : float
        Holes below that many pixels are filled.
    """
    pieces, labels = mask.components(4)
    if not pieces:
        return Traced(np.empty(0, object), np.zeros(0, np.int64))
    size = np.bincount(labels, weights=mask.lengths, minlength=pieces).astype(np.int64)
    x, y, kind, below = _corners(mask)
    rings = _link(x, y, kind, below, progress)
    shells: list[Any] = [None] * pieces
    holes: list[list[Any]] = [[] for _ in range(pieces)]
    a, b, c, d, e, f = affine
    flips = a * e - b * d < 0  # rows that go down the map turn the sense of rotation
    outlines = _split(rings)
    inside = _labels(mask, labels, [outline[0] for outline in outlines])
    for (_, ring), label in zip(outlines, inside.tolist(), strict=True):
        area = _area(ring)
        col, row = ring[:, 0], ring[:, 1]
        on_map = np.column_stack((a * col + b * row + c, d * col + e * row + f))
        if flips:
            on_map = on_map[::-1]
        if area > 0:
            shells[label] = shapely.linearrings(on_map)
        elif -area >= smallest_hole_px:
            holes[label].append(shapely.linearrings(on_map))
    polygons = np.empty(pieces, object)
    for number, (shell, within) in enumerate(zip(shells, holes, strict=True)):
        if progress is not None and number % 4096 == 0:
            progress.check()
        polygons[number] = shapely.Polygon(shell, within)
    return Traced(polygons, size)


def _corners(mask: RunMask) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    """Return column, line, kind (0 stop, 1 start) and whether it belongs to the row below.

    In the order line, column, stop before start: there, neighbours pair up along the line.
    """
    n = len(mask)
    col = np.concatenate([mask.stop, mask.start] * 2)
    kind = np.concatenate([np.zeros(n, np.int64), np.ones(n, np.int64)] * 2)
    line = np.concatenate([mask.row, mask.row, mask.row + 1, mask.row + 1])
    below = np.concatenate([np.ones(2 * n, bool), np.zeros(2 * n, bool)])
    width = np.int64(mask.shape[1] + 2)
    key = (line * width + col) * 2 + kind
    order = np.argsort(key, kind="stable")
    key = key[order]
    # The same edge in both rows goes straight on: no corner.
    same = key[1:] == key[:-1]
    straight = np.zeros(len(key), bool)
    straight[1:] |= same
    straight[:-1] |= same
    order = order[~straight]
    return col[order], line[order], kind[order], below[order]


def _link(
    x: Ints, y: Ints, kind: Ints, below: NDArray[np.bool_], progress: Progress | None
) -> list[Ints]:
    """Return closed rings, each (corners, 2) of column and line, set pixels on one side."""
    n = len(x)
    upright = np.lexsort((y, x, kind))
    partner = np.empty(n, np.int64)
    partner[upright[0::2]] = upright[1::2]
    partner[upright[1::2]] = upright[0::2]
    left, right = np.arange(0, n, 2), np.arange(1, n, 2)
    # Set pixels below a line's edge: it runs to the right, else to the left.
    top = below[left] == (kind[left] == 1)
    tail, head = np.where(top, left, right), np.where(top, right, left)
    after = (partner[head] // 2).tolist()
    seen = bytearray(len(after))
    rings: list[Ints] = []
    for begin in range(len(after)):
        if seen[begin]:
            continue
        edges = []
        edge = begin
        while not seen[edge]:
            seen[edge] = 1
            edges.append(edge)
            edge = after[edge]
        if progress is not None and len(rings) % 4096 == 0:
            progress.check()
        chosen = np.asarray(edges, np.int64)
        corners = np.column_stack((tail[chosen], head[chosen])).ravel()
        rings.append(np.column_stack((x[corners], y[corners])))
    return rings


def _split(rings: list[Ints]) -> list[tuple[tuple[int, int], Ints]]:
    """Return each simple ring behind a pixel that lies inside its piece, touching an edge."""
    found = []
    for ring in rings:
        for part in _simple(ring):
            # A level edge that runs right has its set pixel below, else above.
            step = 0 if part[0, 1] == part[1, 1] else 1
            (x0, y0), (x1, _) = part[step].tolist(), part[step + 1].tolist()
            pixel = (y0, x0) if x1 > x0 else (y0 - 1, x1)
            found.append((pixel, part))
    return found


def _simple(ring: Ints) -> list[Ints]:
    """Cut a ring where it meets itself at a point."""
    keys = ring[:, 1] * (int(ring[:, 0].max()) + 1) + ring[:, 0]
    if len(np.unique(keys)) == len(keys):
        return [ring]
    parts: list[Ints] = []
    path: list[int] = []
    place: dict[int, int] = {}
    for number, key in enumerate(keys.tolist()):
        if key in place:
            begun = place[key]
            loop = path[begun:]
            parts.append(ring[loop])
            for left in loop[1:]:
                del place[int(keys[left])]
            del path[begun + 1 :]
        else:
            place[key] = len(path)
            path.append(number)
    parts.append(ring[path])
    return [part for part in parts if len(part) >= 4]


def _labels(mask: RunMask, labels: Ints, pixels: list[tuple[int, int]]) -> Ints:
    where = np.asarray(pixels, np.int64)
    return labels[mask.at(where[:, 0], where[:, 1])]


def _area(ring: Ints) -> float:
    """Return the signed area in pixels; positive around set pixels."""
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
