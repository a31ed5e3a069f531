"""KML read and written without trust in what it says: no entities, no links, bounded sizes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from backends.errors import BadInput

LARGEST_BYTES = 256 << 20
MOST_PLACEMARKS = 100_000


@dataclass(frozen=True)
class Placemark:
    """One thing of a KML file: geometry in longitude and latitude, and its fields."""

    geometry: Any
    fields: dict[str, str]


def read_kml(path: Path) -> list[Placemark]:
    """Read the placemarks of a KML or KMZ file.

    Raises
    ------
    BadInput
        Not KML, unsafe, or too large.
    """
    return list(_placemarks(_root(_content(path), path), path))


def checked_zip(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return what an archive holds, if it can be unpacked without harm.

    Raises
    ------
    BadInput
        It would unpack to something huge, or outside its folder.
    """
    inside = archive.infolist()
    size = sum(i.file_size for i in inside)
    packed = max(1, sum(i.compress_size for i in inside))
    if size > LARGEST_BYTES or len(inside) > 10_000 or (size > 1 << 20 and size / packed > 1000):
        raise BadInput(
            f"{path.name} would unpack to {size / 2**20:,.0f} MB, which no perimeter needs.",
            subject=path,
            way_out="Take the outline out of the archive and give that.",
        )
    for item in inside:
        parts = item.filename.replace("\\", "/").split("/")
        if item.filename.startswith(("/", "\\")) or ".." in parts or ":" in item.filename:
            raise BadInput(f"{path.name} holds a file that would lie elsewhere.", subject=path)
    return inside


def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_BYTES:
        raise BadInput(f"{path.name} is too large for an outline.", subject=path)
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [i for i in checked_zip(path, archive) if i.filename.lower().endswith(".kml")]
            if not inside:
                raise BadInput(f"{path.name} holds no KML.", subject=path)
            chosen = next((i for i in inside if i.filename.lower() == "doc.kml"), inside[0])
            return archive.read(chosen)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise BadInput(
            f"{path.name} cannot be unpacked.", subject=path, details=repr(error)
        ) from error


def _root(content: bytes, path: Path) -> Any:
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise BadInput(
            f"{path.name} holds XML that could do harm, so it is not read.",
            subject=path,
            details=repr(error),
        ) from error
    except (ParseError, ValueError, RecursionError) as error:
        raise BadInput(
            f"{path.name} is no sound KML.", subject=path, details=repr(error)
        ) from error


def _placemarks(root: Any, path: Path) -> Iterator[Placemark]:
    count = 0
    for element in root.iter():
        if _bare(element) != "Placemark":
            continue
        count += 1
        if count > MOST_PLACEMARKS:
            raise BadInput(f"{path.name} holds too many places for an outline.", subject=path)
        try:
            shapes = [shape for child in element for shape in _shapes(child)]
        except (ValueError, shapely.errors.ShapelyError) as error:
            raise BadInput(
                f"Place {count} of {path.name} has coordinates that cannot be read.",
                subject=path,
                details=repr(error),
            ) from error
        if shapes:
            yield Placemark(_together(shapes), _fields(element))


def _fields(element: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for child in element.iter():
        name, text = _bare(child), (child.text or "").strip()
        if name == "Data":
            value = next((v for v in child if _bare(v) == "value"), None)
            found[child.get("name", "")] = ((value.text if value is not None else "") or "").strip()
        elif name == "SimpleData":
            found[child.get("name", "")] = text
        elif name == "when":
            found.setdefault("PolygonDateTime", text)
        elif name == "name" and text:
            found.setdefault("name", text)
    return found


def _shapes(element: Any) -> Iterator[Any]:
    kind = _bare(element)
    if kind == "MultiGeometry":
        for child in element:
            yield from _shapes(child)
    elif kind == "Point":
        yield shapely.Point(_coordinates(element)[0])
    elif kind == "LineString":
        yield shapely.LineString(_coordinates(element))
    elif kind == "Polygon":
        outer = [c for c in element if _bare(c) == "outerBoundaryIs"]
        inner = [c for c in element if _bare(c) == "innerBoundaryIs"]
        if not outer:
            raise ValueError("a polygon without an outline")
        yield shapely.Polygon(_coordinates(outer[0]), [_coordinates(c) for c in inner])


def _coordinates(element: Any) -> list[tuple[float, float]]:
    text = next((c.text or "" for c in element.iter() if _bare(c) == "coordinates"), "")
    points = []
    for word in text.split():
        x, y = (float(v) for v in word.split(",")[:2])
        if not (math.isfinite(x) and math.isfinite(y) and abs(x) <= 360 and abs(y) <= 90):
            raise ValueError(f"{word} is no place on Earth")
        points.append((x, y))
    if not points:
        raise ValueError("no coordinates")
    return points


def _together(shapes: list[Any]) -> Any:
    if len(shapes) == 1:
        return shapes[0]
    if all(s.geom_type == "Polygon" for s in shapes):
        return shapely.MultiPolygon(shapes)
    if all(s.geom_type == "LineString" for s in shapes):
        return shapely.MultiLineString(shapes)
    return shapely.GeometryCollection(shapes)


def _bare(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
