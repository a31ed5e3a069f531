"""``clearband tour``: play the guided tour in the real window and keep its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import emit
from app.cli.root import app


@app.command("tour")
def tour(
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")] = Path("tour"),
    data: Annotated[
        Path | None, typer.Option("--data", help="A folder of real data to show as well.")
    ] = None,
    story: Annotated[
        str, typer.Option("--story", help="A whole piece of work: fire-night, working-day.")
    ] = "",
    chapter: Annotated[str, typer.Option("--chapter", hidden=True)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open the window, go through what it can do, take a picture of each step."""
    if chapter:
        from app.stories import play_evening

        play_evening(story, out)
        return
    if story:
        from app.stories import play_story

        taken = play_story(story, out, data)
    else:
        from app.tour import play

        taken = play(out, data)
    text = "\n".join(f"{path}: {words}" for path, words in taken)
    emit([{"picture": str(p), "shows": w} for p, w in taken], as_json=as_json, text=text)
