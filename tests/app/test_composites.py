"""Pictures on the canvas: what is read, what is only stretched, what is dropped."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from app.composites import PATIENCE_MS, Composites
from backends.bands import BandTable
from backends.composite import (
    Recipe,
    default_recipe,
    preset_recipe,
    render,
    single_band,
    stretch_limits,
)
from backends.scene import ArraySource, Scene, SceneInfo
from backends.tiles import TILE
from backends.workspace import Workspace
from tests.app.conftest import wait_for_picture
from widgets.boards import PICTURE, PictureBoard, Shown
from widgets.composer_dock import ComposerDock


def image_layers(desk, scene) -> list:
    return [layer for layer in desk.canvas.stage.layers(scene.id) if layer._type_string == "image"]


def test_three_additive_planes_with_the_scenes_own_values(desk, make_scene, put) -> None:
    scene = put(make_scene())
    recipe = preset_recipe(scene, "natural")
    layers = image_layers(desk, scene)
    assert [layer.blending for layer in layers] == ["translucent_no_depth", "additive", "additive"]
    assert [layer.colormap.name for layer in layers] == ["red", "green", "blue"]
    expected = scene.read(bands=recipe.bands)
    for index, layer in enumerate(layers):
        np.testing.assert_array_equal(layer.data, expected[:, :, index])
        assert tuple(layer.scale) == (10.0, 10.0)
    assert [tuple(layer.contrast_limits) for layer in layers] == [
        pytest.approx(limits) for limits in stretch_limits(scene, recipe)
    ]
    rows = desk.canvas.board.rows(scene.id)
    assert [row.id for row in rows] == [PICTURE]
    assert rows[0].title == "Natural colour"


def test_another_stretch_reads_nothing(desk, make_scene, put, monkeypatch) -> None:
    scene = put(make_scene())
    before = image_layers(desk, scene)
    reads = []
    monkeypatch.setattr(ArraySource, "read", lambda *a: reads.append(a))
    recipe = replace(desk.canvas.pictures.wanted(scene.id), stretch="minmax")
    desk.canvas.pictures.ask(scene.id, recipe)
    after = image_layers(desk, scene)
    assert [id(layer) for layer in after] == [id(layer) for layer in before]
    assert reads == []
    assert after[0].contrast_limits == [after[0].data.min(), after[0].data.max()]


def test_one_band_replaces_three_and_slides(desk, make_scene, put) -> None:
    scene = put(make_scene())
    for band in (3, 4, 5):
        desk.canvas.pictures.ask(scene.id, single_band(scene, band, colormap="viridis"))
    (layer,) = image_layers(desk, scene)
    np.testing.assert_array_equal(layer.data, scene.read(bands=(5,))[:, :, 0])
    assert layer.colormap.name == "clearband viridis"


def test_only_the_newest_question_is_answered(window, make_scene, open_scene, qtbot) -> None:
    scene = open_scene(window, make_scene(bands=40))
    shown = []
    window.canvas.pictures.shown_changed.connect(
        lambda _: shown.append(window.canvas.pictures.shown(scene.id).recipe.bands)
    )
    for band in range(30):
        window.canvas.pictures.ask(scene.id, single_band(scene, band))
    qtbot.waitUntil(lambda: (29,) in shown)
    qtbot.wait(50)
    assert shown[-1] == (29,)
    assert len(shown) < 30


@pytest.mark.parametrize("slow", [True, False])
def test_coarse_picture_of_a_slow_file_comes_first_on_the_same_ground(
    window, qtbot, make_scene, slow: bool
) -> None:
    class TwoLevels(ArraySource):
        level_shapes = ((1024, 1024), (512, 512))

        def read(self, window, bands, level):
            rows, cols = window.slices
            # As slow as it must be: a busy machine draws the coarse one late.
            until = time.monotonic() + 30
            while slow and level == 0 and window.width == 1024 and time.monotonic() < until:
                if seen:
                    break
                time.sleep(0.01)
            array = self._array if level == 0 else self._array[::2, ::2]
            return array[rows, cols][:, :, list(bands)]

    seen = []
    base = make_scene(rows=1024, cols=1024, bands=3)
    scene = Scene(TwoLevels(base.source._array), base.info)

    def look(scene_id: str) -> None:
        layer = image_layers(window, scene)[0]
        coarse = window.canvas.pictures.shown(scene_id).coarse
        seen.append((coarse, layer.data.shape, layer.extent.world.copy()))

    window.canvas.pictures.shown_changed.connect(look)
    window.opener.open_scene(scene)
    wait_for_picture(qtbot, window, scene)
    qtbot.wait(2 * PATIENCE_MS)  # a coarse one that came late would spoil the full one
    if not slow:
        assert [coarse for coarse, _, _ in seen] == [False]
        return
    (first, coarse_shape, coarse), (second, fine_shape, fine) = seen
    assert (first, second) == (True, False)
    assert (coarse_shape, fine_shape) == ((512, 512), (1024, 1024))
    # napari's extent reaches from the middle of the first pixel to that of the last.
    np.testing.assert_allclose(coarse[0] - 10, fine[0] - 5)
    np.testing.assert_allclose(coarse[1] + 10, fine[1] + 5)


def test_stretch_while_the_full_picture_is_read_does_not_leave_the_coarse_one() -> None:
    from app.composites import _OnCanvas, _same_planes
    from backends.composite import Picture, Recipe

    recipe = Recipe("own", "Own", (0, 1, 2))
    planes = (np.zeros((4, 4)),) * 3
    limits = ((0.0, 1.0),) * 3
    for level, same in ((1, False), (0, True)):
        picture = Picture(planes, limits, recipe, level, (1, 1), False)
        shown = _OnCanvas([], recipe, picture, tiled=False)
        assert _same_planes(shown, replace(recipe, low=5.0)) is same


def test_true_colours_are_one_rgb_layer(desk, make_scene, put) -> None:
    from backends.bands import BandTable
    from backends.scene import SceneInfo

    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    bands = BandTable.build(3, names=("Red", "Green", "Blue"))
    scene = Scene(ArraySource(picture), SceneInfo(None, "picture", bands, is_rgb=True))
    put(scene)
    (layer,) = image_layers(desk, scene)
    assert layer.rgb
    np.testing.assert_array_equal(layer.data, picture)


def test_large_scenes_with_a_pyramid_are_read_piece_by_piece(desk, make_scene) -> None:
    class Huge:
        """Five thousand by five thousand, never read as a whole."""

        shape, dtype, layout = (5000, 5000, 3), np.dtype(np.uint8), "tiled"
        level_shapes = ((5000, 5000), (1250, 1250), (312, 312))
        largest = 0

        def read(self, window, bands, level):
            if level == 0:
                type(self).largest = max(self.largest, window.height * window.width)
            return np.full((window.height, window.width, len(bands)), 40 + level, np.uint8)

        def close(self):
            pass

    base = make_scene(bands=3, place=None)
    scene = Scene(Huge(), replace(base.info, is_rgb=True, kind="slide"))
    desk.workspace.add_scene(scene)
    (layer,) = image_layers(desk, scene)
    assert layer.multiscale
    assert layer.rgb
    np.testing.assert_array_equal(layer._data_view, np.full((312, 312, 3), 42))
    desk.workspace.remove_scene(scene.id)
    assert Huge.largest < 1_000_000


def test_bands_of_a_large_cube_come_as_planes_and_keep_their_tiles(desk, make_scene) -> None:
    class Cube:
        """Five bands, each of a slope of its own, on two levels of which neither is small."""

        shape, dtype, layout = (5000, 5200, 5), np.dtype(np.uint16), "tiled"
        level_shapes = ((5000, 5200), (2500, 2600))
        read_windows: ClassVar[list] = []

        def read(self, window, bands, level):
            self.read_windows.append((level, window.height, window.width))
            cols = np.arange(window.col, window.col + window.width) << level
            part = np.broadcast_to(cols[None, :, None], (window.height, window.width, len(bands)))
            return (part * (np.array(bands) + 1)).astype(np.uint16)

        def close(self):
            pass

    base = make_scene(bands=5, place=None)
    scene = Scene(Cube(), replace(base.info, kind="multispectral"))
    desk.workspace.add_scene(scene)
    desk.canvas.pictures.ask(scene.id, Recipe("own", "Own bands", (4, 2, 0)))
    layers = image_layers(desk, scene)
    assert [layer.dtype for layer in layers] == [np.uint16] * 3
    # A level coarser than the file's own stands for all of it.
    assert [shape[1] for shape in layers[0].level_shapes] == [5200, 2600, 1300]
    for layer, band in zip(layers, (4, 2, 0), strict=True):
        layer._update_draw(1.0, np.array([[2000.0, 2000.0], [2900.0, 2900.0]]), (800, 800))
        left = round(layer._transforms["tile2data"].translate[1])
        middle = layer._data_view[TILE // 2 : -TILE // 2, TILE // 2 : -TILE // 2]
        cols = np.arange(middle.shape[1]) + left + TILE // 2
        np.testing.assert_array_equal(middle[0], (cols * (band + 1)).astype(np.uint16))
    # Another stretch sets limits; no tile is read again.
    recipe = desk.canvas.pictures.wanted(scene.id)
    Cube.read_windows.clear()
    desk.canvas.pictures.ask(scene.id, replace(recipe, limits=((0.0, 9.0),) * 3))
    assert image_layers(desk, scene) == layers
    assert tuple(layers[1].contrast_limits) == (0.0, 9.0)
    assert not [w for w in Cube.read_windows if w[0] == 0 and w[1] >= TILE]


def test_a_piece_that_cannot_be_read_is_said_once_and_left_empty(desk, make_scene) -> None:
    from backends.errors import BadInput

    class Torn:
        """Nothing but the coarsest level can be read."""

        shape, dtype, layout = (5000, 5000, 3), np.dtype(np.uint8), "tiled"
        level_shapes = ((5000, 5000), (312, 312))
        gone = True

        def read(self, window, bands, level):
            if level == 0 and self.gone:
                raise OSError("gone")
            return np.full((window.height, window.width, len(bands)), 40 + level, np.uint8)

        def close(self):
            pass

    base = make_scene(bands=3, place=None)
    scene = Scene(Torn(), replace(base.info, is_rgb=True, kind="slide"))
    desk.workspace.add_scene(scene)
    desk.errors.clear()
    (layer,) = image_layers(desk, scene)
    view = np.array([[0.0, 0.0], [900.0, 900.0]])
    layer._update_draw(1.0, view, (800, 800))
    assert layer.data_level == 0
    assert layer._data_view.shape[:2] == (1024 + TILE // 2,) * 2
    assert not layer._data_view[:1024, :1024].any()
    layer._update_draw(1.0, view + 2000, (800, 800))
    assert [type(error) for error in desk.errors] == [BadInput]
    Torn.gone = False
    layer.refresh()
    middle = layer._data_view[TILE // 2 : -TILE // 2, TILE // 2 : -TILE // 2]
    assert (middle == 40).all()


def test_bands_step_over_the_bad_ones(desk, make_scene, put) -> None:
    scene = put(make_scene())
    bad = scene.bands.good.index(False)
    desk.canvas.pictures.ask(scene.id, single_band(scene, bad - 1))
    desk.canvas.next_band()
    assert desk.canvas.pictures.wanted(scene.id).bands == (bad + 1,)
    desk.canvas.previous_band()
    assert desk.canvas.pictures.wanted(scene.id).bands == (bad - 1,)


def test_eye_and_opacity_of_the_picture_survive_another_picture(desk, make_scene, put) -> None:
    scene = put(make_scene())
    board = desk.canvas.board
    board.change(scene.id, PICTURE, visible=False, opacity=0.5)
    assert [layer.visible for layer in image_layers(desk, scene)] == [False] * 3
    desk.canvas.pictures.ask(scene.id, single_band(scene, 2))
    (layer,) = image_layers(desk, scene)
    assert not layer.visible
    assert layer.opacity == 0.5


def test_decorrelation_of_a_pyramid_is_refused_in_one_sentence(desk, make_scene, put) -> None:
    from app import composites

    scene = put(make_scene())
    recipe = replace(desk.canvas.pictures.wanted(scene.id), stretch="decorrelation")
    desk.canvas.composites._ask_tiled(scene, recipe)
    assert "all pixels at once" in str(desk.errors[0])
    assert composites.LARGEST_PLANE > 0


def test_composites_are_told_apart_by_scene(desk, make_scene, put) -> None:
    one, two = put(make_scene()), put(make_scene(rows=10, cols=12))
    assert isinstance(desk.canvas.composites, Composites)
    assert {layer.data.shape for layer in desk.viewer.layers} == {(10, 12)}
    desk.workspace.activate(one.id)
    assert {layer.data.shape for layer in desk.viewer.layers} == {(24, 32)}
    desk.workspace.remove_scene(one.id)
    assert {layer.data.shape for layer in desk.viewer.layers} == {(10, 12)}
    assert two.id in desk.workspace.scenes


def test_a_picture_without_a_value_is_said_not_measured(qtbot) -> None:
    board, workspace = PictureBoard(), Workspace()
    cube = np.full((6, 7, 3), np.nan, np.float32)
    scene = Scene(ArraySource(cube), SceneInfo(None, "raster", BandTable.build(3)))
    workspace.add_scene(scene)
    dock = ComposerDock(workspace, pictures=board)
    qtbot.addWidget(dock)
    recipe = default_recipe(scene)
    board.set_shown(scene.id, Shown(recipe, render(scene, recipe).limits))
    assert dock.limits.text() == "Values: no valid value"
    workspace.close()
