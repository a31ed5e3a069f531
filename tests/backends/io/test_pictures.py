"""Pictures of every depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends.errors import BadInput
from backends.io import open_scene


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "gif"])
def test_colours_survive(tmp_path: Path, suffix: str) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 31, 3)).astype(np.uint8)
    rgb[:] = (rgb > 127) * 255  # few colours, so that GIF keeps them
    Image.fromarray(rgb).save(
        tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {})
    )
    with open_scene(tmp_path / f"a.{suffix}") as scene:
        assert scene.shape == (20, 31, 3)
        assert scene.info.is_rgb
        np.testing.assert_array_equal(scene.read(), rgb)


def test_sixteen_bit_png(tmp_path: Path) -> None:
    values = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    Image.fromarray(values).save(tmp_path / "a.png")
    with open_scene(tmp_path / "a.png") as scene:
        np.testing.assert_array_equal(scene.read()[:, :, 0], values)


def test_turned_by_the_camera(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    with open_scene(tmp_path / "a.jpg") as scene:
        assert scene.shape == (30, 20, 3)
        assert "Turned upright as the camera noted." in scene.info.notes


def test_transparency_is_left_out_and_said(tmp_path: Path) -> None:
    rgba = np.full((5, 5, 4), 100, np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    with open_scene(tmp_path / "a.png") as scene:
        assert scene.shape == (5, 5, 3)
        assert "Transparency is left out." in scene.info.notes


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    data = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    pixels = b"IDAT" + zlib.compress(b"")
    data += struct.pack(">I", len(pixels) - 4) + pixels + struct.pack(">I", zlib.crc32(pixels))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(BadInput, match="too large for a picture"):
        open_scene(tmp_path / "a.png")


def test_cut_off_picture(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3)).astype(np.uint8)).save(
        tmp_path / "a.png"
    )
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:3000])
    with pytest.raises(BadInput, match=r"a\.png is damaged or incomplete"):
        open_scene(tmp_path / "a.png")


def test_real_pictures(clearband_data: Path) -> None:
    with open_scene(clearband_data / "aerial_aid" / "Pond" / "Pond_001.jpg") as scene:
        assert scene.shape == (150, 150, 3)
