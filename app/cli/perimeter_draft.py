"""``clearband perimeter make, import``: how a line begins."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.perimeter_options import (
    CRS,
    FIRE,
    JSON,
    WHO,
    given_attributes,
    name_of,
    perimeter_app,
)
from backends.jobs import Job, Progress


@perimeter_app.command("make")
def make(
    probability: Annotated[Path, typer.Argument(help="Raster of a probability of fire, 0 to 1.")],
    out: Annotated[Path, typer.Option("--out", help="Where the draft goes (.perimeter).")],
    band: Annotated[int, typer.Option("--band", help="Of the raster, from 1.")] = 1,
    scale: Annotated[float, typer.Option("--scale", help="Divide values by it, e.g. 255.")] = 1.0,
    crs: CRS = None,
    temperature: Annotated[
        Path | None, typer.Option("--temperature", help="Raster in K near 4 µm, for intense heat.")
    ] = None,
    temperature_band: Annotated[int, typer.Option("--temperature-band")] = 1,
    image: Annotated[
        Path | None, typer.Option("--image", help="What it was computed from; default: itself.")
    ] = None,
    when: Annotated[str, typer.Option("--time", help="When the image was taken, UTC.")] = "",
    incident: Annotated[str, typer.Option("--incident", help="Name of the incident.")] = "",
    irwin: Annotated[str, typer.Option("--irwin", help="Its IRWIN ID.")] = "",
    attribute: Annotated[
        list[str] | None, typer.Option("--attribute", help="Name=value of the schema.")
    ] = None,
    previous: Annotated[
        Path | None, typer.Option("--previous", help="File with yesterday's line.")
    ] = None,
    fire: FIRE = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value: seed, grow, closing_m, smallest_ac, hole_ac, …"),
    ] = None,
    who: WHO = "",
    as_json: JSON = False,
) -> None:
    """Draw a draft around a probability."""
    from backends.perimeters.journal import SUFFIX, save
    from backends.perimeters.opening import draft_around
    from backends.perimeters.settings import PerimeterSettings

    target = out if out.suffix == SUFFIX else out.with_name(out.name + SUFFIX)
    settings = PerimeterSettings.of(pairs(setting, "--set"))
    values = given_attributes(attribute, incident, irwin)

    def run(progress: Progress) -> Any:
        document, proposal = draft_around(
            probability, settings=settings, band=band, scale=scale, crs=crs,
            temperature=temperature, temperature_band=temperature_band, image=image,
            image_utc=when, attributes=values, previous=previous, fire=fire, who=name_of(who),
            command=f"clearband {shlex.join(sys.argv[1:])}", progress=progress,
        )  # fmt: skip
        save(document, target)
        return document, proposal

    document, proposal = run_job(Job(f"Draw a line around {probability.name}", run), quiet=as_json)
    counts: dict[str, int] = {}
    for feature in document.features:
        counts[feature.heat.value] = counts.get(feature.heat.value, 0) + 1
    low, high = proposal.interval_ac
    facts = {
        "written": str(target), "state": document.state.value, "crs": document.crs,
        "area": proposal.area.to_dict(), "interval_ac": [low, high], "objects": counts,
        "figures": dict(proposal.figures), "notes": list(proposal.notes),
    }  # fmt: skip
    rows = {
        "State": document.state.value,
        "Area": proposal.area.text(),
        "Between": f"{low:,.1f} and {high:,.1f} ac (p ≥ {proposal.settings.high:g} and "
        f"p ≥ {proposal.settings.grow:g})",
        **counts,
        **{f"Note {n}": note for n, note in enumerate(proposal.notes, 1)},
        "Written": target.name,
    }
    emit(facts, as_json=as_json, text=table(rows))


@perimeter_app.command("import")
def import_outline(
    outline: Annotated[Path, typer.Argument(help="GeoPackage, GeoJSON, shapefile, KML or KMZ.")],
    out: Annotated[Path, typer.Option("--out", help="Where the draft goes (.perimeter).")],
    crs: CRS = None,
    layer: Annotated[str | None, typer.Option("--layer")] = None,
    fire: FIRE = None,
    image: Annotated[Path | None, typer.Option("--image", help="Image it was drawn on.")] = None,
    when: Annotated[str, typer.Option("--time", help="When the image was taken, UTC.")] = "",
    attribute: Annotated[list[str] | None, typer.Option("--attribute")] = None,
    who: WHO = "",
    as_json: JSON = False,
) -> None:
    """Make a draft of an outline of another program."""
    from backends.perimeters.importing import read_perimeters
    from backends.perimeters.journal import SUFFIX, save
    from backends.perimeters.opening import draft_from

    target = out if out.suffix == SUFFIX else out.with_name(out.name + SUFFIX)
    found = read_perimeters(outline, crs=crs, layer=layer)
    document = draft_from(
        found, fire=fire, image=image, image_utc=when,
        attributes=given_attributes(attribute, "", ""), who=name_of(who),
    )  # fmt: skip
    save(document, target)
    notes = document.origin["notes"]
    facts = {"written": str(target), "attributes": document.attributes, "notes": notes}
    rows = {"Written": target.name, **{f"Note {n}": note for n, note in enumerate(notes, 1)}}
    emit(facts, as_json=as_json, text=table(rows))
