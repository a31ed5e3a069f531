"""Outlines of other programs: mended, told apart, and read without trust."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely

from backends.errors import BadInput, NeedsChoice
from backends.perimeters.acreage import acreage
from backends.perimeters.coordinates import local_utm
from backends.perimeters.importing import read_perimeters
from backends.perimeters.opening import draft_from

BOWTIE = [[-117, 36], [-116.9, 36.1], [-116.9, 36], [-117, 36.1], [-117, 36]]
KML = """<?xml version="1.0"?>{dtd}<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark>
<name>Goat</name><ExtendedData><Data name="IRWINID"><value>{{7b2f6c0e-3a7d-4b0e-9c42-1f0a5d3e8a11}}
</value></Data></ExtendedData><MultiGeometry><Polygon><outerBoundaryIs><LinearRing><coordinates>
-117,36,0 -116.9,36,0 -116.9,36.1,0 -117,36.1,0 -117,36,0 </coordinates></LinearRing>
</outerBoundaryIs></Polygon></MultiGeometry></Placemark></Document></kml>"""


def _geojson(path: Path, *features: tuple[Any, dict]) -> Path:
    listed = [
        {"type": "Feature", "properties": fields,
         "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for ring, fields in features
    ]  # fmt: skip
    path.write_text(json.dumps({"type": "FeatureCollection", "features": listed}))
    return path


def _box(lon: float) -> list[list[float]]:
    return [[lon, 36], [lon + 0.1, 36], [lon + 0.1, 36.1], [lon, 36.1], [lon, 36]]


def test_real_perimeters_have_the_published_acres(clearband_data: Path) -> None:
    found = read_perimeters(
        clearband_data / "wildfire" / "perimeters" / "nifc_perimeters_2025-01-24.geojson"
    )
    assert len(found.features) == 9
    assert "Palisades" in found.names
    assert sum("was mended" in note for note in found.notes) == 4
    horton, _ = found.of_one_fire("Horton")
    # GISAcres of the layer, which were computed on the ellipsoid.
    ours = acreage(horton, found.crs, local_utm(horton, found.crs)).net_ac
    assert ours == pytest.approx(8346.2566, rel=1e-5)
    with pytest.raises(NeedsChoice, match="holds 9 fires"):
        found.of_one_fire()
    document = draft_from(found, fire="Palisades", who="Ann")
    assert document.crs == "EPSG:32611"
    assert document.perimeter.is_valid
    assert document.attributes["IRWINID"].startswith("{A7EA5D21")
    assert "GISAcres" not in document.attributes


def test_crossing_rings_are_mended_and_said(tmp_path: Path) -> None:
    found = read_perimeters(_geojson(tmp_path / "a.geojson", (BOWTIE, {"IncidentName": "Goat"})))
    assert found.features[0].geometry.is_valid
    assert found.features[0].geometry.area == pytest.approx(0.005)
    assert "crossed itself (Self-intersection" in found.notes[0]


def test_two_fires_of_one_name(tmp_path: Path) -> None:
    one, two = {"IncidentName": "Canyon"}, {"IncidentName": "Canyon"}
    path = _geojson(tmp_path / "a.geojson", (_box(-117), one), (_box(-120), two))
    with pytest.raises(NeedsChoice, match="holds 2 fires called Canyon"):
        read_perimeters(path).of_one_fire("Canyon")
    assert read_perimeters(path).of_one_fire("Canyon 36.050 -119.950")[0].bounds[0] == -120
    same = _geojson(tmp_path / "b.geojson", (_box(-117), one), (_box(-116.9), two))
    assert read_perimeters(same).of_one_fire()[0].area == pytest.approx(0.02)


def test_fields_are_known_by_other_names(tmp_path: Path) -> None:
    fields = {"poly_IncidentName": "Goat", "poly_PolygonDateTime": 1736639700000, "attr_X": 1}
    found = read_perimeters(_geojson(tmp_path / "a.geojson", (_box(-117), fields)))
    assert found.features[0].attributes == {
        "IncidentName": "Goat", "PolygonDateTime": "2025-01-11T23:55:00Z",
    }  # fmt: skip
    late = {"IncidentName": "Goat", "PolygonDateTime": "2999-01-01T00:00:00Z"}
    found = read_perimeters(_geojson(tmp_path / "b.geojson", (_box(-117), late)))
    assert "in the future" in found.notes[0]


@pytest.mark.parametrize("packed", [False, True])
def test_kml(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("a.kmz" if packed else "a.kml")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("doc.kml", KML.format(dtd=""))
    else:
        path.write_text(KML.format(dtd=""))
    shape, first = read_perimeters(path).of_one_fire()
    assert shape.equals(shapely.box(-117, 36, -116.9, 36.1))
    assert first.name == "Goat"
    assert "7b2f6c0e" in first.attributes["IRWINID"]


def test_hostile_files(tmp_path: Path) -> None:
    entity = '<!DOCTYPE k [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    (tmp_path / "bomb.kml").write_text(KML.format(dtd=entity))
    with pytest.raises(BadInput, match="could do harm"):
        read_perimeters(tmp_path / "bomb.kml")
    with zipfile.ZipFile(tmp_path / "bomb.kmz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", b"0" * (20 << 20))
    with pytest.raises(BadInput, match="would unpack to 20 MB"):
        read_perimeters(tmp_path / "bomb.kmz")
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        archive.writestr("../a.shp", b"")
    with pytest.raises(BadInput, match="would lie elsewhere"):
        read_perimeters(tmp_path / "out.zip")
    (tmp_path / "nan.kml").write_text(KML.format(dtd="").replace("-117,36,0", "nan,36,0"))
    with pytest.raises(BadInput, match="coordinates that cannot be read"):
        read_perimeters(tmp_path / "nan.kml")
    for name, content in (("x.kml", b"<kml"), ("x.gpkg", b"no"), ("x.geojson", b'{"type": 1}')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput):
            read_perimeters(tmp_path / name)


def test_no_coordinate_system(tmp_path: Path) -> None:
    wkb = shapely.to_wkb([shapely.box(4e5, 4e6, 4.01e5, 4.01e6)])
    _write_without_crs(tmp_path / "a.shp", wkb)
    with pytest.raises(BadInput, match="has no coordinate system"):
        read_perimeters(tmp_path / "a.shp")
    assert read_perimeters(tmp_path / "a.shp", crs="EPSG:32611").crs == "EPSG:32611"


def _write_without_crs(path: Path, wkb: Any) -> None:
    pyogrio.raw.write(path, wkb, [], [], geometry_type="Polygon", crs="EPSG:32611")
    path.with_suffix(".prj").unlink()
