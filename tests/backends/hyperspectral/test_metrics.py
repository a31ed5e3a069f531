"""Accuracy figures: scikit-learn agrees, and what was not tested is not averaged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.hyperspectral.metrics import evaluate, kappa, overall_accuracy


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


def test_kappa_goes_with_the_size_of_the_classes() -> None:
    """Chance agrees on 24.5 % of Pavia University: 95.74 % means a kappa of 94.4, not 95.0."""
    rows = np.array([6631, 18649, 2099, 3064, 1345, 5029, 1330, 3682, 947])
    chance = float((rows / rows.sum()) @ (rows / rows.sum()))
    assert chance == pytest.approx(0.245, abs=1e-3)
    beyond = (0.9574 - chance) / (1 - chance)
    # Right beyond chance in that share of the pixels, else as often a class as there is of it.
    confusion = beyond * np.diag(rows) + (1 - beyond) * np.outer(rows, rows) / rows.sum()
    confusion = np.column_stack([confusion, np.zeros(9)])
    assert overall_accuracy(confusion) == pytest.approx(0.9574)
    assert kappa(confusion) == pytest.approx(0.944, abs=5e-4)
