"""``clearband spectra {measure|profile|pixel|extreme}``: lines, areas and single pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job
from app.cli.options import AsJson
from app.cli.spectra_run import Option, SceneArg, answer_text, spectra_app
from backends.errors import BadInput, WrongUse
from backends.jobs import Job, Progress

if TYPE_CHECKING:
    from backends.scene import Scene

Points = Annotated[
    list[str], typer.Option("--point", help="A corner, as ROW,COL or as --as says; repeat it.")
]
As = Annotated[str, typer.Option("--as", help="row_col, map or lat_lon.")]
OutFile = Annotated[Path | None, typer.Option("--out", help="A .csv file; measure: .geojson too.")]
Band = Annotated[list[int] | None, typer.Option("--band", help="By number from 1.")]
Nm = Annotated[list[float] | None, typer.Option("--nm", help="By wavelength in nm.")]


@spectra_app.command("measure")
def measure_command(
    scene: SceneArg,
    point: Points,
    area: Annotated[bool, typer.Option("--area", help="An area, not a line.")] = False,
    kind: As = "row_col",
    name: Annotated[str, typer.Option("--name", help="What it is called in the file.")] = "",
    out: OutFile = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Say how long a line or how large an area is: geodesic on Earth, else by pixel size."""

    def work(opened: Scene, progress: Progress) -> dict[str, Any]:
        from backends.measuring.files import write_measurements
        from backends.measuring.lengths import AREA, DISTANCE, Measurement, checked, measure

        what = AREA if area else DISTANCE
        corners = checked(_places(opened, point, kind), what)
        size = measure(opened, corners, what)
        values = {
            "measured": size.text(), "length_m": size.length_m, "area_m2": size.area_m2,
            "length_px": size.length_px, "area_px": size.area_px, "bearing_deg": size.bearing,
            "method": size.method, "note": size.note or None,
        }  # fmt: skip
        if out is not None:
            called = name or ("Area 1" if area else "Line 1")
            one = Measurement(called, opened.id, what, corners, size)
            values["written"] = str(write_measurements(opened, [one], out))
        return values

    _run("Measure", scene, option, as_json, work)


@spectra_app.command("profile")
def profile_command(
    scene: SceneArg,
    point: Points,
    band: Band = None,
    nm: Nm = None,
    kind: As = "row_col",
    out: OutFile = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Read the values of bands along a line, a sample a pixel."""

    def work(opened: Scene, progress: Progress) -> dict[str, Any]:
        from backends.measuring.files import write_table
        from backends.measuring.reading import bands_of, profile, profile_rows

        corners = _places(opened, point, kind)
        found = profile(opened, corners, bands_of(opened, band or (), nm or ()), progress=progress)
        heads, rows = profile_rows(found)
        values: dict[str, Any] = {
            "samples": len(rows), f"length_{found.unit}": float(found.along[-1]),
        }  # fmt: skip
        if out is not None:
            values["written"] = str(write_table(_csv(out), heads, rows))
        else:
            values["profile"] = [dict(zip(heads, row, strict=True)) for row in rows]
        return values

    _run("Profile", scene, option, as_json, work)


@spectra_app.command("pixel")
def pixel_command(
    scene: SceneArg,
    at: Annotated[str, typer.Option("--at", help="The pixel: ROW,COL, or as --as says.")],
    radius: Annotated[int, typer.Option("--radius", help="1: it and the 8 around it.")] = 1,
    band: Band = None,
    nm: Nm = None,
    kind: As = "row_col",
    out: OutFile = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Say where a pixel lies and the values of every band in it and around it."""

    def work(opened: Scene, progress: Progress) -> dict[str, Any]:
        from backends.measuring.files import write_table
        from backends.measuring.places import place_words
        from backends.measuring.reading import bands_of, neighbourhood, neighbourhood_rows

        ((row, col),) = _places(opened, [at], kind)
        r, c = round(row), round(col)
        bands = bands_of(opened, band or (), nm or ())
        heads, rows = neighbourhood_rows(neighbourhood(opened, r, c, radius, bands=bands))
        values: dict[str, Any] = dict(place_words(opened, r, c))
        if out is not None:
            values["written"] = str(write_table(_csv(out), heads, rows))
        else:
            values["values"] = [dict(zip(heads, line, strict=True)) for line in rows]
        return values

    _run("Pixel", scene, option, as_json, work)


@spectra_app.command("extreme")
def extreme_command(
    scene: SceneArg,
    band: Band = None,
    nm: Nm = None,
    which: Annotated[str, typer.Option("--which", help="maximum or minimum.")] = "maximum",
    rows: Annotated[str | None, typer.Option("--rows", help="FIRST:END from 0.")] = None,
    cols: Annotated[str | None, typer.Option("--cols", help="FIRST:END from 0.")] = None,
    areas: Annotated[Path | None, typer.Option("--areas", help="Areas as GeoJSON.")] = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Find where a band is highest or lowest, in all of a scene, a part or areas of a file."""

    def work(opened: Scene, progress: Progress) -> dict[str, Any]:
        from backends.measuring.places import place_words
        from backends.measuring.reading import bands_of, extreme
        from backends.scene import Window

        if not (band or nm):
            raise WrongUse("No band is named.", way_out="Give --band or --nm.")
        window = None
        if rows or cols:
            (r0, r1), (c0, c1) = _span(rows, opened.shape[0]), _span(cols, opened.shape[1])
            window = Window(r0, c0, r1 - r0, c1 - c0)
        found = []
        for wanted in bands_of(opened, band or (), nm or ()):
            for region in _regions(opened, areas, progress):
                one = extreme(
                    opened, wanted, which, window=window, region=region, progress=progress
                )
                row: dict[str, Any] = {"band": one.label, which: one.value}
                row |= {"area": region.name} if region is not None else {}
                row |= {"row": one.row, "col": one.col, "equal_pixels": one.equal}
                words = place_words(opened, one.row, one.col)
                found.append(row | {k: v for k, v in words.items() if k != "row_col"})
        return {"found": found}

    _run("Find", scene, option, as_json, work)


def _run(
    title: str,
    path: Path,
    option: list[str] | None,
    as_json: bool,
    work: Callable[[Scene, Progress], dict[str, Any]],
) -> None:
    def run(progress: Progress) -> dict[str, Any]:
        from backends.io import open_scene

        with open_scene(path, pairs(option, "--option")) as scene:
            return {"scene": scene.title, **work(scene, progress)}

    values = run_job(Job(f"{title} in {path.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=answer_text(values))


def _places(scene: Scene, texts: list[str], kind: str) -> list[tuple[float, float]]:
    from backends.measuring.places import parse_place, to_pixel

    return [to_pixel(scene, parse_place(text, kind)) for text in texts]


def _span(text: str | None, count: int) -> tuple[int, int]:
    if text is None:
        return 0, count
    first, sign, end = text.partition(":")
    try:
        low, high = int(first or 0), int(end) if end else count
    except ValueError:
        low, high, sign = 0, 0, ""
    if not sign or not 0 <= low < high:
        raise WrongUse(f"{text} is no part.", way_out="Give FIRST:END, such as 0:100.")
    return low, min(high, count)


def _regions(scene: Scene, areas: Path | None, progress: Progress) -> list[Any]:
    if areas is None:
        return [None]
    from backends.io.annotations import read_annotations

    found = read_annotations(areas, scene.id, scene.shape[:2], progress=progress).regions
    if not found:
        raise BadInput(f"{areas.name} holds no area.", subject=areas)
    return list(found)


def _csv(path: Path) -> Path:
    if path.suffix.lower() != ".csv":
        raise WrongUse(f"{path.name} is no table.", way_out="End its name in .csv.")
    return path
