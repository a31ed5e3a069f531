"""Clusters of two runs, matched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backends.cluster_comparison import compare_runs, match_clusters, renumbered
from backends.errors import BadInput
from backends.overlays import ClusterBlock, ClusterField, Provenance

ROWS, COLS = 14, 11


def a_block(cluster: np.ndarray, clusters: int) -> ClusterBlock:
    half = np.full(cluster.shape, 0.5, np.float16)
    rank = np.zeros(cluster.shape, np.uint16)
    kept = cluster.astype(np.uint8)
    return ClusterBlock(
        kept, half, rank, kept.astype(np.uint32), half, half, clusters, (0.5, 0.5), 0.1
    )


def test_numbers_of_another_run_are_matched() -> None:
    from itertools import permutations

    rng = np.random.default_rng(0)
    one = rng.integers(0, 5, (ROWS, COLS))
    shuffle = np.array([0, 3, 1, 4, 2])
    two = shuffle[one]
    noisy = rng.random(two.shape) < 0.2
    two = np.where(noisy, rng.integers(0, 5, two.shape), two)
    number, agreement = match_clusters(one, two, 4)
    both = (one > 0) & (two > 0)
    best = max((np.array([0, *p])[two] == one)[both].mean() for p in permutations((1, 2, 3, 4)))
    assert agreement == pytest.approx(best)
    assert (number[two] == one)[both].mean() == pytest.approx(best)
    np.testing.assert_array_equal(number[shuffle], np.arange(5))


def test_runs_with_other_numbers_and_other_counts() -> None:
    one = np.ones((10, 10), int)
    one[:, 5:], one[8:] = 2, 3
    two = np.array([0, 4, 1, 2])[one]
    two[0, 0] = 3  # a cluster that the first run has not
    found = compare_runs(a_block(one, 3), a_block(two, 5))
    assert [(p[0], p[1]) for p in found.pairs] == [(2, 1), (1, 4), (3, 2)]
    assert [p[2] for p in found.pairs] == [40, 39, 20]
    assert found.pairs[1][3] == pytest.approx(39 / 40)
    assert found.agreement == pytest.approx(0.99)
    assert found.chance == pytest.approx(0.4)
    assert found.nmi == pytest.approx(0.97, abs=0.03)
    same = compare_runs(a_block(one, 3), a_block(one, 3))
    assert (same.agreement, same.nmi) == (1, pytest.approx(1))
    made = Provenance("css_mamba")
    field = ClusterField("A", "s", made, blocks=(a_block(one, 3),))
    other = ClusterField("B", "s", made, blocks=(a_block(two, 5),))
    matched = renumbered(field, 1, other, found)
    np.testing.assert_array_equal(matched.labels == one, two != 3)
    assert matched.class_names[1] == "Cluster 1"
    assert found.to_dict()["pairs"][0]["pixels"] == 40
    with pytest.raises(BadInput, match="do not lie on each other"):
        compare_runs(a_block(one, 3), replace(a_block(two[:5], 5)))
