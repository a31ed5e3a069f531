"""The clusters of two runs beside each other: their numbers differ from training to training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.cluster_analysis import cluster_table
from backends.cluster_edges import same_size
from backends.cluster_maps import cluster_names
from backends.overlays import ClassMap, ClusterBlock, ClusterField


def match_clusters(
    one: NDArray[Any], two: NDArray[Any], clusters: int
) -> tuple[NDArray[np.int64], float]:
    """Give the clusters of a second run the numbers of those of the first they share most with.

    The Hungarian method on the table of shared pixels: numbers differ from run to run.

    Parameters
    ----------
    one, two : integer arrays of the same shape
        0 is no cluster.
    clusters : int
        The larger number of clusters of the two.

    Returns
    -------
    number : int64 array of shape (clusters + 1,)
        ``number[two]`` is the second map in the numbers of the first.
    agreement : float
        Part of the pixels that then have the same number.
    """
    from scipy.optimize import linear_sum_assignment

    same_size(one, two)
    both = (one > 0) & (two > 0)
    cell = (one[both].astype(np.int64) - 1) * clusters + two[both].astype(np.int64) - 1
    shared = np.bincount(cell, minlength=clusters * clusters).reshape(clusters, clusters)
    mine, theirs = linear_sum_assignment(shared, maximize=True)
    number = np.zeros(clusters + 1, np.int64)
    number[theirs + 1] = mine + 1
    total = int(both.sum())
    return number, float(shared[mine, theirs].sum() / total) if total else 0.0


@dataclass(frozen=True, eq=False)
class ComparedRuns:
    """Two maps of clusters, matched.

    Attributes
    ----------
    pairs : tuple of (int, int, int, float)
        Cluster of the first run, its match in the second, pixels both hold, and those over the
        pixels that either holds; largest first. Clusters without a common pixel are left out.
    number : int64 array
        ``number[k]`` is cluster k of the second run in the numbers of the first; above those of
        the first where it has no match.
    agreement : float
        Part of the pixels that have the same number then.
    chance : float
        What one cluster for everything would reach: the part of the largest.
    nmi : float or None
        Shared information, 0 to 1, whatever the numbers.
    """

    pairs: tuple[tuple[int, int, int, float], ...]
    number: NDArray[np.int64]
    agreement: float
    chance: float
    nmi: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "same_cluster_when_matched": self.agreement,
            "largest_cluster": self.chance,
            "nmi": self.nmi,
            "pairs": [
                {"cluster": one, "other": two, "pixels": both, "overlap": part}
                for one, two, both, part in self.pairs
            ],
        }


def compare_runs(one: ClusterBlock, two: ClusterBlock) -> ComparedRuns:
    """Match the clusters of a block to those of another run's (Hungarian method).

    Raises
    ------
    BadInput
        They do not lie on each other.
    """
    most = max(one.clusters, two.clusters)
    number, agreement = match_clusters(one.cluster, two.cluster, most)
    both = (one.cluster > 0) & (two.cluster > 0)
    mine, theirs = one.cluster[both].astype(np.int64), two.cluster[both].astype(np.int64)
    shared = np.bincount(mine * (most + 1) + theirs, minlength=(most + 1) ** 2)
    shared = shared.reshape(most + 1, most + 1)
    held = shared.sum(axis=1), shared.sum(axis=0)
    pairs = []
    for other in range(1, two.clusters + 1):
        cluster = int(number[other])
        common = int(shared[cluster, other])
        if cluster <= one.clusters and common:
            either = int(held[0][cluster] + held[1][other]) - common
            pairs.append((cluster, other, common, common / either))
    pairs.sort(key=lambda pair: -pair[2])
    total = max(1, int(both.sum()))
    return ComparedRuns(
        tuple(pairs),
        number,
        agreement,
        float(held[0].max(initial=0) / total),
        cluster_table(one, two.cluster).nmi,
    )


def renumbered(
    field: ClusterField, number: int, other: ClusterField, found: ComparedRuns
) -> ClassMap:
    """Return the clusters of the other run in the numbers, and so the colours, of this one.

    Parameters
    ----------
    number : int
        Of the block, from 1.
    """
    block = other.blocks[number - 1]
    labels = found.number[block.cluster].astype(np.uint16)
    names = cluster_names(replace(block, clusters=int(max(found.number.max(), 1))))
    return ClassMap(
        f"{other.title}, matched",
        field.scene_id,
        other.provenance,
        placement=field.placement,
        id=f"{field.id}-other",
        labels=labels,
        class_names=names,
    )
