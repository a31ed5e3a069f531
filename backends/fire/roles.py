"""Which band of a scene plays which part in finding fire, by wavelength.

Any sensor will do: AMS and MASTER, Landsat-8/9, Sentinel-2, VIIRS, MODIS. Files without
wavelengths are known by the names of their bands, or by their number of bands.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np

from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.fire.sensors import AMS_12, AMS_16, LOW_GAIN, MASTER, SENSORS, SUBSTITUTED, Sensor
from backends.scene import Scene


@dataclass(frozen=True)
class Role:
    """A part that a band can play.

    Attributes
    ----------
    low_nm, high_nm, target_nm : float
        The band whose centre lies in the range and nearest to the target plays it.
    """

    id: str
    title: str
    low_nm: float
    high_nm: float
    target_nm: float


ROLES: dict[str, Role] = {
    role.id: role
    for role in (
        Role("coastal", "coastal blue", 400, 470, 440),
        Role("blue", "blue", 450, 520, 485),
        Role("green", "green", 520, 605, 555),
        Role("red", "red", 600, 700, 645),
        Role("nir", "near infrared", 740, 930, 865),
        Role("swir1", "shortwave infrared 1", 1500, 1800, 1650),
        Role("swir2", "shortwave infrared 2", 2050, 2400, 2200),
        Role("mwir", "mid-wave infrared", 3400, 4200, 3800),
        Role("tir", "thermal infrared", 10_000, 12_600, 10_800),
    )
}

# Sensors whose bands go by names; centres in nm from the agencies' band tables.
_NAMED: dict[str, dict[str, float]] = {
    "Landsat-8/9": {
        "1": 443, "2": 482, "3": 561, "4": 655, "5": 865, "6": 1609, "7": 2201, "10": 10_895,
        "11": 12_005,
    },
    "Sentinel-2": {
        "1": 443, "2": 493, "3": 560, "4": 665, "5": 704, "6": 741, "7": 783, "8": 833, "8A": 865,
        "9": 945, "11": 1614, "12": 2202,
    },
    "VIIRS": {
        "I1": 640, "I2": 865, "I3": 1610, "I4": 3740, "I5": 11_450, "M5": 672, "M7": 865,
        "M10": 1610, "M11": 2250, "M13": 4050, "M15": 10_763, "M16": 12_013,
    },
}  # fmt: skip
# Satellites that can be named for a file whose bands have no names, and the usual orders of
# bands in files of so many: without panchromatic and cirrus, or without atmospheric bands.
SATELLITES: dict[str, tuple[str, dict[int, str]]] = {
    "landsat-8": (
        "Landsat-8/9",
        {6: "2 3 4 5 6 7", 7: "1 2 3 4 5 6 7", 9: "1 2 3 4 5 6 7 10 11",
         11: "1 2 3 4 5 6 7 8 9 10 11"},
    ),
    "sentinel-2": (
        "Sentinel-2",
        {6: "2 3 4 8A 11 12", 10: "2 3 4 5 6 7 8 8A 11 12",
         12: "1 2 3 4 5 6 7 8 8A 9 11 12", 13: "1 2 3 4 5 6 7 8 8A 9 10 11 12"},
    ),
    "viirs": ("VIIRS", {5: "I1 I2 I3 I4 I5"}),
}  # fmt: skip
PHOTOGRAPH = "a picture of visible light"
SENSOR_NAMES = (*SENSORS, *SATELLITES)
_AMS_NAME = re.compile(r"\b(?:AMS|MASTER)\D{0,12}?(\d{1,2})\b", re.IGNORECASE)
_LANDSAT = re.compile(r"^(?:SR_|ST_|LC0[89]_)?(?:B|BAND ?)(\d{1,2})$", re.IGNORECASE)
_SENTINEL = re.compile(r"^B(0\d|1[0-2]|8A)$", re.IGNORECASE)
_VIIRS = re.compile(r"^(?:VIIRS[ _-]?)?([IM]\d{1,2})\b", re.IGNORECASE)


@dataclass(frozen=True)
class FireBands:
    """What the bands of a scene are to the fire methods.

    Attributes
    ----------
    roles : mapping of str to int
        Band number (from 0) of each role that the scene can fill.
    wavelength_nm : tuple of float
        Centre of each band, ``nan`` where unknown.
    ams : mapping of int to int
        AMS channel (from 1) to band number: what the networks ask for.
    low_gain : mapping of int to int
        AMS channel 9 to 12 to the band that repeats it at low gain.
    sensor : str
        What it was taken for.
    notes : tuple of str
        What was assumed, and whether another sensor stands in.
    """

    roles: dict[str, int]
    wavelength_nm: tuple[float, ...]
    ams: dict[int, int]
    low_gain: dict[int, int] = field(default_factory=dict)
    sensor: str = ""
    notes: tuple[str, ...] = ()

    def need(self, *roles: str, subject: str = "") -> tuple[int, ...]:
        """Return the bands of roles.

        Raises
        ------
        BadInput
            The scene lacks one; the sentence names it and its range.
        """
        missing = [ROLES[r] for r in roles if r not in self.roles]
        if missing:
            named = " and ".join(
                f"{r.title} ({r.low_nm / 1e3:g} to {r.high_nm / 1e3:g} µm)" for r in missing
            )
            raise BadInput(
                f"The scene has no {named} band.",
                subject=subject or None,
                way_out="Choose a rule that does without it, or open the file that has it.",
            )
        return tuple(self.roles[r] for r in roles)


def match_bands(
    scene: Scene, *, sensor: str = "", channels: tuple[int, ...] | None = None
) -> FireBands:
    """Find out which band plays which part.

    Parameters
    ----------
    scene : Scene
    sensor : str, optional
        ``"ams-12"``, ``"ams-16"``, ``"master"``, ``"landsat-8"``, ``"sentinel-2"``, ``"viirs"``;
        default: by wavelengths, names, number of bands.
    channels : tuple of int, optional
        The sensor's channel of each band, where the file has only some.

    Raises
    ------
    BadInput
        Nothing says what the bands are.
    WrongUse
        No such sensor, or as many channels as bands were not named.
    """
    table = scene.bands
    if sensor or channels:
        return _as_sensor(sensor or "ams-12", channels, len(table))
    if table.has_wavelengths:
        return _by_wavelength(table)
    if scene.info.is_rgb and len(table) in (3, 4):
        colours = "Only rules of colour can be asked of a picture of visible light."
        nm = tuple(math.nan for _ in range(len(table)))
        return FireBands({"red": 0, "green": 1, "blue": 2}, nm, {}, {}, PHOTOGRAPH, (colours,))
    if numbers := _ams_numbers(table):
        known = AMS_16 if len(table) == 16 else AMS_12
        return _of_sensor(known, numbers, "by the names of the bands")
    named = _by_name(table)
    if named is not None:
        title, nm = named
        said = (f"The bands were taken for those of {title} by their names.",)
        return _roles_of(nm, _ams_of(nm), title, said)
    if len(table) in (12, 16) and np.dtype(scene.dtype) == np.uint8:
        known = AMS_12 if len(table) == 12 else AMS_16
        return _of_sensor(
            known, tuple(c.number for c in known.channels), "since it has as many bands of 8 bits"
        )
    raise BadInput(
        f"Nothing says what the {len(table)} bands of {scene.title} are.",
        subject=scene.info.path,
        way_out="Name the sensor and its channels, for example --sensor ams-12 --channels "
        "2,3,5,7,11, or give wavelengths with --option wavelengths=FILE.",
    )


def _as_sensor(wanted: str, channels: tuple[int, ...] | None, count: int) -> FireBands:
    if wanted in SATELLITES:
        return _as_satellite(wanted, channels, count)
    if wanted not in SENSORS:
        raise WrongUse(
            f"There is no sensor called {wanted}.", way_out=f"Use: {', '.join(SENSOR_NAMES)}."
        )
    known = SENSORS[wanted]
    numbers = channels or tuple(c.number for c in known.channels)
    if len(numbers) != count:
        raise WrongUse(
            f"{len(numbers)} channels were named for {count} bands.",
            way_out="Name one channel a band, in the order of the file.",
        )
    return _of_sensor(known, numbers, "as you said")


def _as_satellite(wanted: str, channels: tuple[int, ...] | None, count: int) -> FireBands:
    title, orders = SATELLITES[wanted]
    keys = [str(n) for n in channels] if channels else orders.get(count, "").split()
    if len(keys) != count:
        usual = ", ".join(map(str, orders))
        raise WrongUse(
            f"The order of the {count} bands is not known for {title}.",
            way_out=f"Name them with --channels, or give a file of {usual} bands.",
        )
    nm = tuple(_NAMED[title].get(key, math.nan) for key in keys)
    note = f"The bands were taken for {title}, {', '.join(keys)}, as you said."
    return _roles_of(nm, _ams_of(nm), title, (note,))


def _of_sensor(known: Sensor, numbers: tuple[int, ...], why: str) -> FireBands:
    nm = tuple(known.channel(n).centre_nm for n in numbers)
    notes = [f"The bands were taken for channels of {known.title} {why}."]
    place = {number: band for band, number in enumerate(numbers)}
    if known is MASTER:
        order = [c.number for c in MASTER.channels]
        ams = {order.index(number) + 1: band for number, band in place.items()}
        notes.append(SUBSTITUTED)
    else:
        ams = {number: band for number, band in place.items() if number <= 12}
    low = {high: place[number] for high, number in LOW_GAIN.items() if number in place}
    usable = tuple(
        v if known.channel(n).gain == "high" else math.nan for n, v in zip(numbers, nm, strict=True)
    )
    found = _roles_of(usable, ams, known.title, tuple(notes))
    return FireBands(found.roles, nm, ams, low, known.title, found.notes)


def _by_wavelength(table: BandTable) -> FireBands:
    nm = tuple(float(v) for v in table.wavelengths())
    good = table.good_mask()
    names = "".join(table.names)
    usable = [v if good[i] else math.nan for i, v in enumerate(nm)]
    low: dict[int, int] = {}
    for high, channel in enumerate(AMS_12.channels[8:], 9):
        # A second band of the same pass-band is the low-gain repeat of the 16-channel files.
        same = [i for i, v in enumerate(usable) if abs(v - channel.centre_nm) < 8]
        if len(same) == 2 and len(table) == 16:
            low[high] = same[1]
            usable[same[1]] = math.nan
    ams = _ams_of(tuple(usable))
    own = _drift(usable, ams) < 0.02 and len(ams) >= 3
    substitute = _master_of(usable)
    if substitute and not own:
        ams = substitute
    is_master = bool(substitute) or "MASTER" in names
    title = "AMS" if own or "AMS" in names else "MASTER" if is_master else "another sensor"
    notes: tuple[str, ...] = ()
    if title != "AMS" and ams:
        notes = (
            SUBSTITUTED
            if title == "MASTER"
            else "Sensor substituted: bands were matched to those of the AMS by wavelength; the "
            "networks learnt on other pass-bands.",
        )
    found = _roles_of(tuple(usable), ams, title, notes)
    return FireBands(found.roles, nm, ams, low, title, notes)


def _master_of(nm: list[float]) -> dict[int, int]:
    """Return the AMS channel that each of MASTER's substitutes stands for; empty if one lacks."""
    values = np.asarray(nm, float)
    found: dict[int, int] = {}
    for number, channel in enumerate(MASTER.channels, 1):
        apart = np.abs(values / channel.centre_nm - 1)
        if not np.isfinite(apart).any() or np.nanmin(apart) > 0.01:
            return {}
        found[number] = int(np.nanargmin(apart))
    return found


def _drift(nm: list[float], ams: dict[int, int]) -> float:
    """Return the largest relative distance of matched bands from the AMS channels."""
    apart = [abs(nm[band] / AMS_12.channel(n).centre_nm - 1) for n, band in ams.items()]
    return max(apart, default=1.0)


def _ams_of(nm: tuple[float, ...]) -> dict[int, int]:
    """Return the band that comes nearest to each AMS channel, within what a substitute may be."""
    found: dict[int, int] = {}
    values = np.asarray(nm, float)
    for channel in AMS_12.channels:
        apart = np.abs(values / channel.centre_nm - 1)
        if not np.isfinite(apart).any():
            continue
        band = int(np.nanargmin(apart))
        if apart[band] <= 0.08 and band not in found.values():
            found[channel.number] = band
    return found


def _roles_of(
    nm: tuple[float, ...], ams: dict[int, int], title: str, notes: tuple[str, ...]
) -> FireBands:
    values = np.asarray(nm, float)
    roles: dict[str, int] = {}
    for role in ROLES.values():
        with np.errstate(invalid="ignore"):
            fits = np.flatnonzero((values >= role.low_nm) & (values <= role.high_nm))
        if fits.size:
            best = fits[np.abs(values[fits] - role.target_nm).argmin()]
            roles[role.id] = int(best)
    if roles.get("coastal") == roles.get("blue"):
        roles.pop("coastal", None)
    return FireBands(roles, nm, ams, {}, title, notes)


def _ams_numbers(table: BandTable) -> tuple[int, ...] | None:
    found = [_AMS_NAME.search(name) for name in table.names]
    numbers = tuple(int(m.group(1)) for m in found if m)
    fits = len(numbers) == len(table) and all(1 <= n <= 16 for n in numbers)
    return numbers if fits and len(set(numbers)) == len(numbers) else None


def _by_name(table: BandTable) -> tuple[str, tuple[float, ...]] | None:
    """Return sensor and wavelengths where most names are those of a known sensor."""
    names = [name.strip() for name in table.names]
    if names == [f"Band {i + 1}" for i in range(len(names))]:
        return None  # only numbers of ours
    tries = [("Sentinel-2", _SENTINEL), ("VIIRS", _VIIRS), ("Landsat-8/9", _LANDSAT)]
    for title, pattern in tries:
        known = _NAMED[title]
        nm = []
        for name in names:
            match = pattern.match(name)
            key = match.group(1).upper().lstrip("0") if match else ""
            nm.append(known.get(key, math.nan))
        if np.isfinite(nm).sum() >= max(2, len(names) // 2):
            return title, tuple(nm)
    return None
