"""Training and test pixels that somebody else has fixed: two files of labels, or one with both.

Published masks come as two label images, often as ``TR`` and ``TE`` of one MATLAB file (as in
Hong et al., "SpectralFormer", IEEE TGRS 60, 2022: Indian Pines with 695 and 9,671 pixels).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.splits import Split, make_split
from backends.io.labels import Labels, open_labels
from backends.jobs import Progress
from backends.label_files import labels_for
from backends.scene import Scene

TRAIN_KEY, TEST_KEY = "TR", "TE"


def fixed_labels(
    scene: Scene,
    train: Path,
    test: Path | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> tuple[Labels, Labels]:
    """Read the labels that teach and those that test.

    Parameters
    ----------
    train : Path
        Labels that teach; without ``test`` a file with the arrays ``TR`` and ``TE``.
    test : Path, optional
        Labels that test.
    options : mapping, optional
        How to open both files, see `labels_for`.

    Raises
    ------
    WrongUse
        One file that doesn't hold both.
    BadInput
        See `labels_for`.
    """
    if test is not None:
        first, second = (labels_for(scene, path, options, progress) for path in (train, test))
        return first, second
    given = {key: value for key, value in (options or {}).items() if key != "key"}
    try:
        return (
            open_labels(train, {**given, "key": TRAIN_KEY}),
            open_labels(train, {**given, "key": TEST_KEY}),
        )
    except BadInput as error:
        raise WrongUse(
            f"Protocol FIX needs labels that test; {train.name} holds no arrays {TRAIN_KEY} and "
            f"{TEST_KEY}.",
            way_out="Give a second label file: --test-labels FILE.",
            details=error.sentence,
        ) from error


def fixed_split(train: Labels, test: Labels, seed: int = 0) -> tuple[Labels, Split]:
    """Lay both over each other; return all labels and who teaches and who tests.

    Classes are matched by their number. Nothing validates, so the last state of a network is
    kept and probabilities aren't calibrated.

    Raises
    ------
    BadInput
        They differ in size, share pixels, or give one number two names.
    """
    if train.values.shape != test.values.shape:
        (rows, cols), (others, across) = train.values.shape, test.values.shape
        raise BadInput(
            f"The labels that teach are {rows} × {cols} pixels, those that test {others} × "
            f"{across}.",
            way_out="Choose two label files of one scene.",
        )
    names = {**test.class_names, **train.class_names}
    for value, name in test.class_names.items():
        mine = names[value]
        if name not in (mine, f"Class {value}") and mine != f"Class {value}":
            raise BadInput(
                f"Class {value} is {mine} where it teaches and {name} where it tests.",
                way_out="Number the classes of both files alike.",
            )
        names[value] = name if mine == f"Class {value}" else mine
    masks = {"train": train.values > 0, "test": test.values > 0}
    values = np.where(masks["train"], train.values, test.values)
    split = make_split(values, "FIX", seed, masks=masks)
    both = Labels(values, dict(sorted(names.items())), {**test.class_colors, **train.class_colors})
    return both, split
