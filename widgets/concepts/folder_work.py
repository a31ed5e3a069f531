"""Learning concepts from a folder of images, beside the image that is open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import BadInput
from backends.jobs import Progress
from widgets.concepts.work import Learn, Learnt, concepts_folder, read

if TYPE_CHECKING:
    from backends.concepts.desk_bottleneck import BottleneckDecision
    from backends.concepts.encoders import Encoder


@dataclass(frozen=True, eq=False)
class FolderLearnt:
    """What a folder taught, and what it says of the open image.

    Attributes
    ----------
    learnt : Learnt
    decision : BottleneckDecision, optional
        Where a bottleneck was asked for and the images have classes.
    commands : tuple of commands
        Those that do the same again, in order.
    """

    learnt: Learnt
    decision: BottleneckDecision | None
    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class LearnFolder(Learn):
    """Learning from a folder, one folder a class or none, and reading the open image.

    Attributes
    ----------
    folder : Path
    bottleneck : int
        Concepts of a bottleneck that is built, too; 0 builds none.
    """

    folder: Path = Path()
    bottleneck: int = 0

    def __call__(self, progress: Progress) -> FolderLearnt:  # type: ignore[override]
        """Do it."""
        from backends import devices

        device = devices.choose("auto").id
        import torch

        from backends.concepts.autoencoder_files import CONCEPTS_FILE
        from backends.concepts.desk_encoders import settings_for
        from backends.concepts.learning_concepts import encode_folder, learn_concepts

        torch.set_num_threads(devices.model_threads())
        images, encoder = encode_folder(
            self.folder, lambda scene: self.encoder(scene, progress), seed=self.seed,
            progress=progress,
        )  # fmt: skip
        settings = settings_for(
            sum(len(p) for p in images.patches), images.patches[0].shape[1],
            spectra=self.choice is None, concepts=self.concepts, steps=self.steps, seed=self.seed,
        )  # fmt: skip
        out = concepts_folder(self.folder.name, encoder.title)
        command = ("concepts", "train", str(self.folder), *self.words(encoder, settings, out))
        made = learn_concepts(
            images, encoder, out, settings, words=self.naming(progress), resume=self.resume,
            device=device, command=command, progress=progress,
        )  # fmt: skip
        made.card["kept_at"] = str(out / CONCEPTS_FILE)
        built = None
        commands: tuple[tuple[str, ...], ...] = (command,)
        if self.bottleneck and images.classes:
            built = self._build(images, encoder, made, out, progress)
            commands = (*commands, built[1])
        try:
            found = read(self.scene, encoder, made, progress)
            decision = None
            if built is not None:
                decision = self._decide(built[0], encoder, progress)
        except BadInput as error:
            raise BadInput(
                f"The concepts were learnt and kept ({out.name}/{CONCEPTS_FILE}), but this image "
                f"cannot be read with them: {error.sentence}",
                way_out="Open an image like those of the folder, and then the concepts (Open…).",
            ) from error
        return FolderLearnt(replace(found, command=command), decision, commands)

    def _build(
        self, images: Any, encoder: Encoder, made: Any, out: Path, progress: Progress
    ) -> tuple[Path, tuple[str, ...]]:
        from backends.concepts.bottleneck import BOTTLENECK_FILE, BottleneckSettings
        from backends.concepts.bottleneck_folder import bottleneck_of, candidates_of

        settings = BottleneckSettings(self.bottleneck, seed=self.seed)
        tower = (
            None
            if self.named is None
            else self.named.open_tower(fetch=self.fetch, progress=progress)
        )
        if self.named is None or tower is None:
            found, words = candidates_of(made, None, None), []
        else:
            found = candidates_of(None, Path(self.named.words), tower)
            words = self.named.told_words()
        bottleneck_of(images, encoder, found, out, settings, progress)
        command = (
            "bottleneck", str(self.folder), "--model", str(made.card["kept_at"]), "--concepts",
            str(settings.concepts), "--active", str(settings.active), "--seed", str(self.seed),
            *words, "--out", str(out),
        )  # fmt: skip
        return out / BOTTLENECK_FILE, command

    def _decide(self, path: Path, encoder: Encoder, progress: Progress) -> BottleneckDecision:
        from backends.concepts.desk_bottleneck import decide_by_bottleneck
        from backends.concepts.feature_cache import FeatureCache

        features = FeatureCache().features(encoder, self.scene, progress)
        return decide_by_bottleneck(path, self.scene, encoder, features)
