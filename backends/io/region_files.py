"""Areas with a class on the ground, from GeoJSON: what teaches and tests a classifier.

Beside `annotations`, which reads outlines drawn on an image, this one knows maps: coordinates
are longitude and latitude (RFC 7946), or in the system the file names (the ``crs`` of the 2008
draft), or plainly those of the scene. Where the scene has no place on Earth they are x and y in
pixels from the corner of the first one, as in `annotations`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io.annotations import (
    MOST_AREAS,
    MOST_POINTS,
    classification_of,
    features_in,
    read_geojson,
)
from backends.jobs import Progress
from backends.regions import Region
from backends.scene import Scene

COORDINATES = ("lonlat", "scene", "pixels")
# Properties that may name the class, the first that is there.
CLASS_NAMES = ("class", "class_name", "classname", "label", "landcover", "category", "name")
# Farther from the scene no outline can be told from another.
FARTHEST = 1e7

Floats = NDArray[np.float64]
Place = Callable[[Floats, Floats], tuple[Any, Any]]


def read_classed_areas(
    path: Path,
    scene: Scene,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[tuple[Region, int | None]]:
    """Read polygons and points with a class; a point is its pixel.

    Parameters
    ----------
    scene : Scene
        They lie on it.
    options : mapping, optional
        ``class``: the property that names the class; ``coordinates``: one of `COORDINATES`,
        where the file doesn't say what they are.

    Returns
    -------
    list of (Region, int or None)
        With the number of the class where it is a whole number from 1 to 255.

    Raises
    ------
    BadInput
        No such file, too large, damaged, or without areas or classes.
    """
    options = dict(options or {})
    wanted, told = options.pop("class", None), options.pop("coordinates", None)
    if options:
        raise BadInput(
            f"{path.name} is GeoJSON and takes no option {next(iter(options))}.",
            subject=path,
            way_out="It takes class=PROPERTY and coordinates=lonlat, scene or pixels.",
        )
    document = read_geojson(path)
    features = features_in(document, path)
    if len(features) > MOST_AREAS:
        raise _too_much(path, f"{MOST_AREAS:,} areas")
    if progress is not None:
        progress.start(len(features), "areas", f"Reading {path.name}")
    raw: list[tuple[str, int | None, list[Floats], bool]] = []
    points = 0
    for number, feature in enumerate(features, 1):
        rings = list(_rings(feature.get("geometry"), path, number))
        if rings:
            name, value = _class_of(feature.get("properties"), wanted, path, number)
            raw += [(name, value, part, is_point) for part, is_point in rings]
            points += sum(len(ring) for part, _ in rings for ring in part)
        if points > MOST_POINTS:
            raise _too_much(path, f"{MOST_POINTS:,} points")
        if progress is not None:
            progress.advance()
    if not raw:
        raise BadInput(
            f"{path.name} holds no polygon and no point.",
            subject=path,
            way_out="Draw areas and give each a class.",
        )
    place = _placing(document, scene, told, [part[0] for _, _, part, _ in raw], path)
    return [
        (_region(scene.id, name, rings, is_point, place), value)
        for name, value, rings, is_point in raw
    ]


# -- what stands in the file -----------------------------------------------------------------


def _too_much(path: Path, most: str) -> BadInput:
    return BadInput(
        f"{path.name} has more than {most}.", subject=path, way_out="Simplify the outlines."
    )


def _rings(geometry: Any, path: Path, number: int) -> Iterator[tuple[list[Floats], bool]]:
    """Yield the rings (outside first) of each part, and whether it is a point."""
    if geometry is None:
        return
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    within = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind in ("Polygon", "Point"):
        parts = [within]
    elif kind in ("MultiPolygon", "MultiPoint") and isinstance(within, list):
        parts = within
    else:
        raise BadInput(
            f"Feature {number} of {path.name} is neither polygon nor point.",
            subject=path,
            way_out="Keep areas and points only.",
        )
    for part in parts:
        if kind.endswith("Point"):
            yield [_numbers([part], path, number, 1)], True
        elif isinstance(part, list) and part:
            yield [_numbers(ring, path, number, 4) for ring in part], False
        else:
            raise _bad_feature(path, number)


def _numbers(ring: Any, path: Path, number: int, fewest: int) -> Floats:
    """Return x and y, shape (points, 2); a third coordinate is height and is dropped."""
    try:
        pairs = [(float(point[0]), float(point[1])) for point in ring]
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        raise _bad_feature(path, number) from None
    values = np.array(pairs, np.float64).reshape(-1, 2)
    if len(values) < fewest or not np.isfinite(values).all():
        raise _bad_feature(path, number)
    return values


def _bad_feature(path: Path, number: int) -> BadInput:
    return BadInput(
        f"The coordinates of feature {number} of {path.name} are damaged.", subject=path
    )


def _class_of(properties: Any, wanted: Any, path: Path, number: int) -> tuple[str, int | None]:
    known = properties if isinstance(properties, dict) else {}
    drawn, _ = classification_of(known.get("classification"))
    if drawn and wanted is None:
        return drawn, None
    lower = {str(key).lower(): value for key, value in known.items()}
    names = CLASS_NAMES if wanted is None else (str(wanted).lower(),)
    found = next((lower[n] for n in names if lower.get(n) not in (None, "")), None)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if not isinstance(found, (str, int)) or isinstance(found, bool):
        what = "no class" if wanted is None else f"no class in {wanted}"
        raise BadInput(
            f"Feature {number} of {path.name} has {what}.",
            subject=path,
            way_out=f"Its properties are: {', '.join(map(str, known))[:200] or 'none'}. Name one "
            "with --label-option class=PROPERTY.",
        )
    if isinstance(found, int):
        if not 0 < found < 256:
            raise BadInput(
                f"Feature {number} of {path.name} has class {found}; classes are numbered 1 to "
                "255.",
                subject=path,
            )
        return f"Class {found}", found
    return " ".join(found.split())[:200], None


# -- where it lies ---------------------------------------------------------------------------


def _placing(
    document: Any,
    scene: Scene,
    told: Any,
    outside: list[Floats],
    path: Path,
) -> Place:
    """Return what turns coordinates into row and col."""
    if told is not None and told not in COORDINATES:
        raise BadInput(
            f"There are no coordinates called {told}.",
            way_out=f"Use one of: {', '.join(COORDINATES)}.",
        )
    reference = scene.info.place
    if told == "pixels" or (told is None and not isinstance(reference, GeoReference)):
        return lambda x, y: (y - 0.5, x - 0.5)
    if not isinstance(reference, GeoReference):
        raise BadInput(
            f"{scene.title} has no map coordinates.",
            subject=path,
            way_out="Draw the areas in its pixels: coordinates=pixels.",
        )
    named = _named_system(document)
    if told is None and named is None:
        xy = np.concatenate(outside)
        # Metres that nobody named are not degrees.
        told = "lonlat" if (np.abs(xy) <= (360.0, 90.0)).all() else "scene"
    to_pixel: Place = reference.to_pixel  # type: ignore[assignment]  # takes arrays as well
    if told == "scene" or reference.crs is None:
        return to_pixel
    turn = _between("OGC:CRS84" if told == "lonlat" or named is None else named, reference.crs)
    if turn is None:
        raise BadInput(
            f"{path.name} and {scene.title} have coordinate systems that cannot be joined.",
            subject=path,
            way_out="Save the areas in the system of the scene and use coordinates=scene.",
        )
    return lambda x, y: to_pixel(*turn(x, y))


def _named_system(document: Any) -> str | None:
    crs = document.get("crs") if isinstance(document, dict) else None
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        return None
    if "CRS84" in name.upper():
        return "OGC:CRS84"
    code = re.search(r"EPSG:+(?:[\d.]*:)?(\d{4,6})$", name, re.IGNORECASE)
    return f"EPSG:{code.group(1)}" if code else name[:2000]


def _between(one: str, other: str) -> Place | None:
    from pyproj import Transformer
    from pyproj.exceptions import CRSError, ProjError

    try:
        turn = Transformer.from_crs(one, other, always_xy=True)
    except (CRSError, ProjError):
        return None
    return lambda x, y: turn.transform(x, y)


def _region(scene_id: str, name: str, rings: list[Floats], is_point: bool, place: Place) -> Region:
    made = []
    for ring in rings:
        row, col = place(ring[:, 0], ring[:, 1])
        made.append(np.column_stack([row, col]).astype(np.float64))
    if is_point:
        centre = np.floor(made[0][0] + 0.5)
        made = [centre + 0.4 * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])]
    # What has no place in the system of the scene lies nowhere on it.
    made = [ring[np.isfinite(ring).all(axis=1)] for ring in made]
    outside, *holes = [np.clip(ring, -FARTHEST, FARTHEST) for ring in made]
    if len(outside) < 3:
        outside, holes = np.full((3, 2), -FARTHEST), []
    holes = [hole for hole in holes if len(hole) >= 3]
    return Region(name, scene_id, outside, holes=tuple(holes), class_name=name)
