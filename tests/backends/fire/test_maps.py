"""Indices, GOES codes, and the table of what a scene can answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.fire.band_study import band_study, study_rows
from backends.fire.detect import detect
from backends.fire.fields import FireImage
from backends.fire.maps import make_map
from backends.fire.question import FireQuestion
from backends.fire.roles import match_bands
from backends.fire.rule_table import rule_rows, rule_words
from backends.georeference import GeoReference
from backends.scene import ArraySource, Scene, SceneInfo
from backends.simulate.ams import simulate_ams

PLACE = GeoReference((30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0), "EPSG:32611")


def scene(values: Any, names: list[str] | None = None, **info: Any) -> Scene:
    values = np.asarray(values)
    bands = BandTable.build(values.shape[2], names=names, wavelength_nm=info.pop("nm", None))
    facts = {"title": "made", "place": PLACE} | info
    return Scene(ArraySource(values), SceneInfo(None, "hyperspectral", bands, **facts))


def landsat(burnt: bool) -> Scene:
    """Return B1 to B7 of Landsat-8, reflectance; a square of it burnt."""
    values = np.full((20, 20, 7), 0.08, np.float32)
    values[..., 4], values[..., 6] = 0.40, 0.10
    if burnt:
        values[5:9, 5:9, 4], values[5:9, 5:9, 6] = 0.10, 0.30
    return scene(values, [f"B{n}" for n in range(1, 8)], unit="reflectance")


def test_dnbr_is_high_where_it_burnt_since() -> None:
    after, before = landsat(True), landsat(False)
    score, burnt = make_map("dnbr", after, FireImage(after), before=FireImage(before))
    assert score.values[6, 6] == pytest.approx(0.6 + 0.5)
    assert score.values[0, 0] == pytest.approx(0)
    assert burnt.labels.sum() == 16
    nbr, low = make_map("nbr", after)
    assert nbr.values[6, 6] == pytest.approx(-0.5)
    assert low.labels.sum() == 16
    with pytest.raises(WrongUse, match="before the fire"):
        make_map("dnbr", after)
    other = scene(np.zeros((10, 20, 7), np.float32), [f"B{n}" for n in range(1, 8)])
    with pytest.raises(BadInput, match="another size"):
        make_map("dnbr", after, before=FireImage(other, units="reflectance"))


def test_hfdi_shines_where_flames_do_and_refuses_reflectance() -> None:
    from backends.fire.radiometry import planck

    nm = np.array([2060.0, 2430.0])
    ground = np.array([2.0, 1.0])
    values = np.tile(ground, (6, 6, 1))
    values[2, 3] += 0.05 * np.array([planck(v / 1e3, 1000.0) for v in nm])
    made = scene(values.astype(np.float32), nm=nm, unit="W m-2 sr-1 um-1")
    (score,) = make_map("hfdi", made)
    assert score.values[0, 0] == pytest.approx(-1 / 3, abs=1e-6)
    assert score.values[2, 3] > 0
    with pytest.raises(BadInput, match="wants radiance"):
        make_map("hfdi", scene(values.astype(np.float32), nm=nm, unit="reflectance"))


def test_goes_codes_become_classes_and_strict_fire() -> None:
    codes = np.zeros((3, 4, 1), np.int16)
    codes[0, :, 0] = (10, 15, 31, 120)
    named, strict = make_map("goes", scene(codes))
    assert named.class_names[15] == "15 fire, low probability"
    assert named.class_names[31] == "31 fire, saturated, seen before"
    assert strict.labels[0].tolist() == [1, 0, 1, 0]
    with pytest.raises(BadInput, match="whole numbers"):
        make_map("goes", scene(codes.astype(np.float32)))


def test_the_table_says_what_each_rule_took_and_why_others_cannot() -> None:
    made = landsat(False)
    rows = {row.id: row for row in rule_rows(FireImage(made), made)}
    assert not rows["F-murphy"].reason
    assert rows["F-murphy"].bands["shortwave infrared 2"].startswith("B7")
    assert "no mid-wave infrared" in rows["A"].reason
    assert "never published" in rows["E"].reason
    assert rows["dnbr"].command.endswith("--before SCENE")
    assert not rows["K"].reason
    words = rule_words(list(rows.values()))
    assert words["G Vegetation index (NDVI)"] == "yes; red = B4, near infrared = B5"
    unknown = scene(np.zeros((3, 3, 4), np.float32))
    rows = {row.id: row for row in rule_rows(BadInput("Nothing is known."), unknown)}
    assert "Nothing is known" in rows["A"].reason
    assert rows["K"].reason


@pytest.mark.parametrize(
    ("sensor", "count", "swir2", "nir"),
    [("landsat-8", 7, 6, 4), ("sentinel-2", 10, 9, 7), ("sentinel-2", 13, 12, 8)],
)
def test_satellites_can_be_named(sensor: str, count: int, swir2: int, nir: int) -> None:
    made = scene(np.full((4, 4, count), 0.1, np.float32))
    found = match_bands(made, sensor=sensor)
    assert found.roles["swir2"] == swir2
    assert found.roles["nir"] == nir
    with pytest.raises(WrongUse, match="order of the 5 bands"):
        match_bands(scene(np.zeros((4, 4, 5))), sensor=sensor)


def test_real_sentinel_reflectance_in_ten_thousandths(clearband_data: Any) -> None:
    from backends.io import open_scene

    with open_scene(clearband_data / "wildfire" / "hls" / "hls_10band_224.tif") as real:
        image = FireQuestion(sensor="sentinel-2").image(real)
        fields = image.fields()
        assert 0.02 < float(np.median(fields.reflectance["red"])) < 1
        score, _ = make_map("nbr", real, image)
        assert np.nanmax(np.abs(score.values)) <= 1
        assert set(detect(image, rules=["F"]).rules) == {"F"}  # and it runs


def test_colour_rules_run_on_a_photograph(clearband_data: Any) -> None:
    from backends.io import open_scene

    with open_scene(clearband_data / "wildfire" / "rgb" / "fire_image_01.png") as photo:
        found = detect(photo, rules=["J-chen"])
        assert 0.02 < found.mask.mean() < 0.5
        rgb = photo.read()[..., :3].astype(float)
        assert rgb[found.mask][:, 0].mean() > rgb[~found.mask][:, 0].mean() + 60


def test_hiding_the_band_of_fire_takes_its_fire_away() -> None:
    made = simulate_ams(160, seed=1)
    study = band_study(FireImage(made.to_scene()), FireQuestion(rules=("A", "F-murphy")))
    kept = {row.role: row.kept for row in study.rules}
    assert kept["mwir"]["A"] < 0.2
    assert kept["mwir"]["F-murphy"] == 1.0
    assert kept["swir2"]["F-murphy"] < 0.2
    assert kept["swir2"]["A"] == 1.0
    names, rows, _ = study_rows(study)
    assert names == ("Hidden", "A", "F-murphy", "Paper")
    by = {row[0]: row for row in rows}
    assert by["SWIR 2"][3] == "56"
    assert by["Mid-wave"][3] == "45"
    assert list(study.to_dict()["published"][0]["channels"]) == list(range(1, 13))
