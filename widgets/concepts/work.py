"""What the concepts dock has done in the background, and the command lines that do the same."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.explain.model_choices import PUBLISHED, ModelChoice
from backends.jobs import Progress
from backends.scene import Scene
from widgets.explaining.questions import LoadedNetworks

if TYPE_CHECKING:
    from backends.concepts.autoencoder_files import Dictionary
    from backends.concepts.desk import ConceptReading
    from backends.concepts.desk_bottleneck import BottleneckDecision
    from backends.concepts.desk_decision import LabelDecision
    from backends.concepts.desk_pictures import ScenePicture
    from backends.concepts.encoders import Encoder
    from backends.concepts.learning_concepts import Words
    from backends.spectra.library import SpectralLibrary
    from widgets.concepts.named_encoder import NamedEncoder

SPECTRA = "spectra"


@dataclass(frozen=True, eq=False)
class Faces:
    """What concepts look like in one image.

    Attributes
    ----------
    cuttings : mapping of int to list of (cell, uint8 array of shape (side, side, 3))
        Strongest first; of cubes empty.
    """

    cuttings: Mapping[int, list[tuple[int, NDArray[np.uint8]]]]


@dataclass(frozen=True, eq=False)
class Learnt:
    """A dictionary and what it says of an image.

    Attributes
    ----------
    reading : ConceptReading
    encoder : Encoder
    picture : ScenePicture
    faces : Faces
    command : tuple of str
        The command line that learns the concepts again; empty where they were learnt before.
    """

    reading: ConceptReading
    encoder: Encoder
    picture: ScenePicture
    faces: Faces
    command: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Learn:
    """Learning concepts from one image and reading it.

    Attributes
    ----------
    choice : ModelChoice or None
        None takes the spectra themselves.
    depth : str
        See `desk_encoders.encoder_for`.
    concepts, steps, seed : int
        0 as suits the image.
    library : SpectralLibrary, optional
        What concepts of spectra are called by.
    resume : bool
        Go on with the learning that was stopped.
    named : NamedEncoder, optional
        What is told of an encoder by name, in the place of the rest of ``choice``.
    """

    scene: Scene
    choice: ModelChoice | None
    networks: LoadedNetworks
    depth: str = "finer"
    concepts: int = 0
    steps: int = 0
    fetch: bool = False
    seed: int = 0
    library: SpectralLibrary | None = None
    resume: bool = False
    named: NamedEncoder | None = None

    def __call__(self, progress: Progress) -> Learnt:
        """Do it."""
        from backends import devices

        device = devices.choose("auto").id
        import torch

        from backends.concepts.autoencoder_files import CONCEPTS_FILE, save_dictionary
        from backends.concepts.desk import name_by_library
        from backends.concepts.desk_encoders import settings_for
        from backends.concepts.encoded_images import refuse_one_colour
        from backends.concepts.feature_cache import FeatureCache
        from backends.concepts.learning_concepts import EncodedImages, learn_concepts

        torch.set_num_threads(devices.model_threads())
        progress.check()  # libraries may have taken a while to load
        scene = self.scene
        refuse_one_colour(scene)
        encoder = self.encoder(scene, progress)
        progress.note("Looking at the image")
        found = FeatureCache().features(encoder, scene, progress)
        progress.check()
        settings = settings_for(
            len(found.values), found.values.shape[1], spectra=self.choice is None,
            concepts=self.concepts, steps=self.steps, seed=self.seed,
        )  # fmt: skip
        path = Path(scene.info.path or scene.title)
        images = EncodedImages(
            (path,), (found.values,), (found.grid,), np.array([-1]), (), np.array([0])
        )
        out = dictionary_folder(scene, encoder.title)
        command = self.command(encoder, settings, out)
        made = learn_concepts(
            images, encoder, out, settings, words=self.naming(progress), resume=self.resume,
            device=device, command=command, progress=progress,
        )  # fmt: skip
        if self.library is not None and self.choice is None:
            name_by_library(made, scene, self.library)
            save_dictionary(made, out / CONCEPTS_FILE)
        made.card["kept_at"] = str(out / CONCEPTS_FILE)
        return replace(read(scene, encoder, made, progress), command=command)

    def encoder(self, scene: Scene, progress: Progress) -> Encoder:
        """Return what sees images such as a scene."""
        from backends.concepts.desk_encoders import encoder_for
        from backends.concepts.opening import make_encoder

        if self.choice is None:
            progress.note("Measuring the bands")
            return make_encoder(SPECTRA, scene=scene, progress=progress)
        if self.named is not None:
            return self.named.open(scene, fetch=self.fetch, progress=progress)
        choice = self.choice
        classifier = self.networks.load(choice, self.fetch and choice.kind == PUBLISHED, progress)
        about = {
            "model": choice.model, "weights": str(choice.weights or ""),
            "untrained": classifier.card.untrained,
        }  # fmt: skip
        return encoder_for(classifier, scene.shape[:2], about, self.depth)

    def naming(self, progress: Progress) -> Words | None:
        """Return the words that concepts are named by, where there are any."""
        if self.named is None:
            return None
        return self.named.naming(self.scene, fetch=self.fetch, progress=progress)

    def command(self, encoder: Encoder, settings: Any, out: Path) -> tuple[str, ...]:
        """Return the command line; empty where the image is in no file."""
        path = self.scene.info.path
        if path is None:
            return ()
        return ("concepts", "train", str(path), *self.words(encoder, settings, out))

    def words(self, encoder: Encoder, settings: Any, out: Path) -> tuple[str, ...]:
        """Return what the command line says after the source."""
        words: list[str] = []
        if self.choice is None:
            words += ["--model", SPECTRA]
            if self.library is not None and self.library.path is not None:
                words += ["--library", str(self.library.path)]
        else:
            if self.named is not None:
                words += self.named.told() + (["--fetch"] if self.fetch else [])
            elif self.choice.model:
                words += ["--model", self.choice.model]
            if self.choice.weights is not None:
                words += ["--weights", str(self.choice.weights)]
            if "layer" in encoder.about:
                words += ["--layer", str(encoder.about["layer"])]
            if "tile" in encoder.about:
                words += ["--tile", str(encoder.about["tile"])]
        how = settings.training
        words += ["--concepts", str(settings.concepts), "--active", str(settings.active)]
        words += ["--steps", str(how.steps), "--batch", str(how.batch), "--seed", str(self.seed)]
        return (*words, "--out", str(out))


@dataclass(frozen=True, eq=False)
class Read:
    """Reading an image with concepts that are there already.

    Attributes
    ----------
    source : path of a dictionary or of a bottleneck, or (Dictionary, Encoder) in memory
    """

    scene: Scene
    source: Path | tuple[Dictionary, Encoder]

    def __call__(self, progress: Progress) -> Learnt | BottleneckDecision:
        """Do it."""
        from backends import devices

        device = devices.choose("auto").id
        import torch

        from backends.concepts.autoencoder_files import load_dictionary
        from backends.concepts.desk_bottleneck import is_bottleneck
        from backends.concepts.opening import open_encoder

        torch.set_num_threads(devices.model_threads())
        if not isinstance(self.source, Path):
            return read(self.scene, self.source[1], self.source[0], progress)
        progress.note("Reading the network")
        if is_bottleneck(self.source):
            return self._decide(self.source, device, progress)
        made = load_dictionary(self.source)
        made.card["kept_at"] = str(self.source)
        encoder = open_encoder(made.encoder, device=device, progress=progress)
        return read(self.scene, encoder, made, progress)

    def _decide(self, path: Path, device: str, progress: Progress) -> BottleneckDecision:
        from backends.concepts.bottleneck import load_bottleneck
        from backends.concepts.desk_bottleneck import decide_by_bottleneck
        from backends.concepts.feature_cache import FeatureCache
        from backends.concepts.opening import open_encoder

        encoder = open_encoder(load_bottleneck(path).encoder, device=device, progress=progress)
        progress.note("Looking at the image")
        features = FeatureCache().features(encoder, self.scene, progress)
        return decide_by_bottleneck(path, self.scene, encoder, features)


@dataclass(frozen=True, eq=False)
class Decide:
    """Teaching the layer that decides by concepts, by the labels of the scene."""

    reading: ConceptReading
    labels: NDArray[Any]
    names: Mapping[int, str] = field(default_factory=dict)

    def __call__(self, progress: Progress) -> LabelDecision:
        """Do it."""
        from backends.concepts.desk_decision import learn_decision

        return learn_decision(self.reading, self.labels, self.names, progress=progress)


def read(scene: Scene, encoder: Encoder, made: Dictionary, progress: Progress) -> Learnt:
    """Return what a dictionary says of an image, with pictures of the concepts."""
    from backends.concepts.describing import describe
    from backends.concepts.desk import ConceptReading
    from backends.concepts.desk_pictures import exemplars, picture_of

    progress.note("Finding the concepts of every place")
    image = describe(scene, encoder, made, command=read_command(scene, made), progress=progress)
    reading = ConceptReading(image, bool(scene.info.is_rgb))
    progress.check()
    _ = reading.family()
    picture = picture_of(scene)
    cuttings: dict[int, list[tuple[int, NDArray[np.uint8]]]] = {}
    for concept in np.flatnonzero(reading.codes.mass > 0).tolist():
        progress.check()
        cuttings[concept] = exemplars(reading, picture, concept)
    return Learnt(reading, encoder, picture, Faces(cuttings))


def read_command(scene: Scene, made: Dictionary) -> tuple[str, ...]:
    """Return the command line that reads an image; empty where something is in no file."""
    path, kept = scene.info.path, made.card.get("kept_at")
    if path is None or not kept:
        return ()
    return ("concepts", str(path), "--model", str(kept), "--out", str(Path(str(kept)).parent))


def dictionary_folder(scene: Scene, encoder: str) -> Path:
    """Return the folder in which concepts learnt from a scene are kept."""
    return concepts_folder(Path(scene.title).stem, encoder)


def concepts_folder(source: str, encoder: str) -> Path:
    """Return the folder in which concepts learnt from a source of a name are kept."""
    name = re.sub(r"[^\w.-]+", "_", f"{source}-{encoder}")[:80]
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "concepts" / name
    from platformdirs import user_data_path

    return user_data_path("clearband") / "concepts" / name


class Readings:
    """What was read lately, an image each; the oldest goes first."""

    def __init__(self, most: int = 4) -> None:
        self._kept: OrderedDict[str, Learnt] = OrderedDict()
        self._most = most

    def get(self, scene_id: str) -> Learnt | None:
        """Return what was read of a scene."""
        return self._kept.get(scene_id)

    def put(self, learnt: Learnt) -> None:
        """Keep it."""
        self._kept[learnt.reading.scene_id] = learnt
        self._kept.move_to_end(learnt.reading.scene_id)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, scene_id: str) -> None:
        """Let go of a scene."""
        self._kept.pop(scene_id, None)

    def newest(self, but: str) -> Learnt | None:
        """Return what was read last of another scene."""
        return next((one for k, one in reversed(self._kept.items()) if k != but), None)

    def others(self, learnt: Learnt) -> list[Learnt]:
        """Return other images that were read with the same concepts."""
        mine = learnt.reading.dictionary.digest
        return [
            one
            for one in self._kept.values()
            if one is not learnt and one.reading.dictionary.digest == mine
        ]
