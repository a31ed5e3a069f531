"""Areas with a class from GeoJSON: where they lie, what they are called, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io.region_files import read_classed_areas
from backends.label_files import labels_for
from backends.scene import ArraySource, Scene, SceneInfo

UTM = GeoReference((30.0, 0.0, 360_000.0, 0.0, -30.0, 5_810_000.0), "EPSG:32633")


def scene(reference: GeoReference | None = None) -> Scene:
    info = SceneInfo(None, "hyperspectral", BandTable.build(4), title="Field", place=reference)
    return Scene(ArraySource(np.zeros((20, 30, 4), np.float32)), info)


def square(low: float, high: float, place: Any = lambda x, y: (x, y)) -> list[list[float]]:
    corners = [(low, low), (high, low), (high, high), (low, high), (low, low)]
    return [list(map(float, place(x, y))) for x, y in corners]


def feature(coordinates: Any, kind: str = "Polygon", **properties: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def written(path: Path, *features: dict[str, Any], **more: Any) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **more}))
    return path


def test_columns_and_rows_where_there_is_no_map(tmp_path: Path) -> None:
    path = written(
        tmp_path / "areas.geojson",
        feature([square(2, 10), square(4, 6)], Class="Crop  north"),
        feature([[square(12, 14)], [square(15, 17)]], "MultiPolygon", Class="Water"),
        feature([20.2, 19.6, 99.0], "Point", Class="Water"),
    )
    found = labels_for(scene(), path)
    assert found.class_names == {1: "Crop north", 2: "Water"}
    expected = np.zeros((20, 30), np.uint8)
    expected[2:10, 2:10] = 1
    expected[4:6, 4:6] = 0
    expected[12:14, 12:14] = expected[15:17, 15:17] = expected[19, 20] = 2
    np.testing.assert_array_equal(found.values, expected)


@pytest.mark.parametrize("how", ["scene", "named", "lonlat"])
def test_map_coordinates(tmp_path: Path, how: str) -> None:
    from pyproj import Transformer

    turn = Transformer.from_crs("EPSG:32633", "OGC:CRS84", always_xy=True).transform

    def place(col: float, row: float) -> tuple[float, float]:
        x, y = UTM.to_map(row, col)
        return turn(x, y) if how == "lonlat" else (x, y)

    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    more = {"crs": crs} if how == "named" else {}
    path = written(tmp_path / "a.json", feature([square(4.5, 8.5, place)], label=7.0), **more)
    found = labels_for(scene(UTM), path)
    assert found.class_names == {7: "Class 7"}
    expected = np.zeros((20, 30), np.uint8)
    expected[5:9, 5:9] = 7
    np.testing.assert_array_equal(found.values, expected)


def test_the_property_and_the_coordinates_can_be_said(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", feature([square(0.5, 4.5)], name="x", ground="Wood"))
    options = {"class": "Ground", "coordinates": "pixels"}
    assert labels_for(scene(UTM), path, options).class_names == {1: "Wood"}
    with pytest.raises(BadInput, match="No area of a.json lies on a pixel"):
        labels_for(scene(UTM), path)  # longitude 0 to 4 is elsewhere
    with pytest.raises(BadInput, match="no option key"):
        labels_for(scene(), path, {"key": "gt"})
    with pytest.raises(BadInput, match="no map coordinates"):
        labels_for(scene(), path, {"coordinates": "scene"})
    with pytest.raises(BadInput, match="has no class in height"):
        labels_for(scene(), path, {"class": "height"})


AREA = '{"type":"Feature","geometry":{"type":"Polygon","coordinates":'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "no GeoJSON, or damaged"),
        ('{"a":' * 5000, "no GeoJSON, or damaged"),
        ("{\x00}", "no GeoJSON, or damaged"),
        ('{"type": "Topology"}', "no polygon and no point"),
        ('{"type": "FeatureCollection", "features": []}', "no polygon and no point"),
        ('{"type": "FeatureCollection", "features": [3]}', "no GeoJSON of areas"),
        ('{"type": "Feature", "geometry": null, "properties": null}', "no polygon and no point"),
        ('{"type": "Feature", "geometry": 7, "properties": {}}', "neither polygon nor point"),
        ('{"type":"Feature","geometry":{"type":"LineString","coordinates":[]}}', "neither"),
        (AREA + "[[[NaN,0],[1,0],[1,1],[NaN,0]]]}}", "no GeoJSON, or damaged"),
        (AREA + "[[[1e999,0],[1,0],[1,1],[1e999,0]]]}}", "damaged"),
        (AREA + "[[1,2]]}}", "damaged"),
        (AREA + '{"a":1}}}', "damaged"),
        ('{"type":"Feature","geometry":{"type":"Point","coordinates":[1]}}', "damaged"),
        ('{"type":"Feature","geometry":{"type":"Point","coordinates":[1,1]}}', "has no class"),
        (
            '{"type":"Feature","geometry":{"type":"Point","coordinates":[1,1]},'
            '"properties":{"class":900}}',
            "numbered 1 to 255",
        ),
    ],
)
def test_what_is_damaged_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "bad.geojson"
    path.write_text(text)
    with pytest.raises(BadInput, match=sentence):
        read_classed_areas(path, scene())


def test_too_many_points_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.io import region_files

    path = written(tmp_path / "a.json", feature([square(0, 4)], name="x"))
    monkeypatch.setattr(region_files, "MOST_POINTS", 4)
    with pytest.raises(BadInput, match="more than 4 points"):
        read_classed_areas(path, scene())
    monkeypatch.setattr(region_files, "MOST_AREAS", 0)
    with pytest.raises(BadInput, match="more than 0 areas"):
        read_classed_areas(path, scene())


def test_areas_far_away_cost_nothing(tmp_path: Path) -> None:
    far = feature([square(-1e300, 1e300)], name="All")
    path = written(tmp_path / "a.json", far, feature([square(1, 3)], name="x"))
    found = labels_for(scene(), path)
    assert found.values[19, 29] == 1
    assert found.values[1, 1] == 2
