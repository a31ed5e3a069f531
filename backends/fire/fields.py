"""A scene as the fire methods want it: temperatures, reflectances, and the networks' input.

Units are checked before anything runs; what was assumed is said in `FireImage.notes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.fire import radiometry
from backends.fire.roles import PHOTOGRAPH, FireBands, match_bands
from backends.fire.sensors import AMS_12
from backends.scene import Scene, Window
from backends.statistics import sample_pixels

Array = NDArray[Any]
UNITS = ("kelvin", "radiance", "reflectance", "stored")
NIGHT_ZENITH_DEG = 85.0
_SAMPLE = 20_000
# Mean apparent reflectance of red and near infrared below which nothing is lit by the sun.
_DARK = 0.01
_UNIT_WORDS = {"stored": "8 bits as published"}


@dataclass(frozen=True, eq=False)
class Fields:
    """Some pixels in physical units; what the scene lacks is missing.

    Attributes
    ----------
    t4, t11 : float32 arrays of shape (rows, cols), or None
        Brightness temperatures near 3.7 and 11 µm, K.
    reflectance : mapping of str to float32 array
        Apparent reflectance by role.
    valid : bool array of shape (rows, cols)
        False where nothing was measured.
    night : bool
    pixel_m : float or None
    saturated : bool array of shape (rows, cols)
        The shortwave infrared reached the end of its scale.
    sun_zenith_deg, view_zenith_deg, relative_azimuth_deg : arrays, optional
        For sun glint.
    water, cloud : bool arrays, optional
    means : mapping of str to float
        Means over the whole scene that colour rules need.
    rgb : uint8 array of shape (rows, cols, 3), optional
        Colours as the eye sees them.
    """

    t4: Array | None
    t11: Array | None
    reflectance: Mapping[str, Array]
    valid: NDArray[np.bool_]
    night: bool = False
    pixel_m: float | None = None
    saturated: NDArray[np.bool_] | None = None
    sun_zenith_deg: Array | float | None = None
    view_zenith_deg: Array | float | None = None
    relative_azimuth_deg: Array | float | None = None
    water: NDArray[np.bool_] | None = None
    cloud: NDArray[np.bool_] | None = None
    means: Mapping[str, float] = field(default_factory=dict)
    rgb: Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.valid.shape
        return rows, cols


class FireImage:
    """A scene and what its bands and numbers mean.

    Parameters
    ----------
    scene : Scene
    bands : FireBands, optional
        Default: matched by wavelength or name.
    units : str or mapping of str to str, optional
        ``"stored"`` (8 bits as published), ``"kelvin"``, ``"radiance"``, ``"reflectance"`` for
        all bands; default: looked at.
    sun_zenith_deg : float, optional
        Decides day or night, and turns radiance into reflectance.
    night : bool, optional
        Wins over everything.
    low_gain : bool
        Take the low-gain channel where the high-gain one is at the end of its scale.

    Raises
    ------
    BadInput
        Nothing says what the bands or their numbers are.
    """

    def __init__(
        self,
        scene: Scene,
        bands: FireBands | None = None,
        *,
        units: str = "",
        sun_zenith_deg: float | None = None,
        night: bool | None = None,
        low_gain: bool = True,
    ) -> None:
        if units and units not in UNITS:
            raise WrongUse(f"There is no unit called {units}.", way_out=f"Use: {', '.join(UNITS)}.")
        self.scene = scene
        self.bands = bands or match_bands(scene)
        self.low_gain = low_gain and bool(self.bands.low_gain)
        notes = list(self.bands.notes)
        # What an L1B file says of its channels' brightness temperatures.
        self._corrections: Mapping[int, tuple[float, float]] = getattr(
            scene.source, "corrections", {}
        )
        self._sample = sample_pixels(scene, list(range(scene.shape[2])), size=_SAMPLE)
        self.units, self.scales = self._find_units(units, notes)
        self.sun_zenith_deg = self._sun(sun_zenith_deg)
        self._tops = self._ends_of_scale()
        self.night = self._find_night(night, notes)
        area = scene.pixel_area_m2()
        self.pixel_m = None if area is None else float(np.sqrt(area))
        if self.pixel_m is None:
            notes.append("The pixel size is unknown; windows are those of the rules, in pixels.")
        self.notes = tuple(notes)

    # -- what the numbers are ------------------------------------------------------------

    def _find_units(
        self, wanted: str, notes: list[str]
    ) -> tuple[tuple[str, ...], tuple[float, ...]]:
        count = self.scene.shape[2]
        named = self.scene.info.unit.lower()
        if self.bands.sensor == PHOTOGRAPH:
            # Colours 0 to 255 as reflectance 0 to 0.5: what colour rules are shown again.
            return ("reflectance",) * count, (1 / 510,) * count
        if wanted:
            self._check_said(wanted)
            scale = 1.0
            if wanted == "reflectance" and self._is_ten_thousandths():
                scale = 1e-4
                notes.append("Reflectance is written as ten-thousandths.")
            return (wanted,) * count, (scale,) * count
        is_bytes = np.dtype(self.scene.dtype) == np.uint8 and self.scene.info.gain == 1.0
        if is_bytes and not named:
            if not self.bands.ams:
                raise self._unknown("8-bit numbers")
            notes.append(
                "8-bit numbers were read as the published form: 250 to 500 K in the thermal "
                "channels, twice radiance over irradiance in the others."
            )
            return ("stored",) * count, (1.0,) * count
        units, scales = [], []
        for band in range(count):
            thermal = self._is_thermal(band)
            unit, scale = self._guess(band, thermal, named)
            units.append(unit)
            scales.append(scale)
        said = sorted(set(units))
        if not named:
            notes.append(f"By their values the bands were taken for {' and '.join(said)}.")
        return tuple(units), tuple(scales)

    def _check_said(self, unit: str) -> None:
        """Look whether the heat bands can be in the unit that was said.

        Raises
        ------
        BadInput
            No ground on Earth has such values.
        """
        for band in (b for b in range(self.scene.shape[2]) if self._is_thermal(b)):
            column = self._sample[:, band]
            lit = column[np.isfinite(column) & (column > 0)]
            if not lit.size:
                continue
            middle, top = float(np.median(lit)), float(lit.max())
            fits = {"kelvin": 180 <= middle <= 1500, "stored": top <= 255}.get(unit, True)
            if unit == "radiance":
                um = self.bands.wavelength_nm[band] / 1e3
                fits = 180 <= float(radiometry.planck_temperature(um, middle)) <= 1500
            if not fits:
                raise BadInput(
                    f"{self.scene.title} cannot be in {_UNIT_WORDS.get(unit, unit)}: "
                    f"{self.scene.bands.label(band)} has {middle:.4g} in its middle.",
                    subject=self.scene.info.path,
                    way_out="Name another unit, or leave it to the values.",
                )

    def _is_ten_thousandths(self) -> bool:
        """Tell whether most of what is not heat is far above 1."""
        light = [b for b in range(self.scene.shape[2]) if not self._is_thermal(b)]
        values = self._sample[:, light]
        finite = values[np.isfinite(values)]
        return bool(finite.size and 2 < np.percentile(finite, 99) <= 16_000)

    def _is_thermal(self, band: int) -> bool:
        nm = self.bands.wavelength_nm[band]
        return bool(nm > 3000)

    def _guess(self, band: int, thermal: bool, named: str) -> tuple[str, float]:
        column = self._sample[:, band]
        finite = column[np.isfinite(column)]
        if finite.size == 0:
            return ("kelvin" if thermal else "reflectance"), 1.0
        middle, top = float(np.median(finite)), float(np.percentile(finite, 99))
        if "radiance" in named or "sr" in named.replace(" ", ""):
            return "radiance", 1.0
        if thermal:
            if 180 <= middle <= 1500:
                return "kelvin", 1.0
            if middle > 0 and top < 180 and not named:
                # Radiance of the ground is near 0.5 at 3.7 µm and near 10 at 10 µm.
                kelvin = radiometry.planck_temperature(self.bands.wavelength_nm[band] / 1e3, middle)
                if 180 <= float(kelvin) <= 400:
                    return "radiance", 1.0
            raise self._unknown(f"{self.scene.bands.label(band)} with {middle:.4g} in its middle")
        if named.startswith("%"):
            return "reflectance", 0.01
        if named == "reflectance" or top <= 2.0:
            return "reflectance", 1.0
        whole = np.issubdtype(self.scene.dtype, np.integer) or bool((finite % 1 == 0).all())
        if top <= 16_000 and whole:
            return "reflectance", 1e-4
        if top <= 1500:
            return "radiance", 1.0
        raise self._unknown(f"{self.scene.bands.label(band)} with values up to {top:.4g}")

    def _unknown(self, what: str) -> BadInput:
        return BadInput(
            f"It is not clear in which unit {self.scene.title} is: {what}.",
            subject=self.scene.info.path,
            way_out="Calibrate it first, or say --units kelvin, radiance, reflectance or stored.",
        )

    def _sun(self, given: float | None) -> float | None:
        if given is not None:
            return float(given)
        said = self.scene.info.facts.get("Sun zenith")
        try:
            return None if said is None else float(said.split()[0])
        except ValueError:
            return None

    def _find_night(self, given: bool | None, notes: list[str]) -> bool:
        if given is not None:
            return given
        if self.sun_zenith_deg is not None:
            return self.sun_zenith_deg >= NIGHT_ZENITH_DEG
        lit = [self.bands.roles[r] for r in ("red", "nir") if r in self.bands.roles]
        if not lit:
            notes.append("Nothing says whether it is day or night; day was assumed.")
            return False
        values = self._sample[:, lit]
        means = [np.nanmean(self._to_reflectance(values[:, i], band)) for i, band in enumerate(lit)]
        night = bool(np.mean(means) < _DARK)
        notes.append(f"By its visible light it is {'night' if night else 'day'}.")
        return night

    def _ends_of_scale(self) -> tuple[float, ...]:
        """Return the highest value of each band where many pixels have it: its saturation."""
        tops = []
        for band in range(self.scene.shape[2]):
            if self.units[band] == "stored":
                tops.append(255.0)
                continue
            column = self._sample[:, band]
            top = np.nanmax(column) if np.isfinite(column).any() else np.nan
            flat = np.isfinite(top) and (column == top).sum() >= 3
            tops.append(float(top) if flat else np.inf)
        return tuple(tops)

    # -- pixels --------------------------------------------------------------------------

    def fields(
        self, window: Window | None = None, means: Mapping[str, float] | None = None
    ) -> Fields:
        """Return a window in physical units."""
        used = sorted({*self.bands.roles.values(), *self.bands.low_gain.values()})
        raw = self.scene.read(window, used, physical=True)
        at = {band: raw[:, :, i] for i, band in enumerate(used)}
        roles = self.bands.roles
        kelvin: dict[str, Array | None] = {"mwir": None, "tir": None}
        for role, channel in (("mwir", 11), ("tir", 12)):
            if role in roles:
                kelvin[role] = self._to_kelvin(self._unsaturated(at, roles[role], channel))
        reflectances = {
            role: self._to_reflectance(at[band], band).astype(np.float32)
            for role, band in roles.items()
            if role not in kelvin
        }
        valid = np.asarray(np.isfinite(raw).all(axis=2), bool)
        if self.units and self.units[0] == "stored":
            valid = valid & (raw > 0).any(axis=2)  # all bands 0: outside the swath
        full = None
        if "swir2" in roles:
            full = at[roles["swir2"]] >= self._tops[roles["swir2"]]
        rgb = None
        if all(role in roles for role in ("red", "green", "blue")):
            # What the eye would be shown: reflectance 0 to 0.5 as 0 to 255.
            planes = [reflectances[role] for role in ("red", "green", "blue")]
            rgb = np.clip(np.nan_to_num(np.stack(planes, -1)) * 510, 0, 255).astype(np.uint8)
        return Fields(
            kelvin["mwir"], kelvin["tir"], reflectances, valid, self.night, self.pixel_m, full,
            self.sun_zenith_deg, means=means or {}, rgb=rgb,
        )  # fmt: skip

    def unit_planes(
        self, window: Window | None, channels: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the networks' input, shape (channels, rows, cols), 0 to 1, and what is valid.

        Raises
        ------
        BadInput
            The scene lacks a channel.
        """
        missing = [n for n in channels if n not in self.bands.ams]
        if missing:
            named = ", ".join(f"{n} ({AMS_12.channel(n).peak_um:g} µm)" for n in missing)
            raise BadInput(
                f"The network needs AMS channels that {self.scene.title} lacks: {named}.",
                subject=self.scene.info.path,
                way_out="Choose a network that was trained on the bands that are there.",
            )
        chosen = [self.bands.ams[n] for n in channels]
        used = sorted({*chosen, *self.bands.low_gain.values()})
        raw = self.scene.read(window, used, physical=True)
        at = {band: raw[:, :, i] for i, band in enumerate(used)}
        planes = []
        for number, band in zip(channels, chosen, strict=True):
            value, source = self._unsaturated(at, band, number)
            planes.append(self._to_unit(value, source, number))
        stack = np.stack(planes)
        valid = np.asarray(np.isfinite(stack).all(axis=0), bool)
        if self.units[chosen[0]] == "stored":
            valid = valid & (stack > 0).any(axis=0)
        return np.nan_to_num(stack).astype(np.float32), valid

    def _unsaturated(self, at: Mapping[int, Array], band: int, channel: int) -> tuple[Array, int]:
        """Return values of a band, of its low-gain repeat where the band is at its end."""
        value = at[band]
        other = self.bands.low_gain.get(channel)
        if not self.low_gain or other is None or other not in at:
            return value, band
        if self.units[band] != self.units[other]:
            return value, band
        return np.where(value >= self._tops[band], at[other], value), band

    def _to_kelvin(self, value_and_band: tuple[Array, int]) -> NDArray[np.float32]:
        value, band = value_and_band
        unit = self.units[band]
        if unit == "radiance":
            um = self.bands.wavelength_nm[band] / 1e3
            slope, shift = self._corrections.get(band, (1.0, 0.0))
            kelvin = radiometry.brightness_temperature(um, value, slope, shift)
            return kelvin.astype(np.float32)
        if unit == "stored":
            return radiometry.kelvin_from_unit(value / 255)
        return np.asarray(value * self.scales[band], np.float32)

    def _to_reflectance(self, value: Array, band: int) -> NDArray[np.float64]:
        unit = self.units[band]
        zenith = 0.0 if self.sun_zenith_deg is None else self.sun_zenith_deg
        cosine = max(np.cos(np.radians(zenith)), 0.05)
        if unit == "stored":
            return np.asarray(np.asarray(value, np.float64) / 255 * np.pi / 2 / cosine)
        if unit == "radiance":
            light = self._irradiance(band) * cosine
            return np.asarray(np.pi * np.asarray(value, np.float64) / light)
        return np.asarray(np.asarray(value, np.float64) * self.scales[band])

    def _irradiance(self, band: int) -> float:
        nm = self.bands.wavelength_nm[band]
        table = AMS_12.channels
        return float(np.interp(nm, [c.centre_nm for c in table], [c.irradiance for c in table]))

    def _to_unit(self, value: Array, band: int, number: int) -> NDArray[np.float32]:
        unit = self.units[band]
        if unit == "stored":
            return np.asarray(value / 255, np.float32)
        if AMS_12.channel(number).is_thermal:
            return radiometry.unit_from_kelvin(self._to_kelvin((value, band)))
        if unit == "radiance":
            return radiometry.unit_from_radiance(value, self._irradiance(band))
        zenith = 0.0 if self.sun_zenith_deg is None else self.sun_zenith_deg
        return radiometry.unit_from_reflectance(value * self.scales[band], zenith)
