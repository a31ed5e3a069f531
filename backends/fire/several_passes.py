"""Several passes over one fire: how often each cell burned, and what only one pass saw.

Rule K over whole scenes. The passes must lie on one grid (same system and pixel size); the
answer lies on that of the first, the others are laid over it by whole cells.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.fire.fields import FireImage
from backends.fire.question import FireQuestion, reader_words
from backends.fire.rules.passes import Passes, consistent
from backends.georeference import GeoReference
from backends.io.writers.atomic import replacing_folder
from backends.io.writers.geotiff import write_geotiff
from backends.jobs import Progress
from backends.overlays import ClassMap, Overlay, Provenance, ScoreMap
from backends.scene import Scene, Window

MOST_PASSES = 200
_STRIP = 512
CONFIRMED, ONCE, ALONE = 1, 2, 3
CLASSES = {
    CONFIRMED: "Confirmed",
    ONCE: "Observed once",
    ALONE: "One pass alone",
}


@dataclass(frozen=True, eq=False)
class PassesResult:
    """What several passes say of one grid.

    Attributes
    ----------
    overlays : tuple of Overlay
        On the first scene: how often observed and burning, what is confirmed, who saw it alone.
    passes : Passes
    summary : mapping
        Ready for JSON.
    """

    overlays: tuple[Overlay, ...]
    passes: Passes
    summary: dict[str, Any]


def why_not_one_grid(first: Scene, other: Scene) -> str:
    """Return why two scenes cannot be compared cell by cell; empty where they can."""
    one, two = first.place, other.place
    if not isinstance(one, GeoReference) or not isinstance(two, GeoReference):
        named = first if not isinstance(one, GeoReference) else other
        return f"{named.title} has no georeference."
    if one.crs is None or str(one.crs) != str(two.crs):
        return f"{other.title} is in {two.crs or 'no system'}, {first.title} in {one.crs}."
    first_step, other_step = (np.array(p.affine)[[0, 1, 3, 4]] for p in (one, two))
    if not np.allclose(first_step, other_step, rtol=1e-6, atol=1e-9):
        return f"{other.title} has other pixels than {first.title}."
    row, col, _ = _offset(one, two)
    rows, cols, _ = first.shape
    high, wide, _ = other.shape
    if row >= rows or col >= cols or row + high <= 0 or col + wide <= 0:
        return f"{other.title} and {first.title} do not overlap."
    return ""


def compare_passes(
    scenes: Sequence[Scene],
    question: FireQuestion | None = None,
    *,
    least: int = 2,
    command: str = "",
    progress: Progress | None = None,
) -> PassesResult:
    """Find fire in every pass and compare them cell by cell.

    Parameters
    ----------
    scenes : sequence of Scene
        The first gives the grid.
    question : FireQuestion, optional
        How fire is looked for, in every pass the same way.
    least : int
        Detections asked for where a cell was observed at least as often.

    Raises
    ------
    BadInput
        They lie on different grids.
    WrongUse
        Fewer than two, or ``least`` is below 2.
    """
    if not 2 <= len(scenes) <= MOST_PASSES:
        raise WrongUse(
            "Several passes are compared.", way_out=f"Give 2 to {MOST_PASSES} scenes of one grid."
        )
    if least < 2:
        raise WrongUse("Passes confirm each other from two on.", way_out="Give --least 2 or more.")
    first = scenes[0]
    for other in scenes[1:]:
        if reason := why_not_one_grid(first, other):
            raise BadInput(
                f"Passes can only be compared on one grid: {reason}",
                subject=other.info.path,
                way_out="Grid all flight lines to the same UTM cells first.",
            )
    question = question or FireQuestion()
    progress = progress or Progress()
    began = time.perf_counter()
    rows, cols, _ = first.shape
    masks, valids, told = [], [], []
    notes: list[str] = []
    for scene in scenes:
        answer = question.ask(scene, progress=progress)
        mask, part = _laid(answer.found.mask, first, scene)
        seen, _ = _laid(_measured(answer.image, progress), first, scene)
        masks.append(mask)
        valids.append(seen)
        if part > 0.01:
            notes.append(f"{scene.title} lies {part:.2f} of a cell off and was laid on the next.")
        told.append({"scene": scene.title, "night": answer.image.night})
    found = consistent(masks, valids, least=least)
    alone = (found.found == 1) & (found.seen >= least)
    who = np.zeros((rows, cols), np.uint8)
    for number, mask in enumerate(masks, 1):
        who[alone & mask] = number
    labels = np.zeros((rows, cols), np.uint8)
    labels[(found.found > 0) & (found.found < least) & (found.seen >= least)] = ALONE
    labels[(found.found > 0) & (found.seen < least)] = ONCE
    labels[found.found >= least] = CONFIRMED
    by = Provenance(
        "fire rule K", "1",
        parameters={"least": least, "passes": [s.title for s in scenes], "options": list(
            question.words())},
        scene_digest=first.digest, scene_path=str(first.info.path or ""),
        seconds=time.perf_counter() - began, command=command,
        notes=(*notes, "Draft: nobody has verified it."),
    )  # fmt: skip
    for number, (values, mask) in enumerate(zip(told, masks, strict=True), 1):
        values |= {"fire_pixels": int(mask.sum()), "alone_pixels": int((who == number).sum())}
    area = first.pixel_area_m2()

    def hectares(pixels: int) -> float | None:
        return None if area is None else round(pixels * area / 1e4, 3)

    counts = {name: int((labels == value).sum()) for value, name in CLASSES.items()}
    summary = {
        "passes": told, "least": least, "cells_observed": int((found.seen > 0).sum()),
        "cells_observed_more_than_once": int((found.seen > 1).sum()),
        "pixels": counts, "hectares": {n: hectares(v) for n, v in counts.items()}, "notes": notes,
        "seconds": round(time.perf_counter() - began, 3),
    }  # fmt: skip
    names = {n: s.title for n, s in enumerate(scenes, 1) if (who == n).any()}
    return PassesResult(_layers(first, found, labels, who, names, by), found, summary)


def write_passes(
    result: PassesResult, scene: Scene, folder: Path, *, progress: Progress | None = None
) -> list[Path]:
    """Write every layer as GeoTIFF, and ``passes.json``; all of them appear at once."""
    names = []
    with replacing_folder(folder) as inner:
        for overlay in result.overlays:
            name = re.sub(r"[^a-z0-9]+", "_", overlay.title.lower()).strip("_") + ".tif"
            write_geotiff(overlay, scene, inner / name, progress=progress)
            names.append(name)
        text = json.dumps(result.summary | {"layers": names}, indent=1, ensure_ascii=False)
        (inner / "passes.json").write_text(text + "\n", encoding="utf-8")
        names.append("passes.json")
    return [folder / name for name in names]


def passes_command(
    scenes: Sequence[Scene], question: FireQuestion, least: int = 2
) -> tuple[str, ...]:
    """Return the command line that does the same; empty where a scene is in no file."""
    paths = [scene.info.path for scene in scenes]
    if any(path is None for path in paths):
        return ()
    out = f"{Path(str(paths[0])).stem}_passes"
    words = (*question.words(), *reader_words(scenes[0]))
    return ("fire", "passes", *map(str, paths), "--out", out, "--least", str(least), *words)


def passes_words(summary: dict[str, Any]) -> dict[str, str]:
    """Return what was found as names and values for people."""
    rows = {}
    for name, pixels in summary["pixels"].items():
        size = summary["hectares"][name]
        rows[name] = f"{pixels:,} px" + ("" if size is None else f", {size:,.1f} ha")
    for told in summary["passes"]:
        rows[told["scene"]] = f"{told['fire_pixels']:,} px, {told['alone_pixels']:,} alone"
    rows["Seen twice"] = f"{summary['cells_observed_more_than_once']:,} px"
    return rows


def _layers(
    scene: Scene, found: Passes, labels: NDArray[np.uint8], who: NDArray[np.uint8],
    names: dict[int, str], by: Provenance,
) -> tuple[Overlay, ...]:  # fmt: skip
    def id_of(title: str) -> str:
        return uuid.uuid5(uuid.NAMESPACE_OID, f"passes {scene.id} {title}").hex

    def counted(title: str, values: NDArray[np.int16]) -> ScoreMap:
        shown = np.where(found.seen > 0, values, np.nan).astype(np.float32)
        return ScoreMap(
            title, scene.id, by, values=shown, shown=False, id=id_of(title)
        )  # fmt: skip

    seen = counted("Passes: times observed", found.seen)
    burnt = counted("Passes: times burning", found.found)
    title = "Passes: in one pass only"
    alone = ClassMap(
        title, scene.id, by, labels=who, class_names=names or {1: "None"}, shown=False,
        id=id_of(title),
    )  # fmt: skip
    title = "Passes: agreement"
    agreed = ClassMap(
        title, scene.id, by, labels=labels, class_names=CLASSES, id=id_of(title)
    )  # fmt: skip
    return seen, burnt, alone, agreed


def _offset(one: GeoReference, two: GeoReference) -> tuple[int, int, float]:
    """Return by how many rows and columns the second begins later, and what is left of a cell."""
    a, b, c, d, e, f = one.affine
    x, y = two.affine[2] - c, two.affine[5] - f
    det = a * e - b * d
    col, row = (e * x - b * y) / det, (a * y - d * x) / det
    left = max(abs(row - round(row)), abs(col - round(col)))
    return round(row), round(col), float(left)


def _laid(mask: NDArray[np.bool_], first: Scene, scene: Scene) -> tuple[NDArray[np.bool_], float]:
    """Return a mask on the first scene's grid; False beyond its own."""
    rows, cols, _ = first.shape
    assert isinstance(first.place, GeoReference)
    assert isinstance(scene.place, GeoReference)
    row, col, left = _offset(first.place, scene.place)
    out = np.zeros((rows, cols), bool)
    top, beside = max(row, 0), max(col, 0)
    bottom, right = min(row + mask.shape[0], rows), min(col + mask.shape[1], cols)
    out[top:bottom, beside:right] = mask[top - row : bottom - row, beside - col : right - col]
    return out, left


def _measured(image: FireImage, progress: Progress) -> NDArray[np.bool_]:
    """Return where a scene was observed, read in strips."""
    rows, cols, _ = image.scene.shape
    out = np.zeros((rows, cols), bool)
    for row in range(0, rows, _STRIP):
        progress.check()
        window = Window(row, 0, min(_STRIP, rows - row), cols)
        out[window.slices] = image.fields(window).valid
    return out
