"""Images of many bands as ENVI (line by line) or GeoTIFF, written as they are made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io.envi_header import DTYPES, write_header
from backends.io.writers.atomic import replacing
from backends.io.writers.envi_classification import place_entries
from backends.io.writers.tags import SOFTWARE

if TYPE_CHECKING:
    from backends.jobs import Progress

TIFF = (".tif", ".tiff")


@dataclass(frozen=True, eq=False)
class Cube:
    """What is about to be written.

    Attributes
    ----------
    shape : (rows, cols, bands)
    dtype : numpy dtype
    bands : BandTable
    place : GeoReference or None
    nodata : float or None
    gain : float
        Physical value = written value * gain.
    unit, title : str
    made : mapping
        What was done, for the file's own record.
    class_names : mapping
        Of a label image.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    bands: BandTable
    place: GeoReference | None = None
    nodata: float | None = None
    gain: float = 1.0
    unit: str = ""
    title: str = ""
    made: Mapping[str, str] = field(default_factory=dict)
    class_names: Mapping[int, str] = field(default_factory=dict)


def write_cube(
    cube: Cube,
    strips: Iterable[NDArray[Any]],
    path: str | Path,
    *,
    progress: Progress | None = None,
) -> Path:
    """Write strips of whole rows, top to bottom; the suffix says the format.

    Parameters
    ----------
    strips : iterable of arrays of shape (rows, cols, bands)
        All rows of the cube together.
    path : str or Path
        ``.tif`` for GeoTIFF, else ENVI: the data file, or the header beside it.

    Returns
    -------
    Path
        The data file.

    Raises
    ------
    BadInput
        ENVI cannot hold this type or place, or the file cannot be written.
    """
    target = Path(path)
    rows = cube.shape[0]
    if progress is not None:
        progress.start(rows, "rows", f"Writing {target.name}")
    if target.suffix.lower() in TIFF:
        with replacing(target, folders=True) as inner:
            _write_tiff(cube, strips, inner, progress)
        return target
    if target.suffix.lower() in ("", ".hdr"):
        target = target.with_suffix(".bil")
    entries = _entries(cube, target)
    with replacing(target, folders=True) as inner:
        with inner.open("wb") as stream:
            done = 0
            for strip in strips:
                lines = np.moveaxis(strip, 2, 1).astype(cube.dtype.newbyteorder("<"), copy=False)
                stream.write(np.ascontiguousarray(lines).tobytes())
                done += len(strip)
                if progress is not None:
                    progress.advance(len(strip))
        if done != rows:
            raise ValueError(f"{done} of {rows} rows were given")
        inner.with_suffix(".hdr").write_text(write_header(entries), encoding="utf-8")
    return target


def _entries(cube: Cube, target: Path) -> dict[str, Any]:
    codes = {name: code for code, name in DTYPES.items()}
    code = codes.get(f"{cube.dtype.kind}{cube.dtype.itemsize}")
    if code is None:
        raise BadInput(
            f"ENVI cannot hold values of the type {cube.dtype}.",
            subject=target,
            way_out="Write a GeoTIFF: give a name that ends in .tif.",
        )
    rows, cols, count = cube.shape
    entries: dict[str, Any] = {
        "description": cube.title,
        "samples": cols,
        "lines": rows,
        "bands": count,
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": code,
        "interleave": "bil",
        "byte order": 0,
        "band names": list(cube.bands.names),
        "bbl": [int(good) for good in cube.bands.good],
        **place_entries(cube.place, target),
        "clearband provenance": [f"{k}: {v}" for k, v in cube.made.items()],
    }
    if cube.class_names and count == 1:
        high = max(cube.class_names)
        names = [cube.class_names.get(v, f"Class {v} (not used)") for v in range(high + 1)]
        names[0] = "Unclassified"
        entries |= {"file type": "ENVI Classification", "classes": high + 1, "class names": names}
    if cube.bands.wavelength_nm is not None:
        entries |= {
            "wavelength units": "Nanometers", "wavelength": list(cube.bands.wavelength_nm)
        }  # fmt: skip
    if cube.bands.fwhm_nm is not None:
        entries["fwhm"] = list(cube.bands.fwhm_nm)
    if cube.nodata is not None:
        entries["data ignore value"] = cube.nodata
    if cube.unit == "reflectance" and cube.gain != 1.0:
        entries["reflectance scale factor"] = 1.0 / cube.gain
    elif cube.gain != 1.0:
        entries["data gain values"] = [cube.gain] * count
    if cube.unit:
        entries["data units"] = cube.unit
    return entries


def _write_tiff(
    cube: Cube, strips: Iterable[NDArray[Any]], inner: Path, progress: Progress | None
) -> None:
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.windows import Window

    rows, cols, count = cube.shape
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": rows, "width": cols, "count": count,
        "dtype": cube.dtype.name, "nodata": cube.nodata, "compress": "deflate",
        "predictor": 3 if cube.dtype.kind == "f" else 2, "zlevel": 3, "interleave": "pixel",
        "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    if cube.place is not None:
        profile["transform"] = rasterio.Affine(*cube.place.affine)
        if cube.place.crs is not None:
            profile["crs"] = rasterio.crs.CRS.from_user_input(cube.place.crs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(inner, "w", **profile) as file:
            file.update_tags(**dict(cube.made), TIFFTAG_SOFTWARE=SOFTWARE)
            if cube.gain != 1.0:
                file.scales = [cube.gain] * count
            if cube.unit:
                file.units = [cube.unit] * count
            nm, fwhm = cube.bands.wavelength_nm, cube.bands.fwhm_nm
            for band, name in enumerate(cube.bands.names):
                file.set_band_description(band + 1, name)
                tags: dict[str, str] = {}
                if nm is not None and math.isfinite(nm[band]):
                    tags |= {"wavelength": f"{nm[band]:.9g}", "wavelength_units": "nm"}
                if fwhm is not None and math.isfinite(fwhm[band]):
                    tags["fwhm"] = f"{fwhm[band]:.9g}"
                if not cube.bands.good[band]:
                    tags["bbl"] = "0"
                file.update_tags(band + 1, **tags)
            if count == 1:
                named = {f"CLASS_{value}": text for value, text in cube.class_names.items()}
                file.update_tags(1, **named)
            low = 0
            for strip in strips:
                window = Window(0, low, cols, len(strip))
                file.write(np.moveaxis(strip, 2, 0).astype(cube.dtype, copy=False), window=window)
                low += len(strip)
                if progress is not None:
                    progress.advance(len(strip))
    if low != rows:
        raise ValueError(f"{low} of {rows} rows were given")
