"""``clearband perimeter draw, union, edit, describe``: what a hand does in the window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import shapely
import typer

from app.cli.console import emit, table
from app.cli.perimeter_options import CRS, FILE, JSON, WHO, given_attributes, name_of, perimeter_app
from backends.errors import BadInput, WrongUse

_SHAPE = Annotated[
    Path | None,
    typer.Argument(metavar="[STROKE.geojson]", help="A line or an area, longitude and latitude."),
]


@perimeter_app.command("draw")
def draw(
    file: FILE,
    heat: Annotated[
        str,
        typer.Option("--class", help="perimeter, intense, scattered, isolated, possible, no_data."),
    ],
    shape: Annotated[
        Path | None, typer.Option("--shape", help="Outlines to paint: GeoPackage, GeoJSON, …")
    ] = None,
    at: Annotated[str, typer.Option("--at", help="LON,LAT of a source.")] = "",
    radius: Annotated[
        float, typer.Option("--radius", help="Metres around --at, for areas and --cut.")
    ] = 40.0,
    cut: Annotated[bool, typer.Option("--cut", help="Wipe instead of paint.")] = False,
    crs: CRS = None,
    who: WHO = "",
    as_json: JSON = False,
) -> None:
    """Paint a class of heat onto a line or off it; sources are set or wiped away."""
    import shapely

    from backends.perimeters.brushing import apply_stroke, stroke_off, stroke_on
    from backends.perimeters.coordinates import WGS84, moved
    from backends.perimeters.heat import HeatClass
    from backends.perimeters.importing import read_perimeters
    from backends.perimeters.journal import load, save

    known = {h.word: h for h in HeatClass}
    if heat not in known:
        raise WrongUse(f"There is no class {heat}.", way_out=f"Use: {', '.join(known)}.")
    if (shape is None) == (not at):
        raise WrongUse("Nothing says where.", way_out="Give --shape FILE, or --at LON,LAT.")
    document, _ = load(file)
    if shape is not None:
        found = read_perimeters(shape, crs=crs)
        whole = shapely.union_all([f.geometry for f in found.features])
        painted = moved(whole, found.crs, document.crs)
    else:
        painted = moved(_place(at), WGS84, document.crs)
        if cut or not known[heat].is_point:
            painted = painted.buffer(radius)
    stroke = (stroke_off if cut else stroke_on)(document, known[heat], painted)
    apply_stroke(document, stroke, name_of(who))
    save(document, file)
    count = sum(f.heat is known[heat] for f in document.features)
    values = {"did": stroke.label, "objects": count, "state": document.state.value}
    emit(values, as_json=as_json, text=f"{stroke.label}: {count} objects of that class now.")


def _place(text: str) -> Any:
    import shapely

    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError as error:
        raise WrongUse(f"{text} is no place.", way_out="Give --at LON,LAT in degrees.") from error
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise WrongUse(f"{text} is no place on Earth.", way_out="Give longitude, then latitude.")
    return shapely.Point(lon, lat)


@perimeter_app.command("union")
def union_command(file: FILE, who: WHO = "", as_json: JSON = False) -> None:
    """Take yesterday's area into the line: a fire does not shrink."""
    from backends.perimeters.acreage import acreage
    from backends.perimeters.editing import growth_only
    from backends.perimeters.heat import HeatClass
    from backends.perimeters.journal import load, save

    document, _ = load(file)
    lines = [f for f in document.features if f.heat is HeatClass.PERIMETER]
    if document.previous is None or not lines:
        raise BadInput(
            f"{file.name} has no line of yesterday beside it.",
            subject=file,
            way_out="Lay it beside with: clearband perimeter beside FILE --previous OUTLINE.",
        )
    chosen = max(lines, key=lambda f: f.geometry.area)
    whole = growth_only(chosen.geometry, document.previous)
    document.replace(chosen.id, whole, "Union with yesterday's line", name_of(who))
    save(document, file)
    area = acreage(document.perimeter, document.crs, document.crs)
    emit(area.to_dict(), as_json=as_json, text=table({"Area": area.text()}))


@perimeter_app.command("edit")
def edit(
    file: FILE,
    what: Annotated[
        str, typer.Argument(metavar="add|cut|island|split|move|merge", help="As in the window.")
    ],
    stroke: _SHAPE = None,
    brush: Annotated[float, typer.Option("--brush", help="Radius of add and cut, m.")] = 40.0,
    who: WHO = "",
    as_json: JSON = False,
) -> None:
    """Edit a line by a stroke; move takes a line from the vertex to its new place."""
    from backends.perimeters.acreage import acreage
    from backends.perimeters.drawn import draw, merge_all, move_vertex
    from backends.perimeters.journal import load, save

    document, _ = load(file)
    if what == "merge":
        merge_all(document, name_of(who))
    elif stroke is None:
        raise WrongUse(f"Nothing says where to {what}.", way_out="Give a GeoJSON with a stroke.")
    else:
        points = _points(stroke, document.crs)
        if what == "move":
            if len(points) != 2:
                raise WrongUse("A move is a line of two points.", way_out="From, then to.")
            move_vertex(document, points[0], points[1], name_of(who))
        else:
            draw(document, what, points, brush_m=brush, who=name_of(who))
    save(document, file)
    area = acreage(document.perimeter, document.crs, document.crs)
    last = document.trail.entries[-1]
    facts = {"written": str(file), "action": last.action, "area": area.to_dict()}
    emit(facts, as_json=as_json, text=table({"Area": area.text(), "State": document.state.value}))


@perimeter_app.command("describe")
def describe(
    file: FILE,
    incident: Annotated[str, typer.Option("--incident", help="Name of the incident.")] = "",
    irwin: Annotated[str, typer.Option("--irwin", help="Its IRWIN ID.")] = "",
    attribute: Annotated[
        list[str] | None, typer.Option("--attribute", help="Name=value of the schema.")
    ] = None,
    who: WHO = "",
    as_json: JSON = False,
) -> None:
    """Say whose fire it is; every change stands in the audit trail."""
    from backends.perimeters.journal import load, save

    document, _ = load(file)
    document.describe(given_attributes(attribute, incident, irwin), name_of(who))
    save(document, file)
    values = {k: str(v) for k, v in document.attributes.items()}
    emit({"attributes": document.attributes}, as_json=as_json, text=table(values))


def _points(path: Path, crs: str) -> Any:
    """Return the places of a GeoJSON stroke on the map, in their order, shape (n, 2)."""
    from backends.perimeters.coordinates import WGS84, moved

    try:
        values = json.loads(path.read_bytes())
        for key in ("features", "geometry"):
            values = values.get(key, values)
            values = values[0] if isinstance(values, list) else values
        shape = shapely.from_geojson(json.dumps(values))
    except (OSError, ValueError, AttributeError, IndexError, shapely.errors.ShapelyError) as error:
        raise BadInput(
            f"{path.name} is no GeoJSON with a stroke.", subject=path,
            way_out="Give a LineString or a Polygon.", details=repr(error),
        ) from error  # fmt: skip
    line = shape.exterior if shape.geom_type == "Polygon" else shape
    if line.geom_type not in ("LineString", "LinearRing"):
        raise BadInput(
            f"{path.name} holds a {line.geom_type}.", subject=path,
            way_out="Give a LineString or a Polygon.",
        )  # fmt: skip
    return np.asarray(shapely.get_coordinates(moved(line, WGS84, crs)))
