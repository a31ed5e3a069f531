"""Each embedding as a few concepts: orthogonal matching pursuit, or weights that are not
negative.

Sources: PCBM-ReD, arXiv 2601.12303 (OMP); SpLiCE, arXiv 2402.10376 (non-negative). Both work
on the Gram matrix of the concepts, many embeddings at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.jobs import Progress

METHODS = ("omp", "nonnegative")
_ROWS = 2048
_ROUNDS = 200


def decompose(
    embeddings: NDArray[Any],
    concepts: NDArray[Any],
    active: int,
    *,
    how: str = "nonnegative",
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Return weights w with embeddings ≈ w @ concepts, shape (n, m), ≤ ``active`` not nought.

    Parameters
    ----------
    embeddings : float array of shape (n, d)
    concepts : float array of shape (m, d)
        Unit length.
    active : int
        Concepts an embedding, at most.
    how : str
        ``"omp"`` has weights of either sign; ``"nonnegative"`` reads better.
    """
    if how not in METHODS:
        raise WrongUse(
            f"There is no decomposition called {how}.", way_out="Use omp or nonnegative."
        )
    if not 1 <= active:
        raise WrongUse("At least one concept an image must be allowed.")
    c = np.asarray(concepts, np.float64)
    gram = c @ c.T
    parts = []
    for low in range(0, len(embeddings), _ROWS):
        if progress is not None:
            progress.check()
        products = np.asarray(embeddings[low : low + _ROWS], np.float64) @ c.T
        parts.append(_pursue(products, gram, min(active, len(c)), how == "nonnegative"))
    return np.concatenate(parts) if parts else np.zeros((0, len(c)))


def left_over(
    embeddings: NDArray[Any], concepts: NDArray[Any], weights: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the share of each embedding's energy that the concepts do not explain."""
    rest = np.asarray(embeddings, np.float64) - weights @ np.asarray(concepts, np.float64)
    energy = np.square(np.asarray(embeddings, np.float64)).sum(1)
    return np.asarray(np.square(rest).sum(1) / np.maximum(energy, 1e-12))


def _pursue(
    products: NDArray[np.float64], gram: NDArray[np.float64], active: int, positive: bool
) -> NDArray[np.float64]:
    """Take the concept most alike to what is left, and solve anew for all taken; batched."""
    count = len(products)
    support = np.full((count, active), -1)
    weights = np.zeros_like(products)
    going = np.arange(count)
    for step in range(active):
        rest = products[going] - weights[going] @ gram
        score = rest if positive else np.abs(rest)
        taken = support[going, :step]
        if step:
            np.put_along_axis(score, taken, -np.inf, 1)
        best = score.argmax(1)
        enough = score[np.arange(len(going)), best] > 1e-9 * np.maximum(
            1e-12, np.abs(products[going]).max(1)
        )
        going, best = going[enough], best[enough]
        if not going.size:
            break
        support[going, step] = best
        some = support[going, : step + 1]
        small = gram[some[:, :, None], some[:, None, :]]
        wanted = np.take_along_axis(products[going], some, 1)
        # A trace of the identity: near-doubles must not make it singular.
        small = small + 1e-10 * np.eye(step + 1)
        solved = np.linalg.solve(small, wanted[..., None])[..., 0]
        if positive and (solved < 0).any():
            bad = (solved < 0).any(1)
            solved[bad] = _positive(small[bad], wanted[bad], solved[bad])
        fresh = np.zeros((len(going), products.shape[1]))
        np.put_along_axis(fresh, some, solved, 1)
        weights[going] = fresh
    return weights


def _positive(
    small: NDArray[np.float64], wanted: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve small least-squares problems with weights ≥ 0, by coordinate descent."""
    w = np.maximum(start, 0)
    for _ in range(_ROUNDS):
        before = w.copy()
        for n in range(w.shape[1]):
            rest = wanted[:, n] - np.einsum("ij,ij->i", small[:, n], w) + small[:, n, n] * w[:, n]
            w[:, n] = np.maximum(rest / small[:, n, n], 0)
        if np.abs(w - before).max() < 1e-10:
            break
    return w
