"""``clearband spectra shift``: a known shift of a real scene, found, moved and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli.root import invoke
from backends.io import open_scene
from backends.pairs.shifting import move_to
from backends.spectra.cubes import subset


@pytest.fixture
def two(clearband_data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return a real scene, and a copy whose file says that it lies 60 m east and 45 m north."""
    one = clearband_data / "wildfire" / "hls" / "hls_10band_224.tif"
    with open_scene(one) as scene:
        move_to(scene, (60.0, 45.0))
        subset(scene, tmp_path / "later.tif")
    return one, tmp_path / "later.tif"


def test_it_is_found_and_taken_back(
    two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, later = two
    out = tmp_path / "moved.tif"
    assert invoke(["spectra", "shift", str(one), str(later), "--out", str(out), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["shift_columns"] == pytest.approx(2.0, abs=0.06)
    assert values["shift_rows"] == pytest.approx(-1.5, abs=0.06)
    assert values["right_m"] == pytest.approx(60, abs=2)
    assert values["certainty"] == "sure"
    with open_scene(one) as first, open_scene(out) as moved:
        assert moved.place.affine == pytest.approx(first.place.affine, abs=2)
    words = ["spectra", "shift", str(one), str(later), "--other-option", values["option"]]
    assert invoke([*words, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert "lie on each other" in again["note"]


def test_a_tie_says_the_same(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    one, later = two
    assert invoke(["spectra", "shift", str(one), str(later), "--tie", "10,20:10,20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["option"] == "shift=-60.0000,-45.0000"
    for words, code, sentence in (
        (["--tie", "10,20"], 2, "no tie"),
        (["--nm", "9000"], 3, ""),
    ):
        assert invoke(["spectra", "shift", str(one), str(later), *words]) == code
        assert sentence in capsys.readouterr().err
