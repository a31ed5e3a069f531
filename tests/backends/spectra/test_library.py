"""Spectral libraries: read as written, refused when damaged, brought to other bands rightly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.bands import BandTable
from backends.errors import BadInput, ClearbandError
from backends.io import open_scene
from backends.io.writers.envi_library import write_envi_library
from backends.io.writers.tables import NamedSpectrum, write_spectra
from backends.spectra.library import SpectralLibrary, is_library, read_library, resampled

NM = np.linspace(400, 900, 51)


def a_library(values: np.ndarray, nm: np.ndarray = NM) -> SpectralLibrary:
    names = tuple(f"s{i}" for i in range(len(values)))
    return SpectralLibrary("made", names, nm, values.astype(np.float32))


@pytest.mark.parametrize("suffix", [".sli", ".csv"])
def test_what_clearband_writes_it_reads(tmp_path: Path, suffix: str) -> None:
    good = [b != 7 for b in range(51)]
    bands = BandTable.build(51, wavelength_nm=NM, good=good)
    rng = np.random.default_rng(3)
    spectra = [NamedSpectrum(f"stone {i}", rng.random(51).astype(np.float32)) for i in range(3)]
    path = tmp_path / f"lib{suffix}"
    if suffix == ".sli":
        write_envi_library(spectra, bands, path)
    else:
        write_spectra(spectra, bands, path, unit="reflectance")
    assert is_library(path)
    library = read_library(path)
    assert library.names == ("stone 0", "stone 1", "stone 2")
    np.testing.assert_allclose(library.wavelength_nm, NM)
    expected = np.stack([s.values for s in spectra])
    expected[:, 7] = np.nan
    np.testing.assert_allclose(library.values, expected, rtol=1e-6)


def test_header_opens_its_data_in_micrometres_big_endian_scaled(tmp_path: Path) -> None:
    values = np.array([[1000, 2000, 3000], [0, 500, 10000]], ">i2")
    (tmp_path / "a.sli").write_bytes(b"\0" * 5 + values.tobytes())
    (tmp_path / "a.hdr").write_text(
        "ENVI\nsamples = 3\nlines = 2\nbands = 1\nheader offset = 5\ndata type = 2\n"
        "byte order = 1\n"
        "file type = ENVI Spectral Library\nz plot titles = {wavelength, reflectance [*10000]}\n"
        "wavelength units = Micrometers\nwavelength = {0.9, 0.5, 0.7}\nspectra names = {sand}\n"
    )
    library = read_library(tmp_path / "a.hdr")
    np.testing.assert_allclose(library.wavelength_nm, [500, 700, 900])
    np.testing.assert_allclose(library.values, [[0.2, 0.3, 0.1], [0.05, 1, 0]], rtol=1e-6)
    assert library.names == ("sand", "Spectrum 2")
    assert library.unit == "reflectance"
    with pytest.raises(ClearbandError, match="is a spectral library, not an image"):
        open_scene(tmp_path / "a.hdr")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("lines = 2", "lines = 3"), "its header describes"),
        (("samples = 3", "samples = -3"), "describes 2 spectra of -3"),
        (("samples = 3", "samples = 99999999"), "describes 2 spectra of"),
        (("data type = 4", "data type = 6"), "data type 6"),
        (("ENVI Spectral Library", "ENVI Standard"), "describes no spectral library"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "a.sli").write_bytes(np.zeros((2, 3), "<f4").tobytes())
    text = (
        "ENVI\nsamples = 3\nlines = 2\nbands = 1\ndata type = 4\n"
        "file type = ENVI Spectral Library\nwavelength = {500, 600, 700}\n"
    )
    (tmp_path / "a.hdr").write_text(text.replace(*change))
    with pytest.raises(BadInput, match=said):
        read_library(tmp_path / "a.sli")


def test_missing_partner_and_ragged_table(tmp_path: Path) -> None:
    (tmp_path / "a.hdr").write_text("ENVI\nfile type = ENVI Spectral Library\nsamples = 3\n")
    with pytest.raises(BadInput, match="are missing"):
        read_library(tmp_path / "a.hdr")
    line = "name," + ",".join(str(400 + 10 * i) for i in range(12))
    (tmp_path / "b.csv").write_text(f"{line}\nrock,1,2,3\n")
    assert is_library(tmp_path / "b.csv")
    with pytest.raises(BadInput, match="another number of values"):
        read_library(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("class,pixels\nwater,3\n")
    assert not is_library(tmp_path / "c.csv")


@settings(max_examples=60, deadline=None)
@given(
    slope=st.floats(-0.002, 0.002),
    centres=st.lists(st.floats(400, 900), min_size=1, max_size=8),
    fwhm=st.one_of(st.none(), st.floats(2, 60)),
)
def test_a_straight_spectrum_stays_straight(
    slope: float, centres: list[float], fwhm: float | None
) -> None:
    library = a_library((slope * (NM - 650) + 1)[None])
    wanted = np.array(centres)
    widths = None if fwhm is None else [fwhm] * len(centres)
    inner = (wanted > 400 + 2 * (fwhm or 0)) & (wanted < 900 - 2 * (fwhm or 0))
    got = resampled(library, wanted, widths).values[0]
    np.testing.assert_allclose(got[inner], slope * (wanted[inner] - 650) + 1, atol=2e-4)


def test_gaussian_response_widens_a_narrow_line() -> None:
    nm = np.linspace(400, 900, 501)
    sigma = 4.0
    library = a_library(np.exp(-0.5 * ((nm - 650) / sigma) ** 2)[None], nm)
    fwhm = 30.0
    own = fwhm / (2 * np.sqrt(2 * np.log(2)))
    expected = sigma / np.hypot(sigma, own)  # peak of a Gaussian convolved with a Gaussian
    got = resampled(library, np.array([650.0]), [fwhm]).values[0, 0]
    assert got == pytest.approx(expected, rel=0.01)


def test_nothing_is_made_up_outside_or_within_gaps() -> None:
    nm = np.concatenate([np.arange(1000, 1301, 10.0), np.arange(1500, 1801, 10.0)])
    library = a_library(np.ones((1, nm.size)), nm)
    wanted = np.array([900.0, 1200.0, 1400.0, 1600.0, 2000.0, np.nan])
    got = resampled(library, wanted).values[0]
    assert np.isnan(got).tolist() == [True, False, True, False, True, True]


def test_no_wavelengths_says_so() -> None:
    library = SpectralLibrary("plain", ("a",), None, np.ones((1, 3), np.float32))
    with pytest.raises(BadInput, match="does not say at which wavelengths"):
        resampled(library, np.array([500.0]))


def test_real_libraries(clearband_data: Path) -> None:
    folder = clearband_data / "hsi" / "speclib"
    berlin = read_library(folder / "library_berlin.hdr")
    assert len(berlin.names) == 75
    assert berlin.values.shape == (75, 177)
    assert berlin.names[7] == "bitumen 1"
    assert berlin.wavelength_nm is not None
    assert berlin.wavelength_nm[[0, -1]] == pytest.approx([460, 2409], abs=10)
    assert 0 <= np.nanmin(berlin.values)
    assert np.nanmax(berlin.values) < 1.2
    rocks = read_library(folder / "hylite_library.csv")
    assert rocks.values.shape == (57, 450)
    assert rocks.wavelength_nm is not None
    assert rocks.wavelength_nm[0] == pytest.approx(378.19)
