"""Formulas over bands: values by hand, nothing executed, every refusal one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.bands import BandTable
from backends.errors import BadInput
from backends.scene import ArraySource, Scene, SceneInfo, Window
from backends.spectra.expression import formula_map, parse

NM = [450.0, 560.0, 660.0, 860.0, 2140.0, 2180.0]


def scene_of(values: np.ndarray, wavelengths: bool = True) -> Scene:
    bands = BandTable.build(values.shape[2], wavelength_nm=NM if wavelengths else None)
    return Scene(ArraySource(values), SceneInfo(None, "raster", bands))


@pytest.fixture
def cube() -> np.ndarray:
    return np.random.default_rng(0).random((7, 9, 6)).astype(np.float32)


def test_values_by_hand(cube: np.ndarray) -> None:
    scenes = {"b": scene_of(cube), "later": scene_of(cube * 2)}
    red, nir, swir = cube[..., 2], cube[..., 3], cube[..., 4:]
    for text, wanted in {
        "(b[860] - b[660]) / (b[860] + b[660])": (nir - red) / (nir + red),
        "later[860] - b[860]": nir,
        "b[2130:2200].mean() + band[1]": swir.mean(axis=-1) + cube[..., 0],
        "where((b[860] > 0.5) & ~(b[660] > 0.5), 1, -b[660]**2)": np.where(
            (nir > 0.5) & ~(red > 0.5), 1, -(red**2)
        ),
        "maximum(b[655], 0.3)": np.maximum(red, np.float32(0.3)),
    }.items():
        found = formula_map(parse(text, scenes))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6, err_msg=text)


def test_a_window_is_a_part_of_the_whole(cube: np.ndarray) -> None:
    formula = parse("b[860] / b[660]", {"b": scene_of(cube)})
    part = formula.evaluate(Window(2, 3, 4, 5))
    np.testing.assert_array_equal(part, formula_map(formula)[2:6, 3:8])


def test_it_says_which_bands_it_took(cube: np.ndarray) -> None:
    taken = parse("b[650] + b[2130:2200].max()", {"b": scene_of(cube)}).taken
    assert [(t.bands, t.away_nm) for t in taken[:1]] == [((2,), 10.0)]
    assert taken[1].bands == (4, 5)


def test_division_by_zero_and_holes_have_no_value(cube: np.ndarray) -> None:
    cube[0, 0, 2] = 0
    cube[1, 1, 3] = np.nan
    found = formula_map(parse("b[860] / b[660]", {"b": scene_of(cube)}))
    assert np.isnan(found[0, 0])
    assert np.isnan(found[1, 1])
    assert np.isfinite(found).sum() == found.size - 2
    # A hole counts even where the formula would hide it.
    hidden = formula_map(parse("where(b[860] > 0, 1, 0)", {"b": scene_of(cube)}))
    assert np.isnan(hidden[1, 1])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("(b[860]", "no formula"),
        ("3 + 4", "names no band"),
        ("b", "needs a wavelength"),
        ("b[99999]", "no good band within 50 nm"),
        ("b[860:900]", "no good band from|several bands"),
        ("b[2130:2200]", "several bands"),
        ("b[2130:2200] + b[860]", "do not go together"),
        ("b[860].mean()", "of a range"),
        ("x[860]", "No scene is called x"),
        ("y + b[860]", "unknown here"),
        ("band[7]", "bands 1 to 6"),
        ("band[1.5]", "bands 1 to 6"),
        ("where(b[860] > 1, 2)", "takes 3"),
        ("b[860].__class__", "not allowed"),
        ("__import__('os').system('true')", "not allowed"),
        ("(lambda: b[860])()", "not allowed"),
        ("[v for v in b]", "not allowed"),
        ("b['860']", "plain number"),
        ("'a' * 1000000000", "not allowed"),
        ("1 < b[860] < 2", "not allowed"),
    ],
)
def test_what_is_no_formula_is_refused(text: str, sentence: str, cube: np.ndarray) -> None:
    with pytest.raises(BadInput, match=sentence):
        parse(text, {"b": scene_of(cube)})


def test_scenes_must_fit(cube: np.ndarray) -> None:
    with pytest.raises(BadInput, match="7 × 9 pixels, untitled is 6 × 9"):
        parse("b[860] - c[860]", {"b": scene_of(cube), "c": scene_of(cube[:-1])})
    with pytest.raises(BadInput, match="does not know its wavelengths"):
        parse("b[860]", {"b": scene_of(cube, wavelengths=False)})
    parse("band[4]", {"b": scene_of(cube, wavelengths=False)})


@settings(max_examples=200, deadline=None)
@given(st.text("b[]0123456789().+-*/ :mean_,<>&|~'\"", max_size=40))
def test_any_text_gives_a_value_or_one_sentence(text: str) -> None:
    scene = scene_of(np.ones((2, 2, 6), np.float32))
    try:
        found = parse(text, {"b": scene})
    except BadInput:
        return
    assert found.evaluate().shape == (2, 2)
