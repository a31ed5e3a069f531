"""``clearband spectra shift``: do two scenes lie on each other, and moving one of them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job
from app.cli.options import AsJson
from app.cli.spectra_run import Option, SceneArg, answer_text, spectra_app
from backends.errors import WrongUse
from backends.jobs import Job, Progress


@spectra_app.command("shift")
def shift_command(
    scene: SceneArg,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="The image that may be moved.")],
    nm: Annotated[float | None, typer.Option("--nm", help="Compare this wavelength.")] = None,
    tie: Annotated[
        str | None,
        typer.Option("--tie", help="ROW,COL:ROW,COL: the same thing in SCENE and in OTHER."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write OTHER moved: FILE.tif, else ENVI.")
    ] = None,
    option: Option = None,
    other_option: Annotated[
        list[str] | None, typer.Option("--other-option", help="Of the other image's reader.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how far OTHER lies beside SCENE (phase correlation, or a tie); --out moves it."""
    command = shlex.join(["clearband", *sys.argv[1:]])

    def run(progress: Progress) -> dict[str, Any]:
        from backends.io import open_scene
        from backends.pairs.registration import register
        from backends.pairs.shifting import move_to, moved_notes, offset_against, offset_for
        from backends.spectra.cubes import subset

        with (
            open_scene(scene, pairs(option, "--option")) as one,
            open_scene(other, pairs(other_option, "--other-option")) as two,
        ):
            values: dict[str, Any] = {"scene": one.title, "other": two.title}
            offset = None
            if tie is not None:
                offset = offset_for(one, two, *_tie(tie))
            else:
                found = register(one, two, wavelength=nm, progress=progress)
                values |= found.to_dict()
                if found.rows is not None and found.cols is not None and found.alignment.placed:
                    offset = offset_against(one, two, found.rows, found.cols, found.alignment)
            if offset is not None:
                move_to(two, offset)
                values["option"] = f"shift={two.info.options.get('shift', '0,0')}"
                values["moved"] = moved_notes(two) or None
            if out is not None:
                if offset is None:
                    raise WrongUse(
                        values.get("note") or "Nothing says by how much to move it.",
                        way_out="Give --tie.",
                    )
                values |= {
                    "written": subset(two, out, command=command, progress=progress)["written"]
                }
        return values

    values = run_job(Job(f"Compare {scene.name} with {other.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=answer_text(values))


def _tie(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    try:
        first, second = (
            (float(row), float(col)) for row, col in (end.split(",") for end in text.split(":"))
        )
    except ValueError as error:
        raise WrongUse(
            f"{text} is no tie.", way_out="Give ROW,COL:ROW,COL, such as 12,40:14,41.5."
        ) from error
    return first, second
