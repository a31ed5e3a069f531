"""``clearband doctor``: what this machine offers, what is missing, how to get it."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.console import emit
from app.cli.root import app


@app.command("doctor")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what this machine offers, what is missing and how to get it."""
    from backends.doctor import examine

    report = examine()
    emit(report.to_dict(), as_json=as_json, text=report.text())
