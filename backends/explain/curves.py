"""Deletion and insertion curves, and where they lie among those of random smooth maps.

RISE (Petsiuk 2018): the hottest pixels are taken away, or shown, first; a map that names what
the network used makes its score fall, or rise, early. Alone the areas say little, for any
image falls when parts of it go. So they are set beside those of random maps as smooth as the
map itself: F is the part of them that does worse (the control the study of 2601.12826 lacks).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.explain.perturbation import (
    BLUR,
    MEAN,
    Ledger,
    Masking,
    Score,
    Substrate,
    masked,
    ranks,
    scores,
    stacked,
)
from backends.explain.similarity import at_size
from backends.jobs import Progress

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Curve:
    """Score against the part of the image that was changed.

    Attributes
    ----------
    fraction : float64 array of shape (n,)
        Of the pixels, 0 to 1.
    score : float64 array of shape (n,)
    """

    fraction: NDArray[np.float64]
    score: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """Area below it: (sum − first/2 − last/2) / (n − 1), as in RISE."""
        return area(self.score)


@dataclass(frozen=True, eq=False)
class Band:
    """What random smooth maps do, for one kind of curve.

    Attributes
    ----------
    fraction : float64 array of shape (m,)
    scores : float64 array of shape (maps, m)
    """

    fraction: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean score at each fraction, shape (m,)."""
        return np.asarray(self.scores.mean(axis=0))

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation at each fraction, shape (m,)."""
        return np.asarray(self.scores.std(axis=0))

    @property
    def aucs(self) -> NDArray[np.float64]:
        """Area below each curve, shape (maps,)."""
        return np.asarray([area(line) for line in self.scores])


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Deletion and insertion of a map, and of random maps beside it.

    Attributes
    ----------
    deletion, insertion : Curve
    random_deletion, random_insertion : Band
        At fewer steps; every one of them is a step of the curves, too.
    substrates : tuple of Substrate
        Of deletion and of insertion.
    """

    deletion: Curve
    insertion: Curve
    random_deletion: Band
    random_insertion: Band
    substrates: tuple[Substrate, Substrate]

    @property
    def deletion_auc(self) -> float:
        """Lower is better."""
        return self.deletion.auc

    @property
    def insertion_auc(self) -> float:
        """Higher is better."""
        return self.insertion.auc

    @property
    def gap(self) -> float:
        """Insertion minus deletion area at the steps of the random maps."""
        stride = (len(self.deletion.score) - 1) // (len(self.random_deletion.fraction) - 1)
        return area(self.insertion.score[::stride]) - area(self.deletion.score[::stride])

    @property
    def random_gaps(self) -> NDArray[np.float64]:
        """Insertion minus deletion area of each random map."""
        return self.random_insertion.aucs - self.random_deletion.aucs

    @property
    def faithfulness(self) -> float:
        """F: the part of the random maps that does worse, 0 to 1; a tie counts half."""
        gaps, mine = self.random_gaps, self.gap
        # Sums of the same scores in another order differ in the last digit.
        same = np.isclose(gaps, mine, rtol=1e-9, atol=1e-12)
        return float((((gaps < mine) & ~same).sum() + 0.5 * same.sum()) / len(gaps))

    @property
    def deviations(self) -> float:
        """How many standard deviations the gap lies above the random maps' mean."""
        sd = float(self.random_gaps.std())
        return (self.gap - float(self.random_gaps.mean())) / sd if sd > 0 else 0.0


def area(score: NDArray[Any]) -> float:
    """Return the mean height of a curve by the trapezoid rule, as RISE does."""
    return float((score.sum() - score[0] / 2 - score[-1] / 2) / (len(score) - 1))


def counts_at(steps: int, pixels: int) -> NDArray[np.int64]:
    """Return how many pixels are changed at each of ``steps`` + 1 points, 0 to all."""
    return np.asarray(np.round(np.arange(steps + 1) * pixels / steps), np.int64)


def forwards(steps: int, maps: int, random_steps: int, *, same_substrate: bool) -> int:
    """Return how many images the network must look at for `faithfulness`.

    The whole image and the substrates are asked once for all curves.
    """
    ends = 2 if same_substrate else 3
    return ends + 2 * (steps - 1) + maps * 2 * (random_steps - 1)


def smooth_surrogates(values: NDArray[Any], maps: int, seed: int = 0) -> Iterator[NDArray[Any]]:
    """Yield random maps with exactly the (circular) autocorrelation of a map.

    The amplitudes of its Fourier transform are kept, the phases are those of white noise.

    Parameters
    ----------
    values : float array of shape (rows, cols)
    """
    rng = np.random.default_rng(seed)
    amplitude = np.abs(np.fft.rfft2(values - np.mean(values)))
    for _ in range(maps):
        noise = np.fft.rfft2(rng.normal(size=values.shape))
        turned = amplitude * np.exp(1j * np.angle(noise))
        yield np.fft.irfft2(turned, s=values.shape)


def deletion_curve(
    image: Tensor, values: NDArray[Any], score: Score, substrate: Substrate = MEAN, **how: Any
) -> Curve:
    """Take the hottest pixels away first; see `one_curve`."""
    return one_curve(image, values, score, below=image, above=substrate.fill(image), **how)


def insertion_curve(
    image: Tensor, values: NDArray[Any], score: Score, substrate: Substrate = BLUR, **how: Any
) -> Curve:
    """Show the hottest pixels first; see `one_curve`."""
    return one_curve(image, values, score, below=substrate.fill(image), above=image, **how)


def one_curve(
    image: Tensor,
    values: NDArray[Any],
    score: Score,
    *,
    below: Tensor,
    above: Tensor,
    steps: int = 32,
    batch: int = 8,
    progress: Progress | None = None,
    ledger: Ledger | None = None,
) -> Curve:
    """Change pixels from ``below`` to ``above`` in the order of a map, and ask after each step.

    Parameters
    ----------
    image : float tensor of shape (bands, rows, cols)
        As the network takes it.
    values : float array of shape (rows, cols)
        The map; of another size it is resampled.
    score : callable
        See `perturbation.scores`.
    steps : int
        The curve has one point more.
    batch : int
        Images a call; memory is bounded by it, the result does not depend on it.
    """
    rank = ranks(map_for(values, image), image.device)
    counts = counts_at(_positive(steps, "steps"), rank.numel())
    wanted = (Masking(rank, int(count), below, above) for count in counts)
    pictures = masked(wanted, _positive(batch, "batch"))
    found = scores(pictures, score, progress=progress, ledger=ledger)
    return Curve(counts / rank.numel(), found)


def faithfulness(
    image: Tensor,
    values: NDArray[Any],
    score: Score,
    *,
    deletion: Substrate = MEAN,
    insertion: Substrate = BLUR,
    steps: int = 32,
    maps: int = 20,
    random_steps: int = 8,
    batch: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
    ledger: Ledger | None = None,
) -> Faithfulness:
    """Measure deletion and insertion of a map and of random maps as smooth as it.

    Parameters
    ----------
    image, values, score, steps, batch
        See `one_curve`. The score should be a probability; it is the same for all maps.
    deletion, insertion : Substrate
        What stands where something was deleted, or was not yet inserted.
    maps, random_steps : int
        Random maps, and steps of their curves; ``steps`` must be a multiple of those.
    seed : int
        Of the random maps.

    Raises
    ------
    WrongUse
        The steps do not fit each other.
    BadInput
        The map has no contrast: it gives no order.
    Cancelled
        Between two batches.
    """
    _positive(maps, "random maps")
    if steps < 2 or random_steps < 2 or steps % random_steps:
        raise WrongUse(
            f"{steps} steps cannot be compared with {random_steps}.",
            way_out="Let the steps be a multiple of the random maps' steps, both at least 2.",
        )
    full = map_for(values, image)
    if not np.ptp(full):
        raise BadInput("The heatmap is the same everywhere; it gives no order of the pixels.")
    away, before = deletion.fill(image), insertion.fill(image)
    same = deletion == insertion
    ends = scores(
        stacked([image, away] if same else [image, away, before], batch),
        score,
        progress=progress,
        ledger=ledger,
    )
    whole, empty, start = float(ends[0]), float(ends[1]), float(ends[-1])
    pixels = full.size
    fine, coarse = (counts_at(n, pixels) for n in (steps, random_steps))

    def wanted() -> Iterator[Masking]:
        yield from _both(ranks(full, image.device), fine, image, away, before)
        for other in smooth_surrogates(full, maps, seed):
            yield from _both(ranks(other, image.device), coarse, image, away, before)

    pictures = masked(wanted(), _positive(batch, "batch"))
    found = scores(pictures, score, progress=progress, ledger=ledger)
    mine, others = found[: 2 * (steps - 1)], found[2 * (steps - 1) :]
    own = _with_ends(mine.reshape(1, 2, -1), whole, empty, start)[0]
    random = _with_ends(others.reshape(maps, 2, -1), whole, empty, start)
    return Faithfulness(
        Curve(fine / pixels, own[0]),
        Curve(fine / pixels, own[1]),
        Band(coarse / pixels, random[:, 0]),
        Band(coarse / pixels, random[:, 1]),
        (deletion, insertion),
    )


def perturbed_at(
    image: Tensor, values: NDArray[Any], fraction: float, substrate: Substrate, *, insert: bool
) -> Tensor:
    """Return the image at a point of a curve, for the cursor; shape (bands, rows, cols)."""
    rank = ranks(map_for(values, image), image.device)
    count = round(float(np.clip(fraction, 0, 1)) * rank.numel())
    filled = substrate.fill(image)
    below, above = (filled, image) if insert else (image, filled)
    return next(masked([Masking(rank, count, below, above)], 1))[0]


def map_for(values: NDArray[Any], image: Tensor) -> NDArray[np.float64]:
    """Return a map at the size of an image.

    Raises
    ------
    BadInput
        It is no map.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise BadInput(f"A heatmap has rows and columns, not the shape {values.shape}.")
    return at_size(values, (int(image.shape[1]), int(image.shape[2])))


def _both(
    rank: Tensor, counts: NDArray[np.int64], image: Tensor, away: Tensor, before: Tensor
) -> Iterator[Masking]:
    for below, above in ((image, away), (before, image)):
        for count in counts[1:-1]:
            yield Masking(rank, int(count), below, above)


def _with_ends(
    inner: NDArray[np.float64], whole: float, empty: float, start: float
) -> NDArray[np.float64]:
    """Put the ends to curves of shape (maps, 2, points)."""
    out = np.empty((*inner.shape[:2], inner.shape[2] + 2))
    out[..., 1:-1] = inner
    out[:, 0, 0], out[:, 0, -1] = whole, empty
    out[:, 1, 0], out[:, 1, -1] = start, whole
    return out


def _positive(value: int, what: str) -> int:
    if value < 1:
        raise WrongUse(f"The number of {what} must be at least 1, not {value}.")
    return value
