"""Masks that were fixed elsewhere: two files, or one with both; classes and pixels stay apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from app.main import run
from backends.errors import BadInput, WrongUse
from backends.hyperspectral.fixed import fixed_labels, fixed_split
from backends.io.labels import Labels
from backends.simulate import demo_scene


def masks(values: Any, every: int = 6) -> tuple[Any, Any]:
    """Return every sixth labelled pixel, and the others."""
    flat = values.ravel()
    train = np.zeros_like(flat)
    some = np.flatnonzero(flat)[::every]
    train[some] = flat[some]
    test = np.where(train > 0, 0, flat)
    return train.reshape(values.shape), test.reshape(values.shape)


def test_the_sizes_of_a_published_pair(small_valley: Any, tmp_path: Path) -> None:
    # SpectralFormer's Indian Pines: 695 to train, 9,671 to test, of its own label image.
    values = np.zeros((145, 145), np.uint8)
    values.ravel()[: 695 + 9671] = np.arange(695 + 9671) % 16 + 1
    order = np.random.default_rng(0).permutation(695 + 9671)
    parts = [np.zeros_like(values) for _ in range(2)]
    for part, where in zip(parts, (order[:695], order[695:]), strict=True):
        part.ravel()[where] = values.ravel()[where]
    savemat(tmp_path / "pair.mat", {"TR": parts[0], "TE": parts[1], "input": np.ones((5, 5, 9))})
    pair = fixed_labels(small_valley.scene, tmp_path / "pair.mat")
    both, split = fixed_split(*pair, seed=7)
    assert split.sizes() == {"train": 695, "val": 0, "test": 9671}
    assert not set(split.train) & set(split.test)
    assert split.protocol == "FIX"
    np.testing.assert_array_equal(both.values, values)
    again = fixed_split(*pair, seed=8)[1]
    np.testing.assert_array_equal(again.train, split.train)


def test_what_does_not_fit_is_a_sentence(small_valley: Any, tmp_path: Path) -> None:
    train, test = (Labels(part, {1: "Wood", 2: "Class 2"}, {}) for part in masks(np.ones((9, 9))))
    with pytest.raises(BadInput, match="two classes"):
        fixed_split(train, test)
    with pytest.raises(BadInput, match="overlap"):
        fixed_split(Labels(np.eye(9, dtype=np.uint8) + 1, {}, {}), test)
    with pytest.raises(BadInput, match="9 × 9 pixels, those that test 4 × 4"):
        fixed_split(train, Labels(np.ones((4, 4), np.uint8), {}, {}))
    with pytest.raises(BadInput, match="Class 1 is Wood where it teaches and Water"):
        fixed_split(train, Labels(test.values, {1: "Water"}, {}))
    savemat(tmp_path / "one.mat", {"gt": np.ones((9, 9), np.uint8)})
    with pytest.raises(WrongUse, match="no arrays TR and TE"):
        fixed_labels(small_valley.scene, tmp_path / "one.mat")


def test_command_line_takes_two_files_or_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from backends.io.labels import open_labels

    data, truth = demo_scene("valley")
    train, test = masks(open_labels(truth).values, every=40)
    for name, part in (("train", train), ("test", test)):
        savemat(tmp_path / f"{name}.mat", {"gt": part})
    savemat(tmp_path / "pair.mat", {"TR": train, "TE": test})
    words = ["classify", str(data), "--model", "random_forest", "--set", "trees=3", "--json"]
    first = ["--labels", str(tmp_path / "train.mat"), "--test-labels", str(tmp_path / "test.mat")]
    second = ["--labels", str(tmp_path / "pair.mat"), "--protocol", "FIX"]
    found = []
    for number, more in enumerate((first, second)):
        assert run([*words, *more, "--out", str(tmp_path / str(number))]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["protocol"] == "FIX"
    assert found[0]["split"] == {
        "train": int((train > 0).sum()), "val": 0, "test": int((test > 0).sum())
    }  # fmt: skip
    assert found[0]["metrics"] == found[1]["metrics"]
    assert found[0]["separate_blocks"] is None
    assert run([*words, *first[:2], "--protocol", "FIX", "--out", str(tmp_path / "no")]) == 2
    assert "--test-labels FILE" in capsys.readouterr().err


def test_command_line_learns_from_areas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from backends.io.labels import open_labels

    data, truth = demo_scene("valley", size=64)
    values = open_labels(truth).values
    features = [
        {
            "type": "Feature",
            "properties": {"class": f"Class {values[row, col]}"},
            "geometry": {"type": "Point", "coordinates": [col + 0.5, row + 0.5]},
        }
        for row, col in np.argwhere(values > 0)[::7].tolist()
    ]
    areas = tmp_path / "areas.geojson"
    areas.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    words = ["classify", str(data), "--labels", str(areas), "--label-option", "coordinates=pixels"]
    words += ["--model", "svm", "--set", "gamma=0.01", "--set", "C=100", "--no-both", "--json"]
    assert run([*words, "--out", str(tmp_path / "out")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["split"].values()) == len(features)
    assert found["metrics"]["overall_accuracy"] > 0.8
