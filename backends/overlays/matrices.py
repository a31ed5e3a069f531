"""The matrices of ``es_mhc``, one a pixel and site."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.overlays.record import Array, Overlay, need

if TYPE_CHECKING:
    from backends.hyperspectral.checkpoints import Checkpoint
    from backends.matrix_history import MatrixHistory


@dataclass(frozen=True, eq=False)
class StreamWeights:
    """One number a stream and pixel: what feeds a site, or who receives its answer.

    Attributes
    ----------
    static : float32 array of shape (n,)
        What it is without looking at the pixel.
    deviation : float16 or float32 array of shape (rows, cols, n)
        Weight = static + deviation.
    """

    static: Array
    deviation: Array

    def map(self, stream: int) -> NDArray[np.float32]:
        """Return the weight of one stream over the image, shape (rows, cols)."""
        values = self.deviation[:, :, stream].astype(np.float32)
        return np.asarray(values + np.float32(self.static[stream]))


@dataclass(frozen=True, eq=False)
class MatrixEntry:
    """The matrices of one site of a network.

    Attributes
    ----------
    layer : int
        From 1.
    site : str
        ``"mixer"`` or ``"ffn"``.
    static : float32 array of shape (n, n)
        What the matrix is without looking at the pixel.
    deviation : float16 or float32 array of shape (rows, cols, n, n)
        Matrix = static + deviation. Row = source, column = target.
    read, write : StreamWeights, optional
        How much of each stream the site sees, and how much of its answer each gets; kept
        since the desk shows them.
    """

    layer: int
    site: str
    static: Array
    deviation: Array
    read: StreamWeights | None = None
    write: StreamWeights | None = None

    def weights(self) -> dict[str, StreamWeights]:
        """Return ``read`` and ``write`` by name, where they were kept."""
        found = {"read": self.read, "write": self.write}
        return {name: kept for name, kept in found.items() if kept is not None}

    def matrix(self, row: int, col: int) -> NDArray[np.float32]:
        """Return the matrix of one pixel, shape (n, n)."""
        return np.asarray(self.static + self.deviation[row, col], dtype=np.float32)

    def map(self, source: int, target: int) -> NDArray[np.float32]:
        """Return one entry over the image, shape (rows, cols)."""
        values = self.deviation[:, :, source, target].astype(np.float32)
        return np.asarray(values + np.float32(self.static[source, target]))

    def mean(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Return the mean matrix over a mask or all pixels, shape (n, n)."""
        chosen = self.deviation if mask is None else self.deviation[mask]
        axes = tuple(range(chosen.ndim - 2))
        return np.asarray(self.static + chosen.mean(axis=axes, dtype=np.float64), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class MatrixField(Overlay):
    """A matrix a pixel, a layer and a site: how groups of bands talk to each other.

    Attributes
    ----------
    group_names : tuple of str
        The n streams, in order; row = source, column = target.
    entries : tuple of MatrixEntry
    history : MatrixHistory, optional
        The matrices while the network was trained.
    checkpoint : Checkpoint, optional
        The network that made them, while the program runs; it is not saved with them.
    """

    group_names: tuple[str, ...] = field(kw_only=True)
    entries: tuple[MatrixEntry, ...] = field(kw_only=True)
    history: MatrixHistory | None = field(default=None, kw_only=True)
    checkpoint: Checkpoint | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        n = len(self.group_names)
        if not self.entries or n == 0:
            raise BadInput(f"{self.title} holds no matrices.")
        for entry in self.entries:
            need(entry.deviation, 4, self.title)
            fits = entry.deviation.shape == (*self.shape, n, n) and entry.static.shape == (n, n)
            for kept in entry.weights().values():
                fits = fits and kept.static.shape == (n,)
                fits = fits and kept.deviation.shape == (*self.shape, n)
            if not fits:
                raise BadInput(
                    f"{self.title}: the matrices of layer {entry.layer}, {entry.site}, "
                    f"do not fit its {n} groups."
                )

    def entry(self, layer: int, site: str) -> MatrixEntry:
        """Return the matrices of a layer and site."""
        for found in self.entries:
            if found.layer == layer and found.site == site:
                return found
        raise BadInput(f"{self.title} has no matrices for layer {layer}, {site}.")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.entries[0].deviation.shape[:2]
        return int(rows), int(cols)
