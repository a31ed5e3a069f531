"""Attributes of a perimeter as the trade exchanges them: names, widths, allowed values.

Field names and domains are those of the NWCG Wildland Fire Event Polygon as served by NIFS and
WFIGS (which prefixes ``poly_`` and ``attr_``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.errors import BadInput

MAP_METHODS = (
    "Auto-generated for INFORM", "Digitized-Image", "Digitized-Other", "Digitized-Topo",
    "GPS-Driven", "GPS-Flight", "GPS-Unknown Travel Method", "GPS-Walked", "GPS-Walked/Driven",
    "Hand Sketch", "Image Interpretation", "IR Image Interpretation", "Mixed Methods", "Modeled",
    "Other", "Phone/Tablet", "Remote Sensing Derived", "Survey/GCDB/Cadastral", "Vector",
)  # fmt: skip
STATUSES = ("Approved", "Proposed", "In Review", "Archive")
ACCESSES = ("Public", "Cooperators", "Incident", "Restricted")
CATEGORIES = (
    "Wildfire Daily Fire Perimeter", "Wildfire Final Fire Perimeter", "Prescribed Fire",
    "IR Heat Perimeter", "IR Intense Heat", "IR Scattered Heat", "IR Isolated Heat Source",
    "Possible IR Heat Source", "Cloud Cover / No Data", "Contained", "Uncontained",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One attribute.

    Attributes
    ----------
    name : str
    kind : str
        ``"text"``, ``"number"`` or ``"time"`` (UTC, ISO 8601 with Z).
    short : str
        Name in a shapefile, ten letters at most.
    width : int
        Longest text.
    domain : tuple of str
        Allowed texts; empty allows all.
    """

    name: str
    kind: str
    short: str
    width: int = 254
    domain: tuple[str, ...] = ()


FIELDS: tuple[Field, ...] = (
    Field("IncidentName", "text", "IncidentNm", 50),
    Field("FeatureCategory", "text", "FeatureCat", 50, CATEGORIES),
    Field("MapMethod", "text", "MapMethod", 50, MAP_METHODS),
    Field("GISAcres", "number", "GISAcres"),
    Field("GISAcresNet", "number", "AcresNet"),
    Field("PlanarAcres", "number", "PlanarAcre"),
    Field("AcresMethod", "text", "AcresMeth", 254),
    Field("PolygonDateTime", "time", "PolyDate"),
    Field("DateCurrent", "time", "DateCurr"),
    Field("CreateDate", "time", "CreateDate"),
    Field("IRWINID", "text", "IRWINID", 38),
    Field("LocalIncidentID", "text", "LocalIncID", 20),
    Field("Source", "text", "Source", 50),
    Field("FeatureStatus", "text", "FeatureSta", 20, STATUSES),
    Field("FeatureAccess", "text", "FeatureAcc", 20, ACCESSES),
    Field("IsVisible", "text", "IsVisible", 3, ("Yes", "No")),
    Field("DeleteThis", "text", "DeleteThis", 30, (
        "No", "Yes", "Yes - No Longer Needed", "Yes - Editing Mistake",
    )),
    Field("CpxName", "text", "CpxName", 50),
    Field("ContactName", "text", "ContactNam", 50),
    Field("ContactEmail", "text", "ContactEma", 100),
    Field("ContactPhone", "text", "ContactPho", 30),
    Field("Comments", "text", "Comments", 254),
    Field("Label", "text", "Label", 50),
    Field("Rule", "text", "Rule", 254),
    Field("ReviewState", "text", "RevState", 20),
    Field("ReviewedBy", "text", "ReviewedBy", 50),
    Field("ReviewedUTC", "time", "ReviewUTC"),
    Field("ImageDigest", "text", "ImageDig", 64),
)  # fmt: skip
BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
_IRWIN = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")
# What other layers call the same.
_ALSO = {
    "polygondat": "PolygonDateTime", "incidentnam": "IncidentName", "incidentna": "IncidentName",
    "gis_acres": "GISAcres", "irwinid": "IRWINID", "incident_n": "IncidentName",
    "polygondatetime": "PolygonDateTime", "fire_name": "IncidentName", "mapmethod": "MapMethod",
    "uniquefireidentifier": "LocalIncidentID",
}  # fmt: skip


def irwin(text: str) -> str:
    """Return an incident key as it is exchanged: braces, capitals; empty stays empty.

    Raises
    ------
    BadInput
        It is no such key.
    """
    if not text.strip():
        return ""
    found = _IRWIN.fullmatch(text.strip())
    if found is None:
        raise BadInput(
            f"{text[:60]} is no IRWIN ID.",
            way_out="It has the form {XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX}.",
        )
    return "{" + found[1].upper() + "}"


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes that fit the schema, in its order.

    Raises
    ------
    BadInput
        An unknown field, a text that is too long or not among the allowed ones.
    """
    for name in values:
        if name not in BY_NAME:
            raise BadInput(
                f"There is no attribute called {name}.", way_out=f"Use: {', '.join(BY_NAME)}."
            )
    out: dict[str, Any] = {}
    for field in FIELDS:
        if field.name not in values:
            continue
        value = values[field.name]
        if field.kind == "number":
            out[field.name] = None if value is None else float(value)
            continue
        text = "" if value is None else str(value)
        if field.name == "IRWINID":
            text = irwin(text)
        if len(text) > field.width:
            raise BadInput(f"{field.name} holds {field.width} letters, not {len(text)}.")
        if text and field.domain and text not in field.domain:
            raise BadInput(
                f"{field.name} cannot be {text}.", way_out=f"Use: {', '.join(field.domain)}."
            )
        out[field.name] = text
    return out


def schema_name(name: str) -> str | None:
    """Return which attribute a field of another file is; None where it is none of ours."""
    bare = name.removeprefix("poly_").removeprefix("attr_")
    lowered = bare.lower()
    for field in FIELDS:
        if lowered in (field.name.lower(), field.short.lower()):
            return field.name
    return _ALSO.get(lowered)
