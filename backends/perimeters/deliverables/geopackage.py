"""The working master: a GeoPackage with a layer for each class, the line before, and the trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely

from backends import __version__
from backends.perimeters.coordinates import moved
from backends.perimeters.deliverables.domains import write_domains
from backends.perimeters.deliverables.rows import DeliveredLine
from backends.perimeters.deliverables.tables import as_os_error, columns_of, wkt_of, write_rows
from backends.perimeters.schema import FIELDS

_KINDS = {f.name: f.kind for f in FIELDS} | {"ObjectID": "text"}
TRAIL, ABOUT, PREVIOUS = "Audit_Trail", "About", "Previous_Line"


def write_geopackage(line: DeliveredLine, path: Path, crs: str) -> None:
    """Write all layers; the coordinate system is named in each."""
    for number, layer in enumerate(line.layers):
        columns = columns_of(layer.rows, FIELDS) | {"ObjectID": [r.id for r in layer.rows]}
        write_rows(
            path, layer, columns, _KINDS, source_crs=line.crs, crs=crs, driver="GPKG",
            name=layer.name, append=number > 0,
        )  # fmt: skip
    _write_previous(line, path, crs)
    _write_about(line, path)
    _write_trail(line, path)
    write_domains(path, [layer.name for layer in line.layers])


def _write_previous(line: DeliveredLine, path: Path, crs: str) -> None:
    import pyogrio

    previous = line.document.previous
    if previous is None or previous.is_empty:
        return
    shape = shapely.to_wkb([moved(previous, line.crs, crs)])
    label = np.array([line.document.previous_label], object)
    with as_os_error(path):
        pyogrio.raw.write(
            str(path), np.asarray(shape, object), [label], ["Label"], layer=PREVIOUS,
            driver="GPKG", geometry_type="MultiPolygon", promote_to_multi=True, crs=wkt_of(crs),
            append=True,
        )  # fmt: skip


def _write_about(line: DeliveredLine, path: Path) -> None:
    document = line.document
    about = {
        "Incident": str(document.attributes.get("IncidentName") or ""),
        "Mark": line.mark,
        "Review state": document.state.value,
        "Acres": line.area.text(),
        "How acres were found": line.area.method,
        "Software": f"Clearband {__version__}",
        "Document": document.id,
    }
    _write_table(path, ABOUT, {"Name": list(about), "Value": list(about.values())})


def _write_trail(line: DeliveredLine, path: Path) -> None:
    entries = line.document.trail.entries
    columns = {
        "Number": [str(e.number) for e in entries],
        "UTC": [e.utc for e in entries],
        "Who": [e.who for e in entries],
        "Action": [e.action for e in entries],
        "Digest": [e.digest for e in entries],
        "Previous": [e.previous for e in entries],
    }
    _write_table(path, TRAIL, columns)


def _write_table(path: Path, name: str, columns: Mapping[str, Sequence[str]]) -> None:
    """Write a table without geometry, all of it text."""
    import pyogrio

    data = [np.array(values, object) for values in columns.values()]
    with as_os_error(path):
        pyogrio.raw.write(
            str(path), None, data, list(columns), layer=name, driver="GPKG",
            geometry_type=None, crs=None, append=True,
        )  # fmt: skip
