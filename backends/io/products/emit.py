"""EMIT L1B radiance and L2A reflectance (NASA): NetCDF-4 in the sensor's own geometry.

Layout: root data set ``radiance`` or ``reflectance`` (downtrack, crosstrack, bands), groups
``sensor_band_parameters`` (wavelengths and fwhm in nm, good_wavelengths) and ``location``
(lon, lat a pixel; glt_x, glt_y for an orthorectified grid). Source: EMIT L1B and L2A product
user guides, NASA LP DAAC.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io import hdf
from backends.io.envi import kind_of
from backends.io.hdf import attribute
from backends.io.products import swath
from backends.io.products.view import BandView, by_wavelength, take
from backends.scene import Scene, SceneInfo

ID = "emit"
TITLE = "EMIT L1B and L2A"

_CUBES = ("reflectance", "radiance", "reflectance_uncertainty")
_BANDS, _PLACES = "sensor_band_parameters", "location"
_ORDER = (0, 1, 2)
_FILL = -9999.0


def sniff(path: Path, head: bytes) -> float:
    """By the group with the wavelengths, or by the title, and by the cube."""
    return swath.recognise(path, head, _look)


def _look(file: Any) -> float:
    listed = f"{_BANDS}/wavelengths" in file
    titled = "EMIT" in str(attribute(file, "title") or "")
    if any(name in file for name in _CUBES):
        return 0.95 if listed or titled else 0.0
    return 0.7 if listed else 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open the radiance or reflectance of an EMIT file.

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
    name = next((name for name in _CUBES if swath.dataset(file, name) is not None), None)
    pixels = swath.cube(path, file, name, _ORDER) if name else None
    if name is None or pixels is None:
        raise BadInput(
            f"{path.name} holds neither radiance nor reflectance.",
            subject=path,
            way_out="Download the EMIT file whose name contains RAD or RFL.",
        )
    if _BANDS not in file or f"{_BANDS}/wavelengths" not in file:
        raise BadInput(
            f"{path.name} lacks the group {_BANDS} with the wavelengths.",
            subject=path,
            way_out=f"Download it anew, or open it with key={name}.",
        )
    count = pixels.shape[2]
    nm, fwhm, good = _bands(path, file, count)
    order = by_wavelength(nm)
    view = BandView(
        path, (pixels,), [(0, band) for band in order], tile=swath.tile_of(file, name, _ORDER)
    )
    names = (f"{_PLACES}/lon", f"{_PLACES}/lat")
    place, note = swath.geolocation(path, file, names, view.shape[:2], view.lock)
    notes = [note] if note else []
    notes.append(
        "The image is as the sensor saw it, neither turned north nor orthorectified; "
        "the place of each pixel comes from the file's table."
    )
    if order != list(range(count)):
        notes.append("The bands are sorted by wavelength.")
    fill = attribute(file[name], "_FillValue")
    info = SceneInfo(
        path=path,
        files=(path,),
        kind=kind_of(count, True),
        reader=ID,
        options=dict(options),
        bands=take(order, nm, fwhm, good),
        place=place,
        nodata=_FILL if fill is None else float(fill),
        unit=_unit(name, file[name]),
        facts=_facts(file, name),
        notes=tuple(notes),
    )
    return Scene(view, info)


def _bands(
    path: Path, file: Any, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.bool_] | None]:
    """Return wavelengths and widths in nm and which bands are good, each shape (bands,)."""
    nm = swath.numbers(file[f"{_BANDS}/wavelengths"], count, "wavelengths", path)
    factor = 1e3 if np.nanmax(nm, initial=0) < 100 else 1.0
    fwhm = good = None
    if f"{_BANDS}/fwhm" in file:
        fwhm = swath.numbers(file[f"{_BANDS}/fwhm"], count, "fwhm", path) * factor
    if f"{_BANDS}/good_wavelengths" in file:
        flags = file[f"{_BANDS}/good_wavelengths"]
        good = swath.numbers(flags, count, "good_wavelengths", path) == 1
    return nm * factor, fwhm, good


def _unit(name: str, data: Any) -> str:
    unit = str(attribute(data, "units", "unit") or "")
    if name.startswith("reflectance"):
        return "reflectance"
    return unit or "µW cm⁻² sr⁻¹ nm⁻¹"


def _facts(file: Any, name: str) -> dict[str, str]:
    facts = {"Product": f"EMIT {name.replace('_', ' ')}"}
    for key, label in (("time_coverage_start", "Acquired"), ("product_version", "Version")):
        value = attribute(file, key)
        if value is not None:
            facts[label] = str(value)[:80]
    table = swath.dataset(file, f"{_PLACES}/glt_x")
    if table is not None and table.ndim == 2:
        facts["Orthorectified grid"] = f"{table.shape[0]} × {table.shape[1]} pixels, not applied"
    return facts
