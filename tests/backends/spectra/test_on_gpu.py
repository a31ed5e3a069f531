"""Products on a GPU give what the processor gives; torch's own processor device stands in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends import devices
from backends.bands import BandTable
from backends.errors import BadInput
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra import on_gpu
from backends.spectra.abundances import free_share_maps
from backends.spectra.background import background_of
from backends.spectra.detectors import rx_map
from backends.spectra.similarity import MEASURES, measured_strips
from backends.spectra.transforms import component_maps, pca

PLACES = ["cpu", pytest.param("cuda:0", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA GPU"))]  # fmt: skip
BANDS = (0, 1, 3, 4, 6)


def scene_of(kind: str, *, holes: bool = True) -> Scene:
    random = np.random.default_rng(3)
    base = random.random((3, 7)) * 900 + 200
    cube = (random.dirichlet(np.ones(3), 60 * 41) @ base).reshape(60, 41, 7)
    cube += random.normal(0, 20, cube.shape)
    if kind == "uint16":
        cube *= 40  # beyond the largest int16
    values = cube.astype(kind)
    info = SceneInfo(None, "raster", BandTable.build(7), gain=0.01, offset=-1.5)
    if holes:
        values[5, 3, 1] = values[40, 40, 6] = 0
        if values.dtype.kind == "f":
            values[7, 7, 3] = np.nan
            values[8, 8] = np.inf
        info = SceneInfo(None, "raster", BandTable.build(7), gain=0.01, offset=-1.5, nodata=0)
    return Scene(ArraySource(values), info)


def use(monkeypatch: pytest.MonkeyPatch, device: str | None) -> None:
    found = None if device is None else devices.Device(device, "stand-in", 1 << 30)
    monkeypatch.setattr(devices, "gpu_for_products", lambda: found)
    monkeypatch.setattr(on_gpu, "WORTH_VALUES", 1)


def everything(scene: Scene) -> dict[str, np.ndarray]:
    found = background_of(scene, BANDS)
    single = background_of(scene, BANDS, exact=False)
    ends = np.asarray([scene.spectrum(20, 5)[list(BANDS)], scene.spectrum(31, 9)[list(BANDS)]])
    parts = list(
        measured_strips(
            scene, BANDS, ends.astype(np.float32), MEASURES["spectral_angle"], np.empty(0)
        )
    )
    assert next(at.start for at, _ in parts) == 0
    return {
        "mean": found.mean,
        "covariance": found.covariance,
        "single": single.covariance,
        "pca": component_maps(scene, pca(found, 3)),
        "rx": rx_map(scene, found)[0],
        "angle": np.concatenate([part for _, part in parts], axis=1),
        "shares": free_share_maps(scene, BANDS, ends),
    }


@pytest.mark.parametrize("device", PLACES)
@pytest.mark.parametrize("kind", ["float32", "int16", "uint16", ">i2", "float64", "uint8"])
def test_equal_to_the_processor(kind: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of(kind)
    use(monkeypatch, None)
    here = everything(scene)
    use(monkeypatch, device)
    there = everything(scene)
    for name, values in here.items():
        scale = np.nanmax(np.abs(values))
        np.testing.assert_allclose(
            there[name], values, rtol=1e-5, atol=2e-5 * scale, err_msg=name, equal_nan=True
        )
    hole = np.isnan(there["rx"])
    assert hole[5, 3]
    assert not hole[0, 0]
    assert hole[40, 40]


def test_full_memory_halves_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of("int16")
    use(monkeypatch, None)
    wanted = rx_map(scene, background_of(scene, BANDS))[0]
    use(monkeypatch, "cpu")
    monkeypatch.setattr(on_gpu, "TOGETHER", 4096)
    tried = []
    honest = on_gpu._parts

    def full(block, pixels):
        tried.append(pixels)
        if pixels > 1024:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return honest(block, pixels)

    monkeypatch.setattr(on_gpu, "_parts", full)
    found = background_of(scene, BANDS)
    np.testing.assert_allclose(rx_map(scene, found)[0], wanted, rtol=1e-4)
    assert tried[:3] == [4096, 2048, 1024]


def test_nothing_valid_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.full((4, 4, 2), np.nan, np.float32)
    scene = Scene(ArraySource(values), SceneInfo(None, "raster", BandTable.build(2)))
    use(monkeypatch, "cpu")
    with pytest.raises(BadInput, match="fewer than two"):
        background_of(scene, (0, 1))


def test_small_scenes_and_a_wish_for_the_processor_stay_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = devices.Device("cuda:0", "stand-in", 1 << 30)
    monkeypatch.setattr(devices, "cuda_without_torch", lambda: (found,))
    monkeypatch.setattr(devices, "choose", lambda wanted="auto": found)
    monkeypatch.delenv(devices.CHOSEN, raising=False)
    scene = scene_of("int16")
    assert on_gpu.device_for(scene, BANDS) is None
    monkeypatch.setattr(on_gpu, "WORTH_VALUES", 1)
    assert on_gpu.device_for(scene, BANDS) == "cuda:0"
    monkeypatch.setenv(devices.CHOSEN, "cpu")
    assert on_gpu.device_for(scene, BANDS) is None


def test_auto_means_what_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.CHOSEN, "cpu")
    assert devices.choose().id == "cpu"
