"""Figures of bands and of areas: how large, how bright, how mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.regions import Region
from backends.scene import Scene
from backends.spectra.products import Product
from backends.spectra.region_figures import (
    AreaFigures,
    AreaMeasurer,
    region_figures,
    size_rows,
    spectrum_rows,
)

if TYPE_CHECKING:
    from backends.jobs import Progress

_NAMED = 5  # areas in a note


def band_table(scene: Scene, *, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Return a row a band: wavelength, valid pixels, minimum, percentiles, maximum, mean, std."""
    found = scene.statistics(progress=progress)
    nm = scene.bands.wavelengths()
    percentiles = {q: found.percentile(q) for q in (2, 50, 98)}
    return [
        {
            "band": band + 1, "name": scene.bands.names[band],
            "wavelength_nm": None if np.isnan(nm[band]) else float(nm[band]),
            "good": bool(scene.bands.good[band]), "valid_pixels": int(found.count[i]),
            "minimum": _plain(found.minimum[i]), "p2": _plain(percentiles[2][i]),
            "median": _plain(percentiles[50][i]), "p98": _plain(percentiles[98][i]),
            "maximum": _plain(found.maximum[i]), "mean": _plain(found.mean[i]),
            "std": _plain(found.std[i]),
        }
        for i, band in enumerate(found.bands)
    ]  # fmt: skip


def describe_areas(
    scene: Scene,
    areas: Path,
    *,
    options: Mapping[str, Any] | None = None,
    each: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Return size and spectra of each class of labels or areas; a library of their means, too.

    Parameters
    ----------
    options : mapping, optional
        Of the reader of the areas.
    each : bool
        Each area on its own, not those of one class together.

    Raises
    ------
    BadInput
        No area lies on the scene, or the labels have another size.
    """
    from backends.io.writers.regions import library_of, write_geopackage

    head = "region" if each else "class"
    regions = areas_on(scene, areas, options, progress) if each else []
    if each:
        found = region_figures(scene, regions, progress=progress)
        sizes = size_rows(found)
    else:
        found = _classes(scene, areas, options, progress)
        sizes = [
            {"class": f.name, "pixels": f.pixels, "area_m2": f.area_m2, "area_ha": f.area_ha,
             "sampled": f.sampled}
            for f in found
        ]  # fmt: skip
    notes = [f"{f.name}: {note}" for f in found for note in f.notes]
    if lost := _off_scene(scene, areas, options, progress):
        few = ", ".join(lost[:_NAMED]) + (" and others" if len(lost) > _NAMED else "")
        notes.append(f"Hold no pixel of {scene.title}, so left out ({len(lost)}): {few}.")
    files: dict[str, Callable[[Path], object]] = {
        "spectra.sli": lambda path: library_of(found, scene, path)
    }
    if each and isinstance(scene.place, GeoReference) and scene.place.crs:
        files["areas.gpkg"] = lambda path: write_geopackage(scene, regions, found, path)
    return Product(
        (),
        {"scene": scene.title, "areas": areas.name, "command": command,
         "regions" if each else "classes": sizes,
         "notes": notes},
        {"areas": sizes, "spectra": spectrum_rows(found, scene, head)},
        files=files,
    )  # fmt: skip


def areas_on(
    scene: Scene,
    path: Path,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Region]:
    """Return the areas of a file one by one, on a scene's pixels; what lies off it is left out.

    Raises
    ------
    BadInput
        It holds none, or is no file of areas.
    """
    from backends.io.areas import read_areas

    found = read_areas(path, scene, options, progress)
    return [r for r in found.regions if r.inside(scene.shape[:2])[2].any()]


def _off_scene(
    scene: Scene, path: Path, options: Mapping[str, Any] | None, progress: Progress | None
) -> list[str]:
    """Return the names of areas of a file that hold no pixel of the scene."""
    from backends.io.annotations import looks_like_annotations
    from backends.io.areas import read_areas
    from backends.io.vector_areas import looks_like_vectors

    if not looks_like_annotations(path) and not looks_like_vectors(path):
        return []
    regions = read_areas(path, scene, options, progress).regions
    return [r.label for r in regions if not r.inside(scene.shape[:2])[2].any()]


def _classes(
    scene: Scene, areas: Path, options: Mapping[str, Any] | None, progress: Progress | None
) -> list[AreaFigures]:
    from backends.label_files import labels_for

    labels = labels_for(scene, areas, options, progress)
    if labels.values.shape != scene.shape[:2]:
        raise BadInput(
            f"{areas.name} has {labels.values.shape[0]} × {labels.values.shape[1]} pixels, "
            f"{scene.title} {scene.shape[0]} × {scene.shape[1]}.",
            subject=areas,
            way_out="Give the labels that belong to this scene.",
        )
    classes = sorted(set(np.unique(labels.values).tolist()) - {0})
    if not classes:
        raise BadInput(f"{areas.name} labels no pixel.", subject=areas)
    measure = AreaMeasurer(scene, progress)
    if progress is not None:
        progress.start(len(classes), "classes", "Spectra of areas")
    out = []
    for value in classes:
        rows, cols = np.nonzero(labels.values == value)
        top, left = int(rows.min()), int(cols.min())
        cut = labels.values[top : int(rows.max()) + 1, left : int(cols.max()) + 1] == value
        name = labels.class_names.get(value, f"class {value}")
        out.append(measure.of_mask(name, cut, top, left))
        if progress is not None:
            progress.advance()
    return out


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
