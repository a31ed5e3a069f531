"""``clearband spectra cluster``: classes without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import AsJson, Out
from app.cli.spectra_run import Option, SceneArg, Seed, run_tool, spectra_app
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
