"""Where a pixel lies on the Earth: coordinate system and affine, or a table of lon/lat."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput


@dataclass(frozen=True)
class GeoReference:
    """Coordinate system and affine of a raster.

    Attributes
    ----------
    affine : tuple of 6 float
        ``(a, b, c, d, e, f)``: ``x = a*col + b*row + c``, ``y = d*col + e*row + f``
        with (0, 0) the outer corner of the first pixel (as in GDAL and rasterio).
    crs : str or None
        WKT, PROJ text or ``"EPSG:n"``; None when the file names none.
    """

    affine: tuple[float, float, float, float, float, float]
    crs: str | None = None

    def __post_init__(self) -> None:
        a, b, _, d, e, _ = self.affine
        if not all(math.isfinite(v) for v in self.affine) or a * e - b * d == 0:
            raise BadInput(
                "The georeference is not invertible.",
                way_out="Correct the map info of the file; the image opens without it.",
            )

    def to_map(self, row: float, col: float) -> tuple[float, float]:
        """Return map x, y of the centre of a pixel (whole numbers are pixel centres)."""
        a, b, c, d, e, f = self.affine
        x, y = col + 0.5, row + 0.5
        return a * x + b * y + c, d * x + e * y + f

    def to_pixel(self, x: float, y: float) -> tuple[float, float]:
        """Return row, col of a map position; whole numbers are pixel centres."""
        a, b, c, d, e, f = self.affine
        det = a * e - b * d
        col = (e * (x - c) - b * (y - f)) / det
        row = (a * (y - f) - d * (x - c)) / det
        return row - 0.5, col - 0.5

    @cached_property
    def _system(self) -> Any:
        """The coordinate system as pyproj knows it; None when it is missing or no such thing."""
        from pyproj import CRS
        from pyproj.exceptions import CRSError

        try:
            return None if self.crs is None else CRS.from_user_input(self.crs)
        except CRSError:  # `name` says so to the user
            return None

    @cached_property
    def _lonlat(self) -> Any:
        from pyproj import Transformer
        from pyproj.exceptions import ProjError

        if self._system is None:
            return None
        try:
            return Transformer.from_crs(self._system, "EPSG:4326", always_xy=True)
        except ProjError:  # a local system that is tied to no place on Earth
            return None

    def same_system(self, other: GeoReference) -> bool:
        """Tell whether another raster's coordinates mean the same; one that says none may."""
        one, two = self._system, other._system
        return one is None or two is None or bool(one.equals(two, ignore_axis_order=True))

    def to_lonlat(self, row: float, col: float) -> tuple[float, float] | None:
        """Return longitude, latitude in degrees (WGS 84); None without a coordinate system."""
        if self._lonlat is None:
            return None
        lon, lat = self._lonlat.transform(*self.to_map(row, col))
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return None
        return float(lon), float(lat)

    @cached_property
    def _from_lonlat(self) -> Any:
        from pyproj import Transformer
        from pyproj.exceptions import ProjError

        if self._system is None:
            return None
        try:
            return Transformer.from_crs("EPSG:4326", self._system, always_xy=True)
        except ProjError:
            return None

    def from_lonlat(self, lon: float, lat: float) -> tuple[float, float] | None:
        """Return row, col of a place on Earth (degrees, WGS 84); None where it cannot be told."""
        if self._lonlat is None or self._from_lonlat is None:
            return None
        x, y = self._from_lonlat.transform(lon, lat)
        return self.to_pixel(float(x), float(y)) if math.isfinite(x) and math.isfinite(y) else None

    @cached_property
    def name(self) -> str:
        """Name of the coordinate system, for people."""
        if self.crs is None:
            return "no coordinate system"
        if self._system is None:
            return "unknown coordinate system"
        code = self._system.to_epsg()
        return f"{self._system.name} (EPSG:{code})" if code else str(self._system.name)

    @cached_property
    def is_geographic(self) -> bool:
        """Whether the map unit is degrees."""
        return bool(self._system is not None and self._system.is_geographic)

    @cached_property
    def unit_m(self) -> float | None:
        """Metres per map unit; None for degrees or an unknown coordinate system."""
        if self._system is None or self.is_geographic or not self._system.axis_info:
            return None
        return float(self._system.axis_info[0].unit_conversion_factor)

    def pixel_size_m(self, row: float = 0.0, col: float = 0.0) -> tuple[float, float] | None:
        """Return height and width of a pixel in metres on the ground.

        Map units where the projection keeps lengths within 1 % (UTM does); geodesic
        where it does not (degrees, web Mercator away from the equator).
        """
        geodesic = self._geodesic_size(row, col)
        if self.unit_m is None:
            return geodesic
        a, b, _, d, e, _ = self.affine
        on_map = math.hypot(b, e) * self.unit_m, math.hypot(a, d) * self.unit_m
        if geodesic is None or all(
            abs(g / m - 1) <= 0.01 for g, m in zip(geodesic, on_map, strict=True)
        ):
            return on_map
        return geodesic

    def _geodesic_size(self, row: float, col: float) -> tuple[float, float] | None:
        from pyproj import Geod

        here, below = self.to_lonlat(row, col), self.to_lonlat(row + 1, col)
        right = self.to_lonlat(row, col + 1)
        if here is None or below is None or right is None:
            return None
        geod = Geod(ellps="WGS84")
        return float(geod.inv(*here, *below)[2]), float(geod.inv(*here, *right)[2])

    def window(self, row: int, col: int, step: float = 1.0) -> GeoReference:
        """Return the georeference of a cut that starts at row, col with pixels ``step`` larger."""
        a, b, c, d, e, f = self.affine
        return GeoReference(
            (a * step, b * step, a * col + b * row + c, d * step, e * step, d * col + e * row + f),
            self.crs,
        )


@dataclass(frozen=True)
class GeolocationTable:
    """Longitude and latitude a pixel, as swath products carry them; read when first asked.

    Attributes
    ----------
    load : callable
        Returns ``(lon, lat)``, each shape (rows, cols), degrees WGS 84.
    """

    load: Callable[[], tuple[NDArray[Any], NDArray[Any]]]
    crs: str | None = "EPSG:4326"
    name: str = "geolocation table (WGS 84)"
    _tables: dict[str, tuple[NDArray[Any], NDArray[Any]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def _lonlat_tables(self) -> tuple[NDArray[Any], NDArray[Any]]:
        if "t" not in self._tables:
            self._tables["t"] = self.load()
        return self._tables["t"]

    def to_lonlat(self, row: float, col: float) -> tuple[float, float] | None:
        """Return longitude, latitude in degrees of a pixel; None outside or where missing."""
        lon, lat = self._lonlat_tables()
        r, c = round(row), round(col)
        if not (0 <= r < lon.shape[0] and 0 <= c < lon.shape[1]):
            return None
        x, y = float(lon[r, c]), float(lat[r, c])
        return (x, y) if -180 <= x <= 360 and -90 <= y <= 90 else None

    def from_lonlat(self, lon: float, lat: float) -> tuple[float, float] | None:
        """Return row, col of the nearest pixel centre; None where none is within two pixels.

        Looks at the whole table: not for the window's thread.
        """
        lons, lats = self._lonlat_tables()
        fine = (lons >= -180) & (lons <= 360) & (lats >= -90) & (lats <= 90)
        if not fine.any():
            return None
        turn = (np.asarray(lons, np.float64) - lon + 180) % 360 - 180
        away = (turn * math.cos(math.radians(lat))) ** 2 + (np.asarray(lats, np.float64) - lat) ** 2
        row, col = np.unravel_index(int(np.where(fine, away, np.inf).argmin()), lons.shape)
        size = self.pixel_size_m(min(row, lons.shape[0] - 2), min(col, lons.shape[1] - 2))
        reach = 2 * max(size) / 111_000 if size is not None else 0.0
        return (float(row), float(col)) if away[row, col] ** 0.5 <= reach else None

    def to_map(self, row: float, col: float) -> tuple[float, float]:
        """Return longitude, latitude; ``nan`` where the table has none."""
        return self.to_lonlat(row, col) or (math.nan, math.nan)

    def pixel_size_m(self, row: float = 0.0, col: float = 0.0) -> tuple[float, float] | None:
        """Return the geodesic height and width of a pixel in metres, about ``row, col``."""
        from pyproj import Geod

        here, below = self.to_lonlat(row, col), self.to_lonlat(row + 1, col)
        right = self.to_lonlat(row, col + 1)
        if here is None or below is None or right is None:
            return None
        geod = Geod(ellps="WGS84")
        return float(geod.inv(*here, *below)[2]), float(geod.inv(*here, *right)[2])


Place = GeoReference | GeolocationTable
