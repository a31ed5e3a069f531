"""Radiance, temperature, reflectance, and what the networks are fed.

Units: wavelength in µm, spectral radiance in W m⁻² sr⁻¹ µm⁻¹, temperature in K.
Source: Planck's law with the exact SI constants; the scaling of the networks' input from the
repository of arXiv 2601.14475.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_H, _C, _K = 6.62607015e-34, 299_792_458.0, 1.380649e-23
_C1 = 2 * _H * _C**2  # W m² sr⁻¹
_C2 = _H * _C / _K  # m K

RADIANCE_LIMIT = 1e4
TEMPERATURE_LOW_K, TEMPERATURE_SPAN_K = 250.0, 250.0


def planck(wavelength_um: float, kelvin: Array | float) -> NDArray[np.float64]:
    """Return the black body's spectral radiance, W m⁻² sr⁻¹ µm⁻¹.

    Parameters
    ----------
    wavelength_um : float
    kelvin : float or array
        Not above 0 gives ``nan``.
    """
    temperature = np.asarray(kelvin, np.float64)
    metres = wavelength_um * 1e-6
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value = 1e-6 * _C1 / metres**5 / np.expm1(_C2 / (metres * temperature))
    return np.where(temperature > 0, value, np.nan)


def planck_temperature(wavelength_um: float, radiance: Array | float) -> NDArray[np.float64]:
    """Return the temperature of the black body of that radiance, K; ``nan`` for none or less."""
    value = np.asarray(radiance, np.float64)
    metres = wavelength_um * 1e-6
    with np.errstate(divide="ignore", invalid="ignore"):
        kelvin = _C2 / (metres * np.log1p(_C1 / (1e6 * value * metres**5)))
    return np.where(value > 0, kelvin, np.nan)


def brightness_temperature(
    wavelength_um: float,
    radiance: Array,
    slope: float = 1.0,
    intercept: float = 0.0,
    *,
    form: str = "divide",
) -> NDArray[np.float64]:
    """Return the brightness temperature of a broad channel, K.

    Parameters
    ----------
    radiance : array
        W m⁻² sr⁻¹ µm⁻¹.
    slope, intercept : float
        The channel's temperature correction, from the L1B file.
    form : str
        ``"divide"``: (T − intercept) / slope, as in the paper's repository and the MODIS
        tradition; ``"multiply"``: slope · T + intercept, as in another public reader. They lie
        about 0.3 K apart.
    """
    kelvin = planck_temperature(wavelength_um, np.clip(radiance, None, RADIANCE_LIMIT))
    if form == "multiply":
        return np.asarray(slope * kelvin + intercept)
    return np.asarray((kelvin - intercept) / slope)


def reflectance(
    radiance: Array, irradiance: float, sun_zenith_deg: Array | float
) -> NDArray[np.float64]:
    """Return apparent reflectance π L / (E cos θ); ``nan`` where the sun is below the horizon.

    Parameters
    ----------
    radiance : array
        W m⁻² sr⁻¹ µm⁻¹.
    irradiance : float
        E, W m⁻² µm⁻¹.
    sun_zenith_deg : float or array
    """
    cosine = np.cos(np.radians(sun_zenith_deg))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.pi * np.asarray(radiance, np.float64) / (irradiance * cosine)
    return np.where(cosine > 0, value, np.nan)


def unit_from_radiance(radiance: Array, irradiance: float) -> NDArray[np.float32]:
    """Return the networks' input of a reflective channel: clip(2 L / E, 0, 1).

    The factor 2 and the missing cosine are the paper's.
    """
    value = np.clip(2 * np.asarray(radiance, np.float32) / np.float32(irradiance), 0, 1)
    return np.asarray(value, np.float32)


def unit_from_reflectance(
    values: Array, sun_zenith_deg: Array | float = 0.0
) -> NDArray[np.float32]:
    """Return the networks' input of a reflectance, by way of the radiance it stands for."""
    cosine = np.clip(np.cos(np.radians(sun_zenith_deg)), 0, 1)
    value = np.clip(np.asarray(values, np.float32) * (2 / np.pi) * cosine, 0, 1)
    return np.asarray(value, np.float32)


def unit_from_kelvin(kelvin: Array) -> NDArray[np.float32]:
    """Return the networks' input of a thermal channel: 250 K is 0, 500 K is 1."""
    low, span = np.float32(TEMPERATURE_LOW_K), np.float32(TEMPERATURE_SPAN_K)
    return np.asarray(np.clip((np.asarray(kelvin, np.float32) - low) / span, 0, 1), np.float32)


def kelvin_from_unit(unit: Array) -> NDArray[np.float32]:
    """Return the temperature that a thermal unit value stands for; 1 means 500 K or more."""
    return np.asarray(TEMPERATURE_LOW_K + TEMPERATURE_SPAN_K * np.asarray(unit, np.float32))


def to_stored(unit: Array) -> NDArray[np.uint8]:
    """Return the published 8-bit form, floor(255 u): 0.98 K a step."""
    return np.floor(255 * np.nan_to_num(np.asarray(unit, np.float64))).astype(np.uint8)
