"""Regions explained in a job: the map so far lies over the scene, then the whole."""

from __future__ import annotations

import numpy as np
import pytest

import backends.explain.region_maps as region_maps
from backends.explain.heatmaps import Request
from backends.explain.streaming import stream_region
from backends.jobs import JobState
from backends.overlays import Heatmap, Overlay
from backends.scene import Window
from backends.workspace import Workspace
from tests.backends.explain.planted import planted
from tests.backends.explain.test_heatmaps import slide


def test_partial_maps_come_under_the_id_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region_maps, "_PARTIAL_S", 0.0)
    scene, _ = slide()
    workspace, seen, done = Workspace(), [], []
    workspace.add_scene(scene)
    workspace.overlay_added.connect(seen.append)
    workspace.overlay_replaced.connect(lambda before, after: seen.append(after))
    handle = stream_region(
        workspace, planted(), scene, Request("layer_cam", "red"), Window(100, 150, 300, 330),
        on_done=done.append,
    )  # fmt: skip
    assert handle.state is JobState.DONE
    assert len(workspace.overlays) == 1
    assert [o.partial for o in seen[:-1]] == [True] * (len(seen) - 1)
    assert len(seen) > 1
    assert done == [seen[-1]]
    assert not seen[-1].partial
    workspace.close()


def test_stopped_it_ends_within_a_tile_and_keeps_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region_maps, "_PARTIAL_S", 0.0)
    scene, _ = slide()
    workspace = Workspace()
    workspace.add_scene(scene)
    window = Window(0, 0, 640, 512)
    tiles: list[int] = []
    tile = region_maps._tile

    def counted(*given: object) -> object:
        tiles.append(1)
        return tile(*given)  # type: ignore[arg-type]

    def stop(overlay: Overlay) -> None:
        workspace.jobs[-1].cancel()

    monkeypatch.setattr(region_maps, "_tile", counted)
    workspace.overlay_added.connect(stop)
    handle = stream_region(workspace, planted(), scene, Request("layer_cam", "red"), window)
    assert handle.state is JobState.CANCELLED
    (kept,) = workspace.overlays.values()
    assert isinstance(kept, Heatmap)
    assert kept.partial
    # The map came with the first tile; no other tile was begun after it.
    assert len(tiles) == 1
    assert 0 < np.isfinite(kept.values).mean() < 0.1
    workspace.close()
