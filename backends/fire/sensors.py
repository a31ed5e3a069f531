"""The airborne fire sensors: AMS with 12 and 16 channels, and MASTER in their place.

Pass-bands and sensor-weighted solar irradiance of the AMS come from the NASA Ames flight
configuration of 27 September 2007. They drift a few nm between campaigns: a file that names
its own wavelengths overrides them.
"""

from __future__ import annotations

from dataclasses import dataclass

from backends.bands import BandTable
from backends.errors import BadInput, WrongUse


@dataclass(frozen=True)
class Channel:
    """One channel of a line scanner.

    Attributes
    ----------
    number : int
        From 1, as the sensor's users count.
    left_um, peak_um, right_um : float
        50 % of the response, its peak, and 50 % again, in µm.
    irradiance : float
        Sensor-weighted solar irradiance E, W m⁻² µm⁻¹.
    role : str
        What it is for, in words.
    gain : str
        ``"high"`` or ``"low"``: low-gain channels repeat a pass-band and do not saturate over
        flames.
    """

    number: int
    left_um: float
    peak_um: float
    right_um: float
    irradiance: float
    role: str
    gain: str = "high"

    @property
    def centre_nm(self) -> float:
        """Peak of the response in nm."""
        return self.peak_um * 1e3

    @property
    def is_thermal(self) -> bool:
        """Whether it is read as a temperature."""
        return self.peak_um > 3.0


@dataclass(frozen=True)
class Sensor:
    """A sensor whose channels are known.

    Attributes
    ----------
    id, title : str
    channels : tuple of Channel
        In file order.
    note : str
        What to know when it stands for another sensor; empty where it is the networks' own.
    """

    id: str
    title: str
    channels: tuple[Channel, ...]
    note: str = ""

    def channel(self, number: int) -> Channel:
        """Return a channel by the sensor's own number.

        Raises
        ------
        BadInput
            The sensor has none of that number.
        """
        for found in self.channels:
            if found.number == number:
                return found
        known = f"{self.channels[0].number} to {self.channels[-1].number}"
        raise BadInput(f"{self.title} has no channel {number}.", way_out=f"It has {known}.")

    def band_table(self, numbers: tuple[int, ...] | None = None) -> BandTable:
        """Return the bands of all channels, or of those named, in that order."""
        chosen = self.channels if numbers is None else tuple(self.channel(n) for n in numbers)
        return BandTable.build(
            len(chosen),
            names=[f"{self.title} {c.number} {c.role}" for c in chosen],
            wavelength_nm=[c.centre_nm for c in chosen],
            fwhm_nm=[(c.right_um - c.left_um) * 1e3 for c in chosen],
            note=f"wavelengths of {self.title}",
        )


_AMS = (
    (1, 0.422, 0.438, 0.450, 1784.5, "coastal blue"),
    (2, 0.450, 0.488, 0.514, 1960.1, "blue"),
    (3, 0.515, 0.550, 0.585, 1850.2, "green"),
    (4, 0.566, 0.594, 0.628, 1763.6, "yellow"),
    (5, 0.594, 0.624, 0.670, 1638.3, "red"),
    (6, 0.635, 0.676, 0.743, 1443.6, "red edge"),
    (7, 0.695, 0.756, 0.852, 1179.4, "near infrared 1"),
    (8, 0.790, 0.892, 1.020, 901.5, "near infrared 2"),
    (9, 1.575, 1.738, 1.772, 220.5, "shortwave infrared 1"),
    (10, 2.077, 2.222, 2.337, 76.5, "shortwave infrared 2"),
    (11, 3.668, 3.745, 3.811, 11.8, "mid-wave infrared"),
    (12, 10.014, 10.191, 11.107, 0.20, "thermal infrared"),
)
_HIGH = tuple(Channel(*row) for row in _AMS)
_LOW = tuple(Channel(row[0] + 4, *row[1:5], f"{row[5]}, low gain", "low") for row in _AMS[8:])

AMS_12 = Sensor("ams-12", "AMS", _HIGH)
AMS_16 = Sensor("ams-16", "AMS (16 channels)", _HIGH + _LOW)

# The MASTER channel that stands for each AMS channel, with its centre in µm, as in the paper's
# repository.
MASTER_FOR_AMS: dict[int, tuple[int, float]] = {
    1: (1, 0.462), 2: (2, 0.500), 3: (3, 0.542), 4: (4, 0.582), 5: (5, 0.654), 6: (6, 0.712),
    7: (7, 0.752), 8: (8, 0.802), 9: (15, 1.768), 10: (22, 2.212), 11: (30, 3.746),
    12: (47, 10.637),
}  # fmt: skip
SUBSTITUTED = (
    "Sensor substituted: MASTER's pass-bands are not those of the AMS that the networks know; "
    "the same ground gives other values."
)
# Widths are those of the AMS channel it stands for: MASTER's own were not at hand.
MASTER = Sensor(
    "master",
    "MASTER",
    tuple(
        Channel(
            MASTER_FOR_AMS[c.number][0],
            MASTER_FOR_AMS[c.number][1] - (c.right_um - c.left_um) / 2,
            MASTER_FOR_AMS[c.number][1],
            MASTER_FOR_AMS[c.number][1] + (c.right_um - c.left_um) / 2,
            c.irradiance,
            c.role,
        )
        for c in _HIGH
    ),
    SUBSTITUTED,
)
SENSORS: dict[str, Sensor] = {s.id: s for s in (AMS_12, AMS_16, MASTER)}
# Between 12-channel numbers and the low-gain channel that repeats them.
LOW_GAIN = {9: 13, 10: 14, 11: 15, 12: 16}


def sensor(sensor_id: str) -> Sensor:
    """Return a sensor by id.

    Raises
    ------
    WrongUse
        None has that id.
    """
    if sensor_id not in SENSORS:
        raise WrongUse(
            f"There is no sensor called {sensor_id}.", way_out=f"Use: {', '.join(SENSORS)}."
        )
    return SENSORS[sensor_id]
