"""``clearband replay LOG``: do again what a run log lists."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import emit
from app.cli.root import app


@app.command("replay")
def replay_command(
    log: Annotated[Path, typer.Argument(help="A run log saved by the window.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for all results, instead of their own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run each command of a run log, in order; stops at the first that fails."""
    from app.replay import replay

    # What the actions print would stand before the JSON, which is to be all there is.
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        done = replay(log, out)
    lines = [f"{line.title or ' '.join(line.command)}" for line in done]
    text = "\n".join([*lines, f"{len(lines)} actions replayed."])
    emit({"replayed": lines}, as_json=as_json, text=text)
