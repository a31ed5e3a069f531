"""Regions the user drew as training labels: each name is a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.workspace import Region

MOST_CLASSES = 255


def labels_from_regions(
    regions: Sequence[Region],
    shape: tuple[int, int],
    labels: NDArray[np.uint8] | None = None,
    class_names: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> Labels:
    """Lay regions over the labels there are; what is drawn last lies on top.

    Regions of one name are one class; a name that is known already keeps its number.

    Parameters
    ----------
    regions : sequence of Region
    shape : (rows, cols)
        Of the scene.
    labels, class_names : optional
        What is labelled so far; it stays where no region lies.

    Raises
    ------
    BadInput
        No region holds a pixel, or there would be too many classes.
    """
    values = np.zeros(shape, np.uint8) if labels is None else labels.copy()
    names = dict(class_names or {})
    number = {name: value for value, name in reversed(list(names.items()))}
    if progress is not None:
        progress.start(len(regions), "regions", "Labelling regions")
    held = 0
    for region in regions:
        rows, cols, mask = _inside(region, shape)
        if mask.any():
            if region.name not in number:
                free = next((v for v in range(1, MOST_CLASSES + 1) if v not in names), None)
                if free is None:
                    raise BadInput(
                        f"There are more than {MOST_CLASSES} classes.",
                        way_out="Give regions of one kind the same name.",
                    )
                number[region.name], names[free] = free, region.name
            values[rows, cols][mask] = number[region.name]
            held += int(mask.sum())
        if progress is not None:
            progress.advance()
    if not held:
        raise BadInput("No region holds a pixel.", way_out="Draw regions on the scene with R.")
    return Labels(values, names, {})


def _inside(region: Region, shape: tuple[int, int]) -> tuple[slice, slice, NDArray[np.bool_]]:
    """Return where a region lies, and which pixels there are in it; the scene is not filled."""
    low = np.floor(region.vertices.min(axis=0)).astype(int)
    high = np.ceil(region.vertices.max(axis=0)).astype(int) + 1
    low, high = np.clip(low, 0, shape), np.clip(high, 0, shape)
    part = Region(region.name, region.scene_id, region.vertices - low)
    size = (max(0, int(high[0] - low[0])), max(0, int(high[1] - low[1])))
    mask = part.mask(size) if size[0] and size[1] else np.zeros(size, bool)
    return slice(low[0], low[0] + size[0]), slice(low[1], low[1] + size[1]), mask
