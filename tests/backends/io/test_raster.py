"""GeoTIFF through GDAL: place, bands, overviews, labels; damaged files are sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import BadInput
from backends.io import open_scene
from backends.scene import Window


def write(
    path: Path, cube: np.ndarray, tags: list[dict[str, str]] | None = None, **profile: Any
) -> Path:
    import rasterio
    from rasterio.transform import from_origin

    profile = {"crs": "EPSG:32633", "transform": from_origin(4e5, 5.8e6, 30, 30)} | profile
    rows, cols, count = cube.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=cols, count=count, dtype=cube.dtype, **profile
    ) as out:
        out.write(np.moveaxis(cube, -1, 0))
        for number, values in enumerate(tags or [], 1):
            out.update_tags(number, **values)
    return path


def test_pixels_place_and_wavelengths(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).integers(0, 999, (40, 30, 12)).astype(np.int16)
    tags = [
        {"wavelength": str(0.4 + 0.1 * b), "wavelength_units": "Micrometers"} for b in range(12)
    ]
    with open_scene(write(tmp_path / "a.tif", cube, tags, nodata=-1)) as scene:
        assert scene.info.kind == "hyperspectral"
        assert scene.bands.wavelength_nm == pytest.approx([400 + 100 * b for b in range(12)])
        assert scene.place is not None
        assert scene.place.crs == "EPSG:32633"
        assert scene.place.to_map(0, 0) == pytest.approx((400015, 5799985))
        assert scene.info.pixel_size == pytest.approx((30, 30))
        np.testing.assert_array_equal(scene.read(), cube)
        np.testing.assert_array_equal(
            scene.read(Window(5, 6, 7, 8), [11, 2]), cube[5:12, 6:14][:, :, [11, 2]]
        )
        assert scene.info.nodata == -1


def test_large_rasters_offer_levels(tmp_path: Path) -> None:
    cube = np.arange(5000 * 60, dtype=np.float32).reshape(5000, 60, 1)
    with open_scene(write(tmp_path / "a.tif", cube)) as scene:
        assert [shape[0] for shape in scene.level_shapes] == [5000, 2500, 1250]
        level = scene.read(None, [0], 2)[:, :, 0]
        assert level.shape == (1250, 15)
        whole = scene.read()[:, :, 0]
        assert np.abs(level[600, 7] - whole[2402, 30]) < 60 * 8


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((4, 4, 5), np.uint16))
    other = path.rename(tmp_path / "picture.xyz")
    with open_scene(other) as scene:
        assert scene.shape == (4, 4, 5)
    (tmp_path / "b.tif").write_text("not a picture at all")
    with pytest.raises(BadInput, match=r"b\.tif is in no format"):
        open_scene(tmp_path / "b.tif")


def test_truncated_file_is_a_sentence(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).integers(0, 60000, (300, 300, 5)).astype(np.uint16)
    path = write(tmp_path / "a.tif", cube)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(BadInput) as caught:
        open_scene(path).read()
    assert "a.tif" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_virtual_raster_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.vrt").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>")
    with pytest.raises(BadInput):
        open_scene(tmp_path / "x.vrt")


def test_real_rasters(clearband_data: Path) -> None:
    with open_scene(clearband_data / "geotiff" / "RGB.byte.tif") as scene:
        assert scene.info.is_rgb
        assert scene.place is not None
        lonlat = scene.place.to_lonlat(359, 395)
        assert lonlat == pytest.approx((-78, 24.5), abs=1.5)
    tiles = sorted((clearband_data / "hsi" / "enmap_potsdam" / "images").glob("*.tif"))
    with open_scene(tiles[0]) as scene:
        assert scene.shape == (32, 32, 224)
        assert scene.bands.has_wavelengths
        assert scene.bands.fwhm_nm is not None
        assert 400 < scene.bands.wavelengths()[0] < 450
        assert np.isnan(scene.spectrum(3, 3)[131])
