"""Raw interleaved pixels (BSQ, BIL, BIP), read piece by piece with positioned reads.

Not memory-mapped: mapped pages count as the process's memory, and a cold map of
a BIL file is read six times slower than with plain reads.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.scene import Window

Array = NDArray[Any]

# One read is at most this long, so that cancelling and memory stay small.
CHUNK_BYTES = 8 << 20
# Gaps shorter than this are read over: a seek costs more.
GAP_BYTES = 64 << 10
PIECE_BYTES = 4 << 20
_SPREAD = 16
WORKERS = 2
_SLOW_ROW_S = 0.5e-3


class RawPixels:
    """Pixels of a flat file.

    Large images offer decimated levels: level k keeps every 2^k-th row and
    column (nearest neighbour, no averaging), so that a first picture needs a
    small part of the file.

    Parameters
    ----------
    path : Path
    shape : (rows, cols, bands)
    dtype : numpy dtype with byte order
    layout : "bsq", "bil" or "bip"
    offset : int
        Bytes before the first pixel.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        layout: str,
        offset: int = 0,
    ) -> None:
        self._path = path
        self.shape = shape
        self._stored = np.dtype(dtype)
        self._complex = self._stored.kind == "c"
        self.dtype = np.dtype(np.float32) if self._complex else self._stored.newbyteorder("=")
        self.layout = layout
        self._offset = offset
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        rows, cols, _ = shape
        self._steps = [1]
        while max(rows, cols) // self._steps[-1] > 512:
            self._steps.append(self._steps[-1] * 2)
        self.level_shapes: Sequence[tuple[int, int]] = [
            (-(-rows // s), -(-cols // s)) for s in self._steps
        ]
        if hasattr(os, "posix_fadvise") and layout == "bsq":
            # Readahead over other bands is wasted for spectra; long reads do not need it.
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_RANDOM)

    def read(self, window: Window, bands: Sequence[int], level: int) -> Array:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        step = self._steps[level]
        if step > 1:
            out = self._read_decimated(window, bands, step)
        elif self.layout == "bsq":
            out = self._read_bsq(window, bands)
        elif self.layout == "bil":
            out = self._read_bil(window, bands)
        else:
            out = self._read_bip(window, bands)
        if self._complex:
            return np.abs(out).astype(np.float32)
        return out.astype(self.dtype, copy=False)

    def planes(
        self, window: Window, bands: Sequence[int], buffer: NDArray[np.uint8] | None = None
    ) -> Array:
        """Return whole rows as ``(bands, rows, cols)``; see `backends.scene.Scene.planes`."""
        _, cols, count = self.shape
        every = isinstance(bands, range) and bands.step == 1
        few = self.layout == "bil" and 2 * len(bands) < count
        if self._complex or window.width != cols or few or not (self.layout == "bsq" or every):
            return np.moveaxis(self.read(window, bands, 0), 2, 0)
        if self.layout == "bsq":
            shape = (len(bands), window.height, cols)
        else:
            inner = (count, cols) if self.layout == "bil" else (cols, count)
            shape = (window.height, *inner)
        size = math.prod(shape) * self._stored.itemsize
        if buffer is None or buffer.size < size:
            buffer = np.empty(size, np.uint8)
        out = buffer[:size].view(self._stored).reshape(shape)
        if self.layout == "bsq":
            for i, band in enumerate(bands):
                at = (band * self.shape[0] + window.row) * cols
                self._into(out[i].reshape(-1), at * self._stored.itemsize)
            return out
        self._into(out.reshape(-1), window.row * cols * count * self._stored.itemsize)
        whole = out.transpose((1, 0, 2) if self.layout == "bil" else (2, 0, 1))
        return whole[bands[0] : bands[-1] + 1]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=True)
                self._pool = None
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    # -- the three orders ----------------------------------------------------------------

    def _read_bsq(self, window: Window, bands: Sequence[int]) -> Array:
        rows, cols, _ = self.shape
        size = self._stored.itemsize
        out = np.empty((len(bands), window.height, window.width), self._stored)
        whole_rows = window.width == cols

        def one(i: int) -> None:
            start = ((bands[i] * rows + window.row) * cols + window.col) * size
            if whole_rows or window.height == 1:
                self._into(out[i].reshape(-1), start)
                return
            if (cols - window.width) * size < GAP_BYTES:
                lines = max(1, CHUNK_BYTES // (cols * size))
                for top in range(0, window.height, lines):
                    count = min(lines, window.height - top)
                    length = (count - 1) * cols + window.width
                    flat = np.empty(count * cols, self._stored)
                    self._into(flat[:length], start + top * cols * size)
                    out[i, top : top + count] = flat.reshape(count, cols)[:, : window.width]
                return
            for row in range(window.height):
                self._into(out[i, row], start + row * cols * size)

        if len(bands) > 8 and out[0].nbytes < 1 << 16:
            # A spectrum: many far-apart pages; asked for at once the disk sorts them out.
            list(self._threads().map(one, self._not_in_memory(window, bands, out)))
        else:
            for i in range(len(bands)):
                one(i)
        return (
            np.ascontiguousarray(out.transpose(1, 2, 0)) if len(bands) > 1 else out[0][:, :, None]
        )

    def _not_in_memory(self, window: Window, bands: Sequence[int], out: Array) -> Sequence[int]:
        """Read what the system holds already; return the places in ``bands`` still to be read.

        Threads are for waiting; to copy pages that are there they only get in each other's way.
        """
        now = getattr(os, "RWF_NOWAIT", None)
        if now is None or window.height > 1 or not hasattr(os, "preadv") or self._file < 0:
            return range(len(bands))
        rows, cols, _ = self.shape
        view = memoryview(out.reshape(-1).view(np.uint8).data)
        length = window.width * self._stored.itemsize
        plane = rows * cols * self._stored.itemsize
        first = self._offset + (window.row * cols + window.col) * self._stored.itemsize
        left = []
        for i, band in enumerate(bands):
            piece = [view[i * length : (i + 1) * length]]
            try:
                if os.preadv(self._file, piece, first + band * plane, now) == length:
                    continue
            except BlockingIOError:
                pass
            except OSError:  # this file system cannot tell
                return range(len(bands))
            left.append(i)
        return left

    def _read_bil(self, window: Window, bands: Sequence[int]) -> Array:
        _, cols, count = self.shape
        size = self._stored.itemsize
        line = cols * count * size
        low, high = min(bands), max(bands)
        span = ((high - low) * cols + window.width) * size
        used = len(set(bands)) * window.width * size
        out = np.empty((window.height, window.width, len(bands)), self._stored)
        if (
            span - used < GAP_BYTES
            or used * 2 > span
            or (window.height == 1 and span <= PIECE_BYTES)
        ):
            if used * 2 > line and window.height > 1:
                lines = min(window.height, max(1, CHUNK_BYTES // line))
                flat = np.empty(lines * count * cols, self._stored)
                for top in range(0, window.height, lines):
                    n = min(lines, window.height - top)
                    part = flat[: n * count * cols]
                    self._into(part, (window.row + top) * line)
                    block = part.reshape(n, count, cols)
                    cut = block[:, list(bands), window.col : window.col + window.width]
                    out[top : top + n] = cut.transpose(0, 2, 1)
                return out
            flat = np.empty((high - low) * cols + window.width, self._stored)
            for row in range(window.height):
                self._into(flat, (window.row + row) * line + (low * cols + window.col) * size)
                for i, band in enumerate(bands):
                    at = (band - low) * cols
                    out[row, :, i] = flat[at : at + window.width]
            return out
        some = np.empty(window.width, self._stored)
        for row in range(window.height):
            start = (window.row + row) * line + window.col * size
            for i, band in enumerate(bands):
                self._into(some, start + band * cols * size)
                out[row, :, i] = some
        return out

    def _read_bip(self, window: Window, bands: Sequence[int]) -> Array:
        _, cols, count = self.shape
        pixel = count * self._stored.itemsize
        out = np.empty((window.height, window.width, len(bands)), self._stored)
        every = len(bands) == count and list(bands) == list(range(count))
        whole_rows = window.width == cols
        if whole_rows or (cols - window.width) * pixel < GAP_BYTES:
            if every and whole_rows:
                self._into(out.reshape(-1), window.row * cols * pixel)
                return out
            lines = min(window.height, max(1, PIECE_BYTES // (cols * pixel)))
            # One buffer a thread: a new one for each piece costs more than the reading.
            own = threading.local()

            def take(top: int) -> None:
                if not hasattr(own, "flat"):
                    own.flat = np.empty((lines * cols, count), self._stored)
                n = min(lines, window.height - top)
                start = ((window.row + top) * cols + window.col) * pixel
                length = (n - 1) * cols + window.width
                self._into(own.flat[:length].reshape(-1), start)
                block = own.flat[: n * cols].reshape(n, cols, count)[:, : window.width]
                out[top : top + n] = block if every else block[:, :, list(bands)]

            tops = range(0, window.height, lines)
            if len(tops) > 16:  # one waits for the disk while the other picks the bands
                with ThreadPoolExecutor(WORKERS, thread_name_prefix="pixels") as pool:
                    list(pool.map(take, tops))
            else:
                for top in tops:
                    take(top)
            return out
        flat = np.empty((window.width, count), self._stored)
        for row in range(window.height):
            self._into(flat.reshape(-1), ((window.row + row) * cols + window.col) * pixel)
            out[row] = flat if every else flat[:, list(bands)]
        return out

    def _read_decimated(self, window: Window, bands: Sequence[int], step: int) -> Array:
        """Read every ``step``-th row and keep every ``step``-th column."""
        rows, cols, _ = self.shape
        out = np.empty((window.height, window.width, len(bands)), self._stored)
        first = window.col * step
        width = min((window.width - 1) * step + 1, cols - first)
        reader = {"bsq": self._read_bsq, "bil": self._read_bil, "bip": self._read_bip}[self.layout]

        def one(i: int) -> None:
            row = min((window.row + i) * step, rows - 1)
            out[i] = reader(Window(row, first, 1, width), bands)[0, ::step]

        # What lies in memory is read quickest by one thread; a disk likes many questions at once.
        started = time.perf_counter()
        for i in range(window.height):
            one(i)
            if i >= 8 and len(bands) <= 8 and time.perf_counter() - started > _SLOW_ROW_S * i:
                rest = range(i + 1, window.height)
                if self.layout == "bip":  # long reads, and a buffer in each thread
                    with ThreadPoolExecutor(4, thread_name_prefix="pixels") as pool:
                        list(pool.map(one, rest))
                else:
                    list(self._threads().map(one, rest))
                break
        return out

    # -- the file ------------------------------------------------------------------------

    def _into(self, out: Array, start: int) -> None:
        """Fill a contiguous array from the file.

        Raises
        ------
        EOFError
            The file is shorter than it was.
        """
        view = memoryview(out.reshape(-1).view(np.uint8).data)
        at, end, position = 0, len(view), self._offset + start
        while at < end:
            piece = view[at : min(end, at + CHUNK_BYTES)]
            got = self._read_at(piece, position + at)
            if got <= 0:
                raise EOFError(f"{self._path.name} ends too early")
            at += got

    def _read_at(self, into: memoryview, position: int) -> int:
        if self._file < 0:
            raise BadInput(f"{self._path.name} was closed.", way_out="Open it again.")
        if hasattr(os, "preadv"):
            return os.preadv(self._file, [into], position)
        with self._lock:
            os.lseek(self._file, position, os.SEEK_SET)
            data = os.read(self._file, len(into))
        into[: len(data)] = data
        return len(data)

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_SPREAD, thread_name_prefix="pixels")
            return self._pool
