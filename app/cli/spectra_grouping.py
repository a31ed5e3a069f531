"""``clearband spectra {cluster|index}``: classes without labels, indices by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import emit, pairs
from app.cli.options import AsJson, Out
from app.cli.spectra_run import Option, SceneArg, Seed, answer_text, run_tool, spectra_app
from backends.errors import WrongUse
from backends.jobs import Progress

if TYPE_CHECKING:
    from backends.scene import Scene
    from backends.spectra.products import Product


@spectra_app.command("cluster")
def cluster_command(
    scene: SceneArg,
    method: Annotated[str, typer.Option("--method", help="kmeans or isodata.")] = "kmeans",
    count: Annotated[
        int, typer.Option("--count", help="Clusters; for isodata those to begin with.")
    ] = 8,
    passes: Annotated[int, typer.Option("--passes", help="Over the scene, at most.")] = 20,
    least: Annotated[
        int | None, typer.Option("--least", help="isodata: fewest clusters; half of --count.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", help="isodata: most clusters; twice --count.")
    ] = None,
    pixels: Annotated[
        int, typer.Option("--pixels", help="isodata: a smaller cluster is dropped.")
    ] = 25,
    spread: Annotated[
        float | None,
        typer.Option("--spread", help="isodata: split above this deviation in a band."),
    ] = None,
    apart: Annotated[
        float | None, typer.Option("--apart", help="isodata: merge centres closer than this.")
    ] = None,
    seed: Seed = 0,
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Group pixels by their spectra, without labels (k-means, ISODATA)."""

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.spectra.clustering import MOST_CLUSTERS, IsodataLimits, cluster

        limits = IsodataLimits(
            max(2, count // 2) if least is None else least,
            min(MOST_CLUSTERS, 2 * count) if most is None else most,
            pixels, spread, apart,
        )  # fmt: skip
        return cluster(
            opened, count, method, passes=passes, limits=limits, seed=seed, command=command,
            progress=progress,
        )  # fmt: skip

    run_tool("Clusters", scene, out, option, as_json, work)


@spectra_app.command("index")
def index_command(
    scene: Annotated[
        Path | None, typer.Argument(metavar="SCENE", help="Any image with wavelengths.")
    ] = None,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME…", help="NDVI, NBR, MSAVI …")
    ] = None,
    every: Annotated[bool, typer.Option("--list", help="List all indices.")] = False,
    search: Annotated[
        str, typer.Option("--search", help="List those with these words: water, burn, red edge.")
    ] = "",
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Compute spectral indices by name; say which bands stood for their letters, and how far off.

    With --list or --search: what there is, and with a scene, what each one lacks.
    """
    if every or search:
        rows = _listed(scene, option, search)
        if not rows:
            raise WrongUse(f"No index has the words {search}.", way_out="Use other words.")
        emit({"indices": rows}, as_json=as_json, text=answer_text({"indices": rows}))
        return
    if scene is None:
        raise WrongUse("Indices need a scene.", way_out="Give SCENE NAME…, or --list.")

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.spectra.index_catalogue import compute_indices

        return compute_indices(opened, names or (), command=command, progress=progress)

    run_tool("Indices", scene, out, option, as_json, work)


def _listed(path: Path | None, option: list[str] | None, search: str) -> list[dict[str, Any]]:
    from backends.io import open_scene
    from backends.spectra.index_catalogue import index_table

    if path is None:
        return index_table(None, search)
    with open_scene(path, pairs(option, "--option")) as opened:
        return index_table(opened, search)
