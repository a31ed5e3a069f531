"""ENVI images: a text header beside a flat file, in any interleave, type and byte order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import BadInput
from backends.io import envi_header as header
from backends.io.raw_pixels import RawPixels
from backends.scene import Scene, SceneInfo

ID = "envi"
TITLE = "ENVI image"

_SUFFIXES = (".dat", ".img", ".bil", ".bsq", ".bip", ".raw", ".bin", ".cube", "")
LARGEST_SIDE = 1 << 24
LARGEST_BANDS = 1 << 16


def sniff(path: Path, head: bytes) -> float:
    """An ENVI header, or a file that has one beside it."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:4].upper() == b"ENVI":
        return 0.95
    if head and path.suffix.lower() in (*_SUFFIXES, ".lib"):
        found = find_header(path)
        if found is not None:
            text = found.read_bytes()[:4096]
            if text.lstrip(b"\xef\xbb\xbf")[:4].upper() == b"ENVI":
                return 0.92
    return 0.0


def find_header(path: Path) -> Path | None:
    """Return the header beside an image: ``x.hdr`` or ``x.dat.hdr``, any case."""
    names = {f"{path.stem}.hdr".lower(), f"{path.name}.hdr".lower()}
    try:
        beside = [p for p in path.parent.iterdir() if p.name.lower() in names]
    except OSError:
        return None
    exact = [p for p in beside if p.name.lower() == f"{path.name}.hdr".lower()]
    return next(iter([*exact, *beside]), None)


def find_pixels(path: Path) -> Path:
    """Return the image beside a header.

    Raises
    ------
    BadInput
        There is none.
    """
    stem = path.name[: -len(path.suffix)]
    own = Path(stem)
    tries = [path.with_name(stem)] if own.suffix else []
    tries += [path.with_name(stem + suffix) for suffix in _SUFFIXES]
    tries += [path.with_name(stem + suffix.upper()) for suffix in _SUFFIXES if suffix]
    for candidate in tries:
        if candidate.is_file() and candidate != path:
            return candidate
    raise BadInput(
        f"The image that belongs to {path.name} is missing.",
        subject=path,
        way_out=f"Put {stem}.dat (or .img, .bil, .bsq, .bip) beside the header.",
    )


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open an ENVI image by its header or its data file."""
    is_header = path.suffix.lower() == ".hdr"
    found = path if is_header else find_header(path)
    if found is None:
        raise BadInput(
            f"{path.name} has no header beside it.",
            subject=path,
            way_out=f"Put {path.stem}.hdr into the same folder.",
        )
    entries = header.read_header(found)
    if "spectral library" in entries.get("file type", "").lower():
        raise BadInput(
            f"{found.name} is a spectral library, not an image.",
            subject=path,
            way_out="Open it in the window: its spectra stand beside those of a scene.",
        )
    pixels = find_pixels(found) if is_header else path
    shape, dtype, layout, offset = _layout(entries, found)
    expected = offset + math.prod(shape) * dtype.itemsize
    size = pixels.stat().st_size
    if size < expected:
        raise BadInput(
            f"{pixels.name} is {size:,} bytes long, but its header describes {expected:,}.",
            subject=pixels,
            way_out="The file is cut off, or the header belongs to another image.",
        )
    bands, notes = header.band_table(entries, shape[2])
    place = header.georeference(entries)
    if "map info" in entries and place is None:
        notes += ("The map info of the header makes no sense; the image opens without a place.",)
    if size > expected:
        notes += (f"The file is {size - expected:,} bytes longer than its header says.",)
    if dtype.kind == "c":
        notes += ("Complex values are shown by their magnitude.",)
    names, colors = header.class_table(entries)
    is_labels = "classification" in entries.get("file type", "").lower() and shape[2] == 1
    gain, unit = _gain(entries)
    nodata = header.numbers(entries.get("data ignore value"))
    info = SceneInfo(
        path=path,
        files=(pixels, found),
        kind="labels" if is_labels else kind_of(shape[2], bands.has_wavelengths),
        reader=ID,
        options=dict(options),
        bands=bands,
        place=place,
        pixel_size=None if place is None else place.pixel_size_m(shape[0] / 2, shape[1] / 2),
        pixel_unit="m" if place is not None else "",
        nodata=nodata[0] if nodata else None,
        gain=gain,
        unit=unit,
        is_rgb=shape[2] == 3 and dtype == np.uint8 and not bands.has_wavelengths,
        default_bands=_default_bands(entries, shape[2]),
        class_names=names if is_labels else {},
        class_colors=colors if is_labels else {},
        facts=_facts(entries, layout),
        notes=notes,
        title=pixels.name,
    )
    return Scene(RawPixels(pixels, shape, dtype, layout, offset), info)


def kind_of(bands: int, has_wavelengths: bool) -> str:
    """Return what an image with so many bands is called."""
    if bands > 20 or (bands > 10 and has_wavelengths):
        return "hyperspectral"
    return "multispectral" if bands > 3 else "raster"


def _layout(
    entries: dict[str, str], path: Path
) -> tuple[tuple[int, int, int], np.dtype[np.generic], str, int]:
    cols = header.whole(entries, "samples", path)
    rows = header.whole(entries, "lines", path)
    count = header.whole(entries, "bands", path, default=1)
    offset = header.whole(entries, "header offset", path, default=0)
    for name, value, most in (
        ("samples", cols, LARGEST_SIDE),
        ("lines", rows, LARGEST_SIDE),
        ("bands", count, LARGEST_BANDS),
    ):
        if not 0 < value <= most:
            raise BadInput(
                f"The header {path.name} says '{name} = {value}', which cannot be.",
                subject=path,
                way_out="Correct that line.",
            )
    if offset < 0:
        raise BadInput(f"The header {path.name} has a negative header offset.", subject=path)
    code = header.whole(entries, "data type", path)
    if code not in header.DTYPES:
        raise BadInput(
            f"The header {path.name} names data type {code}, which ENVI does not define.",
            subject=path,
            way_out="Correct that line.",
        )
    big = header.whole(entries, "byte order", path, default=0) == 1
    dtype = np.dtype((">" if big else "<") + header.DTYPES[code])
    layout = entries.get("interleave", "bsq").strip().lower()
    if layout not in ("bsq", "bil", "bip"):
        raise BadInput(
            f"The header {path.name} names the interleave '{layout[:20]}'.",
            subject=path,
            way_out="It must be bsq, bil or bip.",
        )
    return (rows, cols, count), dtype, layout, offset


def _gain(entries: dict[str, str]) -> tuple[float, str]:
    factor = header.numbers(entries.get("reflectance scale factor"))
    if factor and factor[0] > 0 and math.isfinite(factor[0]):
        return 1.0 / factor[0], "reflectance"
    gains = header.numbers(entries.get("data gain values"))
    if gains and all(g == gains[0] for g in gains) and math.isfinite(gains[0]) and gains[0] != 0:
        return gains[0], entries.get("data units", "")
    return 1.0, entries.get("data units", "")


def _default_bands(entries: dict[str, str], count: int) -> tuple[int, ...] | None:
    values = header.numbers(entries.get("default bands"))
    if values is None or len(values) not in (1, 3):
        return None
    chosen = tuple(int(v) - 1 for v in values)
    return chosen if all(0 <= v < count for v in chosen) else None


def _facts(entries: dict[str, str], layout: str) -> dict[str, str]:
    facts = {"Interleave": layout.upper()}
    for key, name in (("sensor type", "Sensor"), ("acquisition time", "Acquired")):
        if entries.get(key):
            facts[name] = entries[key]
    if text := entries.get("description", "").strip():
        facts["Description"] = " ".join(text.split())[:200]
    return facts
