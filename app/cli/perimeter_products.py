"""``clearband perimeter compare, export, trail, growth``: products, and how a line came about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, run_job, table
from app.cli.perimeter_options import (
    CRS,
    FILE,
    FIRE,
    JSON,
    perimeter_app,
)
from backends.jobs import Job, Progress


@perimeter_app.command("compare")
def compare_command(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Outline, or FILE.perimeter.")],
    previous: Annotated[Path, typer.Argument(metavar="PREVIOUS")],
    pixel: Annotated[float, typer.Option("--pixel", help="Of the imagery, m.")] = 0.0,
    crs: CRS = None,
    fire: FIRE = None,
    as_json: JSON = False,
) -> None:
    """Say what grew, what shrank, and whether the whole layer is shifted."""
    from backends.perimeters.comparing import compare_files

    def run(progress: Progress) -> Any:
        return compare_files(new, previous, pixel_m=pixel, crs=crs, fire=fire)

    found = run_job(Job(f"Compare {new.name} with {previous.name}", run), quiet=as_json)
    shift = found.shift
    moved = f"{shift.length_m:.0f} m ({shift.dx_m:+.1f} east, {shift.dy_m:+.1f} north)"
    rows = {
        "Now": f"{found.new_ac:,.1f} ac",
        "Before": f"{found.previous_ac:,.1f} ac",
        "Growth": f"{found.growth_ac:,.1f} ac",
        "Reduction": f"{found.reduction_ac:,.1f} ac",
        "Shift": f"the whole layer, {moved}" if shift.is_shifted else "none",
        "On the previous line": f"{100 * shift.on_line:.0f} %",
    }
    emit(found.to_dict(), as_json=as_json, text=table(rows))


@perimeter_app.command("export")
def export(
    file: FILE,
    out: Annotated[Path, typer.Option("--out", help="Folder for the products.")],
    product: Annotated[
        list[str] | None,
        typer.Option("--product", help="geopackage, shapefile, kmz, geojson, map, mobile."),
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", help="Of the names: {date}_{time}_{incident}_IR.")
    ] = None,
    zone: Annotated[str, typer.Option("--zone", help="Of names, e.g. America/Boise.")] = "UTC",
    crs: Annotated[str, typer.Option("--crs", help="Of GeoPackage and shapefile.")] = "",
    page: Annotated[str, typer.Option("--page", help="letter, 11x17, a4 or a3.")] = "11x17",
    backdrop: Annotated[
        Path | None, typer.Option("--backdrop", help="Raster to show below the lines.")
    ] = None,
    platform: Annotated[str, typer.Option("--platform", help="Aircraft, for the log.")] = "",
    sensor: Annotated[str, typer.Option("--sensor", help="For the log.")] = "",
    received: Annotated[str, typer.Option("--received", help="When imagery came, UTC.")] = "",
    coverage: Annotated[str, typer.Option("--coverage", help="Cloud and gaps, in words.")] = "",
    limitations: Annotated[str, typer.Option("--limitations", help="What to know.")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only say the names.")] = False,
    as_json: JSON = False,
) -> None:
    """Write every product in one action: data, maps, log, checksums; DRAFT until verified."""
    from backends.perimeters.deliverables.backdrop import Backdrop
    from backends.perimeters.deliverables.deliver import deliver
    from backends.perimeters.deliverables.naming import file_names
    from backends.perimeters.deliverables.options import PRODUCTS, TEMPLATE, DeliveryOptions
    from backends.perimeters.journal import load

    options = DeliveryOptions(
        tuple(product or PRODUCTS), template or TEMPLATE, zone, crs, page,
        platform, sensor, received, coverage, limitations,
    )  # fmt: skip
    document, _ = load(file)
    if preview:
        names = file_names(document, options)
        emit({"names": names}, as_json=as_json, text=table(names))
        return
    below = None if backdrop is None else Backdrop(backdrop)

    def run(progress: Progress) -> Any:
        return deliver(document, out, options, backdrop=below, progress=progress)

    made = run_job(Job(f"Hand over {file.name}", run), quiet=as_json)
    rows = {
        "State": f"{document.state.value}{', DRAFT on everything' * document.is_draft}",
        "Area": made.area.text(),
        **{f.product: f.path.name for f in made.files},
        "Folder": str(out),
    }
    emit(made.to_dict(), as_json=as_json, text=table(rows))


@perimeter_app.command("trail")
def trail(file: FILE, as_json: JSON = False) -> None:
    """Print who did what and when; a changed file is refused."""
    from backends.perimeters.journal import load

    document, _ = load(file)
    entries = [e.to_dict() for e in document.trail.entries]
    lines = [f"{e['number']:4} {e['utc']} {e['who'] or '–'}: {e['action']}" for e in entries]
    facts = {"head": document.trail.head, "entries": entries}
    emit(facts, as_json=as_json, text="\n".join([*lines, f"Sound; ends in {document.trail.head}."]))


@perimeter_app.command("growth")
def growth(
    files: Annotated[list[Path], typer.Argument(help="Perimeters of one fire, any order.")],
    zone: Annotated[str, typer.Option("--zone", help="Local time, e.g. America/Boise.")] = "UTC",
    as_json: JSON = False,
) -> None:
    """List the fire day by day; a perimeter before 06:00 counts to the day before."""
    from backends.perimeters.comparing import growth_of_files

    series = growth_of_files(files, zone)
    facts = [
        {"day": str(d.day), "utc": d.utc, "acres": d.acres, "growth_ac": d.growth_ac,
         "shrank": d.shrank}
        for d in series
    ]  # fmt: skip
    rows = {
        str(d.day): f"{d.acres:12,.1f} ac {d.growth_ac:+12,.1f}{'  smaller!' * d.shrank}"
        for d in series
    }
    emit(facts, as_json=as_json, text=table(rows))
