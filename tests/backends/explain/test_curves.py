"""Deletion, insertion and the band of random maps: against a slow loop, and a planted patch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from patch_network import PATCH, SIDE, PlantedPatch, Scorer, planted_image, true_map
from scipy.ndimage import gaussian_filter

from backends.errors import BadInput, Cancelled, WrongUse
from backends.explain.curves import (
    area,
    counts_at,
    deletion_curve,
    faithfulness,
    forwards,
    insertion_curve,
    perturbed_at,
    smooth_surrogates,
)
from backends.explain.perturbation import (
    BLUR,
    MEAN,
    ZERO,
    Ledger,
    Substrate,
    air,
    blurred,
    fitting,
    ranks,
    scene_means,
)


def slow_curve(image, values, score, start, end, steps):
    """One pixel after the other, one image at a time."""
    order = sorted(range(values.size), key=lambda i: (-values.ravel()[i], i))
    found = []
    for step in range(steps + 1):
        count = round(step * values.size / steps)
        picture = start.clone()
        for index in order[:count]:
            row, col = divmod(index, values.shape[1])
            picture[:, row, col] = end[:, row, col]
        found.append(score(picture[None]).item())
    auc = sum((a + b) / 2 for a, b in itertools.pairwise(found)) / steps
    return np.array(found), auc


def smooth(seed: int) -> np.ndarray:
    return gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), 2)


@pytest.mark.parametrize("steps", [1, 7, 32])
def test_curves_equal_a_slow_loop(steps: int) -> None:
    image, values, score = planted_image(1), smooth(1), Scorer()
    for curve, substrate, start, end in (
        (deletion_curve, ZERO, image, torch.zeros_like(image)),
        (insertion_curve, BLUR, blurred(image), image),
    ):
        ours = curve(image, values, score, substrate, steps=steps, batch=5)
        theirs, auc = slow_curve(image, values, score, start, end, steps)
        assert np.abs(ours.score - theirs).max() < 1e-6
        assert abs(ours.auc - auc) < 1e-6


def test_the_whole_measurement_equals_single_curves() -> None:
    image, values, score = planted_image(2), true_map(), Scorer()
    whole = faithfulness(image, values, score, steps=16, maps=3, random_steps=4, batch=7, seed=5)
    one = deletion_curve(image, values, score, MEAN, steps=16)
    other = insertion_curve(image, values, score, BLUR, steps=16)
    np.testing.assert_allclose(whole.deletion.score, one.score, atol=1e-6)
    np.testing.assert_allclose(whole.insertion.score, other.score, atol=1e-6)
    coarse = deletion_curve(image, values, score, MEAN, steps=4)
    coarse_in = insertion_curve(image, values, score, BLUR, steps=4)
    assert whole.gap == pytest.approx(coarse_in.auc - coarse.auc, abs=1e-6)
    for number, random in enumerate(smooth_surrogates(values, 3, 5)):
        line = deletion_curve(image, random, score, MEAN, steps=4)
        np.testing.assert_allclose(whole.random_deletion.scores[number], line.score, atol=1e-6)


def test_the_true_map_leads_the_anti_map_trails_random_is_in_the_middle() -> None:
    image, score = planted_image(), Scorer()
    how = {"steps": 16, "random_steps": 8, "batch": 64}
    true = faithfulness(image, true_map(), score, **how)
    anti = faithfulness(image, -true_map(), score, **how)
    assert true.faithfulness >= 0.95
    assert true.deviations > 1
    assert anti.faithfulness <= 0.05
    random = [faithfulness(image, smooth(s), score, seed=s, **how).faithfulness for s in range(40)]
    # The mean of 40 even numbers between 0 and 1 has a standard deviation of 0.046.
    assert abs(np.mean(random) - 0.5) < 0.14
    assert np.std(random) > 0.15


def test_a_binary_map_of_the_patch_leads_too() -> None:
    values = np.zeros((SIDE, SIDE))
    values[PATCH] = 1
    assert faithfulness(planted_image(), values, Scorer(), batch=64).faithfulness >= 0.95


def test_a_blind_network_makes_every_map_the_same() -> None:
    network = PlantedPatch(sharpness=0.0)
    found = faithfulness(planted_image(), true_map(), Scorer(network), batch=64)
    assert found.faithfulness == 0.5
    assert found.deviations == pytest.approx(0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["cube", "exp", "scale"]))
def test_any_increasing_function_of_the_map_changes_nothing(seed: int, kind: str) -> None:
    values = smooth(seed)
    bent = {"cube": values**3, "exp": np.exp(values), "scale": 7 * values - 2}[kind]
    image, score = planted_image(seed), Scorer()
    one, other = (deletion_curve(image, v, score, steps=6) for v in (values, bent))
    np.testing.assert_array_equal(one.score, other.score)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 70), st.integers(0, 100))
def test_the_batch_size_changes_nothing(batch: int, seed: int) -> None:
    image, values = planted_image(seed), smooth(seed)
    how = {"steps": 8, "maps": 2, "random_steps": 4}
    one = faithfulness(image, values, Scorer(), batch=batch, **how)
    other = faithfulness(image, values, Scorer(), batch=16, **how)
    np.testing.assert_allclose(one.deletion.score, other.deletion.score, atol=1e-6)
    np.testing.assert_allclose(one.random_gaps, other.random_gaps, atol=1e-6)
    assert one.faithfulness == other.faithfulness


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 20), st.integers(5, 20))
def test_random_maps_are_as_smooth_as_the_map(seed: int, rows: int, cols: int) -> None:
    rng = np.random.default_rng(seed)
    values = gaussian_filter(rng.normal(size=(rows, cols)), 1.5)
    centred = values - values.mean()
    power = np.abs(np.fft.fft2(centred)) ** 2
    for other in smooth_surrogates(values, 2, seed):
        assert other.shape == values.shape
        np.testing.assert_allclose(np.abs(np.fft.fft2(other)) ** 2, power, atol=1e-9)
        assert abs(np.corrcoef(other.ravel(), values.ravel())[0, 1]) < 0.9999


def test_no_more_forwards_than_needed_and_full_batches() -> None:
    for pair in ((MEAN, BLUR), (MEAN, MEAN)):
        score, ledger = Scorer(), Ledger()
        faithfulness(
            planted_image(), true_map(), score, deletion=pair[0], insertion=pair[1], ledger=ledger
        )
        wanted = forwards(32, 20, 8, same_substrate=pair[0] == pair[1])
        assert sum(score.batches) == ledger.forwards == wanted
        assert max(score.batches) == 8
        assert len(score.batches) == ledger.batches == 1 + -(-(wanted - score.batches[0]) // 8)
    assert forwards(32, 20, 8, same_substrate=False) == 345


def test_cancel_stops_within_one_batch(cancel_after) -> None:
    score = Scorer()
    with pytest.raises(Cancelled):
        faithfulness(planted_image(), true_map(), score, batch=8, progress=cancel_after(3))
    assert len(score.batches) == 3


def test_memory_is_bounded_by_the_batch() -> None:
    import tracemalloc

    # torch's own memory is not traced: count the tensors it is asked for instead.
    made: list[int] = []
    score = Scorer()

    def watched(images: torch.Tensor) -> torch.Tensor:
        made.append(images.untyped_storage().nbytes())
        return score(images)

    tracemalloc.start()
    faithfulness(planted_image(), true_map(), watched, batch=4, maps=50, random_steps=8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert max(made) == 4 * 3 * SIDE * SIDE * 4
    # 50 maps with 7 points of 2 kinds would be 4.8 MB of pictures.
    assert peak < 1.0e6


def test_the_map_is_resampled_from_its_own_grid() -> None:
    coarse = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    image = planted_image()
    seen = perturbed_at(image, coarse, 0.02, ZERO, insert=False)
    gone = np.argwhere((seen == 0).all(0).numpy())
    assert len(gone) == round(0.02 * SIDE * SIDE)
    assert gone.min() >= 16


def test_the_cursor_shows_the_image_of_the_curve() -> None:
    image, values, score = planted_image(), true_map(), Scorer()
    for curve, insert, substrate in (
        (deletion_curve, False, MEAN),
        (insertion_curve, True, BLUR),
    ):
        found = curve(image, values, score, substrate, steps=8)
        for place in (0, 3, 8):
            seen = perturbed_at(image, values, found.fraction[place], substrate, insert=insert)
            assert score(seen[None]).item() == pytest.approx(found.score[place], abs=1e-6)


def test_substrates_fit_the_data() -> None:
    image = planted_image()
    assert torch.allclose(MEAN.fill(image)[:, 3, 3], image.mean(dim=(1, 2)))
    assert (ZERO.fill(image) == 0).all()
    assert (air(-1.5).fill(image) == -1.5).all()
    assert torch.allclose(scene_means([1, 2, 3]).fill(image)[:, 0, 0], torch.tensor([1.0, 2, 3]))
    soft = BLUR.fill(image)
    assert soft.shape == image.shape
    assert soft.std() < image.std()
    assert abs(float(soft.mean() - image.mean())) < 0.05
    flat = torch.full((2, 3, 4), 2.0)  # smaller than the kernel
    assert torch.allclose(blurred(flat), flat)
    assert fitting("hyperspectral") == (MEAN, MEAN)
    assert fitting("photograph") == (MEAN, BLUR)
    with pytest.raises(BadInput, match="given for 4 bands"):
        scene_means([1, 2, 3, 4]).fill(image)
    with pytest.raises(WrongUse):
        fitting("ct")
    with pytest.raises(WrongUse, match="no substrate called"):
        Substrate("black", "black")
    assert air(-1.5).to_dict()["values"] == [-1.5]


def test_ranks_keep_reading_order_of_equal_values() -> None:
    values = np.array([[0.0, 1.0], [1.0, -2.0]])
    assert ranks(values).tolist() == [[2, 0], [1, 3]]


def test_area_and_counts() -> None:
    assert area(np.array([1.0, 1.0, 1.0])) == 1.0
    assert area(np.array([1.0, 0.0])) == 0.5
    fine, coarse = counts_at(32, 577), counts_at(8, 577)
    assert fine[0] == 0
    assert fine[-1] == 577
    np.testing.assert_array_equal(fine[::4], coarse)


def test_what_cannot_be_measured_is_said() -> None:
    image, score = planted_image(), Scorer()
    with pytest.raises(BadInput, match="same everywhere"):
        faithfulness(image, np.ones((4, 4)), score)
    with pytest.raises(BadInput, match="no numbers"):
        deletion_curve(image, np.full((SIDE, SIDE), np.nan), score)
    with pytest.raises(BadInput, match="rows and columns"):
        deletion_curve(image, np.ones(5), score)
    with pytest.raises(WrongUse, match="cannot be compared"):
        faithfulness(image, true_map(), score, steps=10, random_steps=4)
    with pytest.raises(BadInput, match="not one each"):
        deletion_curve(image, true_map(), lambda x: torch.zeros(len(x), 2))
    with pytest.raises(BadInput, match="no number"):
        deletion_curve(image, true_map(), lambda x: torch.full((len(x),), torch.nan))
    with pytest.raises(WrongUse, match="at least 1"):
        deletion_curve(image, true_map(), score, batch=0)
