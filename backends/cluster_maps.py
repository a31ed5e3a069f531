"""Maps of a cluster field to lay over the scene, made when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.cluster_analysis import ReadingPath
from backends.cluster_edges import border_lines, edges
from backends.errors import BadInput, WrongUse
from backends.overlays import ClassMap, ClusterBlock, ClusterField, GraphOverlay, Overlay, ScoreMap
from backends.reading_lines import order_path, order_point, scene_pixels

MAPS = {
    "clusters": "Clusters",
    "certainty": "Certainty",
    "order": "Reading order",
    "step": "Step size",
    "score": "Score",
    "attention": "Attention part",
    "typical": "Cluster part",
    "kept": "Kept pixels",
}
# Of a scene with more borders, pixels are marked instead of lines drawn.
MOST_LINES = 60_000
KEPT_NAMES = {1: "Kept", 2: "Passed over"}


def cluster_names(block: ClusterBlock) -> dict[int, str]:
    """Return the names of a block's clusters by number."""
    return {k: f"Cluster {k}" for k in range(1, block.clusters + 1)}


def order_of(block: ClusterBlock) -> NDArray[np.float32]:
    """Return each pixel's place in its sequence, 0 to 1; NaN where it was not read."""
    rank = block.rank.astype(np.float32) / 65535
    return np.where(block.sequence > 0, rank, np.float32(np.nan)).astype(np.float32)


def block_map(
    field: ClusterField, number: int, what: str, kept: NDArray[np.bool_] | None = None
) -> Overlay:
    """Return one map of a block as an overlay.

    It keeps one identity a field, so that choosing another map replaces it.

    Parameters
    ----------
    number : int
        Of the block, from 1.
    what : str
        A key of `MAPS`.
    kept : bool array of shape (rows, cols), optional
        For ``"kept"``: pixels that would be read; default those that were.
    """
    block = field.blocks[number - 1]
    if what not in MAPS:
        raise WrongUse(f"There is no map called {what}.", way_out=f"Use one of: {', '.join(MAPS)}.")
    head = (f"{MAPS[what]}, block {number}", field.scene_id, field.provenance)
    common: dict[str, Any] = {"placement": field.placement, "id": f"{field.id}-map"}
    if what == "clusters":
        sure = np.nan_to_num(block.certainty.astype(np.float32))
        names = cluster_names(block)
        return ClassMap(
            *head, **common, labels=block.cluster, class_names=names, confidence=sure, fade=True
        )
    if what == "kept":
        mask = block.sequence > 0 if kept is None else kept
        labels = np.where(block.cluster > 0, np.where(mask, 1, 2), 0).astype(np.uint8)
        return ClassMap(*head, **common, labels=labels, class_names=KEPT_NAMES)
    values, unit = {
        "certainty": (block.certainty, "membership"),
        "order": (order_of(block), "0 first, 1 last"),
        "step": (block.step, ""),
        "score": (block.score, ""),
        "attention": (block.attention, ""),
        "typical": (block.typical, ""),
    }[what]
    if values is None:
        raise BadInput(
            f"{field.title} was made before the parts of the score were kept.",
            way_out="Classify the scene again.",
        )
    return ScoreMap(*head, **common, values=values.astype(np.float32), unit=unit)


def has_map(block: ClusterBlock, what: str) -> bool:
    """Tell whether a block has a map: older results lack the parts of the score."""
    return what not in ("attention", "typical") or getattr(block, what) is not None


def border_overlay(field: ClusterField, number: int) -> Overlay:
    """Return where the clusters of a block end, to lie over another map.

    Lines between pixels; of a scene with very many, the pixels on both sides.
    """
    cluster = field.blocks[number - 1].cluster
    head = (f"Borders of clusters, block {number}", field.scene_id, field.provenance)
    mine = f"{field.id}-borders"
    lines = border_lines(cluster)
    if len(lines) > MOST_LINES:
        marked = edges(cluster, cluster > 0).astype(np.uint8)
        names = {1: "Border of a cluster"}
        return ClassMap(*head, placement=field.placement, id=mine, labels=marked, class_names=names)
    ends = np.arange(2 * len(lines)).reshape(-1, 2)
    nodes = scene_pixels(field, lines.reshape(-1, 2))
    return GraphOverlay(*head, id=mine, nodes=nodes, edges=ends)


def path_overlay(field: ClusterField, path: ReadingPath, first: int = 0) -> GraphOverlay:
    """Return hops of a path as lines, beginning at place ``first``; see `order_path`."""
    return order_path(field, f"cluster {path.cluster}", path.points, first)


def point_overlay(field: ClusterField, path: ReadingPath, at: int) -> GraphOverlay:
    """Return the pixel that is read at a place of a path, as a point."""
    return order_point(field, f"cluster {path.cluster}", path.points, at)
