"""Regions as labels: the same pixels as their masks, names as classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.errors import BadInput
from backends.io import open_scene
from backends.label_files import labels_for
from backends.label_regions import labels_from_regions
from backends.regions import Region
from backends.session import collect_state, save_session
from backends.simulate import demo_scene
from backends.workspace import Workspace


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


def test_a_session_brings_the_labels_of_its_scene(tmp_path: Path) -> None:
    data, truth = demo_scene("valley", size=64)
    workspace = Workspace()
    with open_scene(data) as scene:
        workspace.add_scene(scene)
        square = np.array([(1.0, 1.0), (1.0, 6.0), (6.0, 6.0), (6.0, 1.0)])
        workspace.add_region(Region("Water", scene.id, square))
        path = save_session(collect_state(workspace), tmp_path / "work.clearband")
        found = labels_for(scene, path)
        assert found.class_names == {1: "Water"}
        np.testing.assert_array_equal(found.values > 0, Region("x", "", square).mask((64, 64)))
        painted = np.zeros((64, 64), np.uint8)
        painted[3:5] = 4
        workspace.set_labels(scene.id, painted, {4: "Crop"})
        path = save_session(collect_state(workspace), tmp_path / "work.clearband")
        found = labels_for(scene, path)
        np.testing.assert_array_equal(found.values, painted)
        assert found.class_names == {4: "Crop"}
        with open_scene(truth) as other, pytest.raises(BadInput, match="no labels and no regions"):
            labels_for(other, path)
