"""Choosing concepts that rebuild embeddings best and are independent of each other.

Source: PCBM-ReD, arXiv 2601.12303. Wanted are m of the candidate directions so that the
embeddings I lose least when projected on their span. Greedy, in the efficient form: with
S = Σ_i I_i I_iᵀ and r_j = c_j − QQᵀc_j (what is left of candidate j beside those chosen),
the gain of j is uᵀSu, u = r_j/‖r_j‖. One step costs O(candidates · d²), however many images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.jobs import Progress

# ‖r‖² of unit candidates below which one depends on those chosen.
DEPENDENT = 0.01


@dataclass(frozen=True, eq=False)
class Selection:
    """Chosen candidates in order.

    Attributes
    ----------
    chosen : int64 array of shape (m,)
        Numbers of candidates.
    explained : float64 array of shape (m,)
        Energy of the embeddings within the span of the first 1, 2 … m, as a share.
    features : int
        d; with m ≥ d the bottleneck restricts nothing.
    skipped : int
        Candidates that depend on those chosen.
    """

    chosen: NDArray[np.int64]
    explained: NDArray[np.float64]
    features: int
    skipped: int = 0

    @property
    def binding(self) -> bool:
        """Whether embeddings can be told from their projection at all."""
        return len(self.chosen) < self.features and self.explained[-1] < 1 - 1e-6

    @property
    def warning(self) -> str:
        """What to know; empty where the bottleneck binds."""
        if self.binding:
            return ""
        return (
            f"The bottleneck is not binding: {len(self.chosen)} independent concepts in "
            f"{self.features} dimensions rebuild any embedding, also concepts drawn at random."
        )


def select(
    candidates: NDArray[Any],
    embeddings: NDArray[Any],
    count: int,
    *,
    dependent: float = DEPENDENT,
    progress: Progress | None = None,
) -> Selection:
    """Choose greedily.

    Parameters
    ----------
    candidates : float array of shape (c, d)
        Brought to unit length.
    embeddings : float array of shape (n, d)
    count : int
        m; fewer are chosen where no independent candidate is left.

    Raises
    ------
    BadInput, WrongUse
    """
    unit, second = _prepared(candidates, embeddings, count)
    total = float(np.trace(second))
    left = unit.copy()
    basis: list[NDArray[np.float64]] = []
    chosen: list[int] = []
    explained: list[float] = []
    free = np.ones(len(unit), bool)
    for _ in range(count):
        if progress is not None:
            progress.check()
        size = np.einsum("ij,ij->i", left, left)
        free &= size >= dependent
        if not free.any():
            break
        gain = np.einsum("ij,ij->i", left @ second, left) / np.where(free, size, 1)
        best = int(np.argmax(np.where(free, gain, -np.inf)))
        direction = left[best] / np.sqrt(size[best])
        for one in basis:  # once more: what rounding left of those before
            direction = direction - (one @ direction) * one
        direction /= np.linalg.norm(direction)
        basis.append(direction)
        chosen.append(best)
        gone = float(direction @ second @ direction)
        explained.append((explained[-1] if explained else 0.0) + gone / total)
        free[best] = False
        left -= np.outer(left @ direction, direction)
    skipped = int((~free).sum()) - len(chosen)
    return Selection(
        np.array(chosen, np.int64), np.array(explained), unit.shape[1], max(0, skipped)
    )


def select_by_force(
    candidates: NDArray[Any], embeddings: NDArray[Any], count: int, dependent: float = DEPENDENT
) -> Selection:
    """Choose the same by building every projector: slow, the measure of `select`."""
    unit, _ = _prepared(candidates, embeddings, count)
    values = np.asarray(embeddings, np.float64)
    chosen: list[int] = []
    explained: list[float] = []
    total = float(np.square(values).sum())
    for _ in range(count):
        errors = np.full(len(unit), np.inf)
        for number in range(len(unit)):
            if number in chosen or _apart(unit, chosen, number) < dependent:
                continue
            span = unit[[*chosen, number]]
            errors[number] = float(np.square(values - values @ np.linalg.pinv(span) @ span).sum())
        if not np.isfinite(errors).any():
            break
        chosen.append(int(np.argmin(errors)))
        explained.append(1 - float(errors.min()) / total)
    return Selection(np.array(chosen, np.int64), np.array(explained), unit.shape[1])


def random_directions(count: int, d: int, seed: int = 0) -> NDArray[np.float64]:
    """Return unit directions drawn at random: the control of equal size."""
    drawn = np.random.default_rng(seed).normal(size=(count, d))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def _apart(unit: NDArray[Any], chosen: Sequence[int], number: int) -> float:
    if not chosen:
        return float(unit[number] @ unit[number])
    span = unit[list(chosen)]
    rest = unit[number] - unit[number] @ np.linalg.pinv(span) @ span
    return float(rest @ rest)


def _prepared(
    candidates: NDArray[Any], embeddings: NDArray[Any], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if count < 1:
        raise WrongUse("A bottleneck has at least one concept.")
    unit = np.asarray(candidates, np.float64)
    values = np.asarray(embeddings, np.float64)
    if unit.ndim != 2 or values.ndim != 2 or unit.shape[1] != values.shape[1]:
        raise BadInput(
            "Candidates and embeddings have different numbers of features, "
            f"{unit.shape[-1]} and {values.shape[-1]}."
        )
    if not len(unit) or not np.isfinite(unit).all() or not np.isfinite(values).all():
        raise BadInput("There are no candidates, or some values are no numbers.")
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    second = values.T @ values
    if np.trace(second) <= 0:
        raise BadInput("All embeddings are nought.")
    return unit, second
