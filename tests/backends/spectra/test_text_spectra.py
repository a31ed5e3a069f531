"""Spectra as ECOSTRESS, ASTER and USGS write them: read to known numbers, refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.errors import BadInput, Cancelled
from backends.spectra.library import is_library, read_library

KEYED = """Name: Construction Asphalt
Type: manmade
Class: Road
Owner: National Photographic Laboratory
Wavelength Range: VSWIR
Description: Gray asphalt, crushed,
 from a road: worn.
Measurement: Directional (10 Degree) Hemispherical Reflectance
First Column: X
Second Column: Y
X Units: Wavelength (micrometers)
Y Units: Reflectance (percent)
Number of X Values: 4
Additional Information: none

2.5000  30.0
2.0000  25.0
1.0000  20.0
0.4000  10.0
"""
SIX = """USGS Digital Spectral Library splib06a
Clark et. al. 2007, USGS, Data Series 231.

ASCII Spectral Data file contents:
line 15 title
line 16 history
line 17 to end: 3-columns of data:
     wavelength    reflectance    standard deviation

(standard deviation of 0.000000 means not measured)
(      -1.23e34  indicates a deleted number)
----------------------------------------------------
 Olivine GDS70.d Fo89 W1R1Bb  AREF
 copy of splib05a r 7019

      0.205100       -1.23e34       0.000000
      0.500000       0.300000       0.001000
      1.000000       0.200000       0.001000
"""


def seven(
    folder: Path, values: list[float], name: str = "splib07a_Alunite_HS295_ASDFRb_AREF.txt"
) -> Path:
    path = folder / name
    lines = [" splib07a Record=101: Alunite HS295.1B   ASDFRb AREF", *(f"  {v}" for v in values)]
    path.write_text("\n".join(lines), "latin-1")
    return path


def grid(folder: Path, values: list[float], instrument: str = "ASD") -> None:
    path = folder / f"splib07a_Wavelengths_{instrument}_{len(values)}_ch.txt"
    lines = [f" splib07a Record=1: Wavelengths {instrument}", *(f"  {v}" for v in values)]
    path.write_text("\n".join(lines))


def test_ecostress(tmp_path: Path) -> None:
    path = tmp_path / "manmade.road.spectrum.txt"
    path.write_text(KEYED, "latin-1")
    assert is_library(path)
    library = read_library(path)
    assert library.names == ("Construction Asphalt",)
    assert library.wavelength_nm is not None
    assert library.wavelength_nm.tolist() == [400, 1000, 2000, 2500]  # rising, in nm
    np.testing.assert_allclose(library.values, [[0.1, 0.2, 0.25, 0.3]])
    assert library.unit == "reflectance"
    facts = library.facts_of(0)
    assert facts["Class"] == "Road"
    assert facts["Description"] == "Gray asphalt, crushed, from a road: worn."
    assert not any(key.startswith("X ") for key in facts)
    assert "1 spectrum, 4 wavelengths from 400 to 2,500 nm, reflectance" in library.summary


def test_wavenumbers_are_turned_into_wavelengths(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(KEYED.replace("Wavelength (micrometers)", "Wavenumber (cm-1)"))
    library = read_library(path)
    assert library.wavelength_nm is not None
    assert library.wavelength_nm[0] == pytest.approx(1e7 / 2.5)


def test_usgs_6(tmp_path: Path) -> None:
    path = tmp_path / "olivine.asc"
    path.write_text(SIX)
    assert is_library(path)
    library = read_library(path)
    assert library.names[0].startswith("Olivine GDS70.d")
    assert library.wavelength_nm is not None
    np.testing.assert_allclose(library.wavelength_nm, [205.1, 500, 1000])
    assert np.isnan(library.values[0, 0])  # a deleted channel is no reflectance of -1e34
    np.testing.assert_allclose(library.values[0, 1:], [0.3, 0.2])


def test_usgs_7_takes_the_wavelengths_of_its_instrument(tmp_path: Path) -> None:
    inner = tmp_path / "ChapterM_Minerals"
    inner.mkdir()
    path = seven(inner, [0.1, -1.23e34, 0.3])
    grid(tmp_path, [0.35, 0.36, 0.37])
    grid(tmp_path, [0.2, 0.3, 0.4], "BECK")
    grid(tmp_path, [0.2, 0.3], "NIC4")
    library = read_library(path)
    assert library.names == ("Alunite HS295.1B   ASDFRb AREF",)
    assert library.wavelength_nm is not None
    np.testing.assert_allclose(library.wavelength_nm, [350, 360, 370])
    assert np.isnan(library.values[0, 1])
    assert not is_library(tmp_path / "splib07a_Wavelengths_ASD_3_ch.txt")


def test_without_wavelengths_a_sentence_says_what_is_missing(tmp_path: Path) -> None:
    path = seven(tmp_path, [0.1, 0.2, 0.3])
    with pytest.raises(BadInput, match="3 values but not their wavelengths") as caught:
        read_library(path)
    assert "Wavelengths" in caught.value.way_out


def test_a_folder_is_one_library_on_one_grid(tmp_path: Path) -> None:
    (tmp_path / "a.spectrum.txt").write_text(KEYED)
    (tmp_path / "b.spectrum.txt").write_text(
        KEYED.replace("Construction Asphalt", "Short").replace("2.5000  30.0\n", "")
        .replace("2.0000  25.0", "1.5000  24.0")
    )  # fmt: skip
    (tmp_path / "notes.txt").write_text("nothing of that kind")
    assert is_library(tmp_path)
    library = read_library(tmp_path)
    assert set(library.names) == {"Construction Asphalt", "Short"}
    short = library.values[library.names.index("Short")]
    np.testing.assert_allclose(short[:2], [0.1, 0.2])
    assert np.isnan(short[2:]).all()  # nothing is made up beyond what was measured
    assert "1 of 2 spectra were interpolated" in library.note


def test_a_folder_without_spectra_is_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert not is_library(tmp_path)


def test_reading_a_folder_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(KEYED)

    def stop() -> None:
        raise Cancelled()

    with pytest.raises(Cancelled):
        read_library(tmp_path, stop)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KEYED.replace("1.0000  20.0", "1.0000  twenty"), "no measurement: 1.0000  twenty"),
        (KEYED.partition("2.5000")[0], "a head but no values"),
        (KEYED.partition("2.0000")[0], "holds no values"),
    ],
)
def test_damaged_files(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        read_library(path)
