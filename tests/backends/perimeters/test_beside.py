"""Contained line, satellite detections and yesterday's name, beside a line and in its checks."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.ops import substring

from backends.errors import BadInput, WrongUse
from backends.perimeters.acreage import filled
from backends.perimeters.beside import with_contained, with_detections
from backends.perimeters.checks import run_checks
from backends.perimeters.coordinates import WGS84, moved
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.importing import read_perimeters
from backends.perimeters.journal import Journal, load, save
from backends.perimeters.opening import lay_beside


def firms(path: Path, document: PerimeterDocument, spots: list[tuple]) -> Path:
    """Write a FIRMS table of x, y in metres, confidence and time."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        names = "latitude longitude scan track acq_date acq_time confidence instrument"
        table.writerow(names.split())
        for x, y, confidence, date, time in spots:
            place = moved(shapely.Point(x, y), document.crs, WGS84)
            table.writerow([place.y, place.x, 0.4, 0.4, date, time, confidence, "VIIRS"])
    return path


def lines(path: Path, document: PerimeterDocument, found: dict[str, Any]) -> Path:
    """Write lines by category as GeoJSON."""
    features = [
        {"type": "Feature", "properties": {"FeatureCategory": category} if category else {},
         "geometry": json.loads(shapely.to_geojson(moved(line, document.crs, WGS84)))}
        for category, line in found.items()
    ]  # fmt: skip
    text = json.dumps({"type": "FeatureCollection", "features": features})
    path.write_text(text, encoding="utf-8")
    return path


def checks(document: PerimeterDocument) -> dict[str, Any]:
    return {c.id: c for c in run_checks(document)}


def test_detections_outside_and_pieces_nobody_saw(
    document: PerimeterDocument, tmp_path: Path
) -> None:
    cold = shapely.Point(510_000, 4_000_000).buffer(400)
    document.add(Feature(HeatClass.PERIMETER, cold), "Ann Lee")
    day = "2026-08-29"
    table = firms(tmp_path / "viirs.csv", document, [
        (500_000, 4_001_500, "n", day, "0400"),  # inside
        (503_250, 4_000_000, "h", day, "0130"),  # its footprint touches the line
        (505_500, 4_000_000, "n", day, "0400"),  # outside
        (506_500, 4_000_000, "l", day, "0400"),  # outside, low confidence
        (507_500, 4_000_000, "h", "2026-08-26", "0400"),  # outside, days ago
        (900_000, 4_000_000, "h", day, "0400"),  # far off
    ])  # fmt: skip
    document.lay_beside(with_detections(document, table), "Ann Lee")
    assert len(document.beside.detections or ()) == 5
    found = checks(document)
    assert found["detections"].text.startswith("1 of 3 detections lie outside the line; 1 of low")
    assert found["detections"].where.distance(shapely.Point(505_500, 4_000_000)) < 1
    assert not found["undetected"].passed
    assert found["undetected"].text.startswith("1 of 2 pieces have no detection within 375 m")
    assert found["undetected"].where.equals(cold)

    document.remove(document.features[-1].id, "Ann Lee")
    assert checks(document)["undetected"].passed
    inside = firms(tmp_path / "in.csv", document, [(500_000, 4_001_500, "n", day, "0400")])
    document.lay_beside(with_detections(document, inside), "Ann Lee")
    assert checks(document)["detections"].passed
    old = firms(tmp_path / "old.csv", document, [(500_000, 4_001_500, "n", "2026-08-20", "0400")])
    document.lay_beside(with_detections(document, old), "Ann Lee")
    assert "none within 24 h" in checks(document)["detections"].text
    assert not checks(document)["detections"].passed


def test_contained_line_lies_on_the_edge_or_not(
    document: PerimeterDocument, tmp_path: Path
) -> None:
    edge = filled(document.perimeter).boundary
    half = substring(edge, 0, 0.5, normalized=True)
    off = shapely.LineString([(500_000, 4_000_000), (500_000, 4_000_500)])
    path = lines(tmp_path / "lines.geojson", document, {
        "Contained Line": half, "Uncontained": off,
    })  # fmt: skip
    document.lay_beside(with_contained(document, path), "Ann Lee")
    found = checks(document)["contained line"]
    assert found.passed
    assert (
        found.text == "0 m of contained line lie off the edge; 50 % of the outer line is contained."
    )
    plain = lines(tmp_path / "plain.geojson", document, {"": shapely.union(half, off)})
    document.lay_beside(with_contained(document, plain), "Ann Lee")
    found = checks(document)["contained line"]
    assert not found.passed
    assert found.text.startswith("500 m of contained line")
    assert found.where.length == pytest.approx(500, abs=1)
    none = lines(tmp_path / "none.geojson", document, {"Uncontained": off})
    with pytest.raises(BadInput, match="holds no contained line"):
        with_contained(document, none)


def test_what_lies_beside_is_kept_and_trailed(document: PerimeterDocument, tmp_path: Path) -> None:
    table = firms(tmp_path / "v.csv", document, [(505_500, 4_000_000, "n", "2026-08-29", "0400")])
    path = tmp_path / "goat.perimeter"
    journal = Journal(document, path)
    document.lay_beside(with_detections(document, table), "Ann Lee")
    again, recovered = load(path)  # as after a crash
    assert recovered == 1
    assert checks(again)["detections"].text == checks(document)["detections"].text
    assert again.trail.entries[-1].details["detections"] == "v.csv"
    journal.close()
    save(document, path)
    assert load(path)[0].beside.words() == document.beside.words()
    values = document.to_dict()
    del values["beside"]  # of the version before
    assert PerimeterDocument.from_dict(values).beside.detections is None
    found = run_checks(document)
    for check in found:
        if not check.passed:
            document.waive(check, "Ann Lee", "looked at it")
    document.to_review("Ann Lee")
    document.verify("Ann Lee", found)
    with pytest.raises(WrongUse, match="checks are closed"):
        document.lay_beside(document.beside, "Ann Lee")


def test_a_name_spelled_otherwise_yesterday_shows(
    document: PerimeterDocument, tmp_path: Path
) -> None:
    shape = json.loads(shapely.to_geojson(moved(document.perimeter, document.crs, WGS84)))
    feature = {"type": "Feature", "geometry": shape, "properties": {"IncidentName": "GOAT PEAK"}}
    path = tmp_path / "before.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    lay_beside(document, read_perimeters(path))
    found = checks(document)["spelling"]
    assert not found.passed
    assert found.text == "It is spelled Goat Peak here and GOAT PEAK before."


def test_real_detections_lie_in_no_line_of_another_continent(
    document: PerimeterDocument, clearband_data: Path
) -> None:
    path = clearband_data / "wildfire" / "perimeters" / "firms_hotspots_2026-07-02.geojson"
    document.lay_beside(with_detections(document, path), "Ann Lee")
    assert "none near the line" in checks(document)["detections"].text
