"""What the matrices of a network say, as files: arrays, figures, and one table of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.structure_runs import StructureRun, read_run
from backends.jobs import Progress
from backends.matrix_analysis import (
    asymmetry,
    class_matrices,
    class_ranking,
    depth_of,
    on_grid,
    structure,
)
from backends.matrix_history import StructureCurve, structure_curve
from backends.matrix_lists import coverage_map, list_settings, lists_are_clusters
from backends.matrix_maps import TOPS, grid_picture, stream_picture
from backends.overlays import MatrixEntry, MatrixField, ScoreMap
from backends.palette import key_color
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.occlusion import Occlusion

Labels = NDArray[Any]


def write_matrix_field(
    field: MatrixField,
    scene: Scene,
    inner: Path,
    labels: Labels | None,
    names: Mapping[int, str],
    beside: Sequence[str | Path],
    progress: Progress,
) -> dict[str, Any]:
    """Write everything of a matrix field into a folder and return its figures.

    Parameters
    ----------
    labels : integer array of shape (rows, cols) of the scene, optional
        0 is unlabelled; gives means of classes, outlines, and the check whether it matters.
    beside : sequence of paths
        Other trainings whose structure is drawn in the same figure.
    """
    from backends.export import export

    export(field, inner / "matrices.npz", scene=scene, progress=progress)
    held = _held_out(field, scene, labels)
    grid = None if labels is None else on_grid(labels, field.placement, field.shape)
    test = None if held is None else on_grid(held, field.placement, field.shape)
    sites = []
    for entry in field.entries:
        sites.append(_site(entry, grid, test, names, progress))
        _site_figures(field, scene, inner, entry, grid, names, progress)
        progress.check()
    checks = _checks(field, scene, labels, held, progress)
    return {
        "title": field.title,
        "groups": list(field.group_names),
        "orientation": "row = source, column = target; rows and columns add up to 1",
        "free_maps": (len(field.group_names) - 1) ** 2,
        "every_nth_pixel": field.placement.row_step,
        "provenance": field.provenance.to_dict(),
        "sites": sites,
        "depth": _depth(field, scene, inner, grid, names, progress),
        "structure": _structure(field, scene, inner, beside, progress),
        "does_it_matter": [check.to_dict() | {"sentence": check.sentence} for check in checks],
    }


def _held_out(field: MatrixField, scene: Scene, labels: Labels | None) -> Labels | None:
    if labels is None or field.checkpoint is None:
        return None
    from backends.hyperspectral.occlusion import held_out_mask

    return held_out_mask(field.checkpoint, scene, labels)


# -- one site --------------------------------------------------------------------------------


def _site(
    entry: MatrixEntry,
    labels: Labels | None,
    test: Labels | None,
    names: Mapping[int, str],
    progress: Progress,
) -> dict[str, Any]:
    n = entry.static.shape[0]
    flat = entry.deviation.reshape(-1, n, n)
    static = np.asarray(entry.static, np.float64)
    mean = static + flat.mean(axis=0, dtype=np.float64)
    found, pairs = structure(entry.deviation, progress), asymmetry(entry)
    values: dict[str, Any] = {
        "layer": entry.layer,
        "site": entry.site,
        "sorted_the_pixels": entry.site == "mixer",
        "static": static.tolist(),
        "mean": mean.tolist(),
        "variance": found.variance.tolist(),
        "morans_i": _plain(found.moran),
        "smallest": (static + flat.min(axis=0)).tolist(),
        "largest": (static + flat.max(axis=0)).tolist(),
        "forth_minus_back": [
            {"pair": pair, "mean": float(value)}
            for pair, value in zip(pairs.pairs.tolist(), pairs.mean_difference, strict=True)
        ],
    }
    for what, kept in entry.weights().items():
        deviation = kept.deviation.reshape(-1, n).astype(np.float64)
        base = np.asarray(kept.static, np.float64)
        values[what] = {
            "static": base.tolist(),
            "mean": (base + deviation.mean(axis=0)).tolist(),
            "smallest": (base + deviation.min(axis=0)).tolist(),
            "largest": (base + deviation.max(axis=0)).tolist(),
        }
    if labels is not None and (labels > 0).any():
        means = class_matrices(entry, labels, progress)
        values["classes"] = {
            names.get(value, f"Class {value}"): {
                "pixels": int(count), "mean": mean.tolist(), "minus_mean_of_classes": off.tolist(),
            }
            for value, count, mean, off in zip(
                means.classes, means.counts, means.means, means.contrast, strict=True
            )
        }  # fmt: skip
        if test is not None and np.unique(labels[test & (labels > 0)]).size > 1:
            ranks = class_ranking(entry, labels, test, progress=progress)
            values["auc_on_held_out_pixels"] = {
                names.get(value, f"Class {value}"): {"pixels": int(count), "auc": auc.tolist()}
                for value, count, auc in zip(ranks.classes, ranks.counts, ranks.auc, strict=True)
            }
    return values


def _site_figures(
    field: MatrixField,
    scene: Scene,
    inner: Path,
    entry: MatrixEntry,
    labels: Labels | None,
    names: Mapping[int, str],
    progress: Progress,
) -> None:
    from backends.export import export
    from backends.io.writers.figures import grid_figure
    from backends.io.writers.png import origin_lines, write_png

    head, site = f"layer{entry.layer}_{entry.site}", f"Layer {entry.layer}, {entry.site}"
    groups, origin = field.group_names, origin_lines(field, scene)
    picture = grid_picture(entry, labels=labels, progress=progress)
    span = range(len(groups))
    texts = [[f"{picture.low[i, j]:.3f}–{picture.high[i, j]:.3f}" for j in span] for i in span]
    said = (
        f"Row: source. Column: target. True range over all maps {picture.range_text}; each map "
        "is stretched on its own, its smallest and largest value stand below it."
    )
    edges = None
    if picture.highest is not None:
        edges = [[picture.outlines[int(picture.highest[i, j])] for j in span] for i in span]
        shown = ", ".join(names.get(int(v), f"class {v}") for v in np.unique(picture.highest))
        said += f" Red: the class with the highest mean in that map ({shown})."
    figure = grid_figure(
        picture.tiles, groups, texts, outlines=edges, title=site, notes=[said, *origin]
    )
    write_png(figure, inner / f"{head}_grid.png")
    weights = entry.weights()
    if weights:
        drawn = {what: stream_picture(kept, what) for what, kept in weights.items()}
        figure = grid_figure(
            np.stack([one.tiles for one in drawn.values()]),
            groups,
            [[f"{one.low[i]:.3f}–{one.high[i]:.3f}" for i in span] for one in drawn.values()],
            row_names=[{"read": "feeds the site", "write": "gets its answer"}[w] for w in drawn],
            title=f"{site}: streams",
            notes=[
                "Each map is stretched on its own; possible values: "
                + ", ".join(f"{what} 0 to {TOPS[what]:g}" for what in drawn)
                + ".",
                *origin,
            ],
        )
        write_png(figure, inner / f"{head}_streams.png")
    if entry.site == "mixer" and not lists_are_clusters(field):
        held = coverage_map(entry, list_settings(field)[0], progress)
        made = ScoreMap(
            f"Lists that hold the pixel, layer {entry.layer}", field.scene_id, field.provenance,
            placement=field.placement, values=held.astype(np.float32), unit="lists",
        )  # fmt: skip
        export(made, inner / f"layer{entry.layer}_lists.png", scene=scene, progress=progress)


# -- over depth, over training, does it matter -------------------------------------------------


def _depth(
    field: MatrixField,
    scene: Scene,
    inner: Path,
    labels: Labels | None,
    names: Mapping[int, str],
    progress: Progress,
) -> dict[str, Any]:
    from backends.io.writers.figures import Curve, curves_figure
    from backends.io.writers.png import origin_lines, write_png

    masks: dict[str, Any] = {"scene": None}
    if labels is not None:
        for value in np.unique(labels[labels > 0]).tolist():
            masks[names.get(value, f"Class {value}")] = labels == value
    out: dict[str, Any] = {}
    curves = []
    for number, (name, mask) in enumerate(masks.items()):
        view = depth_of(field, mask=mask, progress=progress)
        out[name] = {
            "sites": [list(site) for site in view.sites],
            "left_of_the_streams": view.retention.tolist(),
            "second_eigenvalue": view.second.tolist(),
            "row_sum_gain": view.gain.tolist(),
        }
        left = (1.0, *view.retention.tolist())
        note = f"{100 * left[-1]:.2g} % at the end"
        x = tuple(float(i) for i in range(len(left)))
        curves.append(Curve(name, key_color(number), x, left, note))
    figure = curves_figure(
        curves[:12],
        ("Sites passed", "Left of the streams"),
        logarithmic=min(min(c.y) for c in curves) < 0.02,
        title="What is left of the streams on the way down",
        notes=["1 untouched, 0 averaged; mean matrices.", *origin_lines(field, scene)],
    )
    write_png(figure, inner / "depth.png")
    return out


def _structure(
    field: MatrixField,
    scene: Scene,
    inner: Path,
    beside: Sequence[str | Path],
    progress: Progress,
) -> list[dict[str, Any]]:
    """Draw how structure came in this training and in others, where it is known."""
    from backends.io.writers.figures import Curve, curves_figure
    from backends.io.writers.png import origin_lines, write_png

    runs = [read_run(path) for path in beside]
    own: StructureCurve | None = None
    if field.history is not None:
        own = structure_curve(field.history, progress)
    elif field.checkpoint is not None and "structure" in field.checkpoint.facts:
        own = StructureCurve.from_dict(field.checkpoint.facts["structure"])
    if own is not None:
        streams = len(field.group_names)
        runs.insert(0, StructureRun(f"{streams} streams", streams, own))
    for what, label in (("spread", "Spread, share of its end"), ("moran", "Moran's I")):
        if not runs:
            break
        curves = []
        for number, run in enumerate(runs):
            values = run.curve.mean(what)
            top = (values[-1] or 1.0) if what == "spread" else 1.0
            x = tuple(float(step) for step in run.curve.steps)
            y = tuple(value / top for value in values)
            note = f"half at step {run.curve.half_step:.0f}" if what == "spread" else ""
            curves.append(Curve(run.title, key_color(number), x, y, note))
        notes = ["Mean over the sites.", *origin_lines(field, scene)]
        figure = curves_figure(curves, ("Step", label), title="When structure came", notes=notes)
        write_png(figure, inner / f"structure_{what}.png")
    return [
        {"run": run.title, "streams": run.streams, "half_step": run.curve.half_step}
        | run.curve.to_dict()
        for run in runs
    ]


def _checks(
    field: MatrixField,
    scene: Scene,
    labels: Labels | None,
    held: Labels | None,
    progress: Progress,
) -> tuple[Occlusion, ...]:
    """Take the matrices away, where held-out labelled pixels and the network are at hand."""
    from backends.hyperspectral.occlusion import WHAT, occlusion_check

    if field.checkpoint is None or labels is None or held is None or not held.any():
        return ()
    wanted = WHAT[:1] if lists_are_clusters(field) else WHAT
    found: list[Occlusion] = []
    for what in wanted:
        found += occlusion_check(
            field.checkpoint, scene, labels, held, what=what, progress=progress
        )
    return tuple(found)


def _plain(values: NDArray[Any]) -> list[list[float | None]]:
    """Return numbers as JSON has them: none where nothing varies."""
    return [[float(v) if np.isfinite(v) else None for v in row] for row in values]
