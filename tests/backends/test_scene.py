"""Scene: what every format shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.bands import BandTable
from backends.cache import budget
from backends.errors import BadInput
from backends.scene import ArraySource, Scene, SceneInfo, Window


def make(array: np.ndarray, **facts: object) -> Scene:
    info = SceneInfo(None, "raster", BandTable.build(array.shape[2]), **facts)  # type: ignore[arg-type]
    return Scene(ArraySource(array), info)


@pytest.fixture
def cube() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 1000, (130, 17, 6)).astype(np.int16)


def test_windows_are_clipped_and_bands_checked(cube: np.ndarray) -> None:
    scene = make(cube)
    np.testing.assert_array_equal(scene.read(Window(-3, 10, 8, 99), [5]), cube[:5, 10:, [5]])
    assert scene.read(Window(500, 0, 5, 5)).shape == (0, 5, 6)
    with pytest.raises(BadInput, match="no band 7"):
        scene.read(bands=[6])
    with pytest.raises(BadInput, match="outside"):
        scene.spectrum(130, 0)
    with pytest.raises(BadInput, match="pyramid level 1"):
        scene.read(level=1)


def test_spectra_of_a_mask_in_row_order(cube: np.ndarray) -> None:
    scene = make(cube)
    mask = np.random.default_rng(1).random((130, 17)) < 0.2
    np.testing.assert_array_equal(scene.spectra(mask, physical=False), cube[mask])
    few = scene.spectra(mask, limit=10)
    assert few.shape == (10, 6)
    with pytest.raises(BadInput, match="mask"):
        scene.spectra(mask.T)


def test_physical_values(cube: np.ndarray) -> None:
    cube[3, 4, 2] = -1
    scene = make(cube, gain=0.5, offset=2.0, nodata=-1)
    values = scene.read(physical=True)
    assert np.isnan(values[3, 4, 2])
    assert values[0, 0, 0] == cube[0, 0, 0] * 0.5 + 2
    assert values.dtype == np.float32


def test_blocks_cover_everything_once(cube: np.ndarray) -> None:
    scene = make(cube)
    parts = [block for _, block in scene.blocks(budget_bytes=17 * 6 * 4 * 7)]
    assert len(parts) > 10
    np.testing.assert_array_equal(np.concatenate(parts), cube.astype(np.float32))


def test_digest_tells_contents_apart(cube: np.ndarray) -> None:
    other = cube.copy()
    assert make(cube).digest == make(other).digest
    other[0, 0, 0] += 1
    assert make(cube).digest != make(other).digest


def test_closed_scenes_say_so_and_free_their_cache(cube: np.ndarray) -> None:
    scene = make(cube)
    budget().put((scene.id, "x"), np.zeros(10))
    scene.close()
    scene.close()
    assert budget().get((scene.id, "x")) is None
    with pytest.raises(BadInput, match="was closed"):
        scene.read()


def test_a_band_table_that_does_not_fit_is_refused(cube: np.ndarray) -> None:
    with pytest.raises(BadInput, match="holds 6 bands but describes 5"):
        Scene(ArraySource(cube), SceneInfo(None, "raster", BandTable.build(5)))


def test_deleted_file_is_noticed(tmp_path: Path, cube: np.ndarray) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"1234")
    scene = make(cube, files=(path,))
    assert scene.changed_on_disk() is None
    path.write_bytes(b"12345")
    assert "changed" in str(scene.changed_on_disk())
    path.unlink()
    assert "moved or deleted" in str(scene.changed_on_disk())
