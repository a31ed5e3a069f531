"""Pictures: the right bands by wavelength, limits that hold, lazy planes that agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.bands import BandTable
from backends.composite import (
    PlaneLevel,
    Recipe,
    available_presets,
    default_recipe,
    plane_pyramid,
    preset_recipe,
    render,
    single_band,
    stretch_limits,
)
from backends.errors import BadInput
from backends.scene import ArraySource, Scene, SceneInfo

NM = tuple(np.linspace(400, 2500, 43))


def cube(rows: int = 40, cols: int = 30, **facts: object) -> Scene:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 10_000, (rows, cols, 43)).astype(np.int16)
    table = BandTable.build(43, wavelength_nm=NM)
    info = SceneInfo(None, "hyperspectral", table, gain=1e-4, **facts)  # type: ignore[arg-type]
    return Scene(ArraySource(values), info)


def test_natural_colour_takes_the_nearest_wavelengths() -> None:
    recipe = preset_recipe(cube(), "natural")
    assert [NM[b] for b in recipe.bands] == pytest.approx([650, 550, 450])
    assert default_recipe(cube()).id == "natural"


def test_three_bands_with_wavelengths_open_in_colour_longest_red() -> None:
    def opened(nm: tuple[float, ...], **facts: object) -> Recipe:
        table = BandTable.build(3, wavelength_nm=nm, **facts)  # type: ignore[arg-type]
        values = np.random.default_rng(0).normal(size=(4, 4, 3))
        return default_recipe(Scene(ArraySource(values), SceneInfo(None, "raster", table)))

    assert opened((1610.0, 2200.0, 980.0)).bands == (1, 0, 2)
    assert opened((650.0, 550.0, 460.0)).id == "natural"
    # One band that is bad or unknown, and slices, are no colours.
    assert len(opened((1610.0, 2200.0, 980.0), good=(True, True, False)).bands) == 1
    assert len(opened((1610.0, 2200.0, float("nan"))).bands) == 1
    assert len(opened((1610.0, 2200.0, 980.0), axis="slice").bands) == 1


def test_a_decorrelation_stretch_opens_in_colour(tmp_path: Path) -> None:
    from backends.io import open_scene
    from backends.spectra.restoring import decorrelate

    scene = cube()
    at = [scene.bands.nearest(nm) or 0 for nm in (1000.0, 1600.0, 2200.0)]
    decorrelate(scene, tmp_path / "wide.tif", at)
    with open_scene(tmp_path / "wide.tif") as scene:
        recipe = default_recipe(scene)
        assert [round(scene.bands.wavelengths()[b]) for b in recipe.bands] == [2200, 1600, 1000]


def test_bad_bands_are_never_chosen() -> None:
    scene = cube()
    good = [True] * 43
    good[5] = False  # 650 nm
    scene.with_info(bands=BandTable.build(43, wavelength_nm=NM, good=good))
    assert 5 not in preset_recipe(scene, "natural").bands


def test_a_missing_wavelength_is_named() -> None:
    table = BandTable.build(3, wavelength_nm=(450, 550, 650))
    reasons = {preset.id: reason for preset, reason in available_presets(table)}
    assert reasons["natural"] == ""
    assert "2200 nm" in reasons["swir"]
    assert "3.9 µm" in reasons["ams_fire"]
    scene = Scene(ArraySource(np.zeros((2, 2, 3))), SceneInfo(None, "raster", table))
    with pytest.raises(BadInput, match="2200 nm"):
        preset_recipe(scene, "swir")


def test_planes_hold_physical_values_and_limits_are_percentiles() -> None:
    scene = cube()
    recipe = preset_recipe(scene, "natural")
    picture = render(scene, recipe)
    expected = scene.read(None, recipe.bands, physical=True)
    for i, plane in enumerate(picture.planes):
        np.testing.assert_array_equal(plane, expected[:, :, i])
        low, high = np.percentile(plane, (2, 98))
        assert picture.limits[i] == pytest.approx((low, high))
    rgb = picture.to_rgb8()
    assert rgb.shape == (40, 30, 3)
    assert 0.01 < (rgb == 255).mean() < 0.05


def test_true_colours_are_left_alone() -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    table = BandTable.build(3, names=("red", "green", "blue"))
    scene = Scene(ArraySource(values), SceneInfo(None, "picture", table, is_rgb=True))
    picture = render(scene, default_recipe(scene))
    assert picture.is_rgb
    np.testing.assert_array_equal(picture.to_rgb8(), values)


def test_decorrelation_removes_correlation_and_keeps_means() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=(60, 60, 1))
    values = (5 + common + 0.1 * rng.normal(size=(60, 60, 3))).astype(np.float32)
    scene = Scene(ArraySource(values), SceneInfo(None, "raster", BandTable.build(3)))
    picture = render(scene, Recipe("x", "x", (0, 1, 2), stretch="decorrelation"))
    flat = np.stack([p.ravel() for p in picture.planes])
    assert np.abs(np.corrcoef(values.reshape(-1, 3).T) - np.eye(3)).max() > 0.9
    assert np.abs(np.corrcoef(flat) - np.eye(3)).max() < 0.02
    assert flat.mean(axis=1) == pytest.approx(values.reshape(-1, 3).mean(axis=0), abs=1e-3)


def test_constant_and_empty_bands_still_have_two_limits() -> None:
    values = np.full((5, 5, 2), np.nan, np.float32)
    values[..., 0] = 7
    scene = Scene(ArraySource(values), SceneInfo(None, "raster", BandTable.build(2)))
    for band in (0, 1):
        ((low, high),) = stretch_limits(scene, single_band(scene, band))
        assert high > low


def test_display_preset_of_the_file_wins() -> None:
    values = np.zeros((5, 5, 1), np.int16)
    info = SceneInfo(None, "medical", BandTable.build(1), windows={"Lung": (-1350.0, 150.0)})
    scene = Scene(ArraySource(values), info)
    assert stretch_limits(scene, default_recipe(scene)) == ((-1350.0, 150.0),)


def test_unusable_recipes_are_refused() -> None:
    with pytest.raises(BadInput):
        Recipe("x", "x", (0, 1))
    with pytest.raises(BadInput):
        Recipe("x", "x", (0,), low=60, high=40)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lazy_plane_slices_like_an_array(data: st.DataObject) -> None:
    scene = cube(12, 9)
    plane = plane_pyramid(scene, 4)[0]
    whole = np.asarray(scene.read(None, (4,), physical=True)[:, :, 0])

    def span(length: int) -> slice:
        a, b = sorted((data.draw(st.integers(0, length)), data.draw(st.integers(0, length))))
        return slice(a, b, data.draw(st.sampled_from([None, 1, 2, 3])))

    key = (span(12), span(9))
    np.testing.assert_array_equal(plane[key], whole[key])
    np.testing.assert_array_equal(plane[3], whole[3])
    np.testing.assert_array_equal(plane[..., 2], whole[..., 2])
    assert float(plane[-1, -1]) == whole[-1, -1]
    np.testing.assert_array_equal(np.asarray(plane), whole)
    assert plane.shape == whole.shape
    colours = PlaneLevel(scene, (0, 1, 2), 0)
    assert colours[key].shape == (*whole[key].shape, 3)


def test_six_views_of_the_ams_are_its_own_channels() -> None:
    from backends.fire.sensors import AMS_12

    table = AMS_12.band_table()
    shown = Scene(ArraySource(np.zeros((4, 4, 12), np.float32)), SceneInfo(None, "thermal", table))
    offered = {preset.id: reason for preset, reason in available_presets(table)}
    wanted = {
        "ams_532": (5, 3, 2), "ams_753": (7, 5, 3), "ams_1073": (10, 7, 3),
        "ams_10": (10,), "ams_11": (11,), "ams_12": (12,),
    }  # fmt: skip
    for preset, channels in wanted.items():
        assert offered[preset] == ""
        assert preset_recipe(shown, preset).bands == tuple(n - 1 for n in channels)
    assert preset_recipe(shown, "ams_11").colormap == "viridis"
    other = BandTable.build(3, wavelength_nm=(650, 550, 460))
    assert "ams_11" not in {preset.id for preset, _ in available_presets(other)}
