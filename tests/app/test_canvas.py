"""The mouse, scenes on and off the stage, where undo looks."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.status import JobSummary, clock, place_text, value_text
from backends.jobs import Job, ThreadRunner
from backends.workspace import Region, Workspace


def move(desk, y, x) -> None:
    desk.canvas._on_move(desk.viewer, SimpleNamespace(position=(y, x)))


def press(desk, y, x, *, travel=0, button=1, modifiers=()) -> None:
    event = SimpleNamespace(
        type="mouse_press", pos=(100, 100), position=(y, x), button=button, modifiers=modifiers
    )
    steps = desk.canvas._on_press(desk.viewer, event)
    next(steps)
    event.type, event.pos = "mouse_move", (100 + travel, 100)
    next(steps)
    event.type = "mouse_release"
    with pytest.raises(StopIteration):
        next(steps)


def test_mouse_is_told_in_pixels_once_a_pixel(desk, make_scene, put, qtbot) -> None:
    scene = put(make_scene())
    told, left = [], []
    desk.workspace.cursor_moved.connect(lambda *a: told.append(a))
    desk.workspace.cursor_left.connect(lambda: left.append(1))
    move(desk, 31, 42)  # metres, 10 m a pixel
    move(desk, 32, 41)
    assert told == [(scene.id, 3, 4)]
    assert desk.canvas.cursor == (scene.id, 3, 4)
    move(desk, -50, 0)
    assert left == [1]
    assert desk.canvas.cursor is None


def test_fast_mouse_is_told_at_most_once_a_frame_and_ends_right(
    desk, make_scene, put, qtbot
) -> None:
    scene = put(make_scene())
    told = []
    desk.workspace.cursor_moved.connect(lambda *a: told.append(a))
    for col in range(30):
        move(desk, 0, col * 10)
    assert len(told) == 1
    qtbot.waitUntil(lambda: told[-1] == (scene.id, 0, 29))
    assert len(told) <= 3


def test_click_chooses_and_drag_does_not(desk, make_scene, put) -> None:
    scene = put(make_scene())
    chosen = []
    desk.workspace.pixel_selected.connect(lambda *a: chosen.append(a))
    press(desk, 50, 60)
    press(desk, 50, 60, travel=20)
    press(desk, 50, 60, button=2)
    press(desk, 50, 60, modifiers=("Shift",))
    press(desk, -50, 60)
    assert chosen == [(scene.id, 5, 6)]
    assert not desk.workspace.pins


def test_click_pins_once_where_spectra_are_shown(desk, make_scene, put) -> None:
    put(make_scene())
    desk.canvas.click_pins = lambda: True
    press(desk, 50, 60)
    press(desk, 50, 60)
    (pin,) = desk.workspace.pins.values()
    assert (pin.row, pin.col) == (5, 6)


def test_click_belongs_to_the_tool_in_hand(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.brush(scene)
    chosen = []
    desk.workspace.pixel_selected.connect(lambda *a: chosen.append(a))
    press(desk, 50, 60)
    assert chosen == []


def test_pin_under_the_mouse(desk, make_scene, put) -> None:
    put(make_scene())
    desk.canvas.pin_here()
    assert not desk.workspace.pins
    move(desk, 31, 42)
    desk.canvas.pin_here()
    (pin,) = desk.workspace.pins.values()
    assert (pin.row, pin.col) == (3, 4)


def test_value_is_read_from_the_screen_not_from_the_file(desk, make_scene, put) -> None:
    scene = put(make_scene())
    recipe = desk.canvas.pictures.wanted(scene.id)
    expected = scene.read(bands=recipe.bands)[7, 9]
    scene.source.read = None
    assert desk.canvas.value_at(scene, 7, 9) == tuple(float(v) for v in expected)


def test_each_scene_keeps_its_view(desk, make_scene, put) -> None:
    one, two = put(make_scene()), put(make_scene(rows=200, cols=200))
    camera = desk.viewer.scene.camera
    camera.center, camera.zoom = (0.0, 55.0, 66.0), 3.0
    desk.workspace.activate(one.id)
    assert tuple(camera.center)[1:] != (55.0, 66.0)
    desk.workspace.activate(two.id)
    assert tuple(camera.center)[1:] == (55.0, 66.0)
    assert camera.zoom == 3.0


def test_scale_bar_only_where_the_size_is_known(desk, make_scene, put) -> None:
    put(make_scene())
    bar = desk.viewer.canvas.overlays.scale_bar
    assert bar.visible
    put(make_scene(place=None))
    assert not bar.visible
    assert {str(u) for layer in desk.viewer.layers for u in layer.units} == {"pixel"}


def test_undo_goes_where_it_happened(desk, make_scene, put) -> None:
    one = put(make_scene(rows=400, cols=400))
    put(make_scene())
    desk.workspace.activate(one.id)
    desk.canvas.drawing.pin(one, 390, 390)
    desk.viewer.scene.camera.center = (0.0, 0.0, 0.0)
    desk.viewer.scene.camera.zoom = 5.0
    desk.workspace.activate(next(s for s in desk.workspace.scenes if s != one.id))
    desk.workspace.commands.undo()
    assert desk.workspace.active_scene is one
    assert tuple(desk.viewer.scene.camera.center)[1:] == (3900.0, 3900.0)


def test_closing_a_scene_leaves_nothing_behind(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.brush(scene)
    desk.canvas.drawing.pin(scene, 1, 1)
    ring = np.array([[0, 0], [0, 5], [5, 5.0]])
    desk.workspace.add_region(Region("r", scene.id, ring))
    desk.workspace.remove_scene(scene.id)
    canvas = desk.canvas
    assert len(desk.viewer.layers) == 0
    assert canvas.board.rows(scene.id) == ()
    assert canvas.pictures.shown(scene.id) is None
    held = (
        canvas.drawing.painting.layers,
        canvas.drawing._regions,
        canvas.drawing._pins,
        canvas.composites._shown,
        canvas.stage._sets,
        canvas.stage.frames,
    )
    assert [scene.id in table for table in held] == [False] * len(held)


def test_a_job_of_a_long_title_does_not_widen_the_window(qtbot: Any) -> None:
    bar = JobSummary()
    qtbot.addWidget(bar)
    workspace = Workspace(ThreadRunner())
    go = threading.Event()
    title = "Learn concepts of a folder from a network " * 3
    handle = workspace.submit(Job(title, lambda _: go.wait(5)))
    try:
        bar.show_jobs([handle])
        assert bar.minimumSizeHint().width() < 220
        assert "Learn concepts" in bar.text.text()
    finally:
        go.set()
        workspace.close()


def test_words_of_the_status_bar(make_scene) -> None:
    scene = make_scene()
    east, lonlat = place_text(scene, 0, 0)
    assert east == "E 367\u202f005.0, N 5\u202f811\u202f995.0"
    assert lonlat.endswith("N")
    assert "° E" in lonlat
    assert value_text((0.123456, float("nan")), "reflectance") == "0.1235, no data reflectance"
    assert value_text((float("nan"),) * 3, "K") == "no data"
    assert (clock(31), clock(3730)) == ("0:31", "1:02:10")
