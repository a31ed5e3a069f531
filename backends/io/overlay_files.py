"""Files that hold a result, read back as overlays: our own exports, and any label image.

The counterpart of the writers, so that an export can be exported again and the
command line can speak of a result by its file.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import BadInput, ClearbandError
from backends.io.readers import open_scene
from backends.io.writers.npz import (
    CLUSTER_ARRAYS,
    MORE_CLUSTER_ARRAYS,
    open_archive,
    take_array,
)
from backends.io.writers.tags import PREFIX
from backends.jobs import Progress
from backends.matrix_analysis import in_order
from backends.matrix_history import MatrixHistory
from backends.overlays import (
    ClassMap,
    ClusterBlock,
    ClusterField,
    MatrixEntry,
    MatrixField,
    Overlay,
    Placement,
    Provenance,
    ScoreMap,
    StreamWeights,
    series_of,
)
from backends.scene import Scene

_LARGEST_TAG = 1 << 20


def read_result(path: str | Path, *, progress: Progress | None = None) -> tuple[Scene, Overlay]:
    """Return the overlay a file holds and the scene it lies on.

    The scene is the one the file names, when it is still there; else the file itself.

    Parameters
    ----------
    path : str or Path
        A GeoTIFF or NPZ that Clearband wrote, or any image with class names.

    Raises
    ------
    BadInput
        The file holds no result.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _matrices(path, progress)
    raster = open_scene(path)
    tags = _tags(path)
    names = raster.info.class_names
    if not names and tags.get(f"{PREFIX}KIND") not in ("ScoreMap", "Heatmap"):
        raster.close()
        raise BadInput(
            f"{path.name} holds no classes and no map of Clearband's.",
            subject=path,
            way_out="Give a session, or a class map with class names.",
        )
    if progress is not None:
        progress.note(f"Reading {path.name}")
    rows, cols, _ = raster.shape
    made_by = _provenance(tags, path)
    title = tags.get(f"{PREFIX}TITLE", raster.title)
    values = np.empty((rows, cols), raster.dtype)
    for window, part in raster.blocks((0,), physical=False, progress=progress):
        values[window.slices] = part[:, :, 0]
    scene = _scene_of(made_by, (rows, cols), raster)
    if names:
        if not np.issubdtype(values.dtype, np.integer):
            raise BadInput(f"{path.name} does not hold whole numbers.", subject=path)
        return scene, ClassMap(title, scene.id, made_by, labels=values, class_names=dict(names))
    return scene, ScoreMap(title, scene.id, made_by, values=values.astype(np.float32))


def _matrices(path: Path, progress: Progress | None) -> tuple[Scene, Overlay]:
    import psutil

    largest = int(psutil.virtual_memory().available * 0.6)
    with open_archive(path, largest_bytes=largest) as archive:
        members = {name.removesuffix(".npy") for name in archive.namelist()}
        about = _texts(archive, "about")
        if "block1_cluster" in members:
            return _clusters(path, archive, members, about, progress)
        groups = _texts(archive, "group_names")
        place = take_array(archive, "placement.npy", largest_bytes=1 << 16)

        def pair(key: str) -> list[Any]:
            return [
                take_array(archive, f"{key}_{part}.npy", largest_bytes=largest, progress=progress)
                for part in ("static", "deviation")
            ]

        entries = []
        for key in sorted(
            n.removesuffix("_static")
            for n in members
            if n.endswith("_static") and n.startswith("layer")
        ):
            layer, _, site = key.removeprefix("layer").partition("_")
            if site.endswith(("_read", "_write")):
                continue
            if not layer.isdigit():
                raise BadInput(f"{path.name} holds no matrices of Clearband's.", subject=path)
            weights = [
                StreamWeights(*pair(f"{key}_{name}")) if f"{key}_{name}_static" in members else None
                for name in ("read", "write")
            ]
            entries.append(MatrixEntry(int(layer), site, *pair(key), *weights))
        history = MatrixHistory.from_arrays(
            {
                name: take_array(archive, f"{name}.npy", largest_bytes=largest, progress=progress)
                for name in sorted(members)
                if name.startswith("history_")
            }
        )
    facts = _json(about[0] if about else "", path)
    made_by = _from(facts.get("provenance"))
    scene = _scene_of(made_by, None, None)
    if place.shape != (4,):
        raise BadInput(f"{path.name} holds no matrices of Clearband's.", subject=path)
    field = MatrixField(
        str(facts.get("title", path.stem)),
        scene.id,
        made_by,
        placement=Placement(*(float(v) for v in place)),
        group_names=tuple(groups),
        entries=tuple(in_order(entries)),
        history=history,
    )
    return scene, field


def _clusters(
    path: Path,
    archive: zipfile.ZipFile,
    members: set[str],
    about: list[str],
    progress: Progress | None,
) -> tuple[Scene, Overlay]:
    """Read what `backends.io.writers.npz.write_clusters` wrote."""
    import psutil

    largest = int(psutil.virtual_memory().available * 0.6)

    def take(name: str) -> Any:
        return take_array(archive, f"{name}.npy", largest_bytes=largest, progress=progress)

    blocks: list[ClusterBlock] = []
    place, tiles = take("placement"), take("tiles")
    while f"block{len(blocks) + 1}_cluster" in members:
        head = f"block{len(blocks) + 1}_"
        facts = take(f"{head}facts")
        # Six where the parts of the score were not kept yet.
        known = facts.shape in ((6,), (8,)) and bool(np.isfinite(facts).all())
        if not known or not 0 < facts[0] < 65_536:
            raise BadInput(f"{path.name} holds no clusters of Clearband's.", subject=path)
        blocks.append(
            ClusterBlock(
                **{name: take(head + name) for name in CLUSTER_ARRAYS},
                clusters=int(facts[0]),
                fusion=(float(facts[1]), float(facts[2])),
                temperature=float(facts[3]),
                kept=float(facts[4]),
                moved=float(facts[5]),
                share=float(facts[6]) if facts.size > 6 else 0.0,
                membership_step=int(facts[7]) if facts.size > 6 else 1,
                **{
                    name: take(head + name)
                    for name in MORE_CLUSTER_ARRAYS
                    if head + name in members
                },
            )
        )
    if place.shape != (4,) or tiles.shape != (1,):
        raise BadInput(f"{path.name} holds no clusters of Clearband's.", subject=path)
    said = _json(about[0] if about else "", path)
    made_by = _from(said.get("provenance"))
    scene = _scene_of(made_by, blocks[0].cluster.shape[:2], None)
    field = ClusterField(
        str(said.get("title", path.stem)),
        scene.id,
        made_by,
        placement=Placement(*(float(v) for v in place)),
        blocks=tuple(blocks),
        tiles=int(tiles[0]),
        training=series_of(said.get("training")),
    )
    return scene, field


def _texts(archive: zipfile.ZipFile, name: str) -> list[str]:
    array = take_array(archive, f"{name}.npy", largest_bytes=_LARGEST_TAG * 4, kinds="U")
    return [str(text) for text in array.ravel()]


def _scene_of(made_by: Provenance, shape: tuple[int, int] | None, raster: Scene | None) -> Scene:
    """Return the scene a result was made from, when it is there and fits."""
    if made_by.scene_path:
        try:
            scene = open_scene(made_by.scene_path)
        except ClearbandError:
            if raster is None:
                raise
            return raster
        same = not made_by.scene_digest or scene.digest == made_by.scene_digest
        if same and (shape is None or scene.shape[:2] == shape):
            if raster is not None:
                raster.close()
            return scene
        scene.close()
    if raster is None:
        raise BadInput(
            "The scene the matrices were made from is not there, or was changed.",
            subject=made_by.scene_path or None,
            way_out="Put it back where it was.",
        )
    return raster


def _tags(path: Path) -> dict[str, str]:
    import rasterio
    from rasterio.errors import RasterioIOError

    try:
        with rasterio.open(path) as file:
            return dict(file.tags())
    except RasterioIOError:  # a PNG of labels or a MATLAB file: no tags to read
        return {}


def _provenance(tags: Mapping[str, str], path: Path) -> Provenance:
    text = tags.get(f"{PREFIX}PROVENANCE", "")
    return _from(_json(text, path)) if text else Provenance("file", scene_path=str(path))


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        values = json.loads(text) if len(text) <= _LARGEST_TAG else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise BadInput(f"What {path.name} says about its origin is damaged.", subject=path)
    return values


def _from(values: Any) -> Provenance:
    from backends.session_records import ProvenanceRecord

    return ProvenanceRecord.lenient(values).to_provenance()
