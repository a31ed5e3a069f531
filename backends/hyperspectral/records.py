"""What happened inside a network, gathered tile by tile and made into overlays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.networks import PixelNetwork
from backends.overlays import (
    ClusterBlock,
    ClusterField,
    MatrixEntry,
    MatrixField,
    Overlay,
    Placement,
    Provenance,
    StreamWeights,
)
from backends.scene import Scene, Window

# Of a scene whose matrices would take more, every 2nd, 3rd … pixel's are kept.
MATRIX_BYTES = 512 << 20


class Collector(Protocol):
    """Takes what the parts of a network did in each tile."""

    def add(self, window: Window, records: list[Any], share: NDArray[np.float32]) -> None:
        """Take the records of a tile; ``share`` is its weight at each of its pixels."""
        ...

    def overlays(
        self, scene: Scene, made: Provenance, model_id: str, plan: Mapping[str, Any]
    ) -> tuple[Overlay, ...]:
        """Return what was gathered."""
        ...

    def notes(self) -> tuple[str, ...]:
        """Return what to know before looking at it."""
        ...


def collector_of(network: PixelNetwork, shape: tuple[int, int]) -> Collector:
    """Return the collector for a kind of network and a scene of (rows, cols)."""
    from backends.hyperspectral.css_mamba import CssMamba
    from backends.hyperspectral.es_mhc import EsMhc

    if isinstance(network, EsMhc):
        layers = len(network.layers)
        partitions = layers if network.settings.cluster_source == "lcm" else 0
        return MatrixRecords(shape, len(network.group_index), 2 * layers, partitions)
    if not isinstance(network, CssMamba):
        return NoRecords()
    return ClusterRecords(shape, len(network.blocks))


class NoRecords:
    """Of a network that shows nothing of its inside."""

    def add(self, window: Window, records: list[Any], share: NDArray[np.float32]) -> None:
        """Take nothing."""

    def overlays(
        self, scene: Scene, made: Provenance, model_id: str, plan: Mapping[str, Any]
    ) -> tuple[Overlay, ...]:
        """Return nothing."""
        return ()

    def notes(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()


class MatrixRecords:
    """What every site mixes, reads and writes, and the lists where they are a partition.

    Where tiles overlap, the one whose middle is nearer counts.

    Parameters
    ----------
    shape : (rows, cols)
    streams, sites : int
    partitions : int
        Layers whose lists are a partition of the pixels.
    """

    def __init__(
        self, shape: tuple[int, int], streams: int, sites: int, partitions: int = 0
    ) -> None:
        self.step = 1
        while self._bytes(shape, streams, sites) > MATRIX_BYTES:
            self.step += 1
        rows, cols = (-(-side // self.step) for side in shape)
        whole = (sites, rows, cols, streams)
        self._kept = {
            "read": np.zeros(whole, np.float16),
            "mix": np.zeros((*whole, streams), np.float16),
            "write": np.zeros(whole, np.float16),
        }
        self._share = np.zeros((rows, cols), np.float32)
        self._static: list[tuple[int, str, dict[str, NDArray[np.float32]]]] = []
        self._lists = ClusterRecords(shape, partitions) if partitions else None

    def _bytes(self, shape: tuple[int, int], streams: int, sites: int) -> int:
        rows, cols = (-(-side // self.step) for side in shape)
        return rows * cols * (sites * 2 * (streams**2 + 2 * streams) + 4)

    def add(self, window: Window, records: list[Any], share: NDArray[np.float32]) -> None:
        """Take what the sites of a tile did."""
        if self._lists is not None:
            lists = [r.lists for r in records if r.lists is not None]
            self._lists.add(window, lists, share)
        first = -window.row % self.step, -window.col % self.step
        pick = tuple(slice(start, None, self.step) for start in first)
        share = share[pick]
        row, col = -(-window.row // self.step), -(-window.col // self.step)
        at = slice(row, row + share.shape[0]), slice(col, col + share.shape[1])
        better = share > self._share[at]
        self._share[at] = np.maximum(self._share[at], share)
        self._static = []
        for number, record in enumerate(records):
            statics: dict[str, NDArray[np.float32]] = {}
            for name, kept in self._kept.items():
                statics[name], deviation = deviations(record, name)
                size = (window.height, window.width, *statics[name].shape)
                kept[number][at][better] = deviation.reshape(size)[pick][better]
            self._static.append((record.layer, record.site, statics))

    def overlays(
        self, scene: Scene, made: Provenance, model_id: str, plan: Mapping[str, Any]
    ) -> tuple[Overlay, ...]:
        """Return the matrices of every site, and the lists where they are a partition."""
        matrices = MatrixField(
            f"Matrices, {model_id}",
            scene.id,
            made,
            group_names=tuple(map(str, plan["groups"]["names"])),
            entries=self.entries(),
            placement=Placement(row_step=self.step, col_step=self.step),
        )
        lists = () if self._lists is None else self._lists.overlays(scene, made, model_id, plan)
        return (matrices, *lists)

    def notes(self) -> tuple[str, ...]:
        """Say where pixels were left out."""
        if self.step == 1:
            return ()
        step = self.step
        return (f"The scene is large: matrices are kept for every {step}th row and column.",)

    def entries(self) -> tuple[MatrixEntry, ...]:
        """Return one entry a site."""
        return tuple(
            MatrixEntry(
                layer,
                site,
                static["mix"],
                self._kept["mix"][number],
                StreamWeights(static["read"], self._kept["read"][number]),
                StreamWeights(static["write"], self._kept["write"][number]),
            )
            for number, (layer, site, static) in enumerate(self._static)
        )


def deviations(record: Any, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what a site does without looking at a pixel, and the difference at each pixel.

    float16 holds such a difference to about 1e-5; of the matrix itself it would leave steps of
    1e-4, some 30 levels over what is seen.

    Parameters
    ----------
    record : HyperRecord
    name : str
        ``"read"``, ``"mix"`` or ``"write"``.
    """
    static = getattr(record.static, name).detach().float().cpu().numpy()
    values = getattr(record.mixing, name).detach().float().cpu().numpy()
    return static, values - static


class ClusterRecords:
    """Cluster, certainty, order and step size of each pixel in each block of CSSMamba.

    Where tiles overlap, the one whose middle is nearer counts. Clusters are those of the
    network and mean the same in every tile; sequences belong to one tile each.
    """

    def __init__(self, shape: tuple[int, int], blocks: int) -> None:
        whole = (blocks, *shape)
        self._cluster = np.zeros(whole, np.uint16)
        self._certain = np.full(whole, np.nan, np.float16)
        self._rank = np.zeros(whole, np.uint16)
        self._sequence = np.zeros(whole, np.uint32)
        self._score = np.full(whole, np.nan, np.float16)
        self._step = np.full(whole, np.nan, np.float16)
        self._share = np.zeros(shape, np.float32)
        self._sequences = [0] * blocks  # numbers given out so far
        self._moved = np.zeros(blocks)
        self._facts: list[tuple[int, tuple[float, float], float, float]] = []
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
                (self._step, _plane(record.step, better), read, np.nan),
            ):
                kept[number][at][better] = np.where(where, values, other)[better]
            fusion = record.fusion.detach().float().cpu().numpy()
            heat, kept_part = float(record.temperature), float(record.kept)
            weights = (float(fusion[0]), float(fusion[1]))
            self._facts.append((membership.shape[1], weights, heat, kept_part))

    def blocks(self) -> tuple[ClusterBlock, ...]:
        """Return what every block did."""
        small = np.uint8 if all(count < 256 for count, *_ in self._facts) else np.uint16
        return tuple(
            ClusterBlock(
                self._cluster[i].astype(small),
                self._certain[i],
                self._rank[i],
                self._sequence[i],
                self._score[i],
                self._step[i],
                clusters,
                fusion,
                temperature,
                kept,
                float(self._moved[i] / max(1, np.count_nonzero(self._cluster[i]))),
            )
            for i, (clusters, fusion, temperature, kept) in enumerate(self._facts)
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
        """Say how the two branches of each block are weighed, and what tiles do to the order."""
        parts = [
            f"block {i} spatial {fusion[0]:.2f}, spectral {fusion[1]:.2f}"
            for i, (_, fusion, _, _) in enumerate(self._facts, 1)
        ]
        weights = f"Weights of the branches: {'; '.join(parts)}."
        if self._tiles < 2:
            return (weights,)
        return (
            weights,
            f"The scene was read in {self._tiles} tiles: clusters are the same in all of them, "
            "the order is that within each tile.",
        )


def _plane(values: Any, like: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a tensor of one number a pixel as an array of (rows, cols)."""
    found = values.detach().float().cpu().numpy()
    return np.asarray(found, np.float32).reshape(like.shape)
