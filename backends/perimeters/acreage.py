"""Acres: geodesic first, planar with its coordinate system beside it, with and without islands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import shapely

from backends.perimeters.coordinates import WGS84, checked_for_area, moved, name_of

SQUARE_METRES_PER_ACRE = 4046.8564224  # international; the US survey acre is 4e-6 larger
ELLIPSOID = "WGS84"


@dataclass(frozen=True)
class Acreage:
    """Area of an outline.

    Attributes
    ----------
    gross_ac : float
        Geodesic, unburned islands included (what incident perimeters report).
    net_ac : float
        Geodesic, without islands.
    planar_gross_ac, planar_net_ac : float
        The same in the plane of ``planar_crs``.
    planar_crs : str
        Name for people.
    islands : int
    """

    gross_ac: float
    net_ac: float
    planar_gross_ac: float
    planar_net_ac: float
    planar_crs: str
    islands: int

    @property
    def islands_text(self) -> str:
        """How many islands, in words."""
        return "1 island" if self.islands == 1 else f"{self.islands} islands"

    @property
    def method(self) -> str:
        """How the areas were found; stands in every product."""
        return (
            f"Geodesic area on the {ELLIPSOID} ellipsoid (1 ac = {SQUARE_METRES_PER_ACRE} m²); "
            f"gross includes {self.islands_text}, net does not; planar area in "
            f"{self.planar_crs} beside it."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self) | {"method": self.method}

    def text(self) -> str:
        """Return the figures for people."""
        return (
            f"{self.gross_ac:,.1f} ac geodesic ({self.net_ac:,.1f} ac without "
            f"{self.islands_text}); planar {self.planar_gross_ac:,.1f} ac in {self.planar_crs}"
        )


def acreage(geometry: Any, crs: str, planar_crs: str) -> Acreage:
    """Measure a polygon or several.

    Edges between vertices are geodesics (Karney 2013, as in pyproj.Geod); rings are counted
    by magnitude, so their orientation does not matter.

    Parameters
    ----------
    geometry : shapely geometry
        Polygons; anything else has no area.
    crs : str
        Of the geometry.
    planar_crs : str
        For the planar figures.

    Raises
    ------
    BadInput
        ``planar_crs`` is Web Mercator or counts in degrees.
    """
    checked_for_area(planar_crs)
    whole = filled(geometry)
    islands = sum(len(part.interiors) for part in polygons_of(geometry))
    planar, planar_whole = (moved(g, crs, planar_crs) for g in (geometry, whole))
    return Acreage(
        geodesic_m2(moved(whole, crs, WGS84)) / SQUARE_METRES_PER_ACRE,
        geodesic_m2(moved(geometry, crs, WGS84)) / SQUARE_METRES_PER_ACRE,
        float(planar_whole.area) / SQUARE_METRES_PER_ACRE,
        float(planar.area) / SQUARE_METRES_PER_ACRE,
        name_of(planar_crs),
        islands,
    )


def geodesic_m2(geometry: Any) -> float:
    """Return the geodesic area of polygons in longitude and latitude (degrees, WGS 84)."""
    from pyproj import Geod

    geod = Geod(ellps=ELLIPSOID)

    def ring(line: Any) -> float:
        points = shapely.get_coordinates(line)
        return abs(float(geod.polygon_area_perimeter(points[:, 0], points[:, 1])[0]))

    return sum(
        ring(part.exterior) - sum(ring(hole) for hole in part.interiors)
        for part in polygons_of(geometry)
    )


def polygons_of(geometry: Any) -> list[Any]:
    """Return the polygons in a geometry, one by one; lines and points have none."""
    if geometry is None or geometry.is_empty:
        return []
    if geometry.geom_type == "Polygon":
        return [geometry]
    return [p for part in getattr(geometry, "geoms", ()) for p in polygons_of(part)]


def filled(geometry: Any) -> Any:
    """Return polygons without their holes; what lay inside a hole is swallowed."""
    whole = [shapely.Polygon(part.exterior) for part in polygons_of(geometry)]
    return whole[0] if len(whole) == 1 else shapely.union_all(whole)
