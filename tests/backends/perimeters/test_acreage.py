"""Areas against figures that are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely

from backends.errors import BadInput
from backends.perimeters.acreage import SQUARE_METRES_PER_ACRE, acreage, geodesic_m2
from backends.perimeters.coordinates import moved

A, F = 6_378_137.0, 1 / 298.257223563
E2 = F * (2 - F)
E = math.sqrt(E2)


def _zone_m2(north: float) -> float:
    """Return the area of the ellipsoid between the equator and a latitude, a radian wide."""
    s = math.sin(math.radians(north))
    b2 = A * A * (1 - E2)
    return b2 / 2 * (s / (1 - E2 * s * s) + math.atanh(E * s) / E)


def test_an_octant_of_the_earth() -> None:
    octant = shapely.Polygon([(0, 0), (90, 0), (90, 90), (0, 90)])
    assert geodesic_m2(octant) == pytest.approx(510_065_621_724_088.44 / 8, rel=1e-9)


def test_a_degree_field_between_parallels() -> None:
    lon = np.linspace(10, 11, 4001)
    field = shapely.Polygon([*((x, 40.0) for x in lon), *((x, 41.0) for x in lon[::-1])])
    expected = math.radians(1) * (_zone_m2(41) - _zone_m2(40))
    assert geodesic_m2(field) == pytest.approx(expected, rel=1e-6)


def test_a_square_on_the_central_meridian_of_utm() -> None:
    square = shapely.box(499_500, 4_099_500, 500_500, 4_100_500)
    found = acreage(square, "EPSG:32611", "EPSG:32611")
    assert found.planar_gross_ac == pytest.approx(1e6 / SQUARE_METRES_PER_ACRE, rel=1e-12)
    # The scale there is 0.9996: the plane shows 0.08 % too little.
    assert found.gross_ac == pytest.approx(1e6 / 0.9996**2 / SQUARE_METRES_PER_ACRE, rel=1e-6)


def test_islands_orientation_and_equal_area() -> None:
    shell = shapely.box(500_000, 4_000_000, 504_000, 4_004_000)
    island = shapely.box(501_000, 4_001_000, 502_000, 4_002_000)
    inner = shapely.box(501_400, 4_001_400, 501_600, 4_001_600)
    shape = shapely.MultiPolygon([shell.difference(island), inner])
    found = acreage(shape, "EPSG:32611", "EPSG:5070")
    assert found.islands == 1
    assert found.planar_gross_ac == pytest.approx(found.gross_ac, rel=2e-5)
    # What burned inside the island is counted once, gross and net.
    assert found.gross_ac == pytest.approx(acreage(shell, "EPSG:32611", "EPSG:5070").gross_ac)
    assert found.net_ac / found.gross_ac == pytest.approx((16 - 1 + 0.04) / 16, rel=1e-5)
    turned = shapely.Polygon(shell.exterior.coords[::-1], [island.exterior.coords])
    assert geodesic_m2(moved(turned, "EPSG:32611", "EPSG:4326")) > 0
    assert "Geodesic" in found.method
    assert "1 island," in found.method


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326"])
def test_no_area_in_web_mercator_or_degrees(crs: str) -> None:
    with pytest.raises(BadInput, match=r"Web Mercator|degrees"):
        acreage(shapely.box(0, 0, 1, 1), "EPSG:4326", crs)
