"""Large pictures and maps: nothing is read on the window's thread, and all becomes sharp."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.exporting import grab
from app.followed import Followed, is_sharp, wait_until_sharp
from app.map_levels import MapSource
from backends.bands import BandTable
from backends.overlays import Provenance, ScoreMap
from backends.scene import Scene, SceneInfo
from backends.tiles import TILE

SHAPES = ((6000, 8000), (1500, 2000), (375, 500))
# What each level is painted in: who sees it knows where it came from.
PAINT = (200, 120, 40)


class Slide:
    """Levels of one grey each that remember which threads read them."""

    shape, dtype, layout, level_shapes = (*SHAPES[0], 3), np.dtype(np.uint8), "tiled", SHAPES

    def __init__(self, pause: float = 0.0) -> None:
        self.readers: list[str] = []
        self.pause = pause

    def read(self, window: Any, bands: Any, level: int) -> Any:
        self.readers.append(threading.current_thread().name)
        time.sleep(self.pause)
        values = np.full((window.height, window.width, len(bands)), PAINT[level], np.uint8)
        if level == 0:  # a pixel of its own to hover over
            row, col = 3001 - window.row, 4003 - window.col
            if 0 <= row < window.height and 0 <= col < window.width:
                values[row, col] = 77
        return values

    def close(self) -> None:
        pass


def slide_scene(pause: float = 0.0) -> tuple[Scene, Slide]:
    """Return a scene of 48 million pixels and what reads it."""
    source = Slide(pause)
    bands = BandTable.build(3, names=("Red", "Green", "Blue"))
    return Scene(source, SceneInfo(None, "slide", bands, is_rgb=True, title="Slide")), source


def look(window: Any, scene: Scene, row: float, col: float, wide: float) -> None:
    """Bring a place into the middle, so many pixels of the scene wide."""
    camera, frame = window.viewer.scene.camera, window.canvas.stage.frame(scene)
    camera.center = (0.0, *frame.to_canvas(row, col))
    camera.zoom = window.viewer.canvas.size[1] / (wide * frame.width)


@pytest.fixture
def opened(shown_window: Any, qtbot: Any) -> tuple[Any, Scene, Slide, Followed]:
    """Return a window on a slide that shows all of it."""
    scene, source = slide_scene()
    shown_window.workspace.add_scene(scene)
    qtbot.waitUntil(lambda: bool(shown_window.canvas.stage.layers(scene.id)), timeout=5000)
    (layer,) = shown_window.canvas.stage.layers(scene.id)
    assert wait_until_sharp([layer])
    return shown_window, scene, source, layer


def test_no_pixel_is_read_on_the_windows_thread(opened, qtbot) -> None:
    window, scene, source, layer = opened
    here = threading.current_thread().name
    for number in range(24):
        look(window, scene, 3000 + 40 * number, 4000, (700, 3000, 9000)[number % 3])
        qtbot.wait(15)
    look(window, scene, 3000, 4000, 700)
    qtbot.wait(30)
    asked = time.monotonic()
    assert wait_until_sharp([layer])
    assert time.monotonic() - asked < 2  # 0.1 s on a quiet machine
    assert len(source.readers) > 20
    assert here not in source.readers
    # What is drawn is the full resolution, exactly, and where it belongs.
    assert layer.data_level == 0
    top, left = np.round(layer._transforms["tile2data"].translate).astype(int)
    assert (top % TILE, left % TILE) == (TILE // 2, TILE // 2)  # a margin as it is known
    assert layer._data_view[3001 - top, 4003 - left].tolist() == [77, 77, 77]
    seen = layer._data_view[TILE // 2 : -TILE // 2, TILE // 2 : -TILE // 2]
    assert (seen == 77).sum() == 3
    assert (seen == PAINT[0]).sum() == seen.size - 3


def test_the_value_under_the_mouse_is_the_pixels_own_from_afar(opened, qtbot) -> None:
    window, scene, _, layer = opened
    look(window, scene, 3000, 4000, 9000)
    qtbot.wait(30)
    assert layer.data_level > 0
    window.workspace.cursor_moved.emit(scene.id, 3001, 4003)
    qtbot.waitUntil(lambda: "77, 77, 77" in window.status.place.text(), timeout=5000)


def test_an_exported_canvas_waits_for_the_sharp_picture(opened, qtbot) -> None:
    window, scene, source, _ = opened
    source.pause = 0.02
    look(window, scene, 1000, 6000, 1200)
    shot = grab(window).rgb
    middle = shot[shot.shape[0] // 2, shot.shape[1] // 2]
    assert middle[:3].tolist() == [PAINT[0]] * 3


def test_a_closed_scene_is_read_no_more(opened, qtbot) -> None:
    window, scene, source, layer = opened
    source.pause = 0.05
    look(window, scene, 2000, 2000, 2500)
    qtbot.waitUntil(lambda: not is_sharp(layer), timeout=5000)
    window.workspace.remove_scene(scene.id)
    assert layer.follower is None
    qtbot.waitUntil(
        lambda: not any(h.job.in_view and not h.state.is_final for h in window.workspace.jobs),
        timeout=2000,
    )
    read = len(source.readers)
    qtbot.wait(150)
    assert len(source.readers) == read


def test_a_large_map_is_copied_off_the_windows_thread(opened, qtbot, monkeypatch) -> None:
    window, scene, _, _ = opened
    compose, threads = MapSource.compose, []

    def noted(self: MapSource, view: Any) -> Any:
        threads.append(threading.current_thread().name)
        return compose(self, view)

    monkeypatch.setattr(MapSource, "compose", noted)
    values = np.linspace(0, 1, 2500 * 2000, dtype=np.float32).reshape(2500, 2000)
    overlay = ScoreMap("Score", scene.id, Provenance("test"), values=values, partial=True)
    window.workspace.add_overlay(overlay)
    (drawn,) = window.canvas.overlays.layers(overlay.id)
    assert isinstance(drawn, Followed)
    assert wait_until_sharp([drawn])
    newer = replace(overlay, values=values[::-1].copy())
    window.workspace.add_overlay(newer)
    assert window.canvas.overlays.layers(overlay.id) == [drawn]
    assert wait_until_sharp([drawn])
    step, (rows, cols) = 2**drawn.data_level, drawn._data_view.shape
    top, left = np.round(drawn._transforms["tile2data"].translate / step).astype(int)
    exact = newer.values[::step, ::step][top : top + rows, left : left + cols]
    np.testing.assert_array_equal(drawn._data_view, exact)
    assert threads
    assert threading.current_thread().name not in threads
    follower = drawn.follower
    assert follower is not None
    window.workspace.remove_overlay(overlay.id)
    assert drawn.follower is None
