"""Overlays of the workspace on the canvas: rows, legends, blink, swipe, scenes apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app import overlay_looks
from backends.jobs import Progress
from backends.overlays import (
    ClassMap,
    ConceptMaps,
    GraphOverlay,
    Heatmap,
    Provenance,
    ScoreMap,
)
from widgets.boards import PICTURE, ColorScale

MADE = Provenance("svm")
NAMES = {1: "Water", 2: "Meadow"}


def class_map(scene, title="Map", **more) -> ClassMap:
    labels = np.zeros(scene.shape[:2], np.uint8)
    labels[:4] = 1
    labels[4:6] = 2
    return ClassMap(title, scene.id, MADE, labels=labels, class_names=NAMES, **more)


def heat(scene) -> Heatmap:
    rows, cols, _ = scene.shape
    values = np.arange(rows * cols, dtype=np.float32).reshape(rows, cols)
    return Heatmap("Heat", scene.id, MADE, values=values, target="Water", unit="K")


def test_overlay_appears_above_the_picture_and_is_active(desk, make_scene, put) -> None:
    scene = put(make_scene())
    overlay = class_map(scene)
    desk.workspace.add_overlay(overlay)
    board = desk.canvas.board
    assert [row.id for row in board.rows(scene.id)] == [overlay.id, PICTURE]
    assert board.active(scene.id) == overlay.id
    assert desk.workspace.active_overlay is overlay
    assert desk.viewer.layers[-1].name == "Map"
    desk.workspace.remove_overlay(overlay.id)
    assert [row.id for row in board.rows(scene.id)] == [PICTURE]
    assert "Map" not in [layer.name for layer in desk.viewer.layers]


def test_legend_counts_pixels_and_hectares(desk, make_scene, put) -> None:
    scene = put(make_scene())
    overlay = class_map(scene)
    desk.workspace.add_overlay(overlay)
    board = desk.canvas.board
    water, meadow = board.legend(scene.id, overlay.id)
    assert (water.pixels, meadow.pixels) == (4 * 32, 2 * 32)
    assert water.area_ha == pytest.approx(4 * 32 * 100 / 10_000, rel=2e-3)
    assert water.share == pytest.approx(2 / 3)


def test_scale_of_a_heatmap_has_true_ends(desk, make_scene, put) -> None:
    scene = put(make_scene())
    overlay = heat(scene)
    desk.workspace.add_overlay(overlay)
    board = desk.canvas.board
    scale = board.legend(scene.id, overlay.id)
    assert isinstance(scale, ColorScale)
    assert (scale.smallest, scale.largest) == (0, 24 * 32 - 1)
    assert scale.stretched
    assert scale.unit == "K"
    (layer,) = desk.canvas.overlays.layers(overlay.id)
    assert tuple(layer.contrast_limits) == pytest.approx((scale.low, scale.high))
    assert layer.colorbar.visible


def test_only_the_active_layer_shows_its_bar(desk, make_scene, put) -> None:
    scene = put(make_scene())
    one, two = heat(scene), heat(scene)
    desk.workspace.add_overlay(one)
    desk.workspace.add_overlay(two)
    bars = [desk.canvas.overlays.layers(o.id)[0].colorbar.visible for o in (one, two)]
    assert bars == [False, True]


def test_eye_and_opacity_go_both_ways(desk, make_scene, put) -> None:
    scene = put(make_scene())
    overlay = class_map(scene)
    desk.workspace.add_overlay(overlay)
    (layer,) = desk.canvas.overlays.layers(overlay.id)
    desk.canvas.board.change(scene.id, overlay.id, visible=False, opacity=0.25)
    assert (layer.visible, layer.opacity) == (False, 0.25)
    layer.visible, layer.opacity = True, 0.5
    row = desk.canvas.board.row(scene.id, overlay.id)
    assert (row.visible, row.opacity) == (True, 0.5)


def test_newer_state_keeps_layer_and_looks(desk, make_scene, put) -> None:
    scene = put(make_scene())
    overlay = class_map(scene, partial=True)
    desk.workspace.add_overlay(overlay)
    desk.canvas.board.change(scene.id, overlay.id, opacity=0.3)
    (layer,) = desk.canvas.overlays.layers(overlay.id)
    newer = replace(overlay, labels=np.ones_like(overlay.labels), partial=False)
    desk.workspace.add_overlay(newer)
    assert desk.canvas.overlays.layers(overlay.id) == [layer]
    assert (layer.data == 1).all()
    row = desk.canvas.board.row(scene.id, overlay.id)
    assert (row.opacity, row.partial) == (0.3, False)


def test_another_kind_takes_the_place_of_the_old_below_what_lies_above(
    desk, make_scene, put
) -> None:
    scene = put(make_scene())
    desk.workspace.add_overlay(class_map(scene, id="map"))
    desk.workspace.add_overlay(class_map(scene, "Above"))
    values = np.ones(scene.shape[:2], np.float32)
    desk.workspace.add_overlay(ScoreMap("Scores", scene.id, MADE, id="map", values=values))
    assert [layer.name for layer in desk.viewer.layers][-2:] == ["Scores", "Above"]
    assert "Map" not in [layer.name for layer in desk.viewer.layers]


def test_a_path_and_its_point_move_without_new_layers(desk, make_scene, put) -> None:
    scene = put(make_scene())
    nodes = np.array([[0, 0], [5, 5], [9, 1]], float)
    path = GraphOverlay("Path", scene.id, MADE, nodes=nodes, edges=np.array([[0, 1], [1, 2]]))
    point = replace(path, title="Now", id="now", nodes=nodes[:1], edges=np.empty((0, 2), int))
    for overlay in (path, point):
        desk.workspace.add_overlay(overlay)
    (lines,), (dot,) = (desk.canvas.overlays.layers(o.id) for o in (path, point))
    desk.workspace.add_overlay(replace(path, nodes=nodes + 1))
    desk.workspace.add_overlay(replace(point, nodes=nodes[1:2]))
    assert desk.canvas.overlays.layers(path.id) == [lines]
    assert desk.canvas.overlays.layers(point.id) == [dot]
    np.testing.assert_allclose(lines.data[:, 0], nodes[:2] + 1)
    np.testing.assert_allclose(dot.data, nodes[1:2])


def test_layer_deleted_with_naparis_list_is_gone_from_the_workspace(desk, make_scene, put) -> None:
    scene = put(make_scene())
    overlay = class_map(scene)
    desk.workspace.add_overlay(overlay)
    desk.viewer.layers.remove(desk.canvas.overlays.layers(overlay.id)[0])
    assert overlay.id not in desk.workspace.overlays
    assert desk.canvas.board.row(scene.id, overlay.id) is None


def test_overlays_stay_with_their_scene(desk, make_scene, put) -> None:
    one, two = put(make_scene()), put(make_scene(title="Other"))
    desk.workspace.add_overlay(class_map(one, "on one"))
    assert "on one" not in [layer.name for layer in desk.viewer.layers]
    desk.workspace.activate(one.id)
    assert "on one" in [layer.name for layer in desk.viewer.layers]
    desk.workspace.remove_scene(one.id)
    assert not desk.workspace.overlays
    assert "on one" not in [layer.name for layer in desk.viewer.layers]
    assert two.id in desk.workspace.scenes


def test_blink_changes_between_two_overlays(desk, make_scene, put) -> None:
    scene = put(make_scene())
    low, top = class_map(scene, "low"), class_map(scene, "top")
    desk.workspace.add_overlay(low)
    desk.workspace.add_overlay(top)
    board = desk.canvas.board

    def eyes() -> tuple[bool, bool]:
        return board.row(scene.id, top.id).visible, board.row(scene.id, low.id).visible

    desk.canvas.overlays.blink(scene.id)
    assert eyes() == (False, True)
    desk.canvas.overlays.blink(scene.id)
    assert eyes() == (True, False)


def test_blink_leaves_what_came_hidden(desk, make_scene, put) -> None:
    scene = put(make_scene())
    hidden, top = replace(class_map(scene, "margins"), shown=False), class_map(scene, "top")
    desk.workspace.add_overlay(hidden)
    desk.workspace.add_overlay(top)
    board = desk.canvas.board
    for _ in range(3):
        desk.canvas.overlays.blink(scene.id)
        assert not board.row(scene.id, hidden.id).visible
    board.change(scene.id, hidden.id, visible=True)  # the user wants to see it
    board.change(scene.id, top.id, visible=True)
    for wanted in (True, False, True):
        desk.canvas.overlays.blink(scene.id)
        assert board.row(scene.id, hidden.id).visible is wanted
        assert board.row(scene.id, top.id).visible is not wanted


def test_blink_of_a_single_overlay_shows_the_bare_picture(desk, make_scene, put) -> None:
    scene = put(make_scene())
    assert not desk.canvas.overlays.blink(scene.id)
    overlay = class_map(scene)
    desk.workspace.add_overlay(overlay)
    desk.canvas.overlays.blink(scene.id)
    assert not desk.canvas.overlays.layers(overlay.id)[0].visible


def test_swipe_cuts_the_active_overlay_without_copying(desk, make_scene, put) -> None:
    scene = put(make_scene())
    under, overlay = class_map(scene, "under"), class_map(scene)
    desk.workspace.add_overlay(under)
    desk.workspace.add_overlay(overlay)
    (layer,), (below,) = (desk.canvas.overlays.layers(o.id) for o in (overlay, under))
    desk.canvas.board.set_swipe(0.25)
    assert layer.data.shape == (24, 8)
    assert np.shares_memory(layer.data, overlay.labels)
    assert below.data.shape == (24, 32)
    desk.canvas.board.set_swipe(0.0)
    assert layer.data.shape == (24, 1)
    desk.canvas.board.activate(scene.id, under.id)
    assert desk.canvas.board.swipe is None
    assert layer.data.shape == (24, 32)


def test_colours_of_a_large_map_that_fades_are_made_by_a_job(
    desk, make_scene, put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlay_looks, "MOST_AT_ONCE", 100)
    asked = []
    monkeypatch.setattr(
        desk.workspace, "submit", lambda job, on_result=None, **more: asked.append((job, on_result))
    )

    def answer() -> None:
        for job, show in asked:
            if job.title.startswith("Colours of"):
                show(job.run(Progress()))
        asked.clear()

    scene = put(make_scene())
    sure = np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32)
    first = class_map(scene, confidence=sure, fade=True)
    desk.workspace.add_overlay(first)
    (layer,) = desk.canvas.overlays.layers(first.id)
    assert not layer.data.any()  # nothing was worked out on the window's thread
    desk.canvas.board.set_swipe(0.5)
    answer()
    np.testing.assert_array_equal(layer.data, overlay_looks.faded(first)[:, :16])
    desk.canvas.board.set_swipe(None)
    np.testing.assert_array_equal(layer.data, overlay_looks.faded(first))
    # A newer state keeps the layer and the old colours until its own are there.
    second = replace(first, labels=np.ones_like(first.labels))
    third = replace(first, labels=np.full_like(first.labels, 2))
    desk.workspace.add_overlay(second)
    desk.workspace.add_overlay(third)
    np.testing.assert_array_equal(layer.data, overlay_looks.faded(first))
    answer()
    assert desk.canvas.overlays.layers(first.id) == [layer]
    np.testing.assert_array_equal(layer.data, overlay_looks.faded(third))
    desk.workspace.add_overlay(second)
    desk.workspace.remove_overlay(first.id)
    answer()  # too late: nothing to colour


def test_concept_is_chosen_in_its_row(desk, make_scene, put) -> None:
    scene = put(make_scene())
    values = np.stack([np.full(scene.shape[:2], i, np.float32) for i in range(3)])
    maps = ConceptMaps("Concepts", scene.id, MADE, values=values, names=("a", "b", "c"))
    desk.workspace.add_overlay(maps)
    assert desk.canvas.board.row(scene.id, maps.id).choices == ("a", "b", "c")
    desk.canvas.board.change(scene.id, maps.id, choice=2)
    (layer,) = desk.canvas.overlays.layers(maps.id)
    assert (layer.data == 2).all()


def test_late_legend_of_a_removed_overlay_is_dropped(window, make_scene, open_scene, qtbot) -> None:
    scene = open_scene(window, make_scene())
    overlay = ScoreMap("s", scene.id, MADE, values=np.ones((24, 32), np.float32))
    window.workspace.add_overlay(overlay)
    window.workspace.remove_overlay(overlay.id)
    qtbot.waitUntil(lambda: all(h.state.is_final for h in window.workspace.jobs))
    qtbot.wait(20)
    assert window.canvas.board.legend(scene.id, overlay.id) is None


def test_a_large_map_streams_into_its_layer(desk, make_scene, put, monkeypatch) -> None:
    """The same layer, the same place; newer values are read where one looks."""
    from app import map_levels

    monkeypatch.setattr(map_levels, "LARGEST_FLAT", 1000)
    scene = put(make_scene(rows=40, cols=64))
    first = replace(heat(scene), partial=True)
    values = np.array(first.values)
    values[20:] = np.nan
    first = replace(first, values=values)
    desk.workspace.add_overlay(first)
    (layer,) = desk.canvas.overlays.layers(first.id)
    assert layer.multiscale
    later = replace(first, values=heat(scene).values)
    desk.workspace.add_overlay(later)
    assert desk.canvas.overlays.layers(first.id) == [layer]
    np.testing.assert_array_equal(np.asarray(layer.data[0]), later.values)
    whole = replace(later, partial=False, values=later.values * 100)
    desk.workspace.add_overlay(whole)
    assert desk.canvas.overlays.layers(first.id) == [layer]
    assert layer.contrast_limits[1] == pytest.approx(np.percentile(whole.values, 98), rel=0.02)
    desk.canvas.board.set_swipe(0.5)
    assert layer.data[0].shape == (40, 32)
    desk.canvas.board.set_swipe(None)
    assert layer.data[0].shape == (40, 64)
