"""File names of the trade: date and time first, underscores between elements, nothing odd.

Rules of NWCG PMS 936: no spaces, special characters or dots inside, CamelCase within an element,
date and time in front; 255 characters at most, and below 128 with the path where that is possible.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backends.errors import BadInput, WrongUse
from backends.perimeters.clock import parsed
from backends.perimeters.deliverables.options import PRODUCTS, DeliveryOptions
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.review import ReviewState

LONGEST = 120
_ELEMENT = re.compile(r"\{(date|time|incident|local|irwin)\}")
_PLAIN = re.compile(r"[A-Za-z0-9-]*")


def mark_of(document: PerimeterDocument) -> str:
    """Return what stands on everything that is no verified line: DRAFT, SUPERSEDED or nothing."""
    if document.is_draft:
        return "DRAFT"
    return "SUPERSEDED" if document.state is ReviewState.SUPERSEDED else ""


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises
    ------
    BadInput
        There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(
            f"There is no time zone called {name}.", way_out="For example America/Boise or UTC."
        ) from error


def stem_of(document: PerimeterDocument, options: DeliveryOptions) -> str:
    """Return how all names of the set begin; an unverified line always has its mark there.

    Raises
    ------
    WrongUse
        The template has letters that file names of the trade do not.
    """
    values = _values(document, options)
    elements = []
    for element in options.template.split("_"):
        bare = _ELEMENT.sub("", element)
        if not _PLAIN.fullmatch(bare):
            raise WrongUse(
                f"“{bare}” cannot stand in a file name.",
                way_out="Use letters, digits, underscores, {date}, {time}, {incident}, "
                "{local}, {irwin}.",
            )
        elements.append(_ELEMENT.sub(lambda found: values[found[1]], element))
    stem = "_".join(e for e in [*elements, mark_of(document)] if e)
    if len(stem) > LONGEST:
        raise WrongUse(
            f"The file names would begin with {len(stem)} letters; {LONGEST} are allowed.",
            way_out="Shorten the template.",
        )
    if not any(elements):
        raise WrongUse("The template leaves the file names empty.", way_out="Give one element.")
    return stem


def file_names(document: PerimeterDocument, options: DeliveryOptions) -> dict[str, str]:
    """Return the file name of each product that would be made.

    Raises
    ------
    WrongUse
        See `stem_of`.
    """
    stem, page = stem_of(document, options), camel_case(options.page)
    return {p: stem + PRODUCTS[p].format(page=page) for p in options.wanted}


def camel_case(text: str) -> str:
    """Return a text as one element: ``Goat Peak`` becomes ``GoatPeak``; accents are left off."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Za-z0-9]+", folded.replace("'", ""))
    return "".join(word[0].upper() + word[1:] for word in words)


def _values(document: PerimeterDocument, options: DeliveryOptions) -> dict[str, Any]:
    date, time = "NoDate", ""
    if document.image_utc:
        local = parsed(document.image_utc).astimezone(zone_of(options.zone))
        date, time = local.strftime("%Y%m%d"), local.strftime("%H%M")
    attributes = document.attributes
    name = str(attributes.get("IncidentName") or "")
    incident = camel_case(name)
    if name and not incident:
        raise BadInput(
            f"The name {name} has no letters that a file name may have.",
            way_out="Write it in Latin letters, or leave {incident} out of the template.",
        )
    local_id = str(attributes.get("LocalIncidentID") or "")
    return {
        "date": date,
        "time": time,
        "incident": incident or "Unnamed",
        "local": "-".join(camel_case(part) for part in local_id.split("-") if part),
        "irwin": str(attributes.get("IRWINID") or "").strip("{}"),
    }
