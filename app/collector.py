"""Garbage is collected on the window's thread only.

Python collects in whichever thread allocates next, often a worker's. What goes then may hold
plots, pens or OpenGL buffers, which only the window's thread may free: now and then the process
dies. So the automatic collector rests while a window is open, and a timer does its work.
"""

from __future__ import annotations

import gc
import time

from PyQt6.QtCore import QObject, QTimer

INTERVAL_MS = 100
FULL_EVERY_S = 30.0


class Collector(QObject):
    """Collects by Python's own thresholds, from the thread that made it.

    Parameters
    ----------
    parent : QObject, optional
        What it lives as long as.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        self._last_full = time.monotonic()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.collect_if_due)
        self._timer.start()

    def collect_if_due(self) -> None:
        """Collect the youngest generations whose threshold is passed; all of them seldom."""
        counts, thresholds = gc.get_count(), gc.get_threshold()
        if counts[2] > thresholds[2] and time.monotonic() - self._last_full > FULL_EVERY_S:
            self._last_full = time.monotonic()
            gc.collect()
        elif counts[1] > thresholds[1]:
            gc.collect(1)
        elif counts[0] > thresholds[0]:
            gc.collect(0)

    def stop(self) -> None:
        """Give the work back to Python."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()
