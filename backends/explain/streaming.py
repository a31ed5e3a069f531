"""Heatmaps of large regions that appear tile by tile over their scene while they are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from backends.explain.region_maps import explain_region
from backends.jobs import Job, JobHandle, Progress
from backends.overlays import Heatmap
from backends.scene import Scene, Window
from backends.workspace import Workspace

if TYPE_CHECKING:
    from backends.explain.classifier import ImageClassifier
    from backends.explain.heatmaps import Request

TOPIC = "explain region"


def stream_region(
    workspace: Workspace,
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    window: Window,
    level: int = 0,
    *,
    tile: int = 0,
    overlap: float = 0.25,
    on_done: Callable[[Heatmap], None] | None = None,
) -> JobHandle[Heatmap]:
    """Explain a region in a job; what is finished lies over the scene at once.

    Every half a second the workspace gets the map so far, marked partial, under the id of
    the whole; the whole takes its place at the end. Stopped, the part that was made stays,
    still marked. Whoever shows the workspace shows this: nothing else is to be done.

    Parameters
    ----------
    workspace : Workspace
    classifier : ImageClassifier
    scene : Scene
    request : Request
    window : Window
        In pixels of ``level``.
    level, tile, overlap
        See `backends.explain.region_maps.explain_region`.
    on_done : callable, optional
        Called with the whole map once it lies over the scene.

    Returns
    -------
    JobHandle
    """

    def run(progress: Progress) -> Heatmap:
        return explain_region(
            classifier, scene, request, window, level,
            tile=tile, overlap=overlap, progress=progress,
        )  # fmt: skip

    def lay(heatmap: Heatmap) -> None:
        workspace.add_overlay(heatmap)

    def take(heatmap: Heatmap) -> None:
        lay(heatmap)
        if on_done is not None:
            on_done(heatmap)

    job = Job(f"Explain a region of {scene.title}", run, scene_id=scene.id, topic=TOPIC)
    return workspace.submit(job, on_result=take, on_partial=lay)
