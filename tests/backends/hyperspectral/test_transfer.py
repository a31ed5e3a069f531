"""Weights on another scene of the sensor: bands by wavelength, and whose statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.hyperspectral.classify import classify
from backends.hyperspectral.normalise import match_bands, stretch_anew

QUICK = {"gamma": 0.01, "C": 100}


@pytest.fixture(scope="module")
def trained(small_valley: Any) -> Any:
    return classify(small_valley.scene, small_valley.labels, "svm", settings=QUICK)


def mapped(trained: Any, scene: Any, **more: Any) -> Any:
    return classify(scene, None, "svm", checkpoint=trained.checkpoint, **more)


def wavelengths(valley: Any) -> Any:
    return valley.bands.wavelengths()


def table(nm: Any) -> BandTable:
    return BandTable.build(len(nm), wavelength_nm=nm)


def test_bands_in_another_order_give_the_same_map(small_valley: Any, trained: Any) -> None:
    order = np.random.default_rng(0).permutation(40)
    scene = small_valley.other(
        small_valley.cube[:, :, order], table(wavelengths(small_valley)[order])
    )
    result = mapped(trained, scene)
    np.testing.assert_array_equal(result.class_map.labels, trained.class_map.labels)
    # More bands than it needs, among them one it never saw: no matter.
    more = np.concatenate([np.zeros((48, 48, 1)), small_valley.cube], axis=2)
    nm = np.concatenate([[3000.0], wavelengths(small_valley)])
    again = mapped(trained, small_valley.other(more.astype(np.float32), table(nm)))
    np.testing.assert_array_equal(again.class_map.labels, trained.class_map.labels)


def test_bands_a_little_off_are_taken_and_it_is_said(small_valley: Any, trained: Any) -> None:
    nm = wavelengths(small_valley) + 4.0
    result = mapped(trained, small_valley.other(bands=table(nm)))
    np.testing.assert_array_equal(result.class_map.labels, trained.class_map.labels)
    assert "Bands are matched by wavelength; the farthest is 4.0 nm off." in result.notes


def test_a_missing_band_has_a_neighbour_or_a_sentence(small_valley: Any, trained: Any) -> None:
    used = trained.checkpoint.stretch.bands
    gone = int(used[len(used) // 2])
    nm = wavelengths(small_valley)
    rest = np.delete(np.arange(40), gone)
    scene = small_valley.other(small_valley.cube[:, :, rest], table(nm[rest]))
    with pytest.raises(BadInput, match=rf"no band near {nm[gone]:.0f} nm.*\(1 of {len(used)} are"):
        mapped(trained, scene)
    # A finer sensor without that band has another one near enough.
    fine = np.sort(np.concatenate([nm[rest], [nm[gone] + 7.0]]))
    near = np.searchsorted(fine, nm[gone] + 7.0)
    cube = np.insert(small_valley.cube[:, :, rest], near, small_valley.cube[:, :, gone], axis=2)
    result = mapped(trained, small_valley.other(cube, table(fine)))
    np.testing.assert_array_equal(result.class_map.labels, trained.class_map.labels)
    assert any("7.0 nm off" in note for note in result.notes)


def test_without_wavelengths_it_asks_for_the_header(small_valley: Any, trained: Any) -> None:
    with pytest.raises(BadInput, match="says no wavelengths"):
        mapped(trained, small_valley.other(bands=BandTable.build(40)))


def test_bad_bands_do_not_stand_in(small_valley: Any) -> None:
    nm = wavelengths(small_valley)
    scene = small_valley.other(bands=BandTable.build(40, wavelength_nm=nm, good=np.arange(40) != 5))
    with pytest.raises(BadInput, match="no band near"):
        match_bands(scene, np.array([5]), nm[[5]])


def test_own_statistics_undo_another_light(small_valley: Any, trained: Any) -> None:
    brighter = (0.5 * small_valley.cube + 0.3 * small_valley.cube.max()).astype(np.float32)
    scene = small_valley.other(brighter)
    found = {}
    for statistics in ("training", "scene"):
        result = mapped(trained, scene, statistics=statistics)
        same = result.class_map.labels == trained.class_map.labels
        found[statistics] = same.mean()
        said = "this scene's own percentiles" if statistics == "scene" else "the model was trained"
        assert any(f"stretched {'by' if statistics == 'scene' else 'as in'}" in n and said in n
                   for n in result.notes)  # fmt: skip
    assert found["scene"] > 0.99
    assert found["training"] < 0.7
    assert "--statistics scene" not in trained.class_map.provenance.command
    with pytest.raises(WrongUse, match="no statistics called"):
        mapped(trained, scene, statistics="mine")


def test_a_band_with_nothing_in_it_keeps_its_statistics(small_valley: Any, trained: Any) -> None:
    stretch = trained.checkpoint.stretch
    cube = small_valley.cube.astype(np.float32).copy()
    dark, empty = stretch.bands[[2, 3]]
    cube[:, :, dark] = 7.0
    cube[:, :, empty] = np.nan
    new = stretch_anew(small_valley.other(cube), stretch, stretch.bands)
    np.testing.assert_array_equal(new.low[2:4], stretch.low[2:4])
    np.testing.assert_array_equal(new.high[2:4], stretch.high[2:4])
    np.testing.assert_allclose(new.low[4:], stretch.low[4:], rtol=1e-6)


def test_a_network_travels_too_and_its_check_sees_what_the_map_saw(small_valley: Any) -> None:
    settings = {"steps": 5, "layers": 1, "width_per_stream": 4, "context": 1, "snapshots": 0}
    made = classify(small_valley.scene, small_valley.labels, "es_mhc", settings=settings)
    order = np.arange(40)[::-1]
    scene = small_valley.other(
        (2.0 * small_valley.cube[:, :, order]).astype(np.float32),
        table(wavelengths(small_valley)[order]),
    )
    result = classify(
        scene, None, "es_mhc", checkpoint=made.checkpoint, statistics="scene", device="cpu"
    )
    same = (result.class_map.labels == made.class_map.labels).mean()
    assert same > 0.98
    # Checks of the matrices go on from the weights as they were used here.
    assert result.overlays[1].checkpoint is result.checkpoint
    np.testing.assert_allclose(
        result.checkpoint.stretch.high, 2 * made.checkpoint.stretch.high, rtol=1e-4
    )
