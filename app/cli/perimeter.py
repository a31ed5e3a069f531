"""``clearband perimeter …``: draw a line around fire, check, sign, compare and hand it over."""

from __future__ import annotations

import getpass
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.root import app
from backends.errors import BadInput, WrongUse
from backends.jobs import Job, Progress

perimeter_app = typer.Typer(
    name="perimeter",
    help="Draw a line around fire, check and sign it, compare it, hand it over.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(perimeter_app)

_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_WHO = Annotated[str, typer.Option("--who", help="Your name; it stands in the audit trail.")]
_FILE = Annotated[Path, typer.Argument(metavar="FILE.perimeter")]
_FIRE = Annotated[
    str | None, typer.Option("--fire", help="Name or IRWIN ID, where a file holds several fires.")
]
_CONTAINED = Annotated[
    Path | None, typer.Option("--contained", help="File with contained or control line.")
]
_DETECTIONS = Annotated[
    Path | None, typer.Option("--detections", help="FIRMS file (CSV or GeoJSON) of that day.")
]
_CRS = Annotated[
    str | None, typer.Option("--crs", help="For a file that names none, e.g. EPSG:32611.")
]


@perimeter_app.command("make")
def make(
    probability: Annotated[Path, typer.Argument(help="Raster of a probability of fire, 0 to 1.")],
    out: Annotated[Path, typer.Option("--out", help="Where the draft goes (.perimeter).")],
    band: Annotated[int, typer.Option("--band", help="Of the raster, from 1.")] = 1,
    scale: Annotated[float, typer.Option("--scale", help="Divide values by it, e.g. 255.")] = 1.0,
    crs: _CRS = None,
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
    fire: _FIRE = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value: seed, grow, closing_m, smallest_ac, hole_ac, …"),
    ] = None,
    who: _WHO = "",
    as_json: _JSON = False,
) -> None:
    """Draw a draft around a probability."""
    from backends.perimeters.journal import SUFFIX, save
    from backends.perimeters.opening import draft_around
    from backends.perimeters.settings import PerimeterSettings

    target = out if out.suffix == SUFFIX else out.with_name(out.name + SUFFIX)
    settings = PerimeterSettings.of(pairs(setting, "--set"))
    values = _attributes(attribute, incident, irwin)

    def run(progress: Progress) -> Any:
        document, proposal = draft_around(
            probability, settings=settings, band=band, scale=scale, crs=crs,
            temperature=temperature, temperature_band=temperature_band, image=image,
            image_utc=when, attributes=values, previous=previous, fire=fire, who=_name(who),
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
    crs: _CRS = None,
    layer: Annotated[str | None, typer.Option("--layer")] = None,
    fire: _FIRE = None,
    image: Annotated[Path | None, typer.Option("--image", help="Image it was drawn on.")] = None,
    when: Annotated[str, typer.Option("--time", help="When the image was taken, UTC.")] = "",
    attribute: Annotated[list[str] | None, typer.Option("--attribute")] = None,
    who: _WHO = "",
    as_json: _JSON = False,
) -> None:
    """Make a draft of an outline of another program."""
    from backends.perimeters.importing import read_perimeters
    from backends.perimeters.journal import SUFFIX, save
    from backends.perimeters.opening import draft_from

    target = out if out.suffix == SUFFIX else out.with_name(out.name + SUFFIX)
    found = read_perimeters(outline, crs=crs, layer=layer)
    document = draft_from(
        found, fire=fire, image=image, image_utc=when,
        attributes=_attributes(attribute, "", ""), who=_name(who),
    )  # fmt: skip
    save(document, target)
    notes = document.origin["notes"]
    facts = {"written": str(target), "attributes": document.attributes, "notes": notes}
    rows = {"Written": target.name, **{f"Note {n}": note for n, note in enumerate(notes, 1)}}
    emit(facts, as_json=as_json, text=table(rows))


@perimeter_app.command("check")
def check(
    file: _FILE,
    contained: _CONTAINED = None,
    detections: _DETECTIONS = None,
    as_json: _JSON = False,
) -> None:
    """List what must be cleared or waived before the line is signed."""
    from backends.perimeters.journal import load

    document, recovered = load(file)
    found = _checks(document, contained, detections)
    facts = {
        "file": str(file), "state": document.state.value, "recovered_changes": recovered,
        "checks": [c.to_dict() | {"waived": document.is_waived(c)} for c in found],
        "open": sum(not c.passed and not document.is_waived(c) for c in found),
    }  # fmt: skip
    words = {True: "ok", False: "OPEN"}
    rows = {
        f"{'waived' if document.is_waived(c) else words[c.passed]:6} {c.id}": c.text for c in found
    }
    emit(facts, as_json=as_json, text=table(rows))


@perimeter_app.command("beside")
def beside(
    file: _FILE,
    contained: _CONTAINED = None,
    detections: _DETECTIONS = None,
    previous: Annotated[
        Path | None, typer.Option("--previous", help="File with yesterday's line.")
    ] = None,
    fire: _FIRE = None,
    crs: _CRS = None,
    who: _WHO = "",
    as_json: _JSON = False,
) -> None:
    """Lay contained line, detections or yesterday's line beside a line, for its checks."""
    from backends.perimeters.beside import with_contained, with_detections
    from backends.perimeters.importing import read_perimeters
    from backends.perimeters.journal import load, save
    from backends.perimeters.opening import lay_beside

    if contained is None and detections is None and previous is None:
        raise WrongUse(
            "Nothing was given to lay beside the line.",
            way_out="Give --contained, --detections or --previous with a file.",
        )
    document, _ = load(file)
    if previous is not None:
        lay_beside(document, read_perimeters(previous, crs=crs), fire)
    if contained is not None:
        document.lay_beside(with_contained(document, contained, crs), _name(who))
    if detections is not None:
        document.lay_beside(with_detections(document, detections), _name(who))
    save(document, file)
    values = document.beside.words() | {"previous": document.previous_label}
    rows = {
        "Contained line": values["contained"] or "–",
        "Detections": f"{values['count']} of {values['detections']}"
        if values["count"] is not None
        else "–",
        "Before": values["previous"] or "–",
    }
    emit(values, as_json=as_json, text=table(rows))


@perimeter_app.command("draw")
def draw(
    file: _FILE,
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
    crs: _CRS = None,
    who: _WHO = "",
    as_json: _JSON = False,
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
    apply_stroke(document, stroke, _name(who))
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
def union_command(file: _FILE, who: _WHO = "", as_json: _JSON = False) -> None:
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
    document.replace(chosen.id, whole, "Union with yesterday's line", _name(who))
    save(document, file)
    area = acreage(document.perimeter, document.crs, document.crs)
    emit(area.to_dict(), as_json=as_json, text=table({"Area": area.text()}))


@perimeter_app.command("waive")
def waive(
    file: _FILE,
    what: Annotated[str, typer.Argument(metavar="CHECK", help="Its name in the list of check.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is right all the same.")],
    who: _WHO = "",
    as_json: _JSON = False,
) -> None:
    """Let a check that failed pass, with a reason that stands in the audit trail."""
    from backends.perimeters.journal import load, save

    document, _ = load(file)
    found = {c.id: c for c in _checks(document, None, None)}
    if what not in found:
        raise WrongUse(f"There is no check called {what}.", way_out=f"Use: {', '.join(found)}.")
    document.waive(found[what], _name(who), reason)
    save(document, file)
    emit({"waived": what, "reason": reason}, as_json=as_json, text=f"{what} is waived.")


@perimeter_app.command("verify")
def verify(
    file: _FILE,
    who: _WHO = "",
    image: Annotated[
        Path | None, typer.Option("--image", help="Must be the image it was drawn on.")
    ] = None,
    as_json: _JSON = False,
) -> None:
    """Sign the line: your name and the time stand with it from now on."""
    from backends.perimeters.journal import load, save
    from backends.perimeters.review import ReviewState
    from backends.perimeters.scenes import is_of_image

    if not who.strip():
        raise WrongUse("A perimeter is verified by somebody.", way_out="Give your name with --who.")
    document, _ = load(file)
    if image is not None and not is_of_image(document, image):
        raise BadInput(
            f"{image.name} is not the image the line was drawn on ({document.image}).",
            subject=image,
            way_out="Give that image, or draw the line anew.",
        )
    if document.state is ReviewState.DRAFT:
        document.to_review(who)
    document.verify(who, _checks(document, None, None))
    save(document, file)
    signed = document.signature.to_dict() if document.signature else {}
    text = f"Verified by {signed.get('who')} at {signed.get('utc')}."
    emit({"state": document.state.value, "signature": signed}, as_json=as_json, text=text)


@perimeter_app.command("compare")
def compare_command(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Outline, or FILE.perimeter.")],
    previous: Annotated[Path, typer.Argument(metavar="PREVIOUS")],
    pixel: Annotated[float, typer.Option("--pixel", help="Of the imagery, m.")] = 0.0,
    crs: _CRS = None,
    fire: _FIRE = None,
    as_json: _JSON = False,
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
    file: _FILE,
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
    as_json: _JSON = False,
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
def trail(file: _FILE, as_json: _JSON = False) -> None:
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
    as_json: _JSON = False,
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


def _checks(document: Any, contained: Path | None, detections: Path | None) -> list[Any]:
    """Check a document, with files beside it for this once."""
    from backends.perimeters.beside import with_contained, with_detections
    from backends.perimeters.checks import run_checks

    if contained is not None:
        document.beside = with_contained(document, contained)
    if detections is not None:
        document.beside = with_detections(document, detections)
    return run_checks(document)


def _attributes(values: list[str] | None, incident: str, irwin: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in values or []:
        key, sign, value = item.partition("=")
        if not sign:
            raise WrongUse(f"--attribute must look like Name=value, not {item}.")
        found[key.strip()] = value.strip()
    if incident:
        found["IncidentName"] = incident
    if irwin:
        found["IRWINID"] = irwin
    return found


def _name(who: str) -> str:
    if who.strip():
        return who.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no account behind this process
        return "unknown"
