"""How a perimeter begins: around a probability, or from an outline somebody else made."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.errors import BadInput
from backends.identity import digest_of
from backends.overlays import Provenance
from backends.perimeters.comparison import of_one_place
from backends.perimeters.coordinates import is_metric, local_utm, moved
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.importing import Imported, read_perimeters
from backends.perimeters.making import Proposal, make_proposal
from backends.perimeters.probability import opened
from backends.perimeters.schema import BY_NAME
from backends.perimeters.settings import PerimeterSettings
from backends.progress import Progress

_NOT_TAKEN_OVER = (
    "GISAcres", "GISAcresNet", "PlanarAcres", "AcresMethod", "FeatureStatus", "FeatureCategory",
    "ReviewState", "ReviewedBy", "ReviewedUTC", "ImageDigest", "Rule", "CreateDate", "DateCurrent",
    "PolygonDateTime",
)  # fmt: skip


def draft_around(
    probability: Path,
    *,
    settings: PerimeterSettings | None = None,
    band: int = 1,
    scale: float = 1.0,
    crs: str | None = None,
    temperature: Path | None = None,
    temperature_band: int = 1,
    image: Path | None = None,
    image_utc: str = "",
    attributes: Mapping[str, Any] | None = None,
    previous: Path | None = None,
    fire: str | None = None,
    who: str = "",
    command: str = "",
    progress: Progress | None = None,
) -> tuple[PerimeterDocument, Proposal]:
    """Draw a draft around the probability in a raster file.

    Parameters
    ----------
    probability : Path
    band : int
    scale : float
        What its values are divided by.
    temperature : Path, optional
        Brightness temperature near 4 µm in K.
    image : Path, optional
        What the probability was computed from; the line is verified on it. Default: itself.
    image_utc : str
        When that was taken.
    previous : Path, optional
        File with yesterday's line.
    fire : str, optional
        Which fire of that file.

    Raises
    ------
    BadInput
        A file cannot be used, or nothing burns in it.
    """
    progress = progress or Progress()
    with ExitStack() as stack:
        source = stack.enter_context(opened(probability, band=band, scale=scale, crs=crs))
        warm = None
        if temperature is not None:
            warm = stack.enter_context(
                opened(temperature, band=temperature_band, crs=crs, like=source)
            )
        try:
            proposal = make_proposal(source, settings, temperature=warm, progress=progress)
        except BadInput as error:
            error.subject = error.subject or str(probability)
            raise
    if proposal.perimeter.is_empty:
        raise BadInput(
            f"No piece of fire of {proposal.settings.smallest_ac:g} ac or more was found.",
            subject=probability,
            way_out="Lower seed or grow with --set, or look at the probability.",
        )
    shown = image or probability
    provenance = Provenance(
        "perimeter",
        parameters=dict(proposal.features[0].rule),
        scene_digest=digest_of([probability]),
        scene_path=probability.name,
        command=command,
        notes=proposal.notes,
        figures=dict(proposal.figures),
    )
    document = PerimeterDocument(
        proposal.crs,
        proposal.features,
        attributes={"MapMethod": "Remote Sensing Derived", **(attributes or {})},
        image=shown.name,
        image_digest=digest_of([shown]),
        image_utc=image_utc,
        pixel_m=proposal.pixel_m,
        origin={
            "interval_ac": list(proposal.interval_ac),
            "band": proposal.band_wkb(),
            "notes": list(proposal.notes),
            "provenance": provenance.to_dict(),
        },
        who=who,
    )
    if previous is not None:
        lay_beside(document, read_perimeters(previous), fire)
    return document, proposal


def draft_from(
    imported: Imported,
    *,
    fire: str | None = None,
    image: Path | None = None,
    image_digest: str = "",
    image_utc: str = "",
    attributes: Mapping[str, Any] | None = None,
    who: str = "",
) -> PerimeterDocument:
    """Make a draft of an outline of another program, in the local UTM zone.

    Parameters
    ----------
    image, image_digest : Path, str
        What it lies on, and its identity where that is known; an open scene has its own.
    """
    shape, first = imported.of_one_fire(fire)
    crs = imported.crs if is_metric(imported.crs) else local_utm(shape, imported.crs)
    text = f"read from {imported.path.name}"
    rule = {"method": "imported", "text": text, "notes": list(imported.notes)}
    known = {k: v for k, v in first.attributes.items() if k not in _NOT_TAKEN_OVER}
    kept = {k: v for k, v in known.items() if _fits(k, v)}
    notes = [f"{k} of the file does not fit the schema: {v}." for k, v in known.items()
             if k not in kept]  # fmt: skip
    return PerimeterDocument(
        crs,
        [Feature(HeatClass.PERIMETER, moved(shape, imported.crs, crs), rule)],
        attributes={**kept, **(attributes or {})},
        image=image.name if image else "",
        image_digest=image_digest or (digest_of([image]) if image else ""),
        image_utc=image_utc or str(first.attributes.get("PolygonDateTime") or ""),
        origin={
            "notes": [*imported.notes, *notes],
            "image_path": "" if image is None else str(image.resolve()),
        },
        who=who,
    )


def lay_beside(document: PerimeterDocument, imported: Imported, fire: str | None = None) -> None:
    """Give a document yesterday's line.

    Raises
    ------
    BadInput
        It lies far away, so that it is of another fire.
    """
    wanted = fire or document.attributes.get("IRWINID") or None
    if fire is None and len(imported.names) <= 1:
        wanted = None
    shape, first = imported.of_one_fire(wanted)
    before = moved(shape, imported.crs, document.crs)
    if not document.perimeter.is_empty:
        of_one_place(document.perimeter, before, "The line", imported.path.name)
    document.previous = before
    document.previous_utc = str(first.attributes.get("PolygonDateTime") or "")
    document.previous_label = f"{first.name or imported.path.name} {document.previous_utc}".strip()
    document.beside = replace(document.beside, previous_name=first.name)


def _fits(name: str, value: Any) -> bool:
    from backends.perimeters.schema import checked

    try:
        checked({name: value})
    except (BadInput, ValueError):
        return False
    return name in BY_NAME
