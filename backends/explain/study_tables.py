"""A study as tables, CSV, JSON and one page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.colormaps import table as colors_of
from backends.explain.consistency import Consistency
from backends.explain.similarity import at_size, stretched
from backends.explain.study import class_agreement
from backends.explain.study_records import MapRecord, ModelResult, Study
from backends.explain.trust_card import plain
from backends.io.writers.atomic import write_text
from backends.io.writers.figures import grid_figure
from backends.io.writers.tables import write_rows
from backends.overlays import Provenance, software_versions
from backends.report import Report, Table, write_html

ALL = "all"
_TILE, _SHOWN = 128, 6

# Column, what it is, in the order of the table. "(paper)" marks the study's own definition.
COLUMNS = {
    "model": "name",
    "class": "class, or all",
    "images": "images with an answer",
    "accuracy": "part answered rightly (of a class: its recall)",
    "beats_commonest": "whether it is better than always saying the commonest class; else its "
    "maps explain nothing learnt",
    "f1": "F1 of the class; over all classes their mean (macro)",
    "maps": "images explained",
    "locacc_paper": "LocAcc (paper): part of the mask above half of the map's range",
    "mask_precision": "part of the hot pixels inside the mask",
    "mask_iou": "overlap of hot pixels and mask",
    "mask_rank": "part of the |mask| hottest pixels inside",
    "pointing": "part of maps whose hottest pixel is inside",
    "drop_paper": "faithfulness (paper): probability lost when the map is masked out",
    "drop_position": "part of random maps with the same values that lose less",
    "deletion_auc": "area below the deletion curve, low is good",
    "insertion_auc": "area below the insertion curve, high is good",
    "faithfulness": "F: part of random smooth maps that name worse what was used",
    "class_agreement": "how alike the class's maps are (after C-Score)",
}


def rows(study: Study) -> list[dict[str, Any]]:
    """Return one row a network and class, and one for all its classes; None where unknown."""
    out: list[dict[str, Any]] = []
    for result in study.models:
        f1 = class_f1(study.labels, result.answers, len(study.class_names))
        for label in (None, *range(len(study.class_names))):
            out.append(_row(study, result, label, f1))
    return out


def class_f1(
    labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Return F1 of each class, shape (classes,); nan for a class that nobody saw or named."""
    known = answers >= 0
    truth, given = labels[known], answers[known]
    out = np.full(classes, np.nan)
    for label in range(classes):
        hits = int(((truth == label) & (given == label)).sum())
        both = int((truth == label).sum()) + int((given == label).sum())
        if both:
            out[label] = 2 * hits / both
    return out


def consistency_rows(study: Study) -> list[dict[str, Any]]:
    """Return one row an architecture with several seeds, and one across architectures."""
    found = [(f"{name}, over its seeds", one) for name, one in study.over_seeds.items()]
    if study.across is not None:
        found.append(("across architectures", study.across))
    return [_consistency_row(name, one) for name, one in found]


def to_dict(study: Study) -> dict[str, Any]:
    """Return everything as plain values, ready for JSON."""
    found: dict[str, Any] = {
        "classes": list(study.class_names),
        "columns": COLUMNS,
        "models": rows(study),
        "consistency": consistency_rows(study),
        "unread": [{"image": name, "why": why} for name, why in study.unread],
        "settings": vars(study.settings),
        "notes": notes(study),
        "seconds": study.seconds,
        "software": software_versions(),
        "maps": [_map_row(study, m, r) for m in study.models for r in m.records],
    }
    return {name: plain(value) for name, value in found.items()}


def notes(study: Study) -> list[str]:
    """Return what to know before believing the tables."""
    of = "the true class" if study.settings.explained == "label" else "the network's own answer"
    out = [
        "The measures marked (paper) are those of 2601.12826, which gives no numbers for them; "
        "those beside them are ours.",
        f"Maps explain {of}; at most {study.settings.maps_per_class} images a class.",
        "LocAcc is 1 for a map that is hot everywhere; read it with precision and overlap.",
    ]
    if not any(r.localisation for m in study.models for r in m.records):
        out.append("There are no masks: whether maps lie on the right place is not known.")
    if not study.over_seeds:
        out.append("No architecture has two seeds: consistency over seeds is not known.")
    flat = sum(not np.isfinite(r.faithfulness) for m in study.models for r in m.records)
    if flat:
        out.append(f"{flat} maps had no contrast and are left out of F.")
    weak = [r["model"] for r in rows(study) if r["beats_commonest"] is False]
    if weak:
        out.append(
            f"{', '.join(weak)}: no better than always saying the commonest class. Take for "
            "untrained; the measures of their maps are no result."
        )
    out += study.notes
    out += [f"{m.model}: {m.note}" for m in study.models if m.note]
    if study.unread:
        out.append(f"{len(study.unread)} of {len(study.images)} images could not be read.")
    return out


def write_csv(study: Study, path: str | Path, provenance: Provenance | None = None) -> Path:
    """Write the table of networks and classes; empty where unknown."""
    lines = [[_cell(row[name]) for name in COLUMNS] for row in rows(study)]
    told = [f"{name}: {what}" for name, what in COLUMNS.items()] + notes(study)
    return write_rows([list(COLUMNS), *lines], path, provenance, told)


def write_json(study: Study, path: str | Path) -> Path:
    """Write tables, settings and every map's figures."""
    write_text(path, json.dumps(to_dict(study), indent=2, allow_nan=False) + "\n")
    return Path(path)


def write_report(
    study: Study, path: str | Path, title: str, provenance: Provenance | None = None
) -> Path:
    """Write one HTML page: tables, a few maps of every network, what to know."""
    return write_html(report(study, title, provenance), path)


def report(study: Study, title: str, provenance: Provenance | None = None) -> Report:
    """Return the page of a study.

    Raises
    ------
    ClearbandError
        An image of the gallery cannot be read any more.
    """
    from backends.io.writers.tags import provenance_lines

    found = rows(study)
    all_rows = [row for row in found if row["class"] == ALL]
    parts = [
        _table(
            "What the networks know",
            ("model", "images", "accuracy", "f1", "beats_commonest"),
            all_rows,
        ),
        _table(
            "Do the maps name what was used?",
            ("model", "maps", "drop_paper", "drop_position", "deletion_auc", "insertion_auc",
             "faithfulness"),
            all_rows,
        ),
    ]  # fmt: skip
    if any(row["locacc_paper"] is not None for row in all_rows):
        there = ("model", "locacc_paper", "mask_precision", "mask_iou", "mask_rank", "pointing")
        parts.append(_table("Do they lie on the marked place?", there, all_rows))
    if agree := consistency_rows(study):
        parts.append(_table("Do networks agree on why?", tuple(agree[0]), agree))
    each = [row for row in found if row["class"] != ALL]
    names = ("model", "class", "images", "accuracy", "f1", "maps", "drop_paper", "faithfulness",
             "class_agreement")  # fmt: skip
    parts.append(_table("Class by class", names, each))
    read = len(study.images) - len(study.unread)
    return Report(
        title,
        f"{len(study.models)} networks, {read} images, {len(study.class_names)} classes",
        gallery(study),
        tables=parts,
        notes=notes(study),
        origin=provenance_lines(provenance) if provenance is not None else (),
        scene=[("Images", str(read)), ("Time taken", f"{study.seconds:.0f} s")],
    )


def gallery(study: Study) -> NDArray[np.uint8]:
    """Return a few images in rows, and the map of every network beside each, with names.

    Returns
    -------
    uint8 array of shape (rows, cols, 3)
        Every map's colours run from its own 0 to its own largest value.
    """
    shown = _spread([r.image for r in study.models[0].records], _SHOWN)
    colors = colors_of("inferno").astype(float)
    lines, texts = [], []
    for index in shown:
        picture = _grey(study.images[index].load())
        tiles = [np.repeat(picture[..., None], 3, 2)]
        said = [study.class_names[study.labels[index]]]
        for model in study.models:
            record = next((r for r in model.records if r.image == index), None)
            tile = np.full((_TILE, _TILE, 3), 255.0)
            if record is not None:
                heat = stretched(np.maximum(at_size(record.values, (_TILE, _TILE)), 0))
                painted = colors[(heat * 255).astype(int)]
                tile = 0.4 * tiles[0] + 0.6 * painted
            tiles.append(tile)
            answer = model.answers[index]
            said.append("" if answer < 0 else f"says {study.class_names[answer]}")
        lines.append(np.stack(tiles))
        texts.append(said)
    if not lines:
        return np.full((_TILE, _TILE, 3), 255, np.uint8)
    return grid_figure(
        np.stack(lines).round().astype(np.uint8),
        ["image", *(model.model for model in study.models)],
        texts,
        row_names=[Path(study.images[index].name).stem for index in shown],
    )


def _row(
    study: Study, result: ModelResult, label: int | None, f1: NDArray[np.float64]
) -> dict[str, Any]:
    known = result.answers >= 0
    mine = known if label is None else known & (study.labels == label)
    of = [r for r in result.records if label is None or study.labels[r.image] == label]
    there = [r.localisation for r in of if r.localisation is not None]
    right = result.answers[mine] == study.labels[mine]
    agreement = (
        [class_agreement(result, n, study.labels) for n in range(len(study.class_names))]
        if label is None
        else [class_agreement(result, label, study.labels)]
    )

    def mean(of_map: Callable[[MapRecord], float]) -> float | None:
        return _mean([of_map(r) for r in of])

    return {
        "model": result.model,
        "class": ALL if label is None else study.class_names[label],
        "images": int(mine.sum()),
        "accuracy": _mean(right.astype(float)),
        "beats_commonest": None if label is not None else _beats_commonest(study, known, right),
        "f1": _mean(f1 if label is None else f1[label : label + 1]),
        "maps": len(of),
        "locacc_paper": _mean([one.coverage for one in there]),
        "mask_precision": _mean([one.precision for one in there]),
        "mask_iou": _mean([one.iou for one in there]),
        "mask_rank": _mean([one.rank for one in there]),
        "pointing": _mean([float(one.pointing) for one in there]),
        "drop_paper": mean(lambda r: r.drop.paper),
        "drop_position": mean(lambda r: r.drop.position),
        "deletion_auc": mean(lambda r: r.deletion_auc),
        "insertion_auc": mean(lambda r: r.insertion_auc),
        "faithfulness": mean(lambda r: r.faithfulness),
        "class_agreement": _mean([a for a in agreement if a is not None]),
    }


def _beats_commonest(
    study: Study, known: NDArray[np.bool_], right: NDArray[np.bool_]
) -> bool | None:
    if not known.any():
        return None
    return bool(right.mean() > np.bincount(study.labels[known]).max() / known.sum())


def _map_row(study: Study, model: ModelResult, record: MapRecord) -> dict[str, Any]:
    out: dict[str, Any] = {
        "model": model.model,
        "image": study.images[record.image].name,
        "group": study.images[record.image].group,
        "label": study.class_names[study.labels[record.image]],
        "explained": study.class_names[record.target],
        "probability": record.probability,
        "right": record.right,
        "drop_paper": record.drop.paper,
        "drop_position": record.drop.position,
        "faithfulness": record.faithfulness,
        "deletion_auc": record.deletion_auc,
        "insertion_auc": record.insertion_auc,
    }
    if record.localisation is not None:
        out["localisation"] = record.localisation.to_dict()
    return out


def _consistency_row(name: str, one: Consistency) -> dict[str, Any]:
    return {
        "networks": name,
        "count": one.networks,
        "images": one.images,
        "iou_paper": one.paper,
        "rank": one.rank,
        "iou_hottest_fifth": one.iou,
        "rank_other_images": one.control_rank,
        "iou_other_images": one.control_iou,
        "corrected": one.corrected,
    }


def _table(title: str, names: Sequence[str], found: Sequence[dict[str, Any]]) -> Table:
    head = [n.replace("_paper", " (paper)").replace("_", " ") for n in names]
    lines = [[_shown(row[name]) for name in names] for row in found]
    note = " ".join(f"{h}: {COLUMNS[n]}." for h, n in zip(head, names, strict=True)
                    if n in COLUMNS and n not in ("model", "class", "images", "maps"))  # fmt: skip
    return Table(title, head, lines, note=note, wide=True)


def _mean(values: Any) -> float | None:
    found = np.asarray(values, float)
    found = found[np.isfinite(found)]
    return float(found.mean()) if found.size else None


def _cell(value: Any) -> Any:
    return "" if value is None else round(value, 6) if isinstance(value, float) else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "n/a" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _spread(items: Sequence[int], count: int) -> list[int]:
    at = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[int(i)] for i in at]


def _grey(pixels: NDArray[Any]) -> NDArray[np.float64]:
    from PIL import Image

    values = np.asarray(pixels, np.float32)
    values = values if values.ndim == 2 else values.mean(axis=2)
    # Pillow's bilinear averages when it shrinks.
    small = Image.fromarray(values).resize((_TILE, _TILE), Image.Resampling.BILINEAR)
    return 255 * stretched(np.asarray(small, np.float64))
