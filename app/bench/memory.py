"""``bench memory``: what stays behind after 200 times open and close, and 200 times predict."""

from __future__ import annotations

from typing import Any

from app.bench.table import in_process

TIMES = 200


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure both in fresh processes."""
    return {"open_close": in_process(open_close), "predict": in_process(predict)}


def open_close() -> dict[str, Any]:
    """Open the demo scene, make its picture, close it, 200 times."""
    from backends.composite import default_recipe, render
    from backends.io import open_scene
    from backends.simulate import demo_scene
    from backends.workspace import Workspace

    data, _ = demo_scene("valley")
    workspace = Workspace()

    def once() -> None:
        scene = open_scene(data)
        workspace.add_scene(scene)
        render(scene, default_recipe(scene))
        workspace.remove_scene(scene.id)

    return _grown(once)


def predict() -> dict[str, Any]:
    """Map a small scene with the shipped weights, 200 times."""
    from backends.hyperspectral.classify import classify
    from backends.io import open_scene
    from backends.simulate import demo_scene

    data, _ = demo_scene("valley", size=64)
    with open_scene(data) as scene:
        return _grown(lambda: classify(scene, None, "es_mhc", device="cpu"))


def _grown(once: Any) -> dict[str, Any]:
    import gc

    import psutil

    process = psutil.Process()
    seen = []
    for number in range(TIMES):
        once()
        if number % 20 == 19:
            gc.collect()
            seen.append(process.memory_info().rss / 2**20)
    # The first fifth fills caches and pools; what grows after it would grow forever.
    return {"rss_mb": [round(v, 1) for v in seen], "growth_mb": round(seen[-1] - seen[1], 1)}
