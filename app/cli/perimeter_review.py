"""``clearband perimeter check, beside, waive, verify``: from draft to signature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, table
from app.cli.perimeter_options import (
    CONTAINED,
    CRS,
    DETECTIONS,
    FILE,
    FIRE,
    JSON,
    WHO,
    name_of,
    perimeter_app,
)
from backends.errors import BadInput, WrongUse


@perimeter_app.command("check")
def check(
    file: FILE,
    contained: CONTAINED = None,
    detections: DETECTIONS = None,
    as_json: JSON = False,
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
    file: FILE,
    contained: CONTAINED = None,
    detections: DETECTIONS = None,
    previous: Annotated[
        Path | None, typer.Option("--previous", help="File with yesterday's line.")
    ] = None,
    fire: FIRE = None,
    crs: CRS = None,
    who: WHO = "",
    as_json: JSON = False,
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
        document.lay_beside(with_contained(document, contained, crs), name_of(who))
    if detections is not None:
        document.lay_beside(with_detections(document, detections), name_of(who))
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


@perimeter_app.command("waive")
def waive(
    file: FILE,
    what: Annotated[str, typer.Argument(metavar="CHECK", help="Its name in the list of check.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is right all the same.")],
    who: WHO = "",
    as_json: JSON = False,
) -> None:
    """Let a check that failed pass, with a reason that stands in the audit trail."""
    from backends.perimeters.journal import load, save

    document, _ = load(file)
    found = {c.id: c for c in _checks(document, None, None)}
    if what not in found:
        raise WrongUse(f"There is no check called {what}.", way_out=f"Use: {', '.join(found)}.")
    document.waive(found[what], name_of(who), reason)
    save(document, file)
    emit({"waived": what, "reason": reason}, as_json=as_json, text=f"{what} is waived.")


@perimeter_app.command("verify")
def verify(
    file: FILE,
    who: WHO = "",
    image: Annotated[
        Path | None, typer.Option("--image", help="Must be the image it was drawn on.")
    ] = None,
    as_json: JSON = False,
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


def _checks(document: Any, contained: Path | None, detections: Path | None) -> list[Any]:
    """Check a document, with files beside it for this once."""
    from backends.perimeters.beside import with_contained, with_detections
    from backends.perimeters.checks import run_checks

    if contained is not None:
        document.beside = with_contained(document, contained)
    if detections is not None:
        document.beside = with_detections(document, detections)
    return run_checks(document)
