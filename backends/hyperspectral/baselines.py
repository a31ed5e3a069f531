"""Classifiers of single spectra: the measure for everything else.

scikit-learn trains them; the map is made from plain arrays, so that what is saved
needs no pickle and what is loaded gives the same map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.hyperspectral.answers import (
    SMALLEST_SHARE,
    Answer,
    Arrays,
    SpectraModel,
    class_weights,
    folds,
    no_more,
    thinned,
)
from backends.hyperspectral.boosting import BoostedTrees, train_boosting
from backends.hyperspectral.calibration import probability_and_margin, softmax
from backends.hyperspectral.class_shapes import (
    ClassAngles,
    GaussianClasses,
    train_angles,
    train_likelihood,
)
from backends.hyperspectral.features import read_window
from backends.hyperspectral.neighbours import Neighbours, train_neighbours
from backends.hyperspectral.normalise import BandStretch
from backends.jobs import Progress
from backends.scene import Scene

GAMMA = (0.1, 0.01, 0.001)
C = (1.0, 10.0, 100.0, 1000.0)
# Beyond these many training pixels a single fit would take longer than one can wait to cancel.
GRID_PIXELS = 1500
SVM_PIXELS = 6000
_PART = 8192


@dataclass(frozen=True, eq=False)
class SupportVectors:
    """An RBF support vector machine, one against one, on standardised spectra.

    Attributes
    ----------
    mean, scale : float64 arrays of shape (bands,)
    vectors : float64 array of shape (vectors, bands)
        Standardised.
    weights : float64 array of shape (vectors, pairs)
    offsets : float64 array of shape (pairs,)
    classes : int64 array of shape (classes,)
        Class numbers; pairs are (0, 1), (0, 2) … (1, 2) …
    settings : dict
        ``gamma``, ``C``.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    vectors: NDArray[np.float64]
    weights: NDArray[np.float64]
    offsets: NDArray[np.float64]
    classes: NDArray[np.int64]
    settings: dict[str, Any]

    @classmethod
    def from_arrays(cls, arrays: Arrays, settings: Mapping[str, Any]) -> SupportVectors:
        """Rebuild it; raises ValueError or KeyError where arrays do not fit each other."""
        names = ("mean", "scale", "vectors", "weights", "offsets")
        mean, scale, vectors, weights, offsets = (arrays[n].astype(np.float64) for n in names)
        classes = arrays["classes"].astype(np.int64)
        pairs = classes.size * (classes.size - 1) // 2
        fits = vectors.shape == (len(weights), mean.size) and weights.shape[1:] == (pairs,)
        if not fits or scale.shape != mean.shape or offsets.shape != (pairs,):
            raise ValueError("support vectors do not fit")
        return cls(mean, scale, vectors, weights, offsets, classes, dict(settings))

    @classmethod
    def from_scikit(cls, scaler: Any, machine: Any, settings: dict[str, Any]) -> SupportVectors:
        """Take over what scikit-learn trained."""
        count = len(machine.classes_)
        ends = np.cumsum(machine.n_support_)
        rows = [slice(end - n, end) for end, n in zip(ends, machine.n_support_, strict=True)]
        pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
        weights = np.zeros((ends[-1], len(pairs)))
        for column, (i, j) in enumerate(pairs):
            # libsvm: row j-1 holds the coefficients of class i's vectors against class j.
            weights[rows[i], column] = machine.dual_coef_[j - 1, rows[i]]
            weights[rows[j], column] = machine.dual_coef_[i, rows[j]]
        # With two classes scikit-learn turns libsvm's sign around.
        sign = -1.0 if count == 2 else 1.0
        return cls(
            scaler.mean_,
            scaler.scale_,
            machine.support_vectors_,
            sign * weights,
            sign * machine.intercept_,
            machine.classes_.astype(np.int64),
            settings,
        )

    def arrays(self) -> Arrays:
        """Return everything it knows, by name."""
        names = ("mean", "scale", "vectors", "weights", "offsets", "classes")
        return {name: getattr(self, name) for name in names}

    def predict(self, spectra: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class that wins most pairs, the first of equals."""
        return self.answer(spectra).classes

    def answer(self, spectra: NDArray[np.float32]) -> Answer:
        """Return the class that wins most pairs, and the coupled pairs as scores.

        Pairwise probabilities ``1 / (1 + exp(-f_kj))`` of the decision values are coupled as
        ``p_k ~ 1 / (1 + sum_j exp(-f_kj))`` (Price et al., "Pairwise neural network classifiers
        with probabilistic outputs", NIPS 7, 1995).
        """
        x = (spectra - self.mean) / self.scale
        square = (x * x).sum(1)[:, None] + (self.vectors * self.vectors).sum(1)[None, :]
        kernel = np.exp(-float(self.settings["gamma"]) * (square - 2 * x @ self.vectors.T))
        decision = kernel @ self.weights + self.offsets
        wins = decision > 0
        against = np.zeros((len(x), self.classes.size))
        votes = np.zeros((len(x), self.classes.size), np.int64)
        first, second = np.triu_indices(self.classes.size, 1)
        for column, (i, j) in enumerate(zip(first, second, strict=True)):
            votes[:, i] += wins[:, column]
            votes[:, j] += ~wins[:, column]
            against[:, i] = np.logaddexp(against[:, i], -decision[:, column])
            against[:, j] = np.logaddexp(against[:, j], decision[:, column])
        return Answer(np.asarray(self.classes[votes.argmax(axis=1)]), -against)


@dataclass(frozen=True, eq=False)
class Forest:
    """Decision trees that average their class shares; all nodes in one table.

    Attributes
    ----------
    roots : int64 array of shape (trees,)
    left, right : int32 arrays of shape (nodes,)
        Next node for ``spectrum[feature] <= threshold`` and else; leaves lead to themselves.
    feature : int32 array of shape (nodes,)
    threshold : float64 array of shape (nodes,)
    share : float32 array of shape (nodes, classes)
    classes : int64 array of shape (classes,)
    settings : dict
        ``trees``, ``depth`` (of the deepest).
    """

    roots: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    share: NDArray[np.float32]
    classes: NDArray[np.int64]
    settings: dict[str, Any]

    @classmethod
    def from_arrays(cls, arrays: Arrays, settings: Mapping[str, Any]) -> Forest:
        """Rebuild it; raises ValueError or KeyError where arrays do not fit each other."""
        roots, classes = arrays["roots"].astype(np.int64), arrays["classes"].astype(np.int64)
        left, right, feature = (arrays[n].astype(np.int32) for n in ("left", "right", "feature"))
        threshold = arrays["threshold"].astype(np.float64)
        share = arrays["share"].astype(np.float32)
        nodes = left.size
        if not (left.shape == right.shape == feature.shape == threshold.shape == (nodes,)):
            raise ValueError("trees do not fit")
        inside = all(v.size and v.min() >= 0 and v.max() < nodes for v in (roots, left, right))
        if not inside or share.shape != (nodes, classes.size) or feature.min() < 0:
            raise ValueError("trees lead nowhere")
        if not 0 <= int(settings["deepest"]) <= 10_000:
            raise ValueError("depth")
        return cls(roots, left, right, feature, threshold, share, classes, dict(settings))

    @classmethod
    def from_scikit(cls, forest: Any, settings: dict[str, Any]) -> Forest:
        """Take over what scikit-learn trained."""
        trees = [e.tree_ for e in forest.estimators_]
        offsets = np.concatenate([[0], np.cumsum([t.node_count for t in trees])])
        left, right = (
            np.concatenate([_children(t, side) + o for t, o in zip(trees, offsets, strict=False)])
            for side in ("children_left", "children_right")
        )
        value = np.concatenate([t.value[:, 0, :] for t in trees])
        return cls(
            offsets[:-1].astype(np.int64),
            left.astype(np.int32),
            right.astype(np.int32),
            np.maximum(np.concatenate([t.feature for t in trees]), 0).astype(np.int32),
            np.concatenate([t.threshold for t in trees]),
            (value / value.sum(axis=1, keepdims=True)).astype(np.float32),
            forest.classes_.astype(np.int64),
            settings | {"deepest": max(int(t.max_depth) for t in trees)},
        )

    def arrays(self) -> Arrays:
        """Return everything it knows, by name."""
        names = ("roots", "left", "right", "feature", "threshold", "share", "classes")
        return {name: getattr(self, name) for name in names}

    def predict(self, spectra: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class with the largest mean share."""
        return self.answer(spectra).classes

    def answer(self, spectra: NDArray[np.float32]) -> Answer:
        """Return the class with the largest mean share, and logarithms of the shares."""
        pixel = np.arange(len(spectra))
        total = np.zeros((len(spectra), self.classes.size))
        for root in self.roots:
            node = np.full(len(spectra), root)
            for _ in range(int(self.settings["deepest"])):
                low = spectra[pixel, self.feature[node]] <= self.threshold[node]
                node = np.where(low, self.left[node], self.right[node])
            total += self.share[node]
        # No tree may say "never": its temperature could not be told.
        scores = np.log(np.maximum(total / len(self.roots), SMALLEST_SHARE))
        return Answer(np.asarray(self.classes[total.argmax(axis=1)]), scores)


def _children(tree: Any, side: str) -> NDArray[np.int64]:
    """Return the next node of each node; a leaf, which has none, leads to itself."""
    child = np.asarray(getattr(tree, side), dtype=np.int64)
    return np.where(child < 0, np.arange(child.size), child)


KINDS: Mapping[str, Any] = {
    "svm": SupportVectors,
    "svm_window": SupportVectors,
    "random_forest": Forest,
    "maximum_likelihood": GaussianClasses,
    "spectral_angle": ClassAngles,
    "gradient_boosting": BoostedTrees,
    "k_nearest": Neighbours,
}
# These compare shapes of spectra, so they see them as they were measured.
UNSTRETCHED = ("spectral_angle",)
# Side of the square whose mean spectrum a model sees instead of the pixel's own.
WINDOWS: Mapping[str, int] = {"svm_window": 5}


def train_spectra(
    model_id: str,
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    *,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> SpectraModel:
    """Train one of `KINDS`.

    The SVM has an RBF kernel on standardised spectra; gamma and C come from a grid
    (three-fold on the training pixels) unless they are given, as in DeepHyperX
    (Audebert et al. 2019).

    Parameters
    ----------
    spectra : float array of shape (pixels, bands)
    target : int array of shape (pixels,)
        Class numbers from 0.
    settings : mapping, optional
        ``gamma``, ``C``; ``trees``, ``depth``; those of the other modules; ``balanced``
        (default True): a rare class counts as much as a frequent one.

    Raises
    ------
    WrongUse
        No such model or setting.
    """
    progress = progress or Progress()
    wanted = {"balanced": True, **(settings or {})}
    if not isinstance(wanted["balanced"], (bool, int)):
        raise WrongUse(f"The setting balanced must be true or false, not {wanted['balanced']}.")
    train = _TRAINERS.get(model_id)
    if train is None:
        raise WrongUse(f"{model_id} is no classifier of spectra.")
    return train(spectra, target, wanted, seed, progress)


@dataclass(frozen=True, eq=False)
class SpectraMap:
    """What a classifier of spectra says of a scene.

    Attributes
    ----------
    classes : int16 array of shape (rows, cols)
        Class numbers from 0; -1 where nothing was measured.
    probability, margin : float32 arrays of shape (rows, cols)
        Of that class, and by how much it leads; nan where nothing was measured.
    raw : float32 array of shape (rows, cols)
        The probability at temperature 1.
    """

    classes: NDArray[np.int16]
    probability: NDArray[np.float32]
    margin: NDArray[np.float32]
    raw: NDArray[np.float32]


def predict_spectra(
    model: SpectraModel,
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    progress: Progress | None = None,
    *,
    window: int = 1,
    temperature: float = 1.0,
) -> SpectraMap:
    """Map a scene strip by strip.

    Parameters
    ----------
    window : int
        Side of the square whose mean spectrum the model sees; 1 = the pixel's own.
    temperature : float
        See `calibration`.
    """
    progress = progress or Progress()
    rows, cols, _ = scene.shape
    classes = np.full((rows, cols), -1, np.int16)
    planes = [np.full((rows, cols), np.nan, np.float32) for _ in range(3)]
    progress.start(rows * cols, "pixels", "Mapping the scene")
    for strip in scene.windows(rows=max(1, _PART // cols)):
        progress.check()
        found = read_window(scene, stretch, bands, strip, window)
        at = found.valid.reshape(strip.height, strip.width)
        if found.valid.any():
            answer = model.answer(found.seen[found.valid])
            classes[strip.slices][at] = answer.classes
            own = np.searchsorted(model.classes, answer.classes)
            sure, lead = probability_and_margin(softmax(answer.scores, temperature), own)
            plain, _ = probability_and_margin(softmax(answer.scores), own)
            for plane, value in zip(planes, (sure, lead, plain), strict=True):
                plane[strip.slices][at] = value
        progress.advance(strip.height * strip.width)
    return SpectraMap(classes, *planes)


def _train_forest(
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    wanted: dict[str, Any],
    seed: int,
    progress: Progress,
) -> Forest:
    from sklearn.ensemble import RandomForestClassifier

    trees, depth = int(wanted.pop("trees", 300)), wanted.pop("depth", None)
    balanced = bool(wanted.pop("balanced"))
    no_more(wanted)
    # "balanced" by hand: scikit-learn warns about it where trees are added in turns.
    weights = class_weights(target)
    forest = RandomForestClassifier(
        0,
        max_depth=None if depth is None else int(depth),
        class_weight=weights if balanced else None,
        random_state=seed,
        warm_start=True,
    )
    progress.start(trees, "trees", "Training")
    for grown in range(10, trees + 10, 10):
        forest.n_estimators = min(grown, trees)
        forest.fit(spectra, target)
        progress.advance(10)
    return Forest.from_scikit(forest, {"trees": trees, "depth": depth, "balanced": balanced})


def _train_svm(
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    wanted: dict[str, Any],
    seed: int,
    progress: Progress,
) -> SupportVectors:
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    gammas = [float(wanted.pop("gamma"))] if "gamma" in wanted else list(GAMMA)
    costs = [float(wanted.pop("C"))] if "C" in wanted else list(C)
    weight = "balanced" if wanted.pop("balanced") else None
    no_more(wanted)
    rng = np.random.default_rng(seed)
    spectra, target = thinned(spectra, target, SVM_PIXELS, rng)
    grid = [(gamma, cost) for gamma in gammas for cost in costs]
    progress.start(len(grid) + 1, "settings tried", "Training")
    best = grid[0]
    if len(grid) > 1:
        x, y = thinned(spectra, target, GRID_PIXELS, rng)
        fold = folds(y, rng)
        scores = []
        for gamma, cost in grid:
            scores.append(_cross_validated(x, y, fold, gamma, cost, weight, progress))
            progress.advance()
        best = grid[int(np.argmax(scores))]
    scaler = StandardScaler().fit(spectra.astype(np.float64))
    machine = SVC(kernel="rbf", gamma=best[0], C=best[1], class_weight=weight, cache_size=256)
    machine.fit(scaler.transform(spectra.astype(np.float64)), target)
    progress.advance()
    said = {"gamma": best[0], "C": best[1], "balanced": weight is not None}
    return SupportVectors.from_scikit(scaler, machine, said)


def _cross_validated(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    fold: NDArray[np.int64],
    gamma: float,
    cost: float,
    weight: str | None,
    progress: Progress,
) -> float:
    """Return the share of pixels that the other folds label rightly."""
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    right = 0
    for part in range(3):
        progress.check()
        teach, ask = fold != part, fold == part
        if np.unique(y[teach]).size < 2 or not ask.any():
            continue
        scaler = StandardScaler().fit(x[teach])
        machine = SVC(kernel="rbf", gamma=gamma, C=cost, class_weight=weight, cache_size=256)
        machine.fit(scaler.transform(x[teach]), y[teach])
        right += int((machine.predict(scaler.transform(x[ask])) == y[ask]).sum())
    return right / len(y)


_TRAINERS: Mapping[str, Callable[..., SpectraModel]] = {
    "svm": _train_svm,
    "svm_window": _train_svm,
    "random_forest": _train_forest,
    "maximum_likelihood": train_likelihood,
    "spectral_angle": train_angles,
    "gradient_boosting": train_boosting,
    "k_nearest": train_neighbours,
}
