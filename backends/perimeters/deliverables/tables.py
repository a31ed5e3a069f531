"""Rows written with GDAL, as GeoPackage layers and shapefiles, and read back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from backends.perimeters.clock import parsed
from backends.perimeters.coordinates import moved, system
from backends.perimeters.deliverables.rows import Layer, Row
from backends.perimeters.schema import Field

GDAL_UTC = 100  # how GDAL says that a time is UTC


@contextmanager
def as_os_error(path: Path) -> Iterator[None]:
    """Turn what GDAL says of a disk into what Python says of it.

    Raises
    ------
    OSError
        GDAL could not write.
    """
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

    try:
        yield
    except (DataLayerError, DataSourceError, FeatureError) as error:
        raise OSError(f"{path.name}: {error}") from error


def write_rows(
    path: Path,
    layer: Layer,
    columns: Mapping[str, Sequence[Any]],
    kinds: Mapping[str, str],
    *,
    source_crs: str,
    crs: str,
    driver: str,
    name: str | None = None,
    append: bool = False,
    **options: Any,
) -> None:
    """Write the rows of a layer with these columns.

    Parameters
    ----------
    columns : mapping of str to sequence
        Values; None where there is nothing. Times as ISO 8601.
    kinds : mapping of str to str
        ``text``, ``number``, ``time`` or ``date`` for each column.
    """
    import pyogrio

    data, masks = [], []
    for key, values in columns.items():
        empty = np.array([v is None for v in values])
        data.append(_array(values, kinds[key]))
        masks.append(empty if empty.any() else None)
    wkb = shapely.to_wkb([moved(r.geometry, source_crs, crs) for r in layer.rows])
    times = {k: np.full(len(layer.rows), GDAL_UTC) for k, kind in kinds.items() if kind == "time"}
    with as_os_error(path):
        pyogrio.raw.write(
            str(path), np.asarray(wkb, object), data, list(columns), masks, layer=name,
            driver=driver, geometry_type=layer.geometry_type, crs=wkt_of(crs), encoding="UTF-8",
            append=append, gdal_tz_offsets=times, **options,
        )  # fmt: skip


def columns_of(rows: Sequence[Row], fields: Sequence[Field]) -> dict[str, list[Any]]:
    """Return the values of rows by field."""
    return {f.name: [r.values[f.name] for r in rows] for f in fields}


def wkt_of(crs: str) -> str:
    """Return a system as a code where it has one, which programs know best."""
    code = system(crs).to_authority(min_confidence=100)
    return ":".join(code) if code else str(system(crs).to_wkt())


def _array(values: Sequence[Any], kind: str) -> np.ndarray[Any, Any]:
    if kind == "number":
        return np.array([np.nan if v is None else v for v in values], np.float64)
    if kind in ("time", "date"):
        unit = "ms" if kind == "time" else "D"
        plain = [None if not v else parsed(v).replace(tzinfo=None) for v in values]
        days: list[Any] = [v.date() if v and kind == "date" else v for v in plain]
        return np.array([np.datetime64("NaT") if v is None else v for v in days], f"M8[{unit}]")
    return np.array(["" if v is None else str(v) for v in values], object)


def read_rows(path: str, layer: str | None = None) -> tuple[Any, list[dict[str, Any]], str]:
    """Return geometry, values (times as UTC, ISO 8601) and coordinate system of a file."""
    import pyogrio

    with as_os_error(Path(path)):
        meta, _, wkb, data = pyogrio.raw.read(path, layer=layer, datetime_as_string=True)
    names = [str(n) for n in meta["fields"]]
    rows = [
        dict(zip(names, map(_plain, values), strict=True)) for values in zip(*data, strict=True)
    ]
    return None if wkb is None else shapely.from_wkb(wkb), rows, str(meta["crs"] or "")


def _plain(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, dt.date):
        return value.isoformat()
    return None if value == "" else value
