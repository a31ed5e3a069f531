"""One memory budget for every cache of the process: least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class MemoryBudget:
    """A byte-bounded store of arrays shared by all scenes.

    Parameters
    ----------
    limit_bytes : int, optional
        Largest total; default a quarter of the machine's memory, at most 4 GiB.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        if limit_bytes is None:
            import psutil

            limit_bytes = min(psutil.virtual_memory().total // 4, 4 << 30)
        self.limit_bytes = int(limit_bytes)
        self._held: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def get(self, key: Hashable) -> NDArray[Any] | None:
        """Return the array stored under ``key`` and mark it as used, or None."""
        with self._lock:
            value = self._held.get(key)
            if value is not None:
                self._held.move_to_end(key)
            return value

    def put(self, key: Hashable, value: NDArray[Any]) -> None:
        """Keep an array; what was used longest ago makes room. Too large is not kept."""
        with self._lock:
            self._drop(key)
            if value.nbytes > self.limit_bytes // 2:
                return
            self._held[key] = value
            self._bytes += value.nbytes
            while self._bytes > self.limit_bytes:
                self._drop(next(iter(self._held)))

    def get_or_make(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the stored array, or make, store and return it."""
        value = self.get(key)
        if value is None:
            value = np.asarray(make())
            self.put(key, value)
        return value

    def forget(self, owner: Hashable) -> None:
        """Drop every array whose key is a tuple that starts with ``owner``."""
        with self._lock:
            mine = [k for k in self._held if isinstance(k, tuple) and k and k[0] == owner]
            for key in mine:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        value = self._held.pop(key, None)
        if value is not None:
            self._bytes -= value.nbytes


_shared: MemoryBudget | None = None


def budget() -> MemoryBudget:
    """Return the budget of this process."""
    global _shared
    if _shared is None:
        _shared = MemoryBudget()
    return _shared
