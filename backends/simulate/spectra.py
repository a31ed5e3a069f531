"""Reflectance spectra by formula: leaves, soil, water, asphalt, tiles, and a sensor to see them.

No measured spectrum is inside: smooth curves with absorptions at the wavelengths
where nature has them, and parameters that vary as they do outdoors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable

Array = NDArray[Any]

CLASSES = (
    "Deciduous trees",
    "Conifer forest",
    "Meadow",
    "Crop",
    "Bare soil",
    "Water",
    "Asphalt",
    "Tile roof",
)


def sensor_bands(count: int = 200) -> BandTable:
    """Return ``count`` bands from 400 to 2500 nm, as two spectrometers give them.

    Steps widen towards 1000 nm (a prism) and narrow towards 2500 nm; bands in the
    water-vapour lines near 1400 and 1900 nm are marked bad.
    """
    visible = round(count * 0.42)
    u, v = np.linspace(0, 1, visible), np.linspace(0, 1, count - visible)
    first = 400 + 595 * (0.72 * u + 0.28 * u**2)
    second = 1005 + 1495 * (1.14 * v - 0.14 * v**2)
    nm = np.concatenate([first, second])
    fwhm = 1.15 * np.concatenate([np.gradient(first), np.gradient(second)])
    good = ~(((nm > 1345) & (nm < 1425)) | ((nm > 1800) & (nm < 1955)))
    return BandTable.build(count, wavelength_nm=nm, fwhm_nm=np.round(fwhm, 3), good=good)


def spectra(nm: Array) -> NDArray[np.float64]:
    """Return one typical reflectance spectrum a class, shape (classes, bands), 0 to 1.

    Chlorophyll 450 and 670, the red edge near 715, leaf water 980, 1200, 1450 and 1940,
    cellulose 2100 and 2300, iron 870, clay 2200 nm.
    """
    middle = _Draw(None)
    return np.stack([_class_spectrum(name, nm, middle) for name in CLASSES])


def variants(table: BandTable, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return spectra as the sensor sees them, shape (classes, count, bands).

    Each variant draws its own chlorophyll, leaf water, cover, moisture, age …; fine
    spectra (1 nm) are averaged over each band's Gaussian response.
    """
    fine = np.arange(380.0, 2541.0)
    seen = response(table, fine)
    draw = _Draw(rng)
    return np.stack(
        [[seen @ _class_spectrum(name, fine, draw) for _ in range(count)] for name in CLASSES]
    )


def response(table: BandTable, fine_nm: Array) -> NDArray[np.float64]:
    """Return the weight of each fine wavelength in each band, rows adding up to 1."""
    sigma = np.asarray(table.fwhm_nm) / 2.3548
    distance = (fine_nm[None, :] - table.wavelengths()[:, None]) / sigma[:, None]
    weight = np.exp(-0.5 * distance**2)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def water_lines(nm: Array) -> NDArray[np.float64]:
    """Return how strongly liquid water absorbs, about 0 to 1."""
    return np.asarray(
        0.10 * _dip(nm, 975, 30)
        + 0.20 * _dip(nm, 1195, 45)
        + 0.75 * _dip(nm, 1455, 65)
        + 1.00 * _dip(nm, 1940, 85)
        + 0.45 * np.clip((nm - 2150) / 400, 0, 1)
    )


def leaf(
    nm: Array,
    *,
    plateau: float = 0.45,
    chlorophyll: float = 1.0,
    water: float = 1.0,
    edge: float = 716,
) -> NDArray[np.float64]:
    """Return the reflectance of green leaves."""
    value = 0.05 + (plateau - 0.05) / (1 + np.exp(-(nm - edge) / 12))
    value += 0.055 * np.exp(-(((nm - 552) / 32) ** 2)) / chlorophyll
    value *= 1 - 0.28 * chlorophyll * (_dip(nm, 455, 45) + _dip(nm, 672, 20))
    value *= np.exp(-1.15 * water * water_lines(nm))
    value *= 1 - 0.35 * np.clip((nm - 1300) / 1200, 0, 1)
    return np.asarray(value * (1 - 0.04 * _dip(nm, 2100, 35) - 0.05 * _dip(nm, 2300, 35)))


class _Draw:
    """Draws a parameter between two values, or gives their middle when there is no chance."""

    def __init__(self, rng: np.random.Generator | None) -> None:
        self._rng = rng

    def __call__(self, low: float, high: float) -> float:
        if self._rng is None:
            return (low + high) / 2
        # The middle is likelier than the ends.
        return low + (high - low) * float(self._rng.beta(2, 2))


def _class_spectrum(name: str, nm: Array, draw: _Draw) -> NDArray[np.float64]:
    if name == "Deciduous trees":
        green = leaf(
            nm,
            plateau=draw(0.38, 0.52),
            chlorophyll=draw(0.8, 1.2),
            water=draw(0.8, 1.2),
            edge=draw(713, 719),
        )
        value = _over(green, _soil(nm, draw), draw(0.93, 1.0))
    elif name == "Conifer forest":
        green = leaf(
            nm,
            plateau=draw(0.23, 0.36),
            chlorophyll=draw(1.0, 1.45),
            water=draw(1.05, 1.6),
            edge=draw(715, 721),
        )
        value = _over(green, _soil(nm, draw), draw(0.92, 1.0))
    elif name == "Meadow":
        green = leaf(
            nm,
            plateau=draw(0.34, 0.48),
            chlorophyll=draw(0.5, 1.0),
            water=draw(0.5, 1.0),
            edge=draw(710, 716),
        )
        value = _over(_over(green, _straw(nm), draw(0.75, 1.0)), _soil(nm, draw), draw(0.85, 1.0))
    elif name == "Crop":
        green = leaf(
            nm,
            plateau=draw(0.44, 0.58),
            chlorophyll=draw(0.7, 1.1),
            water=draw(0.65, 1.05),
            edge=draw(716, 724),
        )
        value = _over(green, _soil(nm, draw), draw(0.6, 1.0))
    elif name == "Bare soil":
        value = _over(_soil(nm, draw), _straw(nm), draw(0.85, 1.0))
    elif name == "Water":
        turbid = draw(0.5, 1.7)
        value = 0.055 * turbid * np.exp(-(((nm - 540 - 12 * turbid) / 95) ** 2))
        value += 0.012 * np.exp(-(nm - 400) / 250) + 0.002
    elif name == "Asphalt":
        value = draw(0.055, 0.12) + draw(0.01, 0.06) * (nm - 400) / 2100
        value -= 0.006 * _dip(nm, 2310, 30)
    else:
        value = _over(_tile(nm, draw), np.full(nm.shape, 0.14), draw(0.7, 1.0))
    return np.clip(value, 0.002, 0.95)


def _soil(nm: Array, draw: _Draw) -> NDArray[np.float64]:
    value = draw(0.8, 1.2) * (0.08 + 0.30 * (1 - np.exp(-(nm - 350) / 700)))
    value *= 1 - draw(0.06, 0.14) * _dip(nm, 870, 90) - draw(0.05, 0.13) * _dip(nm, 2205, 22)
    return np.asarray(value * np.exp(-draw(0.05, 0.55) * (0.35 + water_lines(nm))))


def _tile(nm: Array, draw: _Draw) -> NDArray[np.float64]:
    value = 0.05 + draw(0.26, 0.42) / (1 + np.exp(-(nm - draw(582, 598)) / 28))
    value *= 1 - draw(0.1, 0.2) * _dip(nm, 865, 80) - 0.05 * _dip(nm, 2200, 40)
    return np.asarray(value * (1 - 0.05 * water_lines(nm)))


def _straw(nm: Array) -> NDArray[np.float64]:
    value = 0.06 + 0.36 * (1 - np.exp(-(nm - 380) / 420))
    return np.asarray(value * (1 - 0.14 * _dip(nm, 2100, 45) - 0.10 * _dip(nm, 2300, 40)))


def _over(upper: Array, lower: Array, cover: float) -> NDArray[np.float64]:
    return np.asarray(cover * upper + (1 - cover) * lower)


def _dip(nm: Array, center: float, width: float) -> Array:
    return np.asarray(np.exp(-0.5 * ((nm - center) / width) ** 2))
