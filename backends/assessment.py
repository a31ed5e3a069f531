"""How right a class map is against reference labels, and how large its classes really are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.area_estimate import AreaEstimate, estimate_areas
from backends.areas import SQUARE_METRES_PER_HECTARE, class_areas
from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.hyperspectral.metrics import Metrics, evaluate
from backends.io import open_scene
from backends.io.annotations import looks_like_annotations
from backends.io.labels import Labels, labels_of
from backends.map_filter import MapFilter
from backends.overlays import ClassMap, Provenance

if TYPE_CHECKING:
    from backends.jobs import Progress
    from backends.scene import Scene

SAMPLE_NOTE = (
    "Areas and their intervals hold for reference pixels that were drawn at random within each "
    "mapped class; drawn areas and neighbouring pixels make them look surer than they are, and "
    "pixels that taught the map make it look better than it is."
)


@dataclass(frozen=True, eq=False)
class Assessment:
    """What was measured.

    Attributes
    ----------
    class_map : ClassMap
        After the filter, if there was one.
    metrics : Metrics
        On the reference pixels.
    estimate : AreaEstimate or None
        None where a mapped class has too few reference pixels.
    mapped_m2 : float or None
        Ground area of all classes together; None where the size of a pixel is unknown.
    pixels : mapping of int to int
        Of the map, a class.
    notes : tuple of str
    """

    class_map: ClassMap
    metrics: Metrics
    estimate: AreaEstimate | None
    mapped_m2: float | None
    pixels: Mapping[int, int]
    notes: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a class; shares and areas with 95 % half-widths, None where n/a."""
        known = self.metrics.per_class()
        found = []
        for i, row in enumerate(known):
            mine = {
                "class": row["name"], "value": row["value"], "reference_pixels": row["pixels"],
                "producer_accuracy": row["producer_accuracy"],
                "user_accuracy": row["user_accuracy"],
                "mapped_pixels": self.pixels.get(row["value"], 0),
            }  # fmt: skip
            found.append(mine | self._estimated(i))
        return found

    def _estimated(self, i: int) -> dict[str, Any]:
        e, hectares = self.estimate, None
        if self.mapped_m2 is not None:
            hectares = self.mapped_m2 / SQUARE_METRES_PER_HECTARE
        names = (
            "mapped_share", "estimated_share", "share_plus_minus", "producer_estimated",
            "producer_plus_minus", "user_plus_minus", "mapped_ha", "estimated_ha", "ha_plus_minus",
        )  # fmt: skip
        if e is None:
            return dict.fromkeys(names)
        values = [
            e.mapped[i], e.area[i], e.area_error[i], e.producer[i], e.producer_error[i],
            e.user_error[i],
        ]  # fmt: skip
        values += [np.nan if hectares is None else hectares * v for v in values[:3]]
        return {n: _plain(v) for n, v in zip(names, values, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        m, e = self.metrics, self.estimate
        return {
            "map": self.class_map.title,
            "overall_accuracy": _plain(m.overall_accuracy),
            "average_accuracy": _plain(m.average_accuracy),
            "kappa": _plain(m.kappa),
            "reference_pixels": m.pixels,
            "overall_by_area": None if e is None else _plain(e.overall),
            "overall_by_area_plus_minus": None if e is None else _plain(e.overall_error),
            "mapped_ha": None
            if self.mapped_m2 is None
            else _plain(self.mapped_m2 / SQUARE_METRES_PER_HECTARE),
            "classes": self.rows(),
            "confusion": m.confusion.tolist(),
            "notes": list(self.notes),
        }


def assess(
    scene: Scene,
    reference: Path,
    *,
    options: Mapping[str, Any] | None = None,
    smooth: MapFilter | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Assessment:
    """Compare an open class map with reference labels.

    Parameters
    ----------
    scene : Scene
        One band of class numbers; 0 is no class.
    reference : Path
        A label image on the same grid, or areas or points with a class.
    options : mapping, optional
        Of the reference's reader.
    smooth : MapFilter, optional
        Done to the map before.

    Raises
    ------
    BadInput
        Size or coordinate system differ, no class is shared, or there is only one.
    """
    mapped = labels_of(scene)
    truth = _reference(scene, reference, options, progress)
    names, truth, said = _common(mapped, truth, scene.title, reference.name)
    values, notes = mapped.values, list(said)
    if smooth:
        values = smooth.apply(values, progress)
        notes.append(smooth.note(mapped.values, values))
    made = Provenance(
        "assess", "1", scene_digest=scene.digest, scene_path=str(scene.info.path or ""),
        parameters={"reference": str(reference)}, command=command, notes=tuple(notes),
    )  # fmt: skip
    shown = ClassMap(scene.title, scene.id, made, labels=values, class_names=names)
    at = truth.values > 0
    metrics = evaluate(truth.values[at], values[at], names)
    areas = class_areas(shown, scene, progress=progress)
    m2 = [a.area_m2 for a in areas]
    sized = [float(v) for v in m2 if v is not None]
    total = sum(sized) if len(sized) == len(m2) else None
    weight = np.array(sized if total else [a.pixels for a in areas], np.float64)
    estimate = None
    try:
        # Rows of the estimator are what the map says; a pixel of no class is in no stratum.
        estimate = estimate_areas(metrics.confusion[:, : len(names)].T, weight)
        notes.append(SAMPLE_NOTE)
    except BadInput as error:
        notes.append(f"Areas are not estimated: {error}")
    if lost := int(metrics.confusion[:, -1].sum()):
        notes.append(f"{lost} reference pixels have no class in the map and count as wrong.")
    pixels = {area.value: area.pixels for area in areas}
    return Assessment(shown, metrics, estimate, total, pixels, tuple(notes))


def write_assessment(made: Assessment, scene: Scene, folder: Path, *, with_map: bool) -> list[Path]:
    """Write figures (JSON), classes and confusion (CSV), and the filtered map (GeoTIFF)."""
    from backends.io.writers.atomic import replacing_folder
    from backends.io.writers.geotiff import write_geotiff
    from backends.io.writers.tables import write_confusion, write_rows

    names = ["assessment.json", "accuracy.csv", "confusion.csv"]
    with replacing_folder(folder) as inner:
        text = json.dumps(made.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        (inner / names[0]).write_text(text + "\n", encoding="utf-8")
        rows = made.rows()
        table = [list(rows[0]), *[["" if v is None else v for v in r.values()] for r in rows]]
        write_rows(table, inner / names[1], made.class_map.provenance)
        write_confusion(
            made.metrics.confusion, list(made.metrics.class_names.values()), inner / names[2],
            made.class_map.provenance,
        )  # fmt: skip
        if with_map:
            write_geotiff(made.class_map, scene, inner / "class_map.tif")
            names.append("class_map.tif")
    return [folder / name for name in names]


def _reference(
    scene: Scene, path: Path, options: Mapping[str, Any] | None, progress: Progress | None
) -> Labels:
    if looks_like_annotations(path):
        from backends.label_files import labels_for

        return labels_for(scene, path, options, progress)
    with open_scene(path, options) as other:
        if other.shape[:2] != scene.shape[:2]:
            raise BadInput(
                f"{path.name} is {other.shape[0]} × {other.shape[1]} pixels, "
                f"{scene.title} is {scene.shape[0]} × {scene.shape[1]}.",
                subject=path,
                way_out="Bring one onto the grid of the other: clearband spectra reproject.",
            )
        _same_place(scene, other, path)
        return labels_of(other)


def _same_place(scene: Scene, other: Scene, path: Path) -> None:
    """Refuse a reference that lies elsewhere; one without a place is taken at its word."""
    one, two = scene.place, other.place
    if not isinstance(one, GeoReference) or not isinstance(two, GeoReference):
        return
    if not one.same_system(two):
        raise BadInput(
            f"{path.name} and {scene.title} have different coordinate systems "
            f"({two.name} and {one.name}).",
            subject=path,
            way_out="Bring one into the system of the other: clearband spectra reproject.",
        )
    size = max(abs(v) for v in (one.affine[0], one.affine[1]))
    corners = [
        np.abs(np.subtract(one.to_map(r, c), two.to_map(r, c))).max()
        for r in (0, scene.shape[0])
        for c in (0, scene.shape[1])
    ]
    if max(corners) > 0.5 * size:
        raise BadInput(
            f"{path.name} lies {max(corners) / size:.1f} pixels beside {scene.title}.",
            subject=path,
            way_out="Bring one onto the grid of the other: clearband spectra reproject.",
        )


def _common(
    mapped: Labels, truth: Labels, title: str, reference: str
) -> tuple[dict[int, str], Labels, list[str]]:
    """Return the classes of both by the map's numbers, and the truth in those.

    Where both files name their classes and the names say otherwise than the numbers, names count.
    """
    notes: list[str] = []
    ours = {name: value for value, name in mapped.class_names.items()}
    theirs = truth.class_names
    if any(mapped.class_names.get(v, n) != n for v, n in theirs.items()):
        if ours.keys() & set(theirs.values()):
            free = iter(sorted(set(range(1, 256)) - set(ours.values())))
            lookup = np.zeros(256, np.uint8)
            moved = {}
            for value, name in theirs.items():
                lookup[value] = ours[name] if name in ours else next(free)
                moved[int(lookup[value])] = name
            truth, theirs = Labels(lookup[truth.values], moved, {}), moved
            notes.append("Classes were matched by name.")
        else:
            notes.append("The files name their classes otherwise: compared by number.")
    names = dict(sorted({**theirs, **mapped.class_names}.items()))
    if not set(theirs) & set(mapped.class_names):
        raise BadInput(
            f"{reference} and {title} share no class.",
            way_out="Check that both number or name their classes alike.",
        )
    if len(theirs) < 2:
        raise BadInput(
            f"{reference} holds one class only ({next(iter(theirs.values()))}).",
            way_out="A reference needs pixels of at least two classes.",
        )
    return names, truth, notes


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
