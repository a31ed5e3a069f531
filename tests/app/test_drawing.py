"""What the user draws lands in the workspace, and every step can be undone and done again."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers.base import ActionType
from PyQt6.QtGui import QRegion
from PyQt6.QtWidgets import QWidget

from app.drawing import LASSO, PAINT, PAN
from backends.palette import key_color
from backends.regions import Outline
from backends.workspace import Region
from widgets.boards import LABELS, PINS, REGIONS


def stroke(layer, *points, label=None) -> None:
    """Paint like the mouse does: several dabs, one stroke."""
    layer._begin_stroke()
    for point in points:
        layer.paint(point, layer.selected_label if label is None else label)
    layer._commit_stroke()


def test_a_stroke_is_one_step_and_paints_the_sheet_itself(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.brush(scene)
    layer = desk.canvas.drawing.painting.layers[scene.id]
    sheet = desk.workspace.labels[scene.id]
    assert layer.data is sheet.values
    told = []
    desk.workspace.labels_changed.connect(told.append)
    stroke(layer, (5, 5), (6, 8), (6, 9))
    painted = sheet.values.copy()
    assert painted[5, 5] == painted[6, 9] == 1
    assert told == [scene.id]
    stroke(layer, (6, 8), (15, 15), label=2)
    both = sheet.values.copy()
    commands = desk.workspace.commands
    assert commands.undo_label.startswith("Paint")
    commands.undo()
    np.testing.assert_array_equal(sheet.values, painted)
    commands.undo()
    assert not sheet.values.any()
    assert commands.undo_label is None
    commands.redo()
    commands.redo()
    np.testing.assert_array_equal(sheet.values, both)
    # One history: napari's own keeps nothing that Ctrl+Z could take back twice.
    assert not layer._undo_history


def test_strokes_in_any_order_come_back_exactly(desk, make_scene, put) -> None:
    scene = put(make_scene(rows=40, cols=40))
    desk.canvas.drawing.brush(scene)
    layer = desk.canvas.drawing.painting.layers[scene.id]
    sheet = desk.workspace.labels[scene.id]
    rng = np.random.default_rng(4)
    states = [sheet.values.copy()]
    for _ in range(12):
        layer.brush_size = int(rng.integers(1, 12))
        points = [tuple(p) for p in rng.integers(0, 40, (4, 2))]
        stroke(layer, *points, label=int(rng.integers(0, 4)))
        if not np.array_equal(sheet.values, states[-1]):
            states.append(sheet.values.copy())
    for state in states[-2::-1]:
        desk.workspace.commands.undo()
        np.testing.assert_array_equal(sheet.values, state)
    for state in states[1:]:
        desk.workspace.commands.redo()
        np.testing.assert_array_equal(sheet.values, state)


def test_fill_bucket_is_undone_too(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.brush(scene)
    layer = desk.canvas.drawing.painting.layers[scene.id]
    layer.fill((3, 3), 2)
    sheet = desk.workspace.labels[scene.id]
    assert (sheet.values == 2).all()
    desk.workspace.commands.undo()
    assert not sheet.values.any()


def test_class_in_hand_gets_name_colour_and_count(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.brush(scene)
    desk.canvas.board.class_asked.emit(scene.id, 3, "Water")
    layer = desk.canvas.drawing.painting.layers[scene.id]
    assert layer.selected_label == 3
    np.testing.assert_allclose(layer.get_color(3)[:3] * 255, (0, 0x72, 0xB2), atol=1)
    stroke(layer, (5, 5))
    legend = {line.name: line for line in desk.canvas.board.legend(scene.id, LABELS)}
    assert legend["Water"].pixels == int((desk.workspace.labels[scene.id].values == 3).sum()) > 0
    assert legend["Water"].area_m2 == pytest.approx(legend["Water"].pixels * 100, rel=2e-3)
    desk.canvas.board.class_asked.emit(scene.id, 3, "Lake")
    assert desk.workspace.labels[scene.id].class_names[3] == "Lake"
    desk.workspace.commands.undo()
    assert desk.workspace.labels[scene.id].class_names[3] == "Water"


def test_loaded_labels_replace_and_come_back(desk, make_scene, put) -> None:
    scene = put(make_scene())
    values = np.zeros((24, 32), np.uint8)
    values[:5] = 2
    desk.workspace.set_labels(scene.id, values, {2: "Meadow"}, source="truth.mat")
    layer = desk.canvas.drawing.painting.layers[scene.id]
    np.testing.assert_array_equal(layer.data, values)
    assert "truth.mat" in desk.canvas.board.row(scene.id, LABELS).tooltip
    desk.workspace.commands.undo()
    assert desk.canvas.board.row(scene.id, LABELS) is None
    assert layer not in desk.viewer.layers
    desk.workspace.commands.redo()
    assert desk.canvas.board.row(scene.id, LABELS) is not None


def test_brush_size_has_limits(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.brush(scene)
    for _ in range(300):
        size = desk.canvas.drawing.resize_brush(2)
    assert size == 200
    for _ in range(300):
        size = desk.canvas.drawing.resize_brush(-2)
    assert size == 1
    assert desk.canvas.drawing.painting.layers[scene.id].brush_size == 1


def test_tools_exclude_each_other_and_are_put_down(desk, make_scene, put) -> None:
    scene = put(make_scene())
    drawing = desk.canvas.drawing
    drawing.brush(scene)
    assert drawing.tool == PAINT
    drawing.lasso(scene)
    assert drawing.tool == LASSO
    assert drawing.put_down()
    assert drawing.tool == PAN
    assert not drawing.put_down()


def draw(desk, scene, ring) -> None:
    """Draw an outline as the lasso ends: the shape is there, then napari says so."""
    layer = desk.canvas.drawing._region_layer(scene)
    layer._add_shapes([np.asarray(ring, float)], shape_type=["polygon"], n_new_shapes=1)
    layer.events.data(
        value=layer.data, action=ActionType.ADDED, data_indices=(-1,), vertex_indices=((),)
    )


RING = [[2, 2], [2, 10], [10, 10], [10, 2]]


def test_drawn_outline_becomes_a_region_in_its_key_colour(desk, make_scene, put) -> None:
    scene = put(make_scene())
    draw(desk, scene, RING)
    (region,) = desk.workspace.regions.values()
    assert region.name == "Region 1"
    np.testing.assert_allclose(region.vertices, RING)
    layer = desk.canvas.drawing._regions[scene.id]
    color = key_color(region.color)
    assert [round(v * 255) for v in layer.edge_color[0][:3]] == [
        int(color[i : i + 2], 16) for i in (1, 3, 5)
    ]
    assert desk.canvas.board.row(scene.id, REGIONS).kind == "1 drawn"
    desk.workspace.commands.undo()
    assert len(layer.data) == 0
    assert desk.canvas.board.row(scene.id, REGIONS) is None
    desk.workspace.commands.redo()
    assert len(layer.data) == 1


def test_areas_have_the_colours_of_their_classes(desk, make_scene, put) -> None:
    """As QuPath's file says, or by the name of the class; without one, of the shared key."""
    scene = put(make_scene())
    ring = np.array(RING, float)
    workspace = desk.workspace
    workspace.add_region(
        Region("Core", scene.id, ring, 0, class_name="Tumor", class_color="#C80000")
    )
    workspace.add_region(Region("Rest", scene.id, ring + 9, 1, class_name="Water"))
    workspace.add_region(Region("Plain", scene.id, ring + 3, 2))
    layer = desk.canvas.drawing._regions[scene.id]

    def colors(of) -> list[str]:
        return ["#{:02X}{:02X}{:02X}".format(*(round(255 * v) for v in c[:3])) for c in of]

    wanted = ["#C80000", "#0072B2", key_color(2)]
    assert colors(layer.edge_color) == colors(layer.face_color) == wanted
    assert desk.canvas.board.row(scene.id, REGIONS).swatch == tuple(wanted)
    # Another class in the table is another colour on the image; undone, the file's again.
    core = next(iter(workspace.regions))
    workspace.change_region(core, class_name="Water", class_color="")
    assert colors(layer.edge_color) == ["#0072B2", "#0072B2", key_color(2)]
    assert desk.canvas.board.row(scene.id, REGIONS).swatch == ("#0072B2", key_color(2))
    workspace.commands.undo()
    assert colors(layer.edge_color) == wanted


def test_outline_moved_and_deleted_by_hand(desk, make_scene, put) -> None:
    scene = put(make_scene())
    draw(desk, scene, RING)
    draw(desk, scene, np.add(RING, 9))
    layer = desk.canvas.drawing._regions[scene.id]
    first, second = desk.workspace.regions.values()
    assert first.color != second.color
    layer._data_view.edit(0, np.add(RING, 1))
    layer.events.data(
        value=layer.data, action=ActionType.CHANGED, data_indices=(0,), vertex_indices=((),)
    )
    np.testing.assert_allclose(desk.workspace.regions[first.id].vertices, np.add(RING, 1))
    desk.workspace.commands.undo()
    np.testing.assert_allclose(layer.data[0], RING)
    layer.selected_data = {0}
    layer.remove_selected()
    assert list(desk.workspace.regions) == [second.id]
    desk.workspace.commands.undo()
    assert set(desk.workspace.regions) == {first.id, second.id}
    assert len(layer.data) == 2


def test_pieces_and_holes_are_drawn_moved_and_taken_away(desk, make_scene, put) -> None:
    scene = put(make_scene())
    ring = np.array(RING, float)
    hole, other = np.add(ring / 4, 4), ring + 12
    region = Region("Two", scene.id, ring, 1, holes=(hole,), more=(Outline(other),))
    desk.workspace.add_region(region)
    layer = desk.canvas.drawing._regions[scene.id]
    assert [np.array_equal(a, b) for a, b in zip(layer.data, (ring, hole, other), strict=True)]
    assert [round(float(c[3]), 2) for c in layer.face_color] == [0.0, 0.0, 0.15]  # holes are seen
    layer._data_view.edit(1, hole + 1)
    layer.events.data(
        value=layer.data, action=ActionType.CHANGED, data_indices=(1,), vertex_indices=((),)
    )
    np.testing.assert_allclose(desk.workspace.regions[region.id].holes[0], hole + 1)
    layer.selected_data = {2}
    layer.remove_selected()
    assert desk.workspace.regions[region.id].more == ()
    layer.selected_data = {1}
    layer.remove_selected()
    assert desk.workspace.regions[region.id].holes == ()
    for _ in range(3):
        desk.workspace.commands.undo()
    np.testing.assert_array_equal(
        desk.workspace.regions[region.id].mask((24, 32)), region.mask((24, 32))
    )
    assert len(layer.data) == 3


def test_an_ellipse_is_its_points_and_a_click_is_no_region(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.lasso(scene, "ellipse")
    assert desk.canvas.drawing.tool == "add_ellipse"
    layer = desk.canvas.drawing._region_layer(scene)
    for corners in (RING, np.add(np.array(RING) / 100, 5)):
        layer._add_shapes([np.asarray(corners, float)], shape_type=["ellipse"], n_new_shapes=1)
        layer.events.data(
            value=layer.data, action=ActionType.ADDED, data_indices=(-1,), vertex_indices=((),)
        )
    (region,) = desk.workspace.regions.values()
    assert region.area_px == pytest.approx(np.pi * 16, rel=0.01)
    np.testing.assert_allclose(region.vertices.mean(axis=0), [6, 6], atol=1e-9)
    assert len(layer.data) == 1


def test_region_made_elsewhere_is_drawn(desk, make_scene, put) -> None:
    scene, other = put(make_scene()), put(make_scene())
    desk.workspace.activate(scene.id)
    desk.workspace.add_region(Region("Meadow", scene.id, np.array(RING, float), 1))
    assert len(desk.canvas.drawing._regions[scene.id].data) == 1
    assert other.id not in desk.canvas.drawing._regions
    assert "Meadow" in desk.canvas.board.row(scene.id, REGIONS).tooltip


def test_pins_are_points_in_their_key_colours(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.pin(scene, 3, 4)
    desk.canvas.drawing.pin(scene, 7, 8)
    layer = desk.canvas.drawing._pins[scene.id]
    np.testing.assert_array_equal(layer.data, [[3, 4], [7, 8]])
    assert desk.canvas.board.row(scene.id, PINS).kind == "2 pinned"
    desk.workspace.commands.undo()
    np.testing.assert_array_equal(desk.canvas.drawing._pins[scene.id].data, [[3, 4]])
    desk.workspace.clear_pins()
    assert desk.canvas.board.row(scene.id, PINS) is None
    assert [layer.name for layer in desk.viewer.layers].count("Pins") == 0


def test_pinning_does_not_take_the_brush_away(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.brush(scene)
    layer = desk.canvas.drawing.painting.layers[scene.id]
    desk.canvas.drawing.pin(scene, 1, 1)
    assert desk.viewer.layers.selection.active is layer
    assert desk.canvas.drawing.tool == PAINT


def test_order_on_the_canvas_is_picture_labels_regions_pins(desk, make_scene, put) -> None:
    scene = put(make_scene())
    desk.canvas.drawing.pin(scene, 1, 1)
    draw(desk, scene, RING)
    desk.canvas.drawing.brush(scene)
    names = [layer.name for layer in desk.viewer.layers]
    assert names[-3:] == ["Training labels", "Regions", "Pins"]
    assert [row.id for row in desk.canvas.board.rows(scene.id)][:3] == [PINS, REGIONS, LABELS]


class Seen(QWidget):
    def visibleRegion(self) -> QRegion:
        return QRegion(0, 0, 5, 5)


def test_the_wand_takes_the_click_and_pins_nothing(window, open_scene, make_scene) -> None:
    """Of a window: the dock holds the wand, the canvas gives it the click, Esc puts it down."""
    scene = open_scene(window, make_scene())
    window.show_dock("regions")
    touched: list[tuple[str, int, int]] = []
    window.wand.touched.connect(lambda *at: touched.append(at))
    window.tools.take_wand()
    assert window.wand.held
    shown = window.docks["regions"].inner.tools
    seen = Seen()  # the window of this test is hidden
    window.wand.seen_in = lambda: seen
    assert window.canvas.takes_click(scene.id, 4.3, 7.8)
    assert touched == [(scene.id, 4, 8)]
    window.tools.lasso()
    assert not window.wand.held
    assert not shown.buttons["Wand"].isChecked()
    window.tools.take_wand()
    window.tools.escape()
    assert not window.wand.held
    assert not window.canvas.takes_click(scene.id, 4.3, 7.8)
