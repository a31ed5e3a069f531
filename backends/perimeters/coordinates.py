"""Coordinate systems of outlines: named or refused, the local UTM zone, moving geometry."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.errors import BadInput

WGS84 = "EPSG:4326"
_WEB_MERCATOR = "popular visualisation pseudo mercator"


@lru_cache(maxsize=64)
def system(crs: str) -> Any:
    """Return a coordinate system by code or text, as pyproj knows it.

    Raises
    ------
    BadInput
        It is no coordinate system.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        raise BadInput(
            f"{crs[:40]} is no coordinate system.",
            way_out="Give a code such as EPSG:32611.",
            details=str(error),
        ) from error


def needed(crs: str | None, subject: str | Path) -> str:
    """Return a coordinate system that must be there.

    Raises
    ------
    BadInput
        It is absent.
    """
    if not crs:
        raise BadInput(
            f"{Path(subject).name} has no coordinate system, so its lines lie nowhere on Earth.",
            subject=subject,
            way_out="Say which with --crs, for example --crs EPSG:32611.",
        )
    system(crs)
    return crs


def name_of(crs: str) -> str:
    """Return the name for people, with the code where there is one."""
    known = system(crs)
    code = known.to_epsg()
    return f"{known.name} (EPSG:{code})" if code else str(known.name)


def short(crs: str) -> str:
    """Return ``EPSG:n`` where the system has a code, else its text."""
    code = system(crs).to_epsg()
    return f"EPSG:{code}" if code else crs


def is_web_mercator(crs: str) -> bool:
    """Tell whether it is the web maps' projection, which inflates areas."""
    operation = system(crs).coordinate_operation
    method = (operation.method_name if operation else "").lower()
    return _WEB_MERCATOR in method or "pseudo-mercator" in str(system(crs).name).lower()


def is_metric(crs: str) -> bool:
    """Tell whether distances on the map are metres on the ground, near enough to draw with."""
    known = system(crs)
    if not known.is_projected or is_web_mercator(crs):
        return False
    return all(axis.unit_conversion_factor == 1.0 for axis in known.axis_info[:2])


def checked_for_area(crs: str) -> str:
    """Return a system areas may be computed in.

    Raises
    ------
    BadInput
        Web Mercator (+49 % at 35° N, +123 % at 48° N) or degrees.
    """
    if is_web_mercator(crs):
        raise BadInput(
            "Web Mercator inflates areas (by 70 % at 40° north), so none is computed in it.",
            way_out="Choose a UTM zone or an equal-area system, for example EPSG:5070.",
        )
    if not system(crs).is_projected:
        raise BadInput(
            f"{name_of(crs)} counts in degrees, so it has no planar area.",
            way_out="Choose a UTM zone or an equal-area system, for example EPSG:5070.",
        )
    return crs


def utm_of(lon: float, lat: float) -> str:
    """Return the UTM zone (WGS 84) of a place; at the poles the polar stereographic system."""
    if lat > 84:
        return "EPSG:32661"
    if lat < -80:
        return "EPSG:32761"
    zone = min(60, int((lon + 180) % 360 // 6) + 1)
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


@lru_cache(maxsize=64)
def _between(source: str, target: str) -> Any:
    from pyproj import Transformer

    return Transformer.from_crs(system(source), system(target), always_xy=True)


def moved(geometry: Any, source: str, target: str) -> Any:
    """Return a shapely geometry in another coordinate system (x east, y north).

    Raises
    ------
    BadInput
        A point lies outside what the target can show.
    """
    if system(source) == system(target):
        return geometry
    turn = _between(source, target)

    def to_target(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = turn.transform(points[:, 0], points[:, 1])
        out = np.column_stack((x, y))
        if not np.isfinite(out).all():
            raise BadInput(
                f"Some points cannot be placed in {name_of(target)}.",
                way_out="Check the coordinate system of the file.",
            )
        return out

    return shapely.transform(geometry, to_target)


def local_utm(geometry: Any, crs: str) -> str:
    """Return the UTM zone of the middle of a geometry."""
    box = moved(shapely.box(*geometry.bounds).centroid, crs, WGS84)
    return utm_of(float(box.x), float(box.y))
