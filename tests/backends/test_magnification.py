"""Magnification: from the objective, from the pixel size, or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.bands import BandTable
from backends.magnification import full_magnification, magnification_text
from backends.scene import ArraySource, Scene, SceneInfo


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"objective": 40.0, "pixel_size": (0.499, 0.499), "pixel_unit": "µm"}, 40.0),
        ({"pixel_size": (0.25, 0.25), "pixel_unit": "µm"}, 40.0),
        ({"pixel_size": (0.5, 0.5), "pixel_unit": "mm"}, None),
        ({}, None),
    ],
)
def test_at_full_resolution(info: dict[str, Any], expected: float | None) -> None:
    made = SceneInfo(None, "slide", BandTable.build(3), **info)
    scene = Scene(ArraySource(np.zeros((4, 4, 3), np.uint8)), made)
    assert full_magnification(scene) == expected


def test_in_words() -> None:
    assert [magnification_text(v) for v in (40.0, 12.34, 5.0, 1.26, 0.0834)] == [
        "40×",
        "12×",
        "5.0×",
        "1.3×",
        "0.083×",
    ]
