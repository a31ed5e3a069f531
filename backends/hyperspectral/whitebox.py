"""Everything a network did inside, as files: maps, orders, tables, figures.

The command ``clearband whitebox`` and the desks' buttons write through here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.cluster_analysis import (
    ClusterSpectra,
    cluster_spectra,
    cluster_table,
    sizes_of,
)
from backends.cluster_comparison import compare_runs
from backends.cluster_edges import boundary_agreement
from backends.cluster_maps import block_map, cluster_names, has_map
from backends.errors import BadInput, WrongUse
from backends.hyperspectral.matrix_files import write_matrix_field
from backends.jobs import Progress
from backends.overlays import ClassMap, ClusterBlock, ClusterField, MatrixField, Overlay
from backends.palette import class_colors
from backends.runlog import LogLine
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.classify import ClassifyResult
    from backends.io.labels import Labels

_MAPS = ("clusters", "certainty", "order", "step", "score", "attention", "typical")
_MOST_LINES = 12


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes
    ----------
    files : list of Path
    figures : mapping
        The content of the JSON files, by their name without suffix.
    """

    files: list[Path] = field(default_factory=list)
    figures: Mapping[str, Any] = field(default_factory=dict)


def look_inside(
    checkpoint: str | Path,
    scene: Scene,
    labels: Labels | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> ClassifyResult:
    """Run a trained network over a scene and keep what it did.

    Parameters
    ----------
    checkpoint : str or Path
        A file that ``clearband classify`` wrote, or the id of a network that comes with
        weights.
    labels : Labels, optional
        Only measure.

    Raises
    ------
    WrongUse
        It is the checkpoint of a model without inner steps.
    BadInput
        No checkpoint, or the scene lacks bands it needs.
    """
    from backends.hyperspectral.checkpoints import load_checkpoint
    from backends.hyperspectral.classify import classify
    from backends.registry import cards, is_network

    shipped = {card.id: card for card in cards() if card.family == "network"}
    model_id, path = str(checkpoint), Path(checkpoint)
    if model_id in shipped and not path.exists():
        if not shipped[model_id].is_trained:
            raise WrongUse(
                f"{shipped[model_id].title} comes without weights.",
                way_out="Train it with 'clearband classify' and give the checkpoint it writes.",
            )
        import resources

        path = resources.path("weights", shipped[model_id].weights)
    else:
        if not path.is_file():
            raise BadInput(
                f"{path.name} does not exist.",
                subject=path,
                way_out="Give a checkpoint that 'clearband classify' wrote.",
            )
        model_id = load_checkpoint(path)[0].model_id
    if not is_network(model_id):
        raise WrongUse(
            f"{path.name} is a checkpoint of {model_id}, which has no inner steps to show.",
            way_out=f"Use one of: {', '.join(shipped)}.",
        )
    return classify(scene, labels, model_id, checkpoint=path, device=device, progress=progress)


def write_whitebox(
    overlays: Iterable[Overlay],
    scene: Scene,
    folder: str | Path,
    *,
    labels: NDArray[Any] | None = None,
    class_names: Mapping[int, str] | None = None,
    other: ClusterField | None = None,
    beside: Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> Written:
    """Write maps, arrays, tables and figures of what is inside; all of it or nothing.

    Parameters
    ----------
    overlays : iterable of Overlay
        Clusters and matrices; a class map among them is written, too.
    labels : integer array of shape (rows, cols), optional
        0 is unlabelled.
    class_names : mapping of int to str, optional
    other : ClusterField, optional
        Clusters of another run, to be matched to these.
    beside : sequence of paths
        Other trainings of es_mhc (their folders or checkpoints), whose structure is drawn in
        the same figure.

    Raises
    ------
    BadInput
        There is nothing inside, the labels do not fit, or the folder cannot be written.
    """
    from backends.export import export
    from backends.io.writers.atomic import replacing_folder

    progress = progress or Progress()
    overlays = tuple(overlays)
    inside = [o for o in overlays if isinstance(o, (ClusterField, MatrixField))]
    if not inside:
        raise BadInput(
            "There are no inner steps to write.",
            way_out="Classify with css_mamba or es_mhc first.",
        )
    if labels is not None and labels.shape != scene.shape[:2]:
        raise BadInput(
            f"The labels are {labels.shape[0]} × {labels.shape[1]} pixels, "
            f"{scene.title} is {scene.shape[0]} × {scene.shape[1]}.",
            way_out="Choose the label file that belongs to this scene.",
        )
    names = dict(class_names or {})
    figures: dict[str, Any] = {}
    with replacing_folder(folder) as inner:
        for overlay in overlays:
            progress.check()
            if isinstance(overlay, ClusterField):
                figures["clusters"] = _clusters(overlay, scene, inner, labels, names, progress)
                if other is not None:
                    figures["comparison"] = comparison(overlay, other)
            elif isinstance(overlay, MatrixField):
                figures["matrices"] = write_matrix_field(
                    overlay, scene, inner, labels, names, beside, progress
                )
            elif isinstance(overlay, ClassMap):
                for suffix in ("tif", "png"):
                    export(overlay, inner / f"class_map.{suffix}", scene=scene, progress=progress)
        for name, values in figures.items():
            text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
            (inner / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        files = [Path(folder) / path.name for path in sorted(inner.iterdir())]
    return Written(files, figures)


def whitebox_command(
    overlay: Overlay, scene: Scene, lines: Sequence[LogLine], folder: Path, labels: str = ""
) -> tuple[str, ...]:
    """Return the command line that writes the same; empty where there is none.

    Parameters
    ----------
    lines : sequence of LogLine
        The run log: a network that was trained there left its checkpoint in a folder.
    labels : str
        The file the labels come from.
    """
    from backends.export_source import replay_source
    from backends.registry import cards

    if scene.info.path is None:
        return ()
    method, checkpoint = overlay.provenance.method, ""
    if "--labels" in overlay.provenance.command:
        source = replay_source(overlay, scene, lines)
        checkpoint = "" if source is None else str(source.parent / "checkpoint.safetensors")
    elif any(card.id == method and card.is_trained for card in cards()):
        checkpoint = method
    if not checkpoint:
        return ()
    words = ["whitebox", checkpoint, str(scene.info.path)]
    for key, value in scene.info.options.items():
        words += ["--option", f"{key}={value}"]
    words += ["--labels", labels] if labels else []
    return (*words, "--out", str(folder))


# -- clusters --------------------------------------------------------------------------------


def _clusters(
    overlay: ClusterField,
    scene: Scene,
    inner: Path,
    labels: NDArray[Any] | None,
    names: Mapping[int, str],
    progress: Progress,
) -> dict[str, Any]:
    from backends.export import export

    export(overlay, inner / "clusters.npz", scene=scene, progress=progress)
    spectra = cluster_spectra(scene, overlay.blocks, placement=overlay.placement, progress=progress)
    out: list[dict[str, Any]] = []
    for number, (block, mean) in enumerate(zip(overlay.blocks, spectra, strict=True), 1):
        for what in (name for name in _MAPS if has_map(block, name)):
            made = block_map(overlay, number, what)
            suffixes = ("tif", "png") if what == "clusters" else ("png",)
            for suffix in suffixes:
                path = inner / f"block{number}_{what}.{suffix}"
                export(made, path, scene=scene, progress=progress)
        _spectra_files(overlay, scene, inner, number, mean)
        out.append(block_figures(block, labels, names))
        progress.check()
    return {
        "title": overlay.title,
        "tiles": overlay.tiles,
        "note": "Clusters mean the same in all tiles; sequences are those of one tile each.",
        "provenance": overlay.provenance.to_dict(),
        "training": {name: list(values) for name, values in overlay.training.items()},
        "blocks": out,
    }


def comparison(one: ClusterField, two: ClusterField) -> dict[str, Any]:
    """Return how the clusters of two runs match, block by block, as plain values.

    Raises
    ------
    BadInput
        They do not lie on each other.
    """
    blocks = zip(one.blocks, two.blocks, strict=False)
    return {
        "other": two.title,
        "other_provenance": two.provenance.to_dict(),
        "blocks": [compare_runs(mine, theirs).to_dict() for mine, theirs in blocks],
    }


def block_figures(
    block: ClusterBlock, labels: NDArray[Any] | None, names: Mapping[int, str]
) -> dict[str, Any]:
    """Return the figures of one block as plain values."""
    there, read = block.cluster > 0, block.sequence > 0
    lengths = np.bincount(block.sequence[read])[1:]
    lengths = lengths[lengths > 0]
    values: dict[str, Any] = {
        "clusters": block.clusters,
        "empty_clusters": int((sizes_of(block) == 0).sum()),
        "weight_spatial": block.fusion[0],
        "weight_spectral": block.fusion[1],
        "temperature": block.temperature,
        "part_kept": block.kept,
        "part_read": float(read.sum() / max(1, there.sum())),
        "part_moved_to_next_best_cluster": block.moved,
        "membership": _spread(block.certainty[there]),
        "step_size": _spread(block.step[read]),
        "sequences": len(lengths),
        "longest_sequence": int(lengths.max(initial=0)),
    }
    values["agreement_with_labels"] = cluster_table(block, labels).to_dict(names)
    if labels is not None:
        found = boundary_agreement(block.cluster, labels)
        values["boundary_agreement"] = found.to_dict()
    return values


def _spectra_files(
    overlay: ClusterField, scene: Scene, inner: Path, number: int, spectra: ClusterSpectra
) -> None:
    from backends.io.writers.figures import Line, spectra_figure
    from backends.io.writers.png import origin_lines, write_png
    from backends.io.writers.tables import NamedSpectrum, write_spectra

    block = overlay.blocks[number - 1]
    sizes, colors = sizes_of(block), class_colors(cluster_names(block))
    held = [k for k in range(1, block.clusters + 1) if sizes[k - 1]]
    if not held:
        return
    columns = []
    for k in held:
        note = f"{int(sizes[k - 1])} pixels"
        columns.append(NamedSpectrum(f"cluster {k} mean", spectra.mean[k - 1], note=note))
        columns.append(NamedSpectrum(f"cluster {k} sd", spectra.spread[k - 1]))
    bands, unit = scene.info.bands, scene.info.unit
    path = inner / f"block{number}_mean_spectra.csv"
    write_spectra(columns, bands, path, unit=unit, provenance=overlay.provenance)
    largest = sorted(held, key=lambda k: -int(sizes[k - 1]))[:_MOST_LINES]
    lines = [
        Line(
            f"Cluster {k}",
            colors[k],
            spectra.mean[k - 1],
            spectra.spread[k - 1],
            f"{int(sizes[k - 1]):,} px",
        )
        for k in sorted(largest)
    ]
    notes = [
        f"Mean ± one standard deviation; the {len(lines)} largest of {len(held)} clusters.",
        *origin_lines(overlay, scene),
    ]
    title = f"Mean spectra of the clusters, block {number}"
    picture = spectra_figure(lines, bands, title=title, unit=unit, notes=notes)
    write_png(picture, inner / f"block{number}_mean_spectra.png")


def _spread(values: NDArray[Any]) -> dict[str, float | None]:
    """Return mean, standard deviation and percentiles of finite values."""
    finite = values.astype(np.float64)
    finite = finite[np.isfinite(finite)]
    names = ("mean", "sd", "p05", "median", "p95")
    if finite.size == 0:
        return dict.fromkeys(names)
    found = (finite.mean(), finite.std(), *np.percentile(finite, (5, 50, 95)))
    return {name: float(value) for name, value in zip(names, found, strict=True)}
