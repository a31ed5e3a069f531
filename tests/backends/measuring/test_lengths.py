"""Lengths and areas against pyproj, and by hand where there is no Earth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import GeolocationTable, GeoReference
from backends.measuring.files import write_measurements
from backends.measuring.lengths import (
    AREA,
    DISTANCE,
    Measurement,
    area_text,
    distances,
    length_text,
    measure,
)
from backends.scene import ArraySource, Scene, SceneInfo

PLACES = {
    "utm": GeoReference((30.0, 0.0, 365_000.0, 0.0, -30.0, 5_807_000.0), "EPSG:32633"),
    "turned": GeoReference((20.0, 15.0, 365_000.0, 15.0, -20.0, 5_807_000.0), "EPSG:32633"),
    "degrees": GeoReference((0.001, 0.0, 13.0, 0.0, -0.001, 52.0), "EPSG:4326"),
    "web": GeoReference((30.0, 0.0, 1_450_000.0, 0.0, -30.0, 6_850_000.0), "EPSG:3857"),
}
corner = st.tuples(st.floats(0, 63), st.floats(0, 127))


def scene_with(**info: object) -> Scene:
    facts = SceneInfo(None, "raster", BandTable.build(1), title="Field", **info)  # type: ignore[arg-type]
    return Scene(ArraySource(np.zeros((64, 128, 1), np.float32)), facts)


def on_earth(place: GeoReference, points: list[tuple[float, float]]) -> np.ndarray:
    turn = Transformer.from_crs(place.crs, "EPSG:4326", always_xy=True)
    a, b, c, d, e, f = place.affine
    y, x = np.asarray(points).T + 0.5
    return np.column_stack(turn.transform(a * x + b * y + c, d * x + e * y + f))


@pytest.mark.parametrize("place", list(PLACES))
@given(points=st.lists(corner, min_size=2, max_size=8, unique=True))
def test_a_line_is_as_long_as_pyproj_says(place: str, points: list[tuple[float, float]]) -> None:
    found = measure(scene_with(place=PLACES[place]), points, DISTANCE)
    wanted = Geod(ellps="WGS84").geometry_length(
        shapely.LineString(on_earth(PLACES[place], points))
    )
    assert found.length_m == pytest.approx(wanted, rel=1e-9, abs=1e-6)
    assert found.area_m2 is None
    assert (found.bearing is not None) == (len(points) == 2)


@pytest.mark.parametrize("place", list(PLACES))
@given(points=st.lists(corner, min_size=3, max_size=8, unique=True))
def test_an_area_is_as_large_as_pyproj_says(place: str, points: list[tuple[float, float]]) -> None:
    middle = np.mean(points, axis=0)
    points = sorted(points, key=lambda p: np.arctan2(*(np.asarray(p) - middle)))
    assume(shapely.Polygon(points).is_valid and shapely.Polygon(points).area > 0.01)
    found = measure(scene_with(place=PLACES[place]), points, AREA)
    ring = shapely.Polygon(on_earth(PLACES[place], points))
    area, around = Geod(ellps="WGS84").geometry_area_perimeter(ring)
    assert found.area_m2 == pytest.approx(abs(area), rel=1e-6, abs=1e-3)
    assert found.length_m == pytest.approx(around, rel=1e-9)
    assert found.area_px == pytest.approx(shapely.Polygon(points).area, rel=1e-9)


def test_without_an_earth_the_pixel_size_counts_and_without_it_pixels() -> None:
    square = [(0, 0), (0, 10), (10, 10), (10, 0), (0, 0)]
    slide = measure(scene_with(pixel_size=(0.5, 0.5), pixel_unit="µm"), square, AREA)
    assert slide.length_m == pytest.approx(20e-6)
    assert slide.area_m2 == pytest.approx(25e-12)
    assert slide.text() == "25 µm², outline 20 µm"
    ct = measure(scene_with(pixel_size=(0.75, 0.5), pixel_unit="mm"), [(0, 0), (4, 0)], DISTANCE)
    assert ct.text() == "3 mm"
    bare = measure(scene_with(), square, AREA)
    assert (bare.length_m, bare.area_m2, bare.area_px) == (None, None, 100)
    assert bare.text() == "100 px, outline 40.0 px"
    local = GeoReference((2.0, 0.0, 0.0, 0.0, -2.0, 0.0), 'LOCAL_CS["site",UNIT["metre",1]]')
    assert measure(scene_with(place=local), [(0, 0), (3, 4)], DISTANCE).length_m == 10


def test_a_bow_tie_has_no_area_and_says_so() -> None:
    found = measure(scene_with(place=PLACES["utm"]), [(0, 0), (10, 10), (0, 10), (10, 0)], AREA)
    assert "crosses itself" in found.text()
    assert np.isnan(found.area_m2)
    with pytest.raises(BadInput, match="needs 3 different points"):
        measure(scene_with(), [(0, 0), (0, 0), (1, 1)], AREA)
    with pytest.raises(BadInput, match="needs 2 different points"):
        measure(scene_with(), [(2, 2), (2, 2)], DISTANCE)


def test_between_the_pixels_of_a_table() -> None:
    rows, cols = np.mgrid[0:64, 0:128]
    table = GeolocationTable(lambda: (13 + 0.001 * cols, 52 - 0.001 * rows))
    half = measure(scene_with(place=table), [(3.0, 3.0), (3.0, 3.5)], DISTANCE)
    whole = measure(scene_with(place=table), [(3.0, 3.0), (3.0, 4.0)], DISTANCE)
    assert half.length_m == pytest.approx(whole.length_m / 2, rel=1e-6)


def test_distances_along_a_line_add_up() -> None:
    scene = scene_with(place=PLACES["utm"])
    points = np.array([(0.0, 0.0), (10.0, 5.0), (12.0, 60.0)])
    along, unit = distances(scene, points)
    assert unit == "m"
    assert along[-1] == pytest.approx(measure(scene, points, DISTANCE).length_m)


def test_the_unit_suits_the_size() -> None:
    lengths = [12_345, 999.4, 0.0123, 4.5e-5, 0.0]
    assert [length_text(v, 0) for v in lengths] == [
        "12.35 km",
        "999.4 m",
        "12.3 mm",
        "45 µm",
        "0 m",
    ]
    areas = [2.5e8, 12_340, 830.2, 2e-6, 3e-11]
    assert [area_text(v, 0) for v in areas] == [
        "250 km²",
        "1.234 ha",
        "830.2 m²",
        "2 mm²",
        "30 µm²",
    ]


def test_files_hold_what_was_measured(tmp_path: Path) -> None:
    scene = scene_with(place=PLACES["utm"])
    ring = np.array([(0.0, 0.0), (0.0, 10.0), (10.0, 10.0)])
    kept = [
        Measurement("Field", scene.id, AREA, ring, measure(scene, ring, AREA)),
        Measurement("Path", scene.id, DISTANCE, ring, measure(scene, ring, DISTANCE)),
    ]
    values = json.loads(write_measurements(scene, kept, tmp_path / "m.geojson").read_text())
    area, line = values["features"]
    polygon = shapely.geometry.shape(area["geometry"])
    assert polygon.exterior.is_ccw  # RFC 7946
    again = abs(Geod(ellps="WGS84").geometry_area_perimeter(polygon)[0])
    assert area["properties"]["area_m2"] == pytest.approx(again, rel=1e-5)
    assert line["geometry"]["type"] == "LineString"
    text = write_measurements(scene, kept, tmp_path / "m.csv").read_text()
    assert text.splitlines()[2].startswith("Path,distance,")
    bare = scene_with()
    out = write_measurements(bare, [Measurement("P", bare.id, DISTANCE, ring,
                                                measure(bare, ring, DISTANCE))],
                             tmp_path / "p.geojson")  # fmt: skip
    assert "pixels" in json.loads(out.read_text())["coordinates"]
    for path, some, sentence in (("m.txt", kept, "End it in"), ("m.csv", [], "Nothing")):
        with pytest.raises(BadInput, match=sentence):
            write_measurements(scene, some, tmp_path / path)


def test_thousands_do_not_part_the_words_of_an_area() -> None:
    square = [(0, 0), (0, 60), (60, 60), (60, 0)]
    found = measure(scene_with(pixel_size=(1.5, 1.5), pixel_unit="µm"), square, AREA)
    assert found.text().split(", ") == ["8,100 µm²", "outline 360 µm"]
