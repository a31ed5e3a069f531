"""Bands are found by wavelength, never by number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends.bands import BandTable
from backends.errors import BadInput


def test_names_are_filled_in_and_unique() -> None:
    assert BandTable.build(2).names == ("Band 1", "Band 2")
    assert BandTable.build(2, wavelength_nm=(450, math.nan)).names == ("450.0 nm", "Band 2")
    assert BandTable.build(3, names=("a", "a", "a #2")).names == ("a", "a #3", "a #2")
    assert BandTable.build(2, names=("only one",)).names == ("Band 1", "Band 2")


def test_axis_follows_the_wavelengths() -> None:
    assert BandTable.build(2, wavelength_nm=(450, 550)).axis == "spectral"
    assert BandTable.build(2).axis == "channel"
    assert BandTable.build(2, axis="slice").axis == "slice"
    assert not BandTable.build(2, wavelength_nm=(0, math.nan)).has_wavelengths


def test_lists_must_agree() -> None:
    for wrong in ({"wavelength_nm": (1, 2, 3)}, {"fwhm_nm": (1,)}, {"good": (True,)}):
        with pytest.raises(BadInput, match="for 2 bands"):
            BandTable.build(2, **wrong)  # type: ignore[arg-type]


def test_nearest_looks_at_good_bands_only() -> None:
    table = BandTable.build(4, wavelength_nm=(500, 600, 700, 800), good=(1, 0, 1, 1))
    assert table.nearest(610) == 2
    assert table.nearest(540) == 0
    assert table.nearest(610, within_nm=50) is None
    assert table.nearest(690, within_nm=50) == 2
    assert BandTable.build(3).nearest(500) is None


def test_wavelengths_may_step_back() -> None:
    """AVIRIS's spectrometers overlap: bisecting would find the wrong band."""
    table = BandTable.build(5, wavelength_nm=(400, 680, 660, 700, 900))
    assert table.nearest(661) == 2
    np.testing.assert_array_equal(table.within(650, 690), [1, 2])


def test_within_leaves_the_unknown_out() -> None:
    table = BandTable.build(3, wavelength_nm=(500, math.nan, 600))
    np.testing.assert_array_equal(table.within(0, 600), [0])
    assert np.isnan(BandTable.build(2).wavelengths()).all()


@pytest.mark.parametrize(
    ("name", "nm", "label"),
    [
        ("Red", 650.04, "Red (650.0 nm)"),
        ("650.0 nm", 650.04, "650.0 nm"),
        ("MIR", 3900, "MIR (3.90 µm)"),
        ("Band 1", math.nan, "Band 1"),
    ],
)
def test_labels(name: str, nm: float, label: str) -> None:
    table = BandTable(names=(name,), wavelength_nm=(nm,))
    assert table.label(0) == label


def test_all_bands_are_good_unless_said() -> None:
    assert BandTable.build(3).good_mask().all()
    assert len(BandTable.build(3)) == 3
