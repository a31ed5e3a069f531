"""A folder, table or single image as features: what concepts are learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.encoders import Encoder
from backends.concepts.feature_cache import FeatureCache
from backends.errors import BadInput, ClearbandError
from backends.io import open_scene
from backends.jobs import Progress
from backends.learning.grouping import GroupRule, find_groups
from backends.learning.image_split import SHARES, split_images
from backends.scene import Scene

# Fewer images without classes are all learnt from: too few would be left to measure on.
_FEWEST = 20
_BANDS_OF_PICTURES = 4


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """Images as features.

    Attributes
    ----------
    paths : tuple of Path
    patches : tuple of arrays of shape (patches, d)
    grids : tuple of (rows, cols)
    label : int64 array of shape (images,)
        -1 where there are no classes.
    classes : tuple of str
    part : int array of shape (images,)
        0 training, 1 validation, 2 test, below 0 left out.
    skipped : tuple of (name, why)
    """

    paths: tuple[Path, ...]
    patches: tuple[NDArray[Any], ...]
    grids: tuple[tuple[int, int], ...]
    label: NDArray[np.int64]
    classes: tuple[str, ...]
    part: NDArray[Any]
    skipped: tuple[tuple[str, str], ...] = ()

    def of(self, part: int) -> list[int]:
        """Return the numbers of the images of a part."""
        return np.flatnonzero(self.part == part).tolist()


def encode_folder(
    source: Path,
    make: Callable[[Any], Encoder],
    *,
    rule: GroupRule | None = None,
    shares: Sequence[float] = SHARES,
    gap: int = 0,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> tuple[EncodedImages, Encoder]:
    """Encode a folder (or table) of images with or without classes, or one image.

    Bad images are left out and listed.

    Parameters
    ----------
    make : callable
        Takes the first scene, returns the encoder.
    rule, shares, gap, seed
        Of the split by whole groups; see `backends.learning.image_split`. Images without
        classes need no validation: those of its share are learnt from too.
    options : mapping, optional
        Of the reader, for every image.

    Raises
    ------
    BadInput
        There is nothing that can be read.
    """
    progress, cache = progress or Progress(), cache or FeatureCache()
    paths, label, classes, part, names = _found(source, rule, shares, gap, seed)
    encoder: Encoder | None = None
    kept: list[int] = []
    patches: list[NDArray[Any]] = []
    grids: list[tuple[int, int]] = []
    skipped: list[tuple[str, str]] = []
    progress.start(len(paths), "images", "Looking at images")
    for number, path in enumerate(paths):
        progress.check()
        try:
            with open_scene(path, dict(options or {})) as scene:
                if len(paths) == 1:
                    refuse_one_colour(scene)
                encoder = encoder or make(scene)
                found = cache.features(encoder, scene, Progress(progress.token))
        except ClearbandError as error:
            if len(paths) == 1 or (encoder is None and not isinstance(error, BadInput)):
                raise
            skipped.append((names[number], str(error)))
        else:
            kept.append(number)
            patches.append(found.values)
            grids.append(found.grid)
        progress.advance()
    if encoder is None or not kept:
        first = f"; the first: {skipped[0][1]}" if skipped else ""
        raise BadInput(f"None of {len(paths)} images could be read{first}", subject=source)
    images = EncodedImages(
        tuple(paths[n] for n in kept), tuple(patches), tuple(grids), label[kept], classes,
        part[kept], tuple(skipped),
    )  # fmt: skip
    return images, encoder


def refuse_one_colour(scene: Scene) -> None:
    """Refuse a picture in which nothing can be told apart.

    Networks see the edges of such a picture, so that learning would seem to succeed.

    Raises
    ------
    BadInput
        All of its pixels are the same.
    """
    if scene.shape[2] > _BANDS_OF_PICTURES:
        return
    from backends.concepts.desk_pictures import picture_of

    rgb = picture_of(scene).rgb
    if (rgb == rgb[0, 0]).all():
        raise BadInput(
            f"{scene.title} is of one colour: there is nothing to tell apart.",
            way_out="Open another image.",
        )


def _found(
    source: Path, rule: GroupRule | None, shares: Sequence[float], gap: int, seed: int
) -> tuple[list[Path], NDArray[np.int64], tuple[str, ...], NDArray[Any], list[str]]:
    from backends.explain.batch import images_in
    from backends.learning.image_folder import find_images

    has_folders = source.is_dir() and any(p.is_dir() for p in source.iterdir())
    if source.suffix.lower() == ".csv" or has_folders:
        found = find_images(source, rule)
        split = split_images(
            found.label, found.groups, seed=seed, shares=shares, gap=gap,
            given=found.parts if any(found.parts) else (),
        )  # fmt: skip
        names = [f"{found.classes[i.label]}/{i.name}" for i in found.images]
        return [i.path for i in found.images], found.label, found.classes, split.part, names
    paths = images_in(source)
    part = np.zeros(len(paths), np.int64)
    if len(paths) >= _FEWEST:
        groups = find_groups([p.name for p in paths], [""] * len(paths), rule or GroupRule())
        split = split_images(
            np.zeros(len(paths), np.int64), groups, seed=seed, gap=gap,
            shares=(shares[0] + shares[1], 0, shares[2]),
        )  # fmt: skip
        part = split.part.astype(np.int64)
    return list(paths), np.full(len(paths), -1, np.int64), (), part, [p.name for p in paths]
