"""What pysptools has, too, on real scenes: likeness, targets, free shares, number of materials.

Its FCLS needs a solver it doesn't bring (see `test_unmixing`), and its HFC takes coefficients of
correlation for the correlation matrix, so these two are held against others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pysptools.abundance_maps.amaps import UCLS
from pysptools.detection import detect
from pysptools.distance import SAM, SID
from pysptools.material_count import vd
from scipy.io import loadmat

from backends.bands import BandTable
from backends.io import open_scene
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra.abundances import free_share_maps
from backends.spectra.background import RunningCovariance
from backends.spectra.detectors import TARGET_DETECTORS
from backends.spectra.endmembers import hysime
from backends.spectra.pixels import usable_bands
from backends.spectra.similarity import spectral_angle, spectral_information_divergence


@pytest.fixture(scope="module")
def potsdam(clearband_data: Path) -> np.ndarray:
    with open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr") as scene:
        cube = scene.read(bands=usable_bands(scene), physical=True)
    values = cube.reshape(-1, cube.shape[2])
    return values[np.isfinite(values).all(axis=1)]


@pytest.fixture(scope="module")
def samson(clearband_data: Path) -> dict[str, np.ndarray]:
    return loadmat(clearband_data / "hsi" / "unmixing" / "Samson.mat")


def test_likeness(potsdam: np.ndarray) -> None:
    # Theirs has no rule for values at or below zero, of which there is no logarithm.
    some = potsdam[(potsdam > 1e-3).all(axis=1)][::9][:60]
    some = np.ascontiguousarray(some, np.float32)
    for ours, theirs in ((spectral_angle, SAM), (spectral_information_divergence, SID)):
        wanted = [[theirs(x, r) for r in some[:3].astype(float)] for x in some.astype(float)]
        assert np.ptp(wanted) > 0.1
        np.testing.assert_allclose(ours(some, some[:3]), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["matched_filter", "ace", "cem"])
def test_targets(name: str, potsdam: np.ndarray) -> None:
    total = RunningCovariance(potsdam.shape[1])
    total.add(potsdam.astype(np.float32))
    background = total.result(range(potsdam.shape[1]))
    target = potsdam[1234].astype(np.float64)
    theirs = {"matched_filter": detect.MatchedFilter, "ace": detect.ACE, "cem": detect.CEM}[name]
    wanted = np.asarray(theirs(potsdam.astype(np.float64), target)).reshape(-1)
    found = TARGET_DETECTORS[name][1](potsdam.astype(np.float32), target, background)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_free_shares(samson: dict[str, np.ndarray]) -> None:
    values, ends = samson["Y"].T[::50].astype(np.float32), samson["GT"].astype(np.float64)
    scene = Scene(ArraySource(values[None]), SceneInfo(None, "raster", BandTable.build(156)))
    found = free_share_maps(scene, tuple(range(156)), ends)[:, 0].T
    np.testing.assert_allclose(found, UCLS(values.astype(np.float64), ends), atol=1e-4)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize(("scene", "materials"), [("samson", 43), ("potsdam", 29)])
def test_number_of_materials(
    scene: str, materials: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "float", float, raising=False)  # it was written for an older numpy
    found = request.getfixturevalue(scene)
    values = np.asarray(found["Y"].T if scene == "samson" else found, np.float64)
    assert hysime(values) == vd.hysime(values, *vd.est_noise(values))[0] == materials
