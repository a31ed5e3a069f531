"""Runs, closing and outlines against what libraries do with pixels."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from backends.errors import Cancelled
from backends.perimeters.closing import closed, difference, union
from backends.perimeters.runs import RunMask, counts_within
from backends.perimeters.simplifying import simplify
from backends.perimeters.tracing import trace
from backends.progress import CancelToken, Progress

PLACE = (10.0, 0.0, 1000.0, 0.0, -10.0, 5000.0)
MASKS = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))


@given(mask=MASKS)
@settings(max_examples=150, deadline=None)
def test_polygons_are_valid_and_cover_exactly_the_pixels(mask: np.ndarray) -> None:
    traced = trace(RunMask.from_array(mask), PLACE)
    assert shapely.is_valid(traced.polygons).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(traced.polygons)).all()
    assert np.allclose(shapely.area(traced.polygons), traced.pixels * 100)
    shapes = rasterio.features.shapes(
        mask.astype(np.uint8), mask=mask, connectivity=4, transform=Affine(*PLACE)
    )
    theirs = shapely.union_all([shapely.geometry.shape(s) for s, _ in shapes])
    assert theirs.symmetric_difference(shapely.union_all(traced.polygons)).area < 1e-6
    assert len(traced.polygons) == ndimage.label(mask)[1]


@given(mask=MASKS, radius=st.sampled_from([1.0, 1.5, 2.0, 3.2]))
@settings(max_examples=80, deadline=None)
def test_closing_is_that_of_a_disc(mask: np.ndarray, radius: float) -> None:
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = x**2 + y**2 <= radius**2
    room = 2 * reach + 1
    grown = ndimage.binary_dilation(np.pad(mask, room), disc)
    expected = ndimage.binary_erosion(grown, disc, border_value=1)[room:-room, room:-room]
    assert (closed(RunMask.from_array(mask), radius).to_array() == expected).all()


@given(mask=arrays(bool, (9, 11)), other=arrays(bool, (9, 11)))
@settings(max_examples=60, deadline=None)
def test_sets_and_components(mask: np.ndarray, other: np.ndarray) -> None:
    a, b = RunMask.from_array(mask), RunMask.from_array(other)
    assert (a.to_array() == mask).all()
    assert (union(a, b).to_array() == (mask | other)).all()
    assert (difference(a, b).to_array() == (mask & ~other)).all()
    for connectivity, shape in ((4, None), (8, np.ones((3, 3)))):
        assert a.components(connectivity)[0] == ndimage.label(mask, shape)[1]
    pieces, labels = a.components(8)
    assert counts_within(b, a, labels, pieces).sum() == (mask & other).sum()


@given(seed=st.integers(0, 500), smooth=st.floats(0.5, 4))
@settings(max_examples=30, deadline=None)
def test_simplified_lines_stay_valid_with_bounded_errors(seed: int, smooth: float) -> None:
    noise = np.random.default_rng(seed).random((60, 60))
    traced = trace(RunMask.from_array(ndimage.gaussian_filter(noise, smooth) > 0.5), PLACE)
    made = simplify(traced.polygons, 10.0, tolerance_px=0.8)
    assert shapely.is_valid(made.polygons).all()
    before, after = shapely.area(traced.polygons), shapely.area(made.polygons)
    assert (abs(after - before) <= 0.005 * before).all()
    assert made.area_change <= 0.005
    for exact, coarse in zip(traced.polygons, made.polygons, strict=True):
        assert exact.boundary.hausdorff_distance(coarse.boundary) < 10.0


def test_small_holes_are_filled_and_large_ones_kept() -> None:
    mask = np.ones((20, 20), bool)
    mask[3, 3], mask[10:14, 10:14] = False, False
    made = trace(RunMask.from_array(mask), PLACE, smallest_hole_px=5).polygons[0]
    assert len(made.interiors) == 1
    assert made.area == pytest.approx((400 - 16) * 100)


def test_tracing_can_be_cancelled() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        trace(RunMask.from_array(np.eye(50, dtype=bool)), PLACE, progress=Progress(token))
