"""From labelled images to a network that tells them apart, with what it is worth.

The window and the command line call `finetune`; every step that decides about a figure (split,
leakage, what was trained, from which weights) ends up in the network's card.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import BadInput, WrongUse
from backends.io.writers.atomic import replacing_folder
from backends.io.writers.tables import write_confusion, write_rows
from backends.jobs import Progress
from backends.learning.grouping import GroupRule
from backends.learning.image_data import ImageData, load_images
from backends.learning.image_metrics import ImageMetrics, image_metrics
from backends.learning.image_split import SHARES
from backends.learning.starting_weights import file_digest, find_start, start_normal
from backends.learning.trained_networks import (
    CARD_FILE,
    NETWORK_FILE,
    remember,
    save_network,
)
from backends.learning.training_checkpoint import forget_state, load_state, save_state
from backends.learning.training_plan import ImageCurve, TrainingPlan
from backends.overlays import software_versions

if TYPE_CHECKING:
    from torch import nn

    from backends.learning.architectures import Architecture
    from backends.learning.image_training import TaughtImages
    from backends.learning.network_cost import NetworkCost


@dataclass(frozen=True)
class FinetuneSettings:
    """What to teach, to what, and how.

    Attributes
    ----------
    model : str
        Id of an architecture; see `backends.learning.architectures`.
    weights : str
        A file of weights to start from, or ``"published"``; empty = random ones.
    size : (rows, cols)
        To which images are scaled; each way by itself.
    rule : GroupRule
    shares : (train, val, test)
    augment : str
        Kind of image: ``"auto"``, ``"ct"``, ``"photo"``, ``"slide"``, ``"aerial"``, ``"cube"``,
        ``"none"``.
    training : mapping
        Of `TrainingPlan`, by name; what is left out follows from the start.
    seed : int
        Of split, weights and training.
    """

    model: str = "compact_cnn"
    weights: str = ""
    size: tuple[int, int] = (224, 224)
    rule: GroupRule = field(default_factory=GroupRule)
    shares: tuple[float, float, float] = SHARES
    augment: str = "auto"
    training: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def plan(self) -> TrainingPlan:
        """Return how it is trained.

        Raises
        ------
        WrongUse
            A setting that does not exist or makes no sense.
        """
        # Weights that know images already are moved less, their last layer faster.
        usual = {"learning_rate": 1e-3, "body_rate": 0.1} if self.weights else {}
        wanted = {**usual, **self.training, "seed": self.seed}
        for name, value in wanted.items():
            if name not in TrainingPlan.__dataclass_fields__:
                known = ", ".join(TrainingPlan.__dataclass_fields__)
                raise WrongUse(
                    f"There is no training setting called {name}.", way_out=f"Use: {known}."
                )
            kind = type(TrainingPlan.__dataclass_fields__[name].default)
            fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
            if not fits or (isinstance(value, bool) and kind is not bool):
                raise WrongUse(f"The setting {name} cannot be {value}.")
        return TrainingPlan(**wanted)

    def words(self, source: str | Path) -> list[str]:
        """Return the command line that does the same, without the program's name."""
        out = ["finetune", str(source), "--model", self.model]
        if self.weights:
            out += ["--weights", self.weights]
        rows, cols = self.size
        out += ["--size", str(rows) if rows == cols else f"{rows}x{cols}"]
        if self.rule.pattern:
            out += ["--group-pattern", self.rule.pattern]
        if self.rule.block:
            out += ["--group-block", str(self.rule.block)]
        if self.rule.gap:
            out += ["--gap", str(self.rule.gap)]
        out += ["--split", ",".join(f"{100 * share:g}" for share in self.shares)]
        if self.augment != "auto":
            out += ["--augment", self.augment]
        for name, value in self.training.items():
            out += ["--set", f"{name}={value}"]
        return [*out, "--seed", str(self.seed)]


@dataclass(frozen=True, eq=False)
class FinetuneResult:
    """A taught network and what it is worth.

    Attributes
    ----------
    network : nn.Module
        On the CPU, in evaluation mode.
    card : mapping
        What its file says of it.
    curve : ImageCurve
    test : ImageMetrics
    cost : NetworkCost
    data : ImageData
        Closed: its lists and tables can be read, its images no more.
    predictions : list of rows
        Images kept from the training: file, part, truth, prediction, certainty.
    files : tuple of Path
        What was written.
    """

    network: nn.Module
    card: Mapping[str, Any]
    curve: ImageCurve
    test: ImageMetrics
    cost: NetworkCost
    data: ImageData
    predictions: list[list[Any]]
    files: tuple[Path, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the weights, ready for JSON."""
        return {**self.card, "files": [str(path) for path in self.files]}


def finetune(
    source: str | Path,
    settings: FinetuneSettings,
    out: str | Path | None = None,
    *,
    device: str = "auto",
    resume: bool = False,
    finish: bool = False,
    data: ImageData | None = None,
    progress: Progress | None = None,
) -> FinetuneResult:
    """Teach a network to tell the classes of a folder of images apart.

    Parameters
    ----------
    source : path
        A folder with class folders, or a table; see `find_images`.
    settings : FinetuneSettings
    out : path, optional
        Folder for network, card, split, figures, and the checkpoint while it runs. Without
        it nothing is written.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    resume : bool
        Go on from the checkpoint in ``out`` where there is one.
    finish : bool
        Train no further: measure and write the best state of the checkpoint in ``out``.
    data : ImageData, optional
        Images that were loaded already with the same settings; they stay open.
    progress : Progress, optional
        When it has ``enough``, the training ends early and its best state is kept.

    Returns
    -------
    FinetuneResult

    Raises
    ------
    ClearbandError
        One sentence; nothing is written but the checkpoint.
    Cancelled
        The checkpoint of the last whole epoch stays in ``out``.
    """
    from backends import devices
    from backends.learning.architectures import architecture

    progress = progress or Progress()
    plan = settings.plan()
    kind = architecture(settings.model)
    chosen = devices.choose(device)
    folder = None if out is None else Path(out).expanduser()
    if finish and folder is None:
        raise WrongUse("Only a training in a folder can be brought to its end.")
    own = data is None
    if data is None:
        data = load_images(
            source, settings.size, rule=settings.rule, shares=settings.shares,
            seed=settings.seed, progress=progress,
        )  # fmt: skip
    try:
        work = _Teaching(Path(source), settings, plan, kind, chosen.id, folder, data, progress)
        return work.run(resume or finish, finish)
    finally:
        if own:
            data.close()


class _Teaching:
    """One training from built network to written files."""

    def __init__(
        self,
        source: Path,
        settings: FinetuneSettings,
        plan: TrainingPlan,
        kind: Architecture,
        device: str,
        folder: Path | None,
        data: ImageData,
        progress: Progress,
    ) -> None:
        self.source, self.settings, self.plan, self.kind = source, settings, plan, kind
        self.device, self.folder, self.data, self.progress = device, folder, data, progress
        self.notes: list[str] = []
        self.start: Path | None = None

    def run(self, resume: bool, finish: bool) -> FinetuneResult:
        from backends.learning.image_training import train_images
        from backends.learning.network_cost import network_cost

        started = time.perf_counter()
        network = self._build()
        given = self._given(network)
        state = None
        if self.folder is not None:
            identity = self._identity(given)
            if resume:
                state = load_state(self.folder, identity)
            else:
                forget_state(self.folder)
        if finish and state is None:
            raise BadInput(
                "There is no checkpoint in that folder to make a network of.",
                subject=self.folder,
                way_out="Train first; a checkpoint is written after each epoch.",
            )
        network.to(self.device)
        folder, words = self.folder, self.settings.words(self.source)
        curve = train_images(
            network,
            self.kind.head,
            given,
            self.plan,
            device=self.device,
            state=state,
            keep=None if folder is None else lambda now: save_state(now, identity, folder, words),
            go_on=not finish,
            progress=self.progress,
        )
        if not curve.done:
            raise BadInput(
                "The training was stopped before its first epoch was over, so that there is "
                "nothing to keep.",
                way_out="Let it run for an epoch at least.",
            )
        seconds = sum(figures.seconds for figures in curve.done)
        self.progress.note("measuring on the test images")
        measured, rows = self._measure(network, given)
        cost = network_cost(network, self.data.bands, self.settings.size, device=self.device)
        network.cpu()
        card = self._card(curve, measured, cost, given, seconds)
        found = FinetuneResult(network, card, curve, measured["test"], cost, self.data, rows)
        if self.folder is None:
            return found
        files = write_run(found, self.folder)
        forget_state(self.folder)
        self.progress.note(f"done in {time.perf_counter() - started:.0f} s")
        return replace(found, files=files)

    def _build(self) -> nn.Module:
        from backends.learning.architectures import build_network, norms_are_folded, start_from

        settings, data = self.settings, self.data
        network = build_network(
            self.kind, len(data.images.classes), data.bands, settings.size, seed=settings.seed
        )
        if settings.weights:
            self.start = find_start(self.kind, settings.weights, self.progress)
            self.notes += start_from(network, self.kind, self.start)
            if norms_are_folded(network):
                self.plan = replace(self.plan, fixed_norms=True)
                self.notes.append("The weights hold the batch norms, which stay as they are.")
        return network

    def _given(self, network: nn.Module) -> TaughtImages:
        from backends.learning.augment import augmentation
        from backends.learning.image_training import TaughtImages

        data = self.data
        if self.start is not None:
            mean, std = start_normal(self.kind, self.start, data.bands)
        else:
            mean, std = data.normal(self.progress)
        change = augmentation(
            self.settings.augment, bands=data.bands, unit=data.unit, is_rgb=data.is_rgb
        )
        return TaughtImages(
            data.reader,
            data.images.label,
            data.split.of("train"),
            data.split.of("val"),
            data.images.classes,
            data.scale,
            mean,
            std,
            change,
        )

    def _identity(self, given: TaughtImages) -> str:
        """Return what makes a training this one: images, split, network, settings."""
        sha = hashlib.sha256()
        sha.update(json.dumps(self.plan.to_dict(), sort_keys=True).encode())
        sha.update(json.dumps([self.settings.model, self.settings.weights, self.settings.size,
                               given.change.to_dict()]).encode())  # fmt: skip
        for image, part in zip(self.data.images.images, self.data.split.part, strict=True):
            sha.update(f"{image.name}\0{image.label}\0{part}\n".encode())
        return sha.hexdigest()

    def _measure(
        self, network: nn.Module, given: TaughtImages
    ) -> tuple[dict[str, ImageMetrics], list[list[Any]]]:
        from backends.learning.image_training import predict_images

        found: dict[str, ImageMetrics] = {}
        rows: list[list[Any]] = [["path", "part", "label", "predicted", "certainty"]]
        listed = self.data.rows()[1:]
        names = given.classes
        for part in ("val", "test"):
            numbers = self.data.split.of(part)
            probability = predict_images(
                network, given, numbers, device=self.device, batch=self.plan.batch,
                progress=self.progress,
            )  # fmt: skip
            truth = given.label[numbers]
            found[part] = image_metrics(truth, probability, names)
            for number, chances in zip(numbers, probability, strict=True):
                said = int(chances.argmax())
                row = [listed[number][0], part, names[given.label[number]], names[said]]
                rows.append([*row, f"{chances[said]:.5f}"])
        return found, rows

    def _card(
        self,
        curve: ImageCurve,
        measured: Mapping[str, ImageMetrics],
        cost: NetworkCost,
        given: TaughtImages,
        seconds: float,
    ) -> dict[str, Any]:
        settings, data, kind = self.settings, self.data, self.kind
        train = given.train.size
        start = self.start
        notes = [*self.notes, *data.notes, *_doubts(measured["test"])]
        notes += [text for text in (kind.reconstruction, kind.change) if text]
        if start is None:
            notes.append(f"It began with random weights and saw {train} images.")
        return {
            "architecture": kind.id,
            "title": f"{kind.title}, taught on {data.images.source.name}",
            "reconstruction": kind.reconstruction,
            "classes": list(data.images.classes),
            "bands": data.bands,
            "size": list(settings.size),
            "fit": "stretch",
            "low": data.scale.low.tolist(),
            "high": data.scale.high.tolist(),
            "mean": given.mean.tolist(),
            "std": given.std.tolist(),
            "unit": data.unit,
            "trained_on": f"{train} images of {len(data.images.classes)} classes from "
            f"{data.images.source.name}, {len(curve.done)} epochs",
            "start": {
                "weights": start.name if start else "random",
                "digest": file_digest(start) if start else "",
            },
            "scope": self.plan.scope,
            "notes": notes,
            "figures": {name: figures.to_dict() for name, figures in measured.items()},
            "data": data.to_dict(),
            "training": {
                **self.plan.to_dict(),
                "augment": given.change.to_dict(),
                "seconds": round(seconds, 1),
                "device": self.device,
            },
            "curve": curve.to_dict(),
            "cost": cost.to_dict(),
            "seed": settings.seed,
            "versions": software_versions() | _library(kind),
            "command": ["clearband", *settings.words(self.source)],
        }


def write_run(found: FinetuneResult, folder: Path) -> tuple[Path, ...]:
    """Write network, card, split, predictions, confusion and curve; all of them or none."""
    with replacing_folder(folder) as inside:
        save_network(found.network.state_dict(), found.card, inside)
        write_rows(found.data.rows(), inside / "split.csv")
        write_rows(found.predictions, inside / "predictions.csv")
        write_confusion(found.test.confusion, found.test.classes, inside / "confusion.csv")
        columns = [
            "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_macro_f1",
            "learning_rate", "seconds",
        ]  # fmt: skip
        rows = [[getattr(done, name) for name in columns] for done in found.curve.done]
        write_rows([columns, *rows], inside / "curve.csv")
    remember(folder / NETWORK_FILE)
    names = (
        NETWORK_FILE, CARD_FILE, "split.csv", "predictions.csv", "confusion.csv", "curve.csv",
    )  # fmt: skip
    return tuple(folder / name for name in names)


def _doubts(test: ImageMetrics) -> list[str]:
    """Say it where the network is no better than always naming the commonest class."""
    if not test.images or test.accuracy is None:
        return ["No image was kept for a test: nothing is known of its worth."]
    commonest = int(test.confusion.sum(1).max()) / test.images
    if test.accuracy <= commonest:
        return [
            f"On the test images it is no better than always saying the commonest class "
            f"({100 * commonest:.0f} %): take it for untrained."
        ]
    return []


def _library(kind: Architecture) -> dict[str, str]:
    from importlib.metadata import version

    return {} if kind.library == "own" else {kind.library: version(kind.library)}
