"""A study of a folder as files: tables, JSON, figures, one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.explain.study_folder import FolderStudy
from backends.explain.study_records import Study
from backends.explain.study_tables import (
    ALL,
    consistency_rows,
    gallery,
    report,
    rows,
    to_dict,
    write_csv,
)
from backends.explain.trust_card import plain
from backends.io.writers.atomic import write_text
from backends.io.writers.bars import bars_figure
from backends.io.writers.png import write_png
from backends.overlays import Provenance
from backends.report import write_html

_FIGURES = {
    "knowledge": ("What the networks know", {"accuracy": "accuracy", "f1": "macro F1"}),
    "faithfulness": (
        "Do the maps name what was used?",
        {
            "drop_paper": "drop by masking (paper)",
            "drop_position": "its place among random maps",
            "faithfulness": "faithfulness F",
        },
    ),
    "localisation": (
        "Do they lie on the marked place?",
        {
            "locacc_paper": "LocAcc (paper)",
            "mask_precision": "precision",
            "mask_iou": "overlap",
        },
    ),
}


def write_study(
    found: FolderStudy, out: Path, title: str, command: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Write ``study.csv``, ``.json``, ``.html``, ``maps.png`` and the figures."""
    study = found.study
    made = Provenance("study", command=" ".join(command), seconds=study.seconds)
    out.mkdir(parents=True, exist_ok=True)
    written = [write_csv(study, out / "study.csv", made)]
    told = {"command": " ".join(command), **told_of(found)}
    path = out / "study.json"
    write_text(path, json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    written += [path, write_html(report(study, title, made), out / "study.html")]
    for name, picture in {"maps": gallery(study), **figures(study)}.items():
        path = out / f"{name}.png"
        write_png(picture, path)
        written.append(path)
    return tuple(written)


def told_of(found: FolderStudy) -> dict[str, Any]:
    """Return everything as plain values, ready for JSON."""
    return {
        **to_dict(found.study),
        "leakage": plain(found.leakage),
        "resumed": list(found.resumed),
    }


def figures(study: Study) -> dict[str, NDArray[np.uint8]]:
    """Return the plots by name: bars a network, and one of the agreement where there is any."""
    every = [row for row in rows(study) if row["class"] == ALL]
    names = [str(row["model"]) for row in every]
    out = {}
    for name, (title, columns) in _FIGURES.items():
        shown = [(said, [row[column] for row in every]) for column, said in columns.items()]
        if any(value is not None for _, values in shown for value in values):
            out[name] = bars_figure(names, shown, title=title)
    if agree := consistency_rows(study):
        columns = {"iou_paper": "overlap (paper)", "rank": "rank correlation",
                   "rank_other_images": "the same of other images"}  # fmt: skip
        out["consistency"] = bars_figure(
            [str(row["networks"]) for row in agree],
            [(said, [row[column] for row in agree]) for column, said in columns.items()],
            title="Do networks agree on why?",
        )
    return out
