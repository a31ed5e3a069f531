"""Similarity, localisation, concentration and states of maps, on arrays we know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patch_network import patch_mask, true_map
from scipy.ndimage import zoom
from scipy.stats import spearmanr

from backends.errors import BadInput
from backends.explain.explainers import METHODS
from backends.explain.localisation import localise
from backends.explain.map_states import CAM_METHODS, Explained, gini, peakedness, states
from backends.explain.similarity import (
    at_size,
    hottest,
    overlap,
    rank_correlation,
    soft_overlap,
    structural_similarity,
    top,
)

seeds = st.integers(0, 10_000)


def noise(seed: int, shape: tuple[int, int] = (12, 9)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@settings(max_examples=40, deadline=None)
@given(seeds, seeds)
def test_rank_correlation_is_spearmans(a: int, b: int) -> None:
    x, y = np.round(noise(a), 1), noise(b + 1)  # with ties
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x.ravel(), y.ravel())[0], abs=1e-12)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1)
    assert rank_correlation(x, -x) == pytest.approx(-1)


def test_maps_without_contrast_share_nothing() -> None:
    flat = np.ones((8, 8))
    assert rank_correlation(flat, noise(0, (8, 8))) == 0
    assert structural_similarity(flat, noise(0, (8, 8))) == 0
    assert soft_overlap(-flat, -flat) == 0
    assert overlap(flat < 0, flat < 0) == 0
    with pytest.raises(BadInput, match="8 × 8 and 7 × 8"):
        rank_correlation(flat, np.ones((7, 8)))


def test_structural_similarity_knows_itself_and_no_scale() -> None:
    x = noise(1, (20, 20))
    assert structural_similarity(x, 3 * x + 2) == pytest.approx(1)
    assert abs(structural_similarity(x, noise(2, (20, 20)))) < 0.3
    assert structural_similarity(x[:4, :4], x[:4, :4]) == pytest.approx(1)


def test_top_takes_exactly_so_many() -> None:
    values = np.array([[1.0, 1.0], [1.0, 0.0]])
    assert top(values, 2).tolist() == [[True, True], [False, False]]
    assert hottest(values, 0.01).sum() == 1
    assert soft_overlap(values, values) == 1


def test_resampling_keeps_places() -> None:
    values = noise(3, (5, 4))
    assert at_size(values, (5, 4)) is not None
    np.testing.assert_allclose(at_size(values, (5, 4)), values)
    large = at_size(values, (20, 16))
    # Means over the cells' middles lie at the cells' values for a smooth map.
    np.testing.assert_allclose(
        at_size(np.full((3, 3), 2.0), (7, 8)), np.full((7, 8), 2.0), atol=1e-12
    )
    ramp = at_size(np.arange(4.0)[None].repeat(4, 0), (8, 8))
    np.testing.assert_allclose(ramp[0, 1:-1], np.arange(0.25, 3, 0.5), atol=1e-12)
    expected = zoom(values, 4, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(large, expected, atol=1e-12)


def test_a_map_on_the_mask_and_one_beside_it() -> None:
    mask = patch_mask()
    exact = localise(mask.astype(float), mask)
    assert exact.pointing
    assert (exact.mass, exact.rank, exact.precision, exact.coverage, exact.iou) == (1,) * 5
    beside = localise(np.roll(mask, 12, axis=0).astype(float), mask)
    assert not beside.pointing
    assert (beside.mass, beside.rank, beside.precision, beside.coverage, beside.iou) == (0,) * 5
    smooth = localise(true_map(), mask)
    assert smooth.pointing
    assert smooth.rank > 0.85
    assert 0 < smooth.rank_iou < smooth.rank


def test_hot_everywhere_has_all_coverage_and_says_what_it_is_worth() -> None:
    mask = patch_mask()
    blind = np.ones(mask.shape)
    blind[-1, -1] = 0
    found = localise(blind, mask)
    assert found.coverage == 1
    assert found.hot == pytest.approx(1 - 1 / mask.size)
    assert found.precision == pytest.approx(found.area, rel=0.01)


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0.05, 0.9))
def test_mask_and_the_rest_share_the_mass(seed: int, share: float) -> None:
    values = noise(seed)
    mask = np.random.default_rng(seed + 1).random(values.shape) < share
    mask[0, 0], mask[0, 1] = True, False
    inside, outside = localise(values, mask), localise(values, ~mask)
    assert inside.mass + outside.mass == pytest.approx(1)
    assert inside.precision + outside.precision == pytest.approx(1)
    assert inside.pointing != outside.pointing
    assert inside.area + outside.area == pytest.approx(1)
    bent = localise(np.exp(values), mask)
    assert (bent.rank, bent.rank_iou, bent.pointing) == (
        inside.rank,
        inside.rank_iou,
        inside.pointing,
    )


def test_masks_that_do_not_fit_are_said() -> None:
    with pytest.raises(BadInput, match="is 3 × 4 pixels, the map 24 × 24"):
        localise(true_map(), np.ones((3, 4)), name="lesion.png")
    with pytest.raises(BadInput, match="empty"):
        localise(true_map(), np.zeros((24, 24)))
    with pytest.raises(BadInput, match="whole image"):
        localise(true_map(), np.ones((24, 24)))


def test_concentration() -> None:
    one = np.zeros((10, 10))
    one[3, 4] = 5
    assert peakedness(one) == 1
    assert gini(one) == pytest.approx(0.99)
    assert peakedness(np.ones((10, 10))) == pytest.approx(0, abs=1e-12)
    assert gini(np.ones((10, 10))) == pytest.approx(0, abs=1e-12)
    assert peakedness(-one) == gini(-one) == 0
    assert 0 < peakedness(true_map()) < 1
    assert peakedness(7 * true_map()) == pytest.approx(peakedness(true_map()))


def test_states_are_explicit() -> None:
    def ids(values: np.ndarray, **facts: object) -> list[str]:
        return [state.id for state in states(values, Explained(**facts))]  # type: ignore[arg-type]

    good = true_map()
    assert ids(good) == []
    assert ids(np.zeros((3, 3))) == ["zero_gradient"]
    assert ids(np.full((3, 3), 2.0)) == ["flat"]
    assert ids(np.full((3, 3), np.inf)) == ["not_finite"]
    assert ids(good - 5) == ["all_negative"]
    assert ids(good, probability=0.1, classes=3) == ["below_chance"]
    assert ids(good, probability=0.4, classes=3) == []
    # Every method that adds up the channels of one layer is warned of, none is forgotten.
    cams = {m.id for m in METHODS if m.needs == "layer"}
    assert cams == set(CAM_METHODS)
    for method in cams:
        assert ids(good, tokens=True, method=method) == ["vit"]
    assert ids(good, tokens=True, method="occlusion") == []
    (state,) = states(good, Explained(name="cat", probability=0.01, classes=10))
    assert "“cat” 1 %, less than chance (10 %)" in state.sentence
