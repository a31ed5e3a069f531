"""The token lists of a site, found again from its matrices: coverage, order, a path to play.

Each entry of the matrix ranks the pixels; the highest ``share`` of them is read by the spatial
scan in that order (Zhu et al., arXiv 2601.15757). Of a scene that was read in tiles these are
the lists as if it had been read at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.overlays import GraphOverlay, MatrixEntry, MatrixField, ScoreMap
from backends.reading_lines import order_path, order_point

if TYPE_CHECKING:
    from backends.jobs import Progress


@dataclass(frozen=True, eq=False)
class EntryList:
    """One list in reading order.

    Attributes
    ----------
    source, target : int
        The entry it belongs to.
    points : int64 array of shape (pixels, 2)
        Row and column in the matrices, highest value and first read first.
    values : float32 array of shape (pixels,)
    part, parts : int
        Long lists are dealt out in turn to several; which of them it is, from 1.
    """

    source: int
    target: int
    points: NDArray[np.int64]
    values: NDArray[np.float32]
    part: int = 1
    parts: int = 1


def list_settings(field: MatrixField) -> tuple[float, int]:
    """Return which part of the pixels a list holds, and its greatest length."""
    set_to = field.provenance.parameters
    return float(set_to.get("list_share", 0.1)), int(set_to.get("list_length", 512))


def lists_are_clusters(field: MatrixField) -> bool:
    """Whether its lists are a learned partition and not made from the matrices."""
    return bool(field.provenance.parameters.get("cluster_source", "hres") == "lcm")


def coverage_map(
    entry: MatrixEntry, share: float, progress: Progress | None = None
) -> NDArray[np.uint16]:
    """Return how many of the n * n token lists of a mixer site hold each pixel.

    Found again from the kept matrices: the highest ``share`` of each entry. 0 means that the
    spatial scan left the pixel as it was.
    """
    n = entry.static.shape[0]
    rows, cols = entry.deviation.shape[:2]
    flat = entry.deviation.reshape(-1, n, n)
    top = _top(len(flat), share)
    held = np.zeros(len(flat), np.uint16)
    for source in range(n):
        for target in range(n):
            if progress is not None:
                progress.check()
            scores = flat[:, source, target].astype(np.float32)
            held[np.argpartition(-scores, top - 1)[:top]] += 1
    return held.reshape(rows, cols)


def entry_list(
    entry: MatrixEntry, source: int, target: int, share: float, longest: int, part: int = 1
) -> EntryList:
    """Return the pixels of one list in the order in which they are read.

    Parameters
    ----------
    part : int
        Of a list that was dealt out, from 1.
    """
    values = entry.deviation[:, :, source, target].astype(np.float32)
    top = _top(values.size, share)
    order = np.argsort(-values.ravel(), kind="stable")[:top]
    parts = -(-top // longest)
    mine = order[part - 1 :: parts][: top // parts]
    points = np.column_stack(np.unravel_index(mine, values.shape)).astype(np.int64)
    said = values.ravel()[mine] + np.float32(entry.static[source, target])
    return EntryList(source, target, points, said, part, parts)


def order_map(field: MatrixField, site: tuple[int, str], found: EntryList) -> ScoreMap:
    """Return each pixel's place in a list, 0 first to 1 last; NaN where it is not in it."""
    values = np.full(field.shape, np.nan, np.float32)
    count = len(found.points)
    values[tuple(found.points.T)] = np.arange(count) / max(1, count - 1)
    return ScoreMap(
        f"Reading order of {_named(field, found)} (layer {site[0]})",
        field.scene_id,
        field.provenance,
        placement=field.placement,
        id=f"{field.id}-order",
        values=values,
        unit="0 first, 1 last",
    )


def path_overlay(field: MatrixField, found: EntryList, first: int = 0) -> GraphOverlay:
    """Return hops of a list as lines, beginning at place ``first``; see `order_path`."""
    return order_path(field, _named(field, found), found.points, first)


def point_overlay(field: MatrixField, found: EntryList, at: int) -> GraphOverlay:
    """Return the pixel that is read at a place of a list, as a point."""
    return order_point(field, _named(field, found), found.points, at)


def _top(pixels: int, share: float) -> int:
    return min(max(1, int(share * pixels)), pixels)


def _named(field: MatrixField, found: EntryList) -> str:
    return f"{field.group_names[found.source]} → {field.group_names[found.target]}"
