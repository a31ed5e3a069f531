"""``bench heartbeat``: how evenly the window's thread beats while a network trains."""

from __future__ import annotations

import time
from typing import Any

from app.bench.table import Series, in_process


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure idle and busy in one window."""
    return dict(in_process(beat))


def beat() -> dict[str, Any]:
    """Count the gaps of a 10 ms timer, idle and while training."""
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtWidgets import QApplication

    from app.tour import wait_for
    from app.window import build
    from backends.io.labels import open_labels
    from backends.simulate import demo_scene

    window = build(show=True)
    window.opener.open_sample("demo")
    wait_for(window, lambda: bool(window.workspace.scenes), "the scene")
    wait_for(window, lambda: not window.workspace.running_jobs(), "the pictures")
    window.show_dock("classify")
    gaps: list[float] = []
    last = [time.perf_counter()]

    def tick() -> None:
        now = time.perf_counter()
        gaps.append(1000 * (now - last[0]))
        last[0] = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    timer.start(10)

    def listen(seconds: float) -> tuple[float, ...]:
        gaps.clear()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            QApplication.processEvents()
            time.sleep(0.0005)
        return tuple(gaps)

    listen(2)
    idle = listen(8)
    scene = window.workspace.active_scene
    assert scene is not None
    labels = open_labels(demo_scene("valley")[1])
    window.workspace.set_labels(scene.id, labels.values, labels.class_names)
    dock = window.docks["classify"].inner
    dock.model_box.setCurrentIndex(dock.model_box.findData("es_mhc"))
    dock.go_button.click()

    def training() -> bool:
        jobs = window.workspace.running_jobs()
        return any(h.progress.unit == "steps" and h.progress.done > 0 for h in jobs)

    wait_for(window, training, "the first step")  # torch is imported until then
    busy = listen(15)
    still = training()
    started = time.perf_counter()
    for handle in window.workspace.running_jobs():
        handle.cancel()
    wait_for(window, lambda: not window.workspace.running_jobs(), "the end")
    stopped = time.perf_counter() - started
    window.close()

    def p99(values: tuple[float, ...]) -> float:
        return sorted(values)[int(0.99 * len(values))]

    return {
        "idle_ms": Series(idle).to_dict() | {"p99": p99(idle)},
        "busy_ms": Series(busy).to_dict() | {"p99": p99(busy)},
        "was_training": still,
        "cancel_s": stopped,
    }
