"""ROAD (Rong 2022, arXiv 2202.00449): pixels are taken away by filling them in plausibly.

Each removed pixel becomes the weighted mean of its eight neighbours (1/6 direct, 1/12
diagonal; at the border those there are), solved for all at once, plus a little noise: less
of the shape of what was removed leaks into the image than with a flat substrate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.explain.curves import map_for
from backends.explain.perturbation import Ledger, Score, scores, stacked
from backends.explain.similarity import top
from backends.jobs import Progress

if TYPE_CHECKING:
    from torch import Tensor

PERCENTILES = (10, 20, 30, 40, 50, 60, 70, 80, 90)
NOISE = 0.01
_NEIGHBOURS = (
    ((0, 1), 1 / 6),
    ((1, 0), 1 / 6),
    ((1, 1), 1 / 12),
    ((1, -1), 1 / 12),
)


@dataclass(frozen=True)
class Road:
    """Scores after removing the hottest, and the coldest, part of an image.

    Attributes
    ----------
    percentiles : tuple of int
        p: what lies above the p-th percentile is removed, 100 − p percent of the pixels.
    most_first, least_first : tuple of float
        Score after removing the hottest, and as many of the coldest pixels.
    """

    percentiles: tuple[int, ...]
    most_first: tuple[float, ...]
    least_first: tuple[float, ...]

    @property
    def combined(self) -> float:
        """(least − most) / 2, mean over the percentiles; about −0.5 to 0.5, high is good."""
        return float(np.mean(np.subtract(self.least_first, self.most_first)) / 2)


def road(
    image: Tensor,
    values: NDArray[Any],
    score: Score,
    *,
    percentiles: tuple[int, ...] = PERCENTILES,
    noise: float = NOISE,
    batch: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
    ledger: Ledger | None = None,
) -> Road:
    """Measure ROAD of a map; one sparse system a percentile and order, all bands at once.

    Parameters
    ----------
    image : float tensor of shape (bands, rows, cols)
    values : float array of shape (rows, cols)
        Of another size it is resampled.
    score : callable
        See `perturbation.scores`.
    percentiles : tuple of int
        0 < p < 100.
    noise : float
        Standard deviation added to what is filled in, in the network's input units.

    Raises
    ------
    WrongUse
        A percentile is out of range.
    Cancelled
        Between two batches, or two systems.
    """
    if not percentiles or not all(0 < p < 100 for p in percentiles):
        raise WrongUse("ROAD's percentiles lie between 0 and 100.")
    progress = progress or Progress()
    full = map_for(values, image)
    rng = np.random.default_rng(seed)

    def wanted() -> Iterator[Tensor]:
        for heat in (full, -full):
            for percentile in percentiles:
                progress.check()
                gone = top(heat, max(1, round(full.size * (100 - percentile) / 100)))
                yield imputed(image, gone, noise=noise, rng=rng)

    found = scores(stacked(wanted(), batch), score, progress=progress, ledger=ledger)
    half = len(percentiles)
    return Road(percentiles, tuple(found[:half].tolist()), tuple(found[half:].tolist()))


def imputed(
    image: Tensor,
    gone: NDArray[np.bool_],
    *,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Fill removed pixels by the weighted mean of their neighbours, all at once.

    Parameters
    ----------
    image : float tensor of shape (bands, rows, cols)
    gone : bool array of shape (rows, cols)
        Not all of them.

    Raises
    ------
    BadInput
        Nothing is left to fill in from.
    """
    import torch
    from scipy.sparse.linalg import splu

    if gone.all():
        raise BadInput("All of the image is removed; there is nothing to fill it in from.")
    bands = image.shape[0]
    flat = image.detach().to("cpu", torch.float64).numpy().reshape(bands, -1).copy()
    out = gone.ravel()
    if out.any():
        rows = _balance(*gone.shape)[out]
        known = rows[:, ~out] @ flat[:, ~out].T
        # Symmetric and diagonally dominant: no pivoting, half the time.
        system = splu(
            rows[:, out].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        filled = system.solve(np.ascontiguousarray(-known))
        if noise:
            filled = filled + (rng or np.random.default_rng(0)).normal(0, noise, filled.shape)
        flat[:, out] = filled.T
    return torch.from_numpy(flat.reshape(image.shape)).to(image.device, image.dtype)


@lru_cache(maxsize=2)
def _balance(rows: int, cols: int) -> Any:
    """Return the sparse matrix whose rows say: a pixel's sum of weights, minus its neighbours."""
    from scipy import sparse

    index = np.arange(rows * cols).reshape(rows, cols)
    links = sparse.csr_matrix((rows * cols, rows * cols))
    for (down, right), weight in _NEIGHBOURS:
        here = index[: rows - down, max(0, -right) : cols - max(0, right)].ravel()
        there = index[down:, max(0, right) : cols + min(0, right)].ravel()
        weights = np.full(here.size, weight)
        one = sparse.csr_matrix((weights, (here, there)), shape=links.shape)
        links = links + one + one.T
    return (sparse.diags(np.asarray(links.sum(axis=1)).ravel()) - links).tocsr()
