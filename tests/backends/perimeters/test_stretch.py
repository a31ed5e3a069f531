"""Editing a few vertices of a long line, and whole shapes."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import BadInput
from backends.perimeters.editing import cut_island, growth_only, merge, split
from backends.perimeters.stretch import (
    put_back,
    snapped,
    take_stretch,
    vertex_inserted,
    vertex_moved,
    vertices_deleted,
)
from tests.backends.perimeters.conftest import ring


def test_a_stretch_is_small_near_the_cursor_and_goes_back_exactly() -> None:
    line = ring(15_000)
    stretch = take_stretch(line, 503_000, 4_000_000)
    assert len(stretch.points) == 300
    assert not stretch.whole
    assert np.hypot(*(stretch.points[150] - [503_000, 4_000_000])) < 300
    assert put_back(line, stretch, stretch.points).equals(line)
    x, y = stretch.points[150]
    moved = put_back(line, stretch, vertex_moved(stretch.points, 150, x + 5, y))
    assert moved.is_valid
    assert len(moved.exterior.coords) == len(line.exterior.coords)
    # Two triangles on either side of where the vertex was.
    swept = [shapely.Polygon([stretch.points[i], (x, y), (x + 5, y)]).area for i in (149, 151)]
    assert moved.symmetric_difference(line).area == pytest.approx(sum(swept), rel=1e-3)
    more = put_back(line, stretch, vertex_inserted(stretch.points, 150, x + 1, y))
    fewer = put_back(line, stretch, vertices_deleted(stretch.points, [149, 150, 151]))
    assert [len(g.exterior.coords) - 15_001 for g in (more, fewer)] == [1, -3]


@given(
    number=st.integers(0, 79), dx=st.floats(-4000, 4000), dy=st.floats(-4000, 4000),
    where=st.floats(0, 6.28),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_a_line_never_becomes_invalid(number: int, dx: float, dy: float, where: float) -> None:
    island = shapely.Point(501_500, 4_000_000).buffer(200, 8)
    away = shapely.Point(506_000, 4_000_000).buffer(500, 8)
    shape = shapely.MultiPolygon([ring(400).difference(island), away])
    x, y = 500_000 + 3000 * np.cos(where), 4_000_000 + 3000 * np.sin(where)
    stretch = take_stretch(shape, x, y, most=80)
    number = min(number, stretch.count - 1)
    points = vertex_moved(stretch.points, number, *(stretch.points[number] + [dx, dy]))
    rest = [r for p in shape.geoms for r in (p.exterior, *p.interiors)]
    try:
        made = put_back(shape, stretch, points)
    except BadInput:
        return  # refused, and what there was stays
    assert made.is_valid
    assert len(rest) == sum(1 + len(p.interiors) for p in made.geoms)


def test_a_crossing_is_refused_with_its_place() -> None:
    line = ring(1000)
    stretch = take_stretch(line, 503_000, 4_000_000)
    with pytest.raises(BadInput, match=r"would cross itself \(Self-intersection\["):
        put_back(line, stretch, vertex_moved(stretch.points, 150, 490_000, 4_000_100))
    island = line.difference(shapely.Point(502_500, 4_000_000).buffer(20))
    stretch = take_stretch(island, 503_200, 4_000_000)
    # Jumping over the island crosses nothing, yet it would lie outside.
    far = stretch.points.copy()
    near = np.hypot(far[:, 0] - 503_000, far[:, 1] - 4_000_000) < 1200
    far[near, 0] = 502_000
    with pytest.raises(BadInput, match="would cross itself"):
        put_back(island, stretch, far)


def test_snapping_takes_near_vertices_only() -> None:
    points = np.array([[0.0, 3.0], [10.0, 1.0], [20.0, 30.0]])
    target = shapely.box(-5, -20, 40, 0)
    assert snapped(points, target, 5.0).tolist() == [[0, 0], [10, 0], [20, 30]]


def test_split_merge_island_growth() -> None:
    square = shapely.box(0, 0, 100, 100)
    pieces = split(square, shapely.LineString([(50, -1), (50, 101)]))
    assert sorted(p.area for p in pieces) == [5000, 5000]
    assert merge(*pieces).equals(square)
    with pytest.raises(BadInput, match="does not cut"):
        split(square, shapely.LineString([(10, 10), (20, 20)]))
    # What the stroke does not touch stays with the larger part.
    far = shapely.box(200, 0, 210, 10)
    stay, off = split(merge(square, far), shapely.LineString([(70, -1), (70, 101)]))
    assert (stay.area, off.area) == (7000 + 100, 3000)
    island = shapely.box(40, 40, 60, 60)
    assert cut_island(square, island).area == 9600
    with pytest.raises(BadInput, match="does not lie in the area"):
        cut_island(square, shapely.box(200, 200, 300, 300))
    with pytest.raises(BadInput, match="Nothing would be left"):
        cut_island(square, square.buffer(5))
    smaller = shapely.box(0, 0, 120, 50)
    assert growth_only(smaller, square).area == 100 * 100 + 20 * 50
