"""Gradient boosting: small trees, each of which corrects those before it.

scikit-learn trains them on histograms. What is kept are plain arrays; they are checked and given
back to scikit-learn's own tree walker, which follows 1,600 trees a hundred times faster than NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.answers import Answer, Arrays, class_weights, no_more, take_number
from backends.jobs import Progress

# Values looked at between two questions whether to stop.
_WORK = 4_000_000


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """Trees in the order they were grown; all nodes in one table.

    Attributes
    ----------
    start : int64 array of shape (trees,)
        First node of each; tree ``i`` belongs to class ``i % outputs``.
    left, right : int32 arrays of shape (nodes,)
        Next node within the tree for ``spectrum[feature] <= threshold`` and else, 0 for a leaf.
    feature : int32 array of shape (nodes,)
    threshold, value : float64 arrays of shape (nodes,)
    base : float64 array of shape (outputs,)
        Scores before the first tree; one output where there are two classes.
    classes : int64 array of shape (classes,)
    settings : dict
        ``rounds``, ``rate``, ``leaves``, ``balanced``.
    """

    start: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    base: NDArray[np.float64]
    classes: NDArray[np.int64]
    settings: dict[str, Any]

    @classmethod
    def from_arrays(cls, arrays: Arrays, settings: Mapping[str, Any]) -> BoostedTrees:
        """Rebuild it; raises ValueError or KeyError where arrays do not fit each other."""
        start, classes = arrays["start"].astype(np.int64), arrays["classes"].astype(np.int64)
        left, right, feature = (arrays[n].astype(np.int32) for n in ("left", "right", "feature"))
        threshold, value, base = (
            arrays[n].astype(np.float64) for n in ("threshold", "value", "base")
        )
        nodes = left.size
        sizes = {v.shape for v in (left, right, feature, threshold, value)}
        outputs = 1 if classes.size == 2 else classes.size
        if sizes != {(nodes,)} or base.shape != (outputs,) or not start.size or start[0] != 0:
            raise ValueError("trees do not fit")
        length = np.diff(np.append(start, nodes))
        if length.min() < 1 or start.size % outputs or feature.min() < 0:
            raise ValueError("trees")
        # The walker checks nothing: every way must lead forwards and end inside its tree.
        own = np.arange(nodes) - np.repeat(start, length)
        inside, leaf = np.repeat(length, length), left == 0
        for child in (left, right):
            if np.any(~leaf & ((child <= own) | (child >= inside))) or np.any(leaf & (child != 0)):
                raise ValueError("trees lead nowhere")
        return cls(start, left, right, feature, threshold, value, base, classes, dict(settings))

    @classmethod
    def from_scikit(cls, machine: Any, settings: dict[str, Any]) -> BoostedTrees:
        """Take over what scikit-learn trained."""
        trees = [tree.nodes for turn in machine._predictors for tree in turn]
        start = np.concatenate([[0], np.cumsum([len(t) for t in trees])])[:-1]
        every = np.concatenate(trees)
        leaf = every["is_leaf"].astype(bool)
        return cls(
            start.astype(np.int64),
            np.where(leaf, 0, every["left"]).astype(np.int32),
            np.where(leaf, 0, every["right"]).astype(np.int32),
            np.where(leaf, 0, every["feature_idx"]).astype(np.int32),
            np.where(leaf, 0.0, every["num_threshold"]),
            every["value"].astype(np.float64),
            np.asarray(machine._baseline_prediction, np.float64).reshape(-1),
            machine.classes_.astype(np.int64),
            settings,
        )

    def arrays(self) -> Arrays:
        """Return everything it knows, by name."""
        names = ("start", "left", "right", "feature", "threshold", "value", "base", "classes")
        return {name: getattr(self, name) for name in names}

    def predict(self, spectra: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of the highest score."""
        return self.answer(spectra).classes

    def answer(self, spectra: NDArray[np.float32]) -> Answer:
        """Return the class of the highest score, and the scores."""
        from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

        if self.feature.max() >= spectra.shape[1]:
            raise ValueError("trees of other bands")
        nodes = np.zeros(self.left.size, PREDICTOR_RECORD_DTYPE)
        nodes["left"], nodes["right"], nodes["feature_idx"] = self.left, self.right, self.feature
        nodes["num_threshold"], nodes["value"] = self.threshold, self.value
        nodes["is_leaf"] = self.left == 0
        x = np.ascontiguousarray(spectra, np.float64)
        total = np.repeat(self.base[None], len(x), axis=0)
        none, ends = np.zeros((0, 8), np.uint32), np.append(self.start, nodes.size)
        columns = np.zeros(x.shape[1], np.uint32)
        for number, (low, high) in enumerate(pairwise(ends)):
            tree = TreePredictor(np.ascontiguousarray(nodes[low:high]), none, none)
            total[:, number % self.base.size] += tree.predict(x, none, columns, 1)
        if self.classes.size == 2:
            total = np.concatenate([np.zeros_like(total), total], axis=1)
        return Answer(np.asarray(self.classes[total.argmax(axis=1)]), total)


def train_boosting(
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    wanted: dict[str, Any],
    seed: int,
    progress: Progress,
) -> BoostedTrees:
    """Grow trees: ``rounds`` (100) for each class, ``rate`` (0.1), ``leaves`` (31) at most."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rounds = int(take_number(wanted, "rounds", 100, 1))
    rate = take_number(wanted, "rate", 0.1, 1e-4)
    leaves = int(take_number(wanted, "leaves", 31, 2))
    balanced = bool(wanted.pop("balanced"))
    no_more(wanted)
    machine = HistGradientBoostingClassifier(
        learning_rate=rate,
        max_leaf_nodes=leaves,
        # With 30 pixels a class the usual 20 a leaf would leave no tree to grow.
        min_samples_leaf=min(20, max(2, len(target) // 100)),
        early_stopping=False,
        class_weight=class_weights(target) if balanced else None,
        random_state=seed,
        warm_start=True,
    )
    progress.start(rounds, "rounds", "Training")
    step = min(10, max(1, _WORK // (spectra.size * max(1, np.unique(target).size))))
    done = 0
    while done < rounds:
        progress.check()
        grown = min(step, rounds - done)
        done += grown
        machine.max_iter = done
        machine.fit(spectra, target)
        progress.advance(grown)
    said = {"rounds": rounds, "rate": rate, "leaves": leaves, "balanced": balanced}
    return BoostedTrees.from_scikit(machine, said)
