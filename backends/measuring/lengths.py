"""How long a line and how large an area is: geodesic on Earth, by pixel size else, or pixels."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.georeference import GeolocationTable, GeoReference
from backends.scene import Scene

DISTANCE, AREA = "distance", "area"
ELLIPSOID = "WGS84"
Points = NDArray[np.float64]
_METRES = {"m": 1.0, "mm": 1e-3, "µm": 1e-6}


@dataclass(frozen=True)
class Size:
    """What was measured.

    Attributes
    ----------
    length_px, area_px : float
        In pixels; the length of an area is its outline's.
    length_m, area_m2 : float or None
        None where the size of a pixel is unknown.
    bearing : float or None
        Degrees from north, clockwise, at the start of a straight line on Earth.
    method : str
        How it was found, for people.
    note : str
        What to know before believing it; mostly empty.
    """

    length_px: float
    area_px: float | None
    length_m: float | None
    area_m2: float | None
    bearing: float | None
    method: str
    note: str = ""

    def text(self) -> str:
        """Return it for people: ``"1.24 km"``, ``"12.4 ha, outline 1.52 km"``."""
        long = length_text(self.length_m, self.length_px)
        if self.area_px is None:
            return long if self.bearing is None else f"{long}, bearing {self.bearing:.0f}°"
        if math.isnan(self.area_px):
            return "The outline crosses itself"
        return f"{area_text(self.area_m2, self.area_px)}, outline {long}"


@dataclass(frozen=True, eq=False)
class Measurement:
    """A line or an area that was measured and kept.

    Attributes
    ----------
    kind : str
        `DISTANCE` or `AREA`.
    points : float array of shape (n, 2)
        Row, col; whole numbers are pixel centres.
    color : int
        Number in the shared colour key.
    """

    name: str
    scene_id: str
    kind: str
    points: Points
    size: Size
    color: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def row(self) -> float:
        """Row of its first point: where the view goes after undo."""
        return float(self.points[0, 0])

    @property
    def col(self) -> float:
        """Column of its first point."""
        return float(self.points[0, 1])


def checked(points: Sequence[tuple[float, float]] | Points, kind: str) -> Points:
    """Return points as an array, consecutive doubles taken out.

    Raises
    ------
    BadInput
        Too few are left.
    """
    every = np.asarray(points, np.float64).reshape(-1, 2)
    if not np.isfinite(every).all():
        raise BadInput("A point is no number.")
    keep = np.ones(len(every), bool)
    keep[1:] = (np.diff(every, axis=0) != 0).any(axis=1)
    every = every[keep]
    if kind == AREA and len(every) > 3 and (every[0] == every[-1]).all():
        every = every[:-1]
    least = 3 if kind == AREA else 2
    if len(every) < least:
        raise BadInput(f"{'An area' if kind == AREA else 'A line'} needs {least} different points.")
    return every


def measure(scene: Scene, points: Sequence[tuple[float, float]] | Points, kind: str) -> Size:
    """Measure a line or an area.

    On Earth along geodesics between the points (Karney 2013, as in pyproj.Geod, WGS 84); where
    only the size of a pixel is known, in its plane; else in pixels.

    Parameters
    ----------
    points : array of shape (n, 2)
        Row, col.
    kind : str
        `DISTANCE` or `AREA`.
    """
    every = checked(points, kind)
    rounded = np.vstack([every, every[:1]]) if kind == AREA else every
    length_px = float(np.hypot(*np.diff(rounded, axis=0).T).sum())
    area_px = _shoelace(every) if kind == AREA else None
    note = ""
    if kind == AREA and _crosses(every):
        area_px, note = math.nan, "The outline crosses itself, so its area means nothing."
    lonlat = lonlats(scene, every)
    if lonlat is not None:
        lon, lat = lonlat.T
        geod = _geod()
        bearing = None
        if kind == AREA:
            area, length = geod.polygon_area_perimeter(lon, lat)
            area_m2: float | None = abs(float(area))
        else:
            area_m2, length = None, geod.line_length(lon, lat)
            if len(every) == 2:
                bearing = float(geod.inv(lon[0], lat[0], lon[1], lat[1])[0]) % 360
        how = f"Geodesic on the {ELLIPSOID} ellipsoid."
    else:
        found = _plane(scene)
        if found is None:
            return Size(length_px, area_px, None, None, None, "In pixels: their size is unknown.",
                        note)  # fmt: skip
        to_plane, how = found
        flat, bearing = to_plane(every), None
        around = to_plane(rounded)
        length = float(np.hypot(*np.diff(around, axis=0).T).sum())
        area_m2 = _shoelace(flat) if kind == AREA else None
    if note:
        area_m2 = math.nan
    return Size(length_px, area_px, float(length), area_m2, bearing, how, note)


def distances(scene: Scene, points: Points) -> tuple[Points, str]:
    """Return how far along a line each of its points lies, and the unit (``"m"``, ``"px"``)."""
    lonlat = lonlats(scene, points)
    if lonlat is not None:
        lon, lat = lonlat.T
        steps = np.asarray(_geod().inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2], np.float64)
        unit = "m"
    else:
        found = _plane(scene)
        flat = points if found is None else found[0](points)
        steps, unit = np.hypot(*np.diff(flat, axis=0).T), "px" if found is None else "m"
    return np.concatenate([[0.0], np.cumsum(steps)]), unit


def lonlats(scene: Scene, points: Points) -> Points | None:
    """Return longitude and latitude of points, shape (n, 2); None where they have none.

    Between the pixels of a table they are interpolated.
    """
    place = scene.place
    if place is None:
        return None
    if isinstance(place, GeoReference):
        found = [place.to_lonlat(float(r), float(c)) for r, c in points]
    else:
        found = [_between(place, float(r), float(c)) for r, c in points]
    if any(p is None for p in found):
        return None
    return np.asarray(found, np.float64)


def length_text(metres: float | None, pixels: float) -> str:
    """Return a length with the unit that suits it."""
    if metres is None:
        return f"{pixels:,.1f} px"
    for least, unit, factor in ((1000, "km", 1e-3), (1, "m", 1), (1e-3, "mm", 1e3)):
        if metres >= least:
            return f"{_digits(metres * factor)} {unit}"
    return f"{_digits(metres * 1e6)} µm" if metres else "0 m"


def area_text(square_metres: float | None, pixels: float) -> str:
    """Return an area with the unit that suits it."""
    if square_metres is None:
        return f"{pixels:,.0f} px"
    steps = ((1e8, "km²", 1e-6), (1e3, "ha", 1e-4), (0.1, "m²", 1), (1e-8, "mm²", 1e6))
    for least, unit, factor in steps:
        if square_metres >= least:
            return f"{_digits(square_metres * factor)} {unit}"
    return f"{_digits(square_metres * 1e12)} µm²"


def _digits(value: float) -> str:
    """Return four digits, more where whole numbers have them."""
    if value == 0:
        return "0"
    after = max(0, 3 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(after, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plane(scene: Scene) -> tuple[Any, str] | None:
    """Return how points lie in a plane counted in metres; None where nobody knows."""
    place, info = scene.place, scene.info
    if isinstance(place, GeoReference) and place.unit_m is not None:
        unit = place.unit_m
        a, b, _, d, e, _ = place.affine
        turn = np.array([[b, e], [a, d]]) * unit  # row, col to x, y
        return (lambda points: points @ turn), f"In the plane of {place.name}."
    scale = _METRES.get(info.pixel_unit)
    if info.pixel_size and scale is not None:
        sides = np.abs(np.asarray(info.pixel_size, np.float64)) * scale
        return (lambda points: points * sides), "From the size of a pixel."
    return None


def _between(place: GeolocationTable, row: float, col: float) -> tuple[float, float] | None:
    r, c = math.floor(row), math.floor(col)
    down, right = row - r, col - c
    parts = []
    for dr, dc, weight in (
        (0, 0, (1 - down) * (1 - right)), (0, 1, (1 - down) * right),
        (1, 0, down * (1 - right)), (1, 1, down * right),
    ):  # fmt: skip
        if weight > 1e-9:
            found = place.to_lonlat(r + dr, c + dc)
            if found is None:
                return place.to_lonlat(row, col)
            parts.append((weight, *found))
    first = parts[0][1]
    turned = [(w, (lon - first + 180) % 360 - 180 + first, lat) for w, lon, lat in parts]
    return sum(w * lon for w, lon, _ in turned), sum(w * lat for w, _, lat in turned)


def _shoelace(ring: Points) -> float:
    y, x = (ring - ring[0]).T
    return abs(float((y * np.roll(x, -1) - x * np.roll(y, -1)).sum())) / 2


def _crosses(ring: Points) -> bool:
    import shapely

    return not bool(shapely.Polygon(ring).is_valid)


@lru_cache(maxsize=1)
def _geod() -> Any:
    from pyproj import Geod

    return Geod(ellps=ELLIPSOID)
