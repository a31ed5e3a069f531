"""The L1B reader on a stand-in with pyhdf's calls: pyhdf itself is optional."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cli.root import invoke
from backends.errors import BadInput, Cancelled, MissingCapability
from backends.fire.fields import FireImage
from backends.fire.gridding import grid_to_utm, utm_of
from backends.fire.radiometry import planck
from backends.fire.sensors import AMS_12
from backends.io import open_scene
from backends.io.products import ams_l1b
from backends.jobs import CancelToken, Progress
from backends.scene import Window

LINES, SAMPLES = 40, 30


class StandInSds:
    """An SDS as pyhdf hands it out."""

    def __init__(self, values: np.ndarray, attributes: dict[str, Any]) -> None:
        self.values, self._attributes = values, attributes

    def info(self) -> tuple[Any, ...]:
        return ("", self.values.ndim, list(self.values.shape), 22, 0)

    def attributes(self) -> dict[str, Any]:
        return self._attributes

    def get(self, start: Any = None, count: Any = None) -> np.ndarray:
        if start is None:
            return self.values.copy()
        return self.values[tuple(slice(s, s + c) for s, c in zip(start, count, strict=True))]


class StandIn:
    """An SD file as pyhdf hands it out."""

    def __init__(self, parts: dict[str, tuple[np.ndarray, dict[str, Any]]]) -> None:
        self.parts, self.ended = parts, False

    def datasets(self) -> dict[str, Any]:
        return {n: ((), v.shape, 22, i) for i, (n, (v, _)) in enumerate(self.parts.items())}

    def select(self, name: str) -> StandInSds:
        return StandInSds(*self.parts[name])

    def end(self) -> None:
        self.ended = True


def contents() -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Return an AMS line: 305 K ground with a pixel of 360 K, radiance as stored."""
    scales = [0.1] * 10 + [0.01, 0.01]
    kelvin = np.full((LINES, SAMPLES), 305.0)
    kelvin[20, 10] = 360.0
    data = np.full((LINES, 12, SAMPLES), 300, np.int16)
    for band in (10, 11):
        radiance = planck(AMS_12.channels[band].peak_um, kelvin * 0.999 + 0.2)
        data[:, band] = np.round(radiance / scales[band])
    data[3, :, 4] = -1
    y, x = np.mgrid[0:LINES, 0:SAMPLES] * 17.5
    lon, lat = -120 + x / 87_000, 40 - y / 111_000
    lon[0, 0] = lat[0, 0] = -999
    infrared = np.array([-1.0] * 10 + [3.745, 10.191])
    one = np.ones(12)
    return {
        "CalibratedData": (data, {"scale_factor": scales}),
        "EffectiveCentralWavelength_IR_bands": (infrared, {}),
        "Central100%ResponseWavelength": (np.array([c.peak_um for c in AMS_12.channels]), {}),
        "Left50%ResponseWavelength": (np.array([c.left_um for c in AMS_12.channels]), {}),
        "Right50%ResponseWavelength": (np.array([c.right_um for c in AMS_12.channels]), {}),
        "TemperatureCorrectionSlope": (0.999 * one, {}),
        "TemperatureCorrectionIntercept": (0.2 * one, {}),
        "SolarZenithAngle": (np.full((LINES, SAMPLES), 35.0), {}),
        "PixelLongitude": (lon, {}),
        "PixelLatitude": (lat, {}),
    }


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, StandIn]:
    path = tmp_path / "AMSL1B_0704600_01_20071024_1800_1810_V01.hdf"
    path.write_bytes(b"\x0e\x03\x13\x01" + b"\0" * 100)
    file = StandIn(contents())
    monkeypatch.setattr(ams_l1b, "_open_sd", lambda _: file)
    return path, file


def test_radiance_and_temperature(line: tuple[Path, StandIn]) -> None:
    path, file = line
    with open_scene(path) as scene:
        assert scene.shape == (LINES, SAMPLES, 12)
        assert scene.info.reader == "ams_l1b"
        assert scene.info.facts["Sun zenith"] == "35.00 °"
        assert scene.read(Window(1, 2, 2, 3), (0,)) == pytest.approx(np.full((2, 3, 1), 30.0))
        assert np.isnan(scene.read(Window(3, 4, 1, 1))).all()
        image = FireImage(scene)
        fields = image.fields()
        assert image.night is False
        assert float(fields.t4[20, 10]) == pytest.approx(360, abs=0.1)
        assert float(fields.t11[5, 5]) == pytest.approx(305, abs=0.2)
        place = scene.place.to_lonlat(10, 10)  # type: ignore[union-attr]
        assert place == pytest.approx((-120 + 175 / 87_000, 40 - 175 / 111_000))
        assert scene.place.to_lonlat(0, 0) is None  # type: ignore[union-attr]
    assert file.ended


def test_without_the_library_there_is_a_way_out(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    try:
        import pyhdf  # noqa: F401
    except ImportError:
        path = tmp_path / "AMSL1B_0704600_01.hdf"
        path.write_bytes(b"\x0e\x03\x13\x01" + b"\0" * 100)
        with pytest.raises(MissingCapability, match=r"clearband\[hdf4\]"):
            open_scene(path)
    else:
        pytest.skip("pyhdf is installed here")


def test_lost_scale_factors_are_those_of_the_flight(line: tuple[Path, StandIn]) -> None:
    path, file = line
    file.parts["CalibratedData"] = (file.parts["CalibratedData"][0], {})
    with open_scene(path) as scene:
        assert any("lost its scale factors" in note for note in scene.info.notes)
        assert float(scene.read(Window(1, 1, 1, 1), (0,))[0, 0, 0]) == pytest.approx(30.0)


def test_other_files_are_refused(line: tuple[Path, StandIn]) -> None:
    path, file = line
    file.parts["EffectiveCentralWavelength_IR_bands"] = (np.full(12, 3.7), {})
    with pytest.raises(BadInput, match="12 thermal channels"):
        open_scene(path)
    del file.parts["CalibratedData"]
    with pytest.raises(BadInput, match="no calibrated data"):
        open_scene(path)


def test_gridding_puts_pixels_where_they_are(line: tuple[Path, StandIn]) -> None:
    path, file = line
    swath = open_scene(path)
    with grid_to_utm(swath) as grid:
        assert utm_of(-120, 40) == "EPSG:32611"
        assert grid.place.crs in ("EPSG:32610", "EPSG:32611")  # type: ignore[union-attr]
        size = grid.info.pixel_size[0]  # type: ignore[index]
        assert size == pytest.approx(17.5, rel=0.02)
        fields = FireImage(grid).fields()
        row, col = np.unravel_index(np.nanargmax(fields.t4), fields.t4.shape)
        lon, lat = grid.place.to_lonlat(int(row), int(col))  # type: ignore[union-attr,misc]
        true_lon, true_lat = -120 + 10 * 17.5 / 87_000, 40 - 20 * 17.5 / 111_000
        assert abs(lon - true_lon) * 85_000 < size
        assert abs(lat - true_lat) * 111_000 < size
        assert not fields.valid.all()  # corners of the turned swath stay empty
    assert file.ended


def test_gaps_stay_gaps(line: tuple[Path, StandIn]) -> None:
    path, file = line
    for name in ("PixelLongitude", "PixelLatitude"):
        file.parts[name][0][18:26] = -999  # eight scan lines without a place
    with grid_to_utm(open_scene(path)) as grid:
        row, col, _ = (n // 2 for n in grid.shape)
        middle = grid.read(Window(row - 1, col, 3, 1), (10,))
        assert np.isnan(middle).any()


def test_gridding_can_be_cancelled_and_needs_places(line: tuple[Path, StandIn]) -> None:
    path, file = line
    token = CancelToken()
    token.cancel()
    with open_scene(path) as scene, pytest.raises(Cancelled):
        grid_to_utm(scene, progress=Progress(token))
    del file.parts["PixelLatitude"]
    with open_scene(path) as scene, pytest.raises(BadInput, match="no place for each"):
        grid_to_utm(scene)


def test_a_gridded_line_on_disk_is_as_warm_as_the_swath(
    line: tuple[Path, StandIn], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = line
    out = tmp_path / "line.tif"
    assert invoke(["fire", "grid", str(path), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bands"] == 12
    with grid_to_utm(open_scene(path)) as grid, open_scene(out) as kept:
        assert kept.place.crs == grid.place.crs  # type: ignore[union-attr]
        was, now = FireImage(grid), FireImage(kept)
        assert set(now.units) == {"radiance"}
        assert now.sun_zenith_deg == pytest.approx(35.0)
        for name in ("t4", "t11"):
            found, wanted = (getattr(i.fields(), name) for i in (now, was))
            assert np.array_equal(np.isnan(found), np.isnan(wanted))
            assert np.nanmax(np.abs(found - wanted)) < 0.01
        red = [i.fields().reflectance["red"] for i in (now, was)]
        assert np.nanmax(np.abs(red[0] - red[1])) < 1e-3
