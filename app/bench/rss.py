"""Peak memory of a stretch of a program: the highest resident set since a mark."""

from __future__ import annotations

import threading
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Peak:
    """Begins to watch when made.

    Linux keeps the high-water mark itself and lets a process reset it; elsewhere a
    thread looks every 5 ms.
    """

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        self._before = self._highest = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        try:
            _CLEAR.write_text("5")
        except OSError:
            self._thread = threading.Thread(target=self._look, daemon=True)
            self._thread.start()

    def growth(self) -> int:
        """Return by how many bytes the resident set grew at most."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            return max(0, self._highest - self._before)
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return max(0, int(line.split()[1]) * 1024 - self._before)
        return 0

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            self._highest = max(self._highest, self._process.memory_info().rss)
