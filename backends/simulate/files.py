"""Simulated scenes as files: ENVI with its truth beside, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backends.io.writers.atomic import write_bytes
from backends.simulate.ground import SimulatedScene


def write_scene(scene: SimulatedScene, folder: Path, name: str, about: str) -> tuple[Path, Path]:
    """Write a scene and its truth as ENVI files (BIL) and return both paths.

    Whole or not at all: data and headers are written beside and renamed, headers last.
    """
    from backends.io.envi_header import map_info, write_header
    from backends.palette import class_colors, to_rgb

    folder.mkdir(parents=True, exist_ok=True)
    rows, cols, count = scene.cube.shape
    shared: dict[str, Any] = {
        "samples": cols,
        "lines": rows,
        "header offset": 0,
        "byte order": 0,
        "map info": map_info(scene.place),
    }
    image: dict[str, Any] = {
        "description": about,
        "bands": count,
        "file type": "ENVI Standard",
        "data type": 2 if scene.cube.dtype == np.int16 else 12,
        "interleave": "bil",
        "wavelength units": "Nanometers",
        "wavelength": [round(float(v), 3) for v in scene.bands.wavelengths()],
        "fwhm": scene.bands.fwhm_nm,
        "bbl": [int(good) for good in scene.bands.good],
        "band names": scene.bands.names,
    }
    if scene.unit == "reflectance":
        image["reflectance scale factor"] = 10_000.0
    else:
        image["data gain values"] = [scene.gain] * count
        image["data units"] = scene.unit
    colors = class_colors(scene.class_names)
    lookup = [0, 0, 0, *(part for value in colors for part in to_rgb(colors[value]))]
    truth: dict[str, Any] = {
        "description": f"Truth of {about}",
        "bands": 1,
        "file type": "ENVI Classification",
        "data type": 1,
        "interleave": "bsq",
        "classes": len(colors) + 1,
        "class names": ["Unclassified", *scene.class_names.values()],
        "class lookup": lookup,
    }
    data, labels = folder / f"{name}.bil", folder / f"{name}_truth.dat"
    write_bytes(
        data, scene.cube.transpose(0, 2, 1).astype(scene.cube.dtype.newbyteorder("<")).tobytes()
    )
    write_bytes(labels, scene.labels.tobytes())
    write_bytes(labels.with_suffix(".hdr"), write_header(shared | truth).encode())
    write_bytes(data.with_suffix(".hdr"), write_header(shared | image).encode())
    return data, labels
