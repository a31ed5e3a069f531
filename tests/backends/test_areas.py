"""Areas of classes, checked by counting by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pyproj import Geod

from backends.areas import ClassArea, class_areas
from backends.bands import BandTable
from backends.georeference import GeoReference
from backends.overlays import ClassMap, Placement, Provenance
from backends.scene import ArraySource, Scene, SceneInfo


def scene_at(place: GeoReference | None, rows: int = 20, **facts: object) -> Scene:
    info = SceneInfo(None, "raster", BandTable.build(1), place=place, **facts)  # type: ignore[arg-type]
    return Scene(ArraySource(np.zeros((rows, 10, 1), np.uint8)), info)


def map_on(scene: Scene, labels: np.ndarray) -> ClassMap:
    names = {1: "Water", 2: "Soil", 5: "Nothing"}
    return ClassMap("Map", scene.id, Provenance("t"), labels=labels, class_names=names)


def test_pixels_shares_and_hectares(scene: Scene, class_map: ClassMap) -> None:
    areas = {a.value: a for a in class_areas(class_map, scene)}
    water, tree = int((class_map.labels == 1).sum()), int((class_map.labels == 3).sum())
    assert areas[1].pixels == water
    assert areas[1].share == pytest.approx(water / (water + tree))
    assert areas[3].area_m2 == pytest.approx(tree * 900)
    assert areas[3].area_ha == pytest.approx(tree * 0.09)
    assert "number of pixels" in areas[1].method


def test_a_class_that_does_not_occur() -> None:
    scene = scene_at(None)
    areas = class_areas(map_on(scene, np.ones((20, 10), np.uint8)), scene)
    assert [(a.pixels, a.share, a.area_m2) for a in areas] == [
        (200, 1.0, None),
        (0, 0.0, None),
        (0, 0.0, None),
    ]
    assert areas[0].area_text() == "100.0 %"
    nothing = class_areas(map_on(scene, np.zeros((20, 10), np.uint8)), scene)
    assert [a.share for a in nothing] == [0, 0, 0]


def test_unnamed_and_negative_values_do_not_count() -> None:
    scene = scene_at(None)
    labels = np.full((20, 10), 99)
    labels[0, :5], labels[1] = 1, -3
    areas = class_areas(map_on(scene, labels), scene)
    assert areas[0].pixels == 5
    assert areas[0].share == 1.0


def test_coarse_maps_cover_more(scene: Scene, class_map: ClassMap) -> None:
    coarse = replace(class_map, placement=Placement(0.5, 0.5, 2.0, 2.0))
    for one, four in zip(class_areas(class_map, scene), class_areas(coarse, scene), strict=True):
        assert one.area_m2 is not None
        assert four.area_m2 == pytest.approx(4 * one.area_m2)


def test_degrees_shrink_towards_the_pole() -> None:
    """One class fills a box of 2° by 20° from 70° to 50° north; the ellipsoid knows its area."""
    place = GeoReference((0.2, 0, 10.0, 0, -0.1, 70.0), "EPSG:4326")
    scene = scene_at(place, rows=200)
    areas = class_areas(map_on(scene, np.ones((200, 10), np.uint8)), scene)
    side = np.linspace(70, 50, 2000)
    lat = np.concatenate([side, np.full(200, 50.0), side[::-1], np.full(200, 70.0)])
    lon = np.concatenate(
        [
            np.full(2000, 10.0),
            np.linspace(10, 12, 200),
            np.full(2000, 12.0),
            np.linspace(12, 10, 200),
        ]
    )
    true_m2 = abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0])
    assert areas[0].area_m2 == pytest.approx(true_m2, rel=2e-3)


@pytest.mark.parametrize(
    ("m2", "text"),
    [
        (124_000, "12.4 ha"),
        (2_340_000, "234 ha"),
        (5e9, "5,000 km²"),
        (830, "830 m²"),
        (3.2e-7, "0.32 mm²"),
        (2e-9, "2,000 µm²"),
        (2e-12, "2 µm²"),
        (0.0, "0 m²"),
    ],
)
def test_areas_in_words(m2: float, text: str) -> None:
    assert ClassArea(1, "x", "#000000", 1, 1.0, m2).area_text() == text
