"""``clearband whitebox CHECKPOINT SCENE``: what a network did inside, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.root import app
from backends.errors import WrongUse
from backends.io import open_scene
from backends.jobs import Job, Progress
from backends.overlays import ClusterField


@app.command("whitebox")
def whitebox_command(
    checkpoint: Annotated[
        str, typer.Argument(help="What 'clearband classify' wrote, or es_mhc for its own weights.")
    ],
    scene_path: Annotated[Path, typer.Argument(metavar="SCENE", help="The image.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    labels: Annotated[
        Path | None, typer.Option("--labels", help="A label file; it only measures.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", help="clusters.npz of another run; clusters are matched."),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value, how to open the scene.")
    ] = None,
    label_option: Annotated[
        list[str] | None,
        typer.Option("--label-option", help="name=value, how to open the labels."),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--beside", help="es_mhc: another training to compare its structure with."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a trained network and write its inner steps: maps, arrays, tables, figures.

    css_mamba: clusters, reading order, scores, step size, mean spectra, agreement with labels.
    es_mhc: the matrices of every pixel, what feeds each site, classes, lists, depth, structure
    over the training, and with labels whether any of it matters for the accuracy.
    """
    from backends.hyperspectral.whitebox import look_inside, write_whitebox
    from backends.label_files import labels_for

    def run(progress: Progress) -> dict[str, Any]:
        other = None if compare is None else _other(compare, progress)
        with open_scene(scene_path, pairs(option, "--option")) as scene:
            given = None
            if labels is not None:
                given = labels_for(scene, labels, pairs(label_option, "--label-option"), progress)
            result = look_inside(checkpoint, scene, given, device=device, progress=progress)
            written = write_whitebox(
                result.overlays,
                scene,
                out,
                labels=None if given is None else given.values,
                class_names=None if given is None else given.class_names,
                other=other,
                beside=beside or (),
                progress=progress,
            )
            return {
                "model": result.model,
                "device": result.device,
                "notes": list(result.notes),
                "figures": written.figures,
                "written": [str(path) for path in written.files],
            }

    values = run_job(Job(f"Look inside {Path(checkpoint).name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=_text(values))


def _other(path: Path, progress: Progress) -> ClusterField:
    """Read the clusters of another run."""
    from backends.io.overlay_files import read_result

    scene, found = read_result(path, progress=progress)
    scene.close()
    if not isinstance(found, ClusterField):
        raise WrongUse(
            f"{path.name} holds no clusters.", way_out="Give the clusters.npz of another run."
        )
    return found


def _text(values: dict[str, Any]) -> str:
    rows: dict[str, Any] = {"Model": values["model"], "Device": values["device"]}
    for number, block in enumerate(values["figures"].get("clusters", {}).get("blocks", ()), 1):
        used = block["clusters"] - block["empty_clusters"]
        words = f"{used} of {block['clusters']} clusters in use"
        agreement = block["agreement_with_labels"]
        if agreement["purity"] is not None:
            words += f", purity {100 * agreement['purity']:.1f} %, NMI {agreement['nmi']:.3f}"
        edge = block.get("boundary_agreement", {}).get("f1")
        words += "" if edge is None else f", boundary F1 {edge:.3f}"
        rows[f"Block {number}"] = words
    for number, block in enumerate(values["figures"].get("comparison", {}).get("blocks", ()), 1):
        rows[f"Block {number}, other run"] = (
            f"{100 * block['same_cluster_when_matched']:.1f} % of the pixels in matching clusters "
            f"(one cluster for all: {100 * block['largest_cluster']:.1f} %), NMI {block['nmi']:.3f}"
        )
    for site in values["figures"].get("matrices", {}).get("sites", ()):
        low = min(min(row) for row in site["smallest"])
        high = max(max(row) for row in site["largest"])
        rows[f"Layer {site['layer']}, {site['site']}"] = f"values {low:.4f} to {high:.4f}"
    matrices = values["figures"].get("matrices", {})
    if "depth" in matrices:
        left = matrices["depth"]["scene"]["left_of_the_streams"][-1]
        rows["Left of the streams"] = f"{100 * left:.2g} % after the last site"
    for number, check in enumerate(matrices.get("does_it_matter", ()), 1):
        rows[f"Check {number}"] = check["sentence"]
    for number, note in enumerate(values["notes"], 1):
        rows[f"Note {number}"] = note
    rows["Written"] = f"{len(values['written'])} files to {Path(values['written'][0]).parent}"
    return table(rows)
