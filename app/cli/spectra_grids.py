"""``clearband spectra {change|badbands|destripe|subset|resample|reproject}``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job
from app.cli.options import AsJson, Out
from app.cli.spectra_run import Option, SceneArg, answer_text, run_tool, spectra_app
from backends.jobs import Job, Progress

if TYPE_CHECKING:
    from backends.scene import Scene
    from backends.spectra.products import Product

OutFile = Annotated[
    Path, typer.Option("--out", help="FILE.tif for GeoTIFF, else ENVI with its header beside.")
]
Rows = Annotated[str | None, typer.Option("--rows", help="FIRST:END from 0; END is not in it.")]
Cols = Annotated[str | None, typer.Option("--cols", help="FIRST:END from 0; END is not in it.")]
Nm = Annotated[list[str] | None, typer.Option("--nm", help="LOW:HIGH in nm, or one wavelength.")]
Box = Annotated[str | None, typer.Option("--box", help="WEST,SOUTH,EAST,NORTH in map coordinates.")]


@spectra_app.command("change")
def change_command(
    scene: SceneArg,
    other: Annotated[Path, typer.Argument(metavar="LATER", help="The later image.")],
    method: Annotated[
        str, typer.Option("--method", help="vector, difference or ratio.")
    ] = "vector",
    nm: Annotated[list[float] | None, typer.Option("--nm", help="Only this wavelength.")] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="First match mean and deviation of each band.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="vector: how large a change must be; Otsu's."),
    ] = None,
    out: Out = None,
    option: Option = None,
    other_option: Annotated[
        list[str] | None, typer.Option("--other-option", help="Of the later image's reader.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what changed between two scenes on one grid, and whether they lie on each other."""

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.io import open_scene
        from backends.spectra.change import compare

        with open_scene(other, pairs(other_option, "--other-option")) as later:
            return compare(
                opened, later, method, wavelengths=nm or (), normalise=normalise,
                threshold=threshold, command=command, progress=progress,
            )  # fmt: skip

    run_tool("Change", scene, out, option, as_json, work)


@spectra_app.command("badbands")
def badbands_command(
    scene: SceneArg,
    least: Annotated[
        float, typer.Option("--least", help="Least correlation with the nearer neighbour.")
    ] = 0.7,
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Find bands that are empty, constant or noise: unlike both of their neighbours."""

    def work(opened: Scene, progress: Progress, _: str) -> Product:
        from backends.spectra.band_quality import bad_bands

        return bad_bands(opened, least=least, progress=progress)

    run_tool("Bad bands", scene, out, option, as_json, work)


@spectra_app.command("destripe")
def destripe_command(
    scene: SceneArg,
    out: OutFile,
    window: Annotated[
        int, typer.Option("--window", help="Columns that say what one should be; odd.")
    ] = 31,
    gains: Annotated[
        bool, typer.Option("--gains/--means", help="Match deviations too, or means alone.")
    ] = True,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Take out the stripes that unequal detectors leave along the columns (moment matching)."""

    def work(opened: Scene, progress: Progress, command: str) -> dict[str, Any]:
        told = {"window": window, "gains": gains}
        return prepared(opened, "destripe", told, out, command, progress)

    write_scene("Destripe", scene, option, as_json, work)


@spectra_app.command("subset")
def subset_command(
    scene: SceneArg,
    out: OutFile,
    rows: Rows = None,
    cols: Cols = None,
    box: Box = None,
    lonlat: Annotated[bool, typer.Option("--lonlat", help="The box is in degrees.")] = False,
    areas: Annotated[
        Path | None, typer.Option("--areas", help="Labels or areas; what lies outside is empty.")
    ] = None,
    areas_option: Annotated[
        list[str] | None, typer.Option("--areas-option", help="Of its reader: coordinates=pixels.")
    ] = None,
    nm: Nm = None,
    bands: Annotated[
        str | None, typer.Option("--bands", help="By number from 1: 1,5-10,30.")
    ] = None,
    good: Annotated[
        bool, typer.Option("--good", help="Without bad bands, those that badbands finds, too.")
    ] = False,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Write a part of a scene, in space and in bands; the values stay as they are."""

    def work(opened: Scene, progress: Progress, command: str) -> dict[str, Any]:
        told = {
            "rows": rows, "cols": cols, "box": box, "lonlat": lonlat, "areas": areas, "nm": nm,
            "areas_options": pairs(areas_option, "--areas-option"), "bands": bands, "good": good,
        }  # fmt: skip
        return prepared(opened, "subset", told, out, command, progress)

    write_scene("Subset", scene, option, as_json, work)


@spectra_app.command("resample")
def resample_command(
    scene: SceneArg,
    out: OutFile,
    sensor: Annotated[str, typer.Option("--sensor", help="sentinel2, landsat8 or modis.")] = "",
    like: Annotated[Path | None, typer.Option("--like", help="The bands of this scene.")] = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Write a scene with the bands of another sensor (Gaussian responses)."""

    def work(opened: Scene, progress: Progress, command: str) -> dict[str, Any]:
        told = {"sensor": sensor, "like": like}
        return prepared(opened, "resample", told, out, command, progress)

    write_scene("Resample", scene, option, as_json, work)


@spectra_app.command("reproject")
def reproject_command(
    scene: SceneArg,
    out: OutFile,
    crs: Annotated[str | None, typer.Option("--crs", help="EPSG:32633.")] = None,
    resolution: Annotated[
        float | None, typer.Option("--resolution", help="Of a pixel, in units of the system.")
    ] = None,
    box: Box = None,
    rows: Rows = None,
    cols: Cols = None,
    like: Annotated[Path | None, typer.Option("--like", help="The grid of this scene.")] = None,
    resampling: Annotated[
        str, typer.Option("--resampling", help="nearest (classes) or bilinear.")
    ] = "",
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Write a scene on another grid: coordinate system, pixel size, clipped to a box."""

    def work(opened: Scene, progress: Progress, command: str) -> dict[str, Any]:
        told = {
            "crs": crs, "resolution": resolution, "box": box, "rows": rows, "cols": cols,
            "like": like, "resampling": resampling,
        }  # fmt: skip
        return prepared(opened, "reproject", told, out, command, progress)

    write_scene("Reproject", scene, option, as_json, work)


def prepared(
    scene: Scene, tool: str, told: dict[str, Any], out: Path, command: str, progress: Progress
) -> dict[str, Any]:
    """Write what a tool makes of a scene, told by the names of its options."""
    from backends.spectra.preparing import prepare

    return prepare(scene, tool, told, out, command=command, progress=progress)


def write_scene(
    title: str,
    path: Path,
    option: list[str] | None,
    as_json: bool,
    work: Callable[[Scene, Progress, str], dict[str, Any]],
) -> None:
    """Run what writes a scene, and print its figures."""
    command = shlex.join(["clearband", *sys.argv[1:]])

    def run(progress: Progress) -> dict[str, Any]:
        from backends.io import open_scene

        with open_scene(path, pairs(option, "--option")) as scene:
            return {"scene": scene.title, **work(scene, progress, command)}

    values = run_job(Job(f"{title} {path.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=answer_text(values))
