"""The whole set: opened again by other means, compared, and never half of it."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely

from backends.errors import BadInput, Cancelled
from backends.io.kml import read_kml
from backends.io.writers import atomic
from backends.perimeters.acreage import acreage, filled
from backends.perimeters.beside import with_contained
from backends.perimeters.coordinates import WGS84, moved
from backends.perimeters.deliverables import deliver as module
from backends.perimeters.deliverables.deliver import Delivery, deliver
from backends.perimeters.deliverables.geopdf import page_reference
from backends.perimeters.deliverables.options import DeliveryOptions
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.importing import read_perimeters
from backends.progress import CancelToken, Progress
from tests.backends.perimeters.deliverables.conftest import CRS, goat

IRWIN = "{7B2F6C0E-3A7D-4B0E-9C42-1F0A5D3E8A11}"


def _paths(made: Delivery) -> dict[str, Path]:
    return {f.product: f.path for f in made.files}


def _rows(path: Path | str, layer: str | None = None) -> tuple[Any, list[dict[str, Any]], str]:
    meta, _, wkb, data = pyogrio.raw.read(str(path), layer=layer, datetime_as_string=True)
    rows = [dict(zip(meta["fields"], v, strict=True)) for v in zip(*data, strict=True)]
    return shapely.from_wkb(wkb), rows, meta["crs"]


def test_a_draft_says_so_everywhere(draft: PerimeterDocument, tmp_path: Path) -> None:
    made = deliver(draft, tmp_path / "out", DeliveryOptions(zone="America/Boise"))
    assert made.mark == "DRAFT"
    paths = _paths(made)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        p.name for p in paths.values()
    )
    assert all(p.name.startswith("20260828_2212_GoatPeak_IR_DRAFT") for p in paths.values())
    layers = pyogrio.list_layers(paths["geopackage"])[:, 0]
    heat = [name for name in layers if "IR_" in name or "Cloud" in name or "Island" in name]
    assert len(heat) == 7
    assert all(name.endswith("_DRAFT") for name in heat)
    for name in heat:
        _, rows, _ = _rows(paths["geopackage"], name)
        assert {r["FeatureStatus"] for r in rows} == {"Proposed"}
        assert all(r["Label"].startswith("DRAFT") or "island" in r["Label"] for r in rows)
    with zipfile.ZipFile(paths["shapefile"]) as archive:
        assert all("_DRAFT_" in name for name in archive.namelist())
        assert any(name.endswith("_IRHeatPerimeter.cpg") for name in archive.namelist())
    with zipfile.ZipFile(paths["kmz"]) as archive:
        kml = archive.read("doc.kml").decode()
    assert "http://" not in kml.replace("http://www.opengis.net/kml/2.2", "")
    names = [part.partition("</name>")[0] for part in kml.split("<name>")[1:]]
    assert all("DRAFT" in name for name in names)
    assert "DRAFT" in paths["log"].read_text().splitlines()[0]
    collection = json.loads(paths["geojson"].read_text())
    assert {f["properties"]["FeatureStatus"] for f in collection["features"]} == {"Proposed"}
    for product in ("map", "mobile"):
        assert b"(DRAFT Goat Peak: infrared perimeter)" in paths[product].read_bytes()


def test_a_verified_set_read_by_other_means(verified: PerimeterDocument, tmp_path: Path) -> None:
    made = deliver(verified, tmp_path)
    paths = _paths(made)
    assert not any("DRAFT" in p.name for p in tmp_path.iterdir())
    line = verified.perimeter
    area = acreage(line, CRS, CRS)
    shapes, rows, crs = _rows(paths["geopackage"], "IR_Heat_Perimeter")
    assert crs == CRS
    assert shapely.equals_exact(shapes[0].normalize(), shapely.MultiPolygon([line]).normalize())
    first = rows[0]
    assert first["IncidentName"] == "Goat Peak"
    assert first["IRWINID"] == IRWIN
    assert first["FeatureCategory"] == "IR Heat Perimeter"
    assert first["MapMethod"] == "IR Image Interpretation"
    assert (first["FeatureStatus"], first["ReviewState"]) == ("Approved", "verified")
    assert (first["ReviewedBy"], first["ContactName"]) == ("Ann Lee", "Ann Lée")
    assert str(first["PolygonDateTime"]).startswith("2026-08-29T04:12:00")
    assert first["GISAcres"] == pytest.approx(area.gross_ac, rel=1e-12)
    assert first["PlanarAcres"] == pytest.approx(area.planar_gross_ac, rel=1e-12)
    assert first["GISAcresNet"] < first["GISAcres"]
    assert "Geodesic area on the WGS84" in first["AcresMethod"]
    islands, _, _ = _rows(paths["geopackage"], "Unburned_Islands")
    assert islands[0].area == pytest.approx(shapely.Point(0, 0).buffer(300).area)
    _, trail, _ = _rows_without_shape(paths["geopackage"], "Audit_Trail")
    assert [r["Digest"] for r in trail] == [e.digest for e in verified.trail.entries]

    stem = paths["geopackage"].stem
    inner = f"/vsizip/{paths['shapefile']}/{stem}_IRHeatPerimeter.shp"
    shapes, rows, _ = _rows(inner)
    assert shapely.normalize(shapes[0]).equals_exact(line.normalize(), 0)
    assert rows[0]["PolyDate"] == "2026-08-29T04:12:00Z"
    assert str(rows[0]["PolyDay"])[:10].replace("/", "-") == "2026-08-29"
    assert rows[0]["ContactNam"] == "Ann Lée"
    assert rows[0]["GISAcres"] == pytest.approx(area.gross_ac, rel=1e-9)

    globe = moved(line, CRS, WGS84)
    found = {p.fields["FeatureCategory"]: p for p in read_kml(paths["kmz"])
             if "FeatureCategory" in p.fields}  # fmt: skip
    mark = found["IR Heat Perimeter"]
    assert shapely.hausdorff_distance(mark.geometry, globe) < 2e-9
    assert mark.fields["PolygonDateTime"] == "2026-08-29T04:12:00Z"
    assert mark.fields["GISAcres"] == repr(area.gross_ac)
    shape, properties = _geojson(paths["geojson"], "IR Heat Perimeter")
    assert shapely.hausdorff_distance(shape, globe) < 2e-9
    assert properties["PolygonDateTime"] == "2026-08-29T04:12:00Z"
    assert properties["IRWINID"] == IRWIN
    assert shape.geoms[0].exterior.is_ccw  # RFC 7946

    again, _ = read_perimeters(paths["geopackage"]).of_one_fire()
    assert again.equals(line)
    for product in ("map", "mobile"):
        place = page_reference(paths[product])
        assert place.crs == CRS
        assert shapely.box(*place.extent).contains(line)


def test_what_is_contained_is_in_every_product(draft: PerimeterDocument, tmp_path: Path) -> None:
    edge = filled(draft.perimeter).boundary
    west = shapely.box(0, 0, 500_000, 9_000_000)
    held = edge.intersection(west).buffer(4).boundary  # drawn on both sides, 4 m off
    with_line = replace(draft.beside, contained=held, contained_label="night2.gpkg")
    draft.lay_beside(with_line, "Ann Lee")
    made = deliver(draft, tmp_path)
    paths = _paths(made)
    shapes, rows, _ = _rows(paths["geopackage"], "Contained_Line_DRAFT")
    assert shapes[0].geom_type == "MultiLineString"
    assert rows[0]["FeatureCategory"] == "Contained"
    assert rows[0]["GISAcres"] is None or math.isnan(rows[0]["GISAcres"])
    assert rows[0]["Label"].startswith("DRAFT")
    assert "night2.gpkg" in rows[0]["Comments"]
    rest, others, _ = _rows(paths["geopackage"], "Uncontained_Line_DRAFT")
    assert others[0]["FeatureCategory"] == "Uncontained"
    # The two are the whole outer line, and no more: the island is none of it.
    assert shapes[0].length + rest[0].length == pytest.approx(edge.length, rel=1e-9)
    assert shapes[0].length == pytest.approx(edge.intersection(west).length, rel=0.02)
    assert shapely.hausdorff_distance(shapely.union(shapes[0], rest[0]), edge) < 1e-6
    globe = {p.fields.get("FeatureCategory"): p.geometry for p in read_kml(paths["kmz"])}
    assert shapely.hausdorff_distance(globe["Contained"], moved(shapes[0], CRS, WGS84)) < 2e-9
    shape, _ = _geojson(paths["geojson"], "Uncontained")
    assert shapely.hausdorff_distance(shape, moved(rest[0], CRS, WGS84)) < 2e-9
    ids = [f["id"] for f in json.loads(paths["geojson"].read_text())["features"]]
    assert len(ids) == len(set(ids))
    with zipfile.ZipFile(paths["shapefile"]) as archive:
        assert any(name.endswith("_ContainedLine.shp") for name in archive.namelist())
    assert b"(Contained line)" in paths["map"].read_bytes()
    again, _ = read_perimeters(paths["geopackage"]).of_one_fire()
    assert again.equals(draft.perimeter)  # lines do not disturb the outline
    # The next day it is the contained line to lay beside.
    for product in ("geopackage", "shapefile"):
        taken = with_contained(draft, paths[product]).contained
        assert shapely.hausdorff_distance(taken, shapes[0]) < 1e-6


def test_without_a_contained_line_nothing_is_said_of_it(
    draft: PerimeterDocument, tmp_path: Path
) -> None:
    made = deliver(draft, tmp_path)
    layers = pyogrio.list_layers(_paths(made)["geopackage"])[:, 0]
    assert not any("ontained" in name for name in layers)


def _rows_without_shape(path: Path, layer: str) -> tuple[None, list[dict[str, Any]], None]:
    meta, _, _, data = pyogrio.raw.read(str(path), layer=layer)
    return None, [dict(zip(meta["fields"], v, strict=True)) for v in zip(*data, strict=True)], None


def _geojson(path: Path, category: str) -> tuple[Any, dict[str, Any]]:
    features = json.loads(path.read_text())["features"]
    found = next(f for f in features if f["properties"]["FeatureCategory"] == category)
    return shapely.geometry.shape(found["geometry"]), found["properties"]


def test_log_and_checksums(verified: PerimeterDocument, tmp_path: Path) -> None:
    options = DeliveryOptions(
        ("geojson", "map"), platform="N350FV", sensor="AMS", coverage="thin smoke in the west",
        received="2026-08-29T05:00Z",
    )  # fmt: skip
    paths = _paths(deliver(verified, tmp_path, options))
    assert set(paths) == {"geojson", "map", "log", "facts", "checksums"}
    listed = dict(
        reversed(line.split("  ")) for line in paths["checksums"].read_text().splitlines()
    )
    assert set(listed) == {p.name for k, p in paths.items() if k != "checksums"}
    for name, digest in listed.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    facts = json.loads(paths["facts"].read_text())
    assert facts["before"]["growth_ac"] > 500
    assert (facts["isolated"], facts["possible"]) == (1, 1)
    assert facts["imagery"]["received_utc"] == "2026-08-29T05:00:00Z"
    assert facts["acres"]["method"] in paths["log"].read_text()
    log = paths["log"].read_text()
    told = ("N350FV AMS", "thin smoke", "PolygonDateTime: PolyDate", "6,900.0 to 7,400.0 ac")
    for words in (*told, listed[paths["map"].name], "Verified by Ann Lee"):
        assert words in log


def test_superseded_lines_say_so(verified: PerimeterDocument, tmp_path: Path) -> None:
    verified.supersede("Ann Lee", "tomorrow's line")
    made = deliver(verified, tmp_path, DeliveryOptions(("geojson",)))
    assert made.mark == "SUPERSEDED"
    _, properties = _geojson(_paths(made)["geojson"], "IR Heat Perimeter")
    assert properties["FeatureStatus"] == "Archive"
    assert all("_SUPERSEDED" in p.name for p in tmp_path.iterdir())


def test_another_coordinate_system(verified: PerimeterDocument, tmp_path: Path) -> None:
    options = DeliveryOptions(("geopackage", "shapefile"), crs="EPSG:5070")
    paths = _paths(deliver(verified, tmp_path, options))
    shapes, rows, crs = _rows(paths["geopackage"], "IR_Heat_Perimeter")
    assert crs == "EPSG:5070"
    assert shapes[0].area / 4046.8564224 == pytest.approx(rows[0]["GISAcresNet"], rel=1e-4)
    assert "EPSG:5070" in rows[0]["AcresMethod"]
    with pytest.raises(BadInput, match="Web Mercator inflates areas"):
        deliver(verified, tmp_path / "web", DeliveryOptions(crs="EPSG:3857"))
    assert not (tmp_path / "web").exists()


def test_what_cannot_be_handed_over(draft: PerimeterDocument, tmp_path: Path) -> None:
    bow = shapely.Polygon([(5e5, 4e6), (5.01e5, 4.001e6), (5.01e5, 4e6), (5e5, 4.001e6)])
    crossing = PerimeterDocument(CRS, [Feature(HeatClass.PERIMETER, bow)])
    with pytest.raises(BadInput, match=r"IR Heat Perimeter crosses itself at 36\.149"):
        deliver(crossing, tmp_path)
    with pytest.raises(BadInput, match="no heat perimeter to hand over"):
        deliver(PerimeterDocument(CRS), tmp_path)
    nowhere = goat()
    nowhere.crs = ""
    with pytest.raises(BadInput, match="has no coordinate system"):
        deliver(nowhere, tmp_path)
    early = goat()
    early.image_utc = "2999-01-01T00:00:00Z"
    with pytest.raises(BadInput, match="time of the image lies in the future"):
        deliver(early, tmp_path)
    with pytest.raises(BadInput, match="received lies in the future"):
        deliver(draft, tmp_path, DeliveryOptions(("geojson",), received="2999-01-01"))
    changed = goat()
    changed.features[0] = Feature(HeatClass.PERIMETER, bow.convex_hull, id=changed.features[0].id)
    with pytest.raises(BadInput, match="not what its audit trail says"):
        deliver(changed, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_clock_behind_the_trail(
    draft: PerimeterDocument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backends.perimeters import document as module
    from backends.perimeters.clock import parsed

    monkeypatch.setattr(module, "now", lambda: parsed("2020-01-01"))
    with pytest.raises(BadInput, match="Set the clock, then hand it over"):
        deliver(draft, tmp_path)


def test_two_fires_of_one_name(tmp_path: Path) -> None:
    options = DeliveryOptions(("geojson",))
    first = _paths(deliver(goat(), tmp_path, options))["geojson"].read_bytes()
    with pytest.raises(BadInput, match=r"another fire of that name \(\{7B2F6C0E"):
        deliver(goat(irwin="AAAAAAAA"), tmp_path, options)
    with pytest.raises(BadInput, match=r"another fire of that name \(\{7B2F6C0E"):
        deliver(goat(irwin="", east=90_000), tmp_path, options)
    assert next(tmp_path.glob("*.geojson")).read_bytes() == first
    deliver(goat(), tmp_path, options)  # the same fire, drawn again
    named = DeliveryOptions(("geojson",), template="{date}_{time}_{incident}_{local}_IR")
    other = goat(irwin="AAAAAAAA", LocalIncidentID="2026-AKTAD-000674")
    assert "2026-AKTAD-000674" in _paths(deliver(other, tmp_path, named))["geojson"].name


@pytest.mark.parametrize("product", ["geopackage", "kmz", "map"])
def test_a_full_disk_leaves_what_was_there(
    draft: PerimeterDocument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, product: str
) -> None:
    deliver(draft, tmp_path, DeliveryOptions(("geojson",)))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    # GDAL and Python both stop at a limit of the size of files as on a full disk.
    resource = pytest.importorskip("resource", reason="Windows knows no limit of this kind")
    import signal

    monkeypatch.setattr(atomic, "_FULL_BYTES", 1 << 62)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, old[1]))
    try:
        with pytest.raises(BadInput, match=r"The disk is full; .* was not written"):
            deliver(draft, tmp_path, DeliveryOptions((product,)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_what_reads_back_differently_is_not_delivered(
    draft: PerimeterDocument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module.write_geojson

    def damaged(line: Any, path: Path) -> None:
        write(line, path)
        path.write_text(path.read_text().replace('"Proposed"', '"Approved"', 1))

    monkeypatch.setattr(module, "write_geojson", damaged)
    with pytest.raises(BadInput, match="could not be written") as found:
        deliver(draft, tmp_path, DeliveryOptions(("geojson",)))
    assert "attributes in 2026" in found.value.details
    assert not list(tmp_path.iterdir())


def test_a_cancelled_delivery_leaves_nothing(draft: PerimeterDocument, tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        deliver(draft, tmp_path / "out", progress=Progress(token))
    assert not list(tmp_path.iterdir())
