"""Where a page of PDF lies on Earth: the measure of ISO 32000-2, 12.10, written and read back.

A viewport names the map's frame on the page; its measure ties corners of the frame (LPTS, in
parts of the frame) to latitude and longitude (GPTS) in a coordinate system (GCS). Readers take
everything between the corners as linear in that system.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.perimeters.coordinates import system
from backends.perimeters.deliverables.pdf import Name
from backends.perimeters.deliverables.pdf_reading import PdfFile

_CORNERS = ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0))
_SQUARE = [c for corner in _CORNERS for c in corner]


@dataclass(frozen=True)
class PageReference:
    """How a frame of a page lies on a map.

    Attributes
    ----------
    frame : (left, bottom, right, top)
        Points of the page.
    extent : (west, south, east, north)
        The same in map units.
    crs : str
        Projected.
    """

    frame: tuple[float, float, float, float]
    extent: tuple[float, float, float, float]
    crs: str

    @property
    def units_per_point(self) -> float:
        """Map units for one point of the page."""
        return (self.extent[2] - self.extent[0]) / (self.frame[2] - self.frame[0])

    def to_page(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn map positions, shape (n, 2), into points of the page."""
        return np.asarray((points - self.extent[:2]) / self.units_per_point + self.frame[:2])

    def to_map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn points of the page, shape (n, 2), into map positions."""
        return np.asarray((points - self.frame[:2]) * self.units_per_point + self.extent[:2])


def viewport_of(place: PageReference, title: str) -> dict[str, Any]:
    """Return the page entry that says where the frame lies."""
    known = system(place.crs)
    to_degrees = _geographic(place.crs)
    west, south, east, north = place.extent
    corners = [
        to_degrees.transform(west + u * (east - west), south + v * (north - south))
        for u, v in _CORNERS
    ]
    gcs: dict[str, Any] = {"Type": Name("PROJCS"), "WKT": known.to_wkt("WKT1_ESRI")}
    code = known.to_epsg()
    if code:
        gcs["EPSG"] = int(code)
    measure = {
        "Type": Name("Measure"), "Subtype": Name("GEO"), "Bounds": _SQUARE,
        "GPTS": [float(v) for lon, lat in corners for v in (lat, lon)],
        "LPTS": _SQUARE, "GCS": gcs, "PDU": [Name("M"), Name("SQM"), Name("DEG")],
    }  # fmt: skip
    viewport = {
        "Type": Name("Viewport"), "Name": title, "BBox": list(place.frame), "Measure": measure,
    }  # fmt: skip
    return {"VP": [viewport]}


def page_reference(path: Path) -> PageReference:
    """Read where the first page of a PDF lies on Earth.

    Raises
    ------
    BadInput
        It does not say so, or its measure does not fit a straight frame.
    """
    file = PdfFile.read(path)
    page = file.first_page()
    for viewport in file.value(page.get("VP")) or ():
        view = file.value(viewport)
        measure = file.value(view.get("Measure")) or {}
        if measure.get("Subtype") == "GEO":
            return _reference(file, view, measure, path)
    raise BadInput(
        f"{path.name} is not georeferenced.", subject=path, way_out="Export the map again."
    )


def _reference(
    file: PdfFile, view: dict[str, Any], measure: dict[str, Any], path: Path
) -> PageReference:
    gcs = file.value(measure["GCS"])
    code, wkt = gcs.get("EPSG"), gcs.get("WKT")
    crs = f"EPSG:{code}" if code else str(wkt)
    left, bottom, right, top = (float(v) for v in file.value(view["BBox"]))
    local = np.reshape([float(v) for v in file.value(measure["LPTS"])], (-1, 2))
    globe = np.reshape([float(v) for v in file.value(measure["GPTS"])], (-1, 2))
    x, y = _geographic(crs).transform(globe[:, 1], globe[:, 0], direction="INVERSE")
    # x = west + u (east - west), y = south + v (north - south), by least squares.
    fit_x, *_ = np.linalg.lstsq(np.column_stack((np.ones(len(local)), local[:, 0])), x, rcond=None)
    fit_y, *_ = np.linalg.lstsq(np.column_stack((np.ones(len(local)), local[:, 1])), y, rcond=None)
    off = np.hypot(fit_x[0] + fit_x[1] * local[:, 0] - x, fit_y[0] + fit_y[1] * local[:, 1] - y)
    if off.max() > 1e-3 * (right - left):
        raise BadInput(
            f"The corners of {path.name} do not lie in one plane of {crs[:40]}.", subject=path
        )
    extent = (fit_x[0], fit_y[0], fit_x[0] + fit_x[1], fit_y[0] + fit_y[1])
    west, south, east, north = (float(v) for v in extent)
    return PageReference((left, bottom, right, top), (west, south, east, north), crs)


def _geographic(crs: str) -> Any:
    """Return what turns map positions into degrees of the system's own datum."""
    from pyproj import Transformer

    known = system(crs)
    return Transformer.from_crs(known, known.geodetic_crs, always_xy=True)
