"""The errors a network is surest of, each with the map of what it went by."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, ClearbandError
from backends.explain.classifier import ImageClassifier
from backends.explain.heatmap_files import overlay_picture, scene_picture
from backends.explain.heatmaps import Request, explain_scene
from backends.explain.scene_images import look_at, read_prepared, window_for
from backends.io import open_scene
from backends.jobs import Progress
from backends.learning.image_data import relative_name
from backends.learning.image_folder import ImageSet, find_images

PREDICTIONS = "predictions.csv"


@dataclass(frozen=True, eq=False)
class ConfidentError:
    """An image that a network is sure of and wrong about.

    Attributes
    ----------
    path : Path
    name : str
        With its folder.
    truth, said : str
        Classes.
    sure : float
        Probability of what was said, 0 to 1.
    picture, explained : uint8 arrays of shape (rows, cols, 3)
        Small: the image, and with its heatmap for what was said.
    """

    path: Path
    name: str
    truth: str
    said: str
    sure: float
    picture: NDArray[np.uint8]
    explained: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Errors:
    """What was found in a folder.

    Attributes
    ----------
    found : tuple of ConfidentError
        The surest first.
    wrong, asked : int
        How many images were wrong, of how many.
    part : str
        ``"test"`` where the network's own test images were looked at, else ``"all"``.
    skipped : tuple of str
        Images that could not be read, in a sentence each.
    """

    found: tuple[ConfidentError, ...]
    wrong: int
    asked: int
    part: str
    skipped: tuple[str, ...] = ()


def confident_errors(
    classifier: ImageClassifier,
    source: Path,
    request: Request,
    *,
    weights: Path | None = None,
    most: int = 12,
    side: int = 160,
    progress: Progress | None = None,
) -> Errors:
    """Return the errors that a network is surest of among labelled images.

    Where the network was taught on these images, only its test images count: of those it
    learnt from errors are no news, and rights no merit. Their predictions are read from
    beside the weights; else every image is asked for.

    Parameters
    ----------
    source : Path
        Folder with a folder a class, or a table; see `find_images`.
    request : Request
        How to explain; its class is what was said.
    weights : Path, optional
        Of the network, beside which its predictions lie.
    most : int
        Errors to explain.
    side : int
        Longer side of the pictures, in pixels.

    Raises
    ------
    BadInput
        No labelled images, or their classes are not those of the network.
    """
    progress = progress or Progress()
    if classifier.pixelwise:
        raise BadInput(
            f"{classifier.card.title} classifies pixels, not images.",
            way_out="Choose a network that was taught on labelled images.",
        )
    images = find_images(source)
    known = {name.casefold(): name for name in classifier.class_names}
    if not any(name.casefold() in known for name in images.classes):
        raise BadInput(
            f"None of the classes in {source.name} is one of {classifier.card.title}'s.",
            subject=source,
            way_out=f"It knows {', '.join(classifier.class_names[:5])} …",
        )
    skipped: list[str] = []
    told = _told(images, weights)
    part = "test" if told else "all"
    if not told:
        told = _ask(classifier, images, skipped, progress)
    wrong = [row for row in told if row[1].casefold() != row[2].casefold()]
    wrong.sort(key=lambda row: -row[3])
    found = []
    progress.start(min(most, len(wrong)), "images", "Explaining errors")
    for path, truth, said, sure in wrong[:most]:
        progress.check()
        try:
            found.append(_explained(classifier, path, truth, said, sure, request, side, progress))
        except ClearbandError as error:
            skipped.append(f"{path.name}: {error}")
        progress.advance()
        progress.partial(Errors(tuple(found), len(wrong), len(told), part, tuple(skipped)))
    return Errors(tuple(found), len(wrong), len(told), part, tuple(skipped))


Row = tuple[Path, str, str, float]


def _told(images: ImageSet, weights: Path | None) -> list[Row]:
    """Return what the network said of its test images when it was taught; none if not on these."""
    path = None if weights is None else weights.parent / PREDICTIONS
    if path is None or not path.is_file():
        return []
    by_name = {relative_name(image.path, images.source): image for image in images.images}
    out: list[Row] = []
    with path.open(newline="", encoding="utf-8") as stream:
        lines = [line for line in stream if not line.startswith("#")]
    for row in csv.reader(lines):
        image = by_name.get(row[0]) if len(row) >= 5 else None
        if image is None or row[1] != "test":
            continue
        if images.classes[image.label] != row[2]:
            return []  # other images under the same names
        try:
            out.append((image.path, row[2], row[3], float(row[4])))
        except ValueError:
            return []
    return out


def _ask(
    classifier: ImageClassifier, images: ImageSet, skipped: list[str], progress: Progress
) -> list[Row]:
    out: list[Row] = []
    progress.start(len(images.images), "images", "Asking the network")
    for image in images.images:
        progress.check()
        try:
            with open_scene(image.path, {}) as scene:
                window, level = window_for(scene, None, None)
                prepared = read_prepared(
                    classifier, scene, look_at(classifier, scene), window, level
                )
                _, said, sure = classifier.top(prepared, 1)[0]
            out.append((image.path, images.classes[image.label], said, sure))
        except ClearbandError as error:
            skipped.append(f"{image.name}: {error}")
        progress.advance()
    if not out:
        raise BadInput(f"None of the images could be read; the first: {skipped[0]}")
    return out


def _explained(
    classifier: ImageClassifier,
    path: Path,
    truth: str,
    said: str,
    sure: float,
    request: Request,
    side: int,
    progress: Progress,
) -> ConfidentError:
    asked = replace(request, wanted=said)
    with open_scene(path, {}) as scene:
        found = explain_scene(classifier, scene, asked, progress=Progress(progress.token))
        whole = scene_picture(scene, found.window, found.level)
    over = overlay_picture(found.heatmap, whole)
    name = f"{path.parent.name}/{path.name}"
    return ConfidentError(path, name, truth, said, sure, _small(whole, side), _small(over, side))


def _small(picture: NDArray[np.uint8], side: int) -> NDArray[Any]:
    from PIL import Image

    made = Image.fromarray(picture)
    made.thumbnail((side, side))
    return np.asarray(made, np.uint8)
