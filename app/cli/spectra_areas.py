"""``clearband spectra {regions|areas}``: figures of areas, and areas found in a scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job
from app.cli.options import AsJson, Out
from app.cli.spectra_run import Option, SceneArg, answer_text, run_tool, spectra_app
from backends.errors import WrongUse
from backends.jobs import Job, Progress

if TYPE_CHECKING:
    from backends.regions import Region
    from backends.scene import Scene
    from backends.spectra.products import Product

AreasOption = Annotated[
    list[str] | None,
    typer.Option("--areas-option", help="Of its reader: class=FIELD, layer=NAME, coordinates=…"),
]


@spectra_app.command("regions")
def regions_command(
    scene: SceneArg,
    areas: Annotated[
        Path,
        typer.Option(
            "--areas", help="Labels, or areas: GeoPackage, GeoJSON, shapefile, KML, session."
        ),
    ],
    areas_option: AreasOption = None,
    each: Annotated[
        bool, typer.Option("--each", help="Each area on its own, not those of a class together.")
    ] = False,
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Say size and spectra of areas; write tables, a library of means, with --each a GeoPackage."""

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.spectra.area_statistics import describe_areas

        return describe_areas(
            opened, areas, options=pairs(areas_option, "--areas-option"), each=each,
            command=command, progress=progress,
        )  # fmt: skip

    run_tool("Areas", scene, out, option, as_json, work)


@spectra_app.command("areas")
def areas_command(
    scene: SceneArg,
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="FILE.geojson (pixels), FILE.gpkg (map), FILE.csv (figures), FILE.sli."
        ),
    ],
    where: Annotated[
        str | None, typer.Option("--where", help="A formula: b[860] > 0.3, (b[860] / b[660]) < 1.")
    ] = None,
    wand: Annotated[
        str | None, typer.Option("--wand", help="ROW,COL: pixels like this one.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Of the wand: radians, or share of its length.")
    ] = 0.08,
    measure: Annotated[
        str, typer.Option("--measure", help="Of the wand: angle or distance.")
    ] = "angle",
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Also what hangs not together with it.")
    ] = False,
    areas: Annotated[
        Path | None, typer.Option("--areas", help="Areas of a file, brought to this scene.")
    ] = None,
    areas_option: AreasOption = None,
    name: Annotated[str, typer.Option("--name", help="Of the region.")] = "Region",
    least: Annotated[int, typer.Option("--least", help="Pixels of the smallest piece.")] = 1,
    each: Annotated[bool, typer.Option("--each", help="A region a piece.")] = False,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Find areas by threshold or wand, or take those of a file, and write them with their size."""
    if sum(given is not None for given in (where, wand, areas)) != 1:
        raise WrongUse("Areas are found one way.", way_out="Give --where, --wand or --areas.")

    def find(opened: Scene, progress: Progress) -> list[Region]:
        from backends.spectra import region_making
        from backends.spectra.area_statistics import areas_on

        if areas is not None:
            return areas_on(opened, areas, pairs(areas_option, "--areas-option"), progress)
        if where is not None:
            mask = region_making.formula_mask(opened, where, progress=progress)
        else:
            like = region_making.Wand(tolerance, measure, not anywhere)
            mask = region_making.wand_mask(opened, *_place(wand or ""), like, progress=progress)
        return region_making.regions_of_mask(
            mask, opened.id, name, least_pixels=least, each=each, progress=progress
        )

    def run(progress: Progress) -> dict[str, Any]:
        from backends.io import open_scene
        from backends.io.writers.regions import write_regions
        from backends.spectra.region_figures import region_figures, size_rows

        with open_scene(scene, pairs(option, "--option")) as opened:
            found = find(opened, progress)
            rows = size_rows(region_figures(opened, found, progress=progress))
            written = write_regions(opened, found, out, progress=progress)
            return {
                "scene": opened.title, "regions": rows, "written": [str(path) for path in written],
            }  # fmt: skip

    values = run_job(Job(f"Areas of {scene.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=answer_text(values))


def _place(text: str) -> tuple[int, int]:
    row, _, col = text.partition(",")
    try:
        return int(row), int(col)
    except ValueError as error:
        raise WrongUse(f"{text} is no place.", way_out="Give ROW,COL, such as 12,40.") from error
