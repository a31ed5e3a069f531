"""Files of perimeters compared: two of them, or a fire's whole series."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.errors import BadInput
from backends.perimeters.acreage import acreage
from backends.perimeters.clock import not_in_future, parsed
from backends.perimeters.comparison import Comparison, compare, of_one_place
from backends.perimeters.coordinates import is_metric, local_utm, moved
from backends.perimeters.importing import read_perimeters
from backends.perimeters.journal import SUFFIX, load
from backends.perimeters.progression import DayOfFire, growth_series

_PIXEL_M = 10.0


def outline_of(
    path: Path, *, crs: str | None = None, fire: str | None = None
) -> tuple[Any, str, str, float]:
    """Return outline, coordinate system, time (UTC, may be empty) and pixel size of a file."""
    if path.suffix == SUFFIX:
        document, _ = load(path)
        return document.perimeter, document.crs, document.image_utc, document.pixel_m
    found = read_perimeters(path, crs=crs)
    shape, first = found.of_one_fire(fire)
    return shape, found.crs, str(first.attributes.get("PolygonDateTime") or ""), 0.0


def compare_files(
    new: Path,
    previous: Path,
    *,
    pixel_m: float = 0.0,
    crs: str | None = None,
    fire: str | None = None,
) -> Comparison:
    """Compare two files, in the coordinate system of the first or the local UTM zone.

    Parameters
    ----------
    pixel_m : float
        0 takes that of the document, else 10 m.

    Raises
    ------
    BadInput
        The two lie far apart, so that they are of different fires.
    """
    shape, own, _, pixel = outline_of(new, crs=crs, fire=fire)
    before, other, _, pixel_before = outline_of(previous, crs=crs, fire=fire)
    plane = own if is_metric(own) else local_utm(shape, own)
    shape, before = moved(shape, own, plane), moved(before, other, plane)
    if shape.is_empty or before.is_empty:
        raise BadInput(f"{(new if shape.is_empty else previous).name} holds no perimeter.")
    of_one_place(shape, before, new.name, previous.name)
    return compare(shape, before, plane, pixel_m or pixel or pixel_before or _PIXEL_M)


def growth_of_files(files: Sequence[Path], zone: str = "UTC") -> tuple[DayOfFire, ...]:
    """Return the series of a fire's perimeters, geodesic gross acres.

    The previous line that lies beside a document counts, too, where its time is known.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        local = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(
            f"There is no time zone called {zone}.", way_out="For example America/Boise or UTC."
        ) from error
    found = []
    for path in files:
        shape, crs, when, _ = outline_of(path)
        found += _beside(path)
        if not when:
            raise BadInput(f"{path.name} does not say when its perimeter was.", subject=path)
        what = f"The time of {path.name}"
        plane = crs if is_metric(crs) else local_utm(shape, crs)
        area = acreage(shape, crs, plane).gross_ac
        found.append((not_in_future(parsed(when, what), what), area))
    return growth_series(found, local)


def _beside(path: Path) -> list[tuple[dt.datetime, float]]:
    """Return time and acres of the line that lies beside a document."""
    if path.suffix != SUFFIX:
        return []
    document, _ = load(path)
    if document.previous is None or not document.previous_utc:
        return []
    when = parsed(document.previous_utc, "The time of the previous line")
    return [(when, acreage(document.previous, document.crs, document.crs).gross_ac)]
