"""How evenly the window's thread beats, and what it was at in the beats that came late."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from app.bench.table import Series

BEAT_MS = 10
# A beat later than this is a stutter that people see.
LATE_MS = 30.0
_LOOK_S = 0.003

# What a thread is at, told from the files and functions of its stack, innermost first.
_SIGNS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("reading pixels", (("backends/io/", ""), ("openslide", ""), ("backends/composite", "PlaneL"))),
    ("pictures to OpenGL", (("vispy/gloo/texture", ""), ("visuals/image", "_build_texture"))),
    ("OpenGL calls", (("vispy/gloo/", ""), ("OpenGL/", ""))),
    ("napari's drawing", (("vispy/", ""), ("napari/_vispy/", ""))),
    ("values into layers", (("napari/layers/", ""), ("app/layers", ""), ("app/map_levels", ""))),
    ("docks and lists", (("widgets/", ""), ("app/overlay_layers", ""), ("app/", ""))),
    ("napari's own windows", (("napari/", ""),)),
)
# No Python under the loop: Qt paints, puts its windows together, or waits for OpenGL.
LOOP = "Qt's loop: painting, putting windows together, OpenGL"


class Beats:
    """A 10 ms timer on the window's thread and a look at its stack every 3 ms.

    Must be made on that thread.
    """

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self._gaps: list[tuple[float, float, float]] = []
        self._last = (time.perf_counter(), time.thread_time())
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._main = threading.get_ident()
        self._seen: list[tuple[float, str]] = []
        self._stop = threading.Event()

    def _tick(self) -> None:
        now = time.perf_counter(), time.thread_time()
        gap = 1000 * (now[0] - self._last[0])
        self._gaps.append((now[0], gap, 1000 * (now[1] - self._last[1])))
        self._last = now

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_S):
            frame = sys._current_frames().get(self._main)
            self._seen.append((time.perf_counter(), _at(frame)))

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count while the block runs."""
        self._gaps.clear()
        self._seen.clear()
        self._stop.clear()
        looker = threading.Thread(target=self._look, name="look at the stack", daemon=True)
        self._last = (time.perf_counter(), time.thread_time())
        self._timer.start(BEAT_MS)
        looker.start()
        try:
            yield
        finally:
            self._timer.stop()
            self._stop.set()
            looker.join()

    def listen(self, seconds: float) -> dict[str, Any]:
        """Let the window live for so long and return its beats, see `result`."""
        from qtpy.QtWidgets import QApplication

        with self.counting():
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                QApplication.processEvents()
                time.sleep(0.0005)
        return self.result()

    def result(self) -> dict[str, Any]:
        """Return the gaps, what the thread computed in each, and where the late ones went.

        Returns
        -------
        dict
            ``gap`` and ``own`` in ms with count, median, 95th and 99th percentile; ``late``
            (how many over 30 ms) and ``late_at`` (part of their time by what it went to).
        """
        out: dict[str, Any] = {}
        for name, column in (("gap", 1), ("own", 2)):
            values = sorted(found[column] for found in self._gaps)
            out[name] = Series(tuple(values)).to_dict() | {"p99": values[int(0.99 * len(values))]}
        late = [(end - gap / 1000, end) for end, gap, _ in self._gaps if gap > LATE_MS]
        seen = Counter(
            what for when, what in self._seen if any(start <= when <= end for start, end in late)
        )
        total = max(1, sum(seen.values()))
        out["late"] = len(late)
        out["late_at"] = {what: round(count / total, 3) for what, count in seen.most_common()}
        return out


def _at(frame: FrameType | None) -> str:
    """Return what a stack is about: its innermost frame that says so."""
    while frame is not None:
        file, name = frame.f_code.co_filename, frame.f_code.co_qualname
        if "app/bench/" not in file:
            for what, signs in _SIGNS:
                if any(part in file and start in name for part, start in signs):
                    return what
        frame = frame.f_back
    return LOOP
