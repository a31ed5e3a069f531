"""The inner steps of ``css_mamba``: clusters, reading order, scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.overlays.record import Array, Overlay, need

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, eq=False)
class ClusterBlock:
    """What one block of a clustered reader did with each pixel, kept small.

    Attributes
    ----------
    cluster : unsigned integer array of shape (rows, cols)
        The cluster a pixel belongs to, from 1; 0 where nothing was measured.
    certainty : float16 array of the same shape
        Membership in that cluster, 0 to 1; NaN where nothing was measured.
    rank : uint16 array of the same shape
        Place in its sequence, 0 first to 65535 last; finer than a float16 of that size.
    sequence : uint32 array of the same shape
        Number of the sequence it was read in, from 1; 0 where it was not read.
    score : float16 array of the same shape
        By which the pixels of a cluster were ordered, and the kept ones chosen.
    step : float16 array of the same shape
        Mean step size of the scan there: how much it took in; NaN where not read.
    clusters : int
        How many the network has; some may be empty here.
    fusion : (float, float)
        Weights of the spatial and the spectral branch; they add up to 1.
    temperature : float
        Of the memberships: small is decided, large is undecided.
    kept : float
        Part of the pixels the network was set to read, 0 to 1.
    moved : float
        Part of the pixels that were read in another cluster than their best, which was full.
    share : float
        Weight of the attention in the score, 0 to 1.
    attention, typical : float16 arrays of shape (rows, cols), optional
        The two parts of the score: what attention says, and membership.
    membership : float16 array of shape (rows / step, cols / step, clusters), optional
        Membership in every cluster, of every ``membership_step``-th row and column; they add
        up to 1, or to 0 where nothing was measured.
    membership_step : int
    """

    cluster: Array
    certainty: Array
    rank: Array
    sequence: Array
    score: Array
    step: Array
    clusters: int
    fusion: tuple[float, float]
    temperature: float
    kept: float = 1.0
    moved: float = 0.0
    share: float = 0.0
    attention: Array | None = None
    typical: Array | None = None
    membership: Array | None = None
    membership_step: int = 1

    def memberships(self, row: int, col: int) -> NDArray[np.float32] | None:
        """Return the memberships of a pixel, shape (clusters,): its own or, of a large scene,
        those of the nearest pixel up and left; None where they were not kept."""
        if self.membership is None:
            return None
        step = self.membership_step
        return np.asarray(self.membership[row // step, col // step], np.float32)

    def misfit(self, shape: tuple[int, int]) -> bool:
        """Tell whether the maps are not all of a shape (rows, cols), or of wrong kinds."""
        whole = (self.cluster, self.rank, self.sequence)
        planes = [*whole, self.certainty, self.score, self.step]
        planes += [a for a in (self.attention, self.typical) if a is not None]
        fits = all(a.shape == shape for a in planes) and self.clusters > 0
        fits = fits and all(np.issubdtype(a.dtype, np.unsignedinteger) for a in whole)
        fits = fits and len(self.fusion) == 2 and int(self.cluster.max()) <= self.clusters
        if self.membership is not None and self.membership_step > 0:
            small = tuple(-(-side // self.membership_step) for side in shape)
            fits = fits and self.membership.shape == (*small, self.clusters)
        return not fits or self.membership_step < 1


@dataclass(frozen=True, eq=False)
class ClusterField(Overlay):
    """How a clustered reader grouped and read the pixels, block by block.

    Clusters mean the same in all tiles of a scene, for their centres are the network's;
    sequences and ranks are those of the tile a pixel was read in.

    Attributes
    ----------
    blocks : tuple of ClusterBlock
    tiles : int
        In how many tiles the scene was read.
    training : mapping of str to tuple of float
        What the network said of itself in its training, an entry a step: losses of the
        clusters, temperatures, weights, by name and block.
    """

    blocks: tuple[ClusterBlock, ...] = field(kw_only=True)
    tiles: int = field(default=1, kw_only=True)
    training: Mapping[str, tuple[float, ...]] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if not self.blocks:
            raise BadInput(f"{self.title} holds no blocks.")
        for number, block in enumerate(self.blocks, 1):
            need(block.cluster, 2, self.title)
            if block.misfit(self.shape):
                raise BadInput(f"{self.title}: the maps of block {number} do not fit each other.")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.blocks[0].cluster.shape
        return int(rows), int(cols)


def series_of(values: Any) -> dict[str, tuple[float, ...]]:
    """Return named series of numbers from a file; what is no such thing is left out."""
    if not isinstance(values, Mapping):
        return {}
    return {
        str(name): tuple(float(v) for v in series)
        for name, series in values.items()
        if isinstance(series, (list, tuple)) and all(isinstance(v, (int, float)) for v in series)
    }
