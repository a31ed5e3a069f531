"""Measurements, profiles and pixel tables as CSV and GeoJSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.errors import BadInput
from backends.io.writers.atomic import write_text
from backends.measuring.lengths import AREA, Measurement, lonlats
from backends.scene import Scene


def write_measurements(scene: Scene, measurements: Sequence[Measurement], path: str | Path) -> Path:
    """Write measurements as GeoJSON (longitude and latitude where known) or as CSV.

    Raises
    ------
    BadInput
        There is none, or the name ends otherwise.
    """
    path = Path(path)
    if not measurements:
        raise BadInput("Nothing was measured yet.", way_out="Draw a line or an area first.")
    if path.suffix.lower() in (".geojson", ".json"):
        write_text(path, json.dumps(_geojson(scene, measurements), indent=1, ensure_ascii=False))
    elif path.suffix.lower() == ".csv":
        heads = ["name", "kind", "length_m", "area_m2", "length_px", "area_px", "bearing_deg",
                 "method", "row_col"]  # fmt: skip
        rows = []
        for one in measurements:
            facts = _facts(one)
            corners = " ".join(f"{r:.2f},{c:.2f}" for r, c in one.points)
            rows.append([*(facts[h] for h in heads[:-1]), corners])
        write_table(path, heads, rows)
    else:
        raise BadInput(
            f"{path.name} is no file for measurements.", way_out="End it in .geojson or .csv."
        )
    return path


def write_table(path: str | Path, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    """Write a table as CSV; what is unknown stays empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(["" if v is None else v for v in row] for row in rows)
    write_text(path, stream.getvalue())
    return Path(path)


def _geojson(scene: Scene, measurements: Sequence[Measurement]) -> dict[str, Any]:
    features, on_earth = [], True
    for one in measurements:
        found = lonlats(scene, one.points)
        on_earth = on_earth and found is not None
        # Column before row, as x before y, where no place on Earth is known.
        points = one.points[:, ::-1] if found is None else found
        ring = [[round(float(x), 8), round(float(y), 8)] for x, y in points]
        if one.kind == AREA:
            ring = _counterclockwise(ring)
            shape: dict[str, Any] = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        else:
            shape = {"type": "LineString", "coordinates": ring}
        facts = {k: v for k, v in _facts(one).items() if v is not None}
        features.append({"type": "Feature", "geometry": shape, "properties": facts})
    out: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if not on_earth:
        out["coordinates"] = "pixels: column, row; whole numbers are pixel centres"
    return out


def _facts(one: Measurement) -> dict[str, Any]:
    size = one.size
    values: dict[str, Any] = {
        "length_m": size.length_m, "area_m2": size.area_m2, "length_px": size.length_px,
        "area_px": size.area_px, "bearing_deg": size.bearing,
    }  # fmt: skip
    plain = {k: _rounded(v) for k, v in values.items()}
    return {"name": one.name, "kind": one.kind, **plain, "method": size.method}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.9g}")


def _counterclockwise(ring: list[list[float]]) -> list[list[float]]:
    """Turn an outer ring as RFC 7946 has it."""
    twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))
    return ring if twice > 0 else ring[::-1]
