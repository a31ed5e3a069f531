"""From labels to a class map with its measured accuracy: one function for window and command."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import BadInput, MissingCapability, WrongUse
from backends.hyperspectral.checkpoints import (
    Checkpoint,
    checkpoint_digest,
    damaged,
    load_checkpoint,
)
from backends.hyperspectral.fitting import Fitted, fit_classifier
from backends.hyperspectral.mapping import Mapped, map_scene, polite_threads
from backends.hyperspectral.metrics import Metrics, evaluate
from backends.hyperspectral.results import write_results
from backends.hyperspectral.splits import Split, make_split
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.overlays import ClassMap, MatrixField, Overlay, Provenance
from backends.registry import ModelCard, card
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.training import TrainingCurve

__all__ = ["ClassifyResult", "classify", "write_results"]


@dataclass(frozen=True, eq=False)
class ClassifyResult:
    """What a classification gave.

    Attributes
    ----------
    overlays : tuple of Overlay
        The class map first; what happened inside a network after it.
    metrics : Metrics or None
        On test pixels only; None without labels or without a test part.
    split : Split or None
    train_seconds, predict_seconds : float
    device : str
    settings : mapping
        Everything that was set or found, by name.
    notes : tuple of str
        What to know before believing the map.
    checkpoint : Checkpoint
        The trained classifier.
    was_trained : bool
        False when it came from a file.
    curve : TrainingCurve or None
    """

    model: str
    overlays: tuple[Overlay, ...]
    metrics: Metrics | None
    split: Split | None
    train_seconds: float
    predict_seconds: float
    device: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...]
    checkpoint: Checkpoint
    was_trained: bool
    curve: TrainingCurve | None = None

    @property
    def class_map(self) -> ClassMap:
        """The class map."""
        found = self.overlays[0]
        assert isinstance(found, ClassMap)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "model": self.model,
            "protocol": self.split.protocol if self.split else None,
            "seed": self.split.seed if self.split else None,
            "split": self.split.sizes() if self.split else None,
            "metrics": self.metrics.to_dict() if self.metrics else None,
            "train_seconds": round(self.train_seconds, 3),
            "predict_seconds": round(self.predict_seconds, 3),
            "device": self.device,
            "settings": dict(self.settings),
            "notes": list(self.notes),
        }


def classify(
    scene: Scene,
    labels: Labels | None,
    model_id: str,
    *,
    protocol: str = "P30",
    seed: int = 0,
    device: str = "auto",
    checkpoint: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> ClassifyResult:
    """Train a model on labelled pixels (or load it), map the scene, and measure the map.

    Parameters
    ----------
    labels : Labels or None
        None needs weights: a checkpoint, or a model that comes with some.
    model_id : str
        As in `registry.cards`.
    protocol : str
        How labels are divided; see `splits.PROTOCOLS`.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``; classic models use the CPU.
    checkpoint : Path, optional
        Weights to use instead of training; labels then only measure.
    settings : mapping, optional
        Of the model and its training, by name.
    progress : Progress, optional
        Gets a `TrainingCurve` as partial result while a network trains.

    Raises
    ------
    BadInput
        Labels and scene do not fit, too few classes, bands that are missing.
    MissingCapability
        A map was asked of a model that has no weights.
    """
    progress = progress or Progress()
    about = card(model_id)
    if labels is not None and labels.values.shape != scene.shape[:2]:
        raise BadInput(
            f"The labels are {labels.values.shape[0]} × {labels.values.shape[1]} pixels, "
            f"{scene.title} is {scene.shape[0]} × {scene.shape[1]}.",
            way_out="Choose the label file that belongs to this scene.",
        )
    is_network = about.family == "network"
    trained = not (checkpoint is not None or labels is None)
    path = None if trained else _weights(about, checkpoint)
    where = _device(device) if is_network else "cpu"
    with polite_threads() if is_network else nullcontext():
        if trained:
            assert labels is not None
            split: Split | None = make_split(labels.values, protocol, seed)
            assert split is not None
            fitted = fit_classifier(
                scene, labels, model_id, split, device=where, settings=settings, progress=progress
            )
            digest = checkpoint_digest(fitted.checkpoint)
        else:
            assert path is not None
            fitted, digest = _loaded(path, about, scene)
            split = None if labels is None else _unseen(labels, fitted.checkpoint, scene)
        started = time.perf_counter()
        mapped = _map(scene, fitted.checkpoint, about, where, progress, path)
    result = ClassifyResult(
        model=model_id,
        overlays=tuple(_with_origin(overlay, fitted) for overlay in mapped.overlays),
        metrics=None,
        split=split,
        train_seconds=fitted.seconds if trained else 0.0,
        predict_seconds=time.perf_counter() - started,
        device=where,
        settings=fitted.settings,
        notes=(*fitted.notes, *mapped.notes, *(split.notes if split and not trained else ())),
        checkpoint=fitted.checkpoint,
        was_trained=trained,
        curve=fitted.curve,
    )
    return _measured(result, scene, labels, about, digest)


# -- weights that exist ----------------------------------------------------------------------


def _weights(about: ModelCard, given: Path | None) -> Path:
    """Return the file to load, or say that there is none."""
    if given is not None:
        return given
    if not about.is_trained:
        raise MissingCapability(
            f"{about.title} is untrained: it has no weights of its own.",
            way_out="Give it labels to train on, or a checkpoint.",
        )
    import resources

    return resources.path("weights", about.weights)


def _loaded(path: Path, about: ModelCard, scene: Scene) -> tuple[Fitted, str]:
    checkpoint, digest = load_checkpoint(path)
    if checkpoint.model_id != about.id:
        raise WrongUse(
            f"{path.name} is a checkpoint of {checkpoint.model_id}, not of {about.id}.",
            way_out=f"Use --model {checkpoint.model_id}.",
        )
    import resources

    if path == resources.path("weights", about.weights) and digest != about.weights_digest:
        raise BadInput(
            f"{path.name} is not the file its card speaks of.",
            subject=path,
            way_out="Install Clearband anew.",
        )
    notes = [f"Weights trained on {checkpoint.facts.get('scene', 'another scene')}."]
    if not checkpoint.knows(scene):
        notes.append("This is another scene: the accuracy measured there need not hold here.")
    settings = dict(checkpoint.facts.get("settings", {}))
    return Fitted(checkpoint, settings, tuple(notes), None, 0.0), digest


def _unseen(labels: Labels, checkpoint: Checkpoint, scene: Scene) -> Split:
    """Return all labelled pixels as test pixels, but those that taught the weights."""
    flat = labels.values.ravel()
    test = np.flatnonzero(flat > 0)
    facts = checkpoint.facts
    protocol, seed = "given weights", 0
    if checkpoint.knows(scene):
        test = np.setdiff1d(test, checkpoint.seen)
        protocol, seed = str(facts.get("protocol", "")), int(facts.get("seed", 0))
    nothing = np.empty(0, np.int64)
    return Split(nothing, nothing, test.astype(np.int64), protocol, seed, labels.values.shape)


# -- the map ---------------------------------------------------------------------------------


def _device(wanted: str) -> str:
    from backends import devices

    return devices.choose(wanted).id


def _map(
    scene: Scene,
    checkpoint: Checkpoint,
    about: ModelCard,
    device: str,
    progress: Progress,
    path: Path | None,
) -> Mapped:
    made = Provenance(about.id, about.version)
    try:
        return map_scene(
            scene, checkpoint, made, title=about.title, device=device, progress=progress
        )
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        # Arrays in a file may be anything; those just trained fit, so it is a defect of ours.
        if path is None:
            raise
        from backends.devices import is_out_of_memory

        if is_out_of_memory(error):
            raise
        raise damaged(path, error) from error


def _with_origin(overlay: Overlay, fitted: Fitted) -> Overlay:
    """Give matrices what checks of them need: the weights, and how they came about."""
    if not isinstance(overlay, MatrixField):
        return overlay
    return replace(overlay, checkpoint=fitted.checkpoint, history=fitted.history)


def _measured(
    result: ClassifyResult, scene: Scene, labels: Labels | None, about: ModelCard, digest: str
) -> ClassifyResult:
    """Measure on the test pixels and write everything into the provenance."""
    metrics, notes = None, result.notes
    if labels is not None and result.split is not None and result.split.test.size:
        metrics, said = _compare(result.class_map, labels, result.split)
        notes = (*notes, *said)
    figures: dict[str, Any] = {}
    if metrics is not None and result.split is not None:
        figures = metrics.to_dict() | {"confusion": metrics.confusion.tolist()}
        figures["protocol"] = result.split.protocol
    parameters = dict(result.settings)
    if result.split is not None:
        parameters |= {"protocol": result.split.protocol, "seed": result.split.seed}
    made = Provenance(
        about.id,
        about.version,
        weights_digest=digest,
        parameters=parameters,
        scene_digest=scene.digest,
        scene_path=str(scene.info.path or ""),
        device=result.device,
        seconds=round(result.train_seconds + result.predict_seconds, 3),
        figures=figures,
        notes=tuple(n for n in (about.reconstruction, *notes) if n),
        command=_command(result, scene),
    )
    overlays = tuple(replace(overlay, provenance=made) for overlay in result.overlays)
    return replace(result, metrics=metrics, overlays=overlays, notes=notes)


def _compare(made: ClassMap, labels: Labels, split: Split) -> tuple[Metrics, tuple[str, ...]]:
    """Measure the test pixels; classes of weights from elsewhere are matched by name."""
    present = np.unique(labels.values[labels.values > 0]).tolist()
    names = {v: labels.class_names.get(v, f"Class {v}") for v in present}
    predicted = made.labels.ravel()[split.test]
    notes: tuple[str, ...] = ()
    if any(made.class_names.get(v, name) != name for v, name in names.items()):
        value_of = {name: value for value, name in names.items()}
        if value_of.keys() & set(made.class_names.values()):
            lookup = np.zeros(256, np.uint8)
            for value, name in made.class_names.items():
                lookup[value] = value_of.get(name, 0)
            predicted = lookup[predicted]
        else:
            notes = ("The weights name their classes otherwise: compared by number.",)
    return evaluate(labels.values.ravel()[split.test], predicted, names), notes


def _command(result: ClassifyResult, scene: Scene) -> str:
    if scene.info.path is None:
        return ""
    words = ["clearband", "classify", str(scene.info.path), "--model", result.model]
    if result.split is not None and result.was_trained:
        words += ["--labels", "LABELS", "--protocol", result.split.protocol]
        words += ["--seed", str(result.split.seed)]
    return shlex.join([*words, "--out", "FOLDER"])
