"""Pixels of Zarr arrays: only the pieces that a window touches are read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.scene import Array, Window


class ZarrPixels:
    """Levels of a pyramid in one store.

    Parameters
    ----------
    path : Path
        Folder or zip file.
    levels : sequence of str
        Paths of the arrays, full size first.
    axes : (row axis, column axis, band axis or None)
    fixed : dict of int to int
        What is chosen along the other axes.
    """

    def __init__(
        self,
        path: Path,
        levels: Sequence[str],
        axes: tuple[int, int, int | None],
        fixed: dict[int, int],
    ) -> None:
        import zarr
        from zarr.storage import LocalStore, ZipStore

        self._store: Any = (
            ZipStore(path, mode="r") if path.is_file() else LocalStore(path, read_only=True)
        )
        self._arrays: list[Any] = [
            zarr.open_array(self._store, path=level or None, mode="r") for level in levels
        ]
        self._axes, self._fixed = axes, fixed
        row, col, band = axes
        first = self._arrays[0].shape
        self.shape = (int(first[row]), int(first[col]), 1 if band is None else int(first[band]))
        stored = np.dtype(self._arrays[0].dtype).newbyteorder("=")
        self.dtype: np.dtype[Any] = np.dtype(np.uint8) if stored.kind == "b" else stored
        self.level_shapes: Sequence[tuple[int, int]] = [
            (int(a.shape[row]), int(a.shape[col])) for a in self._arrays
        ]
        chunk_bands = 1 if band is None else int(self._arrays[0].chunks[band])
        self.layout = "tiled" if chunk_bands > 1 or self.shape[2] < 8 else "bsq"
        # A zip file is read through one handle.
        self._lock = threading.Lock() if path.is_file() else None

    def read(self, window: Window, bands: Sequence[int], level: int) -> Array:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        array = self._arrays[level]
        row, col, band = self._axes
        rows, cols = window.slices
        key: list[Any] = [self._fixed.get(axis, 0) for axis in range(array.ndim)]
        key[row], key[col] = rows, cols
        listed = list(bands)
        wanted = sorted(set(listed))
        if band is not None:
            dense = wanted[-1] - wanted[0] + 1 == len(wanted)
            key[band] = slice(wanted[0], wanted[-1] + 1) if dense else wanted
        try:
            if self._lock is None:
                got = np.asarray(array.oindex[tuple(key)])
            else:
                with self._lock:
                    got = np.asarray(array.oindex[tuple(key)])
        except Exception as error:  # each codec fails on damaged pieces in its own way
            raise ValueError(f"a piece of the store is damaged: {error}") from error
        kept = [axis for axis in range(array.ndim) if axis not in self._fixed]
        order = [kept.index(axis) for axis in (row, col)]
        if band is None:
            return self._native(got.transpose(order)[:, :, None])
        got = got.transpose([*order, kept.index(band)])
        if listed != wanted:
            got = got[:, :, [wanted.index(b) for b in listed]]
        return self._native(got)

    def _native(self, values: Array) -> Array:
        return np.ascontiguousarray(values, dtype=self.dtype)

    def close(self) -> None:
        """Close the store."""
        self._store.close()
