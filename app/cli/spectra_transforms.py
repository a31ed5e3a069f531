"""``clearband spectra {pca|mnf|ica|denoise|decorrelate}``: components, and scenes made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import pairs
from app.cli.options import AsJson, Out
from app.cli.spectra_grids import Nm, OutFile, prepared, write_scene
from app.cli.spectra_run import Option, SceneArg, Seed, run_tool, spectra_app
from backends.jobs import Progress

if TYPE_CHECKING:
    from backends.scene import Scene
    from backends.spectra.products import Product

Components = Annotated[int, typer.Option("--components", help="How many.")]
Dark = Annotated[
    Path | None,
    typer.Option("--dark", help="mnf: areas of an even, dark ground; their spread is the noise."),
]
DarkOption = Annotated[
    list[str] | None, typer.Option("--dark-option", help="Of its reader: coordinates=pixels.")
]
DarkName = Annotated[
    str | None, typer.Option("--dark-name", help="Only areas of this class or name.")
]


def _transform(method: str, about: str) -> None:
    @spectra_app.command(method, help=about)
    def command(
        scene: SceneArg,
        components: Components = 10,
        seed: Seed = 0,
        dark: Dark = None,
        dark_option: DarkOption = None,
        dark_name: DarkName = None,
        out: Out = None,
        option: Option = None,
        as_json: AsJson = False,
    ) -> None:
        def work(opened: Scene, progress: Progress, words: str) -> Product:
            from backends.spectra.preparing import dark_ground
            from backends.spectra.products import transform

            told = _dark(dark, dark_option, dark_name)
            return transform(
                opened, method, components, seed=seed, dark=dark_ground(opened, told, progress),
                command=words, progress=progress,
            )  # fmt: skip

        run_tool(method.upper(), scene, out, option, as_json, work)


_transform("pca", "Principal components as maps, and how much variance each holds.")
_transform("mnf", "Minimum noise fractions as maps, best signal-to-noise first.")
_transform("ica", "Independent components as maps, most peaked first.")


@spectra_app.command("denoise")
def denoise_command(
    scene: SceneArg,
    out: OutFile,
    method: Annotated[str, typer.Option("--method", help="mnf, pca or ica.")] = "mnf",
    components: Annotated[int, typer.Option("--components", help="Keep the first so many.")] = 10,
    keep: Annotated[
        str | None, typer.Option("--keep", help="Keep these, from 1: 1-8,10; not the first ones.")
    ] = None,
    seed: Seed = 0,
    dark: Dark = None,
    dark_option: DarkOption = None,
    dark_name: DarkName = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Write a scene made of some of its components only: transformed, cut off, turned back."""

    def work(opened: Scene, progress: Progress, command: str) -> dict[str, Any]:
        told = {
            "method": method, "components": components, "keep": keep, "seed": seed,
            **_dark(dark, dark_option, dark_name),
        }  # fmt: skip
        return prepared(opened, "denoise", told, out, command, progress)

    write_scene("Denoise", scene, option, as_json, work)


@spectra_app.command("decorrelate")
def decorrelate_command(
    scene: SceneArg,
    out: OutFile,
    nm: Nm = None,
    bands: Annotated[
        str | None, typer.Option("--bands", help="By number from 1: 10,20,30.")
    ] = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Write bands without the correlation between them (decorrelation stretch)."""

    def work(opened: Scene, progress: Progress, command: str) -> dict[str, Any]:
        told = {"nm": nm, "bands": bands}
        return prepared(opened, "decorrelate", told, out, command, progress)

    write_scene("Decorrelation stretch", scene, option, as_json, work)


def _dark(path: Path | None, options: list[str] | None, name: str | None) -> dict[str, Any]:
    return {
        "dark": path, "dark_options": pairs(options, "--dark-option"), "dark_name": name,
    }  # fmt: skip
