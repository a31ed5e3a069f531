"""Colours: stable a name, told apart, and told apart without red-green vision."""

from __future__ import annotations

import numpy as np
import pytest

from backends.palette import CATEGORICAL, class_colors, key_color, to_rgb


def names(*words: str) -> dict[int, str]:
    return dict(enumerate(words, start=1))


def test_the_same_name_has_the_same_colour_everywhere() -> None:
    one = class_colors(names("Corn", "Water", "Hay"))
    two = class_colors({7: "Water", 9: "Stone"})
    assert one[2] == two[7] == "#0072B2"
    assert class_colors(names("corn"))[1] == class_colors(names("Corn"))[1]


def test_nobody_takes_the_colour_of_a_meaning() -> None:
    """Forest comes too late for green; it must not take soil's colour instead."""
    found = class_colors(names("Trees", "Forest", "Bare soil", "Water", "Fire"))
    assert found[1] == "#009E73"
    assert found[3] == "#E69F00"
    assert found[4] == "#0072B2"
    assert found[5] == "#D55E00"
    assert len(set(found.values())) == 5


@pytest.mark.parametrize("count", [12, 16, 40])
def test_many_classes_are_all_different(count: int) -> None:
    found = class_colors({value: f"Class {value}" for value in range(1, count + 1)})
    assert len(found) == count
    assert len(set(found.values())) == count


def test_colours_of_the_file_win() -> None:
    found = class_colors(names("Water", "Tree"), {1: "#123456", 9: "#000000"})
    assert found == {1: "#123456", 2: "#009E73"}


def test_order_of_the_names_is_kept() -> None:
    assert list(class_colors({5: "b", 2: "Water", 9: "a"})) == [5, 2, 9]


def test_the_key_goes_round() -> None:
    assert key_color(0) == key_color(len(CATEGORICAL)) == CATEGORICAL[0]
    assert to_rgb("#0072B2") == (0, 114, 178)


# Viénot, Brettel and Mollon (1999): what is left of linear RGB without one kind of cone.
_DEUTAN = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
_PROTAN = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = (linear @ to_xyz.T) / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )


@pytest.mark.parametrize("vision", [np.eye(3), _DEUTAN, _PROTAN], ids=["full", "deutan", "protan"])
def test_the_first_colours_can_be_told_apart(vision: np.ndarray) -> None:
    srgb = np.array([to_rgb(color) for color in CATEGORICAL[:7]]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab = _lab(np.clip(linear @ vision.T, 0, 1))
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    apart[np.diag_indices(len(lab))] = np.inf
    assert apart.min() > 10  # 2.3 is a just noticeable difference
