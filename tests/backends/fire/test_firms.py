"""FIRMS files become footprints."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from backends.errors import BadInput
from backends.fire.firms import read_firms

VIIRS = (
    "latitude,longitude,bright_ti4,scan,track,acq_date,acq_time,satellite,instrument,confidence,"
    "version,bright_ti5,frp,daynight\n"
    "40.0,-120.5,341.2,0.5,0.4,2026-07-02,942,N,VIIRS,h,2.0NRT,295.1,12.5,N\n"
)
MODIS = (
    "latitude,longitude,brightness,scan,track,acq_date,acq_time,satellite,instrument,confidence,"
    "version,bright_t31,frp,daynight\n"
    "-10,30,320,1.2,1.1,2026-07-02,0005,Terra,MODIS,25,6.1,290,8,D\n"
)


def test_viirs(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(VIIRS, encoding="utf-8")
    spot = read_firms(tmp_path / "v.csv")[0]
    assert spot.when_utc == dt.datetime(2026, 7, 2, 9, 42, tzinfo=dt.UTC)
    assert (spot.confidence, spot.night, spot.kelvin) == ("high", True, 341.2)
    corners = spot.footprint()
    assert (corners[1, 0] - corners[0, 0]) * 111_320 * 0.766 == pytest.approx(500, rel=0.001)
    assert (corners[2, 1] - corners[1, 1]) * 111_320 == pytest.approx(400)


def test_modis_counts_confidence(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(MODIS, encoding="utf-8")
    spot = read_firms(tmp_path / "m.csv")[0]
    assert (spot.confidence, spot.across_m, spot.night) == ("low", 1200.0, False)


def test_bad_files_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(BadInput, match="no columns latitude"):
        read_firms(tmp_path / "x.csv")
    (tmp_path / "y.csv").write_text(VIIRS.replace("40.0", "400"), encoding="utf-8")
    with pytest.raises(BadInput, match="Line 2 of y.csv"):
        read_firms(tmp_path / "y.csv")


def test_real_hotspots(clearband_data: Path) -> None:
    folder = clearband_data / "wildfire" / "perimeters"
    spots = read_firms(folder / "firms_hotspots_2026-07-02.geojson")
    assert len(spots) == 1687
    assert {s.confidence for s in spots} <= {"low", "nominal", "high"}
    assert {s.across_m for s in spots} <= {375.0, 1000.0}
