"""What lies beside a line for its checks: contained line, satellite detections, the name before.

Contained line: wherever crews hold the edge. Detections: footprints of FIRMS, those within a
day of the image; ones of low confidence are drawn and counted, and decide nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from backends.errors import BadInput
from backends.fire.firms import Hotspot, read_firms
from backends.perimeters.clock import parsed, stamp
from backends.perimeters.coordinates import WGS84, moved, needed
from backends.perimeters.importing import Imported, read_perimeters

if TYPE_CHECKING:
    from backends.perimeters.document import PerimeterDocument

# A detection a day older or younger than the image tells nothing of it.
WITHIN = dt.timedelta(hours=24)
_FAR_M = 20_000.0
_MOST = 20_000
# Lines of the trade's schema that say where the fire is held.
_HELD = ("contained", "completed dozer line", "completed hand line", "completed line", "control")


@dataclass(frozen=True, eq=False)
class Detection:
    """One satellite detection near a line.

    Attributes
    ----------
    footprint : shapely polygon
        In the document's coordinate system.
    confidence : str
        ``"low"``, ``"nominal"`` or ``"high"``.
    utc : str
        Empty where the file does not say when.
    """

    footprint: Any
    confidence: str
    utc: str = ""

    def is_of(self, image_utc: str) -> bool:
        """Tell whether it is of the time of an image; True where one of the two is not known."""
        if not self.utc or not image_utc:
            return True
        return abs(parsed(self.utc) - parsed(image_utc)) <= WITHIN


@dataclass(frozen=True, eq=False)
class Beside:
    """Material for the checks of a line.

    Attributes
    ----------
    contained : shapely lines, or None
        In the document's coordinate system.
    contained_label, detections_label, previous_name : str
        Files, and the name the fire had before.
    detections : tuple of Detection, or None
        None where no file was given; empty where the file has none near.
    """

    contained: Any = None
    contained_label: str = ""
    detections: tuple[Detection, ...] | None = None
    detections_label: str = ""
    previous_name: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; geometry exactly."""
        found = None
        if self.detections is not None:
            found = [
                [shapely.to_wkb(d.footprint, hex=True), d.confidence, d.utc]
                for d in self.detections
            ]
        return {
            "contained": None if self.contained is None else shapely.to_wkb(
                self.contained, hex=True),
            "contained_label": self.contained_label,
            "detections": found,
            "detections_label": self.detections_label,
            "previous_name": self.previous_name,
        }  # fmt: skip

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Beside:
        """Rebuild from `to_dict`; None is nothing.

        Raises
        ------
        BadInput
            It is no such thing.
        """
        if not values:
            return cls()
        try:
            lines, found = values["contained"], values["detections"]
            return cls(
                None if lines is None else shapely.from_wkb(lines),
                str(values["contained_label"]),
                None
                if found is None
                else tuple(Detection(shapely.from_wkb(w), str(c), str(t)) for w, c, t in found),
                str(values["detections_label"]),
                str(values["previous_name"]),
            )
        except (KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
            raise BadInput(
                "What lies beside the perimeter cannot be read.", details=repr(error)
            ) from error

    def words(self) -> dict[str, Any]:
        """Return what the audit trail says of it."""
        return {
            "contained": self.contained_label,
            "detections": self.detections_label,
            "count": None if self.detections is None else len(self.detections),
            "previous_name": self.previous_name,
        }


def with_contained(document: PerimeterDocument, path: Path, crs: str | None = None) -> Beside:
    """Return a document's material with the contained line of a file.

    A file that names categories gives those that hold; another gives all its lines.

    Raises
    ------
    BadInput
        The file holds no line.
    """
    found = read_perimeters(path, crs=crs, held=True)
    lines = _held_lines(found)
    if lines.is_empty:
        raise BadInput(
            f"{path.name} holds no contained line.",
            subject=path,
            way_out="Give a file of lines; their FeatureCategory says Contained.",
        )
    here = moved(lines, found.crs, needed(document.crs, path))
    return replace(document.beside, contained=here, contained_label=path.name)


def with_detections(document: PerimeterDocument, path: Path) -> Beside:
    """Return a document's material with the satellite detections of a FIRMS file near the line.

    Raises
    ------
    BadInput
        It is no FIRMS file, or there is no line yet.
    """
    if document.perimeter.is_empty:
        raise BadInput("There is no perimeter to lay detections beside.", way_out="Draw one first.")
    globe = moved(document.perimeter, document.crs, WGS84)
    # A degree is 111 km; what is left over is cut off in metres below.
    west, south, east, north = globe.bounds
    near = [
        spot
        for spot in read_firms(path)
        if west - 0.5 <= spot.longitude <= east + 0.5
        and south - 0.25 <= spot.latitude <= north + 0.25
    ]
    shapes = [_detection(spot, document.crs) for spot in near[:_MOST]]
    area = shapely.box(*document.perimeter.bounds)
    kept = tuple(d for d in shapes if d.footprint.distance(area) <= _FAR_M)
    return replace(document.beside, detections=kept, detections_label=path.name)


def _detection(spot: Hotspot, crs: str) -> Detection:
    shape = moved(shapely.Polygon(spot.footprint()), WGS84, crs)
    when = "" if spot.when_utc is None else stamp(spot.when_utc)
    return Detection(shape, spot.confidence, when)


def _held_lines(found: Imported) -> Any:
    categories = [str(f.fields.get("FeatureCategory") or "").lower() for f in found.features]
    named = any(categories)
    shapes = []
    for feature, category in zip(found.features, categories, strict=True):
        holds = category.startswith(_HELD)  # "uncontained" does not
        if named and not holds:
            continue
        shape = feature.geometry
        if shape.geom_type in ("Polygon", "MultiPolygon"):
            shape = shape.boundary
        if shape.geom_type in ("LineString", "MultiLineString", "GeometryCollection"):
            shapes.append(shape)
    lines = [p for s in shapes for p in shapely.get_parts(s) if p.geom_type == "LineString"]
    return shapely.union_all(lines) if lines else shapely.LineString()


def outside(
    perimeter: Any, detections: Sequence[Detection]
) -> tuple[list[Detection], list[Detection]]:
    """Return the detections of nominal or high confidence off the area, and those that count."""
    shapely.prepare(perimeter)
    sure = [d for d in detections if d.confidence != "low"]
    return [d for d in sure if not perimeter.intersects(d.footprint)], sure
