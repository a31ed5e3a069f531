"""Profiles, pixel tables and extremes against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.bands import BandTable
from backends.errors import BadInput, Cancelled, WrongUse
from backends.jobs import CancelToken, Progress
from backends.measuring import reading
from backends.measuring.reading import bands_of, extreme, neighbourhood, profile, profile_rows
from backends.regions import Region
from backends.scene import ArraySource, Scene, SceneInfo, Window

CUBE = np.random.default_rng(3).normal(size=(40, 50, 4)).astype(np.float32)


@pytest.fixture
def scene() -> Scene:
    cube = CUBE.copy()
    cube[5, 5, 1] = np.nan
    nm = np.array([450.0, 550.0, 650.0, 860.0])
    return Scene(ArraySource(cube), SceneInfo(None, "raster", BandTable.build(4, wavelength_nm=nm)))


@given(corners=st.lists(st.tuples(st.floats(0, 39), st.floats(0, 49)), min_size=2, max_size=4,
                        unique=True))  # fmt: skip
def test_a_profile_holds_the_pixels_it_goes_through(corners: list[tuple[float, float]]) -> None:
    plain = Scene(ArraySource(CUBE), SceneInfo(None, "raster", BandTable.build(4)))
    found = profile(plain, corners, [2, 0])
    assert np.array_equal(found.values, CUBE[found.rows, found.cols][:, [2, 0]])
    assert found.rows[0] == round(corners[0][0])
    assert found.cols[-1] == round(corners[-1][1])
    # No pixel is jumped over.
    assert np.abs(np.diff(found.rows)).max(initial=0) <= 1
    assert np.abs(np.diff(found.cols)).max(initial=0) <= 1
    length = np.hypot(*np.diff(np.asarray(corners), axis=0).T).sum()
    assert found.along[-1] <= length + 1e-9
    assert found.unit == "px"


def test_a_profile_in_short_runs_is_the_same(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    line = [(0, 0), (39, 49), (0, 49)]
    whole = profile(scene, line, [1])
    monkeypatch.setattr(reading, "_BUDGET", 1)
    assert np.array_equal(profile(scene, line, [1]).values, whole.values, equal_nan=True)
    heads, rows = profile_rows(whole)
    assert heads == ["distance_px", "row", "col", "550.0 nm"]
    assert [row[-1] is None for row in rows] == np.isnan(whole.values[:, 0]).tolist()


def test_what_lies_outside_is_left_out(scene: Scene) -> None:
    found = profile(scene, [(10, -20), (10, 20)], [0])
    assert (found.cols[0], found.cols[-1]) == (0, 20)
    assert found.along[0] == 0
    with pytest.raises(BadInput, match="outside"):
        profile(scene, [(-9, 1), (-9, 9)], [0])


def test_the_pixels_around_one(scene: Scene) -> None:
    found = neighbourhood(scene, 5, 6, 1)
    assert np.array_equal(found.values, scene.read()[4:7, 5:8], equal_nan=True)
    corner = neighbourhood(scene, 0, 49, 2)
    assert (corner.window.row, corner.window.col) == (0, 47)
    assert corner.values.shape == (3, 3, 4)
    with pytest.raises(BadInput, match="outside"):
        neighbourhood(scene, 40, 0)
    with pytest.raises(WrongUse, match="radius"):
        neighbourhood(scene, 0, 0, 11)


@pytest.mark.parametrize("which", ["minimum", "maximum"])
def test_extremes_in_scene_view_and_region(
    scene: Scene, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BUDGET", 1600)  # a few rows at a time
    plane = scene.read()[:, :, 1]
    best = {"minimum": np.nanargmin, "maximum": np.nanargmax}[which]
    found = extreme(scene, 1, which)
    assert (found.row, found.col) == np.unravel_index(best(plane), plane.shape)
    assert found.value == plane[found.row, found.col]
    assert found.equal == 1
    window = Window(10, 8, 12, 9)
    part = np.full(plane.shape, np.nan)
    part[10:22, 8:17] = plane[10:22, 8:17]
    found = extreme(scene, 1, which, window=window)
    assert (found.row, found.col) == np.unravel_index(best(part), plane.shape)
    region = Region("R", scene.id, np.array([(3.0, 3.0), (3.0, 12.0), (15.0, 12.0)]))
    inside = np.where(region.mask(plane.shape), plane, np.nan)
    found = extreme(scene, 1, which, region=region)
    assert (found.row, found.col) == np.unravel_index(best(inside), plane.shape)
    both = extreme(scene, 1, which, region=region, window=window)
    inside[:10] = np.nan
    inside[:, :8] = np.nan
    assert (both.row, both.col) == np.unravel_index(best(inside), plane.shape)


def test_equal_pixels_are_counted_and_holes_are_not(scene: Scene) -> None:
    flat = Scene(ArraySource(np.full((4, 5, 1), 7, np.int16)),
                 SceneInfo(None, "raster", BandTable.build(1), nodata=0))  # fmt: skip
    assert extreme(flat, 0).equal == 20
    empty = Scene(ArraySource(np.zeros((4, 5, 1), np.int16)),
                  SceneInfo(None, "raster", BandTable.build(1), nodata=0))  # fmt: skip
    with pytest.raises(BadInput, match="Nothing was measured"):
        extreme(empty, 0)
    with pytest.raises(WrongUse, match="minimum or maximum"):
        extreme(scene, 0, "middle")


def test_it_stops_when_asked(scene: Scene) -> None:
    token = CancelToken()
    token.cancel()
    for work in (
        lambda p: profile(scene, [(0, 0), (9, 9)], [0], progress=p),
        lambda p: extreme(scene, 0, progress=p),
    ):
        with pytest.raises(Cancelled):
            work(Progress(token))


def test_bands_by_number_and_wavelength(scene: Scene) -> None:
    assert bands_of(scene, [1], [860]) == [0, 3]
    assert bands_of(scene) == [0, 1, 2, 3]
    for numbers, nm in (([5], ()), ((), [2200])):
        with pytest.raises(BadInput):
            bands_of(scene, numbers, nm)
