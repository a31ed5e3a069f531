"""``bench hover``: from the mouse's move to the drawn spectrum, against bare pyqtgraph.

A band-by-band file is measured as it is, then with the copy ordered by pixel that the
window makes in the background; the copy is taken only after both gave the same spectra.
"""

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
                results[f"{order}_{state}"] = _pair(ours, theirs)
            if order == "bsq":
                results |= _with_copy(path, results)
            path.unlink()
    return results


def _pair(ours: list[float], theirs: list[float]) -> dict[str, Any]:
    a, b = Series(tuple(ours)).to_dict(), Series(tuple(theirs)).to_dict()
    return {"clearband_ms": a, "pyqtgraph_ms": b, "p95_ratio": round(a["p95"] / b["p95"], 2)}


def _with_copy(path: Path, so_far: dict[str, Any]) -> dict[str, Any]:
    """Make the copy, compare it, and hover over it cold and warm."""
    made = in_process(make_copy, str(path))
    copy = Path(made["path"])
    found: dict[str, Any] = {"bsq_copy": {k: v for k, v in made.items() if k != "path"}}
    try:
        for state in ("cold", "warm"):
            if state == "cold":
                drop_cache(copy)
                drop_cache(path)
            ours = in_process(clearband, str(path), state == "cold")
            theirs = so_far[f"bsq_{state}"]["pyqtgraph_ms"]
            series = Series(tuple(ours)).to_dict()
            found[f"bsq_copy_{state}"] = {"clearband_ms": series, "pyqtgraph_ms": theirs}
    finally:
        copy.unlink(missing_ok=True)
    return found


def make_copy(path: str) -> dict[str, Any]:
    """Write the copy of a file and say how long it took."""
    from app.bench.rss import Peak
    from backends.io import open_scene, spectral_cache

    with open_scene(path) as scene:
        places = _places(scene.shape, True)[:40]
        before = [scene.spectrum(row, col) for row, col in places]
        peak, started = Peak(), time.perf_counter()
        made = spectral_cache.make_copy(scene, limit_bytes=1 << 50)
        seconds = time.perf_counter() - started
        grown = peak.growth()
        attached = spectral_cache.attach(scene)
        after = [scene.spectrum(row, col) for row, col in places]
    equal = attached and all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    return {
        "path": str(made),
        "equal": equal,
        "seconds": seconds,
        "rss_growth_mb": round(grown / 2**20, 1),
    }


def clearband(path: str, cold: bool) -> list[float]:
    """Move over a scene with the real dock, jobs on threads."""
    from qtpy.QtWidgets import QApplication

    from app.bridge import Bridge
    from backends.io import open_scene, spectral_cache
    from backends.jobs import ThreadRunner
    from backends.workspace import Workspace
    from widgets.spectrum_dock import SpectrumDock

    application = QApplication.instance() or QApplication([])
    bridge = Bridge(lambda error, details="": None)
    workspace = Workspace(ThreadRunner(), dispatch=bridge.main_thread_dispatch)
    scene = open_scene(path)
    spectral_cache.attach(scene)
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
