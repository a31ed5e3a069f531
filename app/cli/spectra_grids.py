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
from backends.errors import WrongUse
from backends.jobs import Job, Progress

if TYPE_CHECKING:
    from backends.scene import Scene
    from backends.spectra.products import Product
    from backends.spectra.reproject import Grid

OutFile = Annotated[
    Path, typer.Option("--out", help="FILE.tif for GeoTIFF, else ENVI with its header beside.")
]
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
        from backends.spectra.band_quality import band_quality
        from backends.spectra.products import Product

        rows = band_quality(opened, least=least, progress=progress)
        bad = [row for row in rows if row["bad"]]
        said = {"scene": opened.title, "bands": len(rows), "bad": len(bad), "bad_bands": bad}
        return Product((), said, {"bands": rows})

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
        from backends.spectra.band_quality import destripe

        return destripe(opened, out, window=window, gains=gains, command=command, progress=progress)

    _write("Destripe", scene, option, as_json, work)


@spectra_app.command("subset")
def subset_command(
    scene: SceneArg,
    out: OutFile,
    rows: Annotated[
        str | None, typer.Option("--rows", help="FIRST:END from 0; END is not in it.")
    ] = None,
    cols: Annotated[
        str | None, typer.Option("--cols", help="FIRST:END from 0; END is not in it.")
    ] = None,
    box: Box = None,
    lonlat: Annotated[bool, typer.Option("--lonlat", help="The box is in degrees.")] = False,
    areas: Annotated[
        Path | None, typer.Option("--areas", help="Labels or areas; what lies outside is empty.")
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
        from backends.scene import Window
        from backends.spectra.cubes import subset, window_of_box

        if box is not None and (rows or cols):
            raise WrongUse("Give either --box or --rows and --cols.")
        if box is not None:
            window = window_of_box(opened, _box(box), lonlat=lonlat)
        else:
            r0, r1 = _range(rows, opened.shape[0], "--rows")
            c0, c1 = _range(cols, opened.shape[1], "--cols")
            window = Window(r0, c0, r1 - r0, c1 - c0)
        mask = None
        if areas is not None:
            from backends.label_files import labels_for

            mask = labels_for(opened, areas, progress=progress).values > 0
            if mask.shape != opened.shape[:2]:
                raise WrongUse(f"{areas.name} has another size than {opened.title}.")
        chosen = _bands(opened, nm, bands, good, progress)
        return subset(
            opened, out, window=window, bands=chosen, mask=mask, command=command,
            progress=progress,
        )  # fmt: skip

    _write("Subset", scene, option, as_json, work)


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
        from backends.io import open_scene
        from backends.spectra.cubes import resample_bands, sensor_bands

        if bool(sensor) == (like is not None):
            raise WrongUse("Resampling needs a sensor.", way_out="Give --sensor or --like SCENE.")
        if like is not None:
            with open_scene(like) as other:
                table, name = other.bands, other.title
        else:
            table, name = sensor_bands(sensor), sensor
        return resample_bands(opened, table, out, sensor=name, command=command, progress=progress)

    _write("Resample", scene, option, as_json, work)


@spectra_app.command("reproject")
def reproject_command(
    scene: SceneArg,
    out: OutFile,
    crs: Annotated[str | None, typer.Option("--crs", help="EPSG:32633.")] = None,
    resolution: Annotated[
        float | None, typer.Option("--resolution", help="Of a pixel, in units of the system.")
    ] = None,
    box: Box = None,
    like: Annotated[Path | None, typer.Option("--like", help="The grid of this scene.")] = None,
    resampling: Annotated[
        str, typer.Option("--resampling", help="nearest (classes) or bilinear.")
    ] = "",
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Write a scene on another grid: coordinate system, pixel size, clipped to a box."""

    def work(opened: Scene, progress: Progress, command: str) -> dict[str, Any]:
        from backends.spectra.reproject import reproject

        grid = _grid(opened, crs, resolution, box, like)
        return reproject(opened, grid, out, how=resampling, command=command, progress=progress)

    _write("Reproject", scene, option, as_json, work)


def _grid(
    scene: Scene, crs: str | None, resolution: float | None, box: str | None, like: Path | None
) -> Grid:
    from backends.io import open_scene
    from backends.spectra.reproject import grid_for, grid_of

    if like is not None:
        if crs or resolution or box:
            raise WrongUse("--like says everything; leave --crs, --resolution and --box out.")
        with open_scene(like) as other:
            return grid_of(other)
    if not (crs or resolution or box):
        raise WrongUse("A new grid needs --crs, --resolution, --box or --like.")
    return grid_for(scene, crs, resolution, None if box is None else _box(box))


def _write(
    title: str,
    path: Path,
    option: list[str] | None,
    as_json: bool,
    work: Callable[[Scene, Progress, str], dict[str, Any]],
) -> None:
    command = shlex.join(["clearband", *sys.argv[1:]])

    def run(progress: Progress) -> dict[str, Any]:
        from backends.io import open_scene

        with open_scene(path, pairs(option, "--option")) as scene:
            return {"scene": scene.title, **work(scene, progress, command)}

    values = run_job(Job(f"{title} {path.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=answer_text(values))


def _bands(
    scene: Scene, nm: list[str] | None, numbers: str | None, good: bool, progress: Progress
) -> list[int]:
    """Return the bands asked for, in file order."""
    chosen = set(range(scene.shape[2]))
    if numbers is not None:
        chosen &= set(_numbers(numbers, scene.shape[2]))
    if nm:
        if not scene.bands.has_wavelengths:
            raise WrongUse(f"{scene.title} does not know its wavelengths.", way_out="Use --bands.")
        wanted: set[int] = set()
        for text in nm:
            low, sign, high = text.partition(":")
            try:
                if sign:
                    known = scene.bands.wavelengths()
                    inside = (known >= float(low)) & (known <= float(high))
                    wanted |= {b for b in range(known.size) if inside[b]}
                else:
                    band = scene.bands.nearest(float(low))
                    wanted |= set() if band is None else {band}
            except ValueError:
                raise WrongUse(f"{text} is no range of wavelengths.", way_out="450:900.") from None
        chosen &= wanted
    if good:
        from backends.spectra.band_quality import band_quality

        bad = {row["band"] - 1 for row in band_quality(scene, progress=progress) if row["bad"]}
        chosen -= bad
    return sorted(chosen)


def _numbers(text: str, count: int) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        low, sign, high = part.partition("-")
        try:
            first, last = int(low), int(high) if sign else int(low)
        except ValueError:
            raise WrongUse(f"{text} are no band numbers.", way_out="Write 1,5-10.") from None
        if not 1 <= first <= last <= count:
            raise WrongUse(f"There are the bands 1 to {count}, not {part}.")
        found += range(first - 1, last)
    return found


def _range(text: str | None, length: int, what: str) -> tuple[int, int]:
    if text is None:
        return 0, length
    low, sign, high = text.partition(":")
    try:
        first, end = int(low or 0), int(high) if high else length
    except ValueError:
        sign = ""
        first = end = 0
    if not sign or not 0 <= first < end:
        raise WrongUse(f"{what} is FIRST:END, such as 10:60, not {text}.")
    return first, end


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise WrongUse(f"{text} is no box.", way_out="Give WEST,SOUTH,EAST,NORTH.") from None
    if not (west < east and south < north):
        raise WrongUse(f"The box {text} is empty.", way_out="Give WEST,SOUTH,EAST,NORTH.")
    return west, south, east, north
