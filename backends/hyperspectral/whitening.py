"""Spectra in units of how much they vary within a field: the front of the networks.

Two pixels of one field differ by light, moisture and noise; those directions say nothing of
the class. Their covariance, partly from the labelled pixels of each class and partly from
neighbouring pixels of the whole scene (as the noise of a minimum noise fraction transform,
Green et al., IEEE TGRS 26(1), 1988), is divided out, so that distances between spectra become
comparable (Mahalanobis) and a few labels suffice. Nothing here looks at a test label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.features import read_window
from backends.hyperspectral.normalise import BandStretch
from backends.jobs import Progress
from backends.scene import Scene, Window

COMPONENTS = 50
# Share of the covariance within classes; the rest comes from neighbours.
WITHIN = 0.9
RIDGE = 1e-3
# Pairs across an edge differ most; they are left out.
EDGES = 0.2
SAMPLE_ROWS = 256
# Further rounds gain on one scene and lose on another; one is safe on both.
ROUNDS = 1
SURE = 0.9
WORTH = 0.03


@dataclass(frozen=True, eq=False)
class Whitening:
    """A linear map of stretched spectra and the class means behind it.

    Attributes
    ----------
    weight : float32 array of shape (bands, components)
    bias : float32 array of shape (components,)
        ``x @ weight + bias`` has mean 0 and, over all components, variance 1.
    means : float32 array of shape (classes, components)
        Class means of the training pixels; zero for a class without any.
    present : bool array of shape (classes,)
    heat : float
        By how much the squared distances to two classes differ, typically.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    means: NDArray[np.float32]
    present: NDArray[np.bool_]
    heat: float

    def apply(self, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return whitened spectra, shape (..., components)."""
        return np.asarray(spectra @ self.weight + self.bias, dtype=np.float32)


def local_covariance(
    scene: Scene, stretch: BandStretch, progress: Progress | None = None
) -> NDArray[np.float64]:
    """Return the covariance of half the difference of neighbouring pixels, shape (bands, bands).

    From at most `SAMPLE_ROWS` pairs of rows spread over the scene, read one after the other.
    """
    rows, cols, _ = scene.shape
    count = len(stretch.bands)
    total, pairs = np.zeros((count, count)), 0
    starts = np.unique(np.linspace(0, max(0, rows - 2), min(rows, SAMPLE_ROWS)).astype(int))
    for row in starts:
        if progress is not None:
            progress.check()
        window = Window(int(row), 0, min(2, rows), cols)
        found = read_window(scene, stretch, stretch.bands, window, 1)
        values = found.spectra.reshape(window.height, cols, count)
        valid = found.valid.reshape(window.height, cols)
        difference = [(values[:, 1:] - values[:, :-1])[valid[:, 1:] & valid[:, :-1]]]
        if window.height == 2:
            difference.append((values[1] - values[0])[valid[1] & valid[0]])
        both = np.concatenate(difference).astype(np.float64)
        if len(both) < 2:
            continue
        size = (both**2).mean(axis=1)
        both = both[size <= np.quantile(size, 1 - EDGES)]
        total += both.T @ both / 2
        pairs += len(both)
    return total / max(1, pairs)


def fit_whitening(
    taught: NDArray[np.float32],
    target: NDArray[np.int64],
    anywhere: NDArray[np.float32],
    local: NDArray[np.float64],
    classes: int,
    *,
    components: int = COMPONENTS,
    within: float = WITHIN,
    rounds: int = ROUNDS,
) -> Whitening:
    """Fit the map to training pixels and unlabelled ones.

    Parameters
    ----------
    taught : float array of shape (pixels, bands)
        Training pixels, stretched; mean spectra of the square around each where the network
        reads those.
    target : int64 array of shape (pixels,)
        Their classes, from 0.
    anywhere : float array of shape (sample, bands)
        Pixels of the scene, for the order and scale of the components.
    local : float array of shape (bands, bands)
        See `local_covariance`.
    classes : int
    components : int
        At most this many, largest variance first.
    within : float
        0 to 1, share of the covariance within classes.
    rounds : int
        How often the class means move half way to the pixels that surely belong to them.
    """
    bands = taught.shape[1]
    present = np.bincount(target, minlength=classes) > 0
    means = np.zeros((classes, bands))
    for k in np.flatnonzero(present):
        means[k] = taught[target == k].mean(axis=0)
    spread = (taught - means[target]).astype(np.float64)
    own = spread.T @ spread
    # One pixel a class leaves no spread: neighbours alone then.
    parts = [(within, own), (1 - within, local)]
    usable = [(share, c / np.trace(c)) for share, c in parts if np.trace(c) > 1e-12]
    mixed = RIDGE * np.eye(bands) / bands
    for share, covariance in usable:
        mixed += (share if len(usable) == 2 else 1.0) * covariance
    value, vector = np.linalg.eigh(mixed)
    white = vector / np.sqrt(np.maximum(value, 1e-12))
    seen = anywhere.astype(np.float64) @ white
    centre = seen.mean(axis=0)
    _, turn = np.linalg.eigh((seen - centre).T @ (seen - centre))
    turn = turn[:, ::-1][:, : min(components, bands)]
    weight, bias = white @ turn, -(centre @ turn)
    scale = ((anywhere @ weight + bias).std(axis=0)).mean()
    weight, bias = weight / max(scale, 1e-9), bias / max(scale, 1e-9)
    middle = np.where(present[:, None], means @ weight + bias, 0.0)
    heat = _heat(taught @ weight + bias, middle[present])
    if rounds:
        whitened = anywhere @ weight + bias
        middle[present] = _settled(middle[present], whitened, heat, rounds)
    return Whitening(
        weight.astype(np.float32),
        bias.astype(np.float32),
        middle.astype(np.float32),
        present,
        heat,
    )


def choose_context(
    squares: Mapping[int, NDArray[np.float32]],
    target: NDArray[np.int64],
    places: NDArray[np.float32],
    local: NDArray[np.float64],
    *,
    folds: int = 5,
) -> int:
    """Return the side of the square whose mean spectrum tells the training pixels apart best.

    Large fields gain from a mean over many pixels; small ones drown in it. Cross-validated by
    the nearest class mean on strips of the scene, from top to bottom and from left to right: at
    random, squares of neighbours would overlap and the largest would always win. A larger
    square has to earn its place by `WORTH`.

    Parameters
    ----------
    squares : mapping of int to float array of shape (pixels, bands)
        Mean spectra of the training pixels, by side.
    target : int64 array of shape (pixels,)
    places : float array of shape (pixels, 2)
        Row and column.
    local : float array of shape (bands, bands)
    """
    classes = int(target.max()) + 1
    best, reached = min(squares), -1.0
    for side in sorted(squares):
        values, right, asked = squares[side], 0, 0
        for axis in (0, 1):
            strip = np.empty(len(target), np.int64)
            order = np.argsort(places[:, axis], kind="stable")
            strip[order] = np.arange(len(target)) * folds // len(target)
            for fold in range(folds):
                held = strip == fold
                if not held.any() or np.unique(target[~held]).size < 2:
                    continue
                fit = fit_whitening(values[~held], target[~held], values, local, classes, rounds=0)
                held &= fit.present[target]
                distance = ((fit.apply(values[held])[:, None] - fit.means) ** 2).sum(axis=2)
                distance[:, ~fit.present] = np.inf
                right += int((distance.argmin(axis=1) == target[held]).sum())
                asked += int(held.sum())
        share = right / max(1, asked)
        if share > reached + (WORTH if reached >= 0 else 0):
            best, reached = side, share
    return best


def _settled(
    means: NDArray[np.float64], pixels: NDArray[np.float64], heat: float, rounds: int
) -> NDArray[np.float64]:
    """Return class means that are half labels, half unlabelled pixels they surely explain.

    Labels come from one corner of a scene; its other fields are seldom exactly like it.
    """
    now = means
    for _ in range(rounds):
        raw = -((pixels[:, None] - now[None]) ** 2).sum(axis=2) / heat
        raw -= raw.max(axis=1, keepdims=True)
        share = np.exp(raw)
        share /= share.sum(axis=1, keepdims=True)
        best, sure = share.argmax(axis=1), share.max(axis=1) > SURE
        now = means.copy()
        for k in range(len(means)):
            mine = sure & (best == k)
            if mine.any():
                now[k] = (means[k] + pixels[mine].mean(axis=0)) / 2
    return now


def _heat(values: NDArray[np.float64], means: NDArray[np.float64]) -> float:
    """Return a quarter of the median gap between the nearest and the second nearest mean."""
    distance = ((values[:, None] - means[None]) ** 2).sum(axis=2)
    ordered = np.sort(distance, axis=1)
    return max(float(np.median(ordered[:, 1] - ordered[:, 0])) / 4, 1e-6)
