"""Figures of clusters against brute force, pixel by pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends.bands import BandTable
from backends.cluster_analysis import (
    Coverage,
    cluster_spectra,
    cluster_table,
    reading_path,
    sizes_of,
)
from backends.errors import BadInput
from backends.overlays import ClusterBlock, Placement
from backends.scene import ArraySource, Scene, SceneInfo

ROWS, COLS, K = 14, 11, 5


def a_block(seed: int = 0, *, read: float = 1.0) -> ClusterBlock:
    """Return a block with random clusters, two sequences a cluster and one pixel without data."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(1, K, (ROWS, COLS)).astype(np.uint8)  # cluster K stays empty
    cluster[0, 0] = 0
    score = rng.normal(size=(ROWS, COLS)).astype(np.float16)
    rank, sequence = np.zeros((ROWS, COLS), np.uint16), np.zeros((ROWS, COLS), np.uint32)
    for k in range(1, K):
        mine = np.argwhere((cluster == k) & (rng.random((ROWS, COLS)) < read))
        mine = mine[np.argsort(score[tuple(mine.T)], kind="stable")]
        for part in range(2):
            members = mine[part::2]
            sequence[tuple(members.T)] = 2 * k - 1 + part
            rank[tuple(members.T)] = np.rint(np.linspace(0, 65535, len(members)))
    step = np.where(sequence > 0, 0.01, np.nan).astype(np.float16)
    return ClusterBlock(
        cluster, rng.random((ROWS, COLS)).astype(np.float16), rank, sequence, score, step, K,
        (0.4, 0.6), 0.1,
    )  # fmt: skip


def some_labels(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).choice([0, 2, 3, 7], (ROWS, COLS)).astype(np.uint8)


def test_table_counts_every_pixel() -> None:
    block, labels = a_block(), some_labels()
    table = cluster_table(block, labels)
    assert table.classes == (2, 3, 7)
    for k in range(1, K + 1):
        assert table.sizes[k - 1] == (block.cluster == k).sum()
        row = [((block.cluster == k) & (labels == c)).sum() for c in table.classes]
        assert table.counts[k - 1].tolist() == row
        if sum(row):
            assert table.purity_of(k) == pytest.approx(max(row) / sum(row))
            assert table.class_of(k) == table.classes[int(np.argmax(row))]
    assert table.purity_of(K) is None
    assert table.class_of(K) is None


def test_purity_and_nmi() -> None:
    from sklearn.metrics import normalized_mutual_info_score

    block, labels = a_block(), some_labels()
    table = cluster_table(block, labels)
    known = (labels > 0) & (block.cluster > 0)
    expected = normalized_mutual_info_score(labels[known], block.cluster[known])
    assert table.nmi == pytest.approx(expected)
    right = sum(np.bincount(labels[known & (block.cluster == k)]).max() for k in range(1, K))
    assert table.purity == pytest.approx(right / known.sum())
    same = cluster_table(block, block.cluster)
    assert same.purity == 1
    assert same.nmi == pytest.approx(1)
    assert table.chance_purity == pytest.approx(np.bincount(labels[known]).max() / known.sum())


def test_without_labels_only_sizes() -> None:
    table = cluster_table(a_block(), None)
    assert table.purity is None
    assert table.nmi is None
    assert table.purity_of(1) is None
    assert table.sizes.sum() == ROWS * COLS - 1
    assert sizes_of(a_block()).tolist() == table.sizes.tolist()
    assert cluster_table(a_block(), np.zeros((ROWS, COLS), np.uint8)).purity is None


def a_scene(values: np.ndarray) -> Scene:
    info = SceneInfo(None, "raster", BandTable.build(values.shape[2]))
    return Scene(ArraySource(values), info)


def test_mean_spectra_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal((0, 1e4, 5, 1e6), 1, (ROWS, COLS, 4)).astype(np.float32)
    values[3, 3, 1] = np.nan
    scene = a_scene(values)
    blocks = (a_block(), a_block(seed=5))
    strips: list[int] = []
    whole = type(scene).blocks

    def small(self: Scene, *given: Any, **options: Any) -> Any:
        for window, part in whole(self, *given, budget_bytes=4 * COLS * 4 * 3, **options):
            strips.append(window.height)
            yield window, part

    monkeypatch.setattr(Scene, "blocks", small)
    found = cluster_spectra(scene, blocks)
    assert len(strips) > 2
    assert sum(strips) == ROWS
    for block, spectra in zip(blocks, found, strict=True):
        for k in range(1, K):
            mine = values[block.cluster == k].astype(np.float64)
            np.testing.assert_allclose(spectra.mean[k - 1], np.nanmean(mine, axis=0), rtol=1e-9)
            np.testing.assert_allclose(
                spectra.spread[k - 1], np.nanstd(mine, axis=0), rtol=1e-5, atol=1e-6
            )
            np.testing.assert_array_equal(spectra.count[k - 1], np.isfinite(mine).sum(axis=0))
        assert np.isnan(spectra.mean[K - 1]).all()
    with pytest.raises(BadInput, match="every pixel"):
        cluster_spectra(scene, blocks, placement=Placement(row_step=2))
    with pytest.raises(BadInput, match="every pixel"):
        cluster_spectra(a_scene(values[:-1]), blocks)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.37, 0.5, 1.0])
def test_coverage_of_a_ratio(ratio: float) -> None:
    block, labels = a_block(), some_labels()
    coverage = Coverage(block, labels)
    there = block.cluster > 0
    count = max(1, int(ratio * there.sum()))
    flat = np.flatnonzero(there.ravel())
    order = flat[np.argsort(-block.score.ravel()[flat].astype(float), kind="stable")]
    mask = np.zeros(ROWS * COLS, bool)
    mask[order[:count]] = True
    mask = mask.reshape(ROWS, COLS)
    np.testing.assert_array_equal(coverage.mask(ratio), mask)
    assert coverage.kept(ratio) == count
    for value, part in coverage.of_classes(ratio).items():
        mine = (labels == value) & there
        assert part == pytest.approx((mask & mine).sum() / mine.sum())
    for k, part in coverage.of_clusters(ratio).items():
        assert part == pytest.approx(
            (mask & (block.cluster == k)).sum() / (block.cluster == k).sum()
        )
    assert set(coverage.of_classes(ratio)) == {2, 3, 7}


def test_path_follows_the_ranks() -> None:
    block = a_block(read=0.8)
    path = reading_path(block, 2)
    assert (path.sequence, path.number, path.of) == (3, 1, 2)
    brute = sorted(np.argwhere(block.sequence == 3).tolist(), key=lambda p: block.rank[tuple(p)])
    assert path.points.tolist() == brute
    second = reading_path(block, 2, 4)
    assert (second.sequence, second.number) == (4, 2)
    assert set(map(tuple, second.points)) == set(map(tuple, np.argwhere(block.sequence == 4)))
    nothing = reading_path(block, K)
    assert nothing.of == 0
    assert nothing.points.shape == (0, 2)


def test_a_path_through_several_clusters_is_followed_whole() -> None:
    block = a_block()
    order = np.random.default_rng(4).permutation(ROWS * COLS)
    rank = np.empty(ROWS * COLS, np.uint16)
    rank[order] = np.arange(ROWS * COLS)
    one = replace(block, rank=rank.reshape(ROWS, COLS), sequence=np.ones((ROWS, COLS), np.uint32))
    path = reading_path(one, 2)
    assert not path.alone
    assert path.points.tolist() == [list(divmod(int(i), COLS)) for i in order]
    assert reading_path(block, 2).alone


def test_coverage_answers_while_a_slider_moves() -> None:
    import time

    rng = np.random.default_rng(0)
    shape = (610, 340)  # the largest scene of the literature
    cluster = rng.integers(1, 51, shape).astype(np.uint8)
    score = rng.random(shape).astype(np.float16)
    rank, sequence = np.zeros(shape, np.uint16), cluster.astype(np.uint32)
    block = ClusterBlock(cluster, score, rank, sequence, score, score, 50, (0.5, 0.5), 0.1)
    coverage = Coverage(block, rng.integers(0, 10, shape).astype(np.uint8))
    started = time.perf_counter()
    for ratio in (0.1, 0.5, 0.9):
        assert coverage.kept(ratio) == int(ratio * 610 * 340)
        assert len(coverage.of_classes(ratio)) == 9
        assert len(coverage.of_clusters(ratio)) == 50
    assert (time.perf_counter() - started) / 3 < 0.05
