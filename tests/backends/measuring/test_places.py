"""Places as people write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import GeolocationTable, GeoReference
from backends.measuring.places import WrittenPlace, dms, parse_place, place_words, to_pixel
from backends.scene import ArraySource, Scene, SceneInfo

UTM = GeoReference((30.0, 0.0, 365_000.0, 0.0, -30.0, 5_807_000.0), "EPSG:32633")


def scene_at(place: object, rows: int = 64, cols: int = 128) -> Scene:
    info = SceneInfo(None, "raster", BandTable.build(1), title="Field", place=place)  # type: ignore[arg-type]
    return Scene(ArraySource(np.zeros((rows, cols, 1), np.float32)), info)


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("12, 40", "row_col", ("row_col", 12, 40)),
        ("12 40", "row_col", ("row_col", 12, 40)),
        ("row 12, col 40", "row_col", ("row_col", 12, 40)),
        ("Row: 12; Column: 40.5", "row_col", ("row_col", 12, 40.5)),
        ("r12 c40", "row_col", ("row_col", 12, 40)),
        ("367015, 5811985.5", "map", ("map", 367015, 5811985.5)),
        ("E 367\u202f015.0, N 5\u202f811\u202f985.0", "map", ("map", 367015, 5811985)),
        ("N 5811985 E 367015", "map", ("map", 367015, 5811985)),
        ("52.5, 13.25", "lat_lon", ("lat_lon", 52.5, 13.25)),
        ("52,5; 13,25", "lat_lon", ("lat_lon", 52.5, 13.25)),
        ("-33.5 151.25", "lat_lon", ("lat_lon", -33.5, 151.25)),
        ("52.5 N 13.25 E", "row_col", ("lat_lon", 52.5, 13.25)),
        ("13.25 E, 52.5 N", "row_col", ("lat_lon", 52.5, 13.25)),
        ("13.05167° E, 52.38728° N", "row_col", ("lat_lon", 52.38728, 13.05167)),
        ("S33.5 W151.25", "lat_lon", ("lat_lon", -33.5, -151.25)),
        ("52°30'36\" 13°15'", "row_col", ("lat_lon", 52.51, 13.25)),
        ("52 30 36 N, 13 15 0 E", "lat_lon", ("lat_lon", 52.51, 13.25)),
        ("52° 30.6′ N 13° 15′ E", "lat_lon", ("lat_lon", 52.51, 13.25)),
        ("52 30 36 13 15 0", "lat_lon", ("lat_lon", 52.51, 13.25)),
        ("0°30'S 0°15'W", "lat_lon", ("lat_lon", -0.5, -0.25)),
        ("lat 52.5 lon 13.25", "lat_lon", ("lat_lon", 52.5, 13.25)),
        ("10, 350", "lat_lon", ("lat_lon", 10, -10)),
    ],
)
def test_what_people_write(text: str, kind: str, found: tuple[str, float, float]) -> None:
    got = parse_place(text, kind)
    assert (got.kind, got.first, got.second) == (
        found[0], pytest.approx(found[1]), pytest.approx(found[2])
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("", "row_col", "No place is given"),
        ("12", "row_col", "no row, column"),
        ("twelve, 40", "row_col", "no row, column"),
        ("1, 2, 3", "map", "no map x, y"),
        ("91 N 13 E", "lat_lon", "between -90 and 90"),
        ("52 N 200 W", "lat_lon", "between -180 and 180"),
        ("52 N 13 N", "lat_lon", "Both numbers"),
        ("-52 S, 13 E", "lat_lon", "sign and a side"),
        ("52°61' 13°", "lat_lon", "less than 60 minutes"),
        ("52°30'60\" 13°", "lat_lon", "less than 60 seconds"),
        ("52.5°30' 13°", "lat_lon", "no latitude, longitude"),
        ("52 30 13", "lat_lon", "no latitude, longitude"),
        ("52 Q 13", "lat_lon", "no latitude, longitude"),
    ],
)
def test_one_sentence_says_what_is_wrong(text: str, kind: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        parse_place(text, kind)


@given(st.text(max_size=40), st.sampled_from(["row_col", "map", "lat_lon"]))
def test_anything_is_a_place_or_a_sentence(text: str, kind: str) -> None:
    try:
        got = parse_place(text, kind)
    except BadInput:
        return
    assert np.isfinite([got.first, got.second]).all()


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_degrees_minutes_and_seconds_come_back(lat: float, lon: float) -> None:
    got = parse_place(f"{dms(lat, 'NS')} {dms(lon, 'EW')}", "row_col")
    assert got.first == pytest.approx(lat, abs=0.006 / 3600)
    assert abs((got.second - lon + 180) % 360 - 180) < 0.006 / 3600


@given(st.floats(0, 63), st.floats(0, 127))
def test_every_way_leads_to_the_same_pixel(row: float, col: float) -> None:
    scene = scene_at(UTM)
    words = place_words(scene, row, col)
    for kind, tolerance in (("map", 1e-3), ("lat_lon", 5e-3), ("dms", 2e-2)):
        place = parse_place(words[kind], "row_col" if kind == "dms" else kind)
        assert to_pixel(scene, place) == pytest.approx((row, col), abs=tolerance)


def test_outside_or_unknown_is_said() -> None:
    with pytest.raises(BadInput, match=r"outside Field.*latitudes 52\."):
        to_pixel(scene_at(UTM), WrittenPlace("lat_lon", 48.0, 13.0))
    with pytest.raises(BadInput, match="rows 0 to 63"):
        to_pixel(scene_at(UTM), WrittenPlace("row_col", 64, 0))
    with pytest.raises(BadInput, match="does not say where"):
        to_pixel(scene_at(None), WrittenPlace("map", 1, 1))
    with pytest.raises(BadInput, match="no coordinate system"):
        to_pixel(scene_at(GeoReference((1, 0, 0, 0, -1, 0))), WrittenPlace("lat_lon", 1, 1))


def test_a_table_of_coordinates_is_searched() -> None:
    rows, cols = np.mgrid[0:64, 0:128]
    lon, lat = 179.9 + 0.002 * cols, 10 - 0.002 * rows
    lon = np.where(lon > 180, lon - 360, lon)  # over the date line
    scene = scene_at(GeolocationTable(lambda: (lon, lat)))
    assert to_pixel(scene, WrittenPlace("lat_lon", lat[20, 90], lon[20, 90])) == (20, 90)
    with pytest.raises(BadInput, match="outside"):
        to_pixel(scene, WrittenPlace("lat_lon", 11.0, 179.9))
    with pytest.raises(BadInput, match="latitude and longitude only"):
        to_pixel(scene, WrittenPlace("map", 1.0, 1.0))


def test_a_real_scene(clearband_data: Path) -> None:
    from backends.io import open_scene

    with open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr") as scene:
        words = place_words(scene, 30, 30)
        place = parse_place(words["dms"])
        assert to_pixel(scene, place) == pytest.approx((30, 30), abs=0.02)
