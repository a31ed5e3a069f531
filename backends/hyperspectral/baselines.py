"""Classifiers of single spectra through scikit-learn: the measure for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.hyperspectral.features import read_window
from backends.hyperspectral.normalise import BandStretch
from backends.jobs import Progress
from backends.scene import Scene

GAMMA = (0.1, 0.01, 0.001)
C = (1.0, 10.0, 100.0, 1000.0)
# Beyond this many training pixels the kernel matrix of the grid search grows too large.
SVM_GRID_PIXELS = 3000
_PART = 8192


@dataclass(frozen=True, eq=False)
class SpectraModel:
    """A trained classifier of spectra.

    Attributes
    ----------
    pipeline : scikit-learn pipeline
    settings : dict
        What was chosen.
    """

    pipeline: Any
    settings: dict[str, Any]


def train_spectra(
    model_id: str,
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    *,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> SpectraModel:
    """Train ``svm`` or ``random_forest``.

    The SVM has an RBF kernel on standardised spectra, classes balanced; gamma and C come
    from a grid (three-fold on the training pixels) unless they are given, as in
    DeepHyperX (Audebert et al. 2019).

    Parameters
    ----------
    spectra : float array of shape (pixels, bands)
    target : int array of shape (pixels,)
    settings : dict, optional
        ``gamma``, ``C``; ``trees``, ``depth``.

    Raises
    ------
    WrongUse
        No such model or setting.
    """
    progress = progress or Progress()
    wanted = dict(settings or {})
    if model_id == "svm":
        return _train_svm(spectra, target, wanted, seed, progress)
    if model_id == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        trees, depth = int(wanted.pop("trees", 300)), wanted.pop("depth", None)
        _no_more(wanted)
        found, counts = np.unique(target, return_counts=True)
        weights = dict(
            zip(found.tolist(), (len(target) / (len(found) * counts)).tolist(), strict=True)
        )
        forest = RandomForestClassifier(
            0, max_depth=depth, class_weight=weights, random_state=seed, warm_start=True
        )
        progress.start(trees, "trees", "Training")
        for grown in range(10, trees + 10, 10):
            forest.n_estimators = min(grown, trees)
            forest.fit(spectra, target)
            progress.advance(10)
        return SpectraModel(forest, {"trees": trees, "depth": depth})
    raise WrongUse(f"{model_id} is no classifier of spectra.")


def predict_spectra(
    model: SpectraModel,
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    progress: Progress | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the class of every pixel and where nothing was measured, each (rows, cols)."""
    progress = progress or Progress()
    rows, cols, _ = scene.shape
    out = np.empty((rows, cols), np.int64)
    empty = np.zeros((rows, cols), bool)
    progress.start(rows * cols, "pixels", "Mapping the scene")
    for window in scene.windows(rows=max(1, _PART // cols)):
        progress.check()
        found = read_window(scene, stretch, bands, window, 1)
        shape = (window.height, window.width)
        out[window.slices] = model.pipeline.predict(found.spectra).reshape(shape)
        empty[window.slices] = ~found.valid.reshape(shape)
        progress.advance(window.height * window.width)
    return out, empty


def _train_svm(
    spectra: NDArray[np.float32],
    target: NDArray[np.int64],
    wanted: dict[str, Any],
    seed: int,
    progress: Progress,
) -> SpectraModel:
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    gammas = [float(wanted.pop("gamma"))] if "gamma" in wanted else list(GAMMA)
    costs = [float(wanted.pop("C"))] if "C" in wanted else list(C)
    _no_more(wanted)

    def make(gamma: float, cost: float) -> Any:
        machine = SVC(kernel="rbf", gamma=gamma, C=cost, class_weight="balanced", cache_size=256)
        return make_pipeline(StandardScaler(), machine)

    grid = [(gamma, cost) for gamma in gammas for cost in costs]
    progress.start(len(grid) + 1, "settings tried", "Training")
    best = grid[0]
    folds = min(3, int(np.bincount(target)[np.unique(target)].min()))
    if len(grid) > 1 and folds >= 2:
        x, y = spectra, target
        if len(y) > SVM_GRID_PIXELS:
            from sklearn.model_selection import train_test_split

            x, _, y, _ = train_test_split(
                x, y, train_size=SVM_GRID_PIXELS, stratify=y, random_state=seed
            )
        cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
        scores = []
        for gamma, cost in grid:
            scores.append(float(cross_val_score(make(gamma, cost), x, y, cv=cut).mean()))
            progress.advance()
        best = grid[int(np.argmax(scores))]
    pipeline = make(*best).fit(spectra, target)
    progress.advance()
    return SpectraModel(pipeline, {"gamma": best[0], "C": best[1]})


def _no_more(left: dict[str, Any]) -> None:
    if left:
        raise WrongUse(f"There is no setting called {next(iter(left))}.")
