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
    """Write class map (GeoTIFF, PNG), areas and confusion (CSV), figures (JSON), matrices
    or clusters (NPZ), split (NPZ) and the trained classifier (safetensors).

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
        for overlay in result.overlays[1:]:
            file = "clusters.npz" if isinstance(overlay, ClusterField) else "matrices.npz"
            names.append(export(overlay, inner / file, scene=scene).name)
        if result.was_trained:
            save_checkpoint(result.checkpoint, inner / "checkpoint.safetensors")
            names.append("checkpoint.safetensors")
        values = result.to_dict() | {"command": made.provenance.command}
        if result.curve is not None:
            values["curve"] = result.curve.to_dict()
        for overlay in result.overlays:
            if isinstance(overlay, MatrixField) and overlay.history is not None:
                values["structure"] = structure_curve(overlay.history, progress).to_dict()
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
    return [folder / name for name in names]
