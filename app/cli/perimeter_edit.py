"""``clearband perimeter edit, describe``: what a hand does in the window, by command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import shapely
import typer

from app.cli.console import emit, table
from app.cli.perimeter import _FILE, _JSON, _WHO, _attributes, _name, perimeter_app
from backends.errors import BadInput, WrongUse

_SHAPE = Annotated[
    Path | None,
    typer.Argument(metavar="[STROKE.geojson]", help="A line or an area, longitude and latitude."),
]


@perimeter_app.command("edit")
def edit(
    file: _FILE,
    what: Annotated[
        str, typer.Argument(metavar="add|cut|island|split|move|merge", help="As in the window.")
    ],
    stroke: _SHAPE = None,
    brush: Annotated[float, typer.Option("--brush", help="Radius of add and cut, m.")] = 40.0,
    who: _WHO = "",
    as_json: _JSON = False,
) -> None:
    """Edit a line by a stroke; move takes a line from the vertex to its new place."""
    from backends.perimeters.acreage import acreage
    from backends.perimeters.drawn import draw, merge_all, move_vertex
    from backends.perimeters.journal import load, save

    document, _ = load(file)
    if what == "merge":
        merge_all(document, _name(who))
    elif stroke is None:
        raise WrongUse(f"Nothing says where to {what}.", way_out="Give a GeoJSON with a stroke.")
    else:
        points = _points(stroke, document.crs)
        if what == "move":
            if len(points) != 2:
                raise WrongUse("A move is a line of two points.", way_out="From, then to.")
            move_vertex(document, points[0], points[1], _name(who))
        else:
            draw(document, what, points, brush_m=brush, who=_name(who))
    save(document, file)
    area = acreage(document.perimeter, document.crs, document.crs)
    last = document.trail.entries[-1]
    facts = {"written": str(file), "action": last.action, "area": area.to_dict()}
    emit(facts, as_json=as_json, text=table({"Area": area.text(), "State": document.state.value}))


@perimeter_app.command("describe")
def describe(
    file: _FILE,
    incident: Annotated[str, typer.Option("--incident", help="Name of the incident.")] = "",
    irwin: Annotated[str, typer.Option("--irwin", help="Its IRWIN ID.")] = "",
    attribute: Annotated[
        list[str] | None, typer.Option("--attribute", help="Name=value of the schema.")
    ] = None,
    who: _WHO = "",
    as_json: _JSON = False,
) -> None:
    """Say whose fire it is; every change stands in the audit trail."""
    from backends.perimeters.journal import load, save

    document, _ = load(file)
    document.describe(_attributes(attribute, incident, irwin), _name(who))
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
