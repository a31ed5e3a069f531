"""Spectra as an ENVI spectral library: one float32 row a spectrum and a text header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.bands import BandTable
from backends.errors import BadInput
from backends.io.envi_header import write_header
from backends.io.writers.atomic import replacing
from backends.io.writers.tables import NamedSpectrum


def write_envi_library(
    spectra: Sequence[NamedSpectrum], bands: BandTable, path: str | Path
) -> Path:
    """Write spectra as an ENVI spectral library (``.sli`` and ``.hdr``).

    Returns
    -------
    Path
        The data file.

    Raises
    ------
    BadInput
        There are no spectra, one has another number of bands, or it cannot be written.
    """
    if not spectra:
        raise BadInput("There is no spectrum to write.", way_out="Pin a pixel with S first.")
    if any(len(s.values) != len(bands) for s in spectra):
        raise BadInput(f"The spectra do not have the {len(bands)} bands of the scene.")
    target = Path(path)
    if target.suffix.lower() in ("", ".hdr"):
        target = target.with_suffix(".sli")
    entries: dict[str, Any] = {
        "description": "Spectra from Clearband",
        "samples": len(bands),
        "lines": len(spectra),
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Spectral Library",
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        "spectra names": [s.name for s in spectra],
        "bbl": [int(good) for good in bands.good],
    }
    if bands.wavelength_nm is not None:
        entries |= {"wavelength units": "Nanometers", "wavelength": list(bands.wavelength_nm)}
    if bands.fwhm_nm is not None:
        entries["fwhm"] = list(bands.fwhm_nm)
    with replacing(target) as inner:
        table = np.stack([np.asarray(s.values, dtype="<f4") for s in spectra])
        inner.write_bytes(table.tobytes())
        inner.with_suffix(".hdr").write_text(write_header(entries), encoding="utf-8")
    return target
