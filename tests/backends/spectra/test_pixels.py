"""Strips of spectra: the same from each order of a file, from memory, in pieces of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.bands import BandTable
from backends.errors import Cancelled
from backends.io import open_scene
from backends.jobs import Progress
from backends.progress import CancelToken
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra import pixels
from backends.spectra.background import background_of, noise_of
from backends.spectra.detectors import rx_map
from backends.spectra.pixels import cached, strips
from backends.spectra.similarity import spectral_angle
from backends.spectra.transforms import component_maps, pca

ROWS, COLS, BANDS = 23, 17, 12
ENVI_TYPE = {"int16": 2, "float32": 4, ">i2": 2, "float64": 5}


def written(folder: Path, cube: np.ndarray, order: str, kind: str, more: str = "") -> Path:
    turned = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[order]
    path = folder / f"{order}.img"
    cube.transpose(turned).astype(kind).tofile(path)
    path.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = {COLS}\nlines = {ROWS}\nbands = {BANDS}\nheader offset = 0\n"
        f"data type = {ENVI_TYPE[kind]}\ninterleave = {order}\n"
        f"byte order = {int(kind.startswith('>'))}\n{more}"
    )
    return path


def whole(scene: Scene, bands: tuple[int, ...], **options: bool) -> tuple[np.ndarray, np.ndarray]:
    parts = [(s.values.copy(), s.valid) for s in strips(scene, bands, **options)]
    return np.concatenate([v for v, _ in parts]), np.concatenate([v for _, v in parts])


@pytest.fixture(params=[(4 << 20, 8 << 20), (COLS * BANDS * 4 * 2, COLS * BANDS * 2 * 5)])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "STRIP_BYTES", request.param[0])
    monkeypatch.setattr(pixels, "READ_BYTES", request.param[1])
    monkeypatch.setattr(pixels, "READ_BYTES_BSQ", request.param[1])


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("order", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("kind", ["int16", ">i2", "float32", "float64"])
@pytest.mark.parametrize(
    "bands", [tuple(range(BANDS)), tuple(range(2, 9)), (1, 2, 3, 7, 8, 11), (0, 10), (5, 2, 2)]
)
def test_strips_of_every_order_hold_what_the_scene_reads(
    tmp_path: Path, order: str, kind: str, bands: tuple[int, ...]
) -> None:
    random = np.random.default_rng(0)
    cube = random.integers(-900, 9000, (ROWS, COLS, BANDS))
    with open_scene(written(tmp_path, cube, order, kind)) as scene:
        values, valid = whole(scene, bands)
    np.testing.assert_array_equal(values, cube[:, :, list(bands)].reshape(-1, len(bands)))
    assert valid.all()


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("order", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("kind", ["int16", "float32"])
def test_empty_pixels_are_zero_and_not_valid(tmp_path: Path, order: str, kind: str) -> None:
    random = np.random.default_rng(1)
    cube = random.integers(1, 9000, (ROWS, COLS, BANDS)).astype(float)
    cube[3, 4, 5] = cube[20, 16, 0] = -9999
    if kind == "float32":
        cube[7, 7, 7], cube[8, 8, 8] = np.nan, np.inf
    more = "data ignore value = -9999\nreflectance scale factor = 10000\n"
    with open_scene(written(tmp_path, cube, order, kind, more)) as scene:
        wanted = scene.read(physical=True).reshape(-1, BANDS)
        for check in (True, False):
            values, valid = whole(scene, tuple(range(BANDS)), check=check)
            there = np.isfinite(wanted).all(axis=1)
            if check:
                assert (valid == there).all()
                assert not values[~valid].any()
            assert not values[3 * COLS + 4].any()
            np.testing.assert_allclose(values[there], wanted[there], rtol=1e-6)
        found = background_of(scene)
        assert found.count == there.sum()
        np.testing.assert_allclose(found.mean, wanted[there].mean(axis=0), rtol=1e-5)
        score, _ = rx_map(scene, found)
        components = component_maps(scene, pca(found, 3))
    for answer in (score, *components):
        assert (np.isfinite(answer.reshape(-1)) == there).all()


def test_an_image_in_memory_is_neither_copied_nor_changed() -> None:
    random = np.random.default_rng(2)
    cube = random.random((ROWS, COLS, BANDS)).astype(np.float32)
    cube[2, 2, 2] = np.nan
    before = cube.copy()
    scene = Scene(ArraySource(cube), SceneInfo(None, "raster", BandTable.build(BANDS)))
    for strip in strips(scene, tuple(range(BANDS)), check=False):
        assert np.shares_memory(strip.values, cube)
        with pytest.raises(ValueError, match="read-only"):
            strip.values[0] = 0
    assert background_of(scene).count == ROWS * COLS - 1
    np.testing.assert_array_equal(cube, before)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("order", ["bsq", "bil", "bip"])
def test_noise_does_not_depend_on_the_order_of_the_file(tmp_path: Path, order: str) -> None:
    random = np.random.default_rng(3)
    cube = random.normal(2000, 300, (ROWS, COLS, BANDS))
    cube[5, 6, 7] = np.nan
    with open_scene(written(tmp_path, cube, order, "float32")) as scene:
        found = noise_of(scene, tuple(range(BANDS)))
    apart = (cube[:-1, :-1] - cube[1:, 1:]).reshape(-1, BANDS)
    apart = apart[np.isfinite(apart).all(axis=1)]
    assert found.count == len(apart)
    np.testing.assert_allclose(found.covariance, np.cov(apart.T) / 2, rtol=1e-4, atol=1.0)


@pytest.mark.parametrize("count", [3, 20])
@pytest.mark.parametrize("order", ["C", "F"])
def test_angles_do_not_depend_on_the_order_in_memory(count: int, order: str) -> None:
    # Long and bright spectra, of which many are nearly alike: where float32 rounds most.
    random = np.random.default_rng(4)
    values = random.random(400) * 2000 + 1000 + random.random((9000, 400)) * 320
    values = values.astype(np.float32)
    exact, references = values.astype(np.float64), values[:count].astype(np.float64)
    cosine = exact @ references.T / np.linalg.norm(exact, axis=1)[:, None]
    wanted = np.arccos(np.minimum(cosine / np.linalg.norm(references, axis=1), 1))
    found = spectral_angle(np.asarray(values, order=order), values[:count])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert sum(s.stop - s.start for s in cached(np.asarray(values, order=order))) == len(values)


def test_a_pass_ends_when_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "READ_BYTES", COLS * BANDS * 2)
    cube = np.ones((ROWS, COLS, BANDS))
    token = CancelToken()
    seen = 0
    with open_scene(written(tmp_path, cube, "bil", "int16")) as scene, pytest.raises(Cancelled):
        for _ in strips(scene, tuple(range(BANDS)), progress=Progress(token)):
            seen += 1
            if seen == 3:
                token.cancel()
    assert seen == 3
