"""PRISMA L1, L2B, L2C and L2D (ASI): HDF-EOS5 with a cube a detector, bands in the middle.

Layout: ``HDFEOS/SWATHS/PRS_<level>_HCO/Data Fields/VNIR_Cube`` and ``SWIR_Cube`` (rows, bands,
columns), co-registered; ``HRC`` where they are not. Root attributes list the wavelengths from
long to short, 0 for a channel that does not exist. Source: PRISMA products specification, ASI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io import hdf
from backends.io.envi import kind_of
from backends.io.hdf import HdfPixels, attribute
from backends.io.products import swath
from backends.io.products.prisma_place import find_place
from backends.io.products.view import BandView, by_wavelength, check_scaling, scaling, take
from backends.scene import Scene, SceneInfo

ID = "prisma"
TITLE = "PRISMA L1 and L2"

_SWATHS = "HDFEOS/SWATHS"
_SWATH = re.compile(r"PRS_L?(1|2B|2C|2D)_(HCO|HRC)")
_ORDER = (0, 2, 1)
_STEPS = 65535.0
_RADIANCE = "W m⁻² sr⁻¹ µm⁻¹"


@dataclass(frozen=True)
class _Detector:
    """One cube: its pixels and, each shape (bands,), what the attributes say of its bands."""

    name: str
    pixels: HdfPixels
    nm: NDArray[np.float64]
    fwhm: NDArray[np.float64] | None
    flags: NDArray[np.bool_]
    gain: float
    offset: float


def sniff(path: Path, head: bytes) -> float:
    """By the names of the swaths."""
    return swath.recognise(path, head, lambda file: 0.95 if _find_swath(file) else 0.0)


def _find_swath(file: Any) -> tuple[str, str] | None:
    """Return the name and the level of the swath with the cubes, co-registered if there."""
    import h5py

    group = file.get(_SWATHS)
    names = group.keys() if isinstance(group, h5py.Group) else ()
    found = [m for name in names if (m := _SWATH.fullmatch(str(name)))]
    found.sort(key=lambda m: m.group(2))
    return (found[0].group(0), found[0].group(1)) if found else None


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open the VNIR and SWIR cubes of a PRISMA file as one image, sorted by wavelength.

    Option: ``key`` (path of another data set in the file, opened as it is).
    """
    if options.get("key"):
        return hdf.open(path, options)
    file = swath.open_file(path)
    try:
        return _scene(path, file, options)
    except BaseException:
        file.close()
        raise


def _scene(path: Path, file: Any, options: Mapping[str, Any]) -> Scene:
    found = _find_swath(file)
    if found is None:
        raise BadInput(f"{path.name} holds no PRISMA swath.", subject=path)
    name, level = found
    notes: list[str] = []
    fields = f"{_SWATHS}/{name}/Data Fields"
    detectors = [
        detector
        for kind in ("Vnir", "Swir")
        if (detector := _detector(path, file, f"{fields}/{kind.upper()}_Cube", kind, level, notes))
    ]
    if not detectors:
        raise BadInput(
            f"{path.name} holds neither VNIR_Cube nor SWIR_Cube.",
            subject=path,
            way_out="Download the product anew, or open another data set with key=its path.",
        )
    nm = np.concatenate([d.nm for d in detectors])
    where = [(k, band) for k, d in enumerate(detectors) for band in range(d.nm.size)]
    fwhm = None
    if all(d.fwhm is not None for d in detectors):
        fwhm = np.concatenate([d.fwhm for d in detectors if d.fwhm is not None])
    order = [i for i in by_wavelength(nm) if nm[i] > 0]
    if not order:
        raise BadInput(
            f"{path.name} gives no band a wavelength.",
            subject=path,
            way_out="The file is damaged; download it anew.",
        )
    gains = np.array([detectors[where[i][0]].gain for i in order])
    offsets = np.array([detectors[where[i][0]].offset for i in order])
    shared = scaling(gains, offsets)
    nodata = 0.0 if level == "2D" else None  # only map-projected images have empty margins
    view = BandView(
        path,
        [d.pixels for d in detectors],
        [where[i] for i in order],
        gains=None if shared else gains,
        offsets=None if shared else offsets,
        nodata=nodata,
        tile=swath.tile_of(file, f"{fields}/{detectors[0].name}_Cube", _ORDER),
    )
    place, place_notes = find_place(path, file, f"{_SWATHS}/{name}", level, view)
    notes += _notes(detectors, name, nm.size - len(order), shared is None) + place_notes
    pixel = getattr(place, "affine", None)
    info = SceneInfo(
        path=path,
        files=(path,),
        kind=kind_of(len(order), True),
        reader=ID,
        options=dict(options),
        bands=take(order, nm, fwhm, np.concatenate([d.flags for d in detectors])),
        place=place,
        pixel_size=None if pixel is None else (abs(pixel[4]), abs(pixel[0])),
        pixel_unit="" if pixel is None else "m",
        nodata=nodata if shared else None,
        gain=shared[0] if shared else 1.0,
        offset=shared[1] if shared else 0.0,
        unit=_RADIANCE if level in ("1", "2B") else "reflectance",
        facts=_facts(file, name),
        notes=tuple(notes),
    )
    return Scene(view, info)


def _detector(
    path: Path, file: Any, name: str, kind: str, level: str, notes: list[str]
) -> _Detector | None:
    pixels = swath.cube(path, file, name, _ORDER)
    if pixels is None:
        notes.append(f"The file holds no {kind.upper()} cube.")
        return None
    count = pixels.shape[2]
    listed = file.attrs.get(f"List_Cw_{kind}")
    if listed is None:
        raise BadInput(
            f"{path.name} does not list the wavelengths of its {kind.upper()} bands.",
            subject=path,
            way_out="Download it anew.",
        )
    nm = swath.numbers(listed, count, f"List_Cw_{kind}", path)
    fwhm = file.attrs.get(f"List_Fwhm_{kind}")
    flags = file.attrs.get(f"List_Cw_{kind}_Flags")
    gain, offset = _scale(file, kind, level)
    if not check_scaling(np.array([gain]), np.array([offset])):
        gain, offset = 1.0, 0.0
        notes.append(
            f"The file does not say how its {kind.upper()} values are scaled; "
            "they are shown as stored."
        )
    return _Detector(
        kind.upper(),
        pixels,
        nm,
        None if fwhm is None else swath.numbers(fwhm, count, f"List_Fwhm_{kind}", path),
        np.ones(count, bool)
        if flags is None
        else swath.numbers(flags, count, f"List_Cw_{kind}_Flags", path) != 0,
        gain,
        offset,
    )


def _scale(file: Any, kind: str, level: str) -> tuple[float, float]:
    """Return gain and offset; ``nan`` where the file gives none.

    L1: radiance = DN / ScaleFactor - Offset; L2: value = min + DN (max - min) / 65535.
    """
    try:
        if level == "1":
            factor = float(attribute(file, f"ScaleFactor_{kind}"))
            shift = float(attribute(file, f"Offset_{kind}") or 0.0)
            return (1.0 / factor if factor else np.nan), -shift
        low = float(attribute(file, f"L2Scale{kind}Min"))
        high = float(attribute(file, f"L2Scale{kind}Max"))
    except (TypeError, ValueError):
        return np.nan, np.nan
    return (high - low) / _STEPS, low


def _notes(detectors: list[_Detector], name: str, missing: int, scaled: bool) -> list[str]:
    notes = []
    if len(detectors) == 2:
        ranges = [d.nm[d.nm > 0] for d in detectors]
        text = "VNIR and SWIR bands are sorted by wavelength"
        if all(r.size for r in ranges) and ranges[0].max() > ranges[1].min():
            low, high = ranges[1].min(), ranges[0].max()
            text += f"; from {low:.0f} to {high:.0f} nm both detectors measure, in turn"
        notes.append(f"{text}.")
    if missing:
        notes.append(f"{missing} channels without a wavelength do not exist and are left out.")
    if scaled:
        notes.append("VNIR and SWIR are scaled differently; values are read in physical units.")
    if name.endswith("HRC"):
        notes.append("The detectors of this file are not co-registered.")
    return notes


def _facts(file: Any, name: str) -> dict[str, str]:
    facts = {"Product": f"PRISMA {name.removeprefix('PRS_').replace('_', ' ')}"}
    for key, label in (("Product_StartTime", "Acquired"), ("Processor_Version", "Version")):
        value = attribute(file, key)
        if value is not None:
            facts[label] = str(value)[:80]
    return facts
