"""Options that the commands of ``clearband perimeter`` share, and the group they stand in."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.root import app
from backends.errors import WrongUse

perimeter_app = typer.Typer(
    name="perimeter",
    help="Draw a line around fire, check and sign it, compare it, hand it over.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(perimeter_app)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WHO = Annotated[str, typer.Option("--who", help="Your name; it stands in the audit trail.")]
FILE = Annotated[Path, typer.Argument(metavar="FILE.perimeter")]
FIRE = Annotated[
    str | None, typer.Option("--fire", help="Name or IRWIN ID, where a file holds several fires.")
]
CONTAINED = Annotated[
    Path | None, typer.Option("--contained", help="File with contained or control line.")
]
DETECTIONS = Annotated[
    Path | None, typer.Option("--detections", help="FIRMS file (CSV or GeoJSON) of that day.")
]
CRS = Annotated[
    str | None, typer.Option("--crs", help="For a file that names none, e.g. EPSG:32611.")
]


def given_attributes(values: list[str] | None, incident: str, irwin: str) -> dict[str, Any]:
    """Return attributes given one by one and by their own options."""
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


def name_of(who: str) -> str:
    """Return a given name, else that of the account."""
    if who.strip():
        return who.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no account behind this process
        return "unknown"
