"""Explanations of one image or of a folder of them, written as files; bad ones do not stop it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, ClearbandError, WrongUse
from backends.explain.classifier import ImageClassifier
from backends.explain.explanation_trust import settings_for_scene, trust_of_found
from backends.explain.heatmap_files import write_found, write_region, write_volume
from backends.explain.heatmaps import Found, Request, explain_scene, explain_volume
from backends.explain.region_maps import explain_region
from backends.explain.trust_card import TrustCard
from backends.explain.trust_files import write_trust
from backends.explain.trust_words import in_words
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


@dataclass(frozen=True)
class Measuring:
    """How the trust of each map is measured.

    Attributes
    ----------
    steps : int
        Of the deletion and insertion curves.
    truth : path or None
        Where the thing is, for the localisation: a mask of the image, or a folder of masks
        that are called as the images are. Not assessed where there is none.
    air : float or None
        The value of air in pictures of a CT; what is taken away becomes that.
    """

    steps: int = 32
    truth: Path | None = None
    air: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise WrongUse("The curves need at least 2 steps.")

    @property
    def random_steps(self) -> int:
        """Steps of the random maps' curves: at most 8, and the curves pass through them."""
        return max((n for n in range(2, 9) if self.steps % n == 0), default=self.steps)


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
    measuring: Measuring | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Batch:
    """Explain an image, or every image of a folder, and write the maps.

    With ``measuring`` the trust of each is measured, and written as ``_trust.json`` and
    ``_curves.csv``; what comes back has ``verdict`` and ``card`` (names and sentences).

    Of a single image errors are raised; in a folder they are noted and the rest goes on.

    Raises
    ------
    ClearbandError
        What is wrong with a single image, or every image of a folder the same way.
    Cancelled
        What was finished before stays.
    """
    progress, where = progress or Progress(), where or Where()
    if measuring is not None and where.tiles:
        raise WrongUse(
            "A map stitched from tiles has many inputs, so that its trust cannot be measured.",
            way_out="Choose a window that is seen in one look, without tiles.",
        )
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
                written, about = _one(classifier, scene, one, where, out, stem, measuring, inner)
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
    measuring: Measuring | None,
    progress: Progress,
) -> tuple[list[Path], dict[str, Any]]:
    if where.mask is not None:
        request = replace(request, region=_mask(where.mask, scene))
    truth = None if measuring is None else _truth(measuring, scene)
    if scene.bands.axis == "slice" and where.slices is not None:
        numbers = list(where.slices) or None
        maps, found = explain_volume(classifier, scene, request, numbers, progress=progress)
        if measuring is None:
            return write_volume(maps, found, scene, out, stem)
        pairs = [_measure(classifier, f, scene, truth, measuring, progress) for f in found]
        cards = [card for card, _ in pairs]
        files, about = write_volume(maps, [f for _, f in pairs], scene, out, stem, cards)
        for (card, one), told in zip(pairs, about["slices"], strict=True):
            files += _write_card(card, one, out, f"{stem}_slice{told['slice']:04d}", told)
        return files, about
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
    if measuring is None:
        return write_found(one, scene, out, stem)
    # Measured before anything is written: an image whose mask does not fit leaves nothing.
    card, one = _measure(classifier, one, scene, truth, measuring, progress)
    files, about = write_found(one, scene, out, stem, card)
    files += _write_card(card, one, out, stem, about)
    return files, about


def _measure(
    classifier: ImageClassifier,
    found: Found,
    scene: Scene,
    truth: NDArray[np.bool_] | None,
    measuring: Measuring,
    progress: Progress,
) -> tuple[TrustCard, Found]:
    how = settings_for_scene(
        classifier, scene, air_value=measuring.air, steps=measuring.steps,
        random_steps=measuring.random_steps,
    )  # fmt: skip
    return trust_of_found(
        classifier, found, scene, truth=truth, settings=how, progress=Progress(progress.token)
    )


def _write_card(
    card: TrustCard, found: Found, out: Path, stem: str, about: dict[str, Any]
) -> list[Path]:
    about |= {"verdict": card.verdict, "card": [list(line) for line in in_words(card)]}
    return list(write_trust(card, out, stem, found.heatmap.provenance))


def _truth(measuring: Measuring, scene: Scene) -> NDArray[np.bool_] | None:
    """Return the mask of a scene; None where its folder of masks has none for it."""
    path = measuring.truth
    if path is None:
        return None
    if path.is_dir():
        name = Path(scene.info.path or scene.title).stem
        path = next((p for p in sorted(path.iterdir()) if p.stem == name), None)
        return None if path is None else _mask(path, scene)
    return _mask(path, scene)


def _mask(path: Path, scene: Scene) -> NDArray[np.bool_]:
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
