"""Pavia University, semi-synthetic: the size, the spectra and the geometry of the real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from backends.errors import MissingCapability
from backends.hyperspectral import semi_synthetic
from backends.hyperspectral.semi_synthetic import (
    Source,
    class_shares,
    class_spectra,
    ground,
    pavia_university,
    read_source,
    simulate,
)
from backends.io import open_scene
from backends.io.labels import open_labels


@pytest.fixture
def source(clearband_data: Path) -> Source:
    folder = clearband_data / "hsi" / "pavia"
    if not (folder / "reg_pavia_dataset.mat").is_file():
        pytest.skip("the degraded cube of Pavia University is not here")
    return read_source(folder)


@pytest.fixture(scope="module")
def cubes() -> dict[int, np.ndarray]:
    """Return what was simulated so far, by seed."""
    return {}


def simulated(source: Source, cubes: dict[int, np.ndarray]) -> np.ndarray:
    if 3 not in cubes:
        cubes[3] = simulate(source, seed=3)
    return cubes[3]


def test_files_have_the_size_wavelengths_and_truth_of_the_scene(
    source: Source, clearband_data: Path, tmp_path: Path
) -> None:
    image, truth = pavia_university(clearband_data / "hsi" / "pavia", folder=tmp_path)
    with open_scene(image) as scene:
        assert scene.shape == (610, 340, 103)
        nm = scene.info.bands.wavelengths()
        assert nm is not None
        assert (nm[0], nm[-1]) == pytest.approx((430, 860))
    labels = open_labels(truth)
    np.testing.assert_array_equal(labels.values, source.truth)
    assert labels.class_names[5] == "Painted metal sheets"
    made = image.stat().st_mtime_ns
    pavia_university(clearband_data / "hsi" / "pavia", folder=tmp_path)
    assert image.stat().st_mtime_ns == made


def test_the_registration_finds_pure_pixels(source: Source) -> None:
    shares = class_shares(source)
    assert shares.shape == (80, 50, 9)
    assert shares.sum(axis=-1).max() <= 1 + 1e-6
    best = shares.reshape(-1, 9).max(axis=0)
    assert (best > 0.55).all()  # each class is seen well somewhere
    # Trees: dark in red, bright in the near infrared. Metal sheets: brightest of all.
    mean = class_spectra(source).mean
    assert mean[3, 100] > 4 * mean[3, 50]
    assert mean.mean(axis=1).argmax() == 4
    assert mean.mean(axis=1).argmin() == 8


def test_class_means_are_near_the_source_and_a_seed_is_a_scene(
    source: Source, cubes: dict[int, np.ndarray]
) -> None:
    cube = simulated(source, cubes)
    assert cube.dtype == np.float32
    mean = class_spectra(source).mean
    for value in (1, 2, 5, 6, 8):
        inside = binary_erosion(source.truth == value)
        off = cube[inside].mean(axis=0) - mean[value - 1]
        assert np.abs(off).mean() < 0.2 * mean[value - 1].mean()
    np.testing.assert_array_equal(cube, simulate(source, seed=3))
    # Neighbours are alike, but not the same: context helps and is not free.
    meadow = cube[500:600, 20:120].mean(axis=2)
    near = np.corrcoef(meadow[:, :-1].ravel(), meadow[:, 1:].ravel())[0, 1]
    far = np.corrcoef(meadow[:, :-50].ravel(), meadow[:, 50:].ravel())[0, 1]
    assert 0.3 < near < 0.98
    assert abs(far) < near


def test_borders_are_mixed(source: Source, cubes: dict[int, np.ndarray]) -> None:
    cube, classes = simulated(source, cubes), ground(source)
    metal = classes == 5  # the brightest, so what it is mixed with makes it darker
    edge = metal & ~binary_erosion(metal, border_value=1)
    inside = binary_erosion(metal, iterations=3)
    beside = binary_dilation(metal) & ~metal
    bright, mixed, others = (float(cube[where].mean()) for where in (inside, edge, beside))
    assert others < mixed < bright - 0.1 * (bright - float(cube[~metal].mean()))


def test_every_pixel_has_a_class_and_labels_stay(source: Source) -> None:
    found = ground(source)
    assert set(np.unique(found)) <= set(range(1, 10))
    labelled = source.truth > 0
    np.testing.assert_array_equal(found[labelled], source.truth[labelled])
    without_colours = ground(replace(source, colours=source.colours[:0]))
    assert (without_colours > 0).all()


def test_without_the_files_it_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingCapability, match=r"reg_pavia_dataset\.mat"):
        read_source(tmp_path)
    assert "Semi-synthetic" in semi_synthetic.described(0)["recipe"]
