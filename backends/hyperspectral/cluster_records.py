"""What CSSMamba did with each pixel, gathered tile by tile and made into one overlay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.overlays import ClusterBlock, ClusterField, Overlay, Provenance
from backends.scene import Scene, Window

# As much as the matrices of the other network may take.
MEMBERSHIP_BYTES = 512 << 20


class _Facts(NamedTuple):
    """What a block says of itself, the same for all pixels."""

    clusters: int
    fusion: tuple[float, float]
    temperature: float
    kept: float
    share: float


class ClusterRecords:
    """Cluster, certainty, order, scores and step size of each pixel in each block of CSSMamba.

    Where tiles overlap, the one whose middle is nearer counts. Clusters are those of the
    network and mean the same in every tile; sequences belong to one tile each. The membership
    of a pixel in every cluster is kept, too; of a scene where that would take more than
    `MEMBERSHIP_BYTES`, for every 2nd, 3rd … row and column.

    Parameters
    ----------
    shape : (rows, cols)
    clusters : sequence of int
        Of each block.
    """

    def __init__(self, shape: tuple[int, int], clusters: Sequence[int]) -> None:
        whole = (len(clusters), *shape)
        self._cluster = np.zeros(whole, np.uint16)
        self._certain = np.full(whole, np.nan, np.float16)
        self._rank = np.zeros(whole, np.uint16)
        self._sequence = np.zeros(whole, np.uint32)
        self._score = np.full(whole, np.nan, np.float16)
        self._attention = np.full(whole, np.nan, np.float16)
        self._typical = np.full(whole, np.nan, np.float16)
        self._step = np.full(whole, np.nan, np.float16)
        self._share = np.zeros(shape, np.float32)
        self.membership_step = membership_step(shape, sum(clusters))
        rows, cols = (-(-side // self.membership_step) for side in shape)
        self._membership = [np.zeros((rows, cols, count), np.float16) for count in clusters]
        self._sequences = [0] * len(clusters)  # numbers given out so far
        self._moved = np.zeros(len(clusters))
        self._facts: list[_Facts] = []
        self._tiles = 0

    def add(self, window: Window, records: list[Any], share: NDArray[np.float32]) -> None:
        """Take a tile; where tiles overlap, the one whose middle is nearer counts."""
        at = window.slices
        better = share > self._share[at]
        self._share[at] = np.maximum(self._share[at], share)
        self._facts = []
        self._tiles += 1
        for number, record in enumerate(records):
            membership = record.membership.float()
            own = membership.gather(1, record.hard[:, None])[:, 0]
            there = np.ones(better.shape, bool)
            if record.valid is not None:
                there = record.valid.cpu().numpy().reshape(better.shape)
            rank = record.rank.float().cpu().numpy().reshape(better.shape)
            read = there & (rank >= 0)
            sequence = record.sequence.cpu().numpy().reshape(better.shape) + 1
            before = self._sequences[number]
            self._sequences[number] = before + int(sequence.max())
            moved = (own < membership.amax(1)).cpu().numpy().reshape(better.shape)
            self._moved[number] += int((moved & there & better).sum())
            cluster = record.hard.cpu().numpy().reshape(better.shape) + 1
            for kept, values, where, other in (
                (self._cluster, cluster, there, 0),
                (self._certain, _plane(own, better), there, np.nan),
                (self._rank, np.rint(np.maximum(rank, 0) * 65535), read, 0),
                (self._sequence, sequence + before, read, 0),
                (self._score, _plane(record.score, better), there, np.nan),
                (self._attention, _plane(record.attention, better), there, np.nan),
                (self._typical, _plane(record.typical, better), there, np.nan),
                (self._step, _plane(record.step, better), read, np.nan),
            ):
                kept[number][at][better] = np.where(where, values, other)[better]
            self._keep_memberships(number, window, membership.cpu().numpy(), better & there)
            fusion = record.fusion.detach().float().cpu().numpy()
            weights = (float(fusion[0]), float(fusion[1]))
            facts = (float(record.temperature), float(record.kept), float(record.share))
            self._facts.append(_Facts(membership.shape[1], weights, *facts))

    def _keep_memberships(
        self,
        number: int,
        window: Window,
        membership: NDArray[np.float32],
        better: NDArray[np.bool_],
    ) -> None:
        """Keep the memberships of a tile's pixels that lie on the grid."""
        step = self.membership_step
        pick = tuple(slice(-start % step, None, step) for start in (window.row, window.col))
        better = better[pick]
        row, col = -(-window.row // step), -(-window.col // step)
        at = slice(row, row + better.shape[0]), slice(col, col + better.shape[1])
        values = membership.reshape(window.height, window.width, -1)[pick]
        self._membership[number][at][better] = values[better]

    def blocks(self) -> tuple[ClusterBlock, ...]:
        """Return what every block did."""
        small = np.uint8 if all(facts.clusters < 256 for facts in self._facts) else np.uint16
        return tuple(
            ClusterBlock(
                self._cluster[i].astype(small),
                self._certain[i],
                self._rank[i],
                self._sequence[i],
                self._score[i],
                self._step[i],
                facts.clusters,
                facts.fusion,
                facts.temperature,
                facts.kept,
                float(self._moved[i] / max(1, np.count_nonzero(self._cluster[i]))),
                share=facts.share,
                attention=self._attention[i],
                typical=self._typical[i],
                membership=self._membership[i],
                membership_step=self.membership_step,
            )
            for i, facts in enumerate(self._facts)
        )

    def overlays(
        self, scene: Scene, made: Provenance, model_id: str, plan: Mapping[str, Any]
    ) -> tuple[Overlay, ...]:
        """Return one overlay with the clusters, the order and the step size of every block."""
        title = f"Clusters, {model_id}"
        return (
            ClusterField(title, scene.id, made, blocks=self.blocks(), tiles=max(1, self._tiles)),
        )

    def notes(self) -> tuple[str, ...]:
        """Say how the two branches of each block are weighed, and what size does to all this."""
        parts = [
            f"block {i} spatial {facts.fusion[0]:.2f}, spectral {facts.fusion[1]:.2f}"
            for i, facts in enumerate(self._facts, 1)
        ]
        said = [f"Weights of the branches: {'; '.join(parts)}."]
        if self._tiles > 1:
            said.append(
                f"The scene was read in {self._tiles} tiles: clusters are the same in all of "
                "them, the order is that within each tile."
            )
        if self.membership_step > 1:
            said.append(
                "The scene is large: memberships in every cluster are kept for every "
                f"{self.membership_step}th row and column."
            )
        return tuple(said)


def membership_step(shape: tuple[int, int], clusters: int) -> int:
    """Return the smallest step of rows and columns with which memberships fit the budget."""
    step = 1
    while -(-shape[0] // step) * -(-shape[1] // step) * clusters * 2 > MEMBERSHIP_BYTES:
        step += 1
    return step


def _plane(values: Any, like: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a tensor of one number a pixel as an array of (rows, cols)."""
    found = values.detach().float().cpu().numpy()
    return np.asarray(found, np.float32).reshape(like.shape)
