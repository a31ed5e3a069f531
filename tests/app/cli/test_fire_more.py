"""``clearband fire passes, rules, bands, map`` and the hot parts of a draft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from app.cli.root import invoke
from backends.fire.band_study import study_command
from backends.fire.maps import map_command
from backends.fire.question import FireQuestion
from backends.fire.several_passes import passes_command
from backends.io import open_scene
from tests.app.cli.test_fire import write_line


def test_passes_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, _ = write_line(tmp_path, "one", 1)
    two, _ = write_line(tmp_path, "two", 2)
    out = tmp_path / "passes"
    words = ["fire", "passes", str(one), str(two), "--out", str(out), "--rules", "A", "--json"]
    assert invoke(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert [p["scene"] for p in said["passes"]] == ["one.tif", "two.tif"]
    assert said["cells_observed_more_than_once"] == 96 * 96
    with rasterio.open(out / "passes_times_burning.tif") as file:
        burnt = file.read(1)
    found = sum(p["fire_pixels"] for p in said["passes"])
    assert burnt.sum() == found
    assert invoke(["fire", "passes", str(one), "--out", str(out)]) == 2


def test_the_table_of_rules_and_bands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene, mask = write_line(tmp_path, "one", 1)
    assert invoke(["fire", "rules", str(scene), "--json"]) == 0
    rows = {r["id"]: r for r in json.loads(capsys.readouterr().out)["rules"]}
    assert rows["A"]["applies"] is True
    assert rows["hfdi"]["applies"] is False
    kept = tmp_path / "bands.json"
    words = ["fire", "bands", str(scene), "--rules", "A", "--truth", str(mask)]
    assert invoke([*words, "--out", str(kept), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(kept.read_text(encoding="utf-8"))
    by = {row["part"]: row for row in said["rules"]}
    assert by["mid-wave infrared"]["kept"]["A"] < 0.2
    assert by["mid-wave infrared"]["published_alone"] == 0.446


def test_maps_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene, _ = write_line(tmp_path, "one", 1)
    before, _ = write_line(tmp_path, "two", 2)
    out = tmp_path / "map"
    words = ["fire", "map", "dnbr", str(scene), "--before", str(before), "--out", str(out)]
    assert invoke([*words, "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["written"]
    with rasterio.open(written[0]) as file:
        assert file.crs.to_epsg() == 32610
        assert np.isfinite(file.read(1)).any()
    assert invoke(["fire", "map", "dnbr", str(scene), "--out", str(out)]) == 2
    assert "before the fire" in capsys.readouterr().err
    assert invoke(["fire", "map", "nothing", str(scene), "--out", str(out)]) == 2


def test_a_draft_proposes_intense_heat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene, _ = write_line(tmp_path, "one", 1, 200)
    words = ["fire", str(scene), "--rules", "A", "--perimeter", "--time", "2026-08-29T04:12Z"]
    out = tmp_path / "found"
    assert invoke([*words, "--out", str(out), "--intense-k", "400", "--json"]) == 0
    capsys.readouterr()
    kept = json.loads((out / "perimeter" / "draft.perimeter").read_text(encoding="utf-8"))
    intense = [f for f in kept["features"] if f["class"] == "intense"]
    assert intense
    assert "400" in intense[0]["rule"]["text"]
    assert not any("No temperature" in note for note in kept["origin"]["notes"])


def test_what_the_window_logs_is_done_again(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = (write_line(tmp_path, name, 1, 48)[0] for name in ("one", "two"))
    question = FireQuestion(sensor="ams-12", rules=("A",), night=False, min_size=2)
    with open_scene(one) as first, open_scene(two) as second:
        lines = (
            passes_command([first, second], question, 2),
            study_command(first, question),
            map_command("ndvi-drop", first, question, second),
        )
    for words in lines:
        assert invoke(words) == 0, words
    assert (tmp_path / "one_passes" / "passes.json").is_file()
    assert list((tmp_path / "one_ndvi-drop").glob("*.tif"))
