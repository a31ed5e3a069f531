"""ENVI headers: text with ``name = value`` and ``{lists}``, read tolerantly, written strictly."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import GeoReference

LARGEST_HEADER = 16 << 20
DTYPES = {
    1: "u1",
    2: "i2",
    3: "i4",
    4: "f4",
    5: "f8",
    6: "c8",
    9: "c16",
    12: "u2",
    13: "u4",
    14: "i8",
    15: "u8",
}
_TO_NM = {
    "nanometers": 1.0,
    "nanometer": 1.0,
    "nm": 1.0,
    "micrometers": 1e3,
    "micrometer": 1e3,
    "microns": 1e3,
    "micron": 1e3,
    "um": 1e3,
    "µm": 1e3,
    "millimeters": 1e6,
    "angstroms": 0.1,
}


def read_header(path: Path) -> dict[str, str]:
    """Return the entries of an ENVI header, names in lower case, braces taken off.

    Raises
    ------
    BadInput
        Not an ENVI header, or longer than any real one.
    """
    if path.stat().st_size > LARGEST_HEADER:
        raise BadInput(f"{path.name} is too long for an ENVI header.", subject=path)
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[0].strip().upper().startswith("ENVI"):
        raise BadInput(
            f"{path.name} is not an ENVI header: its first line must say ENVI.",
            subject=path,
            way_out="Choose the .hdr file that belongs to the image.",
        )
    entries: dict[str, str] = {}
    name, value = "", []
    for line in lines[1:]:
        if name:
            value.append(line)
            if "}" in line:
                entries[name] = _inside("\n".join(value))
                name = ""
            continue
        if "=" not in line or line.lstrip().startswith(";"):
            continue
        key, _, rest = line.partition("=")
        key = " ".join(key.lower().split())
        rest = rest.strip()
        if rest.startswith("{") and "}" not in rest:
            name, value = key, [rest]
        else:
            entries[key] = _inside(rest) if rest.startswith("{") else rest
    if name:
        raise BadInput(
            f"{path.name} ends within the list '{name}'.",
            subject=path,
            way_out="The header is cut off; copy it anew.",
        )
    return entries


def as_list(text: str | None) -> list[str]:
    """Return the items of a list; commas separate, else line ends do."""
    if not text:
        return []
    return [item.strip() for item in text.replace("\n", " ").split(",") if item.strip()]


def numbers(text: str | None) -> list[float] | None:
    """Return the numbers of a list, or None where it is missing or holds words."""
    items = as_list(text)
    try:
        return [float(item) for item in items] if items else None
    except ValueError:
        return None


def whole(entries: Mapping[str, str], name: str, path: Path, *, default: int | None = None) -> int:
    """Return a whole number of the header.

    Raises
    ------
    BadInput
        It is missing or no number.
    """
    text = entries.get(name)
    if text is None:
        if default is not None:
            return default
        raise BadInput(
            f"The header {path.name} does not say '{name}'.",
            subject=path,
            way_out=f"Add a line '{name} = …' to it.",
        )
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"The header {path.name} says '{name} = {text[:40]}', which is no number.",
            subject=path,
            way_out="Correct that line.",
        ) from error


def mixed_units(wavelengths: Iterable[float]) -> bool:
    """Return whether a list holds both what can only be µm and what can only be nm."""
    known = [v for v in wavelengths if math.isfinite(v) and v > 0]
    return bool(known) and min(known) < 30 and max(known) > 300


def band_table(entries: Mapping[str, str], count: int) -> tuple[BandTable, tuple[str, ...]]:
    """Return the bands a header describes, and notes on what in it made no sense."""
    notes: list[str] = []
    nm = numbers(entries.get("wavelength"))
    fwhm = numbers(entries.get("fwhm"))
    unit = entries.get("wavelength units", "").strip().lower()
    table_note = ""
    if nm is not None and len(nm) != count:
        notes.append(f"The header lists {len(nm)} wavelengths for {count} bands; they are ignored.")
        nm = None
    if nm is not None and mixed_units(nm):
        notes.append("The header's wavelengths are partly in nm, partly in µm; they are ignored.")
        nm = None
    if nm is not None:
        factor = _TO_NM.get(unit)
        if unit.startswith("wavenumber"):
            nm = [1e7 / v if v else math.nan for v in nm]
            fwhm = None
        elif unit in ("index", "mhz", "ghz"):
            nm = None
        else:
            if factor is None:
                factor = 1e3 if max(nm) < 100 else 1.0
                said = "µm" if factor == 1e3 else "nm"
                table_note = f"the header names no unit; taken as {said}"
                notes.append(f"The header names no wavelength unit; taken as {said}.")
            nm = [v * factor for v in nm]
            fwhm = [v * factor for v in fwhm] if fwhm else None
    if fwhm is not None and len(fwhm) != count:
        fwhm = None
    good = numbers(entries.get("bbl"))
    if good is not None and len(good) != count:
        notes.append(f"The bad-band list has {len(good)} entries for {count} bands; ignored.")
        good = None
    names = as_list(entries.get("band names"))
    table = BandTable.build(
        count,
        names=names if len(names) == count else None,
        wavelength_nm=nm,
        fwhm_nm=fwhm,
        good=None if good is None else [v != 0 for v in good],
        note=table_note,
    )
    return table, tuple(notes)


def georeference(entries: Mapping[str, str]) -> GeoReference | None:
    """Return the place that ``map info`` and ``coordinate system string`` describe.

    Pixel coordinates of the tie point count from 1 at the outer corner of the
    first pixel, as in ENVI's documentation; rotation turns counter-clockwise.
    """
    parts = as_list(entries.get("map info"))
    if len(parts) < 7:
        return None
    try:
        tie_x, tie_y, east, north, width, height = (float(v) for v in parts[1:7])
    except ValueError:
        return None
    extra = dict(p.lower().split("=", 1) for p in parts[7:] if "=" in p)
    angle = math.radians(_float(extra.get("rotation"), 0.0))
    a, b = width * math.cos(angle), height * math.sin(angle)
    d, e = width * math.sin(angle), -height * math.cos(angle)
    c = east - a * (tie_x - 1) - b * (tie_y - 1)
    f = north - d * (tie_x - 1) - e * (tie_y - 1)
    crs = entries.get("coordinate system string", "").strip().strip("{}") or _crs(parts)
    if crs is not None:
        from pyproj import CRS
        from pyproj.exceptions import CRSError

        try:
            CRS.from_user_input(crs)
        except CRSError:
            crs = _crs(parts)
    try:
        return GeoReference((a, b, c, d, e, f), crs)
    except BadInput:
        return None


def class_table(entries: Mapping[str, str]) -> tuple[dict[int, str], dict[int, str]]:
    """Return class names and colours (``#rrggbb``) by value, without value 0."""
    names = as_list(entries.get("class names"))
    found = {value: name for value, name in enumerate(names) if value > 0}
    rgb = numbers(entries.get("class lookup")) or []
    colors: dict[int, str] = {}
    for value in found:
        part = rgb[3 * value : 3 * value + 3]
        if len(part) == 3 and all(0 <= v <= 255 for v in part):
            colors[value] = "#{:02x}{:02x}{:02x}".format(*(int(v) for v in part))
    return found, colors


def write_header(entries: Mapping[str, Any]) -> str:
    """Return the text of a header; sequences become lists in braces."""
    lines = ["ENVI"]
    for name, value in entries.items():
        if value is None:
            continue
        if isinstance(value, str):
            text = value if not re.search(r"[{}\n]", value) else value.translate(_PLAIN)
            if name in ("description", "coordinate system string"):
                text = f"{{{text}}}"
        elif isinstance(value, (Sequence, np.ndarray)):
            text = "{" + ", ".join(_item(v) for v in value) + "}"
        else:
            text = _item(value)
        lines.append(f"{name} = {text}")
    return "\n".join(lines) + "\n"


def map_info(place: GeoReference) -> list[str]:
    """Return the ``map info`` entry of a north-up or rotated georeference."""
    a, _, c, d, _, f = place.affine
    width = math.hypot(a, d)
    height = math.hypot(place.affine[1], place.affine[4])
    info = ["Arbitrary", "1", "1", repr(c), repr(f), repr(width), repr(height)]
    if place.crs is not None:
        from pyproj import CRS

        crs = CRS.from_user_input(place.crs)
        zone = crs.utm_zone
        if crs.is_geographic:
            info = ["Geographic Lat/Lon", *info[1:], "WGS-84", "units=Degrees"]
        elif zone:
            half = "North" if zone.endswith("N") else "South"
            info = ["UTM", *info[1:], zone[:-1], half, "WGS-84", "units=Meters"]
    if d != 0:
        info.append(f"rotation={math.degrees(math.atan2(d, a))!r}")
    return info


_PLAIN = str.maketrans({"{": "(", "}": ")", "\n": " "})


def _item(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return str(value).translate(_PLAIN).replace(",", ";")


def _inside(text: str) -> str:
    text = text.strip()
    return text[1 : text.rindex("}")].strip() if "}" in text else text[1:].strip()


def _float(text: str | None, default: float) -> float:
    try:
        return float(text) if text is not None else default
    except ValueError:
        return default


def _crs(parts: Sequence[str]) -> str | None:
    """Return the EPSG code of the common cases that ``map info`` names in words."""
    kind = parts[0].strip().lower()
    datum = " ".join(parts[7:]).lower()
    if kind.startswith("geographic"):
        return "EPSG:4326"
    if kind == "utm" and len(parts) > 8:
        try:
            zone = int(float(parts[7]))
        except ValueError:
            return None
        if not 1 <= zone <= 60:
            return None
        south = parts[8].strip().lower().startswith("s")
        if "nad" in datum and "83" in datum and not south:
            return f"EPSG:{26900 + zone}"
        return f"EPSG:{(32700 if south else 32600) + zone}"
    return None
