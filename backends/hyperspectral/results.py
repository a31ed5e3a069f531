"""What a classification leaves on disk: all of it or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backends.jobs import Progress
from backends.matrix_history import structure_curve
from backends.overlays import ClusterField, MatrixField
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.classify import ClassifyResult


def write_results(
    result: ClassifyResult, scene: Scene, folder: Path, *, progress: Progress | None = None
) -> list[Path]:
    """Write class map (GeoTIFF, PNG), probability and margin (GeoTIFF), areas and confusion
    (CSV), figures (JSON), matrices or clusters (NPZ), split (NPZ), the trained classifier
    (safetensors) and what all that is (README.txt).

    The folder is filled beside and its files are put in place at the end.
    """
    from backends.export import ExportRequest, export
    from backends.hyperspectral.checkpoints import save_checkpoint
    from backends.io.writers.atomic import replacing_folder

    names = []
    with replacing_folder(folder) as inner:
        made = result.class_map
        for name in ("class_map.tif", "class_map.png"):
            names.append(export(made, inner / name, scene=scene, progress=progress).name)
        request = ExportRequest(scene, "areas", made)
        names.append(export(request, inner / "areas.csv", progress=progress).name)
        if result.metrics is not None:
            request = ExportRequest(scene, "confusion", made)
            names.append(export(request, inner / "confusion.csv", progress=progress).name)
        inside = result.overlays[1:-2]
        files = ["clusters.npz" if isinstance(o, ClusterField) else "matrices.npz" for o in inside]
        files += ["probability.tif", "margin.tif"]
        for file, overlay in zip(files, result.overlays[1:], strict=True):
            names.append(export(overlay, inner / file, scene=scene, progress=progress).name)
        if result.was_trained:
            save_checkpoint(result.checkpoint, inner / "checkpoint.safetensors")
            names.append("checkpoint.safetensors")
        values = result.to_dict() | {"command": made.provenance.command}
        if result.curve is not None:
            values["curve"] = result.curve.to_dict()
        for overlay in result.overlays:
            if isinstance(overlay, MatrixField) and overlay.history is not None:
                curve = structure_curve(overlay.history, progress)
                values["structure"] = curve.to_dict() | {"streams": len(overlay.group_names)}
        if result.split is not None:
            np.savez_compressed(
                inner / "split.npz",
                train=result.split.train,
                val=result.split.val,
                test=result.split.test,
            )
            names.append("split.npz")
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
        (inner / "metrics.json").write_text(text + "\n", encoding="utf-8")
        names.append("metrics.json")
        (inner / "README.txt").write_text(_readme(result, names), encoding="utf-8")
        names.append("README.txt")
    return [folder / name for name in names]


_ABOUT = {
    "class_map.tif": "the class of every pixel",
    "class_map.png": "the same as a picture with its legend",
    "probability.tif": "how sure the model is of that class, 0 to 1",
    "margin.tif": "how far that class leads before the next one, 0 to 1",
    "areas.csv": "pixels and area a class",
    "confusion.csv": "test pixels by true and mapped class",
    "matrices.npz": "how the parts of the spectrum talk to each other, a pixel",
    "clusters.npz": "how pixels were grouped and read",
    "checkpoint.safetensors": "the trained model, for --checkpoint",
    "split.npz": "pixels that taught, chose and measured it",
    "metrics.json": "every figure, setting and note; the training step by step",
}


def _readme(result: ClassifyResult, names: list[str]) -> str:
    """Return a page on what the files are and how good the map is."""
    lines = [f"{result.class_map.title}, made by Clearband", ""]
    measured = [(result.split.protocol, result.metrics)] if result.split else []
    if result.apart is not None:
        measured.append(("separate blocks", result.apart.metrics))
    for protocol, found in measured:
        if found is None:
            lines.append(f"{protocol}: not measured.")
            continue
        lines.append(
            f"{protocol}: overall accuracy {_percent(found.overall_accuracy)}, average "
            f"{_percent(found.average_accuracy)}, on {int(found.confusion.sum())} test pixels."
        )
    lines += [*result.notes, ""]
    lines += [f"{name}: {_ABOUT[name]}" for name in names]
    return "\n".join(lines) + "\n"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %" if np.isfinite(value) else "n/a"
