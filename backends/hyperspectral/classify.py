"""From labels to a class map with its measured accuracy: one function for window and command."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, MissingCapability, WrongUse
from backends.hyperspectral.metrics import Metrics, evaluate
from backends.hyperspectral.normalise import BandStretch, fit_stretch, match_bands
from backends.hyperspectral.splits import Split, make_split
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.overlays import ClassMap, MatrixField, Overlay, Placement, Provenance
from backends.registry import ModelCard, card
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.checkpoints import Checkpoint

# Unlabelled pixels that keep the labelled ones company in training.
COMPANY = 8192


@dataclass(frozen=True, eq=False)
class ClassifyResult:
    """What a classification gave.

    Attributes
    ----------
    overlays : tuple of Overlay
        The class map first; for ``es_mhc`` the matrices after it.
    metrics : Metrics or None
        On test pixels only; None without labels or without a test part.
    split : Split or None
    train_seconds, predict_seconds : float
    """

    model: str
    overlays: tuple[Overlay, ...]
    metrics: Metrics | None
    split: Split | None
    train_seconds: float
    predict_seconds: float
    device: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    checkpoint: Checkpoint | None = None
    curve: Any = None

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
        ``svm``, ``random_forest`` or ``es_mhc``.
    protocol : str
        How labels are divided; see `splits.PROTOCOLS`.
    settings : mapping, optional
        Of the model and its training, by name.

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
    if checkpoint is not None or labels is None:
        return _with_weights(scene, labels, about, checkpoint, device, progress)
    split = make_split(labels.values, protocol, seed)
    if model_id == "es_mhc":
        result = _network(scene, labels, about, split, device, dict(settings or {}), progress)
    else:
        result = _spectra(scene, labels, about, split, dict(settings or {}), progress)
    return _measured(result, scene, labels, about)


def write_results(
    result: ClassifyResult, scene: Scene, folder: Path, *, progress: Progress | None = None
) -> list[Path]:
    """Write class map (GeoTIFF, PNG), confusion (CSV), figures (JSON), matrices, checkpoint.

    All of it or nothing: the folder is filled beside and put in place at the end.
    """
    import json

    from backends.export import ExportRequest, export
    from backends.io.writers.atomic import replacing_folder

    names = []
    with replacing_folder(folder) as inner:
        made = result.class_map
        for name in ("class_map.tif", "class_map.png"):
            names.append(export(made, inner / name, scene=scene, progress=progress).name)
        request = ExportRequest(scene, "areas", made)
        names.append(export(request, inner / "areas.csv", progress=progress).name)
        if result.metrics is not None:
            request = ExportRequest(scene, "confusion", made)
            names.append(export(request, inner / "confusion.csv", progress=progress).name)
        for overlay in result.overlays[1:]:
            names.append(export(overlay, inner / "matrices.npz", scene=scene).name)
        if result.checkpoint is not None and not result.checkpoint.digest:
            from backends.hyperspectral.checkpoints import save_checkpoint

            save_checkpoint(result.checkpoint, inner / "checkpoint.safetensors")
            names.append("checkpoint.safetensors")
        values = result.to_dict() | {"command": made.provenance.command}
        if result.curve is not None:
            values["curve"] = result.curve.to_dict()
        if result.split is not None:
            np.savez_compressed(
                inner / "split.npz",
                train=result.split.train,
                val=result.split.val,
                test=result.split.test,
            )
            names.append("split.npz")
        (inner / "metrics.json").write_text(json.dumps(values, indent=2), encoding="utf-8")
        names.append("metrics.json")
    return [folder / name for name in names]


# -- the two kinds of models -----------------------------------------------------------------


def _spectra(
    scene: Scene,
    labels: Labels,
    about: ModelCard,
    split: Split,
    settings: dict[str, Any],
    progress: Progress,
) -> ClassifyResult:
    from backends.hyperspectral.baselines import predict_spectra, train_spectra
    from backends.hyperspectral.features import read_pixels

    started = time.perf_counter()
    stretch = fit_stretch(scene, progress=progress)
    target, values = _targets(labels)
    train = np.union1d(split.train, split.val)  # neither model stops early: all may teach
    found = read_pixels(scene, stretch, stretch.bands, train, 1, progress)
    model = train_spectra(
        about.id,
        found.spectra[found.valid],
        target[train][found.valid],
        seed=split.seed,
        settings=settings,
        progress=progress,
    )
    middle = time.perf_counter()
    classes, empty = predict_spectra(model, scene, stretch, stretch.bands, progress)
    classes[empty] = -1
    over = time.perf_counter()
    made = _class_map(scene, labels.class_names, classes, values, None, about)
    notes = (*split.notes, *_left_out(stretch))
    return ClassifyResult(
        about.id,
        (made,),
        None,
        split,
        middle - started,
        over - middle,
        "cpu",
        model.settings,
        notes,
    )


def _network(
    scene: Scene,
    labels: Labels,
    about: ModelCard,
    split: Split,
    device: str,
    settings: dict[str, Any],
    progress: Progress,
) -> ClassifyResult:
    import torch

    from backends import devices
    from backends.hyperspectral.checkpoints import Checkpoint
    from backends.hyperspectral.es_mhc import EsMhc, NetworkSettings
    from backends.hyperspectral.features import read_pixels
    from backends.hyperspectral.groups import band_groups
    from backends.hyperspectral.training import TrainingPixels, TrainingSettings, train_network

    chosen = devices.choose(device)
    network_settings, left = _take(NetworkSettings, settings)
    training, left = _take(TrainingSettings, left)
    if left:
        raise WrongUse(f"There is no setting called {next(iter(left))}.")
    started = time.perf_counter()
    threads = torch.get_num_threads()
    torch.set_num_threads(devices.model_threads())
    try:
        torch.manual_seed(split.seed)
        stretch = fit_stretch(scene, progress=progress)
        groups = band_groups(stretch.wavelength_nm, len(stretch.bands))
        target, values = _targets(labels)
        rng = np.random.default_rng(split.seed)
        known = np.union1d(split.train, split.val)
        # Test pixels may keep company, without their labels: the network sees the whole image.
        others = np.setdiff1d(np.arange(target.size), known)
        if others.size > COMPANY:
            others = np.sort(rng.choice(others, COMPANY, replace=False))
        index = np.union1d(known, others)
        found = read_pixels(
            scene, stretch, stretch.bands, index, network_settings.context, progress
        )
        shown = np.full(index.size, -1, np.int64)
        places = np.searchsorted(index, known)
        shown[places] = target[known]
        shown[~found.valid] = -1
        pixels = TrainingPixels(
            found,
            shown,
            np.searchsorted(index, split.train),
            np.searchsorted(index, split.val),
        )
        network = EsMhc(groups, len(values), network_settings)
        network.to(chosen.id)
        curve = train_network(
            network, pixels, training, seed=split.seed, device=chosen.id, progress=progress
        )
        middle = time.perf_counter()
        names = {int(v): labels.class_names[int(v)] for v in values}
        facts = {
            "scene": scene.title,
            "scene_digest": scene.digest,
            "protocol": split.protocol,
            "seed": split.seed,
            "training": training.to_dict(),
            "best_step": curve.best_step,
        }
        trained = Checkpoint(network, groups, stretch, names, facts)
        result = _map(scene, trained, stretch.bands, about, chosen.id, progress)
    finally:
        torch.set_num_threads(threads)
    notes = (*split.notes, *_left_out(stretch), *result.notes)
    return replace(
        result,
        split=split,
        train_seconds=middle - started,
        settings=network_settings.to_dict() | training.to_dict(),
        notes=notes,
        curve=curve,
    )


def _with_weights(
    scene: Scene,
    labels: Labels | None,
    about: ModelCard,
    path: Path | None,
    device: str,
    progress: Progress,
) -> ClassifyResult:
    """Map a scene with weights that exist; labels, where given, only measure."""
    if about.id != "es_mhc":
        raise MissingCapability(
            f"{about.title} has no weights of its own.", way_out="Give it labels to train on."
        )
    if path is None:
        if not about.is_trained:
            raise MissingCapability(
                f"{about.title} is untrained.", way_out="Give it labels, or a checkpoint."
            )
        import resources

        path = resources.path("weights", about.weights)
    import torch

    from backends import devices
    from backends.hyperspectral.checkpoints import load_checkpoint

    chosen = devices.choose(device)
    loaded = load_checkpoint(path)
    if (
        about.weights_digest
        and path.name == about.weights
        and loaded.digest != about.weights_digest
    ):
        raise BadInput(f"{path.name} is not the file its card speaks of.", subject=path)
    bands = match_bands(scene, loaded.stretch.bands, loaded.stretch.wavelength_nm)
    threads = torch.get_num_threads()
    torch.set_num_threads(devices.model_threads())
    try:
        result = _map(scene, loaded, bands, about, chosen.id, progress)
    finally:
        torch.set_num_threads(threads)
    notes = [f"Weights trained on {loaded.facts.get('scene', 'another scene')}.", *result.notes]
    if loaded.facts.get("scene_digest") not in (None, scene.digest):
        notes.append("This is another scene: the accuracy measured there need not hold here.")
    result = replace(result, notes=tuple(notes))
    if labels is None:
        return _measured(result, scene, None, about)
    split = make_split(labels.values, "ALL", 0)
    everything = np.sort(np.concatenate([split.train, split.val]))
    test_all = replace(split, train=everything[:0], val=everything[:0], test=everything, notes=())
    return _measured(replace(result, split=test_all), scene, labels, about)


def _map(
    scene: Scene,
    trained: Checkpoint,
    bands: NDArray[np.int64],
    about: ModelCard,
    device: str,
    progress: Progress,
) -> ClassifyResult:
    from backends.hyperspectral.prediction import predict_scene

    started = time.perf_counter()
    found = predict_scene(
        trained.network, scene, trained.stretch, bands, device=device, progress=progress
    )
    seconds = time.perf_counter() - started
    values = np.asarray(list(trained.class_names))
    made = _class_map(scene, trained.class_names, found.classes, values, found.confidence, about)
    matrices = MatrixField(
        f"Matrices of {about.title}",
        scene.id,
        made.provenance,
        group_names=trained.groups.names,
        entries=found.entries,
        placement=Placement(row_step=found.matrix_step, col_step=found.matrix_step),
    )
    notes = (*found.notes, *((trained.groups.note,) if trained.groups.note else ()))
    overlays = (_with_digest(made, trained.digest), _with_digest(matrices, trained.digest))
    return ClassifyResult(
        about.id, overlays, None, None, 0.0, seconds, device, {}, notes, checkpoint=trained
    )


# -- what both share -------------------------------------------------------------------------


def _targets(labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the class number of each pixel (flat, -1 unlabelled) and the value of each class."""
    values = np.unique(labels.values[labels.values > 0]).astype(np.int64)
    lookup = np.full(256, -1, np.int64)
    lookup[values] = np.arange(values.size)
    return lookup[labels.values.ravel()], values


def _class_map(
    scene: Scene,
    names: Mapping[int, str],
    classes: NDArray[np.integer[Any]],
    values: NDArray[np.int64],
    confidence: NDArray[np.float32] | None,
    about: ModelCard,
) -> ClassMap:
    lookup = np.append(values, 0).astype(np.uint8)  # -1 picks the last: no class
    return ClassMap(
        f"Classes ({about.title})",
        scene.id,
        Provenance(about.id, about.version),
        labels=lookup[classes],
        class_names={int(v): names[int(v)] for v in values},
        confidence=confidence,
    )


def _measured(
    result: ClassifyResult, scene: Scene, labels: Labels | None, about: ModelCard
) -> ClassifyResult:
    """Measure on the test pixels and write everything into the provenance."""
    metrics = None
    if labels is not None and result.split is not None and result.split.test.size:
        test = result.split.test
        truth = labels.values.ravel()[test]
        predicted = result.class_map.labels.ravel()[test]
        names = {v: n for v, n in labels.class_names.items() if (labels.values == v).any()}
        metrics = evaluate(truth, predicted, names)
    figures: dict[str, Any] = {}
    if metrics is not None and result.split is not None:
        figures = metrics.to_dict() | {"confusion": metrics.confusion.tolist()}
        figures["protocol"] = result.split.protocol
    made = replace(
        result.class_map.provenance,
        parameters=dict(result.settings)
        | ({"protocol": result.split.protocol, "seed": result.split.seed} if result.split else {}),
        scene_digest=scene.digest,
        scene_path=str(scene.info.path or ""),
        device=result.device,
        seconds=round(result.train_seconds + result.predict_seconds, 3),
        figures=figures,
        notes=tuple(n for n in (about.reconstruction, *result.notes) if n),
        command=_command(result, scene),
        weights_digest=result.class_map.provenance.weights_digest,
    )
    overlays = tuple(replace(overlay, provenance=made) for overlay in result.overlays)
    return replace(result, metrics=metrics, overlays=overlays)


def _command(result: ClassifyResult, scene: Scene) -> str:
    if scene.info.path is None:
        return ""
    words = ["clearband", "classify", str(scene.info.path), "--model", result.model]
    if result.split is not None and result.train_seconds:
        words += ["--labels", "LABELS", "--protocol", result.split.protocol]
        words += ["--seed", str(result.split.seed)]
    return shlex.join([*words, "--out", "FOLDER"])


def _with_digest(overlay: Any, digest: str) -> Any:
    return replace(overlay, provenance=replace(overlay.provenance, weights_digest=digest))


def _left_out(stretch: BandStretch) -> tuple[str, ...]:
    return tuple(f"Bands left out: {text}." for text in stretch.left_out)


def _take(kind: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a settings record from the entries it knows, and the rest."""
    known: dict[str, Any] = {f.name: type(f.default) for f in fields(kind)}
    mine = {k: known[k](v) for k, v in settings.items() if k in known}
    return kind(**mine), {k: v for k, v in settings.items() if k not in known}
