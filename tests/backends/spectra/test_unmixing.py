"""Endmembers and abundances: planted ones found, exact shares, the Samson scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat
from scipy.optimize import linear_sum_assignment, minimize, nnls

from backends.errors import BadInput, WrongUse
from backends.io import open_scene
from backends.spectra.abundances import FullyConstrained
from backends.spectra.endmembers import FINDERS, hfc, hysime, n_findr, vca
from backends.spectra.pixels import usable_bands
from backends.spectra.similarity import spectral_angle


def mixtures(count: int, pixels: int = 900, noise: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    nm = np.linspace(0, 1, 60)
    ends = np.array([0.4 + 0.3 * np.sin((2 + k) * 2.1 * nm + k) for k in range(count)])
    shares = random.dirichlet(np.full(count, 0.7), pixels)
    shares[:count] = np.eye(count)
    values = shares @ ends + noise * random.normal(size=(pixels, 60))
    return values, ends


def by_scipy(ends: np.ndarray, values: np.ndarray) -> np.ndarray:
    heavy = 1e4 * np.ones(len(ends))
    return np.array([nnls(np.vstack([ends.T, heavy]), np.append(v, 1e4))[0] for v in values])


@pytest.mark.parametrize("count", [2, 3, 6, 8, 14])
def test_shares_are_those_of_a_quadratic_programme(count: int) -> None:
    values, _ = mixtures(4)
    random = np.random.default_rng(1)
    ends = values[random.choice(len(values), count, replace=False)]
    ends = ends + 0.02 * random.normal(size=ends.shape)
    shares, residual = FullyConstrained(ends)(values.astype(np.float32))
    np.testing.assert_allclose(shares[::20], by_scipy(ends, values[::20]), atol=1e-3)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert shares.min() >= 0
    left = np.sqrt(((shares @ ends - values) ** 2).mean(axis=1))
    np.testing.assert_allclose(residual, left, atol=1e-4)


@pytest.mark.parametrize("finder", list(FINDERS))
def test_pure_pixels_are_found(finder: str) -> None:
    values, ends = mixtures(4)
    found = FINDERS[finder][1](values, 4)
    angle = spectral_angle(values[found].astype(np.float32), ends.astype(np.float32))
    rows, cols = linear_sum_assignment(angle)
    assert angle[rows, cols].max() < 0.03


def test_the_number_of_materials_is_found() -> None:
    values, _ = mixtures(5, pixels=4000)
    assert hysime(values) == 5
    assert 3 <= hfc(values) <= 6


def test_samson_as_published(clearband_data: Path) -> None:
    # Soil, tree and water; published mean angles of VCA and N-FINDR lie around 0.05 to 0.2 rad.
    content = loadmat(clearband_data / "hsi" / "unmixing" / "Samson.mat")
    values, truth = content["Y"].T, content["GT"]
    for finder in (vca, n_findr):
        found = values[finder(values, 3)]
        angle = spectral_angle(found.astype(np.float32), truth.astype(np.float32))
        rows, cols = linear_sum_assignment(angle)
        assert angle[rows, cols].mean() < 0.10
    shares, _ = FullyConstrained(truth)(values.astype(np.float32))
    np.testing.assert_allclose(shares[::100], by_scipy(truth, values[::100]), atol=1e-3)


def by_slsqp(ends: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve what pysptools' FCLS hands to cvxopt, which it needs and does not bring, by SciPy."""
    start = np.full(len(ends), 1 / len(ends))
    one = {"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like}
    scale = 1 / (ends**2).mean()
    return np.array(
        [
            minimize(
                lambda x, v=v: scale * ((x @ ends - v) ** 2).sum(),
                start,
                jac=lambda x, v=v: 2 * scale * (x @ ends - v) @ ends.T,
                bounds=[(0, 1)] * len(ends),
                constraints=one,
                method="SLSQP",
                options={"ftol": 1e-14, "maxiter": 500},
            ).x
            for v in values
        ]
    )


@pytest.mark.parametrize("which", ["samson", "potsdam"])
def test_shares_on_real_scenes_are_those_of_two_solvers(which: str, clearband_data: Path) -> None:
    if which == "samson":
        content = loadmat(clearband_data / "hsi" / "unmixing" / "Samson.mat")
        values, ends = content["Y"].T, content["GT"]
    else:
        with open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr") as scene:
            cube = scene.read(bands=usable_bands(scene), physical=True)
        values = cube.reshape(-1, cube.shape[2]).astype(np.float64)
        values = values[np.isfinite(values).all(axis=1)]
        ends = values[vca(values, 5)]
    values = values[::60]
    shares, _ = FullyConstrained(ends)(values.astype(np.float32))
    # Some shares are held at zero, some are not: both kinds of answer are compared.
    assert 0.05 < (shares == 0).mean() < 0.95
    for theirs in (by_scipy(ends, values), by_slsqp(ends, values)):
        np.testing.assert_allclose(shares, theirs, atol=1e-5)


def test_endmembers_that_cannot_be_told_apart_are_refused() -> None:
    _, ends = mixtures(3)
    with pytest.raises(BadInput, match="mixtures of the others"):
        FullyConstrained(np.vstack([ends, ends.mean(axis=0)]))
    with pytest.raises(BadInput, match="two or more"):
        FullyConstrained(ends[:1])
    holed = ends.copy()
    holed[0, 3] = np.nan
    with pytest.raises(BadInput, match="no value in some bands"):
        FullyConstrained(holed)


def test_more_endmembers_than_bands_is_one_sentence() -> None:
    with pytest.raises(WrongUse, match="Choose 2 to 3"):
        vca(np.random.default_rng(0).random((50, 3)), 9)
