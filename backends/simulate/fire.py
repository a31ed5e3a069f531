"""The thermal demo scene: a burning front, warm ash behind it, smoke downwind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.georeference import GeoReference
from backends.jobs import Progress
from backends.simulate.ground import SimulatedScene, soft
from backends.simulate.spectra import leaf

Array = NDArray[Any]

THERMAL_NM = (460, 560, 660, 860, 1610, 2160, 3900, 8600, 11000, 12000)


def simulate_fire(
    size: int = 256, *, seed: int = 0, progress: Progress | None = None
) -> SimulatedScene:
    """Make the thermal demo scene: a burning front, warm ash behind it, smoke downwind.

    Reflective bands hold reflectance, thermal bands (3.9 µm and longer) brightness
    temperature in K, both × 100; the truth has ``Fire`` and ``Burnt ground``.
    Planck's law mixes flame and ground within a pixel at each wavelength.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    progress = progress or Progress()
    rng = np.random.default_rng(seed)
    progress.start(len(THERMAL_NM), "bands", "Making the thermal demo scene")
    y, x = np.mgrid[0:size, 0:size] / size
    edge = 0.34 + 0.10 * soft(size, rng, 4) + 0.03 * soft(size, rng, 14)
    inside = np.hypot((x - 0.42) * 1.1, y - 0.55) < edge
    depth = distance_transform_edt(inside)
    front = inside & (depth < 2.2 + 1.2 * soft(size, rng, 9))
    spots = (rng.random((size, size)) < 0.0006) & inside
    flame = np.clip(np.where(front, rng.gamma(2.0, 0.035, (size, size)), 0), 0, 0.6)
    flame += np.where(spots, 0.04, 0)
    flame = gaussian_filter(flame, 0.5)
    ground = 301 + 4 * soft(size, rng, 5) + 45 * np.exp(-depth / 14) * inside + 9 * inside
    smoke = np.clip(
        gaussian_filter(np.roll(front.astype(float), 22, axis=1), (7, 18)) * 3.2, 0, 0.8
    )
    green = np.clip(0.75 + 0.2 * soft(size, rng, 8), 0, 1)
    cube = np.empty((size, size, len(THERMAL_NM)), np.uint16)
    leaves, soil = leaf(np.asarray(THERMAL_NM, float)), 0.22
    for band, nm in enumerate(THERMAL_NM):
        if nm < 3000:
            unburnt = green * leaves[band] + (1 - green) * soil
            value = np.where(inside, 0.045 + 0.02 * (nm / 2160), unburnt)
            haze = smoke * (500 / nm) ** 1.6
            value = value * (1 - np.clip(haze, 0, 0.95)) + 0.42 * np.clip(haze, 0, 0.95)
            value += flame * _planck(nm, 950) / _planck(2160, 950) * (0.9 if nm > 1500 else 0.05)
            value += rng.normal(0, 0.004, value.shape)
            cube[..., band] = np.clip(value * 100 * 100, 0, 32_000)
        else:
            radiance = (1 - flame) * _planck(nm, ground) + flame * _planck(nm, 950)
            kelvin = _brightness_temperature(nm, radiance) + rng.normal(0, 0.25, flame.shape)
            cube[..., band] = np.clip(kelvin, 200, 620) * 100  # sensors saturate, too
        progress.advance()
    labels = np.zeros((size, size), np.uint8)
    labels[inside] = 2
    labels[flame > 0.01] = 1
    names = [f"{nm} nm" if nm < 3000 else f"{nm / 1000:.1f} µm" for nm in THERMAL_NM]
    table = BandTable.build(len(THERMAL_NM), names=names, wavelength_nm=THERMAL_NM)
    place = GeoReference((15.0, 0.0, 730_000.0, 0.0, -15.0, 4_270_000.0), "EPSG:32610")
    return SimulatedScene(
        cube, labels, table, place, {1: "Fire", 2: "Burnt ground"}, 0.01, "% or K"
    )


def _planck(nm: float, kelvin: Array | float) -> Array:
    """Return spectral radiance (Planck), in units that cancel."""
    return np.asarray(1 / (np.exp(1.438777e7 / (nm * np.asarray(kelvin, float))) - 1))


def _brightness_temperature(nm: float, radiance: Array) -> Array:
    return np.asarray(1.438777e7 / (nm * np.log(1 + 1 / radiance)))
