"""Where clusters end: as lines over other maps, and measured against the edges of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput


@dataclass(frozen=True)
class BoundaryAgreement:
    """How well the edges of clusters follow the edges of labelled areas.

    Attributes
    ----------
    precision : float or None
        Part of the cluster edge that lies by a label edge.
    recall : float or None
        Part of the label edge that lies by a cluster edge.
    cluster_edge, label_edge : int
        Pixels of both edges, between labelled pixels only.
    tolerance : int
        Pixels (in rows and columns) that still count as "by".
    """

    precision: float | None
    recall: float | None
    cluster_edge: int
    label_edge: int
    tolerance: int = 1

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None where no two classes touch or no cluster ends."""
        if self.precision is None or self.recall is None:
            return None
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "f1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "cluster_edge_pixels": self.cluster_edge,
            "label_edge_pixels": self.label_edge,
            "tolerance_pixels": self.tolerance,
        }


def edges(values: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark both sides of every step between known neighbours, up, down, left or right."""
    out = np.zeros(values.shape, bool)
    down = (values[1:] != values[:-1]) & known[1:] & known[:-1]
    across = (values[:, 1:] != values[:, :-1]) & known[:, 1:] & known[:, :-1]
    out[1:] |= down
    out[:-1] |= down
    out[:, 1:] |= across
    out[:, :-1] |= across
    return out


def boundary_agreement(
    cluster: NDArray[Any], labels: NDArray[Any], tolerance: int = 1
) -> BoundaryAgreement:
    """Return boundary F1 of cluster edges against label edges.

    Only where both neighbours are labelled: beyond, nobody knows where an edge is.
    """
    from scipy.ndimage import maximum_filter

    same_size(cluster, labels)
    known = (labels > 0) & (cluster > 0)
    mine, theirs = edges(cluster, known), edges(labels, known)
    size = 2 * tolerance + 1
    by_mine, by_theirs = (maximum_filter(e, size, mode="constant") for e in (mine, theirs))
    held = int(mine.sum()), int(theirs.sum())
    return BoundaryAgreement(
        float((mine & by_theirs).sum() / held[0]) if all(held) else None,
        float((theirs & by_mine).sum() / held[1]) if all(held) else None,
        *held,
        tolerance=tolerance,
    )


def border_lines(cluster: NDArray[Any]) -> NDArray[np.float64]:
    """Return the lines between pixels of different clusters, straight ones as long as they go.

    Parameters
    ----------
    cluster : integer array of shape (rows, cols)
        0 is no cluster; there is no border to it.

    Returns
    -------
    float array of shape (lines, 2, 2)
        Start and end as row, col; whole numbers are pixel centres, so that lines run on halves.
    """
    there = cluster > 0
    below = (cluster[1:] != cluster[:-1]) & there[1:] & there[:-1]
    beside = (cluster[:, 1:] != cluster[:, :-1]) & there[:, 1:] & there[:, :-1]
    across = _runs(below)
    down = _runs(beside.T)[:, :, ::-1]
    return np.concatenate([across, down])


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the runs along the rows of a mask, as lines below the row they are in."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    step = np.diff(padded, axis=1)
    row, first = np.nonzero(step == 1)
    _, end = np.nonzero(step == -1)
    start = np.column_stack([row + 0.5, first - 0.5])
    return np.stack([start, np.column_stack([row + 0.5, end - 0.5])], axis=1)


def same_size(one: NDArray[Any], two: NDArray[Any]) -> None:
    """Refuse two maps that do not lie on each other.

    Raises
    ------
    BadInput
        They differ in rows or columns.
    """
    if one.shape != two.shape:
        raise BadInput(
            f"Clusters of {one.shape[0]} × {one.shape[1]} pixels and labels of "
            f"{two.shape[0]} × {two.shape[1]} do not lie on each other.",
            way_out="Choose the labels of this scene.",
        )
