"""Outlines with classes as GeoJSON, the way QuPath writes and reads them.

A ``FeatureCollection`` (or a bare list, or one ``Feature``) of polygons in pixels of the
full resolution; ``properties.classification`` holds name and colour (RFC 7946 for the
geometry; the properties as in QuPath's documentation of "GeoJSON" export). There x and y
count from the corner of the first pixel, here rows and columns count from its centre.
"""

from __future__ import annotations

import gzip
import json
import re
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import BadInput
from backends.io.writers.atomic import write_bytes
from backends.palette import class_colors, to_rgb
from backends.progress import Progress
from backends.regions import Outline, Region, Ring

SUFFIXES = (".geojson", ".json", ".geojson.gz", ".json.gz")
# A file beyond any of these is refused before it fills the memory.
LARGEST_BYTES = 256 << 20
MOST_AREAS = 200_000
MOST_POINTS = 5_000_000
LARGEST_COORDINATE = 1e7
LONGEST_NAME = 200
_STEP = 500


@dataclass(frozen=True)
class Annotations:
    """What a file of annotations holds.

    Attributes
    ----------
    regions : tuple of Region
    skipped : int
        Objects that are no areas, as points and lines.
    outside : int
        Areas that do not touch the image; they are among ``regions`` all the same.
    """

    regions: tuple[Region, ...]
    skipped: int = 0
    outside: int = 0

    def sentence(self, name: str) -> str:
        """Return what was found, for people."""
        count = len(self.regions)
        words = f"{count:,} area{'' if count == 1 else 's'} from {name}"
        if self.skipped:
            words += f"; {self.skipped:,} objects in it are no areas"
        if self.outside:
            words += f"; {self.outside:,} lie outside the image"
        return words + "."


def looks_like_annotations(path: str | Path) -> bool:
    """Tell by its name and first letters whether a file may hold annotations."""
    path = Path(path)
    if not path.name.lower().endswith(SUFFIXES) or not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
        if head[:2] == b"\x1f\x8b":
            head = zlib.decompressobj(31).decompress(head, 4096)
    except (OSError, zlib.error):
        return False
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text[:1] in (b"{", b"[") and (
        b'"Feature' in text or b'"geometry"' in text or b'"features"' in text or text[:2] == b"[]"
    )


def read_annotations(
    path: str | Path,
    scene_id: str = "",
    shape: tuple[int, int] | None = None,
    *,
    progress: Progress | None = None,
) -> Annotations:
    """Read classed polygons with their holes and pieces.

    Parameters
    ----------
    path : str or Path
        ``.geojson`` or ``.json``, also gzipped.
    scene_id : str
        The scene they lie on.
    shape : (rows, cols), optional
        Of that scene at full resolution; tells which lie outside.

    Raises
    ------
    BadInput
        No such file, damaged, too large, or without one area.
    """
    path = Path(path).expanduser()
    found = features_in(read_geojson(path), path)
    if len(found) > MOST_AREAS:
        raise _too_much(path, f"{len(found):,} objects", f"{MOST_AREAS:,}")
    if progress is not None:
        progress.start(len(found), "objects", f"Reading {path.name}")
    regions: list[Region] = []
    skipped = outside = points = 0
    used: set[str] = set()
    for number, feature in enumerate(found):
        if progress is not None and number % _STEP == 0:
            progress.advance(_STEP if number else 0)
        outlines = _outlines(feature.get("geometry"), path)
        if not outlines:
            skipped += 1
            continue
        points += sum(len(ring) for piece in outlines for ring in piece.rings)
        if points > MOST_POINTS:
            raise _too_much(path, f"more than {MOST_POINTS:,} points", f"{MOST_POINTS:,}")
        region = _region(feature, outlines, scene_id, len(regions) + 1, used)
        regions.append(region)
        outside += shape is not None and _is_outside(region, shape)
    if not regions:
        raise BadInput(
            f"{path.name} holds no areas.",
            subject=path,
            way_out="Export polygons as GeoJSON; points and lines are not read.",
        )
    if outside == len(regions):
        raise BadInput(
            f"All areas of {path.name} lie outside the image.",
            subject=path,
            way_out="Open the image they were drawn on; they count pixels of its full resolution.",
        )
    return Annotations(tuple(regions), skipped, outside)


def write_annotations(
    regions: Sequence[Region], path: str | Path, *, progress: Progress | None = None
) -> Path:
    """Write areas as GeoJSON that QuPath reads; gzipped where the name ends with ``.gz``.

    Raises
    ------
    BadInput
        There is none, or it cannot be written there.
    """
    path = Path(path).expanduser()
    if not regions:
        raise BadInput("There are no areas to write.", way_out="Draw some with R.")
    if progress is not None:
        progress.start(len(regions), "areas", f"Writing {path.name}")
    lines = []
    for number, region in enumerate(regions):
        lines.append(json.dumps(feature_of(region), ensure_ascii=False, allow_nan=False))
        if progress is not None and number % _STEP == 0:
            progress.advance(_STEP if number else 0)
    text = '{"type": "FeatureCollection", "features": [\n' + ",\n".join(lines) + "\n]}\n"
    content = text.encode()
    write_bytes(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def feature_of(region: Region) -> dict[str, Any]:
    """Return an area as a GeoJSON feature of the object type "annotation"."""
    pieces = [[_closed(ring) for ring in piece.rings] for piece in region.outlines]
    geometry = {
        "type": "Polygon" if len(pieces) == 1 else "MultiPolygon",
        "coordinates": pieces[0] if len(pieces) == 1 else pieces,
    }
    properties: dict[str, Any] = {"objectType": "annotation", "name": region.name}
    if region.class_name:
        color = region.class_color or class_colors({1: region.class_name})[1]
        properties["classification"] = {"name": region.class_name, "color": list(to_rgb(color))}
    else:
        properties["color"] = list(to_rgb(region.shown_color))
    known = _uuid(region.id) or uuid.uuid4()
    return {"type": "Feature", "id": str(known), "geometry": geometry, "properties": properties}


def _closed(ring: Ring) -> list[list[float]]:
    # From the centre of a pixel to its corner, and from row, col to x, y.
    corners = np.asarray(ring, np.float64)[:, ::-1] + 0.5
    return [*corners.tolist(), corners[0].tolist()]


def read_geojson(path: Path) -> Any:
    """Return what a file of GeoJSON holds, plain or gzipped; refuses what is too large."""
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise _too_much(path, f"{size / 2**20:,.0f} MB", f"{LARGEST_BYTES >> 20} MB")
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            unpack = zlib.decompressobj(31)
            content = unpack.decompress(content, LARGEST_BYTES)
            if unpack.unconsumed_tail:
                raise _too_much(path, "more unpacked", f"{LARGEST_BYTES >> 20} MB")
        return json.loads(content, parse_constant=_no_number)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read.", subject=path, details=str(error)) from error
    except (ValueError, RecursionError, zlib.error, MemoryError) as error:
        raise BadInput(
            f"{path.name} is no GeoJSON, or damaged.",
            subject=path,
            way_out="Export it anew.",
            details=str(error)[:400],
        ) from error


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no coordinate")


def features_in(parsed: Any, path: Path) -> list[Mapping[str, Any]]:
    """Return the features of a collection, a list of them, or the one."""
    if isinstance(parsed, Mapping):
        kind = parsed.get("type")
        parsed = parsed.get("features") if kind == "FeatureCollection" else [parsed]
    if not isinstance(parsed, list) or not all(isinstance(f, Mapping) for f in parsed):
        raise BadInput(
            f"{path.name} is no GeoJSON of areas.", subject=path, way_out="Export it anew."
        )
    return parsed


def _outlines(geometry: Any, path: Path) -> tuple[Outline, ...]:
    """Return the pieces of a polygon; none for what is no area."""
    if not isinstance(geometry, Mapping):
        return ()
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        return ()
    pieces = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(pieces, list):
        raise _no_points(path)
    out = []
    for piece in pieces:
        if not isinstance(piece, list):
            raise _no_points(path)
        rings = [_ring(ring, path) for ring in piece]
        if rings and rings[0] is not None:
            out.append(Outline(rings[0], tuple(hole for hole in rings[1:] if hole is not None)))
    return tuple(out)


def _ring(points: Any, path: Path) -> Ring | None:
    """Return row, col of a ring without its closing point; None for less than a triangle."""
    if not isinstance(points, list) or len(points) > MOST_POINTS:
        raise _no_points(path)
    for point in points:
        # A height may follow; true and false are numbers to Python, but not here.
        if not isinstance(point, list) or not 2 <= len(point) <= 4:
            raise _no_points(path)
        for value in point[:2]:
            if type(value) not in (int, float) or not abs(value) <= LARGEST_COORDINATE:
                raise _no_points(path)
    if len(points) > 1 and points[0][:2] == points[-1][:2]:
        points = points[:-1]
    if len({(point[0], point[1]) for point in points}) < 3:
        return None
    return np.array([(point[1], point[0]) for point in points], np.float64) - 0.5


def _region(
    feature: Mapping[str, Any],
    outlines: tuple[Outline, ...],
    scene_id: str,
    number: int,
    used: set[str],
) -> Region:
    given = feature.get("properties")
    properties: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    class_name, class_color = classification_of(properties.get("classification"))
    name = _text(properties.get("name")) or class_name or f"Area {number}"
    color = class_color or ("" if class_name else _color(properties.get("color")))
    known = _uuid(feature.get("id"))
    ident = known.hex if known is not None and known.hex not in used else uuid.uuid4().hex
    used.add(ident)
    first, *rest = outlines
    return Region(
        name, scene_id, first.exterior, number - 1, ident, first.holes, tuple(rest),
        class_name, color,
    )  # fmt: skip


def classification_of(given: Any) -> tuple[str, str]:
    """Return name and colour of a classification, new style or old, or a bare name."""
    if isinstance(given, str):
        return _text(given), ""
    if not isinstance(given, Mapping):
        return "", ""
    name = _text(given.get("name"))
    names = given.get("names")
    if not name and isinstance(names, list):
        name = _text(": ".join(n for n in names[:20] if isinstance(n, str)))
    return name, (_color(given.get("color", given.get("colorRGB"))) if name else "")


def _color(given: Any) -> str:
    """Return ``#rrggbb`` of [r, g, b], or of one number as Java packs a colour."""
    if type(given) is int and abs(given) < 1 << 32:
        return f"#{given & 0xFFFFFF:06X}"
    if isinstance(given, list) and len(given) in (3, 4):
        parts = given[:3]
        if all(type(v) in (int, float) and 0 <= v <= 255 for v in parts):
            return "#{:02X}{:02X}{:02X}".format(*(round(v) for v in parts))
    if isinstance(given, str) and re.fullmatch("#[0-9A-Fa-f]{6}", given):
        return given.upper()
    return ""


def _text(given: Any) -> str:
    if not isinstance(given, str):
        return ""
    plain = "".join(c if c.isprintable() else " " for c in given[: 4 * LONGEST_NAME])
    return " ".join(plain.split())[:LONGEST_NAME]


def _uuid(given: Any) -> uuid.UUID | None:
    if not isinstance(given, str) or len(given) > 64:
        return None
    try:
        return uuid.UUID(given)
    except ValueError:
        return None


def _is_outside(region: Region, shape: tuple[int, int]) -> bool:
    points = np.vstack([piece.exterior for piece in region.outlines])
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((high < -0.5).any() or (low > np.asarray(shape) - 0.5).any())


def classes_of(regions: Iterable[Region]) -> dict[str, str]:
    """Return the classes of some areas and their colours, in the order they appear."""
    out: dict[str, str] = {}
    for region in regions:
        if region.class_name and region.class_name not in out:
            out[region.class_name] = region.shown_color
    return out


def _no_points(path: Path) -> BadInput:
    return BadInput(
        f"{path.name} holds an outline whose points are no pixel coordinates.",
        subject=path,
        way_out="Export it anew.",
    )


def _too_much(path: Path, what: str, most: str) -> BadInput:
    return BadInput(
        f"{path.name} holds {what}; at most {most} are read.",
        subject=path,
        way_out="Export fewer objects at a time.",
    )
