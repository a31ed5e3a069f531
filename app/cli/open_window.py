"""``clearband [PATH…]``: open the window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.root import app


@app.command("open")
def open_window(
    paths: Annotated[list[Path] | None, typer.Argument(help="Images or sessions.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Open the demo scene.")] = False,
) -> int:
    """Open the window, with the files you name."""
    from app.window import run

    return run(paths or [], demo=demo)
