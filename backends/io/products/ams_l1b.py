"""AMS and MASTER L1B (NASA Ames): calibrated radiance of a line scanner, HDF4, in a swath.

Layout: ``CalibratedData`` (scan lines, channels, 716) int16 with ``scale_factor`` a channel,
wavelengths in µm, ``PixelLatitude``/``PixelLongitude`` (scan lines, 716) with −999 where missing,
sun angles, and a linear temperature correction a channel. Read through ``pyhdf``, which is
optional. Written from the published layout; no original file was at hand.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput, MissingCapability
from backends.georeference import GeolocationTable
from backends.io.shaping import check_size
from backends.scene import Scene, SceneInfo, Window

ID = "ams_l1b"
TITLE = "AMS and MASTER L1B (HDF4)"

_HDF4 = b"\x0e\x03\x13\x01"
_DATA = "CalibratedData"
_FILL = -999.0
RADIANCE_LIMIT = 1e4
# A check on the file: 12-channel AMS, 16-channel AMS, MASTER.
_INFRARED = (2, 4, 25)
# Scale factors of the flight configurations, for files that lost the attribute.
_SCALES = {12: (0.1,) * 10 + (0.01,) * 2, 16: (0.1,) * 5 + (0.01,) * 11}


def sniff(path: Path, head: bytes) -> float:
    """By the first bytes, surer by the name."""
    if not head.startswith(_HDF4):
        return 0.0
    return 0.9 if path.name.upper().startswith(("AMSL1B", "MASTERL1B")) else 0.6


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open the radiance of a flight line.

    Raises
    ------
    MissingCapability
        ``pyhdf`` is not installed.
    BadInput
        The file is no L1B file of these sensors, or is damaged.
    """
    file = _open_sd(path)
    try:
        return _scene(path, file, options)
    except BaseException:
        file.end()
        raise


def _open_sd(path: Path) -> Any:
    """Open an HDF4 file; the tests put a stand-in here where pyhdf is not installed."""
    try:
        from pyhdf.SD import SD, SDC
    except ImportError as error:
        raise MissingCapability(
            f"{path.name} is an HDF4 file, and the library that reads those is not installed.",
            subject=path,
            way_out="Install it with: uv pip install 'clearband[hdf4]'; or convert the file with "
            "gdal_translate of a conda installation.",
        ) from error
    try:
        return SD(str(path), SDC.READ)
    except Exception as error:  # pyhdf raises an error class of its own
        raise BadInput(
            f"{path.name} is damaged or incomplete.",
            subject=path,
            way_out="Copy or download it anew.",
            details=repr(error),
        ) from error


class L1bPixels:
    """Radiance of an L1B file, W m⁻² sr⁻¹ µm⁻¹; ``nan`` where nothing was measured.

    Attributes
    ----------
    corrections : mapping of int to (slope, intercept)
        Of the brightness temperature of thermal bands.
    """

    layout = "bil"

    def __init__(
        self, path: Path, file: Any, scales: NDArray[np.float32],
        corrections: Mapping[int, tuple[float, float]],
    ) -> None:  # fmt: skip
        self._path, self._file, self._scales = path, file, scales
        self._data = file.select(_DATA)
        self._lock = threading.Lock()
        self._open = True
        self.corrections = dict(corrections)
        lines, channels, samples = (int(n) for n in self._data.info()[2])
        self.shape = (lines, samples, channels)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.level_shapes: Sequence[tuple[int, int]] = (self.shape[:2],)

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        low, high = min(bands), max(bands)
        start = (window.row, low, window.col)
        count = (window.height, high - low + 1, window.width)
        with self._lock:
            if not self._open:
                raise BadInput(f"{self._path.name} was closed.", way_out="Open it again.")
            try:
                counts = np.asarray(self._data.get(start=start, count=count))
            except Exception as error:  # pyhdf raises an error class of its own
                raise OSError(str(error)) from error
        counts = counts.reshape(count)[:, [b - low for b in bands], :].transpose(0, 2, 1)
        value = counts.astype(np.float32) * self._scales[list(bands)]
        return np.where(counts < 0, np.float32(np.nan), np.minimum(value, RADIANCE_LIMIT))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._open:
                self._open = False
                self._file.end()


def _scene(path: Path, file: Any, options: Mapping[str, Any]) -> Scene:
    listed = file.datasets()
    if _DATA not in listed or len(listed[_DATA][1]) != 3:
        raise BadInput(
            f"{path.name} holds no calibrated data of a line scanner.",
            subject=path,
            way_out="Open an L1B file of AMS or MASTER; other HDF4 files are not read.",
        )
    lines, channels, samples = (int(n) for n in listed[_DATA][1])
    check_size(path, (lines, channels, samples), 2)
    notes: list[str] = []
    effective = _list(file, "EffectiveCentralWavelength_IR_bands", channels, path)
    thermal = np.flatnonzero(np.nan_to_num(effective) > 0)
    if thermal.size not in _INFRARED:
        raise BadInput(
            f"{path.name} has {thermal.size} thermal channels; AMS has 2 or 4, MASTER 25.",
            subject=path,
            way_out="The file is damaged or of another sensor.",
        )
    is_master = thermal.size == 25
    um = _list(file, "Central100%ResponseWavelength", channels, path)
    um = np.where(effective > 0, effective, um)
    left = _list(file, "Left50%ResponseWavelength", channels, path)
    right = _list(file, "Right50%ResponseWavelength", channels, path)
    slope = _list(file, "TemperatureCorrectionSlope", channels, path)
    shift = _list(file, "TemperatureCorrectionIntercept", channels, path)
    corrections = {
        int(band): (float(slope[band]), float(shift[band]))
        for band in thermal
        if np.isfinite(slope[band]) and slope[band] != 0 and np.isfinite(shift[band])
    }
    scales = _scales(path, file, channels, is_master, notes)
    sensor = "MASTER" if is_master else "AMS"
    bands = BandTable.build(
        channels,
        names=[f"{sensor} {number}" for number in range(1, channels + 1)],
        wavelength_nm=um * 1e3,
        fwhm_nm=None if np.isnan(left - right).all() else (right - left) * 1e3,
    )
    pixels = L1bPixels(path, file, scales, corrections)
    facts = {"Product": f"{sensor} L1B"}
    zenith = _mean(file, "SolarZenithAngle", (lines, samples))
    if zenith is None:
        notes.append("The file does not say how high the sun stood.")
    else:
        facts["Sun zenith"] = f"{zenith:.2f} °"
    place, note = _place(path, pixels, file, (lines, samples))
    notes.append(note)
    info = SceneInfo(
        path=path,
        files=(path,),
        kind="thermal",
        reader=ID,
        options=dict(options),
        bands=bands,
        place=place,
        unit="W m-2 sr-1 um-1",
        facts=facts,
        notes=tuple(notes),
    )
    return Scene(pixels, info)


def _list(file: Any, name: str, count: int, path: Path) -> NDArray[np.float64]:
    """Return one number a channel; ``nan`` where the file has none."""
    if name not in file.datasets():
        return np.full(count, np.nan)
    values = np.asarray(file.select(name).get(), np.float64).reshape(-1)
    if values.size != count:
        raise BadInput(
            f"{path.name} lists {values.size} values of {name} for {count} channels.",
            subject=path,
            way_out="The file is damaged; download it anew.",
        )
    return values


def _scales(
    path: Path, file: Any, channels: int, is_master: bool, notes: list[str]
) -> NDArray[np.float32]:
    said = file.select(_DATA).attributes().get("scale_factor")
    if said is not None:
        values = np.atleast_1d(np.asarray(said, np.float32))
        if values.size in (1, channels) and (values > 0).all():
            return np.broadcast_to(values, (channels,)).copy()
    if is_master or channels not in _SCALES:
        raise BadInput(
            f"{path.name} does not say how its numbers become radiance.",
            subject=path,
            way_out="Download it anew; the attribute scale_factor is missing.",
        )
    notes.append(
        "The file lost its scale factors; those of the flight configurations "
        f"for {channels} channels were taken."
    )
    return np.asarray(_SCALES[channels], np.float32)


def _mean(file: Any, name: str, shape: tuple[int, int]) -> float | None:
    if name not in file.datasets() or tuple(file.datasets()[name][1]) != shape:
        return None
    step = max(1, shape[0] // 64)
    values = np.asarray(file.select(name).get(), np.float64)[::step]
    good = values[(values > _FILL + 1) & np.isfinite(values)]
    return float(good.mean()) if good.size else None


def _place(
    path: Path, pixels: L1bPixels, file: Any, shape: tuple[int, int]
) -> tuple[GeolocationTable | None, str]:
    names = ("PixelLongitude", "PixelLatitude")
    for name in names:
        if name not in file.datasets() or tuple(file.datasets()[name][1]) != shape:
            return None, "The file says of no pixel where it lies; it cannot be gridded."

    def load() -> tuple[NDArray[Any], NDArray[Any]]:
        with pixels._lock:
            if not pixels._open:
                raise BadInput(f"{path.name} was closed.", way_out="Open it again.")
            lon, lat = (np.asarray(file.select(n).get(), np.float64) for n in names)
        gone = (lon <= _FILL) | (lat <= _FILL)
        lon[gone] = lat[gone] = np.nan
        return lon, lat

    return GeolocationTable(load), "The image is as the scanner saw it; grid it to UTM to measure."
