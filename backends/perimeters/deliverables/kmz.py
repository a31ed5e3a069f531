"""KMZ for globes and telephones: the trade's colours, all attributes, no link to anywhere."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import shapely

from backends.perimeters.acreage import polygons_of
from backends.perimeters.deliverables.geojson import DECIMALS, on_globe
from backends.perimeters.deliverables.rows import DeliveredLine, Edge, Layer, Row
from backends.perimeters.deliverables.symbols import BLACK, RED, Colour
from backends.perimeters.heat import HeatClass

_GREY: Colour = (78, 78, 78)
_BLUE: Colour = (40, 90, 160)
# KML knows no hatches: an even tone stands for them.
_FILL = {
    HeatClass.PERIMETER: (RED, 0),
    HeatClass.INTENSE: (RED, 140),
    HeatClass.SCATTERED: (RED, 64),
    HeatClass.NO_DATA: (_GREY, 110),
    None: (_BLUE, 0),
    Edge.CONTAINED: (BLACK, 0),
    Edge.UNCONTAINED: (RED, 0),
}
_WIDTHS: dict[HeatClass | Edge | None, int] = {
    HeatClass.PERIMETER: 2,
    Edge.CONTAINED: 4,
    Edge.UNCONTAINED: 3,
}


def write_kmz(line: DeliveredLine, path: Path, title: str) -> None:
    """Write ``doc.kml`` and its pictures; an unverified line says so in every name."""
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>',
        f"<name>{escape(_named(title, line.mark))}</name>",
        f"<description>{escape(_about(line))}</description>",
        *(_style(layer) for layer in line.layers),
        *(_folder(layer, line) for layer in line.layers),
        "</Document></kml>",
    ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", "\n".join(parts))
        for layer in line.layers:
            if isinstance(layer.symbol, HeatClass) and layer.is_point:
                archive.writestr(f"{layer.word}.png", _icon(layer.symbol))


def _named(text: str, mark: str) -> str:
    return f"{mark} {text}" if mark and not text.startswith(mark) else text


def _about(line: DeliveredLine) -> str:
    said = {
        "DRAFT": "DRAFT: nobody has verified this line.",
        "SUPERSEDED": "SUPERSEDED: a later line replaces this one.",
        "": f"Verified by {line.document.signature.who} at {line.document.signature.utc}."
        if line.document.signature
        else "",
    }[line.mark]
    return f"{said} {line.area.text()}. {line.area.method}"


def _style(layer: Layer) -> str:
    word = layer.word
    if layer.is_point:
        return (
            f'<Style id="{word}"><IconStyle><scale>0.8</scale><Icon><href>{word}.png</href></Icon>'
            "</IconStyle><LabelStyle><scale>0</scale></LabelStyle></Style>"
        )
    colour, opacity = _FILL[layer.symbol]
    width = _WIDTHS.get(layer.symbol, 1)
    return (
        f'<Style id="{word}"><LineStyle><color>{_abgr(colour, 255)}</color><width>{width}</width>'
        f"</LineStyle><PolyStyle><color>{_abgr(colour, opacity)}</color>"
        f"<fill>{int(opacity > 0)}</fill></PolyStyle></Style>"
    )


def _folder(layer: Layer, line: DeliveredLine) -> str:
    marks = "".join(_placemark(layer, row, line) for row in layer.rows)
    return f"<Folder><name>{escape(_named(layer.title, line.mark))}</name>{marks}</Folder>"


def _placemark(layer: Layer, row: Row, line: DeliveredLine) -> str:
    name = _named(f"{row.values['IncidentName'] or ''} {layer.title}".strip(), line.mark)
    data = "".join(
        f"<Data name={quoteattr(k)}><value>{escape(str(v))}</value></Data>"
        for k, v in row.values.items()
        if v is not None
    )
    when = row.values["PolygonDateTime"]
    stamp = f"<TimeStamp><when>{when}</when></TimeStamp>" if when else ""
    return (
        f"<Placemark><name>{escape(name)}</name>{stamp}<styleUrl>#{layer.word}</styleUrl>"
        f"<ExtendedData>{data}</ExtendedData>{_geometry(on_globe(row.geometry, line.crs))}"
        "</Placemark>\n"
    )


def _geometry(shape: Any) -> str:
    if shape.geom_type == "Point":
        return f"<Point><coordinates>{_coordinates(shape)}</coordinates></Point>"
    if shape.geom_type == "MultiLineString":
        lines = "".join(
            "<LineString><tessellate>1</tessellate>"
            f"<coordinates>{_coordinates(part)}</coordinates></LineString>"
            for part in shape.geoms
        )
        return f"<MultiGeometry>{lines}</MultiGeometry>"
    polygons = "".join(
        "<Polygon><tessellate>1</tessellate>"
        f"<outerBoundaryIs>{_ring(part.exterior)}</outerBoundaryIs>"
        + "".join(f"<innerBoundaryIs>{_ring(hole)}</innerBoundaryIs>" for hole in part.interiors)
        + "</Polygon>"
        for part in polygons_of(shape)
    )
    return f"<MultiGeometry>{polygons}</MultiGeometry>"


def _ring(ring: Any) -> str:
    return f"<LinearRing><coordinates>{_coordinates(ring)}</coordinates></LinearRing>"


def _coordinates(shape: Any) -> str:
    points = shapely.get_coordinates(shape)
    return " ".join(f"{x:.{DECIMALS}f},{y:.{DECIMALS}f},0" for x, y in points)


def _abgr(colour: Colour, opacity: int) -> str:
    red, green, blue = colour
    return f"{opacity:02x}{blue:02x}{green:02x}{red:02x}"


def _icon(heat: HeatClass) -> bytes:
    from PIL import Image, ImageDraw

    size = 128
    picture = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    if heat is HeatClass.ISOLATED:
        draw.ellipse((8, 8, 120, 120), fill=(*RED, 255), outline=(0, 0, 0, 255), width=12)
        draw.ellipse((50, 50, 78, 78), fill=(0, 0, 0, 255))
    else:
        draw.polygon(((64, 6), (122, 64), (64, 122), (6, 64)), fill=(*RED, 255))
        draw.line(((64, 6), (122, 64), (64, 122), (6, 64), (64, 6)), fill=(0, 0, 0, 255), width=8)
    buffer = io.BytesIO()
    picture.resize((64, 64), Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()
