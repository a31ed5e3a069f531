"""Splits: the published sizes, no pixel in two parts, the same seed the same split, distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.splits import HALVES_GAP, PROTOCOLS, make_split, squares_note
from backends.io.labels import open_labels

# Labelled pixels of the whole scenes, class by class.
INDIAN_PINES = (
    46, 1428, 830, 237, 483, 730, 28, 478, 20, 972, 2455, 593, 205, 1265, 386, 93,
)  # fmt: skip
PAVIA = (6631, 18649, 2099, 3064, 1345, 5029, 1330, 3682, 947)
SIZES = {
    # 155, not 160: the 20 pixels of Oats give 15 to training and have 5 left to validate.
    "P30": ((450, 155, 9644), (270, 90, 42416)),
    "P30g": ((430, 160, 9659), (270, 90, 42416)),
    "P10": ((1020, 98, 9131), (4273, 423, 38080)),
    "S5": ((512, 0, 9737), (2138, 0, 40638)),
    "S10": ((1024, 0, 9225), (4277, 0, 38499)),
    "S30": ((3074, 0, 7175), (12832, 0, 29944)),
}


def truth_of(counts: tuple[int, ...], shape: tuple[int, int]) -> np.ndarray:
    """Return labels with so many pixels of each class, scattered."""
    flat = np.zeros(shape[0] * shape[1], np.uint8)
    flat[: sum(counts)] = np.repeat(np.arange(1, len(counts) + 1), counts)
    return np.random.default_rng(0).permutation(flat).reshape(shape)


@pytest.mark.parametrize("protocol", SIZES)
def test_sizes_of_the_published_protocols(protocol: str) -> None:
    scenes = (truth_of(INDIAN_PINES, (145, 145)), truth_of(PAVIA, (610, 340)))
    for gt, expected in zip(scenes, SIZES[protocol], strict=True):
        split = make_split(gt, protocol, 3)
        assert tuple(split.sizes().values()) == expected
        parts = [set(p.tolist()) for p in (split.train, split.val, split.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == np.count_nonzero(gt)
        again = make_split(gt, protocol, 3)
        for part in ("train", "val", "test"):
            np.testing.assert_array_equal(getattr(split, part), getattr(again, part))
        assert not np.array_equal(make_split(gt, protocol, 4).train, split.train)


@pytest.mark.parametrize("protocol", SIZES)
def test_sizes_on_the_real_truths(clearband_data: Path, protocol: str) -> None:
    folder = clearband_data / "hsi"
    paths = (folder / "indian_pines" / "Indian_pines_gt.mat", folder / "pavia" / "PaviaU_gt.mat")
    for path, counts, expected in zip(paths, (INDIAN_PINES, PAVIA), SIZES[protocol], strict=True):
        values = open_labels(path).values
        assert tuple(np.bincount(values.ravel())[1:]) == counts
        assert tuple(make_split(values, protocol).sizes().values()) == expected


def test_a_class_without_test_pixels_is_said() -> None:
    gt = truth_of(INDIAN_PINES, (145, 145))
    for protocol, small in (("P30", 15), ("P30g", 5)):
        split = make_split(gt, protocol)
        taught = np.bincount(gt.ravel()[split.train], minlength=17)[1:]
        assert taught.tolist() == [30 if n > 30 else small for n in INDIAN_PINES]
        said = [note for note in split.notes if "n/a" in note]
        assert said == (
            ["No test pixel for class 9: n/a, left out of the average accuracy."]
            if protocol == "P30"
            else []
        )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 50),
    protocol=st.sampled_from(["P30", "P30g", "P10", "S5", "S10", "S30", "DISJ", "HALVES", "ALL"]),
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

    for one, others in (("train", ("val", "test")), ("val", ("test",))):
        distance = distance_transform_cdt(~split.mask(one), metric="chessboard")
        assert all(distance[split.mask(other)].min() >= 3 for other in others)


@pytest.mark.parametrize("side", [1, 5, 7, 13])
def test_squares_that_reach_over_the_guard_band_are_counted(side: int) -> None:
    gt = np.random.default_rng(0).integers(1, 4, (96, 96)).astype(np.uint8)
    near = make_split(gt, "DISJ", 0, guard=3)
    half, train = side // 2, near.mask("train")
    padded = np.pad(train, half)
    seen = sum(
        bool(padded[row : row + side, col : col + side].any())
        for row, col in zip(*np.nonzero(near.mask("test")), strict=True)
    )
    assert (seen > 0) == (side > 5)
    said = squares_note(near, side)
    assert (f" {seen:,} have a training pixel" in said) if seen else said == ""
    # A guard band as wide as half the square leaks nothing; random pixels are said elsewhere.
    assert squares_note(make_split(gt, "DISJ", 0, guard=half + 1), side) == ""
    assert squares_note(make_split(gt, "P30", 0), side) == ""


def test_wrong_protocol_and_one_class_are_sentences() -> None:
    with pytest.raises(WrongUse, match="no split protocol called X9"):
        make_split(np.ones((4, 4), np.uint8), "X9")
    with pytest.raises(BadInput, match="two classes"):
        make_split(np.ones((40, 40), np.uint8), "P30")


def test_halves_on_the_indian_pines_window(clearband_data: Path) -> None:
    path = clearband_data / "hsi" / "indian_pines" / "Indian_subset.mat"
    gt = open_labels(path, {"key": "gt"}).values
    split = make_split(gt, "HALVES", 1)
    columns = np.indices(gt.shape)[1]
    for value in np.unique(gt[gt > 0]):
        of_class = gt == value
        seen = [np.count_nonzero(split.mask(part) & of_class) for part in ("train", "val")]
        assert seen == [30, 10]
        middle = (columns[of_class].min() + columns[of_class].max()) / 2
        learnt = (split.mask("train") | split.mask("val")) & of_class
        assert columns[learnt].max() <= middle
        beyond = of_class & (columns > middle + 5)
        np.testing.assert_array_equal(split.mask("test") & of_class, beyond)
        assert columns[beyond].min() - columns[learnt].max() > HALVES_GAP
    assert not any("Random pixels" in note for note in split.notes)


def test_halves_of_small_classes() -> None:
    gt = np.zeros((6, 40), np.uint8)
    gt[:3, :30] = 1
    gt[3, 4:12] = 2  # four pixels in its left half, none beyond the gap
    split = make_split(gt, "halves", 0)
    assert np.count_nonzero(gt.ravel()[split.train] == 1) == 30
    assert np.count_nonzero(gt.ravel()[split.train] == 2) == 4
    assert any("No test pixel for class 2" in note for note in split.notes)


@pytest.mark.parametrize("seed", range(5))
def test_tiles_are_whole_and_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gt = rng.integers(0, 4, (96, 128)).astype(np.uint8)
    gt[:32, :32] = 0  # a tile without labels
    split = make_split(gt, "TILES", seed, guard=3)
    tile_of = (np.arange(96)[:, None] // 32) * 4 + np.arange(128)[None] // 32
    parts = [set(np.unique(tile_of[split.mask(part)])) for part in ("train", "val", "test")]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
    assert [len(part) for part in parts] == [7, 1, 3]
    assert parts[2] == set(split.facts["tiles"]["test"])
    np.testing.assert_array_equal(np.unique(gt.ravel()[split.train]), [1, 2, 3])
    from scipy.ndimage import distance_transform_cdt

    distance = distance_transform_cdt(~split.mask("train"), metric="chessboard")
    assert distance[split.mask("test")].min() >= 3
    np.testing.assert_array_equal(split.test, make_split(gt, "TILES", seed, guard=3).test)


def test_too_few_tiles_is_a_sentence() -> None:
    gt = np.ones((40, 30), np.uint8)
    gt[5] = 2
    with pytest.raises(BadInput, match="three are needed"):
        make_split(gt, "TILES")


def test_every_protocol_has_a_sentence() -> None:
    assert {"HALVES", "TILES", "DISJ", "P30"} <= set(PROTOCOLS)
    assert all(len(words) > 15 for words in PROTOCOLS.values())
