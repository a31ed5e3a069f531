"""The protocol of 2601.12826 as one job: several networks, a folder of labelled images.

Accuracy and F1 over all images; on a sample of each class the maps, and of them the study's
three measures (LocAcc, drop by masking, agreement with a reference network) beside ours
(precision and overlap, place among random maps, agreement above that of different images).
A picture that cannot be read is listed and left out; the rest goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, ClearbandError
from backends.explain.consistency import (
    Consistency,
    class_consistency,
    consistency,
    masking_drop,
)
from backends.explain.curves import faithfulness, map_for
from backends.explain.localisation import localise
from backends.explain.perturbation import Ledger, Score, stacked
from backends.explain.similarity import at_size
from backends.explain.study_records import (
    GRID,
    MapRecord,
    ModelResult,
    Study,
    StudyImage,
    StudyModel,
    StudySettings,
)
from backends.jobs import Progress

if TYPE_CHECKING:
    from torch import Tensor


def run_study(
    images: Sequence[StudyImage],
    models: Sequence[StudyModel],
    class_names: Sequence[str],
    *,
    settings: StudySettings | None = None,
    kept: Mapping[str, tuple[ModelResult, dict[int, str]]] | None = None,
    keep: Callable[[ModelResult, dict[int, str]], None] | None = None,
    progress: Progress | None = None,
) -> Study:
    """Run the protocol; one network at a time, images read again for each (memory is bounded).

    Parameters
    ----------
    images : sequence of StudyImage
        Held out from every network's training: this function cannot know.
    models : sequence of StudyModel
    class_names : sequence of str
        Of the labels.
    settings : StudySettings, optional
    kept : mapping of name to (ModelResult, unread), optional
        Networks that were studied before, with the same images and settings.
    keep : callable, optional
        Takes each new result and the images that could not be read, to keep them.
    progress : Progress, optional
        Counted in images looked at and maps measured.

    Raises
    ------
    BadInput
        No network, no image that can be read, or a label without a name.
    Cancelled
        Within one batch.
    """
    how, progress = settings or StudySettings(), progress or Progress()
    if not models or not images:
        raise BadInput(
            "A study needs at least one network and one image.",
            way_out="Choose the networks, and a folder of labelled images.",
        )
    beyond = [i for i in images if not 0 <= i.label < len(class_names)]
    if beyond:
        raise BadInput(
            f"{beyond[0].name} has class {beyond[0].label}, there are {len(class_names)}.",
            way_out="Give every class a name.",
        )
    started = time.perf_counter()
    labels = np.asarray([i.label for i in images], np.int64)
    unread: dict[int, str] = {}
    per_class = min(how.maps_per_class, int(np.bincount(labels).max()))
    planned = sum(min(per_class, int(n)) for n in np.bincount(labels))
    progress.start(len(models) * (len(images) + planned), "images and maps")
    results: list[ModelResult] = []
    chosen: tuple[int, ...] | None = None
    for model in models:
        if kept and model.name in kept:
            result, gone = kept[model.name]
            results.append(result)
            unread |= gone
            progress.advance(len(images) + planned)
            continue
        progress.note(f"{model.name}: what the images show")
        begun = time.perf_counter()
        ledger = Ledger()
        answers, chances = _answers(images, model, how, unread, progress, ledger)
        if chosen is None:
            # After the first reading: what cannot be read is not chosen.
            chosen = tuple(_sample(labels, unread, how))
        progress.note(f"{model.name}: maps and their measures")
        records = tuple(
            _measure(images[i], i, model, answers[i], chances[i], how, progress, ledger)
            for i in chosen
            if i not in unread
        )
        results.append(
            ModelResult(
                model.name,
                model.architecture,
                model.note,
                answers,
                records,
                time.perf_counter() - begun,
                ledger,
            )
        )
        if keep is not None:
            keep(results[-1], dict(unread))
        progress.partial(tuple(results))
    if len(unread) == len(images):
        raise BadInput(
            "None of the images could be used.",
            way_out=f"The first: {unread[min(unread)]}",
            details="\n".join(unread[i] for i in sorted(unread)),
        )
    over_seeds, across = _agreement(results, how)
    return Study(
        tuple(class_names),
        tuple(images),
        labels,
        tuple(results),
        over_seeds,
        across,
        tuple((images[i].name, sentence) for i, sentence in sorted(unread.items())),
        how,
        time.perf_counter() - started,
    )


def class_agreement(result: ModelResult, label: int, labels: NDArray[np.int64]) -> float | None:
    """Return how alike one network's maps of a class's rightly classified images are."""
    found = [r for r in result.records if r.right and labels[r.image] == label]
    return class_consistency([r.values for r in found], [r.probability for r in found])


def _answers(
    images: Sequence[StudyImage],
    model: StudyModel,
    how: StudySettings,
    unread: dict[int, str],
    progress: Progress,
    ledger: Ledger,
) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
    import torch

    answers = np.full(len(images), -1, np.int64)
    chances: list[NDArray[np.float64]] = [np.zeros(0)] * len(images)
    waiting: list[tuple[int, Tensor]] = []

    def ask() -> None:
        (batch,) = stacked([tensor for _, tensor in waiting], len(waiting))
        with torch.no_grad():
            found = model.predict(batch).detach().cpu().double().numpy()
        ledger.forwards += len(waiting)
        ledger.batches += 1
        for (index, _), line in zip(waiting, found, strict=True):
            answers[index], chances[index] = int(line.argmax()), line
        progress.advance(len(waiting))
        waiting.clear()

    for index, image in enumerate(images):
        progress.check()
        if index in unread:
            progress.advance()
            continue
        try:
            tensor = model.prepare(image.load())
        except (ClearbandError, OSError, ValueError) as error:
            unread[index] = _sentence(error, image.name)
            progress.advance()
            continue
        if waiting and tensor.shape != waiting[0][1].shape:
            ask()
        waiting.append((index, tensor))
        if len(waiting) == how.batch:
            ask()
    if waiting:
        ask()
    return answers, chances


def _measure(
    image: StudyImage,
    index: int,
    model: StudyModel,
    answer: int,
    chances: NDArray[np.float64],
    how: StudySettings,
    progress: Progress,
    ledger: Ledger,
) -> MapRecord:
    target = image.label if how.explained == "label" else int(answer)
    tensor = model.prepare(image.load())
    raw = model.explain(tensor, target)
    ledger.explanations += 1
    values = np.nan_to_num(map_for(raw, tensor))
    score = _of_class(model, target)
    # Forwards are not what the study counts; the token still stops each batch.
    quiet = Progress(progress.token)
    shared: dict[str, Any] = {
        "batch": how.batch,
        "seed": how.seed,
        "progress": quiet,
        "ledger": ledger,
    }
    drop = masking_drop(
        tensor, values, score, substrate=model.masking, maps=how.random_maps, **shared
    )
    f = inserted = deleted = float("nan")
    if np.ptp(raw):
        curves = faithfulness(
            tensor,
            values,
            score,
            deletion=model.deletion,
            insertion=model.insertion,
            steps=how.steps,
            maps=how.random_maps,
            random_steps=how.random_steps,
            **shared,
        )
        f, inserted, deleted = curves.faithfulness, curves.insertion_auc, curves.deletion_auc
    there = None
    if image.mask is not None:
        there = localise(values, _mask_at_input(image, model, tensor), name=image.name)
    progress.advance()
    return MapRecord(
        index,
        target,
        float(chances[target]),
        int(answer) == image.label,
        drop,
        f,
        inserted,
        deleted,
        there,
        at_size(values, GRID).astype(np.float32),
    )


def _of_class(model: StudyModel, target: int) -> Score:
    return lambda batch: model.predict(batch)[:, target]


def _mask_at_input(image: StudyImage, model: StudyModel, tensor: Tensor) -> NDArray[np.bool_]:
    assert image.mask is not None
    mask = np.asarray(image.mask()) != 0
    shape = (int(tensor.shape[1]), int(tensor.shape[2]))
    if model.to_input is not None:
        return np.asarray(model.to_input(mask)) > 0.5
    return at_size(mask.astype(float), shape) > 0.5


def _sample(labels: NDArray[np.int64], unread: dict[int, str], how: StudySettings) -> Iterator[int]:
    """Yield the images that are explained: so many of each class, drawn once for all."""
    rng = np.random.default_rng(how.seed)
    for label in np.unique(labels):
        there = [int(i) for i in np.flatnonzero(labels == label) if int(i) not in unread]
        count = min(how.maps_per_class, len(there))
        yield from sorted(int(i) for i in rng.choice(there, count, replace=False))


def _agreement(
    results: Sequence[ModelResult], how: StudySettings
) -> tuple[dict[str, Consistency], Consistency | None]:
    by_architecture: dict[str, list[ModelResult]] = {}
    for result in results:
        by_architecture.setdefault(result.architecture, []).append(result)
    over_seeds = {
        name: consistency(_maps(found), seed=how.seed)
        for name, found in by_architecture.items()
        if len(found) > 1 and _shared(found)
    }
    firsts = [found[0] for found in by_architecture.values()]
    across = None
    if len(firsts) > 1 and _shared(firsts):
        across = consistency(_maps(firsts), seed=how.seed)
    return over_seeds, across


def _shared(results: Sequence[ModelResult]) -> list[int]:
    kept = [{r.image for r in result.records} for result in results]
    return sorted(set.intersection(*kept))


def _maps(results: Sequence[ModelResult]) -> NDArray[np.float32]:
    both = set(_shared(results))
    return np.stack(
        [np.stack([r.values for r in result.records if r.image in both]) for result in results]
    )


def _sentence(error: Exception, name: str) -> str:
    if isinstance(error, ClearbandError):
        return str(error)
    return f"{name} could not be read."
