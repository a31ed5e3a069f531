"""``clearband spectra {stats|regions|match|expr|pca|mnf|ica|rx|target|unmix} SCENE …``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import pairs
from app.cli.options import AsJson, Out
from app.cli.spectra_run import Option, SceneArg, Seed, run_tool, spectra_app
from backends.errors import WrongUse
from backends.jobs import Progress

if TYPE_CHECKING:
    from backends.scene import Scene
    from backends.spectra.products import Product
    from backends.spectra.references import References

Library = Annotated[Path | None, typer.Option("--library", help="ENVI or CSV library.")]
Name = Annotated[
    list[str] | None, typer.Option("--name", help="Only spectra whose name holds this.")
]
Areas = Annotated[
    Path | None, typer.Option("--areas", help="Labels or areas; each class's mean spectrum.")
]
AreasOption = Annotated[
    list[str] | None, typer.Option("--areas-option", help="Of its reader: coordinates=pixels.")
]
At = Annotated[list[str] | None, typer.Option("--at", help="ROW,COL: this pixel's spectrum.")]


@spectra_app.command("stats")
def stats_command(
    scene: SceneArg, out: Out = None, option: Option = None, as_json: AsJson = False
) -> None:
    """Say minimum, maximum, mean, deviation and percentiles of each band."""

    def work(opened: Scene, progress: Progress, _: str) -> Product:
        from backends.spectra.area_statistics import band_table
        from backends.spectra.products import Product

        rows = band_table(opened, progress=progress)
        return Product((), {"scene": opened.title, "bands": rows}, {"bands": rows})

    run_tool("Statistics", scene, out, option, as_json, work)


@spectra_app.command("match")
def match_command(
    scene: SceneArg,
    library: Library = None,
    name: Name = None,
    areas: Areas = None,
    areas_option: AreasOption = None,
    at: At = None,
    measure: Annotated[
        str, typer.Option("--measure", help="spectral_angle, spectral_correlation, …")
    ] = "spectral_angle",
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Less alike stays without a class.")
    ] = None,
    rank: Annotated[
        list[str] | None,
        typer.Option("--rank", help="ROW,COL: rank the references for this pixel."),
    ] = None,
    rank_areas: Annotated[
        Path | None, typer.Option("--rank-areas", help="Rank them for the mean of each area.")
    ] = None,
    rank_areas_option: Annotated[
        list[str] | None, typer.Option("--rank-areas-option", help="Of its reader.")
    ] = None,
    rank_name: Annotated[
        list[str] | None, typer.Option("--rank-name", help="Only areas of this name.")
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            help="Of a ranking: angle, features, correlation (1 each), divergence, distance (0); "
            "angle=2.",
        ),
    ] = None,
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Compare each pixel with reference spectra, or rank them for pixels or areas."""

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.spectra import ranking
        from backends.spectra.area_statistics import areas_on
        from backends.spectra.products import match

        weights = ranking.weights_of(pairs(weight, "--weight"))
        found = _references(opened, library, name, areas, areas_option, at, progress)
        of: list[Any] = list(_places(rank))
        if rank_areas is not None:
            told = pairs(rank_areas_option, "--rank-areas-option")
            regions = areas_on(opened, rank_areas, told, progress)
            of += [r for r in regions if not rank_name or r.name in rank_name]
            if not of:
                raise WrongUse(f"{rank_areas.name} has no area {' or '.join(rank_name or ())}.")
        if of:
            return ranking.rank(opened, of, found, weights, progress=progress)
        return match(
            opened, found, measure, threshold=threshold, command=command, progress=progress
        )

    run_tool("Match", scene, out, option, as_json, work)


@spectra_app.command("expr")
def expr_command(
    scene: SceneArg,
    formula: Annotated[str, typer.Argument(help="(b[860] - b[660]) / (b[860] + b[660])")],
    other: Annotated[
        list[str] | None, typer.Option("--scene", help="name=FILE: another scene on the grid.")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Name of the layer.")] = "",
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Compute a formula over bands named by wavelength; band[12] is one by number."""

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.io import open_scene
        from backends.spectra.products import apply_formula

        others = {key: open_scene(str(path)) for key, path in pairs(other, "--scene").items()}
        try:
            return apply_formula(
                opened, formula, others=others, title=title, command=command, progress=progress
            )
        finally:
            for scene in others.values():
                scene.close()

    run_tool("Formula", scene, out, option, as_json, work)


@spectra_app.command("rx")
def rx_command(
    scene: SceneArg,
    false_alarms: Annotated[
        float, typer.Option("--false-alarms", help="Share of background above the threshold.")
    ] = 1e-3,
    window: Annotated[
        str | None,
        typer.Option("--window", help="INNER,OUTER: against the ring around; 3,15 or 90m,450m."),
    ] = None,
    components: Annotated[
        int | None, typer.Option("--components", help="Score only so many principal components.")
    ] = None,
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Find pixels unlike their background (RX), global or against their surroundings."""

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.spectra.detectors import window_of
        from backends.spectra.products import anomalies

        return anomalies(
            opened, false_alarms=false_alarms, components=components, command=command,
            window=None if window is None else window_of(opened, window), progress=progress,
        )  # fmt: skip

    run_tool("Anomalies", scene, out, option, as_json, work)


@spectra_app.command("target")
def target_command(
    scene: SceneArg,
    library: Library = None,
    name: Name = None,
    areas: Areas = None,
    areas_option: AreasOption = None,
    at: At = None,
    method: Annotated[str, typer.Option("--method", help="ace, matched_filter or cem.")] = "ace",
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Look for a spectrum against the scene's background."""

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.spectra.products import find_target

        found = _references(opened, library, name, areas, areas_option, at, progress)
        return find_target(opened, found, method, command=command, progress=progress)

    run_tool("Target", scene, out, option, as_json, work)


@spectra_app.command("unmix")
def unmix_command(
    scene: SceneArg,
    count: Annotated[
        int | None, typer.Option("--count", help="Endmembers to find; default by HySime.")
    ] = None,
    method: Annotated[str, typer.Option("--method", help="vca, n_findr or ppi.")] = "vca",
    library: Library = None,
    name: Name = None,
    areas: Areas = None,
    areas_option: AreasOption = None,
    at: At = None,
    seed: Seed = 0,
    out: Out = None,
    option: Option = None,
    as_json: AsJson = False,
) -> None:
    """Shares of pure materials in each pixel (fully constrained least squares)."""

    def work(opened: Scene, progress: Progress, command: str) -> Product:
        from backends.spectra.products import unmix

        named = library or areas or at
        found = None
        if named:
            found = _references(opened, library, name, areas, areas_option, at, progress)
        return unmix(
            opened, found, count=count, method=method, seed=seed, command=command,
            progress=progress,
        )  # fmt: skip

    run_tool("Unmix", scene, out, option, as_json, work)


def _references(
    scene: Scene,
    library: Path | None,
    names: list[str] | None,
    areas: Path | None,
    areas_option: list[str] | None,
    at: list[str] | None,
    progress: Progress,
) -> References:
    from backends.spectra.references import references_for

    return references_for(
        scene, library=library, names=names or (), areas=areas, pixels=_places(at),
        areas_options=pairs(areas_option, "--areas-option"), progress=progress,
    )  # fmt: skip


def _places(values: list[str] | None) -> list[tuple[int, int]]:
    found = []
    for text in values or []:
        row, _, col = text.partition(",")
        try:
            found.append((int(row), int(col)))
        except ValueError as error:
            raise WrongUse(
                f"{text} is no place.", way_out="Give ROW,COL, such as 12,40."
            ) from error
    return found


# Each adds its commands to the same group.
from app.cli import spectra_areas as _areas  # noqa: E402, F401
from app.cli import spectra_grids as _grids  # noqa: E402, F401
from app.cli import spectra_grouping as _grouping  # noqa: E402, F401
from app.cli import spectra_pairs as _pairs_of  # noqa: E402, F401
from app.cli import spectra_places as _places_of  # noqa: E402, F401
from app.cli import spectra_transforms as _transforms  # noqa: E402, F401
