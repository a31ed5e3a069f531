"""ENVI classification read back with SPy, with GDAL and with our own reader's rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from spectral.io import envi

from backends.bands import BandTable
from backends.errors import BadInput, Cancelled
from backends.georeference import GeoReference
from backends.io.writers.envi_classification import write_envi_classification
from backends.jobs import Progress
from backends.overlays import ClassMap, Placement
from backends.palette import class_colors, to_rgb
from backends.scene import ArraySource, Scene, SceneInfo


def test_spy_reads_it(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    path = write_envi_classification(class_map, scene, tmp_path / "c")
    assert path.name == "c.dat"
    image = envi.open(path.with_suffix(".hdr"))
    facts = image.metadata
    assert facts["file type"] == "ENVI Classification"
    assert int(facts["classes"]) == 4
    assert facts["class names"][1] == "Water"
    assert facts["class names"][3] == "Tree; tall (µ) <b>"
    lookup = np.array(facts["class lookup"], int).reshape(-1, 3)
    colors = class_colors(class_map.class_names)
    assert tuple(lookup[3]) == to_rgb(colors[3])
    assert tuple(lookup[0]) == (0, 0, 0)
    np.testing.assert_array_equal(image.read_band(0), class_map.labels)
    assert any("method: svm 1".casefold() in x.casefold() for x in facts["clearband provenance"])


def test_gdal_finds_the_place(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    placed = replace(class_map, placement=Placement(8.0, 3.0))
    path = write_envi_classification(placed, scene, tmp_path / "c.hdr")
    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == 32633
        assert tuple(file.transform)[:6] == (30, 0, 500_090, 0, -30, 5_000_000 - 240)
        np.testing.assert_array_equal(file.read(1), class_map.labels)


def test_a_rotated_place(class_map: ClassMap, tmp_path: Path) -> None:
    angle = np.radians(20)
    a, b = 2 * np.cos(angle), 2 * np.sin(angle)
    place = GeoReference((a, b, 1000.0, b, -a, 2000.0), "EPSG:32633")
    info = SceneInfo(None, "raster", BandTable.build(1), place=place)
    rotated = Scene(ArraySource(np.zeros((48, 36, 1), np.uint8)), info)
    path = write_envi_classification(class_map, rotated, tmp_path / "c.dat")
    with rasterio.open(path) as file:
        np.testing.assert_allclose(tuple(file.transform)[:6], place.affine, rtol=1e-9)


def test_a_mirrored_place_is_refused(class_map: ClassMap, tmp_path: Path) -> None:
    place = GeoReference((2.0, 0.0, 0.0, 0.0, 2.0, 0.0), "EPSG:32633")
    info = SceneInfo(None, "raster", BandTable.build(1), place=place)
    mirrored = Scene(ArraySource(np.zeros((48, 36, 1), np.uint8)), info)
    with pytest.raises(BadInput, match="GeoTIFF"):
        write_envi_classification(class_map, mirrored, tmp_path / "c.dat")
    assert not list(tmp_path.iterdir())


def test_two_byte_classes(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    many = replace(class_map, labels=class_map.labels * 200, class_names={600: "Far"})
    path = write_envi_classification(many, scene, tmp_path / "c.dat")
    image = envi.open(path.with_suffix(".hdr"))
    np.testing.assert_array_equal(image.read_band(0), many.labels)


def test_cancelled(
    class_map: ClassMap,
    scene: Scene,
    tmp_path: Path,
    cancel_after: Callable[[int], Progress],
) -> None:
    with pytest.raises(Cancelled):
        write_envi_classification(class_map, scene, tmp_path / "c.dat", progress=cancel_after(1))
    assert not list(tmp_path.iterdir())
