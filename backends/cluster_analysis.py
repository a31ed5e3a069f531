"""What the clusters of a reader hold: labels, spectra, an order, and pixels that are kept.

Nothing here knows a network: it reads `ClusterBlock` maps and label images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.cluster_edges import same_size
from backends.errors import BadInput
from backends.overlays import ClusterBlock, Placement
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.jobs import Progress


# -- clusters and classes ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ClusterTable:
    """How many pixels of each class lie in each cluster.

    Attributes
    ----------
    counts : int64 array of shape (clusters, classes)
        Labelled pixels; row 0 is cluster 1.
    classes : tuple of int
        Label values of the columns.
    sizes : int64 array of shape (clusters,)
        All pixels, labelled or not.
    """

    counts: NDArray[np.int64]
    classes: tuple[int, ...]
    sizes: NDArray[np.int64]

    @property
    def labelled(self) -> int:
        """Labelled pixels that lie in a cluster."""
        return int(self.counts.sum())

    @property
    def purity(self) -> float | None:
        """Part of the labelled pixels that are of the commonest class of their cluster."""
        return float(self.counts.max(axis=1).sum() / self.labelled) if self.labelled else None

    @property
    def chance_purity(self) -> float | None:
        """What one cluster for everything would reach: the part of the commonest class."""
        return float(self.counts.sum(axis=0).max() / self.labelled) if self.labelled else None

    def purity_of(self, cluster: int) -> float | None:
        """Return the purity of one cluster, numbered from 1; None where none is labelled."""
        row = self.counts[cluster - 1]
        return float(row.max() / row.sum()) if row.sum() else None

    def class_of(self, cluster: int) -> int | None:
        """Return the commonest class of a cluster; None where none is labelled."""
        row = self.counts[cluster - 1]
        return self.classes[int(row.argmax())] if row.sum() else None

    @property
    def nmi(self) -> float | None:
        """Mutual information over the mean of both entropies: 0 unrelated, 1 the same."""
        if not self.labelled:
            return None
        joint = self.counts / self.labelled
        rows, cols = joint.sum(axis=1), joint.sum(axis=0)
        both = _entropy(rows) + _entropy(cols)
        if both == 0:
            return 1.0
        shared = _entropy(rows) + _entropy(cols) - _entropy(joint.ravel())
        return float(max(0.0, 2 * shared / both))

    def to_dict(self, names: Mapping[int, str] | None = None) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        names = names or {}
        return {
            "purity": self.purity,
            "purity_of_one_cluster": self.chance_purity,
            "nmi": self.nmi,
            "labelled_pixels": self.labelled,
            "classes": [names.get(v, f"Class {v}") for v in self.classes],
            "clusters": [
                {
                    "cluster": k,
                    "pixels": int(self.sizes[k - 1]),
                    "purity": self.purity_of(k),
                    "counts": self.counts[k - 1].tolist(),
                }
                for k in range(1, len(self.sizes) + 1)
            ],
        }


def sizes_of(block: ClusterBlock) -> NDArray[np.int64]:
    """Return the pixels of each cluster, shape (clusters,)."""
    held = np.bincount(block.cluster.ravel(), minlength=block.clusters + 1)
    return np.asarray(held[1:], np.int64)


def cluster_table(block: ClusterBlock, labels: NDArray[Any] | None) -> ClusterTable:
    """Count the pixels of each class in each cluster; 0 is unlabelled.

    Parameters
    ----------
    labels : integer array of shape (rows, cols), optional
        Of the same pixels as the block.
    """
    sizes = sizes_of(block)
    if labels is None:
        return ClusterTable(np.zeros((block.clusters, 0), np.int64), (), sizes)
    same_size(block.cluster, labels)
    known = (labels > 0) & (block.cluster > 0)
    classes, column = np.unique(labels[known], return_inverse=True)
    cell = (block.cluster[known].astype(np.int64) - 1) * max(1, len(classes)) + column
    counts = np.bincount(cell, minlength=block.clusters * len(classes))
    shape = (block.clusters, len(classes))
    return ClusterTable(
        counts.reshape(shape).astype(np.int64), tuple(int(c) for c in classes), sizes
    )


def _entropy(parts: NDArray[Any]) -> float:
    some = parts[parts > 0]
    return float(-(some * np.log(some)).sum())


# -- spectra -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ClusterSpectra:
    """Mean and spread of the spectra in each cluster.

    Attributes
    ----------
    mean, spread : float64 arrays of shape (clusters, bands)
        In the scene's unit; NaN where a cluster has no value. Spread is the standard
        deviation over the pixels.
    count : int64 array of the same shape
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    count: NDArray[np.int64]


def cluster_spectra(
    scene: Scene,
    blocks: Sequence[ClusterBlock],
    *,
    placement: Placement | None = None,
    progress: Progress | None = None,
) -> tuple[ClusterSpectra, ...]:
    """Return the mean spectra of the clusters of every block, in one pass over the scene."""
    place = placement or Placement()
    if (place.row, place.col, place.row_step, place.col_step) != (0, 0, 1, 1) or any(
        b.cluster.shape != scene.shape[:2] for b in blocks
    ):
        raise BadInput("These clusters do not lie on every pixel of the scene.")
    bands = scene.shape[2]
    sums = [np.zeros((3, b.clusters, bands)) for b in blocks]
    base: NDArray[np.float64] | None = None
    if progress is not None:
        progress.start(scene.shape[0], "rows", "Mean spectra of the clusters")
    for window, part in scene.blocks(progress=progress):
        values = np.asarray(part, np.float64).reshape(-1, bands)
        good = np.isfinite(values)
        if base is None and good.any():
            # Sums of squares about a value near the mean keep their digits.
            base = np.where(good, values, 0).sum(axis=0) / np.maximum(1, good.sum(axis=0))
        values = np.where(good, values - (0 if base is None else base), 0)
        for block, total in zip(blocks, sums, strict=True):
            mine = block.cluster[window.slices].ravel()
            one = (mine[None, :] == np.arange(1, block.clusters + 1)[:, None]).astype(np.float64)
            total[0] += one @ good
            total[1] += one @ values
            total[2] += one @ np.square(values)
        if progress is not None:
            progress.advance(window.height)
    return tuple(_spectra(total, np.zeros(bands) if base is None else base) for total in sums)


def _spectra(total: NDArray[np.float64], base: NDArray[np.float64]) -> ClusterSpectra:
    count = total[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total[1] / count
        spread = np.sqrt(np.maximum(0, total[2] / count - mean**2))
    return ClusterSpectra(mean + base, spread, np.rint(count).astype(np.int64))


# -- what is kept ------------------------------------------------------------------------------


class Coverage:
    """What would be read if only the pixels with the highest scores were kept.

    Sorted once; asking for a part then takes microseconds, so that a slider can follow.

    Parameters
    ----------
    block : ClusterBlock
    labels : integer array of shape (rows, cols), optional
    """

    def __init__(self, block: ClusterBlock, labels: NDArray[Any] | None = None) -> None:
        there = block.cluster > 0
        score = block.score[there].astype(np.float32)
        best = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
        self.pixels = len(best)
        self._place = np.empty(self.pixels, np.int64)
        self._place[best] = np.arange(self.pixels)
        self._there = there
        self._places: dict[int, NDArray[np.int64]] = {}
        self._cluster_places = _places_by(block.cluster[there], self._place)
        if labels is not None:
            same_size(block.cluster, labels)
            self._places = _places_by(labels[there], self._place)

    def kept(self, ratio: float) -> int:
        """Return how many pixels a part is; at least one."""
        return min(self.pixels, max(1, int(ratio * self.pixels))) if self.pixels else 0

    def of_classes(self, ratio: float) -> dict[int, float]:
        """Return the part of each class that would be read, by label value."""
        return _parts(self._places, self.kept(ratio))

    def of_clusters(self, ratio: float) -> dict[int, float]:
        """Return the part of each cluster that would be read, by its number."""
        return _parts(self._cluster_places, self.kept(ratio))

    def mask(self, ratio: float) -> NDArray[np.bool_]:
        """Return the pixels that would be read, shape (rows, cols)."""
        out = np.zeros(self._there.shape, bool)
        out[self._there] = self._place < self.kept(ratio)
        return out


def _places_by(values: NDArray[Any], place: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    found = (int(v) for v in np.unique(values) if v > 0)
    return {v: np.sort(place[values == v]) for v in found}


def _parts(places: Mapping[int, NDArray[np.int64]], kept: int) -> dict[int, float]:
    return {v: float(np.searchsorted(p, kept) / len(p)) for v, p in places.items()}


# -- one path --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ReadingPath:
    """The order in which the pixels of one sequence are read.

    Attributes
    ----------
    cluster, sequence : int
    number, of : int
        Which of the cluster's sequences it is, from 1.
    alone : bool
        Whether the sequence holds pixels of this cluster only.
    points : int64 array of shape (pixels, 2)
        Row and column in the overlay, first read first.
    """

    cluster: int
    sequence: int
    number: int
    of: int
    points: NDArray[np.int64]
    alone: bool = True


def reading_path(block: ClusterBlock, cluster: int, sequence: int = 0) -> ReadingPath:
    """Return the order of one sequence that reads pixels of a cluster.

    Where a sequence runs through several clusters, all of it is returned: that is the way the
    reader went.

    Parameters
    ----------
    cluster : int
        From 1.
    sequence : int
        0 takes the cluster's first.
    """
    flat = np.flatnonzero((block.cluster == cluster) & (block.sequence > 0))
    of = block.sequence.ravel()[flat]
    numbers = np.unique(of)
    if len(numbers) == 0:
        return ReadingPath(cluster, 0, 0, 0, np.empty((0, 2), np.int64))
    chosen = sequence if sequence in numbers else int(numbers[0])
    members = np.flatnonzero(block.sequence == chosen)
    alone = len(members) == int((of == chosen).sum())
    ordered = members[np.argsort(block.rank.ravel()[members], kind="stable")]
    points = np.column_stack(np.unravel_index(ordered, block.cluster.shape)).astype(np.int64)
    at = int(np.searchsorted(numbers, chosen)) + 1
    return ReadingPath(cluster, chosen, at, len(numbers), points, alone)
