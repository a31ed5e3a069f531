"""Units are known or asked for before anything runs."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import BadInput, WrongUse
from backends.fire.fields import FireImage
from backends.simulate.ams import simulate_ams
from tests.backends.fire.conftest import scene_of


def planes(mwir: float, tir: float, red: float = 0.1) -> dict[float, np.ndarray]:
    one = np.ones((8, 8), np.float32)
    return {645: red * one, 860: 2 * red * one, 3745: mwir * one, 10191: tir * one}


def test_kelvin_and_radiance_are_told_apart() -> None:
    kelvin = FireImage(scene_of(planes(330, 300)), night=False)
    radiance = FireImage(scene_of(planes(1.42, 9.6)), night=False)
    assert float(kelvin.fields().t4[0, 0]) == 330
    assert float(radiance.fields().t4[0, 0]) == pytest.approx(330, abs=0.2)
    assert any("kelvin" in note for note in kelvin.notes)


@pytest.mark.parametrize(("mwir", "tir"), [(55.0, 27.0), (4000.0, 3000.0)])
def test_degrees_celsius_and_counts_are_refused(mwir: float, tir: float) -> None:
    with pytest.raises(BadInput, match="not clear in which unit"):
        FireImage(scene_of(planes(mwir, tir)))


def test_unknown_unit_word() -> None:
    with pytest.raises(WrongUse, match="no unit called furlongs"):
        FireImage(scene_of(planes(330, 300)), units="furlongs")


def test_bytes_are_the_published_form() -> None:
    made = simulate_ams(64, variant="day")
    stored = made.stored()
    nm = [c.centre_nm for c in made.sensor.channels]
    image = FireImage(scene_of({n: stored[:, :, i] for i, n in enumerate(nm)}))
    true = FireImage(made.to_scene())
    warm = true.fields().t4
    got = image.fields().t4
    below = warm < 495
    assert np.abs(got - warm)[below].max() < 1.0
    assert any("8-bit" in note for note in image.notes)
    planes_, valid = image.unit_planes(None, (11, 10))
    assert planes_.shape == (2, 64, 64)
    assert valid.all()
    exact, _ = true.unit_planes(None, (11, 10))
    assert np.abs(planes_ - exact).max() < 1 / 254


def test_day_and_night_by_the_light() -> None:
    for variant, night in (("day", False), ("night", True)):
        made = simulate_ams(48, variant=variant)
        scene = made.to_scene()
        scene.with_info(facts={})
        image = FireImage(scene)
        assert image.night is night
        assert any(variant in note for note in image.notes)
        assert FireImage(made.to_scene()).night is night
        assert FireImage(scene, night=not night).night is not night


def test_low_gain_stands_in_where_the_other_ends() -> None:
    made = simulate_ams(96, variant="day", channels=16, seed=1)
    both = FireImage(made.to_scene())
    alone = FireImage(made.to_scene(), low_gain=False)
    warm, capped = both.fields().t4, alone.fields().t4
    assert float(capped.max()) == pytest.approx(480, abs=0.1)
    assert float(warm.max()) > 520
    cool = capped < 470
    assert (warm[cool] == capped[cool]).all()


def test_missing_channels_are_named() -> None:
    image = FireImage(scene_of(planes(330, 300)))
    with pytest.raises(BadInput, match=r"10 \(2.222 µm\)"):
        image.unit_planes(None, (10, 11))
