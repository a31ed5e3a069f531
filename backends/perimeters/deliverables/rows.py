"""A document as layers of rows: geometry with every attribute of the schema, for each product."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import shapely

from backends.errors import BadInput
from backends.perimeters.acreage import Acreage, acreage, polygons_of
from backends.perimeters.clock import stamp
from backends.perimeters.comparison import NEAR_PIXELS, containment
from backends.perimeters.coordinates import WGS84, is_metric, moved
from backends.perimeters.deliverables.naming import mark_of
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.schema import FIELDS, checked

_BY_MACHINE = ("", "Remote Sensing Derived", "Modeled")
ISLANDS = "Unburned_Islands"


class Edge(Enum):
    """Parts of the outer line, and what the schema calls them."""

    CONTAINED = "Contained"
    UNCONTAINED = "Uncontained"

    @property
    def layer(self) -> str:
        """Name of the layer in a file."""
        return f"{self.value}_Line"


@dataclass(frozen=True)
class Row:
    """One object of a product.

    Attributes
    ----------
    geometry : shapely geometry
        Polygons and lines as one multipart, in the document's coordinate system.
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
    """Rows of one class of heat, of one part of the outer line, or islands.

    Attributes
    ----------
    symbol : HeatClass, Edge or None
        None for islands, which are the holes of the perimeter.
    """

    symbol: HeatClass | Edge | None
    name: str
    rows: tuple[Row, ...]

    @property
    def geometry_type(self) -> str:
        """As simple features call it."""
        if isinstance(self.symbol, Edge):
            return "MultiLineString"
        return "Point" if self.is_point else "MultiPolygon"

    @property
    def is_point(self) -> bool:
        """Whether its rows are points."""
        return isinstance(self.symbol, HeatClass) and self.symbol.is_point

    @property
    def title(self) -> str:
        """For people."""
        if isinstance(self.symbol, Edge):
            return f"{self.symbol.value} line"
        return "Unburned islands" if self.symbol is None else self.symbol.value

    @property
    def word(self) -> str:
        """One word for it inside a file."""
        return "islands" if self.symbol is None else self.symbol.name.lower()


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
        return next(r for la in self.layers if la.symbol is HeatClass.PERIMETER for r in la.rows)


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
    layers += _edges(document, line, made)
    return DeliveredLine(document, document.crs, tuple(layers), areas[line.id], mark, made)


def _edges(document: PerimeterDocument, line: Feature, made: str) -> list[Layer]:
    """Return what of the outer line is contained and what is not, where a line that holds is known.

    The two are cut from the outer line itself, so together they are all of it.
    """
    held = document.beside.contained
    if held is None or held.is_empty:
        return []
    share, on, off = containment(line.geometry, held, NEAR_PIXELS * document.pixel_m)
    said = f"{100 * share:.0f} % of the outer line is contained"
    said += f" ({document.beside.contained_label})."
    layers, mark = [], mark_of(document)
    for edge, shape in ((Edge.CONTAINED, on), (Edge.UNCONTAINED, off)):
        if shape.is_empty:
            continue
        row = _row(document, line, None, made)
        row.values["FeatureCategory"] = edge.value
        row.values["Label"] = shortened(f"{mark} {edge.value} line".strip(), 50)
        comments = f"{row.values['Comments'] or ''} {said}".strip()
        row.values["Comments"] = shortened(comments, 254)
        for name in ("GISAcres", "GISAcresNet", "PlanarAcres", "AcresMethod"):
            row.values[name] = None  # a line has no area
        whole = shapely.MultiLineString(list(shapely.get_parts(shapely.line_merge(shape))))
        kept = Row(whole, row.values, row.id)
        layers.append(Layer(edge, _marked(edge.layer, mark), (kept,)))
    return layers


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
