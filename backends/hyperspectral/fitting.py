"""From labelled pixels to a trained classifier: the same road for every model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.calibration import fit_temperature
from backends.hyperspectral.checkpoints import Checkpoint
from backends.hyperspectral.continuing import Start, same_shape, start_from
from backends.hyperspectral.features import SceneParts, read_pixels
from backends.hyperspectral.normalise import BandStretch, fit_stretch
from backends.hyperspectral.splits import Split, squares_note
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.matrix_history import structure_curve
from backends.registry import is_network
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.training import TrainingCurve
    from backends.matrix_history import MatrixHistory

# Unlabelled pixels that keep the labelled ones company in training.
COMPANY = 8192
# Squares that a network which leaves the choice to us may read.
CONTEXTS = (1, 3, 5)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained classifier.

    Attributes
    ----------
    checkpoint : Checkpoint
    settings : mapping
        Everything that was set or found, by name.
    notes : tuple of str
    curve : TrainingCurve or None
    seconds : float
    history : MatrixHistory or None
        What the matrices were while it trained.
    """

    checkpoint: Checkpoint
    settings: Mapping[str, Any]
    notes: tuple[str, ...]
    curve: TrainingCurve | None
    seconds: float
    history: MatrixHistory | None = None


class _Trained(NamedTuple):
    """What a training leaves, whatever was trained.

    Attributes
    ----------
    arrays : mapping
        Weights.
    plan : mapping
        What the model is built with.
    said : mapping
        Settings, given or found.
    temperature : float or None
        Of the probabilities, fitted on ``validated`` pixels.
    """

    arrays: Mapping[str, NDArray[Any]]
    plan: Mapping[str, Any]
    said: Mapping[str, Any]
    temperature: float | None
    validated: int
    curve: TrainingCurve | None = None
    history: MatrixHistory | None = None
    note: str = ""


def fit_classifier(
    scene: Scene,
    labels: Labels,
    model_id: str,
    split: Split,
    *,
    device: str = "cpu",
    settings: Mapping[str, Any] | None = None,
    start: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Train a model on the training pixels of a split.

    Parameters
    ----------
    device : str
        Id of a device that exists; only networks use another than the CPU.
    settings : mapping, optional
        Of the model and its training, by name.
    start : Checkpoint, optional
        A network of this kind to go on with; ``steps`` then says how many more.

    Raises
    ------
    WrongUse
        A setting the model does not have, or a model that cannot be trained further.
    BadInput
        Too few bands, no training pixel holds data, or classes or bands differ from ``start``.
    """
    progress = progress or Progress()
    began, waited = time.perf_counter(), progress.paused_seconds
    values = np.unique(labels.values[labels.values > 0]).astype(np.int64)
    target = np.searchsorted(values, labels.values.ravel())
    target = np.where(labels.values.ravel() > 0, target, -1).astype(np.int64)
    wanted = dict(settings or {})
    notes = list(split.notes)
    if start is not None:
        going_on = start_from(start, scene, labels)
        stretch = going_on.stretch
        notes.append(going_on.note)
        made = _fit_network(
            scene, model_id, stretch, target, split, wanted, device, progress, going_on
        )
    else:
        stretch = fit_stretch(scene, progress=progress)
        stretch = replace(stretch, plain=_as_measured(model_id))
        fit = _fit_network if is_network(model_id) else _fit_spectra
        made = fit(scene, model_id, stretch, target, split, wanted, device, progress)
    facts: dict[str, Any] = {
        "scene": scene.title,
        "scene_file": scene.info.path.name if scene.info.path else None,
        "scene_shape": list(scene.shape),
        "scene_digest": scene.digest,
        "protocol": split.protocol,
        "seed": split.seed,
        "settings": dict(made.said),
    }
    if made.temperature is not None:
        facts |= {"temperature": made.temperature, "calibrated_on": made.validated}
    if made.curve is not None:
        facts |= {"steps_done": made.curve.done, "steps_planned": made.curve.steps}
        if made.curve.series:
            series = made.curve.series.items()
            facts["series"] = {k: [float(f"{x:.6g}") for x in v] for k, v in series}
    seen = np.union1d(split.train, split.val)
    if start is not None and start.knows(scene):
        seen = np.union1d(seen, start.seen)
    if made.history is not None:
        facts["structure"] = structure_curve(made.history).to_dict()
    checkpoint = Checkpoint(
        model_id,
        made.arrays,
        made.plan,
        stretch,
        {int(v): labels.class_names.get(int(v), f"Class {v}") for v in values},
        facts,
        seen,
    )
    notes += [f"Bands left out: {text}." for text in stretch.left_out]
    if said := squares_note(split, _side(model_id, made.said)):
        notes.append(said)
    if made.curve is not None and made.curve.note:
        notes.append(made.curve.note)
    notes += [made.note] if made.note else []
    seconds = time.perf_counter() - began - (progress.paused_seconds - waited)
    return Fitted(checkpoint, made.said, tuple(notes), made.curve, seconds, made.history)


def _side(model_id: str, said: Mapping[str, Any]) -> int:
    """Return the side of the square around a pixel that a model reads."""
    from backends.hyperspectral.baselines import WINDOWS

    return max(WINDOWS.get(model_id, 1), *(int(said.get(n, 1)) for n in ("patch", "context")))


def _as_measured(model_id: str) -> bool:
    from backends.hyperspectral.baselines import UNSTRETCHED

    return model_id in UNSTRETCHED


def _fit_spectra(
    scene: Scene,
    model_id: str,
    stretch: BandStretch,
    target: NDArray[np.int64],
    split: Split,
    settings: dict[str, Any],
    device: str,
    progress: Progress,
) -> _Trained:
    from backends.hyperspectral.baselines import WINDOWS, train_spectra

    # Validation pixels teach nothing: every model learns from the same number of labels.
    window = WINDOWS.get(model_id, 1)
    found = read_pixels(scene, stretch, stretch.bands, split.train, window, progress)
    taught = target[split.train][found.valid]
    _need_classes(taught)
    model = train_spectra(
        model_id,
        found.seen[found.valid],
        taught,
        seed=split.seed,
        settings=settings,
        progress=progress,
    )
    temperature, count = None, 0
    if split.val.size:
        held = read_pixels(scene, stretch, stretch.bands, split.val, window, progress)
        count = int(held.valid.sum())
        scores = np.full((count, int(target.max()) + 1), -np.inf)
        scores[:, model.classes] = model.answer(held.seen[held.valid]).scores
        temperature = fit_temperature(scores, target[split.val][held.valid])
    note = str(model.settings.get("note", ""))
    said = {name: value for name, value in model.settings.items() if name != "note"}
    return _Trained(model.arrays(), said, said, temperature, count, note=note)


def _fit_network(
    scene: Scene,
    model_id: str,
    stretch: BandStretch,
    target: NDArray[np.int64],
    split: Split,
    settings: dict[str, Any],
    device: str,
    progress: Progress,
    start: Start | None = None,
) -> _Trained:
    import torch

    from backends.hyperspectral.batches import Batches, TrainingPixels
    from backends.hyperspectral.networks import Known, build, rebuild, settings_of, training_of
    from backends.hyperspectral.precision import training_precision
    from backends.hyperspectral.snapshots import watcher_for
    from backends.hyperspectral.training import TrainingSettings, train_network
    from backends.hyperspectral.whitening import local_covariance

    if start is not None:
        plan = start.checkpoint.settings
        same_shape(settings, plan["network"])
        settings = dict(plan["network"]) | start.training(TrainingSettings) | settings
    shape, left = _take(settings_of(model_id), settings)
    recipe = training_of(model_id, split.train.size, target.size)
    training, left = _take(TrainingSettings, {**recipe, **left})
    if left:
        raise WrongUse(f"There is no setting called {next(iter(left))}.")
    precision = training_precision(training.mixed_precision, device)
    rng = np.random.default_rng(split.seed)
    known = np.union1d(split.train, split.val)
    # Test pixels may keep company, without their labels: the network sees the whole image.
    together = getattr(shape, "company", True)
    others = np.setdiff1d(np.arange(target.size), known if together else np.arange(target.size))
    if others.size > COMPANY:
        others = np.sort(rng.choice(others, COMPANY, replace=False))
    index = np.union1d(known, others)
    fresh = start is None
    local = local_covariance(scene, stretch, progress) if together and fresh else np.empty((0, 0))
    if shape.context == 0:
        side = _context(scene, stretch, target, split, local, progress)
        shape = replace(shape, context=side)
    patch = getattr(shape, "patch", 1)
    found = read_pixels(scene, stretch, stretch.bands, index, shape.context, progress, patch)
    shown = np.full(index.size, -1, np.int64)
    places = np.searchsorted(index, known)
    shown[places] = target[known]
    shown[~found.valid] = -1
    at = {part: np.searchsorted(index, getattr(split, part)) for part in ("train", "val")}
    at = {part: where[shown[where] >= 0] for part, where in at.items()}
    _need_classes(shown[at["train"]])
    after = 0 if start is None else start.steps_done
    # Seeded, and other random streams of the process are left alone.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(split.seed + after)
        if start is None:
            made = build(model_id, stretch, int(target.max()) + 1, shape)
            made.network.prepare(
                Known(
                    found.take(at["train"]),
                    shown[at["train"]],
                    found.take(np.flatnonzero(found.valid)),
                    local,
                )
            )
            network, plan, said = made.network, made.plan, dict(made.settings)
        else:
            weights, bands = start.checkpoint.arrays, len(stretch.bands)
            network = rebuild(model_id, plan, weights, bands, int(target.max()) + 1)
            said = dict(plan["network"])
        network = network.to(device)
        watcher = watcher_for(network, scene, stretch, training.steps, device, progress)
        whole = None
        if network.whole_image:
            whole = SceneParts(scene, stretch, stretch.bands, index, shape.part_pixels)
        pixels = TrainingPixels(found, shown, at["train"], at["val"], whole)
        curve = train_network(
            network,
            pixels,
            training,
            seed=split.seed,
            device=device,
            progress=progress,
            watch=watcher.after_step if watcher is not None else None,
            after=after,
        )
        temperature = None
        if at["val"].size:
            scores, truth = Batches(network, pixels, training.pixels_per_step, 0, device).scores()
            untaught = np.setdiff1d(np.arange(scores.shape[1]), shown[at["train"]])
            scores[:, untaught] = -np.inf
            temperature = fit_temperature(scores, truth)
    arrays = {n: v.detach().cpu().numpy() for n, v in network.state_dict().items()}
    said |= training.to_dict()
    said |= {"best_step": curve.best_step, "bfloat16": precision is not None}
    history = watcher.history() if watcher is not None else None
    return _Trained(arrays, plan, said, temperature, int(at["val"].size), curve, history)


def _context(
    scene: Scene,
    stretch: BandStretch,
    target: NDArray[np.int64],
    split: Split,
    local: NDArray[np.float64],
    progress: Progress,
) -> int:
    """Return the side of the square around a pixel that suits the training pixels."""
    from backends.hyperspectral.whitening import choose_context

    squares = {}
    for side in CONTEXTS:
        found = read_pixels(scene, stretch, stretch.bands, split.train, side, progress)
        squares[side] = found.seen[found.valid]
    taught = target[split.train][found.valid]
    _need_classes(taught)
    return choose_context(squares, taught, found.places[found.valid], local)


def _need_classes(target: NDArray[np.int64]) -> None:
    if np.unique(target).size < 2:
        raise BadInput(
            "The training pixels with data belong to fewer than two classes.",
            way_out="Label more pixels, or choose another protocol.",
        )


def _take(kind: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a settings record from the entries it knows, and the rest."""
    mine: dict[str, Any] = {}
    for item in fields(kind):
        if item.name not in settings:
            continue
        value = settings[item.name]
        wanted: Any = type(item.default)
        try:
            if wanted is bool and not isinstance(value, (bool, int)):
                raise ValueError
            mine[item.name] = wanted(value)
        except (TypeError, ValueError):
            words = {int: "a whole number", float: "a number", bool: "true or false"}[wanted]
            raise WrongUse(f"The setting {item.name} must be {words}, not {value}.") from None
    return kind(**mine), {k: v for k, v in settings.items() if k not in mine}
