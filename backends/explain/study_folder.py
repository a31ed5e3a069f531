"""A study of a labelled folder: images, networks, and whether these have seen those before.

Window and command line call `study_folder`. Each network's result is written as soon as it is
there; a stopped study goes on with the next one.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.explain import shelf
from backends.explain.classifier import ImageClassifier, Target
from backends.explain.explainers import map_function, method
from backends.explain.explanation_trust import air_at_input, settings_for
from backends.explain.perturbation import ZERO
from backends.explain.study import run_study
from backends.explain.study_keeping import keep_result, kept_result
from backends.explain.study_records import (
    ModelResult,
    Study,
    StudyImage,
    StudyModel,
    StudySettings,
)
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.jobs import Progress
from backends.learning.grouping import GroupRule
from backends.learning.image_data import ImageData, load_images
from backends.learning.image_reading import fit_bands
from backends.learning.image_split import PARTS, SHARES
from backends.learning.trained_networks import NETWORK_FILE, read_card

KEPT = "models"
# Only thumbnails are made of it, for finding doubles.
_SIZE = (128, 128)


@dataclass(frozen=True)
class StudyPlan:
    """What is studied.

    Attributes
    ----------
    models : tuple of str
        Folders or files of networks taught here, other files, or names; see `shelf.load`.
    part : str
        ``"test"``, ``"val"``, ``"train"`` or ``"all"``: which images.
    masks : path or None
        Folder of masks, called as the images; masks in the table's column are taken, too.
    how : str
        Method of the maps.
    air : float or None
        The value of air in pictures of a CT; what is taken away becomes that.
    rule, shares, seed : GroupRule, three numbers, int
        Of the split, as in `finetune`.
    untrained : bool
        Take networks with random weights, too.
    settings : StudySettings
    """

    models: tuple[str, ...]
    part: str = "test"
    masks: Path | None = None
    how: str = "grad_cam"
    air: float | None = None
    rule: GroupRule = field(default_factory=GroupRule)
    shares: tuple[float, float, float] = SHARES
    seed: int = 0
    untrained: bool = False
    settings: StudySettings = field(default_factory=StudySettings)

    def __post_init__(self) -> None:
        if self.part not in (*PARTS, "all"):
            raise WrongUse(f"There is no part called {self.part}.", way_out="test, val, train, all")


@dataclass(frozen=True, eq=False)
class FolderStudy:
    """A study and what its images share with the trainings.

    Attributes
    ----------
    study : Study
    leakage : mapping
        Of the split (groups in two parts, near-duplicates) and of each network: how many of
        the images and groups were in its training, None where that is not known.
    resumed : tuple of str
        Networks whose result was there already.
    """

    study: Study
    leakage: dict[str, Any]
    resumed: tuple[str, ...] = ()


def study_folder(
    source: str | Path,
    plan: StudyPlan,
    out: Path | None = None,
    *,
    resume: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> FolderStudy:
    """Run the protocol of 2601.12826 over a labelled folder and several networks.

    Parameters
    ----------
    source : path
        Folder with one folder a class, or a table; see `image_folder.find_images`.
    plan : StudyPlan
    out : path, optional
        Each network's result is kept below it.
    resume : bool
        Take the results that ``out`` has of the very same study.

    Raises
    ------
    BadInput
        A network tells other classes apart, a mask is missing its folder, nothing to study.
    WrongUse
        No such part, method or network.
    Cancelled
        Networks that were finished stay in ``out``.
    """
    progress = progress or Progress()
    method(plan.how)
    if not plan.models:
        raise WrongUse("A study needs networks.", way_out="Name one with --model, or several.")
    if plan.masks is not None and not plan.masks.is_dir():
        raise BadInput(f"{plan.masks.name} is no folder of masks.", subject=plan.masks)
    # Before the images: what is wrong with a network is said at once.
    opened = [_open(name, plan, device, progress) for name in plan.models]
    with load_images(
        source, _SIZE, rule=plan.rule, shares=plan.shares, seed=plan.seed, progress=progress
    ) as data:
        numbers = _numbers(data, plan.part)
    classes = data.images.classes
    images = [_image(data, number, plan.masks) for number in numbers]
    names = _names([classifier.card.id for classifier, _ in opened])
    models = [
        _model(name, classifier, where, classes, plan)
        for name, (classifier, where) in zip(names, opened, strict=True)
    ]
    identity = {
        model.name: _identity(images, plan, classes, classifier)
        for model, (classifier, _) in zip(models, opened, strict=True)
    }
    kept: dict[str, tuple[ModelResult, dict[int, str]]] = {}
    if resume and out is not None:
        for name in names:
            if found := kept_result(_place(out, name), identity[name]):
                kept[name] = found

    def keep(result: ModelResult, unread: dict[int, str]) -> None:
        if out is not None:
            keep_result(_place(out, result.model), identity[result.model], result, unread)

    study = run_study(
        images, models, classes, settings=plan.settings, kept=kept, keep=keep, progress=progress
    )
    leakage = _leakage(data, numbers, names, [where for _, where in opened])
    return FolderStudy(
        replace(study, notes=(*_said(leakage, plan), *data.notes)), leakage, tuple(kept)
    )


def _open(
    name: str, plan: StudyPlan, device: str, progress: Progress
) -> tuple[ImageClassifier, Path | None]:
    path = Path(name).expanduser()
    if path.exists():
        inner = path / NETWORK_FILE if path.is_dir() else path
        return shelf.load(weights=path, device=device, progress=progress), inner
    return shelf.load(name, untrained=plan.untrained, device=device, progress=progress), None


def _numbers(data: ImageData, part: str) -> list[int]:
    if part == "all":
        return list(range(len(data.images.images)))
    found = [int(n) for n in data.split.of(part)]
    if not found:
        raise BadInput(
            f"The {part} part of {data.images.source.name} holds no image.",
            subject=data.images.source,
            way_out="Choose another part, or all.",
        )
    return found


def _image(data: ImageData, number: int, masks: Path | None) -> StudyImage:
    image = data.images.images[number]
    path, mask = image.path, image.mask
    if masks is not None:
        mask = next((p for p in sorted(masks.rglob(f"{path.stem}.*")) if p.is_file()), mask)

    def load() -> NDArray[Any]:
        with open_scene(path) as scene:
            plain = scene.dtype == np.uint8 and scene.info.nodata is None
            return scene.read(physical=not plain)

    def truth(mask: Path | None = mask) -> NDArray[Any]:
        assert mask is not None
        return open_labels(mask).values > 0

    return StudyImage(
        image.path.name,
        int(image.label),
        load,
        None if mask is None else truth,
        data.images.groups.names[number],
    )


def _model(
    name: str,
    classifier: ImageClassifier,
    where: Path | None,
    classes: Sequence[str],
    plan: StudyPlan,
) -> StudyModel:
    import torch
    from torch import Tensor

    theirs = [c.casefold() for c in classifier.class_names]
    wanted = [c.casefold() for c in classes]
    if sorted(theirs) != sorted(wanted):
        raise BadInput(
            f"{classifier.card.title} tells {', '.join(classifier.class_names[:6])} apart, the "
            f"images are {', '.join(classes)}.",
            way_out="Teach it these classes first: clearband finetune.",
        )
    order = [theirs.index(c) for c in wanted]
    spec = classifier.spec

    def prepare(pixels: NDArray[Any]) -> Tensor:
        values = pixels[:, :, None] if pixels.ndim == 2 else pixels
        fitting = fit_bands(np.moveaxis(values, 2, 0), spec.bands)
        return classifier.prepare(np.moveaxis(fitting, 0, 2)).tensor[0]

    def to_input(mask: NDArray[Any]) -> NDArray[Any]:
        empty = np.zeros((*mask.shape, spec.bands), np.uint8)
        geometry = classifier.prepare(empty).geometry
        return geometry.to_input(np.asarray(mask, np.float32))

    def explain(image: Tensor, target: int) -> NDArray[Any]:
        chosen = Target(order[target], classes[target])
        return map_function(classifier, chosen, plan.how, untrained=plan.untrained)(image)

    how = settings_for(classifier, ct=plan.air)
    card = read_card(where) if where is not None else None
    notes = [classifier.card.trained_on or "untrained, random weights"]
    notes += [note for note in classifier.card.notes if "take it for untrained" in note]
    return StudyModel(
        name,
        classifier.card.id if card is None else str(card["architecture"]),
        prepare,
        lambda batch: torch.softmax(classifier.logits(batch).float(), 1)[:, order],
        explain,
        to_input,
        how.deletion,
        how.insertion,
        ZERO if plan.air is None else air_at_input(spec, plan.air),
        "; ".join(notes),
    )


def _identity(
    images: Sequence[StudyImage],
    plan: StudyPlan,
    classes: Sequence[str],
    classifier: ImageClassifier,
) -> str:
    told = [
        [(i.name, i.label, i.mask is not None) for i in images],
        list(classes), vars(plan.settings), plan.how, plan.air, plan.untrained,
        classifier.card.weights_digest, classifier.card.id,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _leakage(
    data: ImageData, numbers: Sequence[int], names: Sequence[str], where: Sequence[Path | None]
) -> dict[str, Any]:
    rows = data.rows()[1:]
    studied = {(rows[n][0], rows[n][1]) for n in numbers}
    groups = {(data.images.classes[data.images.images[n].label], rows[n][2]) for n in numbers}
    seen: dict[str, Any] = {}
    for name, path in zip(names, where, strict=True):
        taught = None if path is None else _taught_with(path.parent / "split.csv")
        if taught is None:
            seen[name] = None
            continue
        theirs = {(row["path"], row["label"]) for row in taught}
        their_groups = {(row["label"], row["group"]) for row in taught}
        seen[name] = {
            "images": len(studied & theirs),
            "groups": len(groups & their_groups),
        }
    every = [image.name for image in data.images.images]
    return {
        "in_training": seen,
        "split": data.leakage.to_dict(every),
        "sentence": data.leakage.sentence,
    }


def _taught_with(table: Path) -> list[dict[str, str]] | None:
    """Return the training images of a network taught here; None where that is not known."""
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    found = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    if not found or not {"path", "label", "group", "part"} <= set(found[0]):
        return None
    return [row for row in found if row["part"] == "train"]


def _said(leakage: dict[str, Any], plan: StudyPlan) -> list[str]:
    out = [f"Maps by {method(plan.how).title}; images of the {plan.part} part."]
    if plan.air is not None:
        out.append("What is taken away or masked becomes air (black).")
    else:
        out.append("Masked places become 0 of the network's input, the mean of its training.")
    for name, seen in leakage["in_training"].items():
        if seen is None:
            out.append(f"{name}: which images it was taught with is not known.")
        elif seen["images"] or seen["groups"]:
            out.append(
                f"{name} was taught with {seen['images']} of these images and has seen "
                f"{seen['groups']} of their groups: its figures are too good."
            )
    clean = [n for n, seen in leakage["in_training"].items() if seen == {"images": 0, "groups": 0}]
    if clean:
        out.append(f"No image and no group here was in the training of {', '.join(clean)}.")
    return out


def _names(ids: Sequence[str]) -> list[str]:
    """Return names that differ."""
    out: list[str] = []
    for name in ids:
        new, count = name, 2
        while new in out:
            new, count = f"{name} {count}", count + 1
        out.append(new)
    return out


def _place(out: Path, name: str) -> Path:
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
    return out / KEPT / f"{safe}.npz"
