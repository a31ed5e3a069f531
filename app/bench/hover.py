"""``bench hover``: from the mouse's move to the drawn spectrum, against bare pyqtgraph."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.bench.opening import drop_cache, write
from app.bench.table import Series, in_process

MOVES = 200


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure each order, warm and cold."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="clearband-bench-") as folder:
        for order in ("bsq", "bil", "bip"):
            path = write(Path(folder), order, size_gb)
            for state in ("cold", "warm"):
                if state == "cold":
                    drop_cache(path)
                ours = in_process(clearband, str(path), state == "cold")
                if state == "cold":
                    drop_cache(path)
                theirs = in_process(pyqtgraph, str(path), state == "cold")
                results[f"{order}_{state}"] = {
                    "clearband_ms": Series(tuple(ours)).to_dict(),
                    "pyqtgraph_ms": Series(tuple(theirs)).to_dict(),
                }
            path.unlink()
    return results


def clearband(path: str, cold: bool) -> list[float]:
    """Move over a scene with the real dock, jobs on threads."""
    from qtpy.QtWidgets import QApplication

    from app.bridge import Bridge
    from backends.io import open_scene
    from backends.jobs import ThreadRunner
    from backends.workspace import Workspace
    from widgets.spectrum_dock import SpectrumDock

    application = QApplication.instance() or QApplication([])
    bridge = Bridge(lambda error, details="": None)
    workspace = Workspace(ThreadRunner(), dispatch=bridge.main_thread_dispatch)
    scene = open_scene(path)
    workspace.add_scene(scene)
    dock = SpectrumDock(workspace)
    dock.resize(1100, 200)
    dock.show()
    drawn: list[bool] = []
    show = dock.plot.show_hover
    dock.plot.show_hover = lambda values: (show(values), drawn.append(True))  # type: ignore
    times = []
    for row, col in _places(scene.shape, cold):
        drawn.clear()
        started = time.perf_counter()
        workspace.cursor_moved.emit(scene.id, row, col)
        while not drawn:
            application.processEvents()
        dock.plot.widget.viewport().repaint()
        times.append(1000 * (time.perf_counter() - started))
    workspace.close()
    dock.close()
    return times[5:]


def pyqtgraph(path: str, cold: bool) -> list[float]:
    """The same with a memory map and one curve."""
    import pyqtgraph as pg
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    side = round((Path(path).stat().st_size / 800) ** 0.5)
    order = Path(path).suffix[1:]
    shape = {"bsq": (400, side, side), "bil": (side, 400, side), "bip": (side, side, 400)}[order]
    cube = np.memmap(path, np.int16, "r", shape=shape)
    widget = pg.PlotWidget()
    widget.resize(1100, 200)
    widget.show()
    curve = widget.plot(np.zeros(400))
    times = []
    for row, col in _places((side, side, 400), cold):
        started = time.perf_counter()
        key = {"bsq": (slice(None), row, col), "bil": (row, slice(None), col)}.get(order)
        curve.setData(np.array(cube[key] if key else cube[row, col], float))
        application.processEvents()
        widget.viewport().repaint()
        times.append(1000 * (time.perf_counter() - started))
    widget.close()
    return times[5:]


def _places(shape: tuple[int, int, int], cold: bool) -> list[tuple[int, int]]:
    rng = np.random.default_rng(1 if cold else 0)
    rows = rng.integers(0, shape[0], MOVES + 5)
    cols = rng.integers(0, shape[1], MOVES + 5)
    if not cold:  # the same few pixels, so that their pages are there
        rows, cols = rows % 8, cols % 8
    return [(int(r), int(c)) for r, c in zip(rows, cols, strict=True)]
