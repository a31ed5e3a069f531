"""Scenes written anew from components: equal to the inverse by hand and to SPy, noise gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.cli.root import invoke
from backends.bands import BandTable
from backends.errors import BadInput, ClearbandError, WrongUse
from backends.io import open_scene
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra.preparing import prepare
from backends.spectra.restoring import decorrelate, denoise
from backends.spectra.transforms import component_maps, transform_of

ROWS, COLS, BANDS = 48, 40, 12
CLEAN_RANK = 3


def clean() -> np.ndarray:
    rng = np.random.default_rng(5)
    ends = rng.uniform(0.1, 0.6, (CLEAN_RANK + 1, BANDS))
    grid = np.linspace(0, 1, ROWS)[:, None] * np.linspace(0, 1, COLS)[None]
    maps = [np.sin((k + 1) * 3 * grid + k) ** 2 for k in range(CLEAN_RANK)]
    return ends[0] + sum(m[..., None] * e for m, e in zip(maps, ends[1:], strict=True))


def noisy(noise: float = 0.02, **more: object) -> Scene:
    rng = np.random.default_rng(6)
    cube = clean() + rng.normal(0, noise, (ROWS, COLS, BANDS)) * np.linspace(0.2, 2, BANDS)
    nm = np.linspace(450, 2300, BANDS)
    good = np.ones(BANDS, bool)
    good[4] = False
    cube[..., 4] = 9.0
    cube[3, 5, 7] = np.nan
    bands = BandTable.build(BANDS, wavelength_nm=nm, good=good)
    info = SceneInfo(None, "hyperspectral", bands, title="Field", **more)
    return Scene(ArraySource(cube.astype(np.float32)), info)


@pytest.mark.parametrize("method", ["mnf", "pca"])
def test_the_noise_goes_and_what_was_not_in_it_stays(tmp_path: Path, method: str) -> None:
    scene = noisy()
    out = tmp_path / "clean.tif"
    said = denoise(scene, out, method, components=CLEAN_RANK)
    assert said["components_kept"] == "1-3"
    assert len(said["eigenvalues"]) == BANDS - 1
    used = [b for b in range(BANDS) if b != 4]
    valid = np.ones((ROWS, COLS), bool)
    valid[3, 5] = False
    with open_scene(out) as made:
        values = made.read(physical=True)
    before = scene.read(physical=True)
    np.testing.assert_array_equal(values[..., 4], before[..., 4])  # a bad band is as it was
    np.testing.assert_array_equal(values[3, 5], before[3, 5])  # a hole, too
    error = [np.sqrt(np.mean((v[valid][:, used] - clean()[valid][:, used]) ** 2))
             for v in (before, values)]  # fmt: skip
    assert error[1] < 0.65 * error[0]
    removed = np.sqrt(np.mean((values - before)[valid][:, used] ** 2))
    assert said["removed_rms"] == pytest.approx(removed, rel=1e-4)


def test_it_is_the_inverse_of_the_chosen_components(tmp_path: Path) -> None:
    scene = noisy()
    found = transform_of(scene, "mnf", 5)
    maps = component_maps(scene, found).reshape(5, -1).T
    wanted = found.restore(maps, [0, 1, 4]).reshape(ROWS, COLS, -1)
    out = tmp_path / "part.bil"
    said = denoise(scene, out, "mnf", [4, 0, 1])
    assert said["components_kept"] == "1-2,5"
    with open_scene(out) as made:
        values = made.read(physical=True)[..., list(found.bands)]
    inside = np.isfinite(wanted)
    np.testing.assert_allclose(values[inside], wanted[inside], atol=2e-5)


def test_denoising_equals_spy(clearband_data: Path, tmp_path: Path) -> None:
    """``mnf().denoise`` of SPy with its noise from the same neighbours, on a real scene."""
    spectral = pytest.importorskip("spectral")
    scene = open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr")
    from backends.spectra.background import background_of, noise_of
    from backends.spectra.pixels import usable_bands

    bands = list(usable_bands(scene))[10:60]
    cube = scene.read(bands=bands, physical=True).astype(np.float64)
    signal, noise = background_of(scene, bands), noise_of(scene, bands)
    spy = spectral.mnf(
        spectral.GaussianStats(signal.mean, signal.covariance, signal.count),
        spectral.GaussianStats(noise.mean, noise.covariance, noise.count),
    )
    wanted = spy.denoise(cube, num=8)
    found = transform_of(scene, "mnf", 8, bands=bands)
    maps = component_maps(scene, found).reshape(8, -1).T
    ours = found.restore(maps).reshape(wanted.shape)
    inside = np.isfinite(cube).all(axis=2) & (cube > 0).any(axis=2)
    scale = np.abs(wanted[inside]).mean()
    np.testing.assert_allclose(ours[inside], wanted[inside], atol=2e-3 * scale)


def test_noise_of_a_dark_ground(tmp_path: Path) -> None:
    scene = noisy()
    cube = scene.read().copy()
    rng = np.random.default_rng(8)
    spread = np.linspace(0.2, 2, BANDS) * 0.02
    cube[:12, :12] = 0.02 + rng.normal(0, 1, (12, 12, BANDS)) * spread
    cube[3, 5, 7] = 0.02
    scene = Scene(ArraySource(cube), scene.info)
    dark = np.zeros((ROWS, COLS), bool)
    dark[:12, :12] = True
    found = transform_of(scene, "mnf", 3, dark=dark)
    noise = np.cov(cube[dark][:, list(found.bands)].astype(np.float64).T)
    # The components are white over the ground, the first ones hold the most signal.
    turned = found.forward.T @ noise @ found.forward
    np.testing.assert_allclose(turned, np.eye(3), atol=1e-3)
    assert found.strength[0] > found.strength[2] > 0
    few = np.zeros((ROWS, COLS), bool)
    few[0, :5] = True
    for mask, sentence in ((few, "has 5 pixels, too few"), (dark & False, "holds no pixel")):
        with pytest.raises(BadInput, match=sentence):
            transform_of(scene, "mnf", 3, dark=mask)
    with pytest.raises(WrongUse, match="only MNF"):
        transform_of(scene, "pca", 3, dark=dark)


def test_a_stretch_leaves_no_correlation_and_keeps_means(tmp_path: Path) -> None:
    scene = noisy()
    said = decorrelate(scene, tmp_path / "wide.tif", [0, 5, 9])
    with open_scene(tmp_path / "wide.tif") as made:
        after = made.read(physical=True).reshape(-1, 3).astype(np.float64)
    before = scene.read(bands=[0, 5, 9], physical=True).reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(np.corrcoef(after.T), np.eye(3), atol=1e-3)
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(after.std(axis=0), before.std(axis=0), rtol=1e-3)
    off = np.abs(np.corrcoef(before.T))[np.triu_indices(3, 1)].mean()
    assert said["correlation_before"] == pytest.approx(off, abs=1e-3)


@pytest.mark.parametrize(
    ("tool", "told", "sentence"),
    [
        ("denoise", {"keep": "0"}, "components 1 to"),
        ("denoise", {"keep": "first"}, "no numbers of components"),
        ("denoise", {"keep": "40"}, "There are 11 components, not 40"),
        ("denoise", {"method": "fft"}, "no transform fft"),
        ("decorrelate", {"bands": "3"}, "name two or more"),
        ("decorrelate", {"bands": "5,6"}, "is the same everywhere"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path, tool: str, told: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ClearbandError, match=sentence):
        prepare(noisy(), tool, told, tmp_path / "x.tif")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_takes_a_dark_ground(clearband_data: Path, tmp_path: Path) -> None:
    potsdam = str(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr")
    water = tmp_path / "water.gpkg"
    assert invoke(["spectra", "areas", potsdam, "--where", "b[1600] < 0.02", "--least", "50",
                   "--name", "Water", "--out", str(water)]) == 0  # fmt: skip
    out = tmp_path / "clean.tif"
    words = ["spectra", "denoise", potsdam, "--components", "12", "--dark", str(water)]
    assert invoke([*words, "--dark-name", "Water", "--out", str(out)]) == 0
    assert out.is_file()
    assert invoke([*words, "--dark-name", "Ice", "--out", str(out)]) == BadInput.exit_code
    assert invoke(["spectra", "mnf", potsdam, "--dark", str(water), "--out",
                   str(tmp_path / "mnf")]) == 0  # fmt: skip
    assert (tmp_path / "mnf" / "eigenvalues.csv").is_file()
    assert invoke(["spectra", "decorrelate", potsdam, "--nm", "2100", "--nm", "2200", "--nm",
                   "2330", "--out", str(tmp_path / "wide.tif")]) == 0  # fmt: skip
