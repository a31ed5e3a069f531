"""PNG exports read back with Pillow; what stands around them is where it should be."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends.colormaps import colorize, table, value_limits
from backends.errors import BadInput, Cancelled
from backends.io.writers.page import LegendEntry, PageParts, compose, scale_step
from backends.io.writers.png import (
    blend,
    encode_png,
    paint,
    write_canvas_png,
    write_layer_png,
    write_png,
)
from backends.jobs import Progress
from backends.overlays import ClassMap, Heatmap, MatrixField, ScoreMap
from backends.palette import class_colors, to_rgb
from backends.scene import Scene


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        image.load()
        assert image.mode == "RGB"
        return np.asarray(image)


def test_encoder_is_lossless() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (131, 77, 3)).astype(np.uint8)
    stream = io.BytesIO()
    encode_png(rgb, stream, text={"Title": "Größe µ", "Empty": ""})
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        image.load()
        np.testing.assert_array_equal(np.asarray(image), rgb)
        assert image.info["Title"] == "Größe µ"
        assert image.info["Software"].startswith("Clearband")


def test_class_colors_on_the_page(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    path = write_layer_png(class_map, scene, tmp_path / "c.png", values={1: "12 ha"})
    page = picture(path)
    colors = class_colors(class_map.class_names)
    for value in (1, 3):
        # In the map, enlarged by a whole factor, and once more in the legend.
        same = (page == to_rgb(colors[value])).all(axis=-1)
        assert same.sum() > 100 * (class_map.labels == value).sum()
        legend = same[:, 16 + 36 * 10 + 8 :]
        assert legend.any()
    with Image.open(path) as image:
        told = json.loads(image.info["Provenance"])
    assert told["method"] == "svm"


def test_bare_is_pixel_for_pixel(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    page = picture(write_layer_png(class_map, scene, tmp_path / "c.png", bare=True))
    assert page.shape == (48, 36, 3)
    colors = class_colors(class_map.class_names)
    assert tuple(page[class_map.labels == 3][0]) == to_rgb(colors[3])
    assert tuple(page[class_map.labels == 0][0]) == (255, 255, 255)


def test_scene_shows_through(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    below = np.full((24, 18, 3), 100, np.uint8)
    path = tmp_path / "c.png"
    write_layer_png(class_map, scene, path, bare=True, background=below, opacity=0.25)
    page = picture(path)
    assert (page[class_map.labels == 0] == 100).all()
    color = np.array(to_rgb(class_colors(class_map.class_names)[1]))
    expected = (100 + (color - 100) * 0.25).round()
    assert abs(page[class_map.labels == 1].astype(int) - expected).max() <= 1


def test_numbers_take_their_colour_map(score: ScoreMap, heatmap: Heatmap) -> None:
    drawn = paint(score)
    assert drawn.color_bar is not None
    assert drawn.color_bar.colormap == "viridis"
    assert tuple(drawn.rgb[0, 0]) == (128, 128, 128)  # nan
    assert not drawn.covered[0, 0]
    assert tuple(drawn.rgb[-1, -1]) == tuple(table("viridis")[255])
    around = paint(heatmap)
    assert around.color_bar is not None
    low, high = around.color_bar.limits
    assert around.color_bar.colormap == "diverging"
    assert low == -high


def test_a_large_map_is_thinned(scene: Scene, class_map: ClassMap) -> None:
    labels = np.zeros((1000, 300), np.uint8)
    labels[:, ::2] = 1
    large = replace(class_map, labels=labels, confidence=None)
    drawn = paint(large, longest=400)
    assert drawn.step == 3
    assert drawn.rgb.shape == (334, 100, 3)


def test_many_maps_are_no_picture(matrices: MatrixField, scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="many maps"):
        write_layer_png(matrices, scene, tmp_path / "m.png")


def test_strange_names_and_many_classes(scene: Scene, class_map: ClassMap, tmp_path: Path) -> None:
    names = {value: f"Class {value}\nof 中文 ж ≥ {'very ' * 40}" for value in range(1, 200)}
    strange = replace(class_map, class_names=names, title="Title\nwith\tbreaks " * 20)
    page = picture(write_layer_png(strange, scene, tmp_path / "c.png"))
    assert page.shape[1] < 2000


def test_canvas(tmp_path: Path) -> None:
    shot = np.zeros((300, 400, 4), np.uint8)
    shot[..., 1] = 200
    path = write_canvas_png(
        shot,
        tmp_path / "canvas.png",
        title="Demo",
        legend=[LegendEntry("#123456", "Water", "3 ha")],
        pixel=(2.0, "m"),
        direction=(-1.0, 0.0),
        lines=["Scene demo"],
    )
    page = picture(path)
    assert ((page == (0, 200, 0)).all(axis=-1)).sum() >= 300 * 400
    assert (page == (0x12, 0x34, 0x56)).all(axis=-1).any()
    with pytest.raises(BadInput, match="no picture"):
        write_canvas_png(np.zeros((0, 4, 3), np.uint8), tmp_path / "none.png")


@pytest.mark.parametrize(
    ("width", "unit", "pixels", "label"),
    [
        (30.0, "m", 256, "1 km"),
        (1.0, "m", 256, "50 m"),
        (0.25, "µm", 40_000, "2 mm"),
        (0.25, "µm", 1000, "50 µm"),
        (0.7, "mm", 512, "50 mm"),
    ],
)
def test_scale_bar_is_round_and_true(width: float, unit: str, pixels: int, label: str) -> None:
    length, text = scale_step(width, unit, pixels)
    assert text == label
    assert length <= pixels / 4 * (1 + 1e-9)
    number, name = text.split()
    metres = {"km": 1e3, "m": 1.0, "mm": 1e-3, "µm": 1e-6}
    assert length * width * metres[unit] == pytest.approx(float(number) * metres[name])


def test_scale_bar_is_drawn_as_long_as_it_says() -> None:
    blank = np.full((600, 800, 3), 255, np.uint8)
    page = compose(blank, PageParts(pixel_width=(10.0, "m")))
    below = page[16 + 600 + 2 :]
    dark = (below == (32, 33, 36)).all(axis=-1)
    row = dark[dark.sum(axis=1).argmax()]
    length, text = scale_step(10.0, "m", 800)
    assert text == "2 km"
    assert row.sum() == pytest.approx(length, abs=2)


def test_north_arrow_points_north() -> None:
    blank = np.full((600, 800, 3), 255, np.uint8)
    up = compose(blank, PageParts(north=(-1.0, 0.0)))
    right = compose(blank, PageParts(north=(0.0, 1.0)))
    assert up.shape == right.shape
    assert (up != right).any()


def test_blend_keeps_what_is_not_covered() -> None:
    over = np.full((10, 10, 3), 200, np.uint8)
    covered = np.zeros((10, 10), bool)
    covered[:5] = True
    out = blend(over, covered, np.full((5, 5, 3), 50, np.uint8), 1.0)
    assert (out[:5] == 200).all()
    assert (out[5:] == 50).all()


def test_limits_and_colours() -> None:
    values = np.array([[0.0, 1.0, np.nan, np.inf]])
    assert value_limits(values) == pytest.approx((0.02, 0.98))
    assert value_limits(np.full((4, 4), np.nan)) == (0.0, 1.0)
    assert value_limits(np.array([[-1.0, 3.0]]), centre=0.0)[0] == pytest.approx(-2.92)
    low, high = value_limits(np.full((3, 3), 7.0))
    assert low < high
    colors = colorize(values, (0.0, 1.0))
    assert tuple(colors[0, 0]) == tuple(table("viridis")[0])
    assert tuple(colors[0, 1]) == tuple(table("viridis")[255])
    assert tuple(colors[0, 2]) == (128, 128, 128)
    with pytest.raises(BadInput, match="jet"):
        table("jet")


def test_lightness_rises() -> None:
    for name in ("gray", "viridis", "inferno"):
        light = table(name).astype(float) @ (0.2126, 0.7152, 0.0722)
        assert (np.diff(light) > -0.6).all()
        assert light[-1] - light[0] > 150


def test_cancelled(tmp_path: Path, cancel_after: Callable[[int], Progress]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    rgb = np.zeros((1000, 100, 3), np.uint8)
    with pytest.raises(Cancelled):
        write_png(rgb, path, progress=cancel_after(3))
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
