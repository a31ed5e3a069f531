"""Do networks agree on why? As 2601.12826 defines it, and what is left when chance is taken off.

The study compares the halves above 0.5 of each map with those of one reference network. A
method that always paints the middle of the picture agrees perfectly with itself. Ours compares
all pairs, by rank and at equal area, and takes off how much the maps of *different* images
agree: what remains is about the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.explain.curves import map_for, smooth_surrogates
from backends.explain.perturbation import ZERO, Ledger, Score, Substrate, scores, stacked
from backends.explain.similarity import (
    hottest,
    overlap,
    rank_correlation,
    soft_overlap,
    stretched,
)
from backends.jobs import Progress

if TYPE_CHECKING:
    from torch import Tensor

HOT_SHARE = 0.2
_CONTROL_PAIRS = 200


@dataclass(frozen=True)
class Consistency:
    """How far the maps of several networks agree on the same images.

    Attributes
    ----------
    paper : float
        Mean IoU of the regions above 0.5 with those of the first network (2601.12826).
    rank, iou : float
        Mean over all pairs of networks: rank correlation, IoU of the hottest fifth.
    control_rank, control_iou : float or None
        The same between maps of different images; None with one image.
    networks, images : int
    """

    paper: float
    rank: float
    iou: float
    control_rank: float | None
    control_iou: float | None
    networks: int
    images: int

    @property
    def corrected(self) -> float | None:
        """Rank correlation above that of different images: what is about the image."""
        return None if self.control_rank is None else self.rank - self.control_rank


@dataclass(frozen=True)
class MaskingDrop:
    """The study's faithfulness, and where it lies among random maps with the same values.

    Attributes
    ----------
    paper : float
        f(x) − f(x · (1 − L)), L cut at zero and stretched to 0 … 1.
    random : tuple of float
        The same for random maps as smooth as L with exactly its values.
    """

    paper: float
    random: tuple[float, ...]

    @property
    def position(self) -> float:
        """Part of the random maps with a smaller drop, 0 to 1; a tie counts half."""
        drops = np.asarray(self.random)
        same = np.isclose(drops, self.paper, rtol=1e-9, atol=1e-12)
        return float((((drops < self.paper) & ~same).sum() + 0.5 * same.sum()) / len(drops))


def consistency(maps: NDArray[Any], *, seed: int = 0) -> Consistency:
    """Compare the maps that several networks give for the same images.

    Parameters
    ----------
    maps : float array of shape (networks, images, rows, cols)
        Raw maps; the first network is the study's reference.
    seed : int
        Of the pairs of different images, at most 200 of them.

    Raises
    ------
    BadInput
        Fewer than two networks, or no image.
    """
    if maps.ndim != 4 or len(maps) < 2 or maps.shape[1] == 0:
        raise BadInput(
            "Consistency needs the maps of at least two networks.",
            way_out="Add a second model, or the same one trained with another seed.",
        )
    networks, images = maps.shape[:2]
    halves = [[paper_region(m) for m in of] for of in maps]
    reference = [
        overlap(halves[n][i], halves[0][i]) for n in range(1, networks) for i in range(images)
    ]
    ranks: list[float] = []
    ious: list[float] = []
    for a, b in combinations(range(networks), 2):
        for i in range(images):
            ranks.append(rank_correlation(maps[a, i], maps[b, i]))
            ious.append(overlap(hottest(maps[a, i], HOT_SHARE), hottest(maps[b, i], HOT_SHARE)))
    control_rank = control_iou = None
    if images > 1:
        pairs = list(_different(networks, images, seed))
        control_rank = float(np.mean([rank_correlation(maps[p], maps[q]) for p, q in pairs]))
        control_iou = float(
            np.mean(
                [
                    overlap(hottest(maps[p], HOT_SHARE), hottest(maps[q], HOT_SHARE))
                    for p, q in pairs
                ]
            )
        )
    return Consistency(
        float(np.mean(reference)),
        float(np.mean(ranks)),
        float(np.mean(ious)),
        control_rank,
        control_iou,
        networks,
        images,
    )


def paper_region(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a map, cut at zero and stretched to 0 … 1, is at least 0.5 (2601.12826)."""
    return np.asarray(stretched(np.maximum(values, 0)) >= 0.5)


def class_consistency(maps: Sequence[NDArray[Any]], confidences: Sequence[float]) -> float | None:
    """Return how far the maps of one class's rightly classified images lie alike.

    Soft IoU of all pairs, weighted by the product of the network's confidences (our reading
    of the C-Score, 2604.08502). None below two maps.

    Parameters
    ----------
    maps : sequence of float arrays of one shape
    confidences : sequence of float
        0 to 1.
    """
    shown = [stretched(np.maximum(m, 0)) for m in maps]
    weights, found = [], []
    for a, b in combinations(range(len(shown)), 2):
        weights.append(confidences[a] * confidences[b])
        found.append(soft_overlap(shown[a], shown[b]))
    return float(np.average(found, weights=weights)) if sum(weights) > 0 else None


def masking_drop(
    image: Tensor,
    values: NDArray[Any],
    score: Score,
    *,
    substrate: Substrate = ZERO,
    maps: int = 20,
    batch: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
    ledger: Ledger | None = None,
) -> MaskingDrop:
    """Measure the study's perturbation faithfulness, with random maps as control.

    x · (1 − L) + substrate · L; with `ZERO` as the study has it.

    Parameters
    ----------
    image : float tensor of shape (bands, rows, cols)
    values : float array of shape (rows, cols)
    score : callable
        See `perturbation.scores`.

    Raises
    ------
    Cancelled
        Between two batches.
    """
    import torch

    heat = stretched(np.maximum(map_for(values, image), 0))
    filled = substrate.fill(image)

    def wanted() -> Iterator[Tensor]:
        yield image
        for one in (heat, *_reordered(heat, maps, seed)):
            soft = torch.from_numpy(one).to(image.device, image.dtype)
            yield image * (1 - soft) + filled * soft

    found = scores(stacked(wanted(), batch), score, progress=progress, ledger=ledger)
    drops = found[0] - found[1:]
    return MaskingDrop(float(drops[0]), tuple(drops[1:].tolist()))


def _reordered(heat: NDArray[Any], maps: int, seed: int) -> Iterator[NDArray[Any]]:
    """Yield random maps with the values of a map, so that as much is masked."""
    ordered = np.sort(heat, axis=None)
    for other in smooth_surrogates(heat, maps, seed):
        out = np.empty(heat.size)
        out[np.argsort(other, axis=None, kind="stable")] = ordered
        yield out.reshape(heat.shape)


def _different(networks: int, images: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of (network, image) that differ in both."""
    rng = np.random.default_rng(seed)
    for _ in range(min(_CONTROL_PAIRS, networks * images * (images - 1))):
        a, b = rng.choice(networks, 2, replace=False)
        i, j = rng.choice(images, 2, replace=False)
        yield (int(a), int(i)), (int(b), int(j))
