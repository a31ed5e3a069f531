"""The concepts of one image: what a click, a layer, a graph and a decision ask for.

Made once (`describe`), then every question is answered from the sparse codes in milliseconds;
nothing here reads a file. `ImageConcepts` is what a panel holds on to.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.autoencoder import LEVELS, Quality, measure
from backends.concepts.autoencoder_files import Dictionary
from backends.concepts.codes import Codes, Floats
from backends.concepts.encoders import Encoder, Features, cell_of
from backends.concepts.exemplars import Exemplars
from backends.concepts.feature_cache import FeatureCache
from backends.concepts.probe import Part, Probe
from backends.concepts.relations import Cooccurrence, Family, Guards, Relation
from backends.errors import BadInput, WrongUse
from backends.jobs import Progress
from backends.overlays import ConceptMaps, Heatmap, Placement, Provenance
from backends.scene import Scene

MOST_NODES = 60
PRESENT, USED = "present here", "used for"


@dataclass(frozen=True)
class ConceptHere:
    """A concept at a place.

    Attributes
    ----------
    concept : int
    name : str
    level : str
        ``"coarse"``, ``"medium"``, ``"fine"``.
    activation : float
    share : float
        Of its 99th percentile over the training images, for a bar; may exceed 1.
    runners_up : tuple of str
    verified : bool
        False: the name is a guess or no claim at all.
    lineage : tuple of str
        Names of its parents, farthest first.
    """

    concept: int
    name: str
    level: str
    activation: float
    share: float
    runners_up: tuple[str, ...] = ()
    verified: bool = False
    lineage: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**vars(self), "runners_up": list(self.runners_up), "lineage": list(self.lineage)}


@dataclass(frozen=True)
class ConceptGraph:
    """Concepts of an image and how they hang together.

    Attributes
    ----------
    nodes : tuple of ConceptHere
        ``activation`` is the sum over the image.
    edges : tuple of Relation
        From child to parent.
    """

    nodes: tuple[ConceptHere, ...]
    edges: tuple[Relation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"nodes": [n.to_dict() for n in self.nodes], "edges": [vars(e) for e in self.edges]}


@dataclass(frozen=True)
class Decision:
    """What the concept probe says of an image, and why.

    Attributes
    ----------
    classes : tuple of str
    logits, probabilities : tuples of float
    target : int
        The class that is explained.
    parts : tuple of Part
        They sum to its logit; -2 is all others, -1 the bias.
    """

    classes: tuple[str, ...]
    logits: tuple[float, ...]
    probabilities: tuple[float, ...]
    target: int
    parts: tuple[Part, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "class": self.classes[self.target], "target": self.target,
            "classes": list(self.classes), "logits": list(self.logits),
            "probabilities": list(self.probabilities), "parts": [vars(p) for p in self.parts],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class ImageConcepts:
    """The concepts of one image.

    Attributes
    ----------
    dictionary : Dictionary
    codes : Codes
        With the grid.
    placement : Placement
        Of the grid on the full-size scene.
    quality : Quality
        On this image; ``quality.sentence`` is always to be shown.
    notes : tuple of str
    seconds : float
    """

    dictionary: Dictionary
    codes: Codes
    placement: Placement
    quality: Quality
    scene_id: str
    scene_digest: str = ""
    scene_path: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    command: tuple[str, ...] = field(default=())

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        assert self.codes.grid is not None
        return self.codes.grid

    @cached_property
    def _tops(self) -> Floats:
        """99th percentile of each concept over its training images: one contrast for all."""
        try:
            return Exemplars.from_arrays(self.dictionary.extra).top
        except BadInput:
            return self.codes.largest

    @cached_property
    def _cooccurrence(self) -> Cooccurrence | None:
        try:
            return Cooccurrence.from_arrays(self.dictionary.extra)
        except BadInput:
            return None

    @cached_property
    def family(self) -> Family:
        """Parents and children, by the usual guards."""
        found = self._cooccurrence
        return Family(() if found is None else found.relations())

    @cached_property
    def probe(self) -> Probe | None:
        """The concept probe; None where the training images had no classes."""
        try:
            return Probe.from_arrays(self.dictionary.extra, self.dictionary.card.get("classes", ()))
        except BadInput:
            return None

    def ready(self) -> ImageConcepts:
        """Work out what every click needs, so that the first is as quick as the others."""
        for known in (self.family, self._tops, self.probe, self.codes.mass, self.codes.largest):
            del known
        return self

    def here(self, concept: int, activation: float) -> ConceptHere:
        """Describe a concept that is on."""
        told = self.dictionary.names.get(concept, {})
        top = float(self._tops[concept])
        line = self.family.lineage(concept)[:-1]
        return ConceptHere(
            concept, self.dictionary.name(concept), self.dictionary.sizes.level_of(concept),
            float(activation), float(activation) / top if top > 0 else 0.0,
            tuple(told.get("runners_up", ())), bool(told.get("verified")),
            tuple(self.dictionary.name(n) for n in line),
        )  # fmt: skip

    def cell_at(self, row: float, col: float) -> int:
        """Return the number of the cell that shows a pixel of the scene."""
        r, c = cell_of(self.grid, self.placement, row, col)
        return r * self.grid[1] + c

    def at(self, row: float, col: float, most: int = 5) -> dict[str, tuple[ConceptHere, ...]]:
        """Return the strongest concepts at a pixel of the scene, a level."""
        concepts, values = self.codes.at(self.cell_at(row, col))
        out: dict[str, tuple[ConceptHere, ...]] = dict.fromkeys(LEVELS, ())
        for concept, value in zip(concepts, values, strict=True):
            level = self.dictionary.sizes.level_of(int(concept))
            if len(out[level]) < most:
                out[level] = (*out[level], self.here(int(concept), float(value)))
        return out

    def top(self, most: int = 12) -> tuple[ConceptHere, ...]:
        """Return the concepts of the image with the largest summed activation."""
        mass = self.codes.mass
        order = np.argsort(-mass, kind="stable")[:most]
        return tuple(self.here(int(n), float(mass[n])) for n in order if mass[n] > 0)

    def present(self, concept: int) -> Heatmap:
        """Return where a concept is present, as a layer."""
        return self._heatmap(
            self.codes.layer(concept), f"{self.dictionary.name(concept)}: {PRESENT}", None
        )

    def used(self, concept: int, target: int) -> Heatmap:
        """Return where a concept counts for a class, as a layer; signed."""
        probe = self._probe()
        values = probe.layer(self.codes, concept, target)
        name = f"{self.dictionary.name(concept)}: {USED} {probe.classes[target]}"
        return self._heatmap(values, name, 0.0)

    def maps(self, concepts: Sequence[int]) -> ConceptMaps:
        """Return where some concepts are present, as one layer of many maps."""
        names = tuple(self.dictionary.name(int(n)) for n in concepts)
        return ConceptMaps(
            "Concepts", self.scene_id, self.provenance({"concepts": list(map(int, concepts))}),
            values=self.codes.layers(concepts), names=names, placement=self.placement,
        )  # fmt: skip

    def graph(self, guards: Guards | None = None, most: int = MOST_NODES) -> ConceptGraph:
        """Return the concepts of the image and their relations."""
        nodes = self.top(min(most, MOST_NODES))
        found, family = self._cooccurrence, self.family
        if guards is not None and found is not None:
            family = Family(found.relations(guards))
        return ConceptGraph(nodes, tuple(family.among(n.concept for n in nodes)))

    def decision(
        self,
        target: int | None = None,
        most: int = 10,
        changes: Mapping[int, float] | None = None,
    ) -> Decision:
        """Return what the probe decides and why, after changes where there are some.

        Parameters
        ----------
        target : int, optional
            Class to explain; default the likeliest.
        changes : mapping of int to float
            Concepts and the activation they get instead: 0 takes one away.
        """
        probe = self._probe()
        pooled = self.codes.largest.astype(np.float64)
        for concept, value in (changes or {}).items():
            if not 0 <= concept < len(pooled) or value < 0:
                raise WrongUse(f"Concept {concept} cannot be set to {value:g}.")
            pooled[concept] = value
        logits = probe.logits(pooled)
        chosen = int(logits.argmax()) if target is None else target
        return Decision(
            probe.classes, tuple(logits.tolist()), tuple(probe.probabilities(pooled).tolist()),
            chosen, probe.parts(pooled, chosen, most),
        )  # fmt: skip

    def search(self, text: str, most: int = 20) -> tuple[ConceptHere, ...]:
        """Return concepts whose name or runners-up hold a word, those in the image first."""
        word, mass = text.casefold().strip(), self.codes.mass
        found = [
            n
            for n, told in self.dictionary.names.items()
            if any(word in str(t).casefold() for t in (told["name"], *told["runners_up"]))
        ]
        found.sort(key=lambda n: -mass[n])
        return tuple(self.here(n, float(mass[n])) for n in found[:most])

    def alike(self, row: float, col: float, others: Iterable[ImageConcepts] = ()) -> list[Floats]:
        """Return how alike every cell is to one, here and in other images (cosine of codes)."""
        wanted = self.codes.take(np.array([self.cell_at(row, col)])).matrix()
        size = np.sqrt(wanted.multiply(wanted).sum())
        out = []
        for image in (self, *others):
            if image.dictionary.digest != self.dictionary.digest:
                raise BadInput("The images were read with different concepts.")
            codes = image.codes.matrix()
            length = np.sqrt(np.asarray(codes.multiply(codes).sum(1)).ravel())
            product = np.asarray((codes @ wanted.T).todense()).ravel()
            cosine = product / np.maximum(length * size, 1e-12)
            out.append(cosine.reshape(image.grid).astype(np.float32))
        return out

    def provenance(self, parameters: Mapping[str, Any]) -> Provenance:
        """Return what made a layer."""
        encoder = self.dictionary.encoder
        return Provenance(
            "concepts", weights_digest=self.dictionary.digest,
            parameters={"encoder": encoder["title"], "encoder_digest": encoder["digest"],
                        "model_title": encoder["title"], **parameters},
            scene_digest=self.scene_digest, scene_path=self.scene_path, seconds=self.seconds,
            command=" ".join(self.command), notes=(self.quality.sentence, *self.notes),
            figures=self.quality.to_dict(),
        )  # fmt: skip

    def _heatmap(self, values: NDArray[Any], title: str, centre: float | None) -> Heatmap:
        return Heatmap(
            title, self.scene_id, self.provenance({}), values=np.asarray(values, np.float32),
            centre=centre, target=title, placement=self.placement,
        )  # fmt: skip

    def _probe(self) -> Probe:
        if self.probe is None:
            Probe.from_arrays(self.dictionary.extra, ())  # says why
        assert self.probe is not None
        return self.probe


def describe(
    scene: Scene,
    encoder: Encoder,
    dictionary: Dictionary,
    *,
    cache: FeatureCache | None = None,
    command: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> ImageConcepts:
    """Read the concepts of a scene; to be run as a job.

    Raises
    ------
    BadInput
        The concepts were found in the features of another encoder.
    """
    began = time.perf_counter()
    dictionary.check(encoder.digest, encoder.title)
    found: Features = (cache or FeatureCache()).features(encoder, scene, progress)
    values = np.asarray(found.values, np.float32)
    codes = dictionary.codes(values, found.grid)
    quality = measure(dictionary.network, dictionary.scaling.apply(values))
    return ImageConcepts(
        dictionary, codes, found.placement, quality, scene.id, scene.digest,
        str(scene.info.path or ""), found.notes, time.perf_counter() - began, command,
    ).ready()  # fmt: skip
