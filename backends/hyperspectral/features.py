"""What a classifier sees of a pixel: stretched spectrum, mean spectrum around it, place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.normalise import BandStretch
from backends.jobs import Progress
from backends.scene import Scene, Window

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PixelFeatures:
    """Features of a list of pixels.

    Attributes
    ----------
    spectra : float32 array of shape (pixels, bands)
        Stretched to 0..1.
    around : float32 array of the same shape, or None
        Mean over the square around each pixel.
    places : float32 array of shape (pixels, 2)
        Row and column, 0 to 1 over the scene.
    valid : bool array of shape (pixels,)
        False where nothing was measured.
    """

    spectra: Float
    around: Float | None
    places: Float
    valid: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.spectra)

    @property
    def seen(self) -> Float:
        """The mean spectra around the pixels where they were asked for, else their own."""
        return self.spectra if self.around is None else self.around

    def take(self, index: NDArray[np.int64]) -> PixelFeatures:
        """Return the features of some of the pixels."""
        return PixelFeatures(
            self.spectra[index],
            None if self.around is None else self.around[index],
            self.places[index],
            self.valid[index],
        )


def read_window(
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    window: Window,
    context: int,
) -> PixelFeatures:
    """Read the features of a rectangle, pixels in row order.

    Parameters
    ----------
    stretch : BandStretch
        How values become 0..1.
    bands : int64 array
        Bands of *this* scene that play the part of ``stretch.bands``.
    context : int
        Side of the square for ``around``; 1 reads nothing beyond the window.
    """
    halo = context // 2
    rows, cols, _ = scene.shape
    wide = Window(
        window.row - halo, window.col - halo, window.height + 2 * halo, window.width + 2 * halo
    )
    row0, col0 = max(wide.row, 0), max(wide.col, 0)
    wide = Window(
        row0,
        col0,
        min(wide.row + wide.height, rows) - row0,
        min(wide.col + wide.width, cols) - col0,
    )
    values = scene.read(wide, bands.tolist(), physical=True)
    measured = np.asarray(np.isfinite(values).any(axis=2))
    values = stretch.apply(values)
    inner = (
        slice(window.row - row0, window.row - row0 + window.height),
        slice(window.col - col0, window.col - col0 + window.width),
    )
    around = None
    if context > 1:
        from scipy.ndimage import uniform_filter

        # Repeated filtering along two axes; the edge of the scene is mirrored.
        mean = uniform_filter(values, size=(context, context, 1), mode="reflect")
        around = np.ascontiguousarray(mean[inner]).reshape(-1, bands.size)
    r, c = np.mgrid[window.row : window.row + window.height, window.col : window.col + window.width]
    places = np.stack([r.ravel() / rows, c.ravel() / cols], axis=1).astype(np.float32)
    spectra = np.ascontiguousarray(values[inner]).reshape(-1, bands.size)
    return PixelFeatures(spectra, around, places, measured[inner].ravel())


def read_pixels(
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    index: NDArray[np.int64],
    context: int,
    progress: Progress | None = None,
) -> PixelFeatures:
    """Read the features of some pixels, strip by strip; memory follows their number.

    Parameters
    ----------
    index : int64 array of shape (pixels,)
        Flat pixel numbers, rising.
    """
    cols = scene.shape[1]
    parts = []
    for window in _strips(scene, len(bands)):
        if progress is not None:
            progress.check()
        start = window.row * cols
        low, high = np.searchsorted(index, [start, start + window.height * cols])
        if low < high:
            found = read_window(scene, stretch, bands, window, context)
            parts.append(found.take(index[low:high] - start))
    arounds = [p.around for p in parts if p.around is not None]
    return PixelFeatures(
        np.concatenate([p.spectra for p in parts]),
        np.concatenate(arounds) if arounds else None,
        np.concatenate([p.places for p in parts]),
        np.concatenate([p.valid for p in parts]),
    )


def _strips(scene: Scene, bands: int, budget_bytes: int = 64 << 20) -> Iterator[Window]:
    rows = max(1, budget_bytes // max(1, scene.shape[1] * bands * 4))
    return scene.windows(rows=rows)
