"""Why a place or an image is of a class: a linear layer over concepts.

Taught by the labels of the scene, or come with concepts that were learnt on images with classes.
What each concept adds is exact: with the constant part the amounts sum to the score (Insight,
arXiv 2601.13798). Taking a concept away is one product more, so that the answer is there at
once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.changes import Changes, applied
from backends.concepts.desk import ConceptReading
from backends.concepts.probe import Part, Probe, fit_probe
from backends.errors import BadInput
from backends.jobs import Progress
from backends.overlays import Overlay, ScoreMap

MOST_CELLS = 4000
# Cells that lie side by side look alike: whole blocks of them are kept out of the learning.
BLOCK = 6
OTHERS, CONSTANT = -2, -1


class Decision(ABC):
    """A layer that decides by concepts.

    Attributes
    ----------
    probe : Probe
    scene_id : str
    of_dictionary : bool
        Whether its concepts are those of the dictionary the image was read with.
    """

    probe: Probe
    of_dictionary = True

    @property
    @abstractmethod
    def scene_id(self) -> str:
        """The image."""

    @property
    @abstractmethod
    def whole(self) -> bool:
        """Whether it is the image that is decided on, not each of its places."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """How far it can be believed, for people."""

    @abstractmethod
    def name(self, concept: int) -> str:
        """Return what a narrow line calls a concept."""

    @abstractmethod
    def top(self, concept: int) -> float:
        """Return a concept's usual highest strength."""

    @abstractmethod
    def used_map(self, concept: int, target: int) -> Overlay:
        """Return the overlay of where a concept counts for a class."""

    @abstractmethod
    def _strengths(self, token: int) -> NDArray[np.float64]: ...

    def code(self, token: int, changes: Changes | None = None) -> NDArray[np.float64]:
        """Return what is decided on, some concepts changed, shape (concepts,)."""
        return applied(self._strengths(token), changes or {})

    def probabilities(self, token: int, changes: Changes | None = None) -> NDArray[np.float64]:
        """Return the probability of each class."""
        return self.probe.probabilities(self.code(token, changes))

    def parts(
        self,
        token: int,
        target: int,
        changes: Changes | None = None,
        most: int = 10,
    ) -> tuple[Part, ...]:
        """Return what adds most to a class, the others in one, the constant part.

        Concepts that were changed are always among them. They sum to the score.
        """
        changes = changes or {}
        found = self.probe.contributions(self.code(token, changes), target)
        before = self.probe.contributions(self.code(token), target)
        # By what they added before, so that bars stay where they are.
        order = np.argsort(-np.abs(before), kind="stable")
        shown = [int(n) for n in order[:most] if before[n] != 0]
        shown += [n for n in changes if n not in shown and (before[n] != 0 or found[n] != 0)]
        rest = float(found.sum() - found[shown].sum())
        bias = float(self.probe.bias[target])
        return (*(Part(n, float(found[n])) for n in shown), Part(OTHERS, rest),
                Part(CONSTANT, bias))  # fmt: skip


@dataclass(frozen=True, eq=False)
class _OnReading(Decision):
    """By the concepts an image was read with.

    Attributes
    ----------
    reading : ConceptReading
    probe : Probe
    """

    reading: ConceptReading
    probe: Probe

    @property
    def scene_id(self) -> str:
        return self.reading.scene_id

    def name(self, concept: int) -> str:
        return self.reading.marked(concept)

    def top(self, concept: int) -> float:
        return self.reading.top(concept)

    def used_map(self, concept: int, target: int) -> ScoreMap:
        """Return the overlay of what a concept adds to a class, everywhere."""
        r, name = self.reading, self.probe.classes[target]
        return ScoreMap(
            f"{r.marked(concept)}, used for {name}", r.scene_id,
            r.image.provenance({"concept": concept, "class": name}),
            placement=r.placement, centre=0.0,
            values=self.probe.layer(r.codes, concept, target),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ImageDecision(_OnReading):
    """The whole image, by the largest activation of each concept.

    The layer came with the concepts: they were learnt on images with classes.
    """

    @property
    def whole(self) -> bool:
        return True

    @property
    def sentence(self) -> str:
        figures = self.reading.dictionary.card.get("probe") or {}
        if figures.get("concepts") is None:
            return (
                "Decides on whole images; how often it is right was not measured: there were too "
                "few images to keep some out."
            )
        return (
            f"Decides on whole images: right on {100 * figures['concepts']:.0f}\u00a0% of "
            f"{figures.get('test_images', 0)} test images (without concepts "
            f"{100 * figures['opaque']:.0f}\u00a0%, with random ones "
            f"{100 * figures['random']:.0f}\u00a0%)."
        )

    def _strengths(self, token: int) -> NDArray[np.float64]:
        return self.reading.codes.largest.astype(np.float64)


@dataclass(frozen=True, eq=False)
class LabelDecision(_OnReading):
    """A place, by its own concepts; taught by the labels of the scene.

    Attributes
    ----------
    values : tuple of int
        Label value of each class.
    accuracy, chance : float
        On blocks of labelled cells that were kept out; what always saying the commonest
        class gives there.
    kept_out, learnt_from : int
        Cells.
    """

    values: tuple[int, ...]
    accuracy: float
    chance: float
    kept_out: int
    learnt_from: int

    @property
    def whole(self) -> bool:
        return False

    @property
    def sentence(self) -> str:
        return (
            f"Right at {100 * self.accuracy:.1f}\u00a0% of {self.kept_out:,} labelled places kept "
            f"out (always the commonest class: {100 * self.chance:.1f}\u00a0%); learnt from "
            f"{self.learnt_from:,}."
        )

    def _strengths(self, token: int) -> NDArray[np.float64]:
        concept, value = self.reading.codes.at(token)
        out = np.zeros(self.reading.codes.concepts)
        out[concept] = value
        return out

    def changed_share(self, changes: Changes) -> float:
        """Return the share of the image's cells whose class is another after the same change at
        all of them."""
        changed = self._logits.copy()
        for number, change in changes.items():
            strength = self.reading.codes.layer(number).ravel().astype(np.float64)
            moved = change.of(strength) - strength
            on = np.flatnonzero(moved)
            changed[on] += np.outer(moved[on], self.probe.weight[:, number])
        return float((changed.argmax(1) != self._class_of_cells).mean())

    def ready(self) -> LabelDecision:
        """Work out what every change asks for, so that the first is as quick as the others."""
        _ = self._class_of_cells
        return self

    @cached_property
    def _logits(self) -> NDArray[np.float64]:
        return np.asarray(self.reading.codes.matrix() @ self.probe.weight.T + self.probe.bias)

    @cached_property
    def _class_of_cells(self) -> NDArray[np.int64]:
        return np.asarray(self._logits.argmax(1))


def labels_on_cells(reading: ConceptReading, labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the commonest label among the pixels of each cell, 0 where there is none.

    Parameters
    ----------
    labels : integer array of shape (rows, cols) of the scene
    """
    place, (rows, cols) = reading.placement, reading.grid
    r, c = np.nonzero(labels)
    value = labels[r, c].astype(np.int64)
    at_row = np.rint((r - place.row) / place.row_step).astype(np.int64)
    at_col = np.rint((c - place.col) / place.col_step).astype(np.int64)
    inside = (at_row >= 0) & (at_row < rows) & (at_col >= 0) & (at_col < cols)
    known, place_of = np.unique(value[inside], return_inverse=True)
    if not known.size:
        return np.zeros(rows * cols, np.int64)
    cell = at_row[inside] * cols + at_col[inside]
    count = np.bincount(place_of * rows * cols + cell, minlength=len(known) * rows * cols)
    count = count.reshape(len(known), -1)
    return np.where(count.max(0) > 0, known[count.argmax(0)], 0)


def learn_decision(
    reading: ConceptReading,
    labels: NDArray[Any],
    names: Mapping[int, str],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> LabelDecision:
    """Teach the layer by the labels of the scene.

    Raises
    ------
    BadInput
        Labels of fewer than two classes lie on the grid.
    """
    progress = progress or Progress()
    label = labels_on_cells(reading, labels)
    values = tuple(int(v) for v in np.unique(label) if v)
    if len(values) < 2:
        raise BadInput(
            "Labels of at least two classes are needed to say why a place is of one.",
            way_out="Paint a second class, or open a label file.",
        )
    rng = np.random.default_rng(seed)
    cells = np.flatnonzero(label)
    blocks = (cells // reading.grid[1] // BLOCK) * reading.grid[1] + (
        cells % reading.grid[1] // BLOCK
    )
    some = rng.permutation(np.unique(blocks))
    out = np.isin(blocks, some[: max(1, len(some) // 4)])
    if len(set(label[cells[~out]])) < len(values) or not out.any():
        # Too few blocks: single cells are kept out, though their neighbours are known.
        out = rng.random(len(cells)) < 0.25
        out[np.unique(label[cells], return_index=True)[1]] = False
    number = np.searchsorted(values, label[cells])
    learn = rng.permutation(np.flatnonzero(~out))[:MOST_CELLS]
    check = rng.permutation(np.flatnonzero(out))[:MOST_CELLS]
    progress.note("Learning to decide by concepts")
    codes = reading.codes
    mine = codes.take(cells[learn]).dense(), number[learn]
    other = codes.take(cells[check]).dense(), number[check]
    classes = [names.get(v, f"Class {v}") for v in values]
    probe = fit_probe(mine, None, classes, progress=progress)
    commonest = np.bincount(number[learn], minlength=len(values)).argmax()
    return LabelDecision(
        reading, probe, values, probe.accuracy(*other) if len(check) else float("nan"),
        float((other[1] == commonest).mean()) if len(check) else float("nan"),
        len(check), len(learn),
    ).ready()  # fmt: skip
