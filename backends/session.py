"""Sessions: what is open and what was made, in one ``.clearband`` file.

A zip of one JSON text and plain arrays. Scenes are referred to, not copied.
Saving replaces the file in one step; loading trusts nothing: every size is
checked before memory is taken, nothing is unpacked to disk, nothing unpickled.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from backends.composite import Recipe
from backends.errors import BadInput
from backends.io.writers.atomic import replacing
from backends.io.writers.npz import DAMAGE, add_array, new_archive, open_archive
from backends.jobs import Progress
from backends.measuring.lengths import Measurement, Size
from backends.overlays import software_versions
from backends.regions import Outline, Region
from backends.runlog import LogLine
from backends.session_overlays import ArrayBox, ArrayShelf, heatmap_of, overlay_of, record_of
from backends.session_records import (
    FORMAT,
    UPGRADES,
    VERSION,
    LabelsRecord,
    LibraryRecord,
    LogRecord,
    MeasurementRecord,
    OutlineRecord,
    PinRecord,
    RecipeRecord,
    RegionRecord,
    SceneRecord,
    SessionRecord,
    SliceMapRecord,
    plain_text,
    plain_value,
)
from backends.session_state import LibraryRef, SceneRef, SessionState, collect_state
from backends.workspace import LabelSheet, Pin

__all__ = [
    "SUFFIX",
    "LibraryRef",
    "SceneRef",
    "SessionState",
    "collect_state",
    "load_session",
    "save_session",
]

SUFFIX = ".clearband"
_TEXT = "session.json"
LARGEST_TEXT = 64 << 20
MOST_PARTS = 100_000


def save_session(
    state: SessionState,
    path: str | Path,
    *,
    compress: bool = True,
    progress: Progress | None = None,
) -> Path:
    """Write a session; the old file stays until the new one is complete.

    Parameters
    ----------
    state : SessionState
    path : str or Path
        Gets the suffix ``.clearband`` when it has none.
    compress : bool
        False for speed (autosave).

    Returns
    -------
    Path
        The file.

    Raises
    ------
    BadInput
        It cannot be written.
    """
    path = Path(path).expanduser()
    if not path.suffix:
        path = path.with_suffix(SUFFIX)
    shelf = ArrayShelf()
    try:
        record = _record(state, path, shelf, progress)
    except ValidationError as error:
        raise BadInput(
            "Something in this session cannot be kept.", subject=path, details=str(error)
        ) from error
    text = record.model_dump_json(indent=1).encode()
    if len(text) > LARGEST_TEXT:
        raise BadInput(
            "This session holds more outlines and log lines than a session file can.",
            subject=path,
            way_out="Remove some regions.",
        )
    if progress is not None:
        total = sum(array.nbytes for array in shelf.arrays)
        progress.start(total / 1e6, "MB", f"Saving {path.name}")
    with replacing(path) as inner, new_archive(inner, compress=compress) as archive:
        archive.writestr(_TEXT, text, zipfile.ZIP_DEFLATED)
        for name, array in zip(shelf.names, shelf.arrays, strict=True):
            add_array(archive, name, array, progress=progress)
    return path


def load_session(path: str | Path, *, progress: Progress | None = None) -> SessionState:
    """Read a session; its scenes are not opened yet.

    Raises
    ------
    BadInput
        Not a session, damaged, hostile, or of a newer Clearband: one sentence.
    """
    import psutil

    path = Path(path).expanduser()
    largest = int(psutil.virtual_memory().available * 0.6)
    with open_archive(path, largest_bytes=largest, most_parts=MOST_PARTS) as archive:
        record = _parse(archive, path)
        if progress is not None:
            sizes = sum(i.file_size for i in archive.infolist() if i.filename != _TEXT)
            progress.start(sizes / 1e6, "MB", f"Opening {path.name}")
        box = ArrayBox(archive, largest, progress)
        try:
            return _state(record, box)
        except BadInput as error:
            raise _damaged(path, str(error)) from error


def _record(
    state: SessionState, path: Path, shelf: ArrayShelf, progress: Progress | None
) -> SessionRecord:
    scenes = []
    for ref in state.scenes:
        if progress is not None:
            progress.check()
        scenes.append(
            SceneRecord(
                id=ref.id,
                title=plain_text(ref.title)[:4096],
                path=plain_text(str(ref.path)),
                relative=plain_text(_relative(ref.path, path.resolve().parent)),
                reader=ref.reader,
                options=plain_value(ref.options),
                digest=_digest(ref),
                shape=ref.shape,
                kind=ref.kind,
                good=list(ref.good) if False in ref.good else None,
                recipe=None if ref.recipe is None else _recipe_record(ref.recipe),
            )
        )
    regions = [
        RegionRecord(
            id=r.id,
            name=r.name,
            scene=r.scene_id,
            color=r.color,
            vertices=_points(r.vertices),
            holes=[_points(hole) for hole in r.holes],
            more=[
                OutlineRecord(exterior=_points(o.exterior), holes=[_points(h) for h in o.holes])
                for o in r.more
            ],
            class_name=r.class_name,
            class_color=r.class_color,
        )
        for r in state.regions
    ]
    pins = [
        PinRecord(id=p.id, name=p.name, scene=p.scene_id, row=p.row, col=p.col, color=p.color)
        for p in state.pins
    ]
    measurements = [
        MeasurementRecord(
            id=m.id,
            name=m.name,
            scene=m.scene_id,
            kind=m.kind,  # type: ignore[arg-type]
            points=_points(m.points),
            color=m.color,
            **asdict(m.size),
        )
        for m in state.measurements
    ]
    labels = [
        LabelsRecord(
            scene=sheet.scene_id,
            values=shelf.add(sheet.values),
            class_names=dict(sheet.class_names),
            source=sheet.source,
        )
        for sheet in state.labels
        if sheet.class_names or sheet.values.any()  # an untouched sheet says nothing
    ]
    libraries = [
        LibraryRecord(
            title=plain_text(library.title)[:4096],
            path=plain_text(str(library.path)),
            relative=plain_text(_relative(library.path, path.resolve().parent)),
            digest=library.digest,
            shown=list(library.shown),
            scale=library.scale,
        )
        for library in state.libraries
    ]
    lines = [
        LogRecord(title=x.title, command=list(x.command), when_utc=x.when_utc)
        for x in state.run_log
    ]
    versions = software_versions()
    return SessionRecord(
        saved_utc=_now(),
        software=versions,
        scenes=scenes,
        overlays=[record_of(overlay, shelf) for overlay in state.overlays],
        slice_maps=[
            SliceMapRecord.model_validate({"slice": number, "map": record_of(heatmap, shelf)})
            for number, heatmap in state.slice_maps
        ],
        regions=regions,
        pins=pins,
        measurements=measurements,
        labels=labels,
        libraries=libraries,
        view=state.view,
        workbench=state.workbench,
        active_scene=state.active_scene,
        active_overlay=state.active_overlay,
        run_log=lines,
    )


def _parse(archive: zipfile.ZipFile, path: Path) -> SessionRecord:
    try:
        info = archive.getinfo(_TEXT)
        if info.file_size > LARGEST_TEXT:
            raise _damaged(path, "its text is absurdly long")
        values = json.loads(archive.read(info))
    except (KeyError, RecursionError, *DAMAGE) as error:
        raise BadInput(
            f"{path.name} is not a Clearband session.",
            subject=path,
            way_out="Choose a .clearband file.",
            details=repr(error),
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise BadInput(
            f"{path.name} is not a Clearband session.",
            subject=path,
            way_out="Choose a .clearband file.",
        )
    version = values.get("version")
    if isinstance(version, int) and version > VERSION:
        raise BadInput(
            f"{path.name} was saved by a newer Clearband (session version {version}).",
            subject=path,
            way_out="Update Clearband to open it.",
        )
    while isinstance(version, int) and version in UPGRADES:
        values, version = UPGRADES[version](values), version + 1
    try:
        return SessionRecord.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _damaged(path, f"{where}: {first['msg']}"[:300]) from error


def _state(record: SessionRecord, box: ArrayBox) -> SessionState:
    ids = [scene.id for scene in record.scenes]
    known = set(ids)
    of_slices = [each.map for each in record.slice_maps]
    named = [*record.overlays, *of_slices, *record.regions, *record.pins, *record.labels]
    spoken_of = {item.scene for item in named} | {m.scene for m in record.measurements}
    if len(known) != len(ids) or not spoken_of <= known:
        raise BadInput("It speaks of scenes that are not in it.")
    shapes = {scene.id: scene.shape for scene in record.scenes}
    labels = []
    for sheet in record.labels:
        values = box.take(sheet.values)
        if values.dtype != np.uint8 or values.shape != shapes[sheet.scene][:2]:
            raise BadInput("Its labels do not have the size of their scene.")
        labels.append(LabelSheet(sheet.scene, values, dict(sheet.class_names), sheet.source))
    return SessionState(
        scenes=tuple(_scene_ref(scene) for scene in record.scenes),
        overlays=tuple(overlay_of(overlay, box) for overlay in record.overlays),
        slice_maps=tuple((each.slice, heatmap_of(each.map, box)) for each in record.slice_maps),
        regions=tuple(_region(r) for r in record.regions),
        pins=tuple(Pin(p.scene, p.row, p.col, p.name, p.color, p.id) for p in record.pins),
        measurements=tuple(_measurement(m) for m in record.measurements),
        labels=tuple(labels),
        libraries=tuple(
            LibraryRef(x.title, Path(x.path), x.relative, x.digest, tuple(x.shown), x.scale)
            for x in record.libraries
        ),
        view=record.view,
        workbench=record.workbench,
        active_scene=record.active_scene,
        active_overlay=record.active_overlay,
        run_log=tuple(LogLine(x.title, tuple(x.command), x.when_utc) for x in record.run_log),
    )


def _points(ring: NDArray[Any]) -> list[tuple[float, float]]:
    return [(float(y), float(x)) for y, x in np.asarray(ring, float)]


def _region(record: RegionRecord) -> Region:
    def ring(points: list[tuple[float, float]]) -> NDArray[np.float64]:
        return np.array(points, float).reshape(-1, 2)

    return Region(
        record.name,
        record.scene,
        ring(record.vertices),
        record.color,
        record.id,
        tuple(ring(hole) for hole in record.holes),
        tuple(Outline(ring(o.exterior), tuple(ring(h) for h in o.holes)) for o in record.more),
        record.class_name,
        record.class_color,
    )


def _measurement(record: MeasurementRecord) -> Measurement:
    size = Size(
        record.length_px,
        record.area_px,
        record.length_m,
        record.area_m2,
        record.bearing,
        record.method,
        record.note,
    )
    points = np.array(record.points, float).reshape(-1, 2)
    return Measurement(
        record.name, record.scene, record.kind, points, size, record.color, record.id
    )


def _scene_ref(record: SceneRecord) -> SceneRef:
    recipe = record.recipe
    return SceneRef(
        record.id,
        record.title,
        Path(record.path),
        record.shape,
        record.reader,
        dict(record.options),
        record.digest,
        record.relative,
        record.kind,
        tuple(record.good or ()),
        None if recipe is None else _recipe(recipe),
    )


def _recipe_record(recipe: Recipe) -> RecipeRecord:
    return RecipeRecord(
        id=recipe.id,
        title=recipe.title,
        bands=[int(band) for band in recipe.bands],
        stretch=recipe.stretch,
        low=recipe.low,
        high=recipe.high,
        colormap=recipe.colormap,
        limits=None if recipe.limits is None else [(float(a), float(b)) for a, b in recipe.limits],
    )


def _recipe(record: RecipeRecord) -> Recipe:
    values = record.model_dump()
    limits = None if record.limits is None else tuple(record.limits)
    return Recipe(**{**values, "bands": tuple(record.bands), "limits": limits})


def _digest(ref: SceneRef) -> str:
    if ref.live is None:
        return ref.digest
    try:
        return ref.live.digest
    except (OSError, BadInput):  # the file went away: its path is still worth keeping
        return ref.digest


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder)).as_posix()
    except ValueError:  # another drive on Windows
        return ""


def _now() -> str:
    import datetime as dt

    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _damaged(path: Path, reason: str) -> BadInput:
    return BadInput(
        f"The session {path.name} is damaged.",
        subject=path,
        way_out="Open an older copy of it.",
        details=reason,
    )
