"""``clearband perimeter``: from a probability to a signed line, and what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from shapely.ops import substring

from app.main import run
from backends.perimeters.acreage import filled
from backends.perimeters.coordinates import WGS84, moved
from backends.perimeters.journal import load
from tests.backends.perimeters.test_beside import firms, lines


def _raster(path: Path, *, east: float = 0.0, crs: str | None = "EPSG:32611") -> Path:
    y, x = np.mgrid[0:90, 0:100]
    p = np.clip(1.3 - np.hypot(y - 45, x - 45) / 25, 0, 1).astype(np.float32)
    place = Affine(10, 0, 400_000 + east, 0, -10, 4_100_000)
    with rasterio.open(
        path, "w", driver="GTiff", height=90, width=100, count=1, dtype="float32", crs=crs,
        transform=place,
    ) as out:  # fmt: skip
        out.write(p, 1)
    return path


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what runs a command line and gives its JSON."""

    def command(*words: object, code: int = 0) -> Any:
        assert run(["perimeter", *(str(w) for w in words), "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return command


def test_a_night(tmp_path: Path, say: Any) -> None:
    before, now = tmp_path / "before", tmp_path / "now"
    made = say(
        "make", _raster(tmp_path / "a.tif"), "--out", before, "--incident", "Goat",
        "--time", "2026-08-28T04:00Z", "--who", "Ann",
    )  # fmt: skip
    assert made["area"]["gross_ac"] > 40
    assert made["state"] == "draft"
    assert made["interval_ac"][0] < made["area"]["gross_ac"]
    assert Path(made["written"]).name == "before.perimeter"
    again = _raster(tmp_path / "b.tif", east=30)
    say("make", again, "--out", now, "--incident", "Goat", "--time", "2026-08-29T04:00Z")
    found = say("compare", f"{now}.perimeter", f"{before}.perimeter")
    assert found["shift"]["shifted"]
    assert found["shift"]["dx_m"] == pytest.approx(30, abs=1)
    listed = say("check", f"{now}.perimeter")
    assert listed["open"] == 1
    refused = say("verify", f"{now}.perimeter", "--who", "Ann", code=3)
    assert "IRWIN" in refused["error"]
    say("waive", f"{now}.perimeter", "irwin", "--reason", "not assigned yet", "--who", "Ann")
    other = say("verify", f"{now}.perimeter", "--who", "Ann", "--image", tmp_path / "a.tif", code=3)
    assert "a.tif is not the image the line was drawn on" in other["error"]
    signed = say("verify", f"{now}.perimeter", "--who", "Ann", "--image", again)
    assert signed["state"] == "verified"
    assert signed["signature"]["who"] == "Ann"
    trail = say("trail", f"{now}.perimeter")
    assert [e["action"] for e in trail["entries"]][-2:] == ["In review", "Verified"]
    days = say("growth", f"{now}.perimeter", f"{before}.perimeter", "--zone", "America/Boise")
    assert [d["day"] for d in days] == ["2026-08-27", "2026-08-28"]


def test_plain_sentences(tmp_path: Path, say: Any) -> None:
    out = ("--out", tmp_path / "x")
    nowhere = say("make", _raster(tmp_path / "n.tif", crs=None), *out, code=3)
    assert "has no coordinate system" in nowhere["error"]
    assert "--crs" in nowhere["error"]
    good = _raster(tmp_path / "g.tif")
    late = say("make", good, *out, "--time", "2999-01-01", code=3)
    assert "in the future" in late["error"]
    assert "no IRWIN ID" in say("make", good, *out, "--irwin", "12", code=3)["error"]
    assert "no setting called seeed" in say("make", good, *out, "--set", "seeed=1", code=2)["error"]
    assert not (tmp_path / "x.perimeter").exists()
    (tmp_path / "bow.geojson").write_text(
        '{"type":"Feature","properties":{"IncidentName":"Goat"},"geometry":{"type":"Polygon",'
        '"coordinates":[[[-117,36],[-116.9,36.1],[-116.9,36],[-117,36.1],[-117,36]]]}}'
    )
    mended = say("import", tmp_path / "bow.geojson", *out)
    assert "crossed itself" in mended["notes"][0]
    say("make", good, "--out", tmp_path / "y")
    apart = say("compare", tmp_path / "y.perimeter", tmp_path / "x.perimeter", code=3)
    assert "km apart" in apart["error"]


def test_everything_in_one_action(tmp_path: Path, say: Any) -> None:
    image = _raster(tmp_path / "a.tif")
    file, out = tmp_path / "goat.perimeter", tmp_path / "out"
    say(
        "make", image, "--out", file, "--incident", "Goat", "--time", "2026-08-28T04:00Z",
        "--irwin", "7B2F6C0E-3A7D-4B0E-9C42-1F0A5D3E8A11",
    )  # fmt: skip
    names = say("export", file, "--out", out, "--preview")["names"]
    assert names["geopackage"] == "20260828_0400_Goat_IR_DRAFT.gpkg"
    assert not out.exists()
    made = say("export", file, "--out", out, "--backdrop", image)
    assert made["mark"] == "DRAFT"
    assert {f["name"] for f in made["files"]} == set(names.values())
    assert {p.name for p in out.iterdir()} == set(names.values())
    say("verify", file, "--who", "Ann")
    again = say("export", file, "--out", out, "--product", "kmz", "--zone", "America/Boise")
    assert again["mark"] == ""
    assert (out / "20260827_2200_Goat_IR.kmz").is_file()
    web = say("export", file, "--out", tmp_path / "web", "--crs", "EPSG:3857", code=3)
    assert "Web Mercator inflates areas" in web["error"]
    odd = say("export", file, "--out", tmp_path / "web", "--template", "a b", code=2)
    assert "cannot stand in a file name" in odd["error"]
    assert not (tmp_path / "web").exists()


def test_material_for_checks_and_painted_heat(tmp_path: Path, say: Any) -> None:
    file = tmp_path / "line.perimeter"
    raster = _raster(tmp_path / "a.tif")
    say("make", raster, "--out", file, "--incident", "Goat", "--time", "2026-08-28T04:00Z")
    document, _ = load(file)
    edge = substring(filled(document.perimeter).boundary, 0, 0.25, normalized=True)
    held = lines(tmp_path / "held.geojson", document, {"Contained Line": edge})
    left, low, right, high = document.perimeter.bounds
    spots = [(right + 2000, high, "h", "2026-08-28", "0330")]
    table = firms(tmp_path / "viirs.csv", document, spots)
    once = {c["id"]: c for c in say("check", file, "--detections", table)["checks"]}
    assert "1 of 1 detections lie outside" in once["detections"]["text"]
    assert "detections" not in {c["id"] for c in say("check", file)["checks"]}
    told = say("beside", file, "--contained", held, "--detections", table, "--who", "Ann")
    assert told["count"] == 1
    kept = {c["id"]: c for c in say("check", file)["checks"]}
    assert "% of the outer line is contained" in kept["contained line"]["text"]
    assert not kept["detections"]["passed"]
    say("waive", file, "detections", "--reason", "a gas flare", "--who", "Ann")
    assert "Nothing was given" in say("beside", file, code=2)["error"]

    middle = moved(document.perimeter.representative_point(), document.crs, WGS84)
    place = f"{middle.x:.6f},{middle.y:.6f}"
    assert say("draw", file, "--class", "intense", "--at", place)["objects"] == 1
    assert say("draw", file, "--class", "isolated", "--at", place)["objects"] >= 1
    assert say("draw", file, "--class", "intense", "--at", place, "--cut")["objects"] == 0
    assert "no class hot" in say("draw", file, "--class", "hot", "--at", place, code=2)["error"]
    assert "no place on Earth" in say("draw", file, "--class", "intense", "--at", "1,95", code=2)[
        "error"]  # fmt: skip

    before = tmp_path / "before.geojson"
    shape = shapely.box(left - 200, low, right, high)
    lines(before, document, {"": shape})
    assert "no line of yesterday" in say("union", file, code=3)["error"]
    say("beside", file, "--previous", before)
    assert say("union", file)["gross_ac"] == pytest.approx(shape.area / 4046.8564224, rel=2e-3)
