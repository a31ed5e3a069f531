"""The simulated flight line obeys its formula."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import WrongUse
from backends.fire.applying import apply_rule
from backends.fire.fields import FireImage
from backends.fire.radiometry import planck_temperature
from backends.simulate.ams import VARIANTS, mixed_radiance, simulate_ams


@pytest.mark.parametrize(
    ("flame", "mid", "far"),
    [(5e-4, 333, 301), (1e-3, 350, 302), (0.01, 435, 316), (0.05, 530, 367)],
)
def test_part_of_a_pixel_in_flames(flame: float, mid: float, far: float) -> None:
    for um, kelvin in ((3.75, mid), (10.2, far)):
        radiance = mixed_radiance(um, flame, 300.0)
        assert float(planck_temperature(um, radiance)) == pytest.approx(kelvin, abs=1.0)


def test_hot_soil_in_the_sun_reads_318_kelvin() -> None:
    radiance = mixed_radiance(
        3.75, 0.0, 310.0, reflectance=0.1, irradiance=11.8, sun_zenith_deg=35.0
    )
    assert float(planck_temperature(3.75, radiance)) == pytest.approx(318, abs=1.0)


def test_every_variant_is_drawn_and_repeats() -> None:
    for variant in VARIANTS:
        made = simulate_ams(96, variant=variant, seed=4)
        again = simulate_ams(96, variant=variant, seed=4)
        assert (made.radiance == again.radiance).all()
        assert np.isfinite(made.radiance).all()
        assert made.truth.any() == (variant != "no-fire")
    with pytest.raises(WrongUse, match="no simulated scene noon"):
        simulate_ams(32, variant="noon")


def test_smoke_hides_the_ground_from_the_eye_alone() -> None:
    clear, smoke = (simulate_ams(160, variant=v, seed=2) for v in ("day", "smoke"))
    assert smoke.radiance[:, :, 1].mean() > 1.2 * clear.radiance[:, :, 1].mean()
    assert smoke.radiance[:, :, 11].mean() < 1.1 * clear.radiance[:, :, 11].mean()
    found = apply_rule(FireImage(smoke.to_scene()), "A")
    assert (found.mask & smoke.truth).sum() > 0.8 * smoke.truth.sum()


def test_no_visible_light_at_night() -> None:
    night = simulate_ams(64, variant="night")
    assert night.radiance[:, :, :8].max() < 0.2 * simulate_ams(64).radiance[:, :, :8].max()
