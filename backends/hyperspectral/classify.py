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
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.apart import Apart, measure_apart, needs_it
from backends.hyperspectral.calibration import UNCALIBRATED, Calibration, calibration_error
from backends.hyperspectral.checkpoints import Checkpoint, checkpoint_digest, damaged
from backends.hyperspectral.continuing import kept_from
from backends.hyperspectral.fitting import Fitted, fit_classifier
from backends.hyperspectral.mapping import Mapped, map_scene, polite_threads
from backends.hyperspectral.metrics import Metrics, evaluate
from backends.hyperspectral.results import write_results
from backends.hyperspectral.splits import Split, make_split
from backends.hyperspectral.transfer import adapt, load_weights, unseen, weights_file
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.map_filter import MapFilter
from backends.overlays import ClassMap, MatrixField, Overlay, Provenance
from backends.registry import ModelCard, card
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.training import TrainingCurve

__all__ = ["ClassifyResult", "classify", "with_apart", "write_results"]


@dataclass(frozen=True, eq=False)
class ClassifyResult:
    """What a classification gave.

    Attributes
    ----------
    overlays : tuple of Overlay
        The class map first, what happened inside a network, and last probability and margin.
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
    calibration : Calibration
        Of the probabilities.
    apart : Apart or None
        The same model on separate blocks, where that was measured, too.
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
    calibration: Calibration = UNCALIBRATED
    apart: Apart | None = None

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
            "calibration": self.calibration.to_dict(),
            "separate_blocks": self.apart.to_dict() if self.apart else None,
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
    split: Split | None = None,
    device: str = "auto",
    checkpoint: Path | Checkpoint | None = None,
    further: bool = False,
    statistics: str = "training",
    both: bool = False,
    settings: Mapping[str, Any] | None = None,
    smooth: MapFilter | None = None,
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
    split : Split, optional
        Made beforehand, instead of ``protocol`` and ``seed``.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``; classic models use the CPU.
    checkpoint : Path or Checkpoint, optional
        Weights to use instead of training; labels then only measure.
    further : bool
        Train these weights further on the labels instead.
    statistics : str
        How another scene is stretched for weights that exist, one of `transfer.STATISTICS`.
    both : bool
        After a random split, train and measure once more on separate blocks; see `apart`.
    settings : mapping, optional
        Of the model and its training, by name.
    smooth : MapFilter, optional
        Done to the class map before it is measured.
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
    network = about.family == "network"
    trained = labels is not None and (checkpoint is None or further)
    if further and (labels is None or checkpoint is None):
        raise WrongUse("Training further needs a checkpoint and labels.")
    path = checkpoint if isinstance(checkpoint, Path) else None
    if not trained and checkpoint is None:
        path = weights_file(about, None)
    where = _device(device) if network else "cpu"
    given: Checkpoint | None = checkpoint if isinstance(checkpoint, Checkpoint) else None
    digest = "" if given is None else checkpoint_digest(given)
    if path is not None:
        given, digest = load_weights(path, about)
    with polite_threads() if network else nullcontext():
        if trained:
            assert labels is not None
            split = split or make_split(labels.values, protocol, seed)
            if given is not None:
                split = kept_from(split, given, scene)
            fitted = fit_classifier(
                scene,
                labels,
                model_id,
                split,
                device=where,
                settings=settings,
                start=given,
                progress=progress,
            )
            digest = checkpoint_digest(fitted.checkpoint)
        else:
            assert given is not None
            ready, said = adapt(given, scene, statistics, progress)
            fitted = Fitted(ready, dict(given.facts.get("settings", {})), said, None, 0.0)
            split = None if labels is None else unseen(labels, given, scene)
        began, waited = time.perf_counter(), progress.paused_seconds
        mapped = _map(scene, fitted.checkpoint, about, where, progress, path)
        mapped = _smoothed(mapped, smooth, progress) if smooth else mapped
        seconds = time.perf_counter() - began - (progress.paused_seconds - waited)
    apart = None
    if both and trained and split is not None and needs_it(split.protocol):
        apart = _apart(
            scene, labels, model_id, split, where, settings, further, fitted, smooth, progress
        )
    result = ClassifyResult(
        model=model_id,
        overlays=tuple(_with_origin(overlay, fitted) for overlay in mapped.overlays),
        metrics=None,
        split=split,
        train_seconds=fitted.seconds if trained else 0.0,
        predict_seconds=seconds,
        device=where,
        settings=fitted.settings,
        notes=(*fitted.notes, *mapped.notes, *(split.notes if split and not trained else ())),
        checkpoint=fitted.checkpoint,
        was_trained=trained,
        curve=fitted.curve,
        apart=apart,
    )
    words = _words(further=further, statistics=statistics, both=apart is not None)
    words += smooth.words() if smooth else []
    return _measured(result, mapped.raw, scene, labels, about, digest, words)


def _apart(
    scene: Scene,
    labels: Labels | None,
    model_id: str,
    split: Split,
    device: str,
    settings: Mapping[str, Any] | None,
    further: bool,
    fitted: Fitted,
    smooth: MapFilter | None,
    progress: Progress,
) -> Apart:
    """Measure on separate blocks, where that would say something of this training."""
    assert labels is not None
    if further:
        return Apart(
            split.seed, None, note="Separate blocks are not measured for further training."
        )
    if fitted.curve is not None and fitted.curve.stopped_at:
        return Apart(
            split.seed, None, note="Separate blocks were not measured: training was stopped."
        )
    return measure_apart(
        scene, labels, model_id, split, device=device, settings=settings, smooth=smooth,
        progress=progress,
    )  # fmt: skip


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
        return map_scene(scene, checkpoint, made, device=device, progress=progress)
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        # Arrays in a file may be anything; those just trained fit, so it is a defect of ours.
        if path is None:
            raise
        from backends.devices import is_out_of_memory

        if is_out_of_memory(error):
            raise
        raise damaged(path, error) from error


def _smoothed(mapped: Mapped, smooth: MapFilter, progress: Progress) -> Mapped:
    """Filter the class map; where its class changed, no probability of it is known."""
    made = mapped.overlays[0]
    assert isinstance(made, ClassMap)
    labels = smooth.apply(made.labels, progress)
    changed = labels != made.labels
    sure = made.confidence
    confidence = None if sure is None else np.where(changed, np.float32(np.nan), sure)
    return replace(
        mapped,
        overlays=(replace(made, labels=labels, confidence=confidence), *mapped.overlays[1:]),
        raw=np.where(changed, np.float32(np.nan), mapped.raw),
        notes=(
            *mapped.notes,
            smooth.note(made.labels, labels),
            "The layers of probability and margin are those of the unfiltered map.",
        ),
    )


def _with_origin(overlay: Overlay, fitted: Fitted) -> Overlay:
    """Give matrices what checks of them need: the weights, and how they came about."""
    if not isinstance(overlay, MatrixField):
        return overlay
    return replace(overlay, checkpoint=fitted.checkpoint, history=fitted.history)


def with_apart(result: ClassifyResult, apart: Apart) -> ClassifyResult:
    """Return a result with the figures of separate blocks written beside its own."""
    made = result.overlays[0].provenance
    made = replace(
        made,
        figures={**made.figures, "separate_blocks": _short(apart)},
        command=made.command.replace(" --no-both", " --both"),
    )
    overlays = tuple(replace(overlay, provenance=made) for overlay in result.overlays)
    return replace(result, overlays=overlays, apart=apart)


def _short(apart: Apart) -> str:
    if apart.metrics is None:
        return "not measured"
    return f"{100 * apart.metrics.overall_accuracy:.2f} %"


def _measured(
    result: ClassifyResult,
    raw: NDArray[np.float32],
    scene: Scene,
    labels: Labels | None,
    about: ModelCard,
    digest: str,
    words: list[str],
) -> ClassifyResult:
    """Measure on the test pixels and write everything into the provenance."""
    facts = result.checkpoint.facts
    temperature = result.checkpoint.temperature
    calibration = Calibration(temperature, int(facts.get("calibrated_on", 0)))
    metrics, notes = None, result.notes
    figures: dict[str, Any] = {}
    if labels is not None and result.split is not None and result.split.test.size:
        metrics, predicted, said = _compare(result.class_map, labels, result.split)
        notes = (*notes, *said)
        figures = metrics.to_dict() | {"confusion": metrics.confusion.tolist()}
        figures["protocol"] = result.split.protocol
        calibration = _checked(calibration, result, raw, labels, predicted)
        figures["expected_calibration_error"] = calibration.error_after
    notes = (*notes, calibration.sentence)
    if result.apart is not None and result.apart.note:
        notes = (*notes, result.apart.note)
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
        command=_command(result, scene, words),
    )
    overlays = tuple(replace(overlay, provenance=made) for overlay in result.overlays)
    whole = replace(
        result, metrics=metrics, overlays=overlays, notes=notes, calibration=calibration
    )
    return whole if result.apart is None else with_apart(whole, result.apart)


def _checked(
    calibration: Calibration,
    result: ClassifyResult,
    raw: NDArray[np.float32],
    labels: Labels,
    predicted: NDArray[Any],
) -> Calibration:
    """Say how far probabilities are off on the test pixels, before and after calibration."""
    assert result.split is not None
    test = result.split.test
    sure = result.class_map.confidence
    assert sure is not None
    there = np.isfinite(raw.ravel()[test])
    right = (predicted == labels.values.ravel()[test])[there]
    if not right.size:
        return calibration
    before, after = (
        round(calibration_error(values.ravel()[test][there], right), 5) for values in (raw, sure)
    )
    return replace(calibration, error_before=before, error_after=after)


def _compare(
    made: ClassMap, labels: Labels, split: Split
) -> tuple[Metrics, NDArray[Any], tuple[str, ...]]:
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
    return evaluate(labels.values.ravel()[split.test], predicted, names), predicted, notes


def _words(*, further: bool, statistics: str, both: bool) -> list[str]:
    words = ["--checkpoint", "CHECKPOINT", "--continue"] if further else []
    words += ["--statistics", statistics] if statistics != "training" else []
    return words + (["--both"] if both else ["--no-both"])


def _command(result: ClassifyResult, scene: Scene, more: list[str]) -> str:
    if scene.info.path is None:
        return ""
    words = ["clearband", "classify", str(scene.info.path), "--model", result.model]
    if result.split is not None and result.was_trained:
        words += ["--labels", "LABELS", "--protocol", result.split.protocol]
        words += ["--test-labels", "TEST_LABELS"] if result.split.protocol == "FIX" else []
        words += ["--seed", str(result.split.seed)]
    return shlex.join([*words, *more, "--out", "FOLDER"])
