"""Active fires of FIRMS from a file: footprints, not dots. No key and no network is needed.

Source: the FIRMS archive format, MODIS and VIIRS; column names were recalled, not re-read from
the documentation, and are checked when a file is opened. GeoJSON points open, too.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

_MOST = 2_000_000
_LETTERS = {"l": "low", "n": "nominal", "h": "high", "low": "low", "nominal": "nominal"}
_METRES_A_DEGREE = 111_320.0


@dataclass(frozen=True)
class Hotspot:
    """One detection.

    Attributes
    ----------
    longitude, latitude : float
        Centre of the footprint, degrees WGS 84.
    across_m, along_m : float
        Size of the footprint, east–west and north–south.
    when_utc : datetime or None
    confidence : str
        ``"low"``, ``"nominal"``, ``"high"``; MODIS counts 0 to 100 and was put into these three
        at 30 and 80.
    power_mw : float
        Fire radiative power; ``nan`` where not given.
    kelvin : float
        Brightness temperature near 4 µm; ``nan`` where not given.
    source : str
    night : bool or None
    """

    longitude: float
    latitude: float
    across_m: float
    along_m: float
    when_utc: dt.datetime | None
    confidence: str
    power_mw: float
    kelvin: float
    source: str
    night: bool | None

    def footprint(self) -> NDArray[np.float64]:
        """Return the corners as longitude and latitude, shape (4, 2)."""
        dy = self.along_m / 2 / _METRES_A_DEGREE
        dx = (
            self.across_m
            / 2
            / (_METRES_A_DEGREE * max(0.01, math.cos(math.radians(self.latitude))))
        )
        return np.array(
            [
                (self.longitude + sx * dx, self.latitude + sy * dy)
                for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
            ]
        )


def read_firms(path: Path) -> list[Hotspot]:
    """Read a FIRMS file, CSV or GeoJSON.

    Raises
    ------
    BadInput
        It has no positions, or a line cannot be understood; the sentence names it.
    """
    try:
        if path.suffix.lower() in (".geojson", ".json"):
            rows = _geojson(path)
        else:
            with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
                rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(
            f"{path.name} cannot be read as a FIRMS file.", subject=path, details=repr(error),
            way_out="Download it anew from FIRMS as CSV.",
        ) from error  # fmt: skip
    if len(rows) > _MOST:
        raise BadInput(f"{path.name} has more than {_MOST:,} lines.", subject=path)
    if not rows or not {"latitude", "longitude"} <= set(rows[0]):
        raise BadInput(
            f"{path.name} has no columns latitude and longitude.",
            subject=path,
            way_out="Give the CSV that FIRMS offers for download.",
        )
    return [_hotspot(path, number, row) for number, row in enumerate(rows, 2)]


def _geojson(path: Path) -> list[dict[str, Any]]:
    values = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for feature in values.get("features", []) if isinstance(values, dict) else []:
        geometry = feature.get("geometry") or {}
        if geometry.get("type") != "Point":
            continue
        lon, lat = geometry["coordinates"][:2]
        rows.append({**(feature.get("properties") or {}), "longitude": lon, "latitude": lat})
    return rows


def _hotspot(path: Path, line: int, row: dict[str, Any]) -> Hotspot:
    lon, lat = _number(row.get("longitude")), _number(row.get("latitude"))
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise BadInput(
            f"Line {line} of {path.name} has no place on Earth.",
            subject=path,
            way_out="Correct or delete that line.",
        )
    words = (str(row.get(k) or "") for k in ("satellite", "instrument", "source"))
    source = " ".join(part for part in words if part)
    modis = "bright_t31" in row or "MODIS" in source.upper()
    usual = _number(row.get("resolution_m"))
    usual = usual if usual > 0 else (1000.0 if modis else 375.0)
    across, along = _number(row.get("scan")) * 1e3, _number(row.get("track")) * 1e3
    kelvin = _number(row.get("bright_ti4", row.get("brightness")))
    day = str(row.get("daynight") or "").upper()[:1]
    return Hotspot(
        lon, lat,
        across if across > 0 else usual,
        along if along > 0 else usual,
        _when(row),
        _confidence(row.get("confidence")),
        _number(row.get("frp")),
        kelvin,
        source,
        {"D": False, "N": True}.get(day),
    )  # fmt: skip


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _confidence(value: Any) -> str:
    text = str(value or "").strip().lower()
    if text in _LETTERS or text == "high":
        return _LETTERS.get(text, "high")
    count = _number(text)
    if math.isnan(count):
        return "nominal"
    return "low" if count < 30 else "nominal" if count < 80 else "high"


def _when(row: dict[str, Any]) -> dt.datetime | None:
    date, time = str(row.get("acq_date") or ""), str(row.get("acq_time") or "0").strip()
    time = time.replace(":", "").zfill(4)
    try:
        return dt.datetime.strptime(f"{date} {time}", "%Y-%m-%d %H%M").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
