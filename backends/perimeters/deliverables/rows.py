"""A document as layers of rows: geometry with every attribute of the schema, for each product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import shapely

from backends.errors import BadInput
from backends.perimeters.acreage import Acreage, acreage, polygons_of
from backends.perimeters.clock import stamp
from backends.perimeters.coordinates import WGS84, is_metric, moved
from backends.perimeters.deliverables.naming import mark_of
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.schema import FIELDS, checked

_BY_MACHINE = ("", "Remote Sensing Derived", "Modeled")
ISLANDS = "Unburned_Islands"


@dataclass(frozen=True)
class Row:
    """One object of a product.

    Attributes
    ----------
    geometry : shapely geometry
        Polygons as one multipart, in the document's coordinate system.
    values : mapping
        All fields of the schema; None where there is nothing.
    id : str
        Of the object in the document.
    """

    geometry: Any
    values: dict[str, Any]
    id: str


@dataclass(frozen=True)
class Layer:
    """Rows of one class."""

    heat: HeatClass | None
    name: str
    rows: tuple[Row, ...]

    @property
    def geometry_type(self) -> str:
        """As simple features call it."""
        return "Point" if self.heat is not None and self.heat.is_point else "MultiPolygon"


@dataclass(frozen=True)
class DeliveredLine:
    """What all products are made from.

    Attributes
    ----------
    crs : str
        Of the rows.
    layers : tuple of Layer
        In drawing order: what lies below first.
    area : Acreage
        Of the perimeter.
    mark : str
        DRAFT, SUPERSEDED or nothing.
    made : str
        When, UTC.
    """

    document: PerimeterDocument
    crs: str
    layers: tuple[Layer, ...]
    area: Acreage
    mark: str
    made: str

    @property
    def perimeter(self) -> Row:
        """The row of the heat perimeter."""
        return next(r for la in self.layers if la.heat is HeatClass.PERIMETER for r in la.rows)


def delivered_line(document: PerimeterDocument, planar_crs: str = "") -> DeliveredLine:
    """Make the rows of a document.

    Parameters
    ----------
    planar_crs : str
        For planar acres; empty for the document's own system.

    Raises
    ------
    BadInput
        There is no perimeter, a line crosses itself, planar acres would be of Web Mercator.
    """
    made = stamp()
    objects = _objects(document)
    plane = planar_crs or document.crs
    mark = mark_of(document)
    areas = {f.id: acreage(f.geometry, document.crs, plane) for f in objects if not f.heat.is_point}
    layers = []
    for heat in HeatClass:
        rows = [_row(document, f, areas.get(f.id), made) for f in objects if f.heat is heat]
        if rows:
            layers.append(Layer(heat, _marked(heat.layer, mark), tuple(rows)))
    line = next(f for f in objects if f.heat is HeatClass.PERIMETER)
    islands = [
        _row(document, Feature(line.heat, shapely.Polygon(ring), line.rule, {}, line.id),
             acreage(shapely.Polygon(ring), document.crs, plane), made)
        for part in polygons_of(line.geometry)
        for ring in part.interiors
    ]  # fmt: skip
    for island in islands:
        island.values["FeatureCategory"], island.values["Label"] = None, "Unburned island"
    if islands:
        layers.append(Layer(None, _marked(ISLANDS, mark), tuple(islands)))
    return DeliveredLine(document, document.crs, tuple(layers), areas[line.id], mark, made)


def _objects(document: PerimeterDocument) -> list[Feature]:
    """Return the objects; the pieces of the perimeter as one, as the trade has it."""
    pieces = [f for f in document.features if f.heat is HeatClass.PERIMETER]
    if not pieces:
        raise BadInput(
            "There is no heat perimeter to hand over.", way_out="Draw or import one first."
        )
    for feature in document.features:
        if not feature.geometry.is_valid:
            raise BadInput(
                f"{feature.heat.value} crosses itself {_where(feature.geometry, document.crs)}.",
                way_out="Mend the line there; nothing was written.",
                details=str(shapely.is_valid_reason(feature.geometry)),
            )
    first = pieces[0]
    whole = first
    if len(pieces) > 1:
        shape = document.perimeter
        whole = Feature(first.heat, shape, first.rule, first.attributes, first.id)
    others = [f for f in document.features if f.heat is not HeatClass.PERIMETER]
    return [whole, *others]


def _where(geometry: Any, crs: str) -> str:
    said = str(shapely.is_valid_reason(geometry))
    inside = said.partition("[")[2].partition("]")[0].split()
    if len(inside) < 2:
        return "somewhere"
    place = moved(shapely.Point(float(inside[0]), float(inside[1])), crs, WGS84)
    return f"at {place.y:.5f}, {place.x:.5f}"


def _row(document: PerimeterDocument, feature: Feature, area: Acreage | None, made: str) -> Row:
    given = {**document.attributes, **feature.attributes}
    signature, entries = document.signature, document.trail.entries
    mark = mark_of(document)
    method = str(given.get("MapMethod") or "")
    if method in _BY_MACHINE:
        method = "Remote Sensing Derived" if document.is_draft else "IR Image Interpretation"
    category = feature.heat.value
    if feature.heat is HeatClass.PERIMETER:
        category = given.get("FeatureCategory") or category
    rule = str(feature.rule.get("text") or feature.rule.get("method") or "")
    values: dict[str, Any] = {
        "FeatureAccess": "Incident", "IsVisible": "Yes", "DeleteThis": "No", "Source": "Clearband",
        **{k: v for k, v in given.items() if v not in (None, "")},
        "FeatureCategory": category,
        "MapMethod": method,
        "PolygonDateTime": document.image_utc or None,
        "DateCurrent": made,
        "CreateDate": entries[0].utc if entries else made,
        "FeatureStatus": document.state.status,
        "Rule": shortened(rule, 254),
        "ReviewState": document.state.value,
        "ReviewedBy": shortened(signature.who, 50) if signature else None,
        "ReviewedUTC": signature.utc if signature else None,
        "ImageDigest": document.image_digest or None,
    }  # fmt: skip
    if mark:
        values["Label"] = shortened(f"{mark} {given.get('Label') or ''}".strip(), 50)
        said = "not verified" if mark == "DRAFT" else "replaced by a later line"
        comments = f"{mark}, {said}. {given.get('Comments') or ''}".strip()
        values["Comments"] = shortened(comments, 254)
    if area is not None:
        values |= {
            "GISAcres": area.gross_ac,
            "GISAcresNet": area.net_ac,
            "PlanarAcres": area.planar_gross_ac,
            "AcresMethod": shortened(area.method, 254),
        }
    fits = checked({k: v for k, v in values.items() if v is not None})
    shape = feature.geometry
    if shape.geom_type == "Polygon":
        shape = shapely.MultiPolygon([shape])
    return Row(shape, {f.name: fits.get(f.name) for f in FIELDS}, feature.id)


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many letters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _marked(name: str, mark: str) -> str:
    return f"{name}_{mark}" if mark else name


def export_crs(document: PerimeterDocument, wanted: str) -> str:
    """Return the system of GeoPackage and shapefile.

    Raises
    ------
    BadInput
        Web Mercator: acres computed from the product would be inflated.
    """
    from backends.perimeters.coordinates import checked_for_area, is_web_mercator, system

    crs = wanted or document.crs
    system(crs)
    if is_web_mercator(crs):
        checked_for_area(crs)
    return crs


def planar_system(document: PerimeterDocument, crs: str) -> str:
    """Return where planar acres are computed: in the products' system if it is in metres."""
    return crs if is_metric(crs) else document.crs
