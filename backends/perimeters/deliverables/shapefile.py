"""Shapefiles of all classes in one archive, with what the format loses said and made up for.

Field names have ten letters, texts 254 bytes, dates no time of day and no empty value: times
stand as text in UTC, and the day of the perimeter once more as a date.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from backends.perimeters.deliverables.rows import DeliveredLine
from backends.perimeters.deliverables.tables import columns_of, write_rows
from backends.perimeters.schema import BY_NAME, FIELDS

DAY = "PolyDay"
_BYTES = 254


def write_shapefiles(line: DeliveredLine, path: Path, crs: str, stem: str) -> None:
    """Write the archive; the files in it are named like the set and the class."""
    folder = path.parent / f".{path.stem}"
    folder.mkdir()
    try:
        for layer in line.layers:
            columns = shapefile_columns(columns_of(layer.rows, FIELDS))
            write_rows(
                folder / f"{stem}_{inner_name(layer.name)}.shp", layer, columns,
                {k: _kind(k) for k in columns}, source_crs=line.crs, crs=crs,
                driver="ESRI Shapefile",
            )  # fmt: skip
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def inner_name(layer: str) -> str:
    """Return the class as one element of a file name."""
    return "".join(part for part in layer.split("_") if part not in ("DRAFT", "SUPERSEDED"))


def shapefile_columns(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return columns by their short names, texts cut to what the format holds."""
    out: dict[str, list[Any]] = {}
    for name, values in columns.items():
        field = BY_NAME[name]
        out[field.short] = [_cut(v) if isinstance(v, str) else v for v in values]
        if name == "PolygonDateTime":
            out[DAY] = list(values)
    return out


def _kind(short: str) -> str:
    if short == DAY:
        return "date"
    kind = next(f.kind for f in FIELDS if f.short == short)
    return "text" if kind == "time" else kind


def _cut(text: str) -> str:
    return text.encode()[:_BYTES].decode(errors="ignore")
