"""Figures of matrix fields, against the plainest way to compute them."""

from __future__ import annotations

import numpy as np
import pytest

from backends import matrix_analysis as ma
from backends.errors import BadInput
from backends.matrix_lists import coverage_map
from backends.overlays import MatrixEntry, MatrixField, Placement, Provenance


def entry(layer: int = 1, site: str = "mixer", n: int = 3) -> MatrixEntry:
    rng = np.random.default_rng(layer)
    static = np.full((n, n), 1 / n, np.float32)
    return MatrixEntry(layer, site, static, rng.normal(0, 0.01, (9, 7, n, n)).astype(np.float32))


def test_means_of_scene_mask_and_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ma, "_STRIP_BYTES", 2 * 8 * 7 * 9)  # two rows a strip
    one = entry()
    whole = one.static + one.deviation.astype(np.float64)
    labels = np.random.default_rng(0).choice([0, 1, 2, 5], (9, 7))
    mask = labels == 2
    np.testing.assert_allclose(ma.mean_matrix(one), whole.mean((0, 1)))
    np.testing.assert_allclose(ma.mean_matrix(one, mask), whole[mask].mean(0))
    found = ma.class_matrices(one, labels)
    assert found.classes == (1, 2, 5)  # unlabelled is no class, the last is not lost
    means = np.stack([whole[labels == v].mean(0) for v in (1, 2, 5)])
    np.testing.assert_allclose(found.means, means)
    np.testing.assert_allclose(found.contrast, means - means.mean(0), atol=1e-12)
    with pytest.raises(BadInput, match="no pixel"):
        ma.mean_matrix(one, np.zeros((9, 7), bool))


def test_ranking_counts_held_out_pixels_only() -> None:
    one = entry()
    labels = np.random.default_rng(0).choice([0, 1, 2, 16], (9, 7))
    held = np.random.default_rng(1).random((9, 7)) < 0.7
    one.deviation[labels == 1, 0, 0] += np.where(held[labels == 1], 1, -9)
    one.deviation[0, :, 1, 1] = 0.5  # ties
    found = ma.class_ranking(one, labels, held)
    assert found.classes == (1, 2, 16)
    assert found.auc[0, 0, 0] == 1.0
    for number, value in enumerate(found.classes):
        mine = one.deviation[(labels == value) & held][:, None]
        rest = one.deviation[(labels > 0) & (labels != value) & held][None]
        brute = ((mine > rest) + 0.5 * (mine == rest)).mean((0, 1))
        np.testing.assert_allclose(found.auc[number], brute)
    with pytest.raises(BadInput, match="two classes"):
        ma.class_ranking(one, labels, labels == 2)


def test_depth_of_the_start() -> None:
    """Section 3.9: what identity scores leave of the streams."""
    for gain, diagonal, second, deep in ((1, 0.4046, 0.2557, 7.8e-8), (4, 0.9317, 0.9146, 0.343)):
        scores = np.exp(gain * np.eye(5))
        start = scores / scores.sum(0)
        assert start[0, 0] == pytest.approx(diagonal, abs=1e-4)
        view = ma.depth_view([(i, "mixer") for i in range(12)], np.stack([start] * 12))
        assert view.second[0] == pytest.approx(second, abs=2e-4)
        assert view.second[-1] == pytest.approx(deep, rel=0.02)
        assert view.distance[0] == pytest.approx(2 * view.second[0])  # sqrt(n - 1) times
        assert view.retention[-1] == pytest.approx(view.second[-1], rel=1e-6)


def test_depth_is_in_the_order_of_the_network() -> None:
    sites = [entry(2, "ffn"), entry(1, "ffn"), entry(2, "mixer"), entry(1, "mixer")]
    field = MatrixField(
        "M", "s", Provenance("es_mhc"), group_names=("a", "b", "c"), entries=tuple(sites)
    )
    view = ma.depth_of(field, pixel=(4, 5))
    assert view.sites == ((1, "mixer"), (1, "ffn"), (2, "mixer"), (2, "ffn"))
    product = np.eye(3)
    for number in (3, 1, 2, 0):
        product = product @ sites[number].matrix(4, 5)
    np.testing.assert_allclose(view.products[-1], product, rtol=1e-5)
    kept = ma.retention_map(field, (2, "ffn"))
    assert kept[4, 5] == pytest.approx(view.retention[-1], rel=1e-4)


def test_both_directions_of_pairs() -> None:
    one = entry()
    found = ma.asymmetry(one, most=63)
    np.testing.assert_allclose(
        found.forth[:, 1], one.static[0, 2] + one.deviation[..., 0, 2].ravel()
    )
    np.testing.assert_allclose(
        found.back[:, 1], one.static[2, 0] + one.deviation[..., 2, 0].ravel()
    )
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_coverage_is_that_of_the_lists_of_the_network() -> None:
    torch = pytest.importorskip("torch")
    from backends.hyperspectral.token_lists import rank_lists

    one = entry()
    found = coverage_map(one, 0.1)
    mix = torch.from_numpy(one.static + one.deviation).reshape(63, 3, 3)
    members = rank_lists(mix, 0.1, 512).members
    np.testing.assert_array_equal(found.ravel(), np.bincount(members.ravel(), minlength=63))


def test_morans_i_of_known_maps() -> None:
    board = np.indices((6, 6)).sum(0) % 2
    assert ma.morans_i(board) == pytest.approx(-1)
    assert ma.morans_i(np.repeat(np.arange(40.0)[:, None], 40, 1)) > 0.9
    assert np.isnan(ma.morans_i(np.ones((4, 4))))
    values = np.random.default_rng(0).random((5, 4))
    z = values - values.mean()
    total = weight = 0.0
    for r, c in np.ndindex(5, 4):
        for dr, dc in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            if 0 <= r + dr < 5 and 0 <= c + dc < 4:
                total += z[r, c] * z[r + dr, c + dc]
                weight += 1
    assert ma.morans_i(values) == pytest.approx(z.size / weight * total / (z**2).sum())


def test_labels_on_a_coarser_grid() -> None:
    values = np.arange(100).reshape(10, 10)
    found = ma.on_grid(values, Placement(row_step=3, col_step=2), (4, 5))
    np.testing.assert_array_equal(found, values[::3, ::2])
