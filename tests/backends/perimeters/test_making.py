"""From a probability to classes of heat; what made each; units and places that do not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from backends.errors import BadInput, Cancelled, WrongUse
from backends.georeference import GeoReference
from backends.perimeters.heat import HeatClass
from backends.perimeters.making import make_proposal
from backends.perimeters.opening import draft_around
from backends.perimeters.probability import ArraySource, from_array, opened
from backends.perimeters.settings import PerimeterSettings
from backends.progress import CancelToken, Progress

Write = Callable[..., Path]


def test_proposal(source: ArraySource, probability: NDArray[np.float32]) -> None:
    warm = ArraySource(np.where(probability > 0.95, 600, 320).astype(np.float32), *_place(source))
    made = make_proposal(source, temperature=warm)
    kinds = [f.heat for f in made.features]
    assert kinds == [
        HeatClass.PERIMETER, HeatClass.INTENSE, HeatClass.ISOLATED, HeatClass.POSSIBLE,
        HeatClass.NO_DATA,
    ]  # fmt: skip
    assert all(f.geometry.is_valid and f.rule["text"] for f in made.features)
    # A 0.3 disc of 50 pixels radius with its island kept: the exact figure comes from the mask.
    mask = (probability >= 0.3) & (np.hypot(*(np.mgrid[0:200, 0:220] - 100)) < 60)
    assert made.perimeter.area == pytest.approx(mask.sum() * 100, rel=0.005)
    assert made.area is not None
    assert made.area.islands == 1
    assert made.area.gross_ac - made.area.net_ac == pytest.approx(40_000 / 4046.8564224, rel=0.06)
    low, high = made.interval_ac
    assert low < made.area.gross_ac <= high
    alone = made.features[2].geometry
    assert (alone.x, alone.y) == (400_000 + 210, 4_100_000 - 210)


def _place(source: ArraySource) -> tuple[tuple, str]:
    return source.affine, source.crs


def test_spots_close_together_are_scattered_heat() -> None:
    p = np.zeros((100, 100), np.float32)
    p[20:60:5, 20:60:5] = 0.9
    made = make_proposal(ArraySource(p, (10, 0, 4e5, 0, -10, 4.1e6), "EPSG:32611"),
                         PerimeterSettings(closing_m=0))  # fmt: skip
    assert [f.heat for f in made.features] == [HeatClass.SCATTERED]
    assert 1100 < made.features[0].geometry.area / 100 <= 36 * 36


def test_hysteresis_keeps_faint_edges_of_sure_fire_only(source: ArraySource) -> None:
    strict = make_proposal(source, PerimeterSettings(grow=0.5))
    loose = make_proposal(source, PerimeterSettings(grow=0.1))
    assert loose.perimeter.area > 1.2 * strict.perimeter.area
    assert loose.perimeter.contains(strict.perimeter)


@given(seed=st.integers(0, 1000), closing=st.sampled_from([0.0, 20.0, 45.0]))
@settings(max_examples=25, deadline=None)
def test_lines_stay_valid_and_true_to_the_mask(seed: int, closing: float) -> None:
    noise = np.random.default_rng(seed).random((70, 80))
    smooth = ndimage.gaussian_filter(noise, 2)
    p = (smooth - smooth.min()) / np.ptp(smooth)
    wanted = PerimeterSettings(closing_m=closing, hole_ac=0, smallest_ac=0)
    place = ((10, 0, 4e5, 0, -10, 4.1e6), "EPSG:32611")
    line = make_proposal(ArraySource(p.astype(np.float32), *place), wanted).perimeter
    exact = make_proposal(
        ArraySource(p.astype(np.float32), *place), replace(wanted, simplify_px=0.0)
    ).perimeter
    assert line.is_valid
    assert line.area == pytest.approx(exact.area, rel=0.005)
    assert shapely.hausdorff_distance(line.boundary, exact.boundary) < 10


def test_degrees_are_warped_to_metres(raster: Write, probability: NDArray[np.float32]) -> None:
    path = raster(probability, "deg.tif", "EPSG:4326", (1e-4, 0, -117.0, 0, -1e-4, 36.0))
    with opened(path) as source:
        assert source.crs in ("EPSG:32611", "EPSG:32610")
        made = make_proposal(source)
    pixel = 11.1 * 11.1 * np.cos(np.radians(36))
    burnt = ((probability >= 0.3) & (np.hypot(*(np.mgrid[0:200, 0:220] - 100)) < 60)).sum()
    assert made.area is not None
    assert made.area.net_ac == pytest.approx(burnt * pixel / 4046.856, rel=0.02)
    placed = from_array(probability, GeoReference((1e-4, 0, -117.0, 0, -1e-4, 36.0), "EPSG:4326"),
                        "p")  # fmt: skip
    again = make_proposal(placed).area
    assert again is not None
    assert again.net_ac == pytest.approx(made.area.net_ac, rel=0.01)


def test_what_cannot_be_used(raster: Write, probability: NDArray[np.float32]) -> None:
    with pytest.raises(BadInput, match="has no coordinate system"):
        draft_around(raster(probability, "none.tif", None))
    with pytest.raises(BadInput, match=r"a probability runs from 0 to 1.*--scale 255"):
        draft_around(raster(np.nan_to_num(probability * 255), "bytes.tif"))
    with pytest.raises(BadInput, match="lies in the future"):
        draft_around(raster(probability), image_utc="2999-01-01T00:00Z")
    with pytest.raises(BadInput, match="No piece of fire"):
        draft_around(raster(np.zeros((30, 30), np.float32), "cold.tif"))
    celsius = raster(np.full(probability.shape, 40, np.float32), "t.tif")
    with pytest.raises(BadInput, match="no temperature in K"):
        draft_around(raster(probability), temperature=celsius)
    with pytest.raises(BadInput, match="does not exist"):
        draft_around(Path("nowhere.tif"))
    with pytest.raises(WrongUse, match="thresholds must rise"):
        PerimeterSettings(seed=0.2, grow=0.4)
    with pytest.raises(WrongUse, match="no setting called closing"):
        PerimeterSettings.of({"closing": 3})


def test_it_stops_when_asked(source: ArraySource) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        make_proposal(source, progress=Progress(token))
