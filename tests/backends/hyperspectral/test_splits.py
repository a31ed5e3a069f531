"""Separate halves and tiles: learnt on one side, tested on the other, never both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.errors import BadInput
from backends.hyperspectral.splits import HALVES_GAP, PROTOCOLS, make_split
from backends.io.labels import open_labels


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
