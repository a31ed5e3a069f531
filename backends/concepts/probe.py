"""A decision that is an exact sum over concepts: the max-pooled linear concept probe.

Source: Insight, arXiv 2601.13798. An image is described by the largest activation of each
concept over its patches, z_i = max_p a_i(p); a linear layer decides. What concept i adds to
class c is W_ci · z_i: the parts and the bias sum to the logit, nothing is estimated.

The same probe over any pooled features is the opaque one it is compared with.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.codes import Codes, Floats
from backends.errors import BadInput, WrongUse
from backends.jobs import Progress

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Part:
    """What one concept adds to a class's logit.

    Attributes
    ----------
    concept : int
        -1 is the bias.
    amount : float
    """

    concept: int
    amount: float


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear layer over concepts.

    Attributes
    ----------
    weight : float64 array of shape (classes, concepts)
        For activations in their own units.
    bias : float64 array of shape (classes,)
    classes : tuple of str
    strength : float
        Inverse regularisation that was chosen on validation images.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    classes: tuple[str, ...]
    strength: float = 0.0

    def logits(self, pooled: NDArray[Any]) -> NDArray[np.float64]:
        """Return logits of pooled activations, (n, concepts) or (concepts,)."""
        return np.asarray(np.asarray(pooled, np.float64) @ self.weight.T + self.bias)

    def probabilities(self, pooled: NDArray[Any]) -> NDArray[np.float64]:
        """Return the softmax of the logits."""
        logits = self.logits(pooled)
        raised = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(raised / raised.sum(-1, keepdims=True))

    def contributions(self, pooled: NDArray[Any], target: int) -> NDArray[np.float64]:
        """Return what each concept adds to a class, shape (concepts,); with the bias they sum
        to the logit."""
        self._known(target)
        return np.asarray(self.weight[target] * np.asarray(pooled, np.float64))

    def parts(self, pooled: NDArray[Any], target: int, most: int = 10) -> tuple[Part, ...]:
        """Return the largest contributions, then all others in one (-2), then the bias (-1)."""
        found = self.contributions(pooled, target)
        order = np.argsort(-np.abs(found), kind="stable")[:most]
        order = order[found[order] != 0]
        shown = [Part(int(n), float(found[n])) for n in order]
        rest = float(found.sum() - found[order].sum())
        return (*shown, Part(-2, rest), Part(-1, float(self.bias[target])))

    def layer(self, codes: Codes, concept: int, target: int) -> Floats:
        """Return where a concept counts for a class: weight times presence.

        Its value of largest size with the weight's sign is what enters the logit.
        """
        self._known(target)
        return np.asarray(codes.layer(concept) * np.float32(self.weight[target, concept]))

    def without(self, pooled: NDArray[Any], changes: Mapping[int, float]) -> NDArray[np.float64]:
        """Return the logits when some concepts get other activations (0 takes them away)."""
        pooled = np.asarray(pooled, np.float64)
        numbers = np.fromiter(changes.keys(), np.int64, len(changes))
        if numbers.size and not (0 <= numbers.min() and numbers.max() < len(pooled)):
            raise WrongUse(f"There are {len(pooled)} concepts, from 0.")
        new = np.fromiter(changes.values(), float, len(changes))
        return np.asarray(self.logits(pooled) + self.weight[:, numbers] @ (new - pooled[numbers]))

    def accuracy(self, pooled: NDArray[Any], label: NDArray[Any]) -> float:
        """Return the share of images that are told right."""
        return float((self.logits(pooled).argmax(1) == label).mean())

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return arrays to store; the classes go into the card."""
        return {"probe.weight": self.weight, "probe.bias": self.bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> Probe:
        """Rebuild from `to_arrays`.

        Raises
        ------
        BadInput
            There is none: the images had no classes.
        """
        try:
            return cls(arrays["probe.weight"], arrays["probe.bias"], tuple(classes))
        except KeyError as error:
            raise BadInput(
                "These concepts decide nothing: they were trained on images without classes.",
                way_out="Train them on a folder with one folder a class.",
            ) from error

    def _known(self, target: int) -> None:
        if not 0 <= target < len(self.classes):
            raise WrongUse(
                f"There is no class {target}.", way_out=f"Give 0 to {len(self.classes) - 1}."
            )


def pooled(codes: Codes) -> Floats:
    """Return an image as the probe sees it: the largest activation of each concept."""
    return codes.largest


def fit_probe(
    train: tuple[NDArray[Any], NDArray[Any]],
    validation: tuple[NDArray[Any], NDArray[Any]] | None,
    classes: Sequence[str],
    *,
    strengths: Sequence[float] = STRENGTHS,
    progress: Progress | None = None,
) -> Probe:
    """Fit the linear layer by logistic regression.

    The strength of its regularisation is chosen on the validation images; inputs are brought
    to unit deviation for that, and the weights back to their own units.

    Parameters
    ----------
    train, validation : (pooled, label)
        Shapes (n, concepts), (n,). Without validation images the middle strength is taken.
    """
    from sklearn.linear_model import LogisticRegression

    x, label = np.asarray(train[0], np.float64), np.asarray(train[1])
    if len(np.unique(label)) < 2:
        raise BadInput("The training images are of one class; there is nothing to decide.")
    spread = x.std(0)
    # A concept that is on in one image of a thousand must not be blown up.
    spread = np.where(spread > 1e-12, np.maximum(spread, 1e-3 * spread.max()), 1.0)
    tries = list(strengths) if validation is not None else [sorted(strengths)[len(strengths) // 2]]
    best: Probe | None = None
    highest = -1.0
    for strength in tries:
        if progress is not None:
            progress.check()
        model = LogisticRegression(C=strength / len(x) * 100, max_iter=300, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not at its very end after so many rounds
            model.fit(x / spread, label)
        made = _all_classes(model, spread, classes, strength)
        if validation is None:
            return made
        score = made.accuracy(*validation)
        if score > highest:
            highest, best = score, made
    assert best is not None
    return best


def _all_classes(
    model: Any, spread: NDArray[Any], classes: Sequence[str], strength: float
) -> Probe:
    weight = np.zeros((len(classes), len(spread)))
    bias = np.full(len(classes), -30.0)
    numbers = np.asarray(model.classes_, np.int64)
    found, level = model.coef_ / spread, model.intercept_
    if len(numbers) == 2:  # one row: the second class against the first
        found, level = np.stack([-found[0], found[0]]) / 2, np.array([-level[0], level[0]]) / 2
    weight[numbers], bias[numbers] = found, level
    return Probe(weight, bias, tuple(classes), strength)
