"""Figures of bands and of areas: how large, how bright, how mixed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import BadInput
from backends.scene import Scene
from backends.spectra.products import Product

if TYPE_CHECKING:
    from backends.jobs import Progress

_MOST_PIXELS = 200_000  # of one class, for the median


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
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Return size and spectra of each class of labels or areas.

    Parameters
    ----------
    options : mapping, optional
        Of the reader of the areas.

    Raises
    ------
    BadInput
        No area lies on the scene, or the labels have another size.
    """
    from backends.label_files import labels_for

    labels = labels_for(scene, areas, options, progress)
    if labels.values.shape != scene.shape[:2]:
        raise BadInput(
            f"{areas.name} has {labels.values.shape[0]} × {labels.values.shape[1]} pixels, "
            f"{scene.title} {scene.shape[0]} × {scene.shape[1]}.",
            subject=areas,
            way_out="Give the labels that belong to this scene.",
        )
    area = scene.pixel_area_m2()
    nm = scene.bands.wavelengths()
    classes = sorted(set(np.unique(labels.values).tolist()) - {0})
    if not classes:
        raise BadInput(f"{areas.name} labels no pixel.", subject=areas)
    if progress is not None:
        progress.start(len(classes), "classes", "Spectra of areas")
    sizes: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for value in classes:
        mask = labels.values == value
        count = int(mask.sum())
        name = labels.class_names.get(value, f"class {value}")
        spectra = scene.spectra(mask, limit=_MOST_PIXELS).astype(np.float64)
        with np.errstate(all="ignore"):
            known = np.isfinite(spectra).any(axis=0)
            held = spectra[:, known]
            figures = {
                "mean": np.nanmean(held, axis=0), "std": np.nanstd(held, axis=0),
                "minimum": np.nanmin(held, axis=0), "median": np.nanmedian(held, axis=0),
                "maximum": np.nanmax(held, axis=0),
            }  # fmt: skip
        sizes.append({
            "class": name, "pixels": count,
            "area_m2": None if area is None else count * area,
            "area_ha": None if area is None else count * area / 1e4,
            "sampled": min(count, _MOST_PIXELS),
        })  # fmt: skip
        curves += [
            {
                "class": name, "band": int(band) + 1,
                "wavelength_nm": None if np.isnan(nm[band]) else float(nm[band]),
                **{key: float(column[i]) for key, column in figures.items()},
            }
            for i, band in enumerate(np.flatnonzero(known))
        ]  # fmt: skip
        if progress is not None:
            progress.check()
            progress.advance()
    return Product(
        (), {"scene": scene.title, "areas": areas.name, "command": command, "classes": sizes},
        {"areas": sizes, "spectra": curves},
    )  # fmt: skip


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
