"""Regions as labels: the same pixels as their masks, names as classes."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import BadInput
from backends.label_regions import labels_from_regions
from backends.workspace import Region


def region(name: str, *points: tuple[float, float]) -> Region:
    return Region(name, "scene", np.array(points, float))


def test_pixels_are_those_of_the_masks_also_at_the_edge() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        made = region("A", *rng.uniform(-10, 40, (5, 2)))
        expected = made.mask((30, 24))
        if not expected.any():
            continue
        found = labels_from_regions([made], (30, 24))
        np.testing.assert_array_equal(found.values > 0, expected)


def test_names_are_classes_and_the_last_lies_on_top() -> None:
    square = ((1, 1), (1, 6), (6, 6), (6, 1))
    before = np.zeros((12, 12), np.uint8)
    before[10:] = 7
    shifted = tuple((r + 2, c + 2) for r, c in square)
    drawn = [region("Water", *square), region("Crop", *shifted)]
    drawn.append(region("Water", (9, 0), (9, 3), (11, 0)))
    found = labels_from_regions(drawn, (12, 12), before, {7: "Crop"})
    assert found.class_names == {7: "Crop", 1: "Water"}
    assert found.values[2, 2] == 1
    assert found.values[4, 4] == 7
    assert found.values[10, 0] == 1
    assert found.values[11, 11] == 7
    assert before[10, 0] == 7, "what was given is left alone"


def test_nothing_inside_and_too_many_are_said() -> None:
    with pytest.raises(BadInput, match="No region holds a pixel"):
        labels_from_regions([region("A", (50, 50), (50, 60), (60, 60))], (10, 10))
    many = [region(f"Class {n}", (0, 0), (0, 5), (5, 0)) for n in range(256)]
    with pytest.raises(BadInput, match="more than 255 classes"):
        labels_from_regions(many, (10, 10))
