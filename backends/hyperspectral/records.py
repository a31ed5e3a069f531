"""What happened inside a network, gathered tile by tile and made into overlays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.cluster_records import ClusterRecords
from backends.hyperspectral.networks import PixelNetwork
from backends.overlays import (
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
        layers = network.layers
        partitions = [len(y.clusters.centres) for y in layers if y.clusters is not None]
        return MatrixRecords(shape, len(network.group_index), 2 * len(layers), partitions)
    if not isinstance(network, CssMamba):
        return NoRecords()
    return ClusterRecords(shape, network.cluster_counts)


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
    partitions : sequence of int
        Lists of each layer whose lists are a partition of the pixels.
    """

    def __init__(
        self, shape: tuple[int, int], streams: int, sites: int, partitions: Sequence[int] = ()
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
