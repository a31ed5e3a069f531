"""Pixels over two axes: their cells, those under a brush, those of an area."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from backends.bands import BandTable
from backends.errors import BadInput
from backends.overlays import Provenance, ScoreMap
from backends.regions import Region
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra.scatter import CELLS, cells_of, scatter_of, under_brush


def scene_of(rows: int, cols: int) -> Scene:
    rng = np.random.default_rng(0)
    cube = rng.normal(size=(rows, cols, 3)).astype(np.float32)
    info = SceneInfo(None, "raster", BandTable.build(3), title="Cloud")
    return Scene(ArraySource(cube), info)


def test_a_brush_marks_the_pixels_inside_to_a_cell() -> None:
    scene = scene_of(200, 300)
    cube = scene.read()
    cube[3, 4, 1] = np.nan
    scene = Scene(ArraySource(cube), scene.info)
    found = scatter_of(scene, 0, 1)
    assert found.density.shape == (CELLS, CELLS)
    assert 0.99 < found.pixels / (200 * 300) < 1
    outline = [(-0.5, -1.0), (1.2, -0.7), (0.4, 1.1)]
    mask = under_brush(found, outline)
    from skimage.measure import points_in_poly

    inside = points_in_poly(cube[:, :, :2].reshape(-1, 2), outline).reshape(200, 300)
    # A cell is 1/256 of the axes; only pixels in cells on the border may differ.
    assert (mask.astype(bool) != inside).mean() < 0.01
    assert mask[3, 4] == 0
    assert not under_brush(found, outline[:2]).any()
    assert found.at(5, 6) == (cube[5, 6, 0], cube[5, 6, 1])


def test_an_area_of_the_map_is_counted_where_it_lies() -> None:
    scene = scene_of(100, 100)
    found = scatter_of(scene, 0, 2)
    corners = np.array([[19.6, 29.6], [19.6, 39.4], [49.4, 39.4], [49.4, 29.6]])
    counts = cells_of(found, Region("A", scene.id, corners))
    assert abs(int(counts.sum()) - 300) <= 2
    assert ((counts > 0) <= (found.density > 0)).all()


def test_a_large_scene_is_thinned_and_maps_go_with_it() -> None:
    scene = scene_of(900, 700)
    values = scene.read()[:, :, 2] * 2
    overlay = ScoreMap("Twice", scene.id, Provenance("t"), values=values)
    found = scatter_of(scene, 2, overlay, most_pixels=40_000)
    assert found.cell.size <= 42_000
    np.testing.assert_allclose(found.y, 2 * found.x, rtol=1e-6)
    assert found.placement.row_step > 1
    wrong = ScoreMap("Small", scene.id, Provenance("t"), values=values[:5])
    with pytest.raises(BadInput, match="another size"):
        scatter_of(scene, 0, wrong)
    empty = ScoreMap("Empty", scene.id, Provenance("t"), values=values * np.float32(np.nan))
    with pytest.raises(BadInput, match="No pixel has values on both axes"):
        scatter_of(scene, 0, empty)
    flat: Any = ScoreMap("Flat", scene.id, Provenance("t"), values=values * 0 + 3)
    assert scatter_of(scene, 0, flat).pixels > 600_000


def test_a_brush_over_a_million_pixels_takes_a_blink() -> None:
    found = scatter_of(scene_of(1000, 1000), 0, 1)
    outline = [(np.cos(t), np.sin(t)) for t in np.linspace(0, 6.2, 100)]
    times = []
    for _ in range(5):
        began = time.perf_counter()
        under_brush(found, outline)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.1
