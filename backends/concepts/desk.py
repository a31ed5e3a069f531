"""What the concept desk asks of one image beside `describing`: cards, columns, layers, graph.

`ImageConcepts` answers clicks; here is what a window shows around them: where a concept is
strongest in this image, its spectrum, relations by guards that suit the number of cells,
layers whose colours end at the same value on every image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backends.concepts.autoencoder import LEVELS
from backends.concepts.autoencoder_files import Dictionary
from backends.concepts.codes import Codes, Floats
from backends.concepts.describing import ConceptHere, ImageConcepts
from backends.concepts.exemplars import Exemplars
from backends.concepts.relations import Cooccurrence, Family, Guards, cooccurrence
from backends.errors import BadInput
from backends.overlays import ConceptMaps, Placement
from backends.scene import Scene
from backends.spectra.library import SpectralLibrary

MOST_NODES = 60
BY_HAND = "by hand"


@dataclass(frozen=True, eq=False)
class ImageGraph:
    """The concepts of an image and how they hang together, as a drawing needs it.

    Attributes
    ----------
    nodes : tuple of int
        Concepts, at most `MOST_NODES`.
    weight : float64 array of shape (nodes,)
        Summed activation.
    level : tuple of int
        0 coarse, 1 medium, 2 fine.
    edges : int64 array of shape (edges, 2)
        Places of child and parent among the nodes.
    strength : float64 array of shape (edges,)
    support : int64 array of shape (edges,)
    left_out : int
        Concepts that are active, too, but weaker.
    """

    nodes: tuple[int, ...]
    weight: NDArray[np.float64]
    level: tuple[int, ...]
    edges: NDArray[np.int64]
    strength: NDArray[np.float64]
    support: NDArray[np.int64]
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class ConceptReading:
    """The concepts of one image, and what the desk shows of them.

    Attributes
    ----------
    image : ImageConcepts
    true_colours : bool
        Whether the image is a photograph; words are made for nothing else.
    """

    image: ImageConcepts
    true_colours: bool = True
    _families: dict[Guards, Family] = field(default_factory=dict, repr=False)

    @property
    def scene_id(self) -> str:
        """The image."""
        return self.image.scene_id

    @property
    def dictionary(self) -> Dictionary:
        """The concepts."""
        return self.image.dictionary

    @property
    def codes(self) -> Codes:
        """Of the grid's cells."""
        return self.image.codes

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.image.grid

    @property
    def placement(self) -> Placement:
        """Where the cells lie."""
        return self.image.placement

    def pixel(self, token: int) -> tuple[float, float]:
        """Return the middle of a cell on the scene."""
        r, c = divmod(int(token), self.grid[1])
        place = self.placement
        return place.row + r * place.row_step, place.col + c * place.col_step

    @property
    def learnt_here(self) -> bool:
        """Whether the concepts were learnt from this very image: it flatters their quality."""
        files = self.dictionary.card.get("files")
        return bool(self.image.scene_path) and files == [self.image.scene_path]

    # -- names ---------------------------------------------------------------------------

    def short(self, concept: int) -> str:
        """Return what a narrow line calls a concept: its name, or its number."""
        known = self.dictionary.names.get(concept, {})
        return short_name(str(known.get("name") or ""), concept)

    def marked(self, concept: int) -> str:
        """Return the short name, with a question mark before one that is unverified.

        Before it, for narrow lines lose their end.
        """
        return ("? " if self.mark(concept) else "") + self.short(concept)

    def mark(self, concept: int) -> str:
        """Return what to know of a concept's name; empty where it claims nothing.

        Words are made for photographs: on anything else they are a guess.
        """
        known = self.dictionary.names.get(concept, {})
        if not str(known.get("how", "")).startswith("words"):
            return ""
        sure = bool(known.get("verified")) and self.true_colours
        return "" if sure else "unverified name"

    @property
    def knows_words(self) -> bool:
        """Whether a text tower named the concepts."""
        names = self.dictionary.names.values()
        return any(str(told.get("how", "")).startswith("words") for told in names)

    def rename(self, concept: int, name: str) -> None:
        """Give a concept a name of one's own; an empty one gives back the name before."""
        known = dict(self.dictionary.names.get(concept, {}))
        before = known.pop("before", None)
        if before is None and known.get("how") != BY_HAND:
            before = known or {}
        if name.strip():
            self.dictionary.names[concept] = {
                "name": name.strip(), "runners_up": [], "how": BY_HAND, "verified": True,
                "before": before or {},
            }  # fmt: skip
        elif before:
            self.dictionary.names[concept] = dict(before)
        else:
            self.dictionary.names.pop(concept, None)

    # -- a concept -----------------------------------------------------------------------

    def top(self, concept: int) -> float:
        """Return the end of a concept's colour bar: the same on every image."""
        return float(self._tops[concept])

    @cached_property
    def _tops(self) -> Floats:
        try:
            return Exemplars.from_arrays(self.dictionary.extra).top
        except BadInput:
            return self.codes.largest

    def histogram(self, concept: int, bins: int = 24) -> tuple[Floats, NDArray[np.int64]]:
        """Return edges and counts of a concept's activations where it is on in this image."""
        value = self.codes.value[self.codes.index == concept].astype(np.float32)
        high = max(float(value.max()) if value.size else 0.0, self.top(concept), 1e-6)
        count, edges = np.histogram(value, bins, (0.0, high))
        return np.asarray(edges, np.float32), np.asarray(count, np.int64)

    def strongest(self, concept: int, most: int = 9, apart: int = 2) -> list[int]:
        """Return the cells where a concept is strongest, none a neighbour of another."""
        entries = np.flatnonzero(self.codes.index == concept)
        value = self.codes.value[entries].astype(np.float32)
        if len(entries) > 400:  # of many only the best are gone through
            some = np.argpartition(-value, 399)[:400]
            entries, value = entries[some], value[some]
        tokens = np.searchsorted(self.codes.start, entries, side="right") - 1
        chosen: list[int] = []
        for token in tokens[np.argsort(-value, kind="stable")].tolist():
            r, c = divmod(token, self.grid[1])
            near = any(
                max(abs(r - t // self.grid[1]), abs(c - t % self.grid[1])) < apart for t in chosen
            )
            if not near:
                chosen.append(token)
            if len(chosen) == most:
                break
        return chosen

    def spectrum(self, concept: int) -> tuple[Floats, Floats] | None:
        """Return mean and deviation of the spectra a concept was found in, in the scene's units.

        None where the encoder did not see single spectra.
        """
        mean = self.dictionary.extra.get("spectra.mean")
        if mean is None or not np.isfinite(mean[concept]).all():
            return None
        deviation = self.dictionary.extra["spectra.deviation"][concept]
        return np.asarray(mean[concept]), np.asarray(deviation)

    @property
    def wavelength_nm(self) -> NDArray[np.float64] | None:
        """Of the bands of `spectrum`; None where unknown."""
        found = self.dictionary.encoder.get("wavelength_nm")
        return None if found is None else np.asarray(found, float)

    def find(self, word: str, most: int = 40) -> list[int]:
        """Return the concepts whose name, runner-up or number has a word in it.

        Those that are called so come first, of these the ones most present in the image.
        """
        word = word.strip().casefold().lstrip("#")
        if not word:
            return []
        if word.isdigit():
            return [int(word)] if int(word) < self.codes.concepts else []
        found = self.image.search(word, self.codes.concepts)
        order = sorted(found, key=lambda one: word not in one.name.casefold())
        return [one.concept for one in order[:most]]

    # -- how concepts hang together ------------------------------------------------------

    @cached_property
    def together(self) -> Cooccurrence:
        """Counted where the concepts were learnt, else on this image."""
        try:
            return Cooccurrence.from_arrays(self.dictionary.extra)
        except BadInput:
            return cooccurrence([self.codes], self.codes.concepts)

    @property
    def guards(self) -> Guards:
        """What a relation must fulfil by default: less support where there are few cells."""
        return Guards(support=max(8, min(50, self.together.patches // 100)))

    def family(self, guards: Guards | None = None) -> Family:
        """Return parents and children."""
        guards = guards or self.guards
        if guards not in self._families:
            if len(self._families) > 30:
                self._families.clear()
            self._families[guards] = Family(self.together.relations(guards))
        return self._families[guards]

    def crumbs(self, concept: int) -> list[int]:
        """Return its parents, the farthest first."""
        return self.family().lineage(concept)[:-1]

    def graph(
        self, guards: Guards | None = None, most: int = MOST_NODES, besides: int | None = None
    ) -> ImageGraph:
        """Return the graph of the concepts that are most present in this image.

        Parameters
        ----------
        besides : int, optional
            A concept that is among them however weak it is, if it is on at all.
        """
        mass, sizes = self.codes.mass, self.dictionary.sizes
        order = np.argsort(-mass, kind="stable")
        active = [int(n) for n in order[mass[order] > 0]]
        # Coarse ones are on nearly everywhere: each level has a third of the places first.
        levels = [[n for n in active if sizes.level_of(n) == level] for level in LEVELS]
        first = [n for some in levels for n in some[: most // 3]]
        rest = [n for n in active if n not in set(first)]
        chosen = [*first, *rest[: most - len(first)]]
        if besides in active and besides not in chosen:
            chosen = [*chosen[: most - 1], besides]
        nodes = tuple(sorted(chosen, key=lambda n: -mass[n]))
        place = {concept: n for n, concept in enumerate(nodes)}
        kept = self.family(guards).among(nodes)
        edges = np.array([(place[r.child], place[r.parent]) for r in kept], np.int64)
        return ImageGraph(
            nodes, mass[list(nodes)], tuple(LEVELS.index(sizes.level_of(n)) for n in nodes),
            edges.reshape(-1, 2), np.array([r.strength for r in kept]),
            np.array([r.support for r in kept], np.int64), len(active) - len(nodes),
        )  # fmt: skip

    # -- a place -------------------------------------------------------------------------

    def at(self, row: float, col: float, most: int = 5) -> dict[str, tuple[ConceptHere, ...]]:
        """Return the strongest concepts of a place, a level."""
        return self.image.at(row, col, most)

    # -- layers --------------------------------------------------------------------------

    def presence_maps(
        self, concepts: Iterable[int], overlay_id: str, known: ConceptMaps | None = None
    ) -> ConceptMaps:
        """Return the overlay of where some concepts are present; one contrast on all images.

        Parameters
        ----------
        known : ConceptMaps, optional
            Of this reading, with some of these maps: they are taken over.
        """
        wanted = [int(n) for n in concepts]
        before = list(known.provenance.parameters["concepts"]) if known is not None else []
        values = np.stack([
            known.values[before.index(n)] if known is not None and n in before
            else self.codes.layer(n)
            for n in wanted
        ])  # fmt: skip
        return ConceptMaps(
            "Concepts", self.scene_id, self.image.provenance({"concepts": wanted}),
            placement=self.placement, values=values, id=overlay_id,
            names=tuple(f"{self.marked(n)}, present here" for n in wanted),
            tops=tuple(max(self.top(n), 1e-6) for n in wanted),
        )  # fmt: skip

    def both_map(self, one: int, other: int) -> ConceptMaps:
        """Return the overlay of where two concepts are on together: the weaker of the two, of
        its usual highest."""
        parts = [self.codes.layer(n) / max(self.top(n), 1e-6) for n in (one, other)]
        return ConceptMaps(
            f"{self.short(one)} and {self.short(other)}", self.scene_id,
            self.image.provenance({"concepts": [one, other]}), placement=self.placement,
            values=np.minimum(*parts)[None].astype(np.float32), tops=(1.0,),
            names=("Where both are on, the weaker of the two",),
        )  # fmt: skip

    def graph_text(self, guards: Guards | None = None, besides: int | None = None) -> str:
        """Return the graph as GraphML, an edge from child to parent."""
        from backends.concepts.describing import ConceptGraph
        from backends.concepts.files import graphml

        nodes = self.graph(guards, besides=besides).nodes
        mass = self.codes.mass
        told = tuple(self.image.here(n, float(mass[n])) for n in nodes)
        return graphml(ConceptGraph(told, tuple(self.family(guards).among(nodes))))

    def alike_map(self, values: Floats, row: int, col: int) -> ConceptMaps:
        """Return the overlay of how alike every place is to one, 0 to 1."""
        return ConceptMaps(
            f"Alike to {row}, {col}", self.scene_id,
            self.image.provenance({"alike_to": f"row {row}, column {col}"}),
            placement=self.placement, values=values[None], tops=(1.0,),
            names=(f"Cosine of concepts with row {row}, column {col}",),
        )  # fmt: skip


def name_by_library(made: Dictionary, scene: Scene, library: SpectralLibrary) -> None:
    """Call concepts of spectra by the nearest spectrum of a library, where one is near.

    Only bands that both have are compared; fewer than three name nothing.
    """
    from backends.concepts.exemplars import ConceptSpectra
    from backends.concepts.naming import name_by_spectra
    from backends.spectra.references import references_for

    bands = [int(b) for b in made.encoder["bands"]]
    found = references_for(scene, library=library, bands=bands)
    both = np.array([n for n, band in enumerate(bands) if band in found.bands], int)
    values = found.values[:, [found.bands.index(bands[n]) for n in both]]
    full = np.isfinite(values).all(0)
    if full.sum() < 3:
        return
    mean, deviation = made.extra["spectra.mean"], made.extra["spectra.deviation"]
    nm = made.encoder.get("wavelength_nm")
    kept = both[full]
    spectra = ConceptSpectra(
        mean[:, kept], deviation[:, kept], () if nm is None else tuple(float(nm[n]) for n in kept)
    )
    made.names |= name_by_spectra(spectra, (found.names, values[:, full]))


def short_name(name: str, concept: int) -> str:
    """Return what a narrow line calls a concept of a name.

    A name that claims nothing begins with the number; what follows it may help.
    """
    if name.startswith(f"concept {concept}"):
        name = name.removeprefix(f"concept {concept}").lstrip(", ")
        for words in ("highest at ", "mostly in ", "like "):
            name = name.removeprefix(words)
        return f"{concept} · {name}" if name else f"#{concept}"
    return name or f"#{concept}"
