"""What a classifier sees of a pixel: stretched spectrum, square of spectra around it, place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.normalise import BandStretch
from backends.jobs import Progress
from backends.scene import Scene, Window

Float = NDArray[np.float32]

# Whole images: largest rectangle, what neighbours share, and what is held in memory.
PART_OVERLAP = 5
KEPT_BYTES = 512 << 20


@dataclass(frozen=True, eq=False)
class PixelPatches:
    """The squares of spectra around a list of pixels, put together when they are asked for.

    Every spectrum is held once, however many squares it lies in.

    Attributes
    ----------
    table : float32 array of shape (spectra, bands)
        Stretched spectra.
    position : int array, or None
        Row of ``table`` at each place of the scene with its mirrored margin; None where
        the table holds those places in order.
    start : int64 array of shape (pixels,)
        Place of the upper left corner of each square.
    stride, side : int
        Places a row; pixels along a square.
    """

    table: Float
    position: NDArray[np.int32] | None
    start: NDArray[np.int64]
    stride: int
    side: int

    def take(self, index: NDArray[np.int64]) -> PixelPatches:
        """Return the squares of some of the pixels, still not put together."""
        return replace(self, start=self.start[index])

    def gather(self) -> Float:
        """Return the squares, shape (pixels, side, side, bands)."""
        steps = np.arange(self.side)
        places = self.start[:, None, None] + (steps[:, None] * self.stride + steps)
        return self.table[places if self.position is None else self.position[places]]

    def image(self) -> Float:
        """Return a rectangle with its margin, shape (rows, cols, bands); of `read_window`."""
        if self.position is not None:
            raise ValueError("single pixels make no image")
        return self.table.reshape(-1, self.stride, self.table.shape[1])


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
    patches : PixelPatches, optional
        The squares around the pixels.
    """

    spectra: Float
    around: Float | None
    places: Float
    valid: NDArray[np.bool_]
    patches: PixelPatches | None = None

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
            None if self.patches is None else self.patches.take(index),
        )


def read_window(
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    window: Window,
    context: int,
    patch: int = 1,
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
    patch : int
        Odd side of the squares for ``patches``, mirrored at the scene's edge; 1 makes none.
    """
    halo = max(context // 2, patch // 2)
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
    patches = None if patch == 1 else _tile_patches(values, inner, patch)
    return PixelFeatures(spectra, around, places, measured[inner].ravel(), patches)


def _tile_patches(values: Float, inner: tuple[slice, slice], side: int) -> PixelPatches:
    """Return the squares around the inner pixels of what was read."""
    half = side // 2
    lengths = [part.stop - part.start for part in inner]
    # What the scene does not have is mirrored: the outermost pixel is repeated first.
    before = [max(0, half - part.start) for part in inner]
    after = [
        max(0, part.stop + half - size) for part, size in zip(inner, values.shape[:2], strict=True)
    ]
    first = [part.start - half + more for part, more in zip(inner, before, strict=True)]
    pads = [*zip(before, after, strict=True), (0, 0)]
    wide = np.pad(values, pads, mode="symmetric") if any(before + after) else values
    wide = wide[
        first[0] : first[0] + lengths[0] + 2 * half, first[1] : first[1] + lengths[1] + 2 * half
    ]
    stride = wide.shape[1]
    start = np.arange(lengths[0])[:, None] * stride + np.arange(lengths[1])
    table = np.ascontiguousarray(wide).reshape(-1, values.shape[2])
    return PixelPatches(table, None, start.ravel().astype(np.int64), stride, side)


def read_pixels(
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    index: NDArray[np.int64],
    context: int,
    progress: Progress | None = None,
    patch: int = 1,
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
        None if patch == 1 else _read_patches(scene, stretch, bands, index, patch, progress),
    )


def _read_patches(
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    index: NDArray[np.int64],
    side: int,
    progress: Progress | None,
) -> PixelPatches:
    """Read every spectrum that lies in one of the squares, once."""
    rows, cols, _ = scene.shape
    half = side // 2
    row_of = np.pad(np.arange(rows), half, mode="symmetric")
    col_of = np.pad(np.arange(cols), half, mode="symmetric")
    stride = cols + 2 * half
    start = (index // cols) * stride + index % cols
    asked = np.zeros((rows + 2 * half) * stride, bool)
    for down in range(side):
        for across in range(side):
            asked[start + down * stride + across] = True
    margin = np.flatnonzero(asked)
    real = row_of[margin // stride] * cols + col_of[margin % stride]
    wanted, where = np.unique(real, return_inverse=True)
    position = np.full(asked.size, -1, np.int32)
    position[margin] = where
    table = read_pixels(scene, stretch, bands, wanted, 1, progress).spectra
    return PixelPatches(table, position, start, stride, side)


class SceneParts:
    """A scene in the rectangles in which a network of whole images learns it.

    One up to ``most`` pixels, else halves of halves that overlap by `PART_OVERLAP` pixels.

    Parameters
    ----------
    numbers : int64 array of shape (pixels,)
        Flat numbers of the pixels of the trainer, rising.
    """

    def __init__(
        self,
        scene: Scene,
        stretch: BandStretch,
        bands: NDArray[np.int64],
        numbers: NDArray[np.int64],
        most: int,
    ) -> None:
        self._scene, self._stretch, self._bands = scene, stretch, bands
        self._numbers = numbers
        self.windows = _parts(*scene.shape[:2], most)
        self._kept: dict[int, Float] = {}

    def image(self, part: int) -> Float:
        """Return the stretched spectra of a part, shape (rows, cols, bands)."""
        if part in self._kept:
            return self._kept[part]
        window = self.windows[part]
        found = read_window(self._scene, self._stretch, self._bands, window, 1)
        image = found.spectra.reshape(window.height, window.width, -1)
        if sum(v.nbytes for v in self._kept.values()) + image.nbytes <= KEPT_BYTES:
            self._kept[part] = image
        return image

    def inside(
        self, part: int, positions: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of the trainer's pixels lie in a part, and their numbers in it."""
        window = self.windows[part]
        row, col = np.divmod(self._numbers[positions], self._scene.shape[1])
        row, col = row - window.row, col - window.col
        there = (row >= 0) & (row < window.height) & (col >= 0) & (col < window.width)
        return positions[there], (row * window.width + col)[there]


def _parts(rows: int, cols: int, most: int) -> list[Window]:
    down = across = 1
    high, wide = rows, cols
    while high * wide > most and max(high, wide) > 4 * PART_OVERLAP:
        if high >= wide:
            down *= 2
        else:
            across *= 2
        high = -(-(rows + (down - 1) * PART_OVERLAP) // down)
        wide = -(-(cols + (across - 1) * PART_OVERLAP) // across)
    starts = [
        [round(start) for start in np.linspace(0, length - size, count)]
        for length, size, count in ((rows, high, down), (cols, wide, across))
    ]
    return [Window(row, col, high, wide) for row in starts[0] for col in starts[1]]


def _strips(scene: Scene, bands: int, budget_bytes: int = 64 << 20) -> Iterator[Window]:
    rows = max(1, budget_bytes // max(1, scene.shape[1] * bands * 4))
    return scene.windows(rows=rows)
