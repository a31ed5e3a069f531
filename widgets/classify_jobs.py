"""What the classify dock has done in the background, and the command lines that do the same."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.io.labels import Labels
from backends.jobs import Progress
from backends.map_filter import MapFilter
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.apart import Apart
    from backends.hyperspectral.checkpoints import Checkpoint
    from backends.hyperspectral.classify import ClassifyResult
    from backends.hyperspectral.splits import Split


@dataclass(frozen=True, eq=False)
class Classification:
    """One classification, as it was asked for.

    Attributes
    ----------
    model : str
        Empty where the file of weights says it.
    source : str
        The file the labels come from; empty when they were painted.
    weights : Path or Checkpoint, optional
        Used instead of training, or trained ``further``.
    apart : bool
        Measure on separate blocks afterwards.
    test : Labels, optional
        Only test; ``labels`` then all teach. From the file ``test_source``.
    smooth : MapFilter
        Done to the map before it is measured.
    """

    scene: Scene
    labels: Labels | None
    model: str
    protocol: str = "P30"
    seed: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    weights: Path | Checkpoint | None = None
    further: bool = False
    statistics: str = "training"
    apart: bool = False
    test: Labels | None = None
    test_source: str = ""
    smooth: MapFilter = field(default_factory=MapFilter)

    def __call__(self, progress: Progress) -> ClassifyResult:
        """Do it."""
        from backends.hyperspectral.checkpoints import load_checkpoint
        from backends.hyperspectral.classify import classify
        from backends.hyperspectral.estimate import learn
        from backends.hyperspectral.fixed import fixed_split

        weights, model = self.weights, self.model
        labels, split = self.labels, None
        if labels is not None and self.test is not None:
            labels, split = fixed_split(labels, self.test, self.seed)
        if isinstance(weights, Path) and not model:
            weights, _ = load_checkpoint(weights)
            model = weights.model_id
        result = classify(
            self.scene,
            labels,
            model,
            protocol=self.protocol,
            seed=self.seed,
            split=split,
            device="auto",
            checkpoint=weights,
            further=self.further,
            statistics=self.statistics,
            settings=self.settings,
            smooth=self.smooth,
            progress=progress,
        )
        if not self.further and (result.curve is None or not result.curve.stopped_at):
            learn(result)  # half a training would be a wrong guess for the next
        return result

    @property
    def command(self) -> tuple[str, ...]:
        """The command line; empty where something is in no file."""
        path = self.scene.info.path
        # What was painted is in no file: such a run cannot be replayed from the log.
        painted = self.labels is not None and not self.source
        if path is None or painted or not self.model or self.weights is not None:
            return ()
        words = ["classify", str(path), "--model", self.model]
        for key, value in self.scene.info.options.items():
            words += ["--option", f"{key}={value}"]
        if self.labels is not None:
            words += ["--labels", self.source, "--protocol", self.protocol]
            words += ["--seed", str(self.seed)]
            if self.test_source and self.test_source != self.source:
                words += ["--test-labels", self.test_source]
        for key, value in self.settings.items():
            words += ["--set", f"{key}={value}"]
        if self.statistics != "training":
            words += ["--statistics", self.statistics]
        words += self.smooth.words()
        words.append("--both" if self.apart else "--no-both")
        return (*words, "--out", f"{path.stem}_{self.model}")


@dataclass(frozen=True, eq=False)
class MeasureApart:
    """The second training of a classification, on separate blocks.

    Attributes
    ----------
    asked : Classification
    split : Split
        Of the first training.
    """

    asked: Classification
    split: Split

    def __call__(self, progress: Progress) -> Apart:
        """Do it."""
        from backends.hyperspectral.apart import measure_apart

        asked = self.asked
        assert asked.labels is not None
        return measure_apart(
            asked.scene,
            asked.labels,
            asked.model,
            self.split,
            settings=asked.settings,
            smooth=asked.smooth,
            progress=progress,
        )

    @property
    def command(self) -> tuple[str, ...]:
        """The command line that measures both."""
        return replace(self.asked, apart=True).command


@dataclass(frozen=True, eq=False)
class SaveModel:
    """Writing a trained model to a file."""

    checkpoint: Checkpoint
    path: Path

    def __call__(self, progress: Progress) -> Path:
        """Do it."""
        from backends.hyperspectral.checkpoints import save_checkpoint

        progress.check()
        save_checkpoint(self.checkpoint, self.path)
        return self.path
