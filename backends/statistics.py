"""Statistics of bands: one streaming pass over the image, or an honest sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

# Enough for percentiles to half a per cent, little enough to keep for every band.
KEPT_FOR_PERCENTILES = 20_000


@dataclass(frozen=True, eq=False)
class BandStatistics:
    """Figures a band, in physical units; nodata left out.

    Attributes
    ----------
    bands : tuple of int
    count : int array of shape (bands,)
        Valid pixels looked at.
    minimum, maximum, mean, std : float64 arrays of shape (bands,)
        ``nan`` where a band has no valid pixel; std is the population's.
    estimated : bool
        True when only a sample was looked at; percentiles always come from one.
    pixels_seen : int
    """

    bands: tuple[int, ...]
    count: NDArray[np.int64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    estimated: bool
    pixels_seen: int
    _kept: NDArray[np.float32]

    def percentile(self, q: float) -> NDArray[np.float64]:
        """Return percentile ``q`` (0 to 100) a band, from the pixels kept; shape (bands,)."""
        out = np.full(len(self.bands), np.nan)
        for i in range(len(self.bands)):
            values = self._kept[:, i]
            values = values[np.isfinite(values)]
            if values.size:
                out[i] = np.percentile(values, q)
        return out

    @property
    def dead_bands(self) -> tuple[int, ...]:
        """Bands without a single valid pixel."""
        return tuple(b for b, n in zip(self.bands, self.count, strict=True) if n == 0)


def sample_pixels(
    scene: Scene,
    bands: Sequence[int] | None = None,
    *,
    size: int = 250_000,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Return about ``size`` pixels spread evenly over the image.

    Reads a coarse pyramid level where there is one, else evenly spread rows, so
    that a sample of a 10 GB cube costs a small part of it.

    Returns
    -------
    float32 array of shape (pixels, bands), physical units, nodata ``nan``
    """
    wanted = list(range(scene.shape[2])) if bands is None else list(bands)
    level = _level_for(scene, size)
    rows, cols = scene.level_shapes[level]
    column_step = 1
    if rows * cols <= size:
        starts: Sequence[int] = range(0, rows, 64)
        height = 64
    else:
        needed = max(8, -(-size // cols))
        if needed * cols > 2 * size:
            column_step = needed * cols // size
        starts = np.unique(np.linspace(0, rows - 1, min(rows, needed)).astype(int)).tolist()
        height = 1
    parts: list[NDArray[Any]] = []
    for start in starts:
        if progress is not None:
            progress.check()
        strip = scene.read(Window(start, 0, height, cols), wanted, level, physical=True)
        parts.append(strip[:, ::column_step].reshape(-1, len(wanted)))
    return np.concatenate(parts).astype(np.float32, copy=False)


def band_statistics(
    scene: Scene,
    bands: Sequence[int] | None = None,
    *,
    sample: int | None = None,
    progress: Progress | None = None,
) -> BandStatistics:
    """Return statistics a band; see `Scene.statistics`.

    One pass, block by block: means and squares are merged after Chan, Golub and
    LeVeque (1979), which stays exact where sums of squares would not.
    """
    wanted = tuple(range(scene.shape[2])) if bands is None else tuple(bands)
    total = _Running(len(wanted))
    rows, cols, _ = scene.shape
    if sample is not None and sample < rows * cols:
        values = sample_pixels(scene, wanted, size=sample, progress=progress)
        total.add(values)
        kept = values[:: max(1, len(values) // KEPT_FOR_PERCENTILES)]
        return total.result(wanted, True, len(values), kept)
    if progress is not None:
        progress.start(rows, "rows", f"Statistics of {scene.title}")
    every = max(1, rows * cols // KEPT_FOR_PERCENTILES)
    parts: list[NDArray[np.float32]] = []
    seen = 0
    for window, block in scene.blocks(wanted, progress=progress):
        values = block.reshape(-1, len(wanted))
        total.add(values)
        parts.append(values[(-seen) % every :: every].copy())
        seen += len(values)
        if progress is not None:
            progress.advance(window.height)
    return total.result(wanted, False, seen, np.concatenate(parts))


class _Running:
    """Figures so far."""

    def __init__(self, bands: int) -> None:
        self.count = np.zeros(bands, np.int64)
        self.mean = np.zeros(bands)
        self.squares = np.zeros(bands)
        self.minimum = np.full(bands, np.inf)
        self.maximum = np.full(bands, -np.inf)

    def add(self, values: NDArray[np.float32]) -> None:
        valid = np.isfinite(values)
        count = valid.sum(axis=0)
        filled = np.where(valid, values, np.float32(0))
        safe = np.maximum(count, 1)
        mean = filled.sum(axis=0, dtype=np.float64) / safe
        apart = np.where(valid, values - mean.astype(np.float32), np.float32(0))
        squares = np.einsum("ij,ij->j", apart, apart, dtype=np.float64)
        both = self.count + count
        delta = np.where(count > 0, mean - self.mean, 0.0)
        ratio = count / np.maximum(both, 1)
        self.mean += delta * ratio
        self.squares += squares + delta**2 * self.count * ratio
        self.count = both
        self.minimum = np.minimum(self.minimum, np.where(valid, values, np.inf).min(axis=0))
        self.maximum = np.maximum(self.maximum, np.where(valid, values, -np.inf).max(axis=0))

    def result(
        self, bands: tuple[int, ...], estimated: bool, seen: int, kept: NDArray[np.float32]
    ) -> BandStatistics:
        none = self.count == 0

        def blank(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.where(none, np.nan, values)

        std = np.sqrt(self.squares / np.maximum(self.count, 1))
        return BandStatistics(
            bands,
            self.count,
            blank(self.minimum),
            blank(self.maximum),
            blank(self.mean),
            blank(std),
            estimated,
            seen,
            kept,
        )


def _level_for(scene: Scene, size: int) -> int:
    """Return the coarsest level that still has ``size`` pixels."""
    best = 0
    for level, (rows, cols) in enumerate(scene.level_shapes):
        if rows * cols >= size:
            best = level
    return best
