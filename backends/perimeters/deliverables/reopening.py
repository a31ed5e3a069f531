"""Each product is opened again and compared with what it was made from, before it appears."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from backends.errors import BadInput
from backends.io.kml import read_kml
from backends.perimeters.clock import parsed
from backends.perimeters.coordinates import moved, system
from backends.perimeters.deliverables.domains import check_domains
from backends.perimeters.deliverables.geojson import on_globe
from backends.perimeters.deliverables.geopackage import TRAIL
from backends.perimeters.deliverables.geopdf import PageReference, page_reference
from backends.perimeters.deliverables.rows import DeliveredLine, Layer
from backends.perimeters.deliverables.shapefile import DAY, inner_name, shapefile_columns
from backends.perimeters.deliverables.tables import columns_of, read_rows
from backends.perimeters.schema import BY_NAME, FIELDS

_TIMES = {f.name for f in FIELDS if f.kind == "time"}


def check_geopackage(line: DeliveredLine, path: Path, crs: str) -> None:
    """Compare a GeoPackage: layers, system, geometry to the last digit, all fields, domains.

    Raises
    ------
    OSError
        It isn't what was written.
    """
    for layer in line.layers:
        shapes, rows, found = read_rows(str(path), layer.name)
        columns = columns_of(layer.rows, FIELDS)
        _same_table(path, line, layer, crs, shapes, rows, found, columns)
    _, entries, _ = read_rows(str(path), TRAIL)
    digests = [e.digest for e in line.document.trail.entries]
    _same(path, TRAIL, [e["Digest"] for e in entries], digests)
    check_domains(path, [layer.name for layer in line.layers])


def check_shapefiles(line: DeliveredLine, path: Path, crs: str, stem: str) -> None:
    """Compare zipped shapefiles.

    Raises
    ------
    OSError
        They aren't what was written.
    """
    for layer in line.layers:
        inner = f"{stem}_{inner_name(layer.name)}"
        shapes, rows, found = read_rows(f"/vsizip/{path}/{inner}.shp")
        columns = shapefile_columns(columns_of(layer.rows, FIELDS))
        days = [None if v is None else parsed(v).date().isoformat() for v in columns[DAY]]
        columns[DAY] = days
        _same_table(path, line, layer, crs, shapes, rows, found, columns)


def check_geojson(line: DeliveredLine, path: Path) -> None:
    """Compare a GeoJSON file.

    Raises
    ------
    OSError
        It isn't what was written.
    """
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    expected = [r for la in line.layers for r in la.rows]
    _same(path, "objects", len(features), len(expected))
    for feature, row in zip(features, expected, strict=True):
        shape = shapely.geometry.shape(feature["geometry"])
        _same_shape(path, shape, on_globe(row.geometry, line.crs))
        _same(path, "attributes", feature["properties"], row.values)


def check_kmz(line: DeliveredLine, path: Path) -> None:
    """Compare a KMZ file.

    Raises
    ------
    OSError
        It isn't what was written.
    """
    placed = read_kml(path)
    expected = [r for la in line.layers for r in la.rows]
    _same(path, "objects", len(placed), len(expected))
    for mark, row in zip(placed, expected, strict=True):
        shape = mark.geometry
        _same_shape(path, _many(shape), on_globe(row.geometry, line.crs))
        told = {k: v for k, v in mark.fields.items() if k in BY_NAME}
        said = {k: " ".join(str(v).split()) for k, v in row.values.items() if v is not None}
        _same(path, "attributes", {k: " ".join(v.split()) for k, v in told.items()}, said)
        if line.mark:
            _same(path, "mark", mark.fields["name"].split()[0], line.mark)


def check_pdf(path: Path, place: PageReference) -> None:
    """Look whether a map is georeferenced, and as it should be.

    Raises
    ------
    OSError
        It isn't.
    """
    try:
        found = page_reference(path)
    except BadInput as error:
        raise OSError(str(error)) from error
    # A tenth of a point on paper is thinner than any line of the map.
    off = np.abs(np.subtract(found.extent, place.extent)).max() / place.units_per_point
    if off > 0.1 or system(found.crs) != system(place.crs):
        raise OSError(f"{path.name} lies {off:.2f} points off its place.")
    _same(path, "frame", np.round(found.frame, 2).tolist(), np.round(place.frame, 2).tolist())


def check_zip(path: Path) -> None:
    """Look whether an archive is whole.

    Raises
    ------
    OSError
        It isn't.
    """
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
    if broken is not None:
        raise OSError(f"{broken} in {path.name} is damaged.")


def _same_table(
    path: Path,
    line: DeliveredLine,
    layer: Layer,
    crs: str,
    shapes: Any,
    rows: Sequence[Mapping[str, Any]],
    found: str,
    columns: Mapping[str, Sequence[Any]],
) -> None:
    _same(path, "objects", len(shapes), len(layer.rows))
    if not system(found).equals(system(crs), ignore_axis_order=True):
        # Shapefiles name systems in a dialect of their own; what counts is where points lie.
        middle = moved(line.perimeter.geometry.centroid, line.crs, crs)
        again = moved(middle, found, crs)
        if shapely.distance(middle, again) > 0.01:
            raise OSError(f"{path.name} names another coordinate system.")
    for number, (shape, row) in enumerate(zip(shapes, rows, strict=True)):
        _same_shape(path, _many(shape), moved(layer.rows[number].geometry, line.crs, crs))
        for name, values in columns.items():
            _same(path, name, _plain(row[name]), _plain(values[number]))


def _many(shape: Any) -> Any:
    """Return one polygon or line as several, which is what was written."""
    if shape.geom_type == "Polygon":
        return shapely.MultiPolygon([shape])
    return shapely.MultiLineString([shape]) if shape.geom_type == "LineString" else shape


def _same_shape(path: Path, found: Any, expected: Any) -> None:
    same = shapely.equals_exact(shapely.normalize(found), shapely.normalize(expected), 0.0)
    if not same:
        raise OSError(f"A line in {path.name} reads back differently.")


def _same(path: Path, what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise OSError(f"{what} in {path.name}: {found} instead of {expected}"[:400])


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}")  # shapefiles keep numbers as text
    if isinstance(value, str) and len(value) >= 10 and value[4:5] == value[7:8] == "-":
        try:
            return parsed(value)
        except BadInput:
            return value
    return value or None
