"""Statistics, transforms, anomalies and targets: equal to SPy on a real scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import spectral

from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.io import open_scene
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra.background import RunningCovariance, background_of, noise_of
from backends.spectra.detectors import (
    local_rx_map,
    rx_map,
    rx_scores,
    target_map,
    threshold_for,
    window_of,
)
from backends.spectra.pixels import usable_bands
from backends.spectra.transforms import component_maps, mnf, pca, transform_of


def scene_of(values: np.ndarray) -> Scene:
    return Scene(ArraySource(values), SceneInfo(None, "raster", BandTable.build(values.shape[2])))


@pytest.fixture(scope="module")
def potsdam(clearband_data: Path) -> Iterator[tuple[Scene, np.ndarray]]:
    with open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr") as scene:
        yield scene, scene.read(bands=usable_bands(scene), physical=True).astype(np.float64)


def test_mean_and_covariance_equal_spy(potsdam: tuple[Scene, np.ndarray]) -> None:
    scene, cube = potsdam
    ours, theirs = background_of(scene), spectral.calc_stats(cube)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-6)
    np.testing.assert_allclose(ours.covariance, theirs.cov, atol=1e-8 * theirs.cov.max())
    noise, wanted = noise_of(scene), spectral.noise_from_diffs(cube)
    np.testing.assert_allclose(noise.covariance, wanted.cov, atol=1e-7 * wanted.cov.max())


def test_rx_and_targets_equal_spy(potsdam: tuple[Scene, np.ndarray]) -> None:
    scene, cube = potsdam
    found = background_of(scene)
    scores, dimensions = rx_map(scene, found)
    assert dimensions == cube.shape[2]
    np.testing.assert_allclose(scores, spectral.rx(cube), rtol=1e-5)
    target = cube[10, 10]
    filtered = target_map(scene, "matched_filter", target, found)
    np.testing.assert_allclose(filtered, spectral.matched_filter(cube, target), atol=1e-5)
    assert filtered[10, 10] == pytest.approx(1, abs=1e-4)
    coherent = target_map(scene, "ace", target, found)
    np.testing.assert_allclose(coherent, spectral.ace(cube, target), atol=1e-5)
    assert target_map(scene, "cem", target, found)[10, 10] == pytest.approx(1, abs=1e-4)


def test_components_equal_spy_up_to_sign(potsdam: tuple[Scene, np.ndarray]) -> None:
    scene, cube = potsdam
    found, noise = background_of(scene), noise_of(scene)
    theirs = spectral.principal_components(cube).transform(cube)
    reduced = spectral.mnf(spectral.calc_stats(cube), spectral.noise_from_diffs(cube))
    for ours, wanted in (
        (component_maps(scene, pca(found, 6)), theirs[..., :6]),
        (component_maps(scene, mnf(found, noise, 6)), reduced.reduce(cube, num=6)),
    ):
        for i in range(6):
            other = wanted[..., i] - wanted[..., i].mean()
            sign = np.sign((ours[i] * other).sum())
            np.testing.assert_allclose(sign * ours[i], other, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("method", ["pca", "mnf", "ica"])
def test_all_components_give_the_scene_back(method: str) -> None:
    random = np.random.default_rng(2)
    cube = (random.gamma(2.0, size=(30, 25, 6)) @ random.random((6, 6))).astype(np.float32)
    found = transform_of(scene_of(cube), method, None)
    flat = cube.reshape(-1, 6)
    again = found.restore(found.project(flat))
    np.testing.assert_allclose(again, flat, atol=2e-3)
    fewer = found.restore(found.project(flat), keep=[0])
    assert np.abs(fewer - flat).max() > 0.1
    with pytest.raises(WrongUse, match="6 components"):
        found.restore(found.project(flat), keep=[6])


def test_local_rx_equals_spy() -> None:
    random = np.random.default_rng(3)
    cube = random.normal(size=(24, 26, 4)).astype(np.float32)
    cube[12, 13] += 6
    scores = local_rx_map(scene_of(cube), (3, 9))
    wanted = spectral.rx(cube.astype(float), window=(3, 9))
    inside = np.s_[5:-5, 5:-5]
    np.testing.assert_allclose(scores[inside], wanted[inside], rtol=1e-4)
    assert np.unravel_index(scores.argmax(), scores.shape) == (12, 13)


def test_local_rx_equals_spy_on_a_real_scene(potsdam: tuple[Scene, np.ndarray]) -> None:
    _, cube = potsdam
    small = cube[:40, :40, ::20].astype(np.float32)
    scores = local_rx_map(scene_of(small), (5, 11))
    inside = np.s_[6:-6, 6:-6]
    wanted = spectral.rx(small.astype(float), window=(5, 11))
    np.testing.assert_allclose(scores[inside], wanted[inside], rtol=1e-5)


def test_the_threshold_lets_the_stated_share_of_a_gaussian_pass() -> None:
    random = np.random.default_rng(4)
    cube = random.normal(size=(200, 200, 5)).astype(np.float32)
    scene = scene_of(cube)
    scores, dimensions = rx_map(scene, background_of(scene))
    assert (scores > threshold_for(0.01, dimensions)).mean() == pytest.approx(0.01, abs=2e-3)


def test_bands_that_repeat_each_other_are_left_out_of_the_inverse() -> None:
    random = np.random.default_rng(5)
    three = random.normal(size=(40, 40, 3)).astype(np.float32)
    twice = np.concatenate([three, three[..., :1]], axis=2)
    scores, dimensions = rx_map(scene_of(twice), background_of(scene_of(twice)))
    assert dimensions == 3
    wanted, _ = rx_map(scene_of(three), background_of(scene_of(three)))
    np.testing.assert_allclose(scores, wanted, rtol=1e-3)


def test_holes_stay_holes_and_do_not_count() -> None:
    random = np.random.default_rng(6)
    cube = random.normal(size=(20, 20, 3)).astype(np.float32)
    holed = cube.copy()
    holed[3, 4, 1] = np.nan
    found = background_of(scene_of(holed))
    assert found.count == 399
    scores, _ = rx_map(scene_of(holed), found)
    assert np.isnan(scores[3, 4])
    assert np.isfinite(scores).sum() == 399


def test_strips_of_any_size_give_the_same_covariance() -> None:
    random = np.random.default_rng(7)
    values = (random.normal(size=(5000, 8)) * 100 + 3000).astype(np.float32)
    whole, parts = RunningCovariance(8), RunningCovariance(8, exact=False)
    whole.add(values)
    for low in range(0, 5000, 777):
        parts.add(values[low : low + 777])
    one, other = whole.result(range(8)), parts.result(range(8))
    np.testing.assert_allclose(one.covariance, np.cov(values.T.astype(float)), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-4, atol=2e-2)


def test_too_few_pixels_for_the_bands_is_one_sentence() -> None:
    random = np.random.default_rng(8)
    scene = scene_of(random.normal(size=(3, 3, 12)).astype(np.float32))
    found = background_of(scene)
    with pytest.raises(BadInput, match="9 pixels are too few to describe 12 bands"):
        rx_scores(np.zeros((1, 12), np.float32), found)
    with pytest.raises(BadInput, match="too few for 12 bands"):
        local_rx_map(scene, (1, 3))


def test_windows_in_pixels_and_metres() -> None:
    random = np.random.default_rng(9)
    scene = scene_of(random.normal(size=(20, 20, 3)).astype(np.float32))
    assert window_of(scene, "3,15") == (3, 15)
    with pytest.raises(BadInput, match="size of its pixels"):
        window_of(scene, "90m,450m")
    scene.with_info(pixel_size=(30.0, 30.0), pixel_unit="m")
    assert window_of(scene, "90m,450m") == (3, 15)
    for bad in ("3", "a,b", "3m,15"):
        with pytest.raises(WrongUse, match="no window"):
            window_of(scene, bad)
