"""Areas from the vector files of geographic information systems, brought to a scene's pixels.

GeoPackage, shapefile (also zipped), KML, KMZ, FlatGeobuf and GeoJSON of maps. A polygon with
pieces and holes is one region; a point is its pixel; lines have no area and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, NeedsChoice
from backends.georeference import GeoReference
from backends.io.annotations import MOST_AREAS, MOST_POINTS, Annotations, classification_of
from backends.io.vectors import LONLAT, Vectors, read_vectors
from backends.jobs import Progress
from backends.regions import Outline, Region, Ring
from backends.scene import Scene

SUFFIXES = (".gpkg", ".shp", ".kml", ".kmz", ".fgb", ".zip")
COORDINATES = ("scene", "lonlat", "pixels")
CLASS_NAMES = ("class", "class_name", "classname", "label", "landcover", "category", "type")
TITLES = ("name", "title", "id")
FARTHEST = 1e7
_STRAIGHT = 0.25  # pixels an edge may lie beside its true course
_DEEPEST = 6
_ASKED = {
    "scene": "that of the scene", "lonlat": "longitude, latitude", "pixels": "pixels of the image",
}  # fmt: skip

Floats = NDArray[np.float64]
Placing = Callable[[Floats, Floats], tuple[Any, Any]]


def looks_like_vectors(path: str | Path) -> bool:
    """Tell by its name whether a file may hold areas of a map."""
    path = Path(path)
    return path.suffix.lower() in SUFFIXES and path.is_file()


def read_vector_areas(
    path: Path,
    scene: Scene,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Annotations:
    """Read areas and lay them on a scene.

    Parameters
    ----------
    options : mapping, optional
        ``layer``; ``class``: the field that names the class; ``coordinates``: one of
        `COORDINATES`, for files that name no system.

    Raises
    ------
    BadInput
        Not readable, empty, without areas, or all of them lie off the scene.
    NeedsChoice
        It has several layers, or names no coordinate system.
    """
    told = dict(options or {})
    layer, wanted, where = (told.pop(key, None) for key in ("layer", "class", "coordinates"))
    if told:
        raise BadInput(
            f"{path.name} takes no option {next(iter(told))}.",
            subject=path,
            way_out="It takes layer=NAME, class=FIELD and coordinates=scene, lonlat or pixels.",
        )
    if where is not None and where not in COORDINATES:
        raise BadInput(
            f"There are no coordinates called {where}.",
            way_out=f"Use one of: {', '.join(COORDINATES)}.",
        )
    found = read_vectors(path, layer)
    if not found.shapes:
        raise BadInput(
            f"{path.name} is empty: it holds no object.", subject=path, way_out="Draw areas first."
        )
    place = _placing(found, scene, where, path)
    regions: list[Region] = []
    skipped = outside = points = 0
    if progress is not None:
        progress.start(len(found.shapes), "areas", f"Reading {path.name}")
    for shape, fields in zip(found.shapes, found.fields, strict=True):
        outlines = _outlines(shape, place)
        points += sum(len(ring) for piece in outlines for ring in piece.rings)
        if points > MOST_POINTS or len(regions) > MOST_AREAS:
            raise BadInput(
                f"{path.name} holds more than can be drawn.",
                subject=path,
                way_out="Simplify the outlines, or take a part of them.",
            )
        if outlines:
            region = _region(outlines, fields, wanted, scene.id, len(regions), path)
            regions.append(region)
            outside += _is_off(region, scene.shape[:2])
        else:
            skipped += 1
        if progress is not None:
            progress.advance()
    if not regions:
        raise BadInput(
            f"{path.name} holds no area: {skipped:,} of its objects are lines or empty.",
            subject=path,
            way_out="Give polygons or points.",
        )
    if outside == len(regions):
        raise BadInput(
            f"All areas of {path.name} lie outside {scene.title}.",
            subject=path,
            way_out="Check that both are of the same place, and the coordinate system of both.",
        )
    return Annotations(tuple(regions), skipped, outside)


# -- where it lies ---------------------------------------------------------------------------


def _placing(found: Vectors, scene: Scene, told: str | None, path: Path) -> Placing:
    """Return what turns coordinates of the file into row and col."""
    reference = scene.place
    if told == "pixels":
        return lambda x, y: (y - 0.5, x - 0.5)
    if not isinstance(reference, GeoReference):
        raise BadInput(
            f"{scene.title} does not say where it lies on the map, so areas of a map cannot be "
            "laid on it.",
            subject=path,
            way_out="Where they count its pixels, say coordinates=pixels.",
        )
    to_pixel: Placing = reference.to_pixel  # type: ignore[assignment]  # takes arrays as well
    if told == "scene":
        return to_pixel
    if not found.crs and told is None:
        raise NeedsChoice(
            f"{path.name} does not say which coordinate system its areas are in.",
            option="coordinates", choices=COORDINATES, subject=path,
            titles=tuple(_ASKED[c] for c in COORDINATES),
        )  # fmt: skip
    crs = LONLAT if told == "lonlat" else found.crs
    if reference.crs is None:
        raise BadInput(
            f"{scene.title} names no coordinate system, so {path.name} cannot be brought to it.",
            subject=path,
            way_out="Where both are in one system, say coordinates=scene.",
        )
    from pyproj import Transformer
    from pyproj.exceptions import CRSError, ProjError

    try:
        turn = Transformer.from_crs(crs, reference.crs, always_xy=True)
    except (CRSError, ProjError) as error:
        raise BadInput(
            f"{path.name} and {scene.title} have coordinate systems that cannot be joined.",
            subject=path,
            way_out="Save the areas in the system of the scene.",
            details=str(error),
        ) from error
    return lambda x, y: to_pixel(*turn.transform(x, y, errcheck=False))


def _outlines(shape: Any, place: Placing) -> tuple[Outline, ...]:
    """Return the pieces of an object in row, col; none for lines and what lies nowhere."""
    import shapely

    if shape is None or shape.is_empty:
        return ()
    parts = []
    for part in shapely.get_parts(shapely.get_parts(shape)):
        if part.geom_type == "Point":
            ring = _pixel_of(part, place)
            parts += [] if ring is None else [Outline(ring)]
        elif part.geom_type == "Polygon" and not part.is_empty:
            outer = _ring(shapely.get_coordinates(part.exterior), place)
            holes = [_ring(shapely.get_coordinates(ring), place) for ring in part.interiors]
            if outer is not None:
                parts.append(Outline(outer, tuple(hole for hole in holes if hole is not None)))
    return tuple(parts)


def _pixel_of(point: Any, place: Placing) -> Ring | None:
    row, col = place(np.array([point.x]), np.array([point.y]))
    centre = np.floor(np.array([float(row[0]), float(col[0])]) + 0.5)
    if not np.isfinite(centre).all():
        return None
    return np.clip(centre + 0.4 * _CORNERS, -FARTHEST, FARTHEST)


_CORNERS = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])


def _ring(points: Floats, place: Placing) -> Ring | None:
    """Return row, col of a ring; edges that bend on the way get points between."""
    for depth in range(_DEEPEST):
        row, col = place(points[:, 0], points[:, 1])
        placed = np.column_stack([row, col])
        middle = (points[:-1] + points[1:]) / 2
        true = np.column_stack(place(middle[:, 0], middle[:, 1]))
        with np.errstate(invalid="ignore"):
            off = np.abs(true - (placed[:-1] + placed[1:]) / 2).max(axis=1) > _STRAIGHT
        if not off.any() or depth == _DEEPEST - 1:
            break
        points = np.insert(points, np.flatnonzero(off) + 1, middle[off], axis=0)
    # What has no place in the system of the scene lies nowhere on it.
    placed = np.clip(placed[np.isfinite(placed).all(axis=1)], -FARTHEST, FARTHEST)
    if len(placed) > 1 and (placed[0] == placed[-1]).all():
        placed = placed[:-1]
    return placed if len(placed) >= 3 else None


def _region(
    outlines: tuple[Outline, ...],
    fields: Mapping[str, Any],
    wanted: str | None,
    scene_id: str,
    number: int,
    path: Path,
) -> Region:
    lower = {str(key).casefold(): value for key, value in fields.items()}
    if wanted is not None and str(wanted).casefold() not in lower:
        raise BadInput(
            f"{path.name} has no field {wanted}.",
            subject=path,
            way_out=f"Its fields are: {', '.join(map(str, fields))[:200] or 'none'}.",
        )
    names = CLASS_NAMES if wanted is None else (str(wanted).casefold(),)
    drawn, color = classification_of(lower.get("classification"))
    kind = drawn or next((t for n in names if (t := _words(lower.get(n)))), "")
    name = next((t for n in TITLES if (t := _words(lower.get(n)))), "")
    first, *rest = outlines
    return Region(
        name or kind or f"Area {number + 1}", scene_id, first.exterior, number,
        holes=first.holes, more=tuple(rest), class_name=kind, class_color=color,
    )  # fmt: skip


def _words(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if value is None or isinstance(value, bool):
        return ""
    plain = "".join(c if c.isprintable() else " " for c in str(value)[:800])
    return " ".join(plain.split())[:200]


def _is_off(region: Region, shape: tuple[int, int]) -> bool:
    points = np.vstack([piece.exterior for piece in region.outlines])
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((high < -0.5).any() or (low > np.asarray(shape) - 0.5).any())
