"""Pixels to canvas: scale in metres or micrometres, coarse pictures lie exactly over fine ones."""

from __future__ import annotations

import numpy as np
import pytest

from app.frames import Frame, coarse_placement, frame_of
from backends.overlays import Placement


def test_frame_in_metres_of_a_utm_scene(make_scene) -> None:
    frame = frame_of(make_scene())
    assert frame.unit == "m"
    assert (frame.height, frame.width) == pytest.approx((10.0, 10.0))
    assert frame.to_pixel(*frame.to_canvas(3, 4)) == pytest.approx((3, 4))


def test_frame_of_a_slide_is_in_micrometres(make_scene) -> None:
    frame = frame_of(make_scene(place=None, pixel_size=(0.25, 0.5), pixel_unit="µm"))
    assert (frame.height, frame.width, frame.unit) == (0.25, 0.5, "um")


def test_frame_without_any_size_is_in_pixels(make_scene) -> None:
    assert frame_of(make_scene(place=None)) == Frame()


@pytest.mark.parametrize("size", [(0.0, 1.0), (float("nan"), 1.0), (1e30, 1.0)])
def test_absurd_pixel_size_falls_back_to_pixels(make_scene, size) -> None:
    assert frame_of(make_scene(place=None, pixel_size=size, pixel_unit="m")) == Frame()


def test_coarse_picture_covers_the_same_ground() -> None:
    """The outer edges of 4 coarse pixels are those of 16 fine ones."""
    frame = Frame(10.0, 20.0, "m")
    placement = coarse_placement((4.0, 4.0))
    scale, start = np.array(frame.scale(placement)), np.array(frame.translate(placement))
    fine = np.array(frame.scale())
    assert start - scale / 2 == pytest.approx(-fine / 2)
    assert start + 3.5 * scale == pytest.approx(15.5 * fine)


def test_placement_follows_its_own_formula() -> None:
    frame = Frame(2.0, 2.0, "m")
    p = Placement(row=5, col=7, row_step=3, col_step=3)
    assert frame.translate(p) == (10.0, 14.0)
    assert frame.scale(p) == (6.0, 6.0)
