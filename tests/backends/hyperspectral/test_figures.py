"""Splits and accuracy figures: exact sizes, no pixel in two parts, scikit-learn agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.metrics import evaluate
from backends.hyperspectral.splits import make_split
from backends.io.labels import open_labels


@pytest.mark.parametrize(
    ("protocol", "indian", "pavia"),
    [
        # 155, not 160: the 20 pixels of Oats give 15 to training and have 5 left to validate.
        ("P30", (450, 155, 9644), (270, 90, 42416)),
        ("P30g", (430, 160, 9659), (270, 90, 42416)),
        ("P10", (1020, 98, 9131), (4273, 423, 38080)),
        ("S10", (1024, 0, 9225), (4277, 0, 38499)),
    ],
)
def test_sizes_on_the_real_truths(
    clearband_data: Path, protocol: str, indian: tuple[int, ...], pavia: tuple[int, ...]
) -> None:
    folder = clearband_data / "hsi"
    for path, expected in (
        (folder / "indian_pines" / "Indian_pines_gt.mat", indian),
        (folder / "pavia" / "PaviaU_gt.mat", pavia),
    ):
        split = make_split(open_labels(path).values, protocol)
        if protocol == "S10":
            # Rounding a class up or down differs between implementations by a pixel a class.
            assert split.train.size == pytest.approx(expected[0], abs=16)
        else:
            assert tuple(split.sizes().values()) == expected


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 50),
    protocol=st.sampled_from(["P30", "P10", "S5", "S10", "S30", "DISJ", "HALVES"]),
    classes=st.integers(2, 5),
)
def test_parts_are_disjoint_and_repeatable(seed: int, protocol: str, classes: int) -> None:
    rng = np.random.default_rng(seed)
    gt = np.kron(rng.integers(0, classes + 1, (8, 8)), np.ones((8, 8), int)).astype(np.uint8)
    if len(np.unique(gt[gt > 0])) < 2:
        return
    try:
        one, two = (make_split(gt, protocol, seed) for _ in range(2))
    except BadInput:
        return
    parts = [set(p.tolist()) for p in (one.train, one.val, one.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    np.testing.assert_array_equal(one.train, two.train)
    assert (gt.ravel()[one.train] > 0).all()


def test_disjoint_blocks_keep_their_distance() -> None:
    rng = np.random.default_rng(0)
    gt = (rng.integers(1, 4, (96, 96))).astype(np.uint8)
    split = make_split(gt, "DISJ", 0, guard=3)
    from scipy.ndimage import distance_transform_cdt

    distance = distance_transform_cdt(~split.mask("train"), metric="chessboard")
    assert distance[split.mask("test")].min() >= 3


def test_wrong_protocol_and_one_class_are_sentences() -> None:
    with pytest.raises(WrongUse, match="no split protocol called X9"):
        make_split(np.ones((4, 4), np.uint8), "X9")
    with pytest.raises(BadInput, match="two classes"):
        make_split(np.ones((40, 40), np.uint8), "P30")


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 6))
def test_kappa_from_test_matrix(seed: int, classes: int) -> None:
    from sklearn.metrics import (
        accuracy_score,
        balanced_accuracy_score,
        cohen_kappa_score,
        confusion_matrix,
    )

    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(1, classes + 1), rng.integers(1, classes + 1, 200)])
    predicted = np.where(
        rng.random(truth.size) < 0.6, truth, rng.integers(1, classes + 1, truth.size)
    )
    found = evaluate(truth, predicted, {v: f"c{v}" for v in range(1, classes + 1)})
    assert found.overall_accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert found.average_accuracy == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert found.kappa == pytest.approx(cohen_kappa_score(truth, predicted))
    ours = found.confusion[:, :classes]  # the last column counts what got no class
    np.testing.assert_array_equal(ours, confusion_matrix(truth, predicted))


def test_a_class_without_test_pixels_is_left_out_of_the_average() -> None:
    found = evaluate(np.array([1, 1, 2]), np.array([1, 2, 2]), {1: "a", 2: "b", 3: "c"})
    assert found.average_accuracy == pytest.approx(0.75)
    assert found.per_class()[2]["producer_accuracy"] is None
