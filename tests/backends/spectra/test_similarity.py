"""Measures of likeness: equal to SPy, right on whole numbers, known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import spectral
from hypothesis import given, settings
from hypothesis import strategies as st
from spectral.algorithms.continuum import remove_continuum

from backends.errors import BadInput
from backends.io import open_scene
from backends.spectra.pixels import usable_bands
from backends.spectra.shaping import continuum, continuum_removed, first_derivative, savitzky_golay
from backends.spectra.similarity import (
    MEASURES,
    euclidean_distance,
    spectral_angle,
    spectral_correlation,
    spectral_feature_fit,
    spectral_information_divergence,
)

NM = np.linspace(400.0, 2400.0, 40)


def spectra(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.random((count, NM.size)) * 0.5 + 0.1).astype(np.float32)


def test_angle_equals_spy_on_a_real_scene(clearband_data: Path) -> None:
    with open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr") as scene:
        bands = usable_bands(scene)
        cube = scene.read(bands=bands, physical=True)
    members = cube[[5, 20, 60], [7, 90, 127]]
    filled = cube.reshape(-1, cube.shape[2])
    lit = np.linalg.norm(filled, axis=1) > 0
    with np.errstate(invalid="ignore"):
        theirs = spectral.spectral_angles(cube.astype(float), members.astype(float))
    theirs = theirs.reshape(-1, 3)
    ours = spectral_angle(filled, members)
    np.testing.assert_allclose(ours[lit], theirs[lit], atol=1e-5)


def test_angle_of_whole_numbers_near_the_top_of_their_range_is_right() -> None:
    # SPy multiplies int16 as int16 and overflows.
    random = np.random.default_rng(1)
    whole = random.integers(20_000, 32_767, (50, 30)).astype(np.int16)
    exact = whole.astype(np.float64)
    wanted = spectral.spectral_angles(exact[None], exact[:1])[0, :, 0]
    with np.errstate(all="ignore"):
        overflown = spectral.spectral_angles(whole[None], whole[:1])[0, :, 0]
    assert (~(np.abs(overflown[1:] - wanted[1:]) < 0.1)).mean() > 0.9
    found = spectral_angle(whole.astype(np.float32), whole[:1].astype(np.float32))[1:, 0]
    np.testing.assert_allclose(found, wanted[1:], atol=1e-5)


def test_a_scene_of_int16_is_matched_without_overflow() -> None:
    from backends.bands import BandTable
    from backends.scene import ArraySource, Scene, SceneInfo
    from backends.spectra.products import References, match

    random = np.random.default_rng(2)
    cube = random.integers(20_000, 32_767, (9, 8, 30)).astype(np.int16)
    scene = Scene(ArraySource(cube), SceneInfo(None, "raster", BandTable.build(30)))
    exact = cube.astype(np.float64)
    given = References(
        ("one", "two"), exact[[1, 4], [2, 6]].astype(np.float32), tuple(range(30)), np.full(30, 1.0)
    )
    maps = match(scene, given).overlays[1:]
    wanted = spectral.spectral_angles(exact, exact[[1, 4], [2, 6]])
    for i, made in enumerate(maps):
        apart = np.ones((9, 8), bool)
        apart[[1, 4][i], [2, 6][i]] = False  # where arccos has no digits left
        np.testing.assert_allclose(made.values[apart], wanted[..., i][apart], atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-4, 0.05), st.floats(0.1, 50.0))
def test_small_angles_keep_their_digits(angle: float, brightness: float) -> None:
    one = np.zeros((1, 8), np.float32)
    one[0, 0] = 1
    other = np.zeros((1, 8), np.float32)
    other[0, :2] = brightness * np.cos(angle), brightness * np.sin(angle)
    assert spectral_angle(other, one)[0, 0] == pytest.approx(angle, rel=1e-4)


def test_dark_pixels_have_no_angle() -> None:
    values = np.zeros((1, 5), np.float32)
    assert np.isnan(spectral_angle(values, np.ones((1, 5), np.float32))).all()


def test_divergence_correlation_and_distance_by_hand() -> None:
    one, other = spectra(4).astype(np.float64), spectra(3, 1).astype(np.float64)
    chance = one / one.sum(axis=1, keepdims=True)
    wanted = other / other.sum(axis=1, keepdims=True)
    divergence = [
        [(p * np.log(p / q)).sum() + (q * np.log(q / p)).sum() for q in wanted] for p in chance
    ]
    a, b = one.astype(np.float32), other.astype(np.float32)
    np.testing.assert_allclose(spectral_information_divergence(a, b), divergence, atol=2e-5)
    correlation = np.corrcoef(one, other)[:4, 4:]
    np.testing.assert_allclose(spectral_correlation(a, b), correlation, atol=1e-5)
    distance = np.linalg.norm(one[:, None] - other[None], axis=2)
    np.testing.assert_allclose(euclidean_distance(a, b), distance, rtol=1e-4)


def test_every_measure_likes_the_spectrum_itself_best() -> None:
    references = spectra(6)
    for measure in MEASURES.values():
        found = measure.run(references, references, NM)
        best = found.argmin(axis=1) if measure.alike == "small" else found.argmax(axis=1)
        assert best.tolist() == list(range(6)), measure.id


def test_feature_fit_sees_depth_and_refuses_a_mirrored_feature() -> None:
    dip = np.exp(-0.5 * ((NM - 1400) / 100) ** 2)
    level = np.ones(NM.size)
    values = np.stack([level - 0.4 * dip, level - 0.2 * dip, level + 0.4 * dip])
    reference = (level - 0.3 * dip)[None]
    fit = spectral_feature_fit(values.astype(np.float32), reference.astype(np.float32), NM)[:, 0]
    assert fit[0] > fit[1] > fit[2]


def test_continuum_equals_spy_and_is_a_hull() -> None:
    values = spectra(20)
    theirs = remove_continuum(values.reshape(4, 5, -1).astype(float), NM).reshape(20, -1)
    np.testing.assert_allclose(continuum_removed(values, NM), theirs, atol=1e-6)
    hull = continuum(values, NM).astype(np.float64)
    assert (hull >= values - 1e-6).all()
    assert (np.diff(np.diff(hull, axis=1), axis=1) <= 1e-6).all()


def test_derivative_of_a_line_is_its_slope() -> None:
    uneven = np.array([400.0, 410, 430, 480, 500])
    values = (0.002 * uneven)[None].astype(np.float32)
    np.testing.assert_allclose(first_derivative(values, uneven), 0.002, rtol=1e-4)


def test_what_needs_wavelengths_says_so() -> None:
    values = spectra(1)
    with pytest.raises(BadInput, match="wavelength of every band"):
        continuum_removed(values, np.full(NM.size, np.nan))
    with pytest.raises(BadInput, match="rise"):
        first_derivative(values, NM[::-1])
    with pytest.raises(BadInput, match="window of 8"):
        savitzky_golay(values, window=8)
