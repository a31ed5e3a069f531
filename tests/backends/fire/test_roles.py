"""Which band is what, for every sensor that comes along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.fire.roles import match_bands
from backends.fire.sensors import AMS_12, AMS_16, MASTER
from backends.scene import ArraySource, Scene, SceneInfo
from tests.backends.fire.conftest import scene_of


def named(names: list[str], dtype: str = "float32") -> Scene:
    cube = np.zeros((4, 4, len(names)), dtype)
    bands = BandTable.build(len(names), names=names)
    return Scene(ArraySource(cube), SceneInfo(None, "multispectral", bands))


def of_sensor(sensor: object) -> Scene:
    bands = sensor.band_table()  # type: ignore[attr-defined]
    cube = np.zeros((4, 4, len(bands)), np.float32)
    return Scene(ArraySource(cube), SceneInfo(None, "thermal", bands))


def test_presets_have_their_channels() -> None:
    assert [len(s.channels) for s in (AMS_12, AMS_16, MASTER)] == [12, 16, 12]
    assert AMS_12.channel(11).peak_um == 3.745
    assert [c.gain for c in AMS_16.channels[12:]] == ["low"] * 4
    assert [c.number for c in MASTER.channels][8:] == [15, 22, 30, 47]


def test_ams_is_its_own() -> None:
    found = match_bands(of_sensor(AMS_12))
    assert found.ams == {n: n - 1 for n in range(1, 13)}
    assert found.roles["mwir"] == 10
    assert found.roles["tir"] == 11
    assert found.roles["red"] == 4
    assert found.notes == ()


def test_sixteen_channels_keep_the_low_gain_apart() -> None:
    found = match_bands(of_sensor(AMS_16))
    assert found.low_gain == {9: 12, 10: 13, 11: 14, 12: 15}
    assert found.roles["mwir"] == 10
    assert match_bands(named([f"x{i}" for i in range(16)], "uint8")).low_gain == found.low_gain


def test_master_stands_in_and_says_so() -> None:
    found = match_bands(of_sensor(MASTER))
    assert sorted(found.ams) == list(range(1, 13))
    assert any("substituted" in note for note in found.notes)


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["B2", "B4", "B5", "B6", "B7"], {"blue": 0, "red": 1, "nir": 2, "swir1": 3, "swir2": 4}),
        (["B02", "B04", "B8A", "B11", "B12"], {"red": 1, "nir": 2, "swir1": 3, "swir2": 4}),
        (["I1", "I2", "I3", "I4", "I5"], {"red": 0, "nir": 1, "swir1": 2, "mwir": 3, "tir": 4}),
    ],
)
def test_satellites_by_their_names(names: list[str], roles: dict[str, int]) -> None:
    found = match_bands(named(names))
    assert roles.items() <= found.roles.items()
    assert any("by their names" in note for note in found.notes)


def test_twelve_bytes_are_the_published_form() -> None:
    found = match_bands(named([f"Band {i}" for i in range(1, 13)], "uint8"))
    assert found.ams[11] == 10


def test_real_patches(clearband_data: Path) -> None:
    from backends.io import open_scene

    with open_scene(clearband_data / "wildfire" / "ams" / "ams_patch_00.tif") as scene:
        found = match_bands(scene)
    assert found.ams == {2: 0, 3: 1, 5: 2, 7: 3, 11: 4}
    assert found.roles == {"blue": 0, "green": 1, "red": 2, "nir": 3, "mwir": 4}


def test_channels_named_by_the_user() -> None:
    found = match_bands(named(["a", "b", "c"]), sensor="ams-12", channels=(10, 9, 2))
    assert found.ams == {10: 0, 9: 1, 2: 2}
    with pytest.raises(WrongUse, match="2 channels were named for 3 bands"):
        match_bands(named(["a", "b", "c"]), channels=(1, 2))


def test_nothing_known_is_one_sentence() -> None:
    with pytest.raises(BadInput, match="Nothing says what the 3 bands"):
        match_bands(named(["a", "b", "c"]))


def test_a_missing_thermal_band_is_named() -> None:
    one = np.zeros((4, 4), np.float32)
    found = match_bands(scene_of({650: one, 860: one}))
    with pytest.raises(BadInput, match="no mid-wave infrared .* band"):
        found.need("mwir", "nir")
