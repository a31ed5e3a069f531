"""What the commands under ``clearband spectra`` share: running a tool and printing its answer."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.root import app
from backends.jobs import Job, Progress

if TYPE_CHECKING:
    from backends.scene import Scene
    from backends.spectra.products import Product

spectra_app = typer.Typer(
    name="spectra",
    help="The daily work with spectra: statistics, matching, indices, formulas, transforms, "
    "clusters, change, unmixing, parts and other grids.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(spectra_app)

SceneArg = Annotated[Path, typer.Argument(metavar="SCENE", help="Any image.")]
Option = Annotated[list[str] | None, typer.Option("--option", help="Of the reader.")]
Seed = Annotated[int, typer.Option("--seed", help="Of what is random.")]


def run_tool(
    title: str,
    path: Path,
    out: Path | None,
    option: list[str] | None,
    as_json: bool,
    work: Callable[[Scene, Progress, str], Product],
) -> None:
    command = shlex.join(["clearband", *sys.argv[1:]])

    def run(progress: Progress) -> dict[str, Any]:
        from backends.io import open_scene
        from backends.spectra.products import write_product

        with open_scene(path, pairs(option, "--option")) as scene:
            made = work(scene, progress, command)
            values = dict(made.summary)
            if out is not None:
                written = write_product(made, scene, out, progress=progress)
                values["written"] = [str(file) for file in written]
        return values

    values = run_job(Job(f"{title} of {path.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=answer_text(values))


def answer_text(values: Mapping[str, Any]) -> str:
    """Return plain values as lines and lists of rows as small tables below."""
    plain = {
        key.replace("_", " ").capitalize(): _short(value)
        for key, value in values.items()
        if value is not None and value != [] and not _is_rows(value) and key != "taken"
    }
    parts = [table(plain)]
    parts += [_rows(value) for value in values.values() if _is_rows(value)]
    return "\n\n".join(parts)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_short(v) for v in value)
    return str(value)


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = list(rows[0])
    cells = [[h.replace("_", " ") for h in heads]]
    cells += [["" if row[h] is None else _short(row[h]) for h in heads] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
