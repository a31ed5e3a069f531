"""Segmentation of a folder of images by concepts, measured where there are masks.

Classes are led by labelled cells of the images that are learnt from, or by words; the scores of
decoded concepts stand beside those of the encoder's own features with the same directions.
Every pixel of the test images counts, also where cells are too coarse for its outline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.autoencoder_files import Dictionary
from backends.concepts.candidates import TextTower
from backends.concepts.encoders import Encoder
from backends.concepts.feature_cache import FeatureCache
from backends.concepts.segmentation import ClassDirections, ConceptSegmentation, mean_iou
from backends.errors import BadInput, ClearbandError
from backends.jobs import Progress

# A cell is learnt from where its class covers more than this; background must be clearer.
CLEAR, CLEAR_BACKGROUND = 0.6, 0.8
# More values than that are numbers of objects.
MOST_CLASSES = 60
# Share of the images that is kept out for measuring.
TEST = 0.3


@dataclass(frozen=True, eq=False)
class MaskedImages:
    """Images as features, with their masks.

    Attributes
    ----------
    paths : tuple of Path
    patches : tuple of arrays of shape (patches, d)
    grids : tuple of (rows, cols)
    masks : tuple of integer arrays of shape (rows, cols)
        Class numbers from 0; -1 unlabelled.
    classes : tuple of str
    skipped : tuple of (name, why)
    """

    paths: tuple[Path, ...]
    patches: tuple[NDArray[Any], ...]
    grids: tuple[tuple[int, int], ...]
    masks: tuple[NDArray[np.int64], ...]
    classes: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def read_masked(
    images: Path,
    labels: Path,
    encoder: Encoder,
    *,
    foreground: bool = False,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> MaskedImages:
    """Encode images and read the masks of the same name; what lacks one is left out.

    Parameters
    ----------
    foreground : bool
        Everything above 0 is one class and 0 another, as for numbered objects; else 0 is
        unlabelled.

    Raises
    ------
    BadInput
        No image has a mask, or there are fewer than two classes.
    """
    from backends.explain.batch import images_in
    from backends.io import open_scene
    from backends.io.labels import open_labels

    progress, cache = progress or Progress(), cache or FeatureCache()
    by_stem = {p.stem: p for p in (images_in(labels) if labels.is_dir() else [labels])}
    paths = images_in(images)
    kept: list[tuple[Path, Any, NDArray[np.int64]]] = []
    skipped: list[tuple[str, str]] = []
    names: dict[int, str] = {}
    progress.start(len(paths), "images", "Looking at images")
    for path in paths:
        progress.check()
        mask = by_stem.get(path.stem)
        try:
            if mask is None:
                raise BadInput(f"{labels.name} holds no mask called {path.stem}.")
            found = open_labels(mask)
            with open_scene(path) as scene:
                if found.values.shape != tuple(scene.shape[:2]):
                    raise BadInput(f"{mask.name} has another size than {path.name}.")
                features = cache.features(encoder, scene, Progress(progress.token))
        except ClearbandError as error:
            skipped.append((path.name, str(error)))
        else:
            kept.append((path, features, found.values.astype(np.int64)))
            names |= found.class_names
        progress.advance()
    if not kept:
        first = f"; the first: {skipped[0][1]}" if skipped else ""
        raise BadInput(f"None of {len(paths)} images has a mask{first}", subject=images)
    if foreground:
        classes: tuple[str, ...] = ("background", "foreground")
        masks = [(m > 0).astype(np.int64) for _, _, m in kept]
    else:
        values = sorted({int(v) for _, _, m in kept for v in np.unique(m)} - {0})
        if len(values) > MOST_CLASSES:
            raise BadInput(
                f"The masks hold {len(values)} values, which look like numbered objects.",
                subject=labels,
                way_out="Where everything above 0 is one class, say so: --foreground.",
            )
        classes = tuple(names.get(v, f"class {v}") for v in values)
        table = np.full(max((int(m.max()) for _, _, m in kept), default=0) + 1, -1)
        table[values] = np.arange(len(values))
        masks = [table[m] for _, _, m in kept]
    if len(classes) < 2 or len({int(v) for m in masks for v in np.unique(m)} - {-1}) < 2:
        raise BadInput(
            "The masks hold fewer than two classes; 0 is unlabelled.",
            subject=labels,
            way_out="Where 0 means background, say so: --foreground.",
        )
    return MaskedImages(
        tuple(p for p, _, _ in kept), tuple(f.values for _, f, _ in kept),
        tuple(f.grid for _, f, _ in kept), tuple(masks), classes, tuple(skipped),
    )  # fmt: skip


def split(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the numbers of the images that are learnt from, and of those measured on."""
    order = np.random.default_rng(seed).permutation(count)
    test = max(1, round(TEST * count))
    return sorted(order[test:].tolist()), sorted(order[:test].tolist())


def directions_from_labels(images: MaskedImages, training: Sequence[int]) -> ClassDirections:
    """Learn what the classes look like from cells that are clearly of one."""
    if not training:
        raise BadInput("One image is too few to learn from and to measure on.")
    learn = np.concatenate([np.asarray(images.patches[n], np.float32) for n in training])
    marks = [clear_cells(images.masks[n], images.grids[n], len(images.classes)) for n in training]
    return ClassDirections.from_labels(learn, np.concatenate(marks), images.classes)


def directions_from_words(words: Sequence[str], tower: TextTower, features: int) -> ClassDirections:
    """Take what the words say the classes look like.

    Raises
    ------
    BadInput
        The tower is not the encoder's.
    """
    found = tower.embed([f"a photo of a {word}." for word in words])
    if found.shape[1] != features:
        raise BadInput(
            f"The words have {found.shape[1]} features, the patches {features}: the text tower "
            "is not this encoder's.",
            way_out="Read the CLIP transformer densely (--dense), with its own text tower.",
        )
    return ClassDirections.from_words(found, words)


def measure_segmentation(
    made: Dictionary,
    directions: ClassDirections,
    images: MaskedImages,
    test: Sequence[int],
) -> tuple[dict[str, Any], Mapping[int, NDArray[np.int64]]]:
    """Segment test images by concepts, and by the encoder's own features beside.

    Returns
    -------
    mean IoU and IoU of each class, of ``concepts`` and ``dense``; answers by image number
    """
    by_concepts = ConceptSegmentation(made, directions)
    answers: dict[str, dict[int, NDArray[np.int64]]] = {"concepts": {}, "dense": {}}
    for number in test:
        values = np.asarray(images.patches[number], np.float32)
        for name, scores in (
            ("concepts", by_concepts.scores(made.codes(values))),
            ("dense", directions.scores(values)),
        ):
            cells = scores.argmax(1).reshape(images.grids[number])
            answers[name][number] = to_pixels(cells, images.masks[number].shape)
    truth = np.concatenate([images.masks[n].ravel() for n in test])
    told: dict[str, Any] = {}
    for name, found in answers.items():
        every = np.concatenate([found[n].ravel() for n in test])
        mean, each = mean_iou(truth, every, len(images.classes))
        told[name] = {"miou": mean, "iou": dict(zip(images.classes, each, strict=True))}
    return told, answers["concepts"]


def clear_cells(mask: NDArray[Any], grid: tuple[int, int], classes: int) -> NDArray[np.int64]:
    """Return the class of every cell that is clearly of one, else -1; shape (cells,)."""
    out = np.full(grid[0] * grid[1], -1)
    for number in range(classes):
        least = CLEAR_BACKGROUND if number == 0 else CLEAR
        out[share_of_cells(mask == number, grid) > least] = number
    return out


def share_of_cells(mask: NDArray[Any], grid: tuple[int, int]) -> NDArray[np.float64]:
    """Return the share of each cell that a mask covers, shape (cells,)."""
    r = np.arange(mask.shape[0]) * grid[0] // mask.shape[0]
    c = np.arange(mask.shape[1]) * grid[1] // mask.shape[1]
    cell = (r[:, None] * grid[1] + c[None]).ravel()
    count = np.bincount(cell, minlength=grid[0] * grid[1])
    return np.bincount(cell, mask.ravel(), grid[0] * grid[1]) / np.maximum(count, 1)


def to_pixels(cells: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return cells laid over the pixels of an image."""
    r = np.arange(shape[0]) * cells.shape[0] // shape[0]
    c = np.arange(shape[1]) * cells.shape[1] // shape[1]
    return np.asarray(cells[np.ix_(r, c)], np.int64)
