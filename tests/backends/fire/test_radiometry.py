"""Planck's law and the scaling of the networks' input."""

from __future__ import annotations

import numpy as np
import pytest

from backends.fire import radiometry as r


def test_planck_has_the_known_values() -> None:
    found = r.planck(3.745, np.array([300.0, 330.0, 400.0, 800.0]))
    assert found == pytest.approx([0.444, 1.42, 10.9, 1339], rel=0.01)


@pytest.mark.parametrize("um", [2.222, 3.745, 3.9, 10.191, 12.0])
def test_planck_and_back_is_exact(um: float) -> None:
    kelvin = np.linspace(220, 1400, 500)
    back = r.planck_temperature(um, r.planck(um, kelvin))
    assert np.abs(back - kelvin).max() < 1e-3


def test_no_radiance_has_no_temperature() -> None:
    assert np.isnan(r.planck_temperature(3.745, np.array([0.0, -1.0]))).all()
    assert np.isnan(r.planck(3.745, 0.0))


def test_correction_divides_and_the_other_way_lies_apart() -> None:
    radiance = r.planck(3.745, np.array([330.0]))
    divided = r.brightness_temperature(3.745, radiance, 0.9995, 0.3)
    multiplied = r.brightness_temperature(3.745, radiance, 0.9995, 0.3, form="multiply")
    assert divided == pytest.approx([(330 - 0.3) / 0.9995], abs=1e-6)
    assert abs(float(divided[0] - multiplied[0])) > 0.2


def test_reflectance_needs_the_sun() -> None:
    assert r.reflectance(np.array([100.0]), 1000.0, 60.0) == pytest.approx([np.pi * 0.2])
    assert np.isnan(r.reflectance(np.array([100.0]), 1000.0, 95.0)).all()


def test_stored_form_steps_by_a_kelvin() -> None:
    kelvin = np.array([240.0, 250.0, 310.0, 499.9, 500.0, 900.0])
    stored = r.to_stored(r.unit_from_kelvin(kelvin))
    assert stored.tolist() == [0, 0, 61, 254, 255, 255]
    back = r.kelvin_from_unit(stored[2] / np.float32(255))
    assert 0 <= 310 - float(back) < 0.99
    radiance = np.array([0.0, 245.1, 1e4])
    assert r.to_stored(r.unit_from_radiance(radiance, 1960.8)).tolist() == [0, 63, 255]
