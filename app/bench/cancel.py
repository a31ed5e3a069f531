"""``bench cancel``: from asking to the end, in a training and in a mapping."""

from __future__ import annotations

import time
from typing import Any

from app.bench.table import Series, in_process


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Start, let it run a little, stop."""
    found = [in_process(stop_training) for _ in range(rounds)]
    return {"training_s": Series(tuple(f["seconds"] for f in found)).to_dict()}


def stop_training() -> dict[str, Any]:
    """Stop a training on the demo scene after three seconds of steps."""
    from backends.hyperspectral.classify import classify
    from backends.io import open_scene
    from backends.io.labels import open_labels
    from backends.jobs import Job, JobHandle, ThreadRunner
    from backends.simulate import demo_scene

    data, truth = demo_scene("valley")
    runner = ThreadRunner()
    with open_scene(data) as scene:
        labels = open_labels(truth)
        job = Job("train", lambda progress: classify(scene, labels, "es_mhc", progress=progress))
        handle: JobHandle[Any] = JobHandle(job)
        runner.submit(handle)
        while handle.progress.unit != "steps" or handle.progress.done < 3:
            time.sleep(0.05)
        started = time.perf_counter()
        handle.cancel()
        while not handle.state.is_final:
            time.sleep(0.001)
        seconds = time.perf_counter() - started
        runner.shutdown()
    return {"seconds": seconds}
