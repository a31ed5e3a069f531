"""CSV tables, spectral libraries and arrays read back with the standard tools."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from spectral.io import envi

from backends.areas import ClassArea, class_areas
from backends.bands import BandTable
from backends.errors import BadInput, Cancelled
from backends.io.writers.envi_library import write_envi_library
from backends.io.writers.npz import open_archive, take_array, write_matrices
from backends.io.writers.tables import (
    NamedSpectrum,
    write_class_areas,
    write_confusion,
    write_spectra,
)
from backends.jobs import Progress
from backends.overlays import ClassMap, MatrixField, Provenance
from backends.scene import Scene


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    notes = [line[2:] for line in lines if line.startswith("# ")]
    return notes, list(csv.reader(line for line in lines if not line.startswith("#")))


def test_class_areas(class_map: ClassMap, scene: Scene, tmp_path: Path) -> None:
    areas = class_areas(class_map, scene)
    path = write_class_areas(areas, tmp_path / "a.csv", class_map.provenance)
    notes, rows = read(path)
    assert "Method: svm 1" in notes
    head, water, tree = rows
    values = dict(zip(head, water, strict=True))
    pixels = int((class_map.labels == 1).sum())
    assert values["class"] == "Water"
    assert int(values["pixels"]) == pixels
    assert float(values["area_m2"]) == pytest.approx(pixels * 900)
    assert float(values["area_ha"]) == pytest.approx(pixels * 0.09)
    assert tree[1] == "Tree, tall {µ} <b>"


def test_no_area_where_no_size(tmp_path: Path) -> None:
    areas = (ClassArea(1, "=cmd()", "#000000", 5, 1.0, None),)
    _, rows = read(write_class_areas(areas, tmp_path / "a.csv"))
    assert rows[1][-2:] == ["", ""]
    assert rows[1][1] == "'=cmd()"  # never a formula


def test_confusion(tmp_path: Path, provenance: Provenance) -> None:
    matrix = [[5, 1, 0], [2, 8, 4]]
    path = write_confusion(matrix, ["A", "B"], tmp_path / "c.csv", provenance)
    _, rows = read(path)
    assert rows[0] == ["true \\ predicted", "A", "B", "no class", "sum", "producer_accuracy"]
    assert rows[2] == ["B", "2", "8", "4", "14", "0.571429"]
    assert rows[3] == ["sum", "7", "9", "4", "20", ""]
    assert rows[4] == ["user_accuracy", "0.714286", "0.888889", "", "", "0.650000"]
    with pytest.raises(BadInput, match="3 classes"):
        write_confusion(matrix, ["A", "B", "C"], tmp_path / "d.csv")


@pytest.fixture
def spectra() -> tuple[list[NamedSpectrum], BandTable]:
    bands = BandTable.build(3, wavelength_nm=(500, 600.5, 2200), good=(True, False, True))
    values = np.array([0.1, np.nan, 0.3])
    return [NamedSpectrum("Pin, 1", values, "row 2"), NamedSpectrum("Mean", values * 2)], bands


def test_spectra_table(spectra: tuple[list[NamedSpectrum], BandTable], tmp_path: Path) -> None:
    notes, rows = read(write_spectra(*spectra, tmp_path / "s.csv", unit="reflectance"))
    assert notes == ["unit: reflectance", "Pin, 1: row 2"]
    assert rows[0] == ["band", "wavelength_nm", "good", "Pin, 1", "Mean"]
    assert rows[2] == ["600.5 nm", "600.5", "0", "", ""]
    assert float(rows[3][4]) == pytest.approx(0.6)


def test_spectral_library(spectra: tuple[list[NamedSpectrum], BandTable], tmp_path: Path) -> None:
    path = write_envi_library(*spectra, tmp_path / "s.sli")
    library = envi.open(path.with_suffix(".hdr"))
    assert library.names == ["Pin; 1", "Mean"]
    assert library.bands.centers == [500, 600.5, 2200]
    np.testing.assert_allclose(library.spectra[1], [0.2, np.nan, 0.6], rtol=1e-6)


def test_nothing_to_write_is_said(tmp_path: Path) -> None:
    bands = BandTable.build(3)
    for write in (write_spectra, write_envi_library):
        with pytest.raises(BadInput, match="no spectrum"):
            write([], bands, tmp_path / "s.csv")
        with pytest.raises(BadInput, match="3 bands"):
            write([NamedSpectrum("x", np.zeros(2))], bands, tmp_path / "s.csv")


def test_matrices(matrices: MatrixField, tmp_path: Path) -> None:
    path = write_matrices(matrices, tmp_path / "m.npz")
    with np.load(path, allow_pickle=False) as file:
        assert list(file["group_names"]) == list(matrices.group_names)
        for entry in matrices.entries:
            key = f"layer{entry.layer}_{entry.site}"
            np.testing.assert_array_equal(file[f"{key}_static"], entry.static)
            np.testing.assert_array_equal(file[f"{key}_deviation"], entry.deviation)
            assert file[f"{key}_deviation"].dtype == np.float16
        assert "clearband classify" in str(file["about"])


def test_cancelled(
    matrices: MatrixField, tmp_path: Path, cancel_after: Callable[[int], Progress]
) -> None:
    with pytest.raises(Cancelled):
        write_matrices(matrices, tmp_path / "m.npz", progress=cancel_after(3))
    assert not list(tmp_path.iterdir())


def test_pieces_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.io.writers import npz

    monkeypatch.setattr(npz, "PIECE_BYTES", 64)
    arrays = {
        "a": np.arange(1000, dtype=np.int16).reshape(10, 100)[:, ::3],
        "empty": np.empty((0, 4)),
        "one": np.array(3.5),
        "f": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    }
    npz.write_arrays(arrays, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        for name, array in arrays.items():
            np.testing.assert_array_equal(file[name], array)
    with open_archive(tmp_path / "a.npz", largest_bytes=1 << 20) as archive:
        for name, array in arrays.items():
            got = take_array(archive, f"{name}.npy", largest_bytes=1 << 20)
            np.testing.assert_array_equal(got, array)
            assert got.dtype == array.dtype
