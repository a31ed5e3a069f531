"""A burning slope as the AMS would see it, by radiative physics: day, night, smoke, glint.

    L = f B(T_fire) + (1 - f) [ε B(T_ground) + ρ E cos θ / π]

with Planck's law B, the part f of a pixel that flames, emissivity ε = 1 − ρ and the sensor's
own solar irradiance E. Then haze in the visible, noise, and the end of the scale. All our own
drawing; only the channel table is the sensor's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.fire.radiometry import planck, planck_temperature, unit_from_kelvin
from backends.fire.radiometry import to_stored as quantise
from backends.fire.sensors import AMS_12, AMS_16, Sensor
from backends.georeference import GeoReference
from backends.jobs import Progress
from backends.scene import ArraySource, Scene, SceneInfo
from backends.simulate.ground import soft

Array = NDArray[Any]
VARIANTS = ("day", "night", "smoke", "hot-soil", "sun-glint", "no-fire")
# The part of a pixel that must flame for its truth to be fire: 333 K at 3.75 µm by night.
LEAST_FLAME = 5e-4
FLAME_K = 900.0
# Where the high-gain thermal channels end; what the real ones do is not published.
SATURATES_K = 480.0
_PIXEL_M = 17.5


@dataclass(frozen=True, eq=False)
class AmsScene:
    """A simulated flight line.

    Attributes
    ----------
    radiance : float32 array of shape (rows, cols, channels)
        W m⁻² sr⁻¹ µm⁻¹.
    truth : bool array of shape (rows, cols)
        Where it burns.
    flame, ground_k : float32 arrays of shape (rows, cols)
        Part of the pixel in flames; temperature of the ground.
    sensor : Sensor
    variant : str
    sun_zenith_deg : float
    place : GeoReference
    burnt : bool array of shape (rows, cols)
        Where the front has been, burning or not.
    """

    radiance: NDArray[np.float32]
    truth: NDArray[np.bool_]
    flame: NDArray[np.float32]
    ground_k: NDArray[np.float32]
    sensor: Sensor
    variant: str
    sun_zenith_deg: float
    place: GeoReference
    burnt: NDArray[np.bool_]

    def to_scene(self) -> Scene:
        """Return it as a calibrated scene in memory."""
        return Scene(ArraySource(self.radiance), self._info("W m-2 sr-1 um-1"))

    def stored(self) -> NDArray[np.uint8]:
        """Return the first 12 channels in the published 8-bit form, shape (rows, cols, 12)."""
        planes = []
        for i, channel in enumerate(self.sensor.channels[:12]):
            value = self.radiance[:, :, i]
            if channel.is_thermal:
                unit = unit_from_kelvin(planck_temperature(channel.peak_um, value))
            else:
                unit = np.clip(2 * value / channel.irradiance, 0, 1)
            planes.append(quantise(unit))
        return np.stack(planes, axis=-1)

    def _info(self, unit: str) -> SceneInfo:
        return SceneInfo(
            None,
            "thermal",
            self.sensor.band_table(),
            title=f"Simulated AMS, {self.variant}",
            place=self.place,
            pixel_size=(_PIXEL_M, _PIXEL_M),
            pixel_unit="m",
            unit=unit,
            facts={"Sun zenith": f"{self.sun_zenith_deg:g} °"},
            notes=("Simulated by Planck's law; no measured pixel is inside.",),
        )


def mixed_radiance(
    wavelength_um: float,
    flame: Array | float,
    ground_k: Array | float,
    *,
    flame_k: float = FLAME_K,
    reflectance: Array | float = 0.0,
    irradiance: float = 0.0,
    sun_zenith_deg: float = 90.0,
) -> NDArray[np.float64]:
    """Return the radiance of a pixel that flames in part, W m⁻² sr⁻¹ µm⁻¹."""
    light = irradiance * max(0.0, float(np.cos(np.radians(sun_zenith_deg)))) / np.pi
    rho = np.asarray(reflectance, float)
    calm = (1 - rho) * planck(wavelength_um, ground_k) + rho * light
    part = np.asarray(flame, float)
    return np.asarray(part * planck(wavelength_um, flame_k) + (1 - part) * calm)


def simulate_ams(
    size: int = 512,
    *,
    seed: int = 0,
    variant: str = "day",
    channels: int = 12,
    spread: float = 0.0,
    progress: Progress | None = None,
) -> AmsScene:
    """Make a flight line over a burning slope.

    Parameters
    ----------
    size : int
        Rows and columns.
    variant : str
        ``"day"``, ``"night"``, ``"smoke"`` (thick over the front), ``"hot-soil"`` (bare ground
        at 320 to 335 K in the sun), ``"sun-glint"`` (water that mirrors the sun), ``"no-fire"``
        (hot soil without any fire).
    channels : int
        12, or 16 with the low-gain repeats.
    spread : float
        By which part of the scene's width the front has gone on to the right: the same fire, a
        day later.

    Raises
    ------
    WrongUse
        No such variant or number of channels.
    """
    if variant not in VARIANTS or channels not in (12, 16):
        raise WrongUse(
            f"There is no simulated scene {variant} with {channels} channels.",
            way_out=f"Use {', '.join(VARIANTS)} with 12 or 16.",
        )
    progress = progress or Progress()
    rng = np.random.default_rng([seed, VARIANTS.index(variant)])
    sensor = AMS_12 if channels == 12 else AMS_16
    progress.start(channels, "channels", "Simulating the flight line")
    zenith = {"night": 110.0, "sun-glint": 25.0}.get(variant, 40.0)
    flame, ground, green, water, bare, burnt = _draw(size, rng, variant, spread)
    haze = _haze(flame, rng, variant)
    cube = np.empty((size, size, channels), np.float32)
    for i, channel in enumerate(sensor.channels):
        rho = _ground_reflectance(channel.peak_um, green, bare, burnt, rng)
        rho[water] = 0.04 if channel.peak_um < 3 else 0.02
        if variant == "sun-glint":
            # Waves turn parts of the water into mirrors of the sun.
            mirror = np.clip(soft(size, rng, 60, smooth=1) * 1.6, 0, 1) ** 3
            rho = np.where(water, rho + 2.2 * mirror, rho)
        value = mixed_radiance(
            channel.peak_um, flame, ground, reflectance=np.clip(rho, 0, 3),
            irradiance=channel.irradiance, sun_zenith_deg=zenith,
        )  # fmt: skip
        # Emissivity cannot fall below 0 where a mirror returns more than it gets.
        value = np.maximum(value, 0)
        light = channel.irradiance * max(0.0, np.cos(np.radians(zenith))) / np.pi
        veil = np.clip(haze * (0.55 / channel.peak_um) ** 1.3, 0, 0.97)
        value = value * (1 - veil) + 0.35 * veil * light * (channel.peak_um < 3)
        cube[:, :, i] = _measure(value, channel.peak_um, channel.irradiance, channel.gain, rng)
        progress.advance()
    place = GeoReference((_PIXEL_M, 0.0, 730_000.0, 0.0, -_PIXEL_M, 4_270_000.0), "EPSG:32610")
    return AmsScene(
        cube, flame >= LEAST_FLAME, flame.astype(np.float32), ground.astype(np.float32), sensor,
        variant, zenith, place, burnt,
    )  # fmt: skip


def _draw(size: int, rng: np.random.Generator, variant: str, spread: float) -> tuple[Array, ...]:
    """Return flame, ground temperature, greenness, water, bare ground, burnt ground."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    y, x = np.mgrid[0:size, 0:size] / size
    night = variant == "night"
    green = np.clip(0.6 + 0.35 * soft(size, rng, 8), 0, 1)
    ground = (288 if night else 302) + 4 * soft(size, rng, 6) + 1.0 * soft(size, rng, 60)
    bare = soft(size, rng, 7) > 0.45
    green[bare] = 0.05
    if not night:
        ground[bare] += 6
    if variant in ("hot-soil", "no-fire"):
        ground[bare] = 323 + 6 * soft(size, rng, 20)[bare]
    water = np.zeros((size, size), bool)
    if variant == "sun-glint":
        water = soft(size, rng, 4) > 0.25
        ground[water] = 291
    flame = np.zeros((size, size))
    burnt = np.zeros((size, size), bool)
    if variant != "no-fire":
        centre = rng.uniform(0.35, 0.65, 2)
        edge = rng.uniform(0.14, 0.3) + 0.08 * soft(size, rng, 5) + 0.03 * soft(size, rng, 16)
        east, south = (x - centre[0]) * 1.2, y - centre[1]
        away = np.hypot(east, south)
        # Before the wind only: flanks and heel stay where they were.
        edge = edge + spread * np.clip(east / np.maximum(away, 1e-9), 0, 1) ** 2
        burnt = (away < edge) & ~water
        depth = distance_transform_edt(burnt)
        front = burnt & (depth < 2.5 + 1.5 * soft(size, rng, 10)) & (soft(size, rng, 6) > -0.35)
        flame = np.where(front, rng.gamma(1.2, 0.03, (size, size)), 0)
        spots = (
            (rng.random((size, size)) < 4e-4)
            & ~water
            & (np.hypot(x - centre[0], y - centre[1]) < 0.4)
        )
        flame += np.where(spots, rng.gamma(1.2, 0.01, (size, size)), 0)
        # The optics spread a pixel over its neighbours.
        flame = np.clip(gaussian_filter(flame, 0.6), 0, 0.5)
        ground = ground + 25 * np.exp(-depth / 6) * burnt + 5 * burnt
        flame[flame < 1e-5] = 0
    return flame, ground, green, water, bare, burnt


def _haze(flame: Array, rng: np.random.Generator, variant: str) -> Array:
    from scipy.ndimage import gaussian_filter

    size = flame.shape[0]
    thick = {"smoke": 14.0, "night": 0.0, "no-fire": 0.0}.get(variant, 2.0)
    plume = gaussian_filter((flame > LEAST_FLAME).astype(float), (size / 40, size / 12))
    plume = np.roll(plume, size // 16, axis=1)
    return np.asarray(np.clip(thick * plume * (1 + 0.4 * soft(size, rng, 9)), 0, 0.97))


def _ground_reflectance(
    um: float, green: Array, bare: Array, burnt: Array, rng: np.random.Generator
) -> Array:
    leaf = float(
        np.interp(
            um,
            [0.4, 0.5, 0.55, 0.67, 0.76, 0.9, 1.65, 2.2, 3.7, 10],
            [0.04, 0.04, 0.09, 0.05, 0.38, 0.42, 0.22, 0.11, 0.03, 0.02],
        )
    )
    soil = float(
        np.interp(
            um,
            [0.4, 0.55, 0.7, 0.9, 1.65, 2.2, 3.7, 10],
            [0.08, 0.14, 0.2, 0.26, 0.36, 0.32, 0.10, 0.05],
        )
    )
    char = float(np.interp(um, [0.4, 0.9, 2.2, 3.7, 10], [0.03, 0.06, 0.14, 0.08, 0.04]))
    value = green * leaf + (1 - green) * soil
    value = np.where(burnt, char, value)
    return np.asarray(np.clip(value * (1 + 0.08 * rng.normal(size=green.shape)), 0.005, 1))


def _measure(
    value: Array, um: float, irradiance: float, gain: str, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add noise (0.3 K at 300 K, or 0.1 % of the brightest reflection) and end the scale."""
    if um > 3:
        noise = float(planck(um, 300.3) - planck(um, 300.0))
        top = float(planck(um, SATURATES_K if gain == "high" else 1200.0))
    else:
        noise = 1e-3 * irradiance / np.pi
        top = irradiance / 2 if gain == "high" else irradiance * 2.5
    measured = value + rng.normal(0, noise, value.shape)
    return np.clip(measured, 1e-6, top).astype(np.float32)
