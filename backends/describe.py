"""A scene in words and figures: for ``clearband info``, the status bar and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.georeference import GeoReference
from backends.scene import Scene


@dataclass(frozen=True)
class Description:
    """What a scene is.

    Attributes
    ----------
    lines : dict of str to str
        For people, in the order to show.
    values : dict
        For programs.
    """

    lines: dict[str, str]
    values: dict[str, Any]


def size_text(scene: Scene) -> str:
    """Return the size in words: ``"256 × 256 pixels, 200 bands, int16"``."""
    rows, cols, bands = scene.shape
    noun = {"slice": "slices", "time": "time steps"}.get(scene.bands.axis, "bands")
    noun = noun if bands != 1 else noun.removesuffix("s")
    return f"{rows} × {cols} pixels, {bands} {noun}, {scene.dtype.name}"


def range_text(scene: Scene) -> str:
    """Return the wavelength range in words, empty when there is none."""
    nm = scene.bands.wavelengths()
    nm = nm[np.isfinite(nm)]
    if nm.size == 0:
        return ""
    low, high = float(nm.min()), float(nm.max())
    if high > 3000:
        return f"{low / 1000:.2f} to {high / 1000:.2f} µm"
    return f"{low:.0f} to {high:.0f} nm"


def describe(scene: Scene) -> Description:
    """Return what a scene is, as lines for people and as values for programs."""
    info, place = scene.info, scene.place
    lines = {"Scene": scene.title, "Kind": info.kind, "Size": size_text(scene)}
    values: dict[str, Any] = {
        "title": scene.title,
        "path": None if info.path is None else str(info.path),
        "kind": info.kind,
        "reader": info.reader,
        "shape": list(scene.shape),
        "dtype": scene.dtype.name,
        "levels": [list(shape) for shape in scene.level_shapes],
        "digest": scene.digest,
        "nodata": info.nodata,
        "gain": info.gain,
        "offset": info.offset,
        "unit": info.unit,
        "facts": dict(info.facts),
        "notes": list(info.notes),
        "bands": {
            "names": list(scene.bands.names),
            "wavelength_nm": scene.bands.wavelength_nm,
            "fwhm_nm": scene.bands.fwhm_nm,
            "good": list(scene.bands.good),
            "axis": scene.bands.axis,
        },
    }
    if text := range_text(scene):
        lines["Wavelengths"] = text
        if scene.bands.note:
            lines["Wavelengths"] += f" ({scene.bands.note})"
    bad = scene.bands.good.count(False)
    if bad:
        lines["Bad bands"] = f"{bad} of {len(scene.bands)}"
    if info.unit or info.gain != 1.0:
        lines["Values"] = f"{info.unit or 'value'} = stored × {info.gain:g} + {info.offset:g}"
    if info.nodata is not None:
        lines["No data"] = f"{info.nodata:g}"
    if place is not None:
        lines["Place"] = place.name
        values["crs"] = place.crs
        middle = place.to_lonlat(scene.shape[0] // 2, scene.shape[1] // 2)
        if middle is not None:
            lines["Centre"] = f"{middle[0]:.5f}° E, {middle[1]:.5f}° N"
            values["centre_lonlat"] = list(middle)
    if isinstance(place, GeoReference):
        values["affine"] = list(place.affine)
    if info.pixel_size is not None:
        height, width = info.pixel_size
        lines["Pixel"] = f"{height:.4g} × {width:.4g} {info.pixel_unit}"
        values["pixel_size"] = [height, width]
        values["pixel_unit"] = info.pixel_unit
    if len(scene.level_shapes) > 1:
        lines["Pyramid"] = f"{len(scene.level_shapes)} levels"
    if info.class_names:
        lines["Classes"] = ", ".join(f"{v} {n}" for v, n in info.class_names.items())
        values["classes"] = {str(v): n for v, n in info.class_names.items()}
    if info.windows:
        values["windows"] = {name: list(limits) for name, limits in info.windows.items()}
    for name, text in info.facts.items():
        lines[name] = text
    for number, note in enumerate(info.notes, 1):
        lines[f"Note {number}" if len(info.notes) > 1 else "Note"] = note
    return Description(lines, values)
