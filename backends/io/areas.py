"""Areas of any file that holds some, one by one: drawn on an image, or on a map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io.annotations import (
    Annotations,
    features_in,
    looks_like_annotations,
    read_annotations,
    read_geojson,
)
from backends.io.vector_areas import looks_like_vectors, read_vector_areas
from backends.jobs import Progress
from backends.scene import Scene

_LOOKED_AT = 50  # features that say whether they were drawn on an image


def read_areas(
    path: Path,
    scene: Scene,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Annotations:
    """Read areas and lay them on a scene; none needs a class.

    Parameters
    ----------
    path : Path
        GeoPackage, shapefile, KML, KMZ, FlatGeobuf, GeoJSON of a map or as QuPath writes it.
    options : mapping, optional
        See `vector_areas.read_vector_areas`.

    Raises
    ------
    BadInput
        It holds none, cannot be read, or they lie off the scene.
    NeedsChoice
        It has several layers, or names no coordinate system.
    """
    if looks_like_vectors(path):
        return read_vector_areas(path, scene, options, progress)
    if path.is_file() and not looks_like_annotations(path):
        raise BadInput(
            f"{path.name} is no file of areas.",
            subject=path,
            way_out="Give a GeoPackage, GeoJSON, shapefile, KML or KMZ.",
        )
    told = dict(options or {})
    # Only a map needs to be asked where its coordinates lie; QuPath counts pixels.
    where = told.get("coordinates")
    document = read_geojson(path)
    if where == "pixels" or (where is None and not _of_a_map(document, path, scene)):
        return read_annotations(path, scene.id, scene.shape[:2], progress=progress)
    if where is None and not _named(document) and _too_large(document, path):
        told["coordinates"] = "scene"  # metres that nobody named are not degrees
    return read_vector_areas(path, scene, told, progress)


def _of_a_map(document: Any, path: Path, scene: Scene) -> bool:
    if not isinstance(scene.place, GeoReference):
        return False
    if _named(document):
        return True
    for feature in features_in(document, path)[:_LOOKED_AT]:
        properties = feature.get("properties")
        if isinstance(properties, Mapping) and (
            "objectType" in properties or isinstance(properties.get("classification"), Mapping)
        ):
            return False
    return True


def _named(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("crs"), dict)


def _too_large(document: Any, path: Path) -> bool:
    """Tell whether coordinates are beyond all longitudes and latitudes."""
    found: list[float] = []

    def walk(value: Any) -> None:
        if isinstance(value, list):
            if len(value) >= 2 and all(isinstance(v, (int, float)) for v in value[:2]):
                found.append(abs(value[0]) / 360.0)
                found.append(abs(value[1]) / 90.0)
                return
            for part in value[:1000]:
                walk(part)

    for feature in features_in(document, path)[:_LOOKED_AT]:
        geometry = feature.get("geometry")
        walk(geometry.get("coordinates") if isinstance(geometry, Mapping) else None)
    return max(found, default=0.0) > 1.0
