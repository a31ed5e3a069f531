"""Features on disk: one memory-mapped array an image, found again by digests, bounded.

The key holds the encoder's digest and the scene's, so that nothing stale is ever found.
Arrays are float16, written beside and renamed; what was used longest ago goes first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.encoders import Encoder, Features
from backends.io.writers.atomic import replacing, write_text
from backends.jobs import Progress
from backends.overlays import Placement
from backends.scene import Scene

LIMIT_BYTES = 4 << 30


class FeatureCache:
    """Where features are kept.

    Parameters
    ----------
    folder : Path, optional
        Default: the user's cache.
    limit_bytes : int
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder = folder or default_folder()
        self.limit_bytes = limit_bytes

    def features(
        self, encoder: Encoder, scene: Scene, progress: Progress | None = None
    ) -> Features:
        """Return the features of a scene: kept ones, or made now and kept."""
        # One file may hold several cubes of one shape: how it was opened says which.
        opened = sorted(scene.info.options.items())
        told = f"{encoder.digest} {scene.digest} {scene.shape} {opened}"
        key = hashlib.sha256(told.encode()).hexdigest()
        found = self._read(key)
        if found is None:
            made = encoder.encode(scene, progress)
            self._write(key, made)
            found = self._read(key) or made
        return found

    @property
    def used_bytes(self) -> int:
        """Bytes on disk."""
        return sum(p.stat().st_size for p in self.folder.glob("*.npy"))

    def _read(self, key: str) -> Features | None:
        path = self.folder / f"{key}.npy"
        try:
            about = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            values = np.load(path, mmap_mode="r", allow_pickle=False)
            grid = int(about["grid"][0]), int(about["grid"][1])
            if values.ndim != 2 or len(values) != grid[0] * grid[1]:
                return None
            os.utime(path)  # used just now
            return Features(values, grid, Placement(*about["placement"]), tuple(about["notes"]))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None

    def _write(self, key: str, made: Features) -> None:
        largest = np.finfo(np.float16).max
        values = np.clip(made.values, -largest, largest).astype(np.float16)
        if values.nbytes > self.limit_bytes:
            return
        place = made.placement
        about = {
            "grid": list(made.grid), "notes": list(made.notes),
            "placement": [place.row, place.col, place.row_step, place.col_step],
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.folder / f"{key}.npy") as inner, inner.open("wb") as stream:
            np.save(stream, values, allow_pickle=False)
        write_text(self.folder / f"{key}.json", json.dumps(about))
        self._make_room(key)

    def _make_room(self, keep: str) -> None:
        files = sorted(self.folder.glob("*.npy"), key=lambda p: p.stat().st_mtime)
        total = sum(p.stat().st_size for p in files)
        for path in files:
            if total <= self.limit_bytes:
                return
            if path.stem == keep:
                continue
            total -= path.stat().st_size
            for gone in (path, path.with_suffix(".json")):
                with contextlib.suppress(OSError):  # open elsewhere: next time
                    gone.unlink()


class Stack:
    """Features of many images as one table of patches; rows are read when asked for.

    Parameters
    ----------
    parts : sequence of arrays of shape (patches, d)
    """

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        self.parts = list(parts)
        self._ends = np.cumsum([len(p) for p in self.parts]).tolist()

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._ends else 0

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.empty((len(rows), self.parts[0].shape[1]), np.float32)
        which = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(which):
            mine = which == number
            begin = self._ends[number - 1] if number else 0
            out[mine] = self.parts[int(number)][rows[mine] - begin]
        return out

    def place_of(self, row: int) -> tuple[int, int]:
        """Return the image of a patch and its number there."""
        number = bisect_right(self._ends, row)
        return number, row - (self._ends[number - 1] if number else 0)


def default_folder() -> Path:
    """Return the folder of the user's cache for features."""
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "features"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "features"
