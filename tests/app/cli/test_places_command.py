"""``clearband spectra measure, profile, pixel, extreme`` on a real scene."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from app.cli.root import invoke
from backends.io import open_scene


@pytest.fixture
def potsdam(clearband_data: Path) -> Path:
    return clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr"


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    assert invoke(["spectra", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_lines_and_areas(potsdam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = asked(capsys, "measure", potsdam, "--point", "10,10", "--point", "10,20")
    assert line["length_m"] == pytest.approx(300, rel=1e-3)  # ten pixels of 30 m
    corners = [w for p in ("0,0", "0,10", "10,10", "10,0") for w in ("--point", p)]
    out = tmp_path / "field.geojson"
    area = asked(capsys, "measure", potsdam, *corners, "--area", "--out", out)
    assert area["area_m2"] == pytest.approx(90_000, rel=2e-3)
    assert json.loads(out.read_text())["features"][0]["geometry"]["type"] == "Polygon"
    by_degrees = asked(capsys, "measure", potsdam, "--as", "lat_lon",
                       "--point", "52.389354 N 13.030417 E",
                       "--point", "52°23'01.93\"N 13°02'28.47\"E")  # fmt: skip
    assert by_degrees["length_px"] == pytest.approx(np.hypot(21, 24), abs=0.05)


def test_a_profile_and_a_pixel_are_the_scene_s_own_values(
    potsdam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.csv"
    asked(capsys, "profile", potsdam, "--point", "0,0", "--point", "60,100", "--nm", 860,
          "--out", out)  # fmt: skip
    rows = list(csv.DictReader(out.read_text().splitlines()))
    with open_scene(potsdam) as scene:
        plane = scene.read(bands=[scene.bands.nearest(860)], physical=True)[:, :, 0]
        for row in (rows[0], rows[57], rows[-1]):
            assert float(row[next(h for h in row if "nm" in h)]) == pytest.approx(
                float(plane[int(row["row"]), int(row["col"])]), rel=1e-5
            )
        pixel = asked(capsys, "pixel", potsdam, "--at", "12,40", "--radius", 0)
        values = [row["12,40"] for row in pixel["values"]]
        wanted = scene.spectrum(12, 40)
        assert np.allclose(np.array(values, float), wanted, rtol=1e-5, equal_nan=True)
        highest = asked(capsys, "extreme", potsdam, "--nm", 860, "--rows", "0:30")["found"][0]
        assert highest["maximum"] == pytest.approx(float(np.nanmax(plane[:30])), rel=1e-6)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["measure", "--point", "1,1"], 3, "needs 2 different points"),
        (["measure", "--point", "1,1", "--point", "999,1"], 3, "lies outside"),
        (["profile", "--point", "1,1", "--point", "2;x"], 3, "no row, column"),
        (["profile", "--point", "1,1", "--point", "2,2", "--out", "p.txt"], 2, "no table"),
        (["pixel", "--at", "1,1", "--as", "zip"], 2, "no kind of place"),
        (["extreme"], 2, "No band"),
        (["extreme", "--band", "999"], 3, "no band 999"),
        (["extreme", "--band", "1", "--rows", "9:3"], 2, "no part"),
    ],
)
def test_errors_are_sentences(
    words: list[str], code: int, sentence: str, potsdam: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["spectra", words[0], str(potsdam), *words[1:]]) == code
    assert sentence in capsys.readouterr().err
