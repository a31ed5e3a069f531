"""Images made of images: bad bands, stripes, parts, other sensors, other grids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run
from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.georeference import GeoReference
from backends.io import open_scene
from backends.scene import ArraySource, Scene, SceneInfo, Window
from backends.spectra import cubes, reproject
from backends.spectra.band_quality import band_quality, destripe
from backends.spectra.cubes import resample_bands, sensor_bands, subset, window_of_box

UTM = GeoReference((30.0, 0, 400_000, 0, -30.0, 5_800_000), "EPSG:32633")


def scene_of(cube: Any, nm: Any = None, **info: Any) -> Scene:
    table = BandTable.build(cube.shape[2], wavelength_nm=nm)
    given = {"place": UTM, "title": "Field", "unit": "reflectance", **info}
    return Scene(ArraySource(cube), SceneInfo(None, "hyperspectral", table, **given))


@pytest.fixture
def field() -> Scene:
    """Return 50 × 60 pixels of 40 bands of counts, with holes."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    nm = np.linspace(420, 2400, 40)
    plane = gaussian_filter(rng.normal(size=(50, 60)), 3)
    cube = 3000 + 4000 * plane[:, :, None] * np.sin(nm / 700) + rng.normal(0, 5, (50, 60, 40))
    cube[7, 9] = -9999
    return scene_of(cube.astype(np.int16), nm, nodata=-9999.0, gain=1e-4)


@pytest.mark.parametrize("name", ["part.tif", "part.bil"])
def test_a_subset_has_the_same_values_place_and_scale(
    field: Scene, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cubes, "BUDGET", 8 * 20 * 3 * 4)  # four rows at a time
    said = subset(field, tmp_path / name, window=Window(5, 8, 13, 20), bands=[2, 9, 30])
    assert (said["rows"], said["columns"], said["bands"]) == (13, 20, 3)
    with open_scene(tmp_path / name) as made:
        window = Window(5, 8, 13, 20)
        np.testing.assert_array_equal(made.read(), field.read(window, [2, 9, 30]))
        np.testing.assert_allclose(
            made.read(physical=True), field.read(window, [2, 9, 30], physical=True), rtol=1e-6
        )
        assert np.isnan(made.read(physical=True)[2, 1]).all()
        np.testing.assert_allclose(
            made.bands.wavelengths(), field.bands.wavelengths()[[2, 9, 30]], rtol=1e-6
        )
        assert isinstance(made.place, GeoReference)
        assert made.place.to_map(0, 0) == pytest.approx(UTM.to_map(5, 8))
        assert made.place.same_system(UTM)
        assert made.info.unit == "reflectance"


def test_what_lies_outside_a_mask_is_empty(field: Scene, tmp_path: Path) -> None:
    mask = np.zeros((50, 60), bool)
    mask[10:20, 30:42] = True
    mask[10, 30] = False
    subset(field, tmp_path / "a.tif", mask=mask)
    with open_scene(tmp_path / "a.tif") as made:
        assert made.shape == (10, 12, 40)
        assert np.isnan(made.read(physical=True)[0, 0]).all()
        np.testing.assert_array_equal(made.read()[1:], field.read(Window(11, 30, 9, 12)))
    with pytest.raises(BadInput, match="lies outside Field"):
        subset(field, tmp_path / "b.tif", mask=~mask & False)
    with pytest.raises(BadInput, match="No band is left"):
        subset(field, tmp_path / "b.tif", bands=[])
    assert not (tmp_path / "b.tif").exists()


def test_a_box_is_found_on_the_map(field: Scene) -> None:
    west, north = 400_000 + 30 * 8, 5_800_000 - 30 * 5
    box = (west, north - 30 * 13, west + 30 * 20, north)
    assert window_of_box(field, box) == Window(5, 8, 13, 20)
    from pyproj import Transformer

    turn = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    (w, s), (e, n) = turn.transform(*box[:2]), turn.transform(*box[2:])
    found = window_of_box(field, (w, s, e, n), lonlat=True)
    assert abs(found.row - 5) <= 1
    assert abs(found.width - 20) <= 2
    with pytest.raises(BadInput, match="box lies outside"):
        window_of_box(field, (0, 0, 1, 1))
    with pytest.raises(BadInput, match="no place on the map"):
        window_of_box(scene_of(np.ones((3, 3, 1)), place=None), box)


def test_bad_bands_are_found_and_reasons_said(field: Scene) -> None:
    cube = field.read().astype(np.float32)
    rng = np.random.default_rng(3)
    cube[:, :, 12] = rng.normal(0, 100, (50, 60))
    cube[:, :, 25] = 7
    cube[:, :, 33] = np.nan
    rows = band_quality(scene_of(cube, field.bands.wavelengths()))
    bad = {row["band"]: row["reason"] for row in rows if row["bad"]}
    assert set(bad) == {13, 26, 34}
    assert "unlike its neighbours" in bad[13]
    assert (bad[26], bad[34]) == ("constant", "empty")
    # The neighbours of a bad band have another one to be like.
    assert not rows[11]["bad"]
    with pytest.raises(WrongUse, match="between 0 and 1"):
        band_quality(field, least=2)


def test_stripes_go_and_slopes_stay(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows, cols = 200, 80
    slope = np.linspace(0.2, 0.6, cols)[None, :, None]
    clean = slope + rng.normal(0, 0.05, (rows, cols, 3))
    gain, shift = rng.normal(1, 0.05, (1, cols, 3)), rng.normal(0, 0.05, (1, cols, 3))
    striped = clean * gain + shift
    striped[50, 3] = np.nan
    said = destripe(scene_of(striped.astype(np.float32)), tmp_path / "d.tif", window=15)
    with open_scene(tmp_path / "d.tif") as made:
        found = made.read(physical=True)
    assert np.isnan(found[50, 3]).all()
    before = np.nanstd((striped - clean).mean(axis=0))
    after = np.nanstd(np.nanmean(found - clean, axis=0))
    assert after < 0.45 * before
    profile = np.nanmean(found, axis=(0, 2))
    assert profile[-5:].mean() - profile[:5].mean() > 0.3
    assert said["stripes_median"] > 0.1
    again = destripe(scene_of(found), tmp_path / "e.bil", window=15)
    assert again["stripes_median"] < 0.3 * said["stripes_median"]
    assert "200 rows are few" in again["notes"][0]
    with pytest.raises(BadInput, match="has 10 rows"):
        destripe(scene_of(striped[:10]), tmp_path / "f.tif")
    with pytest.raises(WrongUse, match="odd and at least 3"):
        destripe(scene_of(striped), tmp_path / "f.tif", window=4)


def test_another_sensors_bands_are_means_under_its_responses(tmp_path: Path) -> None:
    nm = np.arange(400, 2500, 5.0)
    cube = np.broadcast_to(np.sin(nm / 300) + 1.5, (6, 7, nm.size)).astype(np.float32).copy()
    cube[2, 3, 120] = np.nan  # 1000 nm: beside no band of Landsat
    cube[4, 4, 50] = np.nan  # 650 nm: in its red
    said = resample_bands(scene_of(cube, nm), sensor_bands("landsat8"), tmp_path / "l.tif")
    assert said["bands"] == 7
    table = sensor_bands("landsat8")
    with open_scene(tmp_path / "l.tif") as made:
        assert made.bands.names == table.names
        assert made.bands.fwhm_nm == table.fwhm_nm
        values = made.read(physical=True)
    fine = np.arange(350, 2600, 0.5)
    for band, (centre, width) in enumerate(
        zip(table.wavelengths(), table.fwhm_nm or (), strict=True)
    ):
        weight = np.exp(-4 * np.log(2) * ((fine - centre) / width) ** 2)
        wanted = (weight * (np.sin(fine / 300) + 1.5)).sum() / weight.sum()
        assert values[0, 0, band] == pytest.approx(wanted, rel=2e-3)
    assert np.isfinite(values[2, 3]).all()
    assert np.isnan(values[4, 4]).tolist() == [False, False, False, True, False, False, False]
    visible = scene_of(cube[:, :, :60], nm[:60])
    said = resample_bands(visible, sensor_bands("landsat8"), tmp_path / "v.tif")
    assert said["left_out"] == ["B5", "B6", "B7"]
    with pytest.raises(BadInput, match="covers none"):
        resample_bands(scene_of(cube[:, :, :3], nm[:3]), sensor_bands("modis"), tmp_path / "x.tif")
    with pytest.raises(BadInput, match="does not know its wavelengths"):
        resample_bands(scene_of(cube), sensor_bands("modis"), tmp_path / "x.tif")
    with pytest.raises(WrongUse, match="no sensor kodak"):
        sensor_bands("kodak")


def test_a_real_scene_is_resampled_about_as_spy_does(clearband_data: Path, tmp_path: Path) -> None:
    from spectral import BandResampler

    table = sensor_bands("sentinel2")
    with open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr") as scene:
        resample_bands(scene, table, tmp_path / "s2.tif")
        nm = scene.bands.wavelengths()
        own = np.flatnonzero(scene.bands.good_mask())
        own = own[np.argsort(nm[own], kind="stable")]
        width = np.asarray(scene.bands.fwhm_nm)[own]
        theirs = BandResampler(nm[own], table.wavelengths(), width, np.asarray(table.fwhm_nm))
        spectra = scene.read(physical=True)[::9, ::9, own].reshape(-1, own.size)
    wanted = np.stack([theirs(spectrum) for spectrum in spectra])
    with open_scene(tmp_path / "s2.tif") as made:
        found = made.read(physical=True)[::9, ::9].reshape(-1, len(table))
    bright = np.isfinite(found).all(axis=1) & (np.abs(wanted) > 0.02).all(axis=1)
    # SPy weighs by overlaps of both sensors' responses, we by the wanted one at our centres.
    apart = np.abs(found - wanted)[bright] / np.abs(wanted[bright])
    assert bright.sum() > 50
    assert np.median(apart, axis=0).max() < 0.03


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
def test_another_grid_is_that_of_gdal(
    field: Scene, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rasterio
    from rasterio.warp import Resampling
    from rasterio.warp import reproject as warp

    monkeypatch.setattr(reproject, "_STRIP_BYTES", 20_000)
    monkeypatch.setattr(reproject, "_SOURCE_BYTES", 60_000)  # halves of halves
    grid = reproject.grid_for(field, "EPSG:3857", 40.0)
    said = reproject.reproject(field, grid, tmp_path / "m.tif", how=how)
    assert said["resolution"] == 40.0
    with open_scene(tmp_path / "m.tif") as made:
        assert isinstance(made.place, GeoReference)
        assert made.place.crs == "EPSG:3857"
        found = made.read(physical=True)
        if how == "nearest":
            assert made.dtype == np.int16
    source = np.moveaxis(field.read(physical=True), 2, 0)
    wanted = np.full((40, grid.rows, grid.cols), np.nan, np.float32)
    warp(
        source, wanted, src_transform=rasterio.Affine(*UTM.affine), src_crs=UTM.crs,
        dst_transform=rasterio.Affine(*grid.place.affine), dst_crs="EPSG:3857",
        src_nodata=np.nan, dst_nodata=np.nan, resampling=Resampling[how], tolerance=0,
    )  # fmt: skip
    wanted = np.moveaxis(wanted, 0, 2)
    both = np.isfinite(found) & np.isfinite(wanted)
    assert both.mean() > 0.75
    close = np.isclose(found, wanted, rtol=1e-3, atol=1e-3)[both]
    assert close.mean() > (0.98 if how == "nearest" else 0.99)
    assert (np.isfinite(found) == np.isfinite(wanted)).mean() > 0.97


def test_a_grid_of_another_scene_and_a_box(field: Scene, tmp_path: Path) -> None:
    half = GeoReference((15.0, 0, 400_300, 0, -15.0, 5_799_700), "EPSG:32633")
    like = scene_of(np.zeros((20, 30, 1), np.float32), place=half)
    reproject.reproject(field, reproject.grid_of(like), tmp_path / "n.bil", how="nearest")
    with open_scene(tmp_path / "n.bil") as made:
        wanted = field.read(Window(10, 10, 10, 15)).repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(made.read(), wanted)
    box = (400_300, 5_799_000, 400_900, 5_799_700)
    grid = reproject.grid_for(field, resolution=30.0, box=box)
    assert (grid.rows, grid.cols) == (24, 20)
    with pytest.raises(BadInput, match="box lies outside"):
        reproject.grid_for(field, box=(0, 0, 10, 10))
    with pytest.raises(WrongUse, match="no coordinate system EPSG:1"):
        reproject.grid_for(field, "EPSG:1")
    with pytest.raises(WrongUse, match=r"would have \d+ × \d+ pixels"):
        reproject.grid_for(field, resolution=1e-5)
    with pytest.raises(BadInput, match="does not say where it lies"):
        reproject.grid_for(scene_of(np.ones((3, 3, 1)), place=None), "EPSG:4326")
    away = scene_of(
        np.zeros((4, 4, 1), np.float32),
        place=GeoReference((30.0, 0, 700_000, 0, -30.0, 5_000_000), "EPSG:32633"),
    )
    with pytest.raises(BadInput, match="no pixel of it falls on the grid"):
        reproject.reproject(field, reproject.grid_of(away), tmp_path / "o.tif")
    assert not (tmp_path / "o.tif").exists()


def test_the_command_line_makes_them_in_a_row(
    clearband_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr"
    a, b, c, d = (tmp_path / n for n in ("a.bil", "b.tif", "c.tif", "d.tif"))
    words = ["spectra", "subset", str(scene), "--rows", "4:54", "--cols", "10:90"]
    assert run([*words, "--nm", "420:1300", "--nm", "1500:1780", "--good", "--out", str(a)]) == 0
    assert run(["spectra", "destripe", str(a), "--out", str(b)]) == 0
    assert run(["spectra", "resample", str(b), "--sensor", "sentinel2", "--out", str(c)]) == 0
    assert run(["spectra", "reproject", str(c), "--crs", "EPSG:4326", "--out", str(d)]) == 0
    with open_scene(d) as made:
        assert made.bands.names[:3] == ("B01", "B02", "B03")
        assert made.shape[2] == 11  # B12 was cut off
        assert np.isfinite(made.read(physical=True)).mean() > 0.5
    capsys.readouterr()
    assert run(["spectra", "badbands", str(scene), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bands"] == 224
    for more, code in (
        (["subset", "--rows", "9"], 2),
        (["subset", "--bands", "0"], 2),
        (["subset", "--rows", "900:999"], 3),
        (["resample"], 2),
        (["reproject"], 2),
        (["reproject", "--box", "1,2,3"], 2),
    ):
        out = ["--out", str(tmp_path / "x.tif")]
        assert run(["spectra", more[0], str(scene), *more[1:], *out]) == code
