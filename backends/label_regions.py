"""Regions the user drew as training labels: each class, or each name without one, is a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.regions import Region

MOST_CLASSES = 255


def labels_from_regions(
    regions: Sequence[Region],
    shape: tuple[int, int],
    labels: NDArray[np.uint8] | None = None,
    class_names: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> Labels:
    """Lay regions over the labels there are; what is drawn last lies on top.

    Regions of one class (or one name, without a class) are one class; a name that is known
    already keeps its number.

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
        rows, cols, mask = region.inside(shape)
        if mask.any():
            if region.label not in number:
                free = next((v for v in range(1, MOST_CLASSES + 1) if v not in names), None)
                if free is None:
                    raise BadInput(
                        f"There are more than {MOST_CLASSES} classes.",
                        way_out="Give regions of one kind the same name.",
                    )
                number[region.label], names[free] = free, region.label
            values[rows, cols][mask] = number[region.label]
            held += int(mask.sum())
        if progress is not None:
            progress.advance()
    if not held:
        raise BadInput("No region holds a pixel.", way_out="Draw regions on the scene with R.")
    return Labels(values, names, {})
