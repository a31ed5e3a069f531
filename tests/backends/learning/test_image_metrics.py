"""Figures of classifiers against scikit-learn and by hand; doubles; changes of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from backends.errors import BadInput, WrongUse
from backends.learning.augment import KINDS, augment, augmentation
from backends.learning.image_metrics import image_metrics
from backends.learning.image_split import ImageSplit
from backends.learning.leakage import find_leakage


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(12, 60), st.integers(0, 99))
def test_figures_are_those_of_scikit_learn(classes: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.r_[np.arange(classes), rng.integers(0, classes, count)]
    # Coarse values: ties have to count half.
    chances = rng.integers(1, 6, (truth.size, classes)).astype(float)
    chances /= chances.sum(1, keepdims=True)
    found = image_metrics(truth, chances, [str(k) for k in range(classes)])
    said = chances.argmax(1)
    assert found.accuracy == pytest.approx((said == truth).mean())
    assert found.macro_f1 == pytest.approx(f1_score(truth, said, average="macro"))
    right, recall, f1, _ = precision_recall_fscore_support(truth, said, zero_division=0)
    for k, row in enumerate(found.per_class()):
        assert (row["precision"] or 0) == pytest.approx(right[k])
        assert row["recall"] == pytest.approx(recall[k])
        assert row["f1"] == pytest.approx(f1[k])
        assert row["auc"] == pytest.approx(roc_auc_score(truth == k, chances[:, k]))


def test_classes_without_test_images_have_no_figures() -> None:
    found = image_metrics(np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]]), ("a", "b"))
    assert found.per_class()[1]["recall"] is None
    assert found.auc == (None, None)
    assert found.macro_auc is None
    assert found.accuracy == 0.5
    none = image_metrics(np.empty(0, np.int64), np.empty((0, 2)), ("a", "b"))
    assert none.to_dict()["accuracy"] is None
    with pytest.raises(BadInput):
        image_metrics(np.array([2]), np.array([[0.5, 0.5]]), ("a", "b"))


def test_calibration_error_by_hand() -> None:
    truth = np.array([0, 0, 1, 1])
    chances = np.array([[0.95, 0.05], [0.95, 0.05], [0.95, 0.05], [0.35, 0.65]])
    # Bin of 0.95: certain 0.95, right 2 of 3; bin of 0.65: right 1 of 1.
    wanted = 3 / 4 * abs(2 / 3 - 0.95) + 1 / 4 * abs(1 - 0.65)
    found = image_metrics(truth, chances, ("a", "b"))
    assert found.calibration_error == pytest.approx(wanted)


def test_doubles_across_parts_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    thumbnails = rng.random((8, 32, 32)).astype(np.float32)
    thumbnails[5] = thumbnails[1] + rng.normal(0, 0.005, (32, 32))
    thumbnails[6] = 0.8 * thumbnails[2] + 0.1  # another brightness
    thumbnails[3] = thumbnails[0]  # in the same part: no leak
    split = ImageSplit(np.array([0, 0, 0, 0, 1, 2, 1, 2], np.int8), 0, (0.5, 0.25, 0.25))
    groups = ["a", "a", "b", "b", "c", "c", "d", "e"]
    found = find_leakage(split, groups, thumbnails)
    assert {(d.first, d.second) for d in found.doubles} == {(1, 5), (2, 6)}
    assert found.counts == {"train–val": 1, "train–test": 1, "val–test": 0}
    assert found.test_images == 1
    assert found.groups == ("c",)
    assert "1 test images" in found.sentence


def test_changes_keep_shape_range_and_spectrum() -> None:
    images = torch.rand(6, 9, 24, 24)
    for kind, how in KINDS.items():
        out = augment(images, how, torch.Generator().manual_seed(3))
        again = augment(images, how, torch.Generator().manual_seed(3))
        assert torch.equal(out, again)
        assert out.shape == images.shape
        assert 0 <= out.min() <= out.max() <= 1
        assert torch.equal(out, images) == (kind == "none")
    # A cube of one spectrum stays of one shape: all bands change together.
    flat = torch.linspace(0.2, 0.6, 9)[None, :, None, None].expand(4, 9, 16, 16)
    out = augment(flat, KINDS["cube"], torch.Generator().manual_seed(0))
    steps = torch.diff(out, dim=1)
    assert torch.allclose(steps, steps.mean((1, 2, 3), keepdim=True).expand_as(steps), atol=1e-5)


def test_turns_of_an_oblong_keep_right_angles() -> None:
    from dataclasses import replace

    image = torch.zeros(64, 1, 30, 50)
    image[:, :, 10:20, 20:30] = 1  # a square of 10 pixels
    how = replace(KINDS["none"], kind="x", degrees=45.0)
    out = augment(image, how, torch.Generator().manual_seed(1))
    area = out.sum((1, 2, 3))
    assert torch.allclose(area, torch.full_like(area, 100.0), rtol=0.05)


def test_the_kind_follows_from_the_images() -> None:
    assert augmentation("auto", bands=1).kind == "ct"
    assert augmentation("auto", bands=3, is_rgb=True).kind == "photo"
    assert augmentation("auto", bands=3, unit="HU").kind == "ct"
    assert augmentation("auto", bands=120).saturation == 0
    with pytest.raises(WrongUse, match="no augmentation called hue"):
        augmentation("hue", bands=3)
