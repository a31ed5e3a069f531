"""Today's line beside yesterday's; the fire day by day."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import shapely
from shapely.affinity import translate

from backends.perimeters.comparison import compare, containment, estimate_shift, off_the_edge
from backends.perimeters.progression import day_of, growth_series
from tests.backends.perimeters.conftest import ring

CRS = "EPSG:32611"


def _shifted(shape: shapely.Polygon, dx: float, dy: float) -> shapely.Polygon:
    return translate(shape, dx, dy)


@pytest.mark.parametrize(("dx", "dy"), [(30.0, 0.0), (-21.0, 21.0), (0.0, -300.0)])
def test_a_shift_of_the_whole_layer_is_reported(dx: float, dy: float) -> None:
    before = ring()
    grown = before.union(shapely.Point(502_500, 4_001_000).buffer(1500))
    for new in (before, grown):
        found = estimate_shift(_shifted(new, dx, dy), before, 10.0)
        assert found.is_shifted
        assert (found.dx_m, found.dy_m) == pytest.approx((dx, dy), abs=1.0)


def test_growth_is_no_shift() -> None:
    before = ring()
    for new in (
        before,
        before.union(shapely.Point(502_500, 4_001_000).buffer(1500)),
        before.buffer(200),
        _shifted(before, 8, 0),
    ):
        assert not estimate_shift(new, before, 10.0).is_shifted


def test_growth_and_reduction() -> None:
    before = shapely.box(500_000, 4_000_000, 502_000, 4_002_000)
    new = shapely.box(500_100, 4_000_000, 503_000, 4_002_000)
    found = compare(new, before, CRS, 10.0)
    acre = 4046.8564224 * 0.9996**2
    assert found.growth_ac == pytest.approx(2e6 / acre, rel=1e-5)
    assert found.reduction_ac == pytest.approx(2e5 / acre, rel=1e-5)
    assert found.reduction.equals(shapely.box(500_000, 4_000_000, 500_100, 4_002_000))
    # An island that burned out is no growth of the line.
    with_island = before.difference(shapely.Point(501_000, 4_001_000).buffer(200))
    assert compare(before, with_island, CRS, 10.0).growth_ac == 0


def test_containment() -> None:
    square = shapely.box(0, 0, 1000, 1000).difference(shapely.box(400, 400, 600, 600))
    south = shapely.LineString([(0, 3), (1000, 3)])
    part, held, open_ = containment(square, south, 10.0)
    assert part == pytest.approx(0.25, abs=0.01)
    assert held.length == pytest.approx(1000, abs=30)
    assert open_.length == pytest.approx(3000, abs=30)
    assert off_the_edge(square, south, 10.0) == 0
    assert off_the_edge(square, shapely.LineString([(0, 100), (1000, 100)]), 10.0) > 900


def test_before_six_counts_to_the_day_before() -> None:
    boise = ZoneInfo("America/Boise")
    at = dt.datetime(2026, 8, 29, 11, 59, tzinfo=dt.UTC)  # 05:59 there
    assert day_of(at, boise) == dt.date(2026, 8, 28)
    assert day_of(at + dt.timedelta(minutes=1), boise) == dt.date(2026, 8, 29)
    series = growth_series(
        [
            (at + dt.timedelta(days=1), 150.0),
            (at - dt.timedelta(hours=3), 90.0),
            (at, 100.0),
            (at + dt.timedelta(days=2), 140.0),
        ],
        boise,
    )
    assert [(d.day.day, d.acres, d.growth_ac, d.shrank) for d in series] == [
        (28, 100.0, 100.0, False),
        (29, 150.0, 50.0, False),
        (30, 140.0, -10.0, True),
    ]
