"""Segmentation from decoded codes, each pixel's score an exact sum over concepts.

Source: Insight, arXiv 2601.13798. With directions d_i, offset b and the direction t_c of a
class, at patch p with rebuilt feature x̂:

    s_c(p) = 100 · (Σ_i a_i(p) ⟨d_i, t_c⟩ + ⟨b, t_c⟩) / ‖x̂(p)‖

The class directions come from words (where the encoder has a text tower) or from labelled
patches: the mean of each class's unit features, less that of all. The same score on the
encoder's own features is the dense baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.autoencoder_files import Dictionary
from backends.concepts.codes import Codes, Floats
from backends.errors import BadInput

SCALE = 100.0


@dataclass(frozen=True, eq=False)
class ClassDirections:
    """What the classes look like among the features.

    Attributes
    ----------
    values : float32 array of shape (classes, d)
        Unit length.
    centre : float32 array of shape (d,)
        Taken off features before they are compared; zeros for words.
    classes : tuple of str
    level : float32 array of shape (classes,)
        Added to the scores; zeros for words.
    """

    values: Floats
    centre: Floats
    classes: tuple[str, ...]
    level: Floats

    @classmethod
    def from_words(cls, embeddings: NDArray[Any], classes: Sequence[str]) -> ClassDirections:
        """Take the text embeddings of the classes, shape (classes, d)."""
        length = np.linalg.norm(embeddings, axis=1, keepdims=True)
        values = np.asarray(embeddings / np.maximum(length, 1e-12), np.float32)
        none = np.zeros(values.shape[1], np.float32)
        return cls(values, none, tuple(classes), np.zeros(len(values), np.float32))

    @classmethod
    def from_labels(
        cls, features: NDArray[Any], label: NDArray[Any], classes: Sequence[str]
    ) -> ClassDirections:
        """Learn them from labelled patches: a linear layer on centred unit features.

        Parameters
        ----------
        features : float array of shape (n, d)
        label : integer array of shape (n,)
            Class numbers from 0; below 0 is unlabelled.
        """
        known = np.asarray(label) >= 0
        if len(np.unique(np.asarray(label)[known])) < 2:
            raise BadInput("Labels of at least two classes are needed.")
        values = np.asarray(features, np.float32)[known]
        centre = values.mean(0)
        values = values - centre
        values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        marks = np.asarray(label)[known]
        means = np.stack([
            values[marks == n].mean(0) if (marks == n).any() else np.zeros_like(centre)
            for n in range(len(classes))
        ])  # fmt: skip
        means -= means.mean(0)
        directions = np.asarray(
            means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), np.float32
        )
        scores = SCALE * values @ directions.T
        level = -np.stack([
            (scores[marks == n].mean(0) if (marks == n).any() else np.zeros(len(classes)))
            for n in range(len(classes))
        ]).mean(0)  # fmt: skip
        return cls(directions, centre, tuple(classes), level.astype(np.float32))

    def scores(self, features: NDArray[Any]) -> Floats:
        """Return the scores of features, shape (n, classes)."""
        moved = np.asarray(features, np.float32) - self.centre
        length = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
        return np.asarray(SCALE * (moved @ self.values.T) / length + self.level, np.float32)


@dataclass(frozen=True, eq=False)
class ConceptSegmentation:
    """Scores of classes from codes, and what each concept adds.

    Attributes
    ----------
    dictionary : Dictionary
    directions : ClassDirections
    """

    dictionary: Dictionary
    directions: ClassDirections

    def scores(self, codes: Codes) -> Floats:
        """Return the scores of every patch, shape (patches, classes)."""
        rebuilt = codes.decode(self.dictionary.directions, self.dictionary.offset)
        return self.directions.scores(self.dictionary.scaling.undo(rebuilt))

    def contributions(self, codes: Codes, token: int, target: int) -> tuple[Any, Any, float]:
        """Return concepts, what each adds to a class at a patch, and the constant part.

        They sum to the score.
        """
        concept, value = codes.at(token)
        one = codes.take(np.array([token]))
        rebuilt = self.dictionary.scaling.undo(
            one.decode(self.dictionary.directions, self.dictionary.offset)
        )[0]
        direction = self.directions.values[target].astype(np.float64)
        moved = rebuilt.astype(np.float64) - self.directions.centre
        scale = SCALE / max(float(np.linalg.norm(moved)), 1e-12)
        per = self.dictionary.directions[concept].astype(np.float64) @ direction
        amounts = scale * self.dictionary.scaling.length * value * per
        fixed = float(scale * (moved @ direction) - amounts.sum() + self.directions.level[target])
        return concept, amounts, fixed


def mean_iou(truth: NDArray[Any], found: NDArray[Any], classes: int) -> tuple[float, list[float]]:
    """Return mean intersection over union and that of each class; unlabelled (< 0) is left out.

    A class that is nowhere in truth or answer does not count.
    """
    known = truth >= 0
    truth, found = truth[known], found[known]
    each = []
    for number in range(classes):
        union = int(((truth == number) | (found == number)).sum())
        inside = int(((truth == number) & (found == number)).sum())
        each.append(inside / union if union else float("nan"))
    return float(np.nanmean(each)), each
