"""``bench slide``: a heatmap streams over a 100,000 × 80,000 pixel slide while one looks around.

The slide is made here (see `app.bench.slide_file`) and opens like any other. Measured in the
real window: the gaps of a 10 ms timer while tiles come in and the view moves and zooms, the
time from asking to stop to the end against the longest time of a tile, and the memory. The
network is MobileNetV2 with the weights under ``CLEARBAND_DATA``; without them one of random
weights, which costs the same and says so.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from app.bench.table import Series, in_process

ROWS, COLS = 80_000, 100_000
# The region that is explained, in pixels of the full resolution.
REGION = (24_000, 44_000, 24_000, 24_000)
LISTEN_S = 40.0


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Make the slide and measure in a process of its own."""
    from app.bench.slide_file import write_slide

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.svs"
        write_slide(path, ROWS, COLS)
        found = dict(in_process(stream, str(path), LISTEN_S))
        found["file_mb"] = round(path.stat().st_size / 1e6, 1)
    return found


def stream(path: str, seconds: float) -> dict[str, Any]:
    """Open a slide, explain a large region, look around meanwhile, stop."""
    import psutil
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtWidgets import QApplication

    from app.tour import wait_for
    from app.window import build
    from backends.explain.heatmaps import Request
    from backends.explain.streaming import stream_region
    from backends.scene import Window

    classifier, weights = _network()
    window = build(show=True)
    window.qt_window.resize(1600, 1000)
    window.open_paths([path])
    wait_for(window, lambda: bool(window.workspace.scenes), "the slide")
    wait_for(window, lambda: not window.workspace.running_jobs(), "the picture")
    scene = window.workspace.active_scene
    assert scene is not None
    process = psutil.Process()
    gaps: list[tuple[float, float]] = []
    memory: list[int] = []
    last = [time.perf_counter(), time.thread_time()]
    look = _Looking(window, scene)

    def tick() -> None:
        now = time.perf_counter(), time.thread_time()
        gaps.append((1000 * (now[0] - last[0]), 1000 * (now[1] - last[1])))
        last[:] = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    timer.start(10)
    mover = QTimer()
    mover.timeout.connect(look.step)

    def listen(length: float) -> tuple[tuple[float, float], ...]:
        gaps.clear()
        last[:] = time.perf_counter(), time.thread_time()
        until = last[0] + length
        while time.perf_counter() < until:
            QApplication.processEvents()
            time.sleep(0.0005)
            if len(gaps) % 20 == 0:
                memory.append(process.memory_info().rss)
        return tuple(gaps)

    listen(2)
    idle = listen(8)
    mover.start(50)
    moving = listen(15)
    mover.stop()
    before = process.memory_info().rss
    top, left, height, width = REGION
    request = Request("grad_cam", wanted=0, untrained=True)
    started = time.perf_counter()
    handle = stream_region(
        window.workspace, classifier, scene, request, Window(top, left, height, width)
    )
    wait_for(window, lambda: bool(window.workspace.overlays), "the first tiles")
    first = time.perf_counter() - started
    done = handle.progress.done
    began = time.perf_counter()
    resting = listen(seconds / 2)
    mover.start(50)
    busy = listen(seconds / 2)
    mover.stop()
    state = handle.progress
    tile = (time.perf_counter() - began) / max(1.0, state.done - done)
    still = not handle.state.is_final
    overlay = next(iter(window.workspace.overlays.values()))
    covered = float((overlay.values == overlay.values).mean())
    asked = time.perf_counter()
    handle.cancel()
    wait_for(window, lambda: handle.state.is_final, "the end")
    stopped = time.perf_counter() - asked
    peak = max(memory)
    window.close()
    return {
        "network": f"MobileNetV2, {weights}",
        "method": "Grad-CAM",
        "slide": [ROWS, COLS, 3],
        "levels": len(scene.level_shapes),
        "region": [height, width],
        "tiles": state.total,
        "tiles_done": state.done,
        "covered": covered,
        "map_cells": list(overlay.values.shape),
        "first_tiles_s": first,
        "tile_s": tile,
        "idle_ms": _beat(idle),
        "looking_around_ms": _beat(moving),
        "streaming_ms": _beat(resting),
        "streaming_and_looking_around_ms": _beat(busy),
        "was_streaming": still,
        "cancel_s": stopped,
        "memory_before_mb": before / 1e6,
        "memory_peak_mb": peak / 1e6,
    }


class _Looking:
    """Moves and zooms the view over the region as somebody at work would."""

    def __init__(self, window: Any, scene: Any) -> None:
        self._camera, self._frame = window.viewer.scene.camera, window.canvas.stage.frame(scene)
        self._number = 0

    def step(self) -> None:
        """One small move; every two seconds another magnification."""
        self._number += 1
        top, left, height, width = REGION
        part = (self._number % 400) / 400
        row, col = top + height * part, left + width * (0.5 + 0.4 * (part - 0.5))
        y, x = self._frame.to_canvas(row, col)
        self._camera.center = (0.0, y, x)
        if self._number % 40 == 0:
            wide = (1500, 6000, 24_000, 90_000)[(self._number // 40) % 4]
            self._camera.zoom = 1000 / (wide * self._frame.width)


def _network() -> tuple[Any, str]:
    from backends.explain import shelf

    folder = os.environ.get("CLEARBAND_DATA")
    file = Path(folder or ".") / "weights" / "imagenet" / "mobilenetv2_100_timm.safetensors"
    if folder and file.is_file():
        return shelf.load(str(file)), "ImageNet weights"
    return shelf.load("mobilenetv2_100", untrained=True), "random weights"


def _beat(values: tuple[tuple[float, float], ...]) -> dict[str, Any]:
    """Return the gaps and what the thread computed in each, in milliseconds."""
    out = {}
    for name, column in zip(("gap", "own"), zip(*values, strict=True), strict=True):
        ordered = sorted(column)
        out[name] = Series(column).to_dict() | {"p99": ordered[int(0.99 * len(ordered))]}
    return out
