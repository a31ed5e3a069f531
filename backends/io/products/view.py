"""The bands of one or more files or detectors, chosen, ordered and scaled, as one image.

Products keep detectors apart, list bands from long to short wavelengths and scale
them one by one; this view undoes that while reading, without a copy of the cube.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.scene import PixelSource, Window

# What one piece of a read may hold in the file's own type, besides the result.
PIECE_BYTES = 32 << 20


class BandView:
    """Bands of one or several sources of the same size, read under one lock.

    Parameters
    ----------
    path : Path
        For error messages.
    sources : sequence of PixelSource
    picks : sequence of (source, band)
        Where each band of the view lies, both counted from 0.
    gains, offsets : arrays of shape (bands,), optional
        Given, values come out as float32 ``value * gain + offset``.
    nodata : float, optional
        File value that becomes ``nan`` when values are scaled.
    tile : (rows, bands)
        Extent of a piece of the file that is only unpacked as a whole.

    Raises
    ------
    BadInput
        The sources differ in rows or columns, or a band does not exist.
    """

    def __init__(
        self,
        path: Path,
        sources: Sequence[PixelSource],
        picks: Sequence[tuple[int, int]],
        *,
        gains: NDArray[np.float64] | None = None,
        offsets: NDArray[np.float64] | None = None,
        nodata: float | None = None,
        tile: tuple[int, int] = (1, 1),
    ) -> None:
        sizes = {source.shape[:2] for source in sources}
        if len(sizes) != 1:
            listed = " and ".join(f"{s.shape[0]} × {s.shape[1]}" for s in sources)
            raise BadInput(
                f"The detectors in {path.name} disagree about the size: {listed} pixels.",
                subject=path,
                way_out="The file is damaged; download it anew.",
            )
        if not picks or any(not 0 <= b < sources[s].shape[2] for s, b in picks):
            raise BadInput(
                f"{path.name} describes bands that it does not hold.",
                subject=path,
                way_out="The file is damaged; download it anew.",
            )
        self.lock = threading.Lock()
        self._path, self._sources, self._picks = path, tuple(sources), tuple(picks)
        self._gains, self._offsets, self._nodata = gains, offsets, nodata
        self._tile = max(1, tile[0]), max(1, tile[1])
        rows, cols = next(iter(sizes))
        self.shape = (rows, cols, len(self._picks))
        stored = np.result_type(*(source.dtype for source in sources))
        self.dtype: np.dtype[Any] = np.dtype(np.float32) if gains is not None else stored
        self.level_shapes: Sequence[tuple[int, int]] = (
            sources[0].level_shapes if len(sources) == 1 else (self.shape[:2],)
        )
        self.layout = sources[0].layout

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        out = np.empty((window.height, window.width, len(bands)), self.dtype)
        with self.lock:
            for source, places, stored in self._runs(bands):
                span = max(stored) - min(stored) + 1
                for piece in self._pieces(window, level, span * source.dtype.itemsize):
                    values = source.read(piece, stored, level)
                    top = piece.row - window.row
                    chosen = [bands[place] for place in places]
                    out[top : top + piece.height, :, places] = self._scale(values, chosen)
        return out

    def close(self) -> None:
        """Close every source."""
        with self.lock:
            for source in self._sources:
                source.close()

    def _runs(self, bands: Sequence[int]) -> Iterator[tuple[PixelSource, list[int], list[int]]]:
        """Yield bands that lie together in a file: source, places in the result, file bands."""
        order = sorted(range(len(bands)), key=lambda place: self._picks[bands[place]])
        run: list[int] = []
        for place in order:
            if run:
                before, here = self._picks[bands[run[-1]]], self._picks[bands[place]]
                if before[0] != here[0] or here[1] - before[1] > self._tile[1]:
                    yield self._run(run, bands)
                    run = []
            run.append(place)
        if run:
            yield self._run(run, bands)

    def _run(
        self, places: list[int], bands: Sequence[int]
    ) -> tuple[PixelSource, list[int], list[int]]:
        stored = [self._picks[bands[place]] for place in places]
        return self._sources[stored[0][0]], places, [band for _, band in stored]

    def _pieces(self, window: Window, level: int, pixel_bytes: int) -> Iterator[Window]:
        """Cut full-size windows into strips that hold whole tiles and little memory."""
        tall = self._tile[0]
        rows = PIECE_BYTES // max(1, window.width * pixel_bytes)
        step = max(tall, rows // tall * tall)
        if level > 0:  # decimated levels are small, and their sampling hangs on the window
            step = self.shape[0]
        row, end = window.row, window.row + window.height
        while row < end:
            below = min(end, (row // step + 1) * step)
            yield Window(row, window.col, below - row, window.width)
            row = below

    def _scale(self, values: NDArray[Any], bands: Sequence[int]) -> NDArray[Any]:
        if self._gains is None or self._offsets is None:
            return values
        out = values.astype(np.float32)
        out *= self._gains[list(bands)].astype(np.float32)
        out += self._offsets[list(bands)].astype(np.float32)
        if self._nodata is not None:
            out[values == self._nodata] = np.nan
        return out


def scaling(gains: NDArray[np.float64], offsets: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the gain and the offset that all bands share, or None where they differ."""
    if gains.size and np.all(gains == gains[0]) and np.all(offsets == offsets[0]):
        return float(gains[0]), float(offsets[0])
    return None


def check_scaling(gains: NDArray[np.float64], offsets: NDArray[np.float64]) -> bool:
    """Return whether gains and offsets can be used: finite, no gain of 0."""
    return bool(np.isfinite(gains).all() and np.isfinite(offsets).all() and (gains != 0).all())


def by_wavelength(nm: NDArray[np.float64]) -> list[int]:
    """Return the order that sorts bands by wavelength; unknown ones last, ties as they were."""
    return [int(i) for i in np.argsort(np.where(np.isfinite(nm), nm, np.inf), kind="stable")]


def take(
    order: Sequence[int],
    nm: NDArray[np.float64],
    fwhm: NDArray[np.float64] | None,
    good: NDArray[np.bool_] | None,
) -> BandTable:
    """Return the band table in another order."""
    chosen = list(order)
    return BandTable.build(
        len(chosen),
        wavelength_nm=nm[chosen],
        fwhm_nm=None if fwhm is None else fwhm[chosen],
        good=None if good is None else good[chosen],
    )
