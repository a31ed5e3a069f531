"""GeoJSON (RFC 7946) with the schema of NIFS: longitude and latitude, WGS 84, times as ISO 8601."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.perimeters.coordinates import WGS84, moved
from backends.perimeters.deliverables.rows import DeliveredLine, Edge, Layer, Row

DECIMALS = 9  # a tenth of a millimetre


def write_geojson(line: DeliveredLine, path: Path) -> None:
    """Write all objects as one collection."""
    features = [
        {
            "type": "Feature",
            "id": _id(layer, row, number),
            "geometry": shapely.geometry.mapping(on_globe(row.geometry, line.crs)),
            "properties": row.values,
        }
        for layer in line.layers
        for number, row in enumerate(layer.rows, 1)
    ]
    whole: dict[str, Any] = {
        "type": "FeatureCollection",
        "name": path.stem,
        "reviewState": line.document.state.value,
        "acres": line.area.to_dict(),
        "features": features,
    }
    path.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")


def _id(layer: Layer, row: Row, number: int) -> str:
    """Return a name of its own for each object: parts of the perimeter bear that one's."""
    if isinstance(layer.symbol, Edge):
        return f"{row.id}-{layer.word}"
    return f"{row.id}-{number}" if layer.symbol is None else row.id


def on_globe(geometry: Any, crs: str) -> Any:
    """Return a geometry in degrees as it is written: rounded, exteriors anti-clockwise."""
    turned = moved(geometry, crs, WGS84)
    if turned.geom_type.endswith("Polygon"):
        turned = shapely.orient_polygons(turned)

    def rounded(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.round(points, DECIMALS))

    return shapely.transform(turned, rounded)
