"""``clearband info PATH``: what an image is, without opening the window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.root import app
from backends.describe import describe
from backends.io import open_scene
from backends.jobs import Job, Progress
from backends.spectra.library import SpectralLibrary, is_library, read_library


@app.command("info")
def info(
    path: Annotated[Path, typer.Argument(help="A file or folder.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value, e.g. key=cube.")
    ] = None,
    statistics: Annotated[
        bool,
        typer.Option("--statistics", help="Read all of it once for exact figures a band."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what an image or a spectral library is: size, bands, wavelengths, place, notes."""
    if is_library(path):
        _show_library(read_library(path), as_json)
        return
    with open_scene(path, pairs(option, "--option")) as scene:
        facts = describe(scene)
        lines: dict[str, Any] = dict(facts.lines)
        values = dict(facts.values)
        if statistics:

            def run(progress: Progress) -> Any:
                return scene.statistics(progress=progress)

            found = run_job(Job(f"Statistics of {scene.title}", run), quiet=as_json)
            values["statistics"] = {
                "minimum": found.minimum.tolist(),
                "maximum": found.maximum.tolist(),
                "mean": found.mean.tolist(),
                "std": found.std.tolist(),
                "valid_pixels": found.count.tolist(),
            }
            for band, name in enumerate(scene.bands.names):
                lines[name] = (
                    f"{found.minimum[band]:.5g} to {found.maximum[band]:.5g}, "
                    f"mean {found.mean[band]:.5g}, sd {found.std[band]:.5g}"
                )
    emit(values, as_json=as_json, text=table(lines))


def _show_library(library: SpectralLibrary, as_json: bool) -> None:
    nm = library.wavelength_nm
    size = f"{len(library.names)} spectra × {library.values.shape[1]} bands"
    lines: dict[str, Any] = {"Name": library.title, "What": f"spectral library of {size}"}
    if nm is not None and nm.size:
        lines["Wavelengths"] = f"{nm[0]:.1f} to {nm[-1]:.1f} nm"
    if library.unit:
        lines["Unit"] = library.unit
    if library.note:
        lines["Note"] = library.note
    if len(library.names) == 1:
        lines |= library.facts_of(0)
    lines["Spectra"] = ", ".join(library.names[:12]) + (", …" if len(library.names) > 12 else "")
    values = {
        "kind": "spectral library",
        "title": library.title,
        "names": list(library.names),
        "wavelength_nm": None if nm is None else nm.tolist(),
        "unit": library.unit,
        "facts": [dict(f) for f in library.facts],
        "note": library.note,
    }
    emit(values, as_json=as_json, text=table(lines))
