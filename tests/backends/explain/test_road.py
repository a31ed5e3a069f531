"""ROAD: the sparse system against a dense one, and a map we know to be right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from patch_network import SIDE, Scorer, planted_image, true_map

from backends.errors import BadInput, Cancelled, WrongUse
from backends.explain.road import PERCENTILES, imputed, road


def dense(image: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Every removed pixel is the weighted mean of the neighbours it has."""
    bands, rows, cols = image.shape
    places = [tuple(p) for p in np.argwhere(gone)]
    number = {place: i for i, place in enumerate(places)}
    matrix, right = np.zeros((len(places),) * 2), np.zeros((len(places), bands))
    for (row, col), i in number.items():
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                r, c = row + down, col + across
                if (down, across) == (0, 0) or not (0 <= r < rows and 0 <= c < cols):
                    continue
                weight = 1 / 12 if down and across else 1 / 6
                matrix[i, i] += weight
                if (r, c) in number:
                    matrix[i, number[r, c]] -= weight
                else:
                    right[i] += weight * image[:, r, c]
    out = image.copy()
    for (row, col), value in zip(places, np.linalg.solve(matrix, right), strict=True):
        out[:, row, col] = value
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 11), st.integers(2, 11), st.floats(0.05, 0.95))
def test_the_sparse_system_equals_the_dense_one(
    seed: int, rows: int, cols: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(2, rows, cols))
    gone = rng.random((rows, cols)) < share
    gone[rng.integers(rows), rng.integers(cols)] = False
    ours = imputed(torch.from_numpy(image), gone).numpy()
    np.testing.assert_allclose(ours, dense(image, gone), atol=1e-10)


def test_what_stays_is_untouched_and_noise_is_small() -> None:
    image, gone = planted_image(), true_map() > 0.15
    plain = imputed(image, gone)
    noisy = imputed(image, gone, noise=0.01, rng=np.random.default_rng(0))
    assert torch.equal(plain[:, ~gone], image[:, ~gone])
    assert torch.equal(noisy[:, ~gone], image[:, ~gone])
    assert 0.005 < float((noisy - plain)[:, gone].std()) < 0.015
    # The bright patch is gone: what is filled in comes from around it.
    assert float(plain[:, gone].max()) < 0.45
    assert torch.equal(imputed(image, np.zeros_like(gone)), image)


def test_true_map_beats_its_opposite() -> None:
    image, score = planted_image(), Scorer()
    true, anti = (road(image, v, score) for v in (true_map(), -true_map()))
    assert true.combined > 0.2
    assert anti.combined == pytest.approx(-true.combined, abs=0.02)
    assert true.percentiles == PERCENTILES
    assert sum(score.batches) == 4 * len(PERCENTILES)
    # The 90th percentile removes a tenth, the 10th nine tenths.
    assert true.most_first[-1] > true.most_first[0] - 0.05


def test_the_batch_size_changes_nothing() -> None:
    image = planted_image()
    one, other = (road(image, true_map(), Scorer(), batch=b) for b in (1, 32))
    np.testing.assert_allclose(one.most_first, other.most_first, atol=1e-6)


def test_cancel_and_misuse(cancel_after) -> None:
    image, score = planted_image(), Scorer()
    with pytest.raises(Cancelled):
        road(image, true_map(), score, batch=2, progress=cancel_after(1))
    assert len(score.batches) == 1
    with pytest.raises(WrongUse):
        road(image, true_map(), score, percentiles=(0,))
    with pytest.raises(BadInput, match="nothing to fill"):
        imputed(image, np.ones((SIDE, SIDE), bool))
