"""Slides: pyramid, microns, windows that agree between levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.errors import BadInput
from backends.io import open_scene
from backends.scene import Window


def write_svs(path: Path, rows: int = 700, cols: int = 900) -> np.ndarray:
    """Write a pyramid the way Aperio does, uncompressed."""
    import tifffile

    rng = np.random.default_rng(0)
    base = np.kron(rng.integers(0, 255, (rows // 20, cols // 20, 3)), np.ones((20, 20, 1)))
    base = base.astype(np.uint8)
    text = f"Aperio Image Library v1\n{cols}x{rows} (256x256)|AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(path) as tif:
        tif.write(base, tile=(256, 256), photometric="rgb", metadata=None, description=text)
        tif.write(base[::8, ::8], photometric="rgb", metadata=None, description="thumbnail")
        tif.write(
            base[::4, ::4], tile=(256, 256), photometric="rgb", metadata=None, description=text
        )
    return base


def test_pyramid_and_microns(tmp_path: Path) -> None:
    base = write_svs(tmp_path / "a.svs")
    with open_scene(tmp_path / "a.svs") as scene:
        assert scene.info.kind == "slide"
        assert scene.info.pixel_size == pytest.approx((0.499, 0.499))
        assert scene.info.pixel_unit == "µm"
        assert len(scene.level_shapes) == 2
        np.testing.assert_array_equal(scene.read(Window(100, 200, 50, 60)), base[100:150, 200:260])
        small = scene.read(Window(10, 20, 30, 40), level=1)
        np.testing.assert_array_equal(small, base[::4, ::4][10:40, 20:60])


def test_cut_off_slide_is_a_sentence(tmp_path: Path) -> None:
    write_svs(tmp_path / "a.svs")
    (tmp_path / "a.svs").write_bytes((tmp_path / "a.svs").read_bytes()[:5000])
    with pytest.raises(BadInput) as caught:
        open_scene(tmp_path / "a.svs").read(Window(0, 0, 300, 300))
    assert "a.svs" in str(caught.value)


def test_real_slides(clearband_data: Path) -> None:
    folder = clearband_data / "pathology"
    with open_scene(folder / "CMU-1-Small-Region.svs") as scene:
        assert scene.shape == (2967, 2220, 3)
        assert scene.info.pixel_size == pytest.approx((0.499, 0.499))
        tissue = scene.read(Window(1000, 1000, 200, 200))
        assert tissue.std() > 10
    with open_scene(folder / "small_vectra.qptiff") as scene:
        assert scene.shape == (1440, 1920, 3)
