"""What the spectral tools make of a scene: layers, figures and tables with their provenance.

Window and command line call these functions; `write_product` is the same files for both.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.overlays import ClassMap, Overlay, Provenance, ScoreMap
from backends.pairs.shifting import moved_notes
from backends.scene import Scene
from backends.spectra.background import background_of
from backends.spectra.cutting import Cut, passing_note
from backends.spectra.detectors import (
    TARGET_DETECTORS,
    local_rx_map,
    rx_map,
    target_map,
    threshold_for,
)
from backends.spectra.endmembers import FINDERS, find_endmembers
from backends.spectra.expression import formula_map, parse
from backends.spectra.pixels import Floats, usable_bands
from backends.spectra.references import References, check_units
from backends.spectra.similarity import MEASURES, measured_strips
from backends.spectra.transforms import METHODS, component_maps, transform_of

if TYPE_CHECKING:
    from backends.jobs import Progress


MOST_MAP_BYTES = 1 << 30  # of maps, one a reference, held at once


@dataclass(frozen=True, eq=False)
class Product:
    """What one run gave.

    Attributes
    ----------
    overlays : tuple of Overlay
    summary : mapping
        Plain values, for JSON and for the person.
    tables : mapping of name to rows
        CSV files; each row a mapping, the same columns in all.
    cut : Cut, optional
        Scores from which the class map can be cut at another threshold.
    files : mapping of name to callable
        Further files, each written by a call with its path.
    """

    overlays: tuple[Overlay, ...]
    summary: Mapping[str, Any]
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    cut: Cut | None = None
    files: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)


class Maker:
    """Provenance that all layers of a run share."""

    def __init__(self, scene: Scene, method: str, command: str, **parameters: Any) -> None:
        self.scene, self.method, self.command = scene, method, command
        self.parameters = parameters
        self.notes: list[str] = moved_notes(scene)
        self.figures: dict[str, Any] = {}
        self._began = time.perf_counter()

    def provenance(self) -> Provenance:
        scene = self.scene
        return Provenance(
            self.method, "1", parameters=self.parameters, scene_digest=scene.digest,
            scene_path=str(scene.info.path or ""), seconds=self.seconds, command=self.command,
            notes=tuple(self.notes), figures=self.figures,
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        return round(time.perf_counter() - self._began, 3)

    def score(self, title: str, values: Floats, **more: Any) -> ScoreMap:
        return ScoreMap(title, self.scene.id, self.provenance(), values=values, **more)

    def summary(self, **values: Any) -> dict[str, Any]:
        return {
            "scene": self.scene.title, "method": self.method, **self.parameters, **values,
            "seconds": self.seconds, "notes": list(self.notes),
        }  # fmt: skip


def match(
    scene: Scene,
    references: References,
    measure: str = "spectral_angle",
    *,
    threshold: float | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Compare every pixel with every reference: a map each, and the most alike one.

    Parameters
    ----------
    threshold : float, optional
        Pixels less alike than this stay without a class.

    Raises
    ------
    WrongUse
        No such measure.
    BadInput
        The level counts and the units differ.
    """
    chosen = _measure(measure)
    if measure == "euclidean_distance":
        check_units(references, _mean(scene, references.bands), scene)
    make = Maker(scene, measure, command, references=list(references.names), threshold=threshold)
    make.notes += references.notes
    rows, cols, _ = scene.shape
    count = len(references.names)
    kept = count if 4 * count * rows * cols <= MOST_MAP_BYTES else 0
    if not kept:
        make.notes.append(
            f"The maps of {count} references would not fit into memory; only the most alike is "
            "given. Name fewer for a map each."
        )
    maps = np.empty((kept, rows * cols), np.float32)
    best = np.zeros(rows * cols, np.uint8 if count <= 255 else np.uint16)
    value = np.full(rows * cols, np.nan, np.float32)
    for at, part in measured_strips(
        scene, references.bands, references.values, chosen, references.wavelength_nm,
        progress=progress,
    ):  # fmt: skip
        nearest = part.argmin(axis=0) if chosen.alike == "small" else part.argmax(axis=0)
        score = np.take_along_axis(part, nearest[None], axis=0)[0]
        # What is nearest is not a number where any of them is not.
        known = np.isfinite(score)
        best[at] = np.where(known, nearest + 1, 0)
        value[at] = np.where(known, score, np.nan)
        if kept:
            maps[:, at] = part
    cut = Cut(best.reshape(rows, cols), value.reshape(rows, cols), chosen.alike)
    labels = cut.at(threshold)
    names = dict(enumerate(references.names, 1))
    counts = np.bincount(labels.reshape(-1), minlength=count + 1)
    overlays: list[Overlay] = [
        ClassMap(f"{chosen.title}: most alike", scene.id, make.provenance(),
                 labels=labels, class_names=names)
    ]  # fmt: skip
    overlays += [
        make.score(f"{chosen.title} to {name}", maps[i].reshape(rows, cols), unit=chosen.unit)
        for i, name in enumerate(references.names[:kept])
    ]
    found = [
        {"reference": name, "pixels": int(counts[i]), "share": round(counts[i] / labels.size, 6)}
        for i, name in names.items()
    ]
    return Product(
        tuple(overlays),
        make.summary(bands=len(references.bands), unmatched=int(counts[0]), classes=found),
        {"matches": found},
        cut,
    )


def apply_formula(
    scene: Scene,
    text: str,
    *,
    others: Mapping[str, Scene] | None = None,
    title: str = "",
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Compute a formula over bands; see `backends.spectra.expression`."""
    formula = parse(text, {"b": scene, **dict(others or {})})
    taken = [
        {
            "term": t.term,
            "bands": [b + 1 for b in t.bands],
            "away_nm": None if np.isnan(t.away_nm) else round(t.away_nm, 2),
        }
        for t in formula.taken
    ]
    make = Maker(scene, "formula", command, formula=formula.text, taken=taken)
    values = formula_map(formula, progress=progress)
    known = values[np.isfinite(values)]
    empty = int(values.size - known.size)
    if empty:
        make.notes.append(f"{empty} pixels have no value: nothing measured, or division by zero.")
    figures = {}
    if known.size:
        low, middle, high = np.percentile(known, (2, 50, 98))
        figures = {"p2": float(low), "median": float(middle), "p98": float(high)}
    return Product((make.score(title or formula.text, values),), make.summary(**figures))


def transform(
    scene: Scene,
    method: str,
    components: int = 10,
    *,
    bands: Sequence[int] | None = None,
    seed: int = 0,
    dark: NDArray[np.bool_] | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Return the first components of PCA, MNF or ICA as maps, and how strong each is.

    Parameters
    ----------
    dark : bool array of shape (rows, cols), optional
        See `backends.spectra.transforms.transform_of`.
    """
    make = Maker(scene, method, command, components=components)
    if dark is not None:
        make.notes.append(f"Noise is the spread over {int(dark.sum()):,} pixels of a dark ground.")
    found = transform_of(
        scene, method, components, bands=bands, seed=seed, dark=dark, progress=progress
    )
    maps = component_maps(scene, found, progress=progress)
    word = {"pca": "variance", "mnf": "signal_to_noise", "ica": "kurtosis"}[method]
    table = []
    for i, strength in enumerate(found.strength):
        row: dict[str, Any] = {"component": i + 1, word: float(strength)}
        if found.total:
            row["share"] = float(strength / found.total)
        table.append(row)
    overlays = tuple(
        make.score(f"{METHODS[method]} {i + 1}", plane, centre=0.0) for i, plane in enumerate(maps)
    )
    said = make.summary(
        bands=len(found.bands), strength=table, eigenvalues=[float(v) for v in found.every]
    )
    every = [{"component": i + 1, word: float(v)} for i, v in enumerate(found.every)]
    return Product(overlays, said, {method: table, "eigenvalues": every})


def anomalies(
    scene: Scene,
    *,
    false_alarms: float = 1e-3,
    window: tuple[int, int] | None = None,
    components: int | None = None,
    bands: Sequence[int] | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Return RX scores and the pixels above the threshold of a false-alarm rate."""
    make = Maker(
        scene, "rx" if window is None else "local_rx", command, false_alarms=false_alarms,
        window=window, components=components,
    )  # fmt: skip
    chosen = usable_bands(scene, bands)
    if window is None:
        found = background_of(scene, chosen, progress=progress)
        scores, dimensions = rx_map(scene, found, components=components, progress=progress)
    else:
        scores = local_rx_map(scene, window, bands=chosen, components=components, progress=progress)
        dimensions = min(components or len(chosen), len(chosen))
    threshold = threshold_for(false_alarms, dimensions)
    cut = Cut(np.ones(scores.shape, np.uint8), scores, "large", dimensions)
    over = cut.at(threshold)
    share = float(over.mean())
    make.notes.append(passing_note(share, false_alarms))
    if lacking := int(np.isnan(scores).sum()):
        make.notes.append(
            f"{lacking} pixels have no score: nothing measured there"
            + (", or too few pixels with values around." if window else ".")
        )
    make.figures |= {"threshold": threshold, "dimensions": dimensions, "share_above": share}
    flagged = ClassMap(
        "Anomalies", scene.id, make.provenance(), labels=over, class_names={1: "anomaly"},
    )  # fmt: skip
    return Product(
        (make.score("RX score", scores), flagged),
        make.summary(threshold=threshold, dimensions=dimensions, pixels=int(over.sum())),
        cut=cut,
    )


def find_target(
    scene: Scene,
    references: References,
    method: str = "ace",
    *,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Return a detector's map for each reference."""
    if method not in TARGET_DETECTORS:
        raise WrongUse(
            f"There is no detector {method}.", way_out=f"Use {', '.join(TARGET_DETECTORS)}."
        )
    make = Maker(scene, method, command, references=list(references.names))
    make.notes += references.notes
    found = background_of(scene, references.bands, progress=progress)
    check_units(references, found.mean, scene)
    title = TARGET_DETECTORS[method][0]
    overlays, table = [], []
    for name, target in zip(references.names, references.values, strict=True):
        values = target_map(scene, method, target.astype(np.float64), found, progress=progress)
        overlays.append(make.score(f"{title}: {name}", values))
        row, col = np.unravel_index(int(np.nanargmax(values)), values.shape)
        table.append({
            "reference": name, "largest": float(np.nanmax(values)), "row": int(row),
            "col": int(col), "p99": float(np.nanpercentile(values, 99)),
        })  # fmt: skip
    return Product(tuple(overlays), make.summary(targets=table), {"targets": table})


def unmix(
    scene: Scene,
    references: References | None = None,
    *,
    count: int | None = None,
    method: str = "vca",
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Return the share of each endmember in each pixel, and what is left unexplained.

    Parameters
    ----------
    references : References, optional
        The endmembers; default found in the scene by ``method``.
    count : int, optional
        Of endmembers to find; default what HySime says.
    """
    from backends.spectra.abundances import abundance_maps

    make = Maker(scene, "fcls", command)
    if references is None:
        bands = usable_bands(scene)
        found = find_endmembers(scene, bands, count, method, seed=seed, progress=progress)
        spectra = found.spectra
        names = [f"endmember {i + 1} ({r}, {c})" for i, (r, c) in enumerate(found.pixels)]
        make.parameters |= {"endmembers": FINDERS[method][0], "count": len(names), "seed": seed}
    else:
        bands, spectra = references.bands, references.values.astype(np.float64)
        names = list(references.names)
        make.notes += references.notes
        make.parameters |= {"endmembers": names}
        check_units(references, _mean(scene, bands), scene)
    shares, residual = abundance_maps(scene, bands, spectra, progress=progress)
    typical = float(np.sqrt(np.nanmean(residual.astype(np.float64) ** 2)))
    level = float(np.sqrt(np.mean(np.square(_mean(scene, bands)))))
    make.figures |= {"rms_residual": typical, "rms_residual_of_mean": typical / level}
    overlays = [make.score(f"Share of {n}", p) for n, p in zip(names, shares, strict=True)]
    overlays.append(make.score("Unexplained", residual, unit=scene.info.unit))
    table = [
        {"endmember": n, "mean_share": float(np.nanmean(p))}
        for n, p in zip(names, shares, strict=True)
    ]
    nm = scene.bands.wavelengths()[list(bands)]
    curves = [
        {"band": b + 1, "wavelength_nm": None if np.isnan(w) else float(w),
         **{n: float(v) for n, v in zip(names, column, strict=True)}}
        for b, w, column in zip(bands, nm, spectra.T, strict=True)
    ]  # fmt: skip
    return Product(
        tuple(overlays),
        make.summary(shares=table, rms_residual=typical, rms_residual_of_mean=typical / level),
        {"shares": table, "endmembers": curves},
    )


def write_product(
    product: Product, scene: Scene, folder: Path, *, progress: Progress | None = None
) -> list[Path]:
    """Write each layer as GeoTIFF, each table as CSV and the summary as JSON, all at once."""
    from backends.io.writers.atomic import replacing_folder
    from backends.io.writers.geotiff import write_geotiff
    from backends.io.writers.tables import write_rows

    names: list[str] = []
    with replacing_folder(folder) as inner:
        for overlay in product.overlays:
            plain = re.sub(r"[^a-z0-9]+", "_", overlay.title.lower()).strip("_")[:80] or "layer"
            name = plain + ".tif"
            if name in names:
                name = f"{plain}_{len(names)}.tif"
            write_geotiff(overlay, scene, inner / name, progress=progress)
            names.append(name)
        for title, rows in product.tables.items():
            table = [list(rows[0]), *[list(row.values()) for row in rows]]
            write_rows(table, inner / f"{title}.csv")
            names.append(f"{title}.csv")
        for name, write in product.files.items():
            write(inner / name)
            names.append(name)
        text = json.dumps(dict(product.summary), indent=1, ensure_ascii=False, default=str)
        (inner / "result.json").write_text(text + "\n", encoding="utf-8")
        names.append("result.json")
    return [folder / name for name in names]


def _measure(name: str) -> Any:
    if name not in MEASURES:
        raise WrongUse(f"There is no measure {name}.", way_out=f"Use {', '.join(MEASURES)}.")
    return MEASURES[name]


def _mean(scene: Scene, bands: Sequence[int]) -> Any:
    from backends.statistics import sample_pixels

    sample = sample_pixels(scene, bands, size=4096).astype(np.float64)
    return np.nanmean(sample, axis=0)
