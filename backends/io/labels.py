"""Label files of any format: whole numbers a pixel, with names where the file has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io.readers import open_scene
from backends.scene import Scene


@dataclass(frozen=True, eq=False)
class Labels:
    """Training or truth labels.

    Attributes
    ----------
    values : uint8 array of shape (rows, cols)
        0 is unlabelled.
    class_names : dict of int to str
    class_colors : dict of int to ``#rrggbb``
    """

    values: NDArray[np.uint8]
    class_names: dict[int, str]
    class_colors: dict[int, str]


def open_labels(path: str | Path, options: Mapping[str, Any] | None = None) -> Labels:
    """Read a label file: MATLAB truth, ERDAS GIS, ENVI classification, GeoTIFF, PNG …

    Raises
    ------
    BadInput
        More than one band, values that are no whole numbers from 0 to 255.
    """
    with open_scene(path, options) as scene:
        return labels_of(scene)


def labels_of(scene: Scene) -> Labels:
    """Return the labels that an open scene holds.

    Raises
    ------
    BadInput
        See `open_labels`.
    """
    if scene.shape[2] != 1:
        raise BadInput(
            f"{scene.title} has {scene.shape[2]} bands; a label file has one.",
            subject=scene.info.path,
            way_out="Choose the file with the classes.",
        )
    raw = scene.read()[:, :, 0]
    hole = scene.is_nodata(raw)
    values = np.where(hole, 0, raw) if hole is not None else raw
    if values.dtype.kind == "f":
        if not np.array_equal(values, np.round(values)):
            raise BadInput(
                f"{scene.title} holds fractions; classes are whole numbers.",
                subject=scene.info.path,
                way_out="Choose the file with the classes.",
            )
        values = values.astype(np.int64)
    if values.min() < 0 or values.max() > 255:
        raise BadInput(
            f"{scene.title} holds values from {values.min()} to {values.max()}; "
            "classes are numbered 0 to 255.",
            subject=scene.info.path,
            way_out="Choose the file with the classes.",
        )
    found = [int(v) for v in np.unique(values) if v > 0]
    if not found:
        raise BadInput(f"{scene.title} holds no labelled pixel.", subject=scene.info.path)
    known = scene.info.class_names
    names = {v: known.get(v, f"Class {v}") for v in found}
    return Labels(values.astype(np.uint8), names, dict(scene.info.class_colors))
