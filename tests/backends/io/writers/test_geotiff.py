"""GeoTIFF exports read back with rasterio."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
import rasterio

from backends.bands import BandTable
from backends.errors import BadInput, Cancelled
from backends.georeference import GeolocationTable, GeoReference
from backends.io.writers.geotiff import write_geotiff
from backends.jobs import Progress
from backends.overlays import (
    ClassMap,
    ConceptMaps,
    Heatmap,
    MatrixField,
    Perimeters,
    Placement,
    Provenance,
    ScoreMap,
)
from backends.palette import class_colors, to_rgb
from backends.scene import ArraySource, Scene, SceneInfo


def test_class_map(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    path = write_geotiff(class_map, scene, tmp_path / "c.tif")
    with rasterio.open(path) as file:
        assert file.dtypes == ("uint8",)
        np.testing.assert_array_equal(file.read(1), class_map.labels)
        assert file.crs.to_epsg() == 32633
        assert tuple(file.transform)[:6] == (30.0, 0.0, 500_000.0, 0.0, -30.0, 5_000_000.0)
        assert file.nodata == 0
        assert file.descriptions == (class_map.title,)
        colors = class_colors(class_map.class_names)
        assert file.colormap(1)[3] == (*to_rgb(colors[3]), 255)
        assert file.colormap(1)[0][3] == 0
        assert file.tags(1)["CLASS_3"] == "Tree, tall {µ} <b>"
        tags = file.tags()
        assert tags["CLEARBAND_METHOD"] == "svm 1"
        told = Provenance.from_dict(json.loads(tags["CLEARBAND_PROVENANCE"]))
        assert told == class_map.provenance
    beside = fromstring((tmp_path / "c.tif.aux.xml").read_text(encoding="utf-8"))
    names = [node.text for node in beside.iter("Category")]
    assert names == ["Unclassified", "Water", None, "Tree, tall {µ} <b>"]
    assert len(list(tmp_path.iterdir())) == 2


def test_user_colors_win(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    path = write_geotiff(class_map, scene, tmp_path / "c.tif", colors={1: "#010203"})
    with rasterio.open(path) as file:
        assert file.colormap(1)[1] == (1, 2, 3, 255)


def test_many_classes_take_two_bytes(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    many = replace(class_map, labels=class_map.labels * 100, class_names={300: "Far"})
    with rasterio.open(write_geotiff(many, scene, tmp_path / "c.tif")) as file:
        assert file.dtypes == ("uint16",)
        np.testing.assert_array_equal(file.read(1), many.labels)
    negative = replace(class_map, labels=class_map.labels - 1)
    with pytest.raises(BadInput, match="between 0 and 65535"):
        write_geotiff(negative, scene, tmp_path / "n.tif")


def test_placement_moves_the_place(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    """A map at half size whose first pixel covers scene rows 10, 11 and columns 4, 5."""
    placed = replace(class_map, placement=Placement(10.5, 4.5, 2.0, 2.0))
    with rasterio.open(write_geotiff(placed, scene, tmp_path / "c.tif")) as file:
        assert tuple(file.transform)[:6] == (60, 0, 500_000 + 4 * 30, 0, -60, 5_000_000 - 10 * 30)


def test_score_map(score: ScoreMap, scene: Scene, tmp_path: Path) -> None:
    with rasterio.open(write_geotiff(score, scene, tmp_path / "s.tif")) as file:
        assert file.dtypes == ("float32",)
        assert math.isnan(file.nodata)
        np.testing.assert_array_equal(file.read(1), score.values)
        assert file.read(1, masked=True).mask[0, 0]
        assert file.tags(1)["UNIT"] == "ratio"


def test_heatmap_names_what_it_explains(heatmap: Heatmap, scene: Scene, tmp_path: Path) -> None:
    with rasterio.open(write_geotiff(heatmap, scene, tmp_path / "h.tif")) as file:
        assert file.tags(1)["TARGET"] == "Water"
        assert file.tags(1)["CENTRE"] == "0"


def test_concepts_are_bands(concepts: ConceptMaps, scene: Scene, tmp_path: Path) -> None:
    with rasterio.open(write_geotiff(concepts, scene, tmp_path / "k.tif")) as file:
        assert file.descriptions == ("wet", "green")
        np.testing.assert_array_equal(file.read(), concepts.values)


def test_matrices_are_bands(matrices: MatrixField, scene: Scene, tmp_path: Path) -> None:
    with rasterio.open(write_geotiff(matrices, scene, tmp_path / "m.tif")) as file:
        assert file.count == 4 * (9 + 3 + 3)
        entry = matrices.entry(1, "ffn")
        number = file.descriptions.index("layer 1 ffn: NIR → SWIR µ") + 1
        np.testing.assert_allclose(file.read(number), entry.map(1, 2), rtol=1e-6)
        assert file.tags(number)["SOURCE"] == "NIR"
        assert file.tags(number)["TARGET"] == "SWIR µ"
        number = file.descriptions.index("layer 1 ffn: read NIR") + 1
        assert entry.read is not None
        np.testing.assert_allclose(file.read(number), entry.read.map(1), rtol=1e-6)


def test_large_maps_are_tiled(scene: Scene, provenance: Provenance, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((700, 1500), dtype=np.float32)
    large = ScoreMap("Large", scene.id, provenance, values=values)
    with rasterio.open(write_geotiff(large, scene, tmp_path / "l.tif")) as file:
        assert file.profile["tiled"]
        np.testing.assert_array_equal(file.read(1), values)


def scene_with(**facts: object) -> Scene:
    info = SceneInfo(None, "picture", BandTable.build(1), **facts)  # type: ignore[arg-type]
    return Scene(ArraySource(np.zeros((48, 36, 1), np.uint8)), info)


def test_no_place(class_map: ClassMap, tmp_path: Path) -> None:
    with rasterio.open(write_geotiff(class_map, scene_with(), tmp_path / "c.tif")) as file:
        assert file.crs is None
        assert file.transform.is_identity


def test_an_unknown_coordinate_system_is_left_out(class_map: ClassMap, tmp_path: Path) -> None:
    place = GeoReference((2.0, 0, 0, 0, -2.0, 0), "EPSG:no such thing")
    with rasterio.open(write_geotiff(class_map, scene_with(place=place), tmp_path / "c.tif")) as f:
        assert f.crs is None
        assert f.transform.a == 2.0


def test_slides_say_their_resolution(class_map: ClassMap, tmp_path: Path) -> None:
    slide = scene_with(pixel_size=(0.5, 0.25), pixel_unit="µm")
    with rasterio.open(write_geotiff(class_map, slide, tmp_path / "c.tif")) as file:
        assert float(file.tags()["TIFFTAG_XRESOLUTION"]) == 40_000
        assert float(file.tags()["TIFFTAG_YRESOLUTION"]) == 20_000


def test_swaths_get_tie_points(class_map: ClassMap, tmp_path: Path) -> None:
    rows, cols = np.mgrid[0:48, 0:36].astype(float)
    table = GeolocationTable(lambda: (10 + cols * 0.01, 50 - rows * 0.02))
    with rasterio.open(
        write_geotiff(class_map, scene_with(place=table), tmp_path / "c.tif")
    ) as file:
        points, crs = file.gcps
        assert crs.to_epsg() == 4326
        for point in points:
            assert point.x == pytest.approx(10 + (point.col - 0.5) * 0.01)
            assert point.y == pytest.approx(50 - (point.row - 0.5) * 0.02)


def test_outlines_are_no_raster(scene: Scene, provenance: Provenance, tmp_path: Path) -> None:
    outlines = Perimeters("Fire", scene.id, provenance, perimeters=())
    with pytest.raises(BadInput, match="not made of pixels"):
        write_geotiff(outlines, scene, tmp_path / "p.tif")


def test_cancelled_leaves_the_old_file(
    matrices: MatrixField,
    scene: Scene,
    tmp_path: Path,
    cancel_after: Callable[[int], Progress],
) -> None:
    path = tmp_path / "m.tif"
    path.write_bytes(b"old")
    with pytest.raises(Cancelled):
        write_geotiff(matrices, scene, path, progress=cancel_after(5))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.tif"]
