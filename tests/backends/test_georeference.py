"""Pixels to places and back, checked against pyproj and rasterio."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from pyproj import Geod, Transformer

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import GeolocationTable, GeoReference
from backends.scene import ArraySource, Scene, SceneInfo

UTM = GeoReference((30.0, 0.0, 400_000.0, 0.0, -30.0, 5_800_000.0), "EPSG:32633")


def test_pixel_centres_and_back() -> None:
    assert UTM.to_map(0, 0) == (400_015.0, 5_799_985.0)
    turned = GeoReference((2.0, 0.7, 10.0, 0.5, -3.0, 20.0))
    row, col = turned.to_pixel(*turned.to_map(12, 34))
    assert (row, col) == pytest.approx((12, 34))


def test_lonlat_agrees_with_pyproj() -> None:
    transformer = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    assert UTM.to_lonlat(5, 7) == pytest.approx(transformer.transform(*UTM.to_map(5, 7)))
    assert UTM.name == "WGS 84 / UTM zone 33N (EPSG:32633)"
    assert UTM.pixel_size_m() == (30.0, 30.0)


def test_without_a_system() -> None:
    bare = GeoReference((1.0, 0, 0, 0, -1.0, 0))
    assert bare.to_lonlat(0, 0) is None
    assert bare.pixel_size_m() is None
    assert (bare.name, bare.unit_m, bare.is_geographic) == ("no coordinate system", None, False)


def test_a_system_nobody_knows_does_no_harm() -> None:
    odd = GeoReference((1.0, 0, 0, 0, -1.0, 0), "LOCAL nonsense")
    assert odd.to_lonlat(0, 0) is None
    assert odd.pixel_size_m() is None
    assert odd.name == "unknown coordinate system"


def test_degrees_are_measured_on_the_ground() -> None:
    degrees = GeoReference((0.01, 0, 10.0, 0, -0.01, 60.0), "EPSG:4326")
    height, width = degrees.pixel_size_m(0, 0) or (0, 0)
    geod = Geod(ellps="WGS84")
    lon, lat = degrees.to_map(0, 0)
    assert width == pytest.approx(geod.inv(lon, lat, lon + 0.01, lat)[2])
    assert height == pytest.approx(geod.inv(lon, lat, lon, lat - 0.01)[2])
    assert width < 0.51 * height


def test_web_mercator_metres_are_not_ground_metres() -> None:
    """At 60° north web Mercator draws everything twice as long as it is."""
    transformer = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    x, y = transformer.transform(10, 60)
    mercator = GeoReference((100.0, 0, x, 0, -100.0, y), "EPSG:3857")
    height, width = mercator.pixel_size_m(0, 0) or (0, 0)
    assert (height, width) == pytest.approx((50, 50), rel=0.01)
    assert GeoReference((100.0, 0, 0, 0, -100.0, 0), "EPSG:3857").pixel_size_m(0, 0) == (
        100.0,
        100.0,
    )


def test_feet() -> None:
    feet = GeoReference((10.0, 0, 2_000_000, 0, -10.0, 500_000), "EPSG:2263")
    assert feet.unit_m == pytest.approx(0.3048, rel=1e-5)
    assert feet.pixel_size_m() == pytest.approx((3.048, 3.048), rel=1e-5)


def test_windows_keep_their_place() -> None:
    cut = UTM.window(10, 20)
    assert cut.to_map(0, 0) == UTM.to_map(10, 20)
    coarse = UTM.window(0, 0, 2.0)
    assert coarse.to_map(0, 0) == UTM.to_map(0.5, 0.5)
    assert cut.crs == UTM.crs


@pytest.mark.parametrize(
    "affine",
    [(0, 0, 0, 0, 0, 0), (1, 2, 0, 2, 4, 0), (math.nan, 0, 0, 0, 1, 0), (1, 0, math.inf, 0, 1, 0)],
)
def test_nonsense_is_refused(affine: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="not invertible"):
        GeoReference(affine)  # type: ignore[arg-type]


def test_it_travels_between_processes() -> None:
    UTM.to_lonlat(0, 0)
    again = pickle.loads(pickle.dumps(UTM))
    assert again == UTM
    assert again.to_lonlat(0, 0) == UTM.to_lonlat(0, 0)


# -- tables ----------------------------------------------------------------------------------


def test_tables_are_read_once_and_late() -> None:
    reads: list[int] = []

    def load() -> tuple[np.ndarray, np.ndarray]:
        reads.append(1)
        rows, cols = np.mgrid[0:4, 0:5].astype(float)
        lon = 10 + 0.01 * cols
        lon[2, 2] = -9999
        return lon, 50 - 0.02 * rows

    table = GeolocationTable(load)
    assert reads == []
    assert table.to_lonlat(1, 3) == pytest.approx((10.03, 49.98))
    assert table.to_lonlat(1.4, 2.6) == table.to_lonlat(1, 3)
    assert table.to_lonlat(9, 9) is None
    assert table.to_lonlat(2, 2) is None
    assert math.isnan(table.to_map(2, 2)[0])
    height, width = table.pixel_size_m(0, 0) or (0, 0)
    assert height == pytest.approx(2224, rel=0.01)
    assert width == pytest.approx(717, rel=0.01)
    assert table.pixel_size_m(3, 4) is None
    assert reads == [1]


def test_the_area_of_a_pixel_trusts_the_ground() -> None:
    """A reader may call web Mercator units metres; the area does not."""
    transformer = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    x, y = transformer.transform(10, 60)
    place = GeoReference((100.0, 0, x, 0, -100.0, y), "EPSG:3857")
    bands = BandTable.build(1)
    info = SceneInfo(None, "raster", bands, place=place, pixel_size=(100.0, 100.0), pixel_unit="m")
    scene = Scene(ArraySource(np.zeros((4, 4, 1))), info)
    assert scene.pixel_area_m2() == pytest.approx(2500, rel=0.02)
    slide = SceneInfo(None, "slide", bands, pixel_size=(0.5, 0.5), pixel_unit="µm")
    assert Scene(ArraySource(np.zeros((4, 4, 1))), slide).pixel_area_m2() == pytest.approx(2.5e-13)
    plain = SceneInfo(None, "picture", bands)
    assert Scene(ArraySource(np.zeros((4, 4, 1))), plain).pixel_area_m2() is None
