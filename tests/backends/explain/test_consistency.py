"""Agreement of networks: the study's number, and what is left of it without chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from patch_network import Scorer, planted_image, true_map
from scipy.ndimage import gaussian_filter

from backends.errors import BadInput
from backends.explain.consistency import (
    class_consistency,
    consistency,
    masking_drop,
    paper_region,
)


def blobs(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([gaussian_filter(rng.normal(size=(20, 20)), 2) for _ in range(count)])


def test_the_papers_number_is_the_mean_overlap_with_the_first_network() -> None:
    maps = np.zeros((3, 1, 4, 4))
    maps[0, 0, :2], maps[1, 0, :2], maps[2, 0, 1:3] = 1, 0.9, 1
    # The second agrees fully, the third shares one row of three.
    found = consistency(maps)
    assert found.paper == pytest.approx((1 + 1 / 3) / 2)
    assert found.control_rank is None
    assert found.corrected is None
    assert paper_region(np.array([[-1.0, 0.4, 1.0]])).tolist() == [[False, False, True]]


def test_networks_that_agree_about_each_image_keep_their_agreement() -> None:
    images = blobs(0, 12)
    found = consistency(np.stack([images, images + 0.02 * blobs(1, 12), 3 * images]))
    assert found.rank > 0.9
    assert found.corrected is not None
    assert found.corrected > 0.8
    assert abs(found.control_rank or 0) < 0.15


def test_always_painting_the_middle_is_consistent_on_paper_and_worth_nothing() -> None:
    middle = true_map()[None].repeat(10, 0)
    found = consistency(np.stack([middle, middle, middle]))
    assert found.paper == 1
    assert found.rank == pytest.approx(1)
    assert found.corrected == pytest.approx(0)


def test_strangers_do_not_agree() -> None:
    found = consistency(np.stack([blobs(s, 30) for s in range(3)]))
    assert abs(found.rank) < 0.1
    assert abs(found.corrected or 0) < 0.1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_scale_changes_nothing(seed: int, scale: float) -> None:
    maps = np.stack([blobs(seed, 3), blobs(seed + 1, 3)])
    one, other = consistency(maps), consistency(maps * scale)
    assert one.paper == pytest.approx(other.paper, abs=0.02)
    assert (one.rank, one.control_rank) == pytest.approx((other.rank, other.control_rank))


def test_one_network_cannot_agree() -> None:
    with pytest.raises(BadInput, match="at least two networks"):
        consistency(blobs(0, 3)[None])


def test_class_consistency_weighs_by_confidence() -> None:
    a, b = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert class_consistency([a, a, b], [1, 1, 0]) == pytest.approx(1)
    assert class_consistency([a, a, b], [1, 1, 1]) == pytest.approx(1 / 3)
    assert class_consistency([a], [1]) is None
    assert class_consistency([a, a], [0, 0]) is None


def test_the_drop_is_the_papers_formula() -> None:
    image, score, values = planted_image(), Scorer(), true_map() - 0.1
    found = masking_drop(image, values, score, maps=10, batch=3)
    heat = np.maximum(values, 0)
    heat = torch.from_numpy((heat - heat.min()) / (heat.max() - heat.min())).float()
    both = torch.stack([image, image * (1 - heat)])
    whole, without = score(both).tolist()
    assert found.paper == pytest.approx(whole - without, abs=1e-6)
    assert len(found.random) == 10
    assert max(score.batches) == 3
    assert found.position >= 0.9
    assert masking_drop(image, 1 - true_map(), score).position < 0.2


def test_random_maps_mask_as_much() -> None:
    seen: list[float] = []

    def brightness(images: torch.Tensor) -> torch.Tensor:
        seen.extend(images.double().mean(dim=(1, 2, 3)).tolist())
        return images.mean(dim=(1, 2, 3))

    masking_drop(torch.ones(1, 24, 24), true_map(), brightness, maps=5)
    np.testing.assert_allclose(seen[1:], seen[1], rtol=1e-6)
