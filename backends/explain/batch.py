"""Explanations of one image or of a folder of them, written as files; bad ones do not stop it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, ClearbandError
from backends.explain.classifier import ImageClassifier
from backends.explain.heatmap_files import write_found, write_region, write_volume
from backends.explain.heatmaps import Request, explain_scene, explain_volume
from backends.explain.region_maps import explain_region
from backends.io import open_scene, sniff
from backends.jobs import Progress
from backends.scene import Scene, Window


@dataclass(frozen=True)
class Where:
    """What of each image is looked at.

    Attributes
    ----------
    window : Window or None
        In pixels of ``level``.
    level : int or None
    tiles : bool
        In tiles at the level's own resolution, stitched.
    tile : int
        Side of a tile; 0 is the network's own input.
    slices : sequence of int, or None
        Of a volume, from 0; None is the middle one, empty all.
    mask : path or None
        Label file; all that is not 0 is the region whose pixels are explained.
    """

    window: Window | None = None
    level: int | None = None
    tiles: bool = False
    tile: int = 0
    slices: Sequence[int] | None = None
    mask: Path | None = None


@dataclass
class Batch:
    """What came of it.

    Attributes
    ----------
    done : list of mapping
        Per image: ``image``, ``written`` and what its JSON says.
    failed : list of mapping
        Per image: ``image`` and ``error``, one sentence.
    """

    done: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"done": self.done, "failed": self.failed}


def images_in(source: Path) -> list[Path]:
    """Return the images that a path stands for: itself, or a folder's files by name.

    A folder that is one image (a DICOM series, Zarr) is one.

    Raises
    ------
    BadInput
        It does not exist, or is an empty folder.
    """
    if not source.is_dir():
        if not source.exists():
            raise BadInput(
                f"{source.name} does not exist.", subject=source, way_out="Check the name."
            )
        return [source]
    if any(guess.confidence >= 0.5 for guess in sniff(source)):
        return [source]
    found = [p for p in sorted(source.iterdir()) if p.is_file() and not p.name.startswith(".")]
    # A header belongs to the image beside it.
    found = [p for p in found if p.suffix.lower() != ".hdr"]
    if not found:
        raise BadInput(f"The folder {source.name} holds no images.", subject=source)
    return found


def explain_images(
    classifier: ImageClassifier,
    source: Path,
    request: Request,
    out: Path,
    *,
    where: Where | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Batch:
    """Explain an image, or every image of a folder, and write the maps.

    Of a single image errors are raised; in a folder they are noted and the rest goes on.

    Raises
    ------
    ClearbandError
        What is wrong with a single image, or every image of a folder the same way.
    Cancelled
        What was finished before stays.
    """
    progress, where = progress or Progress(), where or Where()
    paths = images_in(source)
    stems = _stems(paths)
    out.mkdir(parents=True, exist_ok=True)
    batch = Batch()
    if len(paths) > 1:
        progress.start(len(paths), "images", f"Explaining {source.name}")
    for path, stem in zip(paths, stems, strict=True):
        inner = progress if len(paths) == 1 else Progress(progress.token)
        progress.check()
        words = tuple(str(path) if w == str(source) else w for w in request.command)
        one = replace(request, command=words)
        try:
            with open_scene(path, options or {}) as scene:
                written, about = _one(classifier, scene, one, where, out, stem, inner)
            files = [str(p) for p in written]
            batch.done.append({**about, "image": str(path), "written": files})
        except ClearbandError as error:
            if len(paths) == 1:
                raise
            batch.failed.append({"image": str(path), "error": str(error)})
        if len(paths) > 1:
            progress.advance()
    if not batch.done:
        first = batch.failed[0]["error"]
        raise BadInput(f"None of {len(paths)} images could be explained; the first: {first}")
    return batch


def _one(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    where: Where,
    out: Path,
    stem: str,
    progress: Progress,
) -> tuple[list[Path], dict[str, Any]]:
    if where.mask is not None:
        request = replace(request, region=_region(where.mask, scene))
    if scene.bands.axis == "slice" and where.slices is not None:
        numbers = list(where.slices) or None
        maps, found = explain_volume(classifier, scene, request, numbers, progress=progress)
        return write_volume(maps, found, scene, out, stem)
    if where.tiles:
        level = where.level or 0
        if level >= len(scene.level_shapes):
            raise BadInput(f"{scene.title} has no pyramid level {level}.")
        window = where.window or Window(0, 0, *scene.level_shapes[level])
        window = window.clip(*scene.level_shapes[level])
        heatmap = explain_region(
            classifier, scene, request, window, level, tile=where.tile, progress=progress
        )
        return write_region(heatmap, scene, window, level, out, stem)
    one = explain_scene(
        classifier, scene, request, window=where.window, level=where.level, progress=progress
    )
    return write_found(one, scene, out, stem)


def _region(path: Path, scene: Scene) -> NDArray[np.bool_]:
    from backends.io.labels import open_labels

    found = open_labels(path).values > 0
    if found.shape != scene.shape[:2]:
        raise BadInput(
            f"The mask {path.name} is {found.shape[0]} × {found.shape[1]} pixels, {scene.title} "
            f"{scene.shape[0]} × {scene.shape[1]}.",
            subject=path,
            way_out="Choose the mask that belongs to this image.",
        )
    return np.asarray(found)


def _stems(paths: Iterable[Path]) -> list[str]:
    """Return names for the results, different for every image."""
    paths = list(paths)
    plain = [p.stem for p in paths]
    out: list[str] = []
    for path, stem in zip(paths, plain, strict=True):
        name = stem if plain.count(stem) == 1 else path.name.replace(".", "_")
        while name in out:
            name += "_"
        out.append(name)
    return out
