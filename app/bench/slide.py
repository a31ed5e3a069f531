"""``bench slide``: a heatmap streams over a 100,000 × 80,000 pixel slide while one looks around.

The slide is made here (see `app.bench.slide_file`) and opens like any other. Measured in the
real window: the gaps of a 10 ms timer while tiles come in and the view moves and zooms, and
what the late ones went to; how soon a picture is sharp after a jump; the time from asking to
stop to the end against the longest time of a tile, and the memory. A plain napari window with
one still picture, panned in the same way, gives what this machine's drawing costs. The network is
MobileNetV2 with the weights under ``CLEARBAND_DATA``; without them one of random weights, which
costs the same and says so.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from app.bench.beats import Beats
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
        load = [os.getloadavg()[0]]
        found = dict(in_process(stream, str(path), LISTEN_S))
        load.append(os.getloadavg()[0])
        found["bare_napari"] = in_process(bare, *found["canvas"])
        # Of other programs, too: beats are late where the processor is taken.
        found["load_before_between_after"] = [*load, os.getloadavg()[0]]
        found["file_mb"] = round(path.stat().st_size / 1e6, 1)
    return found


def stream(path: str, seconds: float) -> dict[str, Any]:
    """Open a slide, explain a large region, look around meanwhile, stop."""
    import psutil
    from qtpy.QtCore import QTimer

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
    memory: list[int] = []
    look = _Looking(window, scene)
    beats = Beats()
    mover = QTimer()
    mover.timeout.connect(look.step)
    taster = QTimer()
    taster.timeout.connect(lambda: memory.append(process.memory_info().rss))
    taster.start(200)
    listen = beats.listen

    listen(2)
    idle = listen(8)
    mover.start(50)
    moving = listen(15)
    mover.stop()
    sharp = [look.jump(number) for number in range(8)]
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
    taster.stop()
    peak = max(memory)
    canvas = list(window.viewer.canvas.size)
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
        "canvas": canvas,
        "idle_ms": idle,
        "looking_around_ms": moving,
        "sharp_after_s": Series(tuple(sharp)).to_dict(),
        "streaming_ms": resting,
        "streaming_and_looking_around_ms": busy,
        "was_streaming": still,
        "cancel_s": stopped,
        "memory_before_mb": before / 1e6,
        "memory_peak_mb": peak / 1e6,
    }


def bare(height: int, width: int) -> dict[str, Any]:
    """Return the beats of a plain napari window of the same canvas: one image, panned.

    What its drawing costs here nobody who draws with napari on this machine can go below.
    """
    import napari
    import numpy as np
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    picture = np.random.default_rng(0).integers(0, 255, (2 * height, 2 * width, 3), np.uint8)
    viewer.add_image(picture, rgb=True)
    main = viewer.window._qt_window
    main.resize(1600, 1000)
    for _ in range(3):
        QApplication.processEvents()
        have = viewer.canvas.size
        main.resize(main.width() + width - have[1], main.height() + height - have[0])
    beats = Beats()
    beats.listen(2)
    idle = beats.listen(5)
    number = 0

    def step() -> None:
        nonlocal number
        number += 1
        part = (number % 400) / 400
        viewer.scene.camera.center = (0.0, height * (0.5 + part), width * (0.6 + 0.8 * part))
        if number % 40 == 0:
            viewer.scene.camera.zoom = (0.7, 1.0, 1.5, 2.0)[(number // 40) % 4]

    mover = QTimer()
    mover.timeout.connect(step)
    mover.start(50)
    moving = beats.listen(15)
    mover.stop()
    size = list(viewer.canvas.size)
    viewer.close()
    return {"canvas": size, "idle_ms": idle, "moving_ms": moving}


class _Looking:
    """Moves and zooms the view over the region as somebody at work would."""

    def __init__(self, window: Any, scene: Any) -> None:
        self._camera, self._frame = window.viewer.scene.camera, window.canvas.stage.frame(scene)
        self._layers = window.viewer.layers
        self._number = 0

    def jump(self, number: int) -> float:
        """Look elsewhere at once and return the seconds until the picture is sharp."""
        top, left, height, width = REGION
        row, col = top + height * (0.1 + 0.1 * number), left + width * (0.9 - 0.1 * number)
        self._camera.center = (0.0, *self._frame.to_canvas(row, col))
        self._camera.zoom = 1000 / ((1200, 5000)[number % 2] * self._frame.width)
        from app.followed import wait_until_sharp

        asked = time.perf_counter()
        wait_until_sharp(self._layers)
        return time.perf_counter() - asked

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
