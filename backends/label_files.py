"""Labels of a scene from any file that has some: label images, areas, sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import BadInput
from backends.io.annotations import looks_like_annotations
from backends.io.labels import Labels, labels_of
from backends.io.readers import open_scene
from backends.io.region_files import read_classed_areas
from backends.io.vector_areas import looks_like_vectors, read_vector_areas
from backends.jobs import Progress
from backends.label_regions import labels_from_regions
from backends.same_grid import check_same_grid
from backends.scene import Scene


def labels_for(
    scene: Scene,
    path: Path,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Labels:
    """Read the labels of a scene.

    Parameters
    ----------
    path : Path
        A label image (see `open_labels`), GeoJSON with a class for each area (see
        `region_files`), GeoPackage, shapefile, KML (see `vector_areas`), or a session in which
        this scene has labels or regions.
    options : mapping, optional
        What the reader of that kind of file offers.

    Raises
    ------
    BadInput
        There are no labels for this scene in it, or they lie elsewhere on the map.
    """
    if looks_like_annotations(path):
        return _from_areas(scene, path, options, progress)
    if looks_like_vectors(path):
        return _from_vectors(scene, path, options, progress)
    if path.suffix.lower() == ".clearband":
        return _from_session(scene, path, progress)
    with open_scene(path, options) as image:
        labels = labels_of(image)
        # Another size is said by whoever asked; the same size elsewhere would go unnoticed.
        if image.shape[:2] == scene.shape[:2]:
            check_same_grid(scene, image)
        return labels


def _from_areas(
    scene: Scene, path: Path, options: Mapping[str, Any] | None, progress: Progress | None
) -> Labels:
    found = read_classed_areas(path, scene, options, progress)
    regions = [region for region, _ in found]
    names = {value: region.label for region, value in found if value is not None}
    try:
        made = labels_from_regions(regions, scene.shape[:2], None, names, progress)
    except BadInput as error:
        if "No region" not in error.sentence:
            raise
        raise BadInput(
            f"No area of {path.name} lies on a pixel of {scene.title}.",
            subject=path,
            way_out="Check where it lies, or say what its coordinates are with its option "
            "coordinates=lonlat, scene or pixels.",
        ) from error
    there = set(np.unique(made.values).tolist())
    return Labels(made.values, {v: n for v, n in made.class_names.items() if v in there}, {})


def _from_vectors(
    scene: Scene, path: Path, options: Mapping[str, Any] | None, progress: Progress | None
) -> Labels:
    found = read_vector_areas(path, scene, options, progress)
    try:
        return labels_from_regions(found.regions, scene.shape[:2], progress=progress)
    except BadInput as error:
        if "No region" not in error.sentence:
            raise
        raise BadInput(
            f"No area of {path.name} holds the centre of a pixel of {scene.title}.",
            subject=path,
            way_out="Give larger areas, or points: a point is its pixel.",
        ) from error


def _from_session(scene: Scene, path: Path, progress: Progress | None) -> Labels:
    from backends.session import load_session

    state = load_session(path, progress=progress)
    mine = [ref.id for ref in state.scenes if ref.digest and ref.digest == scene.digest]
    for sheet in state.labels:
        if sheet.scene_id in mine and sheet.values.any():
            return Labels(sheet.values, dict(sheet.class_names), {})
    regions = [region for region in state.regions if region.scene_id in mine]
    if not regions:
        raise BadInput(
            f"{path.name} has no labels and no regions of {scene.title}.",
            subject=path,
            way_out="Paint or draw some, and save the session.",
        )
    return labels_from_regions(regions, scene.shape[:2], progress=progress)
