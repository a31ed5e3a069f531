"""What happened inside a network, gathered tile by tile and made into overlays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.networks import PixelNetwork
from backends.overlays import (
    ClassMap,
    MatrixEntry,
    MatrixField,
    Overlay,
    Placement,
    Provenance,
    ScoreMap,
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
        return MatrixRecords(shape, len(network.group_index), 2 * len(network.layers))
    assert isinstance(network, CssMamba)
    return ClusterRecords(shape, len(network.blocks))


class MatrixRecords:
    """The matrices of every site; where tiles overlap, those of the tile whose middle is nearer."""

    def __init__(self, shape: tuple[int, int], streams: int, sites: int) -> None:
        self.step = 1
        while self._bytes(shape, streams, sites) > MATRIX_BYTES:
            self.step += 1
        rows, cols = (-(-side // self.step) for side in shape)
        self._kept = np.zeros((sites, rows, cols, streams, streams), np.float16)
        self._share = np.zeros((rows, cols), np.float32)
        self._static: list[tuple[int, str, NDArray[np.float32]]] = []

    def _bytes(self, shape: tuple[int, int], streams: int, sites: int) -> int:
        rows, cols = (-(-side // self.step) for side in shape)
        return rows * cols * sites * (streams**2 * 2 + 1)

    def add(self, window: Window, records: list[Any], share: NDArray[np.float32]) -> None:
        """Take the matrices of a tile."""
        first = -window.row % self.step, -window.col % self.step
        pick = tuple(slice(start, None, self.step) for start in first)
        share = share[pick]
        row, col = -(-window.row // self.step), -(-window.col // self.step)
        at = slice(row, row + share.shape[0]), slice(col, col + share.shape[1])
        better = share > self._share[at]
        self._share[at] = np.maximum(self._share[at], share)
        self._static = []
        for number, record in enumerate(records):
            static = record.static.float().cpu().numpy()
            self._static.append((record.layer, record.site, static))
            size = (window.height, window.width, *static.shape)
            deviation = record.mixing.mix.float().cpu().numpy().reshape(size)[pick] - static
            # float16 holds a deviation from the static matrix to about 1e-5; of the matrix
            # itself it would leave steps of 1e-4, some 30 levels over what is seen.
            self._kept[number][at][better] = deviation[better]

    def overlays(
        self, scene: Scene, made: Provenance, model_id: str, plan: Mapping[str, Any]
    ) -> tuple[Overlay, ...]:
        """Return the matrices of every site."""
        return (
            MatrixField(
                f"Matrices, {model_id}",
                scene.id,
                made,
                group_names=tuple(map(str, plan["groups"]["names"])),
                entries=self.entries(),
                placement=Placement(row_step=self.step, col_step=self.step),
            ),
        )

    def notes(self) -> tuple[str, ...]:
        """Say where pixels were left out."""
        if self.step == 1:
            return ()
        step = self.step
        return (f"The scene is large: matrices are kept for every {step}th row and column.",)

    def entries(self) -> tuple[MatrixEntry, ...]:
        """Return one entry a site."""
        return tuple(
            MatrixEntry(layer, site, static, kept)
            for (layer, site, static), kept in zip(self._static, self._kept, strict=True)
        )


class ClusterRecords:
    """Cluster, certainty, order and step size of each pixel in each block of CSSMamba."""

    def __init__(self, shape: tuple[int, int], blocks: int) -> None:
        self._cluster = np.zeros((blocks, *shape), np.uint8)
        self._certain = np.zeros((blocks, *shape), np.float16)
        self._rank = np.full((blocks, *shape), np.nan, np.float16)
        self._step = np.full((blocks, *shape), np.nan, np.float32)
        self._share = np.zeros(shape, np.float32)
        self._fusion: list[NDArray[np.float32]] = []
        self._clusters = 0

    def add(self, window: Window, records: list[Any], share: NDArray[np.float32]) -> None:
        """Take a tile; where tiles overlap, the one whose middle is nearer counts."""
        at = window.slices
        better = share > self._share[at]
        self._share[at] = np.maximum(self._share[at], share)
        self._fusion = []
        for number, record in enumerate(records):
            hard = record.hard.cpu().numpy().reshape(share.shape)
            certain = record.membership.float().amax(1).cpu().numpy().reshape(share.shape)
            rank = record.rank.cpu().numpy().reshape(share.shape)
            step = record.step.float().cpu().numpy().reshape(share.shape)
            read = rank >= 0
            self._clusters = record.membership.shape[1]
            self._cluster[number][at][better] = np.where(read, hard + 1, 0)[better]
            self._certain[number][at][better] = certain[better]
            self._rank[number][at][better] = np.where(read, rank, np.nan)[better]
            self._step[number][at][better] = np.where(read, step, np.nan)[better]
            self._fusion.append(record.fusion.detach().float().cpu().numpy())

    def overlays(
        self, scene: Scene, made: Provenance, model_id: str, plan: Mapping[str, Any]
    ) -> tuple[Overlay, ...]:
        """Return, a block: its clusters with their certainty, the order, the step size."""
        names = {k: f"Cluster {k}" for k in range(1, self._clusters + 1)}
        out: list[Overlay] = []
        for number in range(len(self._cluster)):
            block = f"block {number + 1}, {model_id}"
            out += [
                ClassMap(
                    f"Clusters, {block}",
                    scene.id,
                    made,
                    labels=self._cluster[number],
                    class_names=names,
                    confidence=self._certain[number].astype(np.float32),
                    shown=False,
                ),
                ScoreMap(
                    f"Reading order, {block}",
                    scene.id,
                    made,
                    values=self._rank[number].astype(np.float32),
                    unit="place in its sequence, 0 first to 1 last",
                    shown=False,
                ),
                ScoreMap(
                    f"Step size, {block}",
                    scene.id,
                    made,
                    values=self._step[number],
                    unit="small: passed over; large: taken in",
                    shown=False,
                ),
            ]
        return tuple(out)

    def notes(self) -> tuple[str, ...]:
        """Say how the two branches of each block are weighed."""
        parts = [
            f"block {i + 1} spatial {f[0]:.2f}, spectral {f[1]:.2f}"
            for i, f in enumerate(self._fusion)
        ]
        return (f"Weights of the branches: {'; '.join(parts)}.",)
