"""Overlays become layers at the right place in the right colours, and layers overlays again."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels, Points, Shapes

from app.frames import Frame
from app.layers import dashes, from_layer, to_layers, update_layers
from app.overlay_looks import continuous, kind_words, limits, provenance_text
from backends.colormaps import table
from backends.errors import BadInput
from backends.overlays import (
    ClassMap,
    ConceptMaps,
    GraphOverlay,
    Heatmap,
    MatrixEntry,
    MatrixField,
    Perimeter,
    Perimeters,
    Placement,
    Provenance,
    ScoreMap,
)
from backends.palette import class_colors, to_rgb

FRAME = Frame(10.0, 20.0, "m")
MADE = Provenance("es_mhc", "1", figures={"overall_accuracy": 0.912}, seconds=3.0, device="cpu")
NAMES = {1: "Water", 2: "Meadow", 5: "Bare soil"}
LABELS = np.array([[0, 1, 2], [5, 5, 7]], np.uint8)


def class_map(**more) -> ClassMap:
    return ClassMap("Map", "s", MADE, labels=LABELS, class_names=NAMES, **more)


def test_class_map_has_the_shared_colours_and_lies_in_place() -> None:
    placed = class_map(placement=Placement(2, 3, 4, 5))
    (layer,) = to_layers(placed, FRAME)
    assert isinstance(layer, Labels)
    assert tuple(layer.scale) == (40.0, 100.0)
    assert tuple(layer.translate) == (20.0, 60.0)
    for value, color in class_colors(NAMES).items():
        np.testing.assert_allclose(layer.get_color(value)[:3] * 255, to_rgb(color), atol=0.5)
    assert layer.get_color(0) is None or layer.get_color(0)[3] == 0
    np.testing.assert_allclose(layer.get_color(7)[:3], 128 / 255, atol=0.01)
    assert not layer.editable


def test_a_map_that_fades_is_faint_where_it_is_unsure() -> None:
    sure = np.array([[0.0, 0.5, 0.25], [0.5, 0.01, 0.5]], np.float32)
    before = class_map(confidence=sure, fade=True)
    (layer,) = to_layers(before, FRAME)
    assert isinstance(layer, Image)
    assert layer.data.shape == (2, 3, 4)
    np.testing.assert_array_equal(layer.data[0, 1, :3], to_rgb(class_colors(NAMES)[1]))
    np.testing.assert_array_equal(layer.data[1, 2, :3], 128)  # a value without a name
    alpha = layer.data[..., 3] / 255
    np.testing.assert_allclose(alpha, [[0, 1, 0.5], [1, 0.12, 1]], atol=0.01)
    after = class_map(confidence=np.full((2, 3), 0.5, np.float32), fade=True)
    assert update_layers([layer], after)
    np.testing.assert_array_equal(layer.data[..., 3], [[0, 255, 255], [255, 255, 255]])
    assert not update_layers([layer], class_map())  # another kind of layer
    np.testing.assert_array_equal(from_layer(layer, "s", FRAME).labels, LABELS)
    with pytest.raises(BadInput, match="how sure"):
        class_map(fade=True)


def test_scores_show_true_limits_and_shared_colours() -> None:
    values = np.linspace(0, 10, 400, dtype=np.float32).reshape(20, 20)
    heat = Heatmap("Heat", "s", MADE, values=values, target="Water")
    (layer,) = to_layers(heat, FRAME)
    assert isinstance(layer, Image)
    assert tuple(layer.contrast_limits) == pytest.approx(limits(heat))
    np.testing.assert_allclose(layer.colormap.colors[:, :3] * 255, table("inferno"), atol=0.5)
    assert to_layers(ScoreMap("s", "s", MADE, values=values), FRAME)[0].colormap.name.endswith(
        "viridis"
    )


def test_diverging_map_is_centred_on_no_effect() -> None:
    values = np.linspace(-1, 5, 100, dtype=np.float32).reshape(10, 10)
    (layer,) = to_layers(ScoreMap("d", "s", MADE, values=values, centre=1.0), FRAME)
    low, high = layer.contrast_limits
    assert (low + high) / 2 == pytest.approx(1.0)
    assert layer.colormap is continuous("diverging")


def test_colour_maps_are_filed_once() -> None:
    assert continuous("viridis") is continuous("viridis")


def test_nodata_in_a_score_map_does_not_move_its_limits() -> None:
    values = np.ones((10, 10), np.float32)
    values[0] = np.nan
    values[5] = 3
    low, high = limits(ScoreMap("n", "s", MADE, values=values))
    assert np.isfinite([low, high]).all()


def test_concepts_are_one_layer_with_a_choice() -> None:
    values = np.stack([np.full((4, 4), i, np.float32) for i in range(3)])
    maps = ConceptMaps("c", "s", MADE, values=values, names=("a", "b", "c"))
    (layer,) = to_layers(maps, FRAME, choice=1)
    assert (layer.data == 1).all()
    assert update_layers([layer], maps, 2)
    assert (layer.data == 2).all()


def test_colours_of_concepts_end_where_they_do_on_every_image() -> None:
    values = np.stack([np.full((4, 4), 0.2, np.float32), np.eye(4, dtype=np.float32)])
    maps = ConceptMaps("c", "s", MADE, values=values, names=("a", "b"), tops=(0.5, 2.0))
    (layer,) = to_layers(maps, FRAME)
    assert tuple(layer.contrast_limits) == (0, 0.5)
    assert layer.colormap.colors[0, 3] == 0  # clear where there is nothing of it
    assert update_layers([layer], maps, 1)
    assert tuple(layer.contrast_limits) == (0, 2)


def test_matrices_have_no_layer() -> None:
    entry = MatrixEntry(1, "mixer", np.eye(2, dtype=np.float32), np.zeros((3, 3, 2, 2), np.float16))
    field = MatrixField("m", "s", MADE, group_names=("a", "b"), entries=(entry,))
    assert to_layers(field, FRAME) == []
    assert kind_words(field) == "matrices"


RING = np.array([[0, 0], [0, 20], [20, 20], [20, 0]], float)
HOLE = RING / 4 + 5


def test_draft_perimeter_is_dashed_and_says_so() -> None:
    draft = Perimeters("Fire", "s", MADE, perimeters=(Perimeter(RING, (HOLE,)),), draft=True)
    (layer,) = to_layers(draft, FRAME)
    assert isinstance(layer, Shapes)
    assert set(layer.shape_type) == {"path"}
    assert list(layer.text.values).count("DRAFT") == 1
    drawn = sum(np.hypot(*np.diff(d, axis=0).T).sum() for d in layer.data)
    assert drawn == pytest.approx((80 + 20) / 2, rel=0.05)
    assert kind_words(draft) == "draft perimeter"
    assert not layer.editable


def test_verified_perimeter_comes_back_with_its_islands_moved_by_hand() -> None:
    fire = Perimeters("Fire", "s", MADE, perimeters=(Perimeter(RING, (HOLE,)),), draft=False)
    (layer,) = to_layers(fire, FRAME)
    moved = [ring + 1 for ring in layer.data]
    layer.data = moved
    back = from_layer(layer, "s", FRAME)
    assert isinstance(back, Perimeters)
    np.testing.assert_allclose(back.perimeters[0].exterior, RING + 1)
    np.testing.assert_allclose(back.perimeters[0].holes[0], HOLE + 1)
    assert back.provenance is MADE


def test_dashes_keep_corners_and_half_the_length() -> None:
    pieces = dashes(RING, 3.0)
    lengths = [np.hypot(*np.diff(p, axis=0).T).sum() for p in pieces]
    assert sum(lengths) == pytest.approx(40, rel=0.1)
    assert dashes(np.zeros((3, 2)), 3.0) == []
    # A stroke that runs over a corner bends there instead of cutting it.
    corner = next(p for p in dashes(RING, 18.0) if len(p) > 2)
    assert any((point == RING).all(axis=1).any() for point in corner)


def test_graph_is_points_and_lines() -> None:
    graph = GraphOverlay(
        "g",
        "s",
        MADE,
        nodes=np.array([[0, 0], [5, 5], [9, 1]], float),
        edges=np.array([[0, 1], [1, 2]]),
        node_names=("a", "b", "c"),
    )
    lines, points = to_layers(graph, FRAME)
    np.testing.assert_allclose(lines.data[:, 1], [[5, 5], [4, -4]])
    assert isinstance(points, Points)
    np.testing.assert_allclose(points.data, graph.nodes)


@pytest.mark.parametrize("layer_type", ["class", "score"])
def test_overlay_survives_the_way_to_the_canvas_and_back(layer_type) -> None:
    if layer_type == "class":
        before = class_map(placement=Placement(1, 1, 2, 2))
        (layer,) = to_layers(before, FRAME)
        layer.data = layer.data.copy()
        layer.data[0, 0] = 2
        after = from_layer(layer, "s", FRAME)
        assert after.labels[0, 0] == 2
        assert after.class_names == before.class_names
    else:
        before = ScoreMap("x", "s", MADE, values=np.ones((3, 3), np.float32), unit="K")
        (layer,) = to_layers(before, FRAME)
        after = from_layer(layer, "s", FRAME)
        assert after.unit == "K"
    assert after.id == before.id
    assert after.placement == before.placement
    assert after.provenance is MADE


def test_foreign_layers_become_overlays_where_they_can() -> None:
    labels = from_layer(Labels(LABELS), "s", FRAME)
    assert set(labels.class_names) == {1, 2, 5, 7}
    ring = from_layer(Shapes([RING * [10, 20]], shape_type="polygon"), "s", FRAME)
    np.testing.assert_allclose(ring.perimeters[0].exterior, RING)
    assert isinstance(from_layer(Image(np.ones((3, 3))), "s", FRAME), ScoreMap)
    with pytest.raises(BadInput, match="cannot be kept"):
        from_layer(Points(np.zeros((2, 2))), "s", FRAME)


def test_update_keeps_the_layer_unless_classes_or_place_differ() -> None:
    overlay = class_map(partial=True)
    layers = to_layers(overlay, FRAME)
    from dataclasses import replace

    newer = replace(overlay, labels=LABELS[::-1].copy(), partial=False)
    assert update_layers(layers, newer)
    np.testing.assert_array_equal(layers[0].data, LABELS[::-1])
    assert not update_layers(layers, replace(newer, class_names={1: "Lake"}))
    assert not update_layers(layers, replace(newer, placement=Placement(1, 1)))
    assert kind_words(overlay) == "class map, partial"


def test_provenance_tells_method_figures_and_place() -> None:
    text = provenance_text(class_map())
    assert "es_mhc 1" in text
    assert "overall accuracy 0.912" in text
    assert "3.0 s on cpu" in text
