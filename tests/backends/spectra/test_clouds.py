"""Three shares in a triangle, components as a turning cloud: places known by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest

from backends.errors import BadInput, WrongUse
from backends.overlays import Provenance, ScoreMap
from backends.spectra.clouds import CORNERS, cloud_of, ternary_of, turned
from backends.spectra.scatter import cells_under, under_brush


def maps_of(planes: np.ndarray) -> list[ScoreMap]:
    made = Provenance("t")
    return [ScoreMap(f"Map {i}", "s", made, values=p) for i, p in enumerate(planes)]


def test_pure_pixels_lie_in_their_corners_and_halves_between_them() -> None:
    shares = np.zeros((3, 2, 4), np.float32)
    for i in range(3):
        shares[i, 0, i] = 1
    shares[:, 0, 3] = 1 / 3
    shares[:, 1, 0] = 0.5, 0.5, 0
    shares[:, 1, 1] = 0.2, 0.0, 0.2  # mostly something else
    shares[:, 1, 2] = 0.4, -0.1, 0.4
    shares[0, 1, 3] = np.nan
    found = ternary_of(maps_of(shares))
    for i, corner in enumerate(CORNERS):
        assert (found.x[0, i], found.y[0, i]) == pytest.approx(corner)
    assert (found.x[0, 3], found.y[0, 3]) == pytest.approx((0.5, CORNERS[2][1] / 3))
    assert (found.x[1, 0], found.y[1, 0]) == pytest.approx((0.5, 0))
    assert np.isnan(found.x[1, 1])
    assert (found.x[1, 2], found.y[1, 2]) == pytest.approx((0.25, CORNERS[2][1] / 2))
    assert found.pixels == 6
    near_second = [(0.9, -0.03), (1.03, -0.03), (1.03, 0.1), (0.9, 0.1)]
    mask = under_brush(found, near_second)
    assert mask.sum() == 1
    assert mask[0, 1] == 1


def test_what_makes_no_triangle_is_one_sentence() -> None:
    shares = maps_of(np.full((3, 4, 5), 0.1, np.float32))
    with pytest.raises(BadInput, match="less than half"):
        ternary_of(shares)
    with pytest.raises(WrongUse, match="three corners"):
        ternary_of(shares[:2])
    with pytest.raises(BadInput, match="another size"):
        ternary_of([*shares[:2], *maps_of(np.ones((1, 2, 2), np.float32))])
    with pytest.raises(WrongUse, match="two maps"):
        cloud_of(shares[:1])
    with pytest.raises(BadInput, match="No pixel"):
        cloud_of(maps_of(np.full((3, 4, 5), np.nan, np.float32)))


@pytest.mark.parametrize("dimensions", [2, 3, 5, 9])
def test_every_turn_is_a_plane_and_no_direction_stays_hidden(dimensions: int) -> None:
    seen = np.zeros(dimensions)
    for turn in np.linspace(0, 400, 2000):
        basis = turned(dimensions, turn)
        np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-12)
        seen = np.maximum(seen, np.linalg.norm(basis, axis=0))
    assert (seen > 0.9).all()
    np.testing.assert_array_equal(turned(dimensions, 0.0), np.eye(dimensions)[:2])
    near = turned(dimensions, 1.0) - turned(dimensions, 1.01)
    assert np.abs(near).max() < 0.1  # it turns, it does not jump


def test_a_group_that_two_maps_hide_is_brushed_where_the_turn_shows_it() -> None:
    random = np.random.default_rng(0)
    planes = random.normal(size=(3, 60, 70)).astype(np.float32)
    planes[2, 20:30, 30:50] += 12  # differs in the third map only
    planes[0, 5, 5] = np.nan
    cloud = cloud_of(maps_of(planes))
    assert np.isnan(cloud.values[:, 5, 5]).all()
    np.testing.assert_allclose(np.nanstd(cloud.values, axis=(1, 2)), 1, rtol=1e-4)
    first = cloud.seen(turned(3, 0.0))
    np.testing.assert_allclose(first.x, cloud.values[0], rtol=1e-6)
    third = cloud.seen(np.array([[0.0, 0, 1], [0, 1, 0]]))
    reach = cloud.reach
    mask = under_brush(third, [(2.0, -reach), (reach, -reach), (reach, reach), (2.0, reach)])
    wanted = np.zeros((60, 70), bool)
    wanted[20:30, 30:50] = True
    assert (mask.astype(bool) == wanted).mean() > 0.995
    # The same pixels are found again in the view in which they are hidden.
    again = cells_under(first, mask)
    assert again.sum() == np.count_nonzero(mask)
    assert np.count_nonzero(again) > 100
    assert first.pixels > 0.995 * 60 * 70


def test_large_maps_are_thinned_and_a_turn_takes_a_blink() -> None:
    random = np.random.default_rng(1)
    cloud = cloud_of(maps_of(random.normal(size=(5, 1200, 1100)).astype(np.float32)))
    assert cloud.values[0].size <= 1_000_000
    assert cloud.placement.row_step == 2
    assert cloud.placement.row == 0.5
    times = []
    for turn in range(5):
        began = time.perf_counter()
        cloud.seen(turned(5, 0.3 * turn))
        times.append(time.perf_counter() - began)
    assert min(times) < 0.1
