"""EMIT, PRISMA, EnMAP and DESIS: values, wavelengths, place and plain refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from product_files import (
    DESIS_STEM,
    EMIT_NM,
    ENMAP_NM,
    ENMAP_STEM,
    SWIR_NM,
    VNIR_NM,
    enmap_xml,
    prisma_lonlat,
    write_desis,
    write_emit,
    write_enmap,
    write_prisma,
    write_tiff,
)

from backends.errors import BadInput
from backends.georeference import GeolocationTable, GeoReference
from backends.io import open_scene
from backends.scene import Window


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        open_scene(path).close()
    assert caught.value.way_out
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


# -- EMIT --------------------------------------------------------------------------------------


def test_emit_reflectance(tmp_path: Path) -> None:
    cube = write_emit(tmp_path / "EMIT_L2A_RFL.nc")
    with open_scene(tmp_path / "EMIT_L2A_RFL.nc") as scene:
        assert (scene.info.reader, scene.info.kind) == ("emit", "hyperspectral")
        assert scene.shape == cube.shape
        np.testing.assert_array_equal(scene.read(), cube)
        np.testing.assert_array_equal(
            scene.read(Window(3, 2, 5, 4), [11, 0, 5]), cube[3:8, 2:6][:, :, [11, 0, 5]]
        )
        assert scene.bands.wavelength_nm == pytest.approx(EMIT_NM)
        assert scene.bands.fwhm_nm == pytest.approx([8.5] * 12)
        assert np.flatnonzero(~scene.bands.good_mask()).tolist() == [5, 6]
        assert np.isnan(scene.spectrum(0, 0)).all()
        assert scene.spectrum(4, 4) == pytest.approx(cube[4, 4])
        assert scene.info.unit == "reflectance"
        assert scene.info.facts["Acquired"].startswith("2023-03-16")
        assert isinstance(scene.place, GeolocationTable)
        assert scene.place.to_lonlat(4, 3) == pytest.approx((11.0021, 44.998))
        assert scene.place.to_lonlat(9, 0) is None
        assert scene.pixel_area_m2() == pytest.approx(55.57 * 55.2, rel=0.02)


def test_emit_radiance_in_descending_micrometres(tmp_path: Path) -> None:
    nm = EMIT_NM[::-1] / 1e3
    cube = write_emit(
        tmp_path / "a.nc",
        "radiance",
        sensor_band_parameters__wavelengths=nm,
        sensor_band_parameters__good_wavelengths=None,
    )
    with open_scene(tmp_path / "a.nc") as scene:
        assert scene.bands.wavelength_nm == pytest.approx(EMIT_NM)
        np.testing.assert_array_equal(scene.read(), cube[:, :, ::-1])
        assert scene.bands.good_mask().all()
        assert scene.info.unit == "uW/cm^2/SR/nm"
        assert any("sorted by wavelength" in note for note in scene.info.notes)


def test_emit_place_is_read_only_when_asked(tmp_path: Path) -> None:
    write_emit(tmp_path / "a.nc")
    scene = open_scene(tmp_path / "a.nc")
    place = scene.place
    assert isinstance(place, GeolocationTable)
    scene.close()
    with pytest.raises(BadInput, match="closed"):
        place.to_lonlat(0, 0)


def test_emit_other_data_set_and_wrong_place(tmp_path: Path) -> None:
    cube = write_emit(tmp_path / "a.nc", location__lon=np.zeros((3, 3)))
    with open_scene(tmp_path / "a.nc") as scene:
        assert scene.place is None
        assert any("another size" in note for note in scene.info.notes)
        np.testing.assert_array_equal(scene.read(), cube)
    with open_scene(tmp_path / "a.nc", {"key": "location/lat"}) as scene:
        assert scene.info.reader == "hdf"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reflectance": None}, "neither radiance nor reflectance"),
        ({"sensor_band_parameters__wavelengths": None}, "sensor_band_parameters"),
        ({"sensor_band_parameters__wavelengths": np.arange(5.0)}, "5 values of wavelengths"),
        ({"sensor_band_parameters__fwhm": np.ones(3)}, "3 values of fwhm"),
        ({"reflectance": np.zeros((4, 5), np.float32)}, "2 axes instead of 3"),
    ],
)
def test_emit_refusals(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    write_emit(tmp_path / "a.nc", **changes)
    if changes.get("reflectance", 0) is None:  # nothing else may be taken for the image
        changes |= {"location__lon": None, "location__lat": None}
        changes |= {"location__glt_x": None, "location__glt_y": None}
        write_emit(tmp_path / "a.nc", **changes)
    assert words in refusal(tmp_path / "a.nc")


def test_truncated_emit(tmp_path: Path) -> None:
    write_emit(tmp_path / "a.nc")
    data = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "a.nc").write_bytes(data[: len(data) // 2])
    assert "damaged or incomplete" in refusal(tmp_path / "a.nc")


# -- PRISMA ------------------------------------------------------------------------------------


def expected_prisma(vnir: Any, swir: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return file values (rows, cols, bands), wavelengths and detector, by wavelength."""
    nm = np.concatenate([VNIR_NM, SWIR_NM])
    cube = np.concatenate([vnir, swir], axis=1).transpose(0, 2, 1)
    detector = np.repeat([0, 1], [VNIR_NM.size, SWIR_NM.size])
    order = [i for i in np.argsort(nm) if nm[i] > 0]
    return cube[:, :, order], nm[order], detector[order]


def test_prisma_l2d(tmp_path: Path) -> None:
    stored, nm, detector = expected_prisma(*write_prisma(tmp_path / "PRS_L2D.he5"))
    with open_scene(tmp_path / "PRS_L2D.he5") as scene:
        assert (scene.info.reader, scene.info.kind) == ("prisma", "hyperspectral")
        assert scene.shape == (8, 6, 12)
        assert scene.bands.wavelength_nm == pytest.approx(nm)
        assert scene.bands.fwhm_nm == pytest.approx(np.where(detector == 0, 11, 10))
        assert [v for v, g in zip(nm, scene.bands.good, strict=True) if not g] == [1200]
        low = np.where(detector == 0, 0.0, 0.1)
        expected = low + stored * 0.5 / 65535
        expected[0, 0] = np.nan
        np.testing.assert_allclose(scene.read(physical=True), expected, rtol=1e-5)
        cut = scene.read(Window(2, 1, 5, 4), [9, 0, 4])
        np.testing.assert_allclose(cut, expected[2:7, 1:5][:, :, [9, 0, 4]], rtol=1e-5)
        notes = " ".join(scene.info.notes)
        assert "sorted by wavelength; from 940 to 980 nm both detectors" in notes
        assert "2 channels without a wavelength" in notes
        assert isinstance(scene.place, GeoReference)
        assert scene.place.crs == "EPSG:32632"
        assert scene.place.to_map(0, 0) == pytest.approx((600015, 5000015))
        lon, lat = prisma_lonlat()
        assert scene.place.to_lonlat(7, 5) == pytest.approx((lon[7, 5], lat[7, 5]), abs=1e-5)
        assert scene.info.pixel_size == (30, 30)


def test_prisma_one_scale_keeps_the_files_type(tmp_path: Path) -> None:
    stored, _, _ = expected_prisma(*write_prisma(tmp_path / "PRS_L1.he5", "L1"))
    with open_scene(tmp_path / "PRS_L1.he5") as scene:
        assert scene.dtype == np.uint16
        np.testing.assert_array_equal(scene.read(), stored)
        np.testing.assert_allclose(scene.spectrum(3, 3), stored[3, 3] / 100 - 2, rtol=1e-5)
        assert scene.info.unit.startswith("W m")
        assert isinstance(scene.place, GeolocationTable)
        lon, lat = prisma_lonlat()
        assert scene.place.to_lonlat(2, 4) == pytest.approx((lon[2, 4], lat[2, 4]))


def test_prisma_with_outer_corners_one_detector_or_a_wrong_grid(tmp_path: Path) -> None:
    path = tmp_path / "a.he5"
    corners = {
        f"Product_{c}corner_{axis}": value
        for c in ("UL", "UR", "LL", "LR")
        for axis, value in (
            ("easting", 600000.0 + (180 if c[1] == "R" else 0)),
            ("northing", 5000030.0 - (240 if c[0] == "L" else 0)),
        )
    }
    write_prisma(path, **corners)
    with open_scene(path) as scene:
        assert isinstance(scene.place, GeoReference)
        assert scene.place.to_map(0, 0) == pytest.approx((600015, 5000015))
    write_prisma(path, swir=None)
    with open_scene(path) as scene:
        assert scene.shape[2] == 6
        assert "no SWIR cube" in " ".join(scene.info.notes)
    write_prisma(path, Epsg_Code=32633)
    with open_scene(path) as scene:
        assert isinstance(scene.place, GeolocationTable)
        assert "disagree" in " ".join(scene.info.notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vnir": None, "swir": None, "lon": None, "lat": None}, "neither VNIR_Cube nor SWIR"),
        ({"swir": np.ones((9, 7, 6), np.uint16)}, "8 × 6 and 9 × 6"),
        ({"List_Cw_Vnir": None}, "does not list the wavelengths"),
        ({"List_Cw_Swir": np.arange(3.0)}, "3 values of List_Cw_Swir for 7 bands"),
        ({"List_Cw_Vnir": np.zeros(7), "List_Cw_Swir": np.zeros(7)}, "no band a wavelength"),
    ],
)
def test_prisma_refusals(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    write_prisma(tmp_path / "a.he5", **changes)
    assert words in refusal(tmp_path / "a.he5")


# -- EnMAP and DESIS ---------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["image", "metadata", "folder"])
def test_enmap_opens_by_image_metadata_or_folder(tmp_path: Path, what: str) -> None:
    cube = write_enmap(tmp_path)
    path = {
        "image": tmp_path / f"{ENMAP_STEM}-SPECTRAL_IMAGE.TIF",
        "metadata": tmp_path / f"{ENMAP_STEM}-METADATA.XML",
        "folder": tmp_path,
    }[what]
    with open_scene(path) as scene:
        assert (scene.info.reader, scene.info.kind) == ("dlr", "hyperspectral")
        assert scene.info.path == path
        assert scene.bands.wavelength_nm == pytest.approx(ENMAP_NM)
        assert scene.bands.fwhm_nm == pytest.approx(6 + np.arange(1, 13) / 10)
        assert [i for i, good in enumerate(scene.bands.good) if not good] == [9]
        np.testing.assert_array_equal(scene.read(), cube)
        assert scene.spectrum(3, 2) == pytest.approx(cube[3, 2] * 1e-4)
        assert np.isnan(scene.spectrum(0, 0)).all()
        assert isinstance(scene.place, GeoReference)
        assert scene.place.crs == "EPSG:32632"
        assert scene.place.to_lonlat(0, 0) is not None
        assert scene.info.unit == "reflectance"
        assert "from 911 to 930 nm both detectors" in " ".join(scene.info.notes)
        assert len(scene.info.files) == 2


def test_enmap_bands_out_of_order_are_sorted(tmp_path: Path) -> None:
    shuffled = np.roll(ENMAP_NM, 4)
    cube = write_enmap(tmp_path, enmap_xml(shuffled))
    with open_scene(tmp_path) as scene:
        assert scene.bands.wavelength_nm == pytest.approx(ENMAP_NM)
        np.testing.assert_array_equal(scene.read(), cube[:, :, np.argsort(shuffled)])
        assert "another order" in " ".join(scene.info.notes)


def test_desis_bands_have_scales_of_their_own(tmp_path: Path) -> None:
    cube, gains, offsets = write_desis(tmp_path)
    with open_scene(tmp_path / f"{DESIS_STEM}-METADATA.xml") as scene:
        expected = cube * gains + offsets
        expected[0, 0] = np.nan
        np.testing.assert_allclose(scene.read(), expected, rtol=1e-5)
        np.testing.assert_allclose(
            scene.read(Window(4, 3, 2, 2), [7, 1]), expected[4:6, 3:5][:, :, [7, 1]], rtol=1e-5
        )
        assert scene.bands.wavelength_nm == pytest.approx(401 + 2.55 * np.arange(12))
        assert scene.info.facts == {"Product": "DESIS L1C", "Acquired": "2020-06-28T15:38:03Z"}
        assert scene.info.unit.startswith("mW")


def test_enmap_l1b_detectors_take_their_own_bands(tmp_path: Path) -> None:
    stem = ENMAP_STEM.replace("L2A", "L1B")
    (tmp_path / f"{stem}-METADATA.XML").write_text(enmap_xml())
    for part, count in (("VNIR", 6), ("SWIR", 5)):
        cube = np.ones((4, 5, count), np.int16)
        write_tiff(tmp_path / f"{stem}-SPECTRAL_IMAGE_{part}.TIF", cube)
    with open_scene(tmp_path / f"{stem}-SPECTRAL_IMAGE_SWIR.TIF") as scene:
        assert scene.bands.wavelength_nm == pytest.approx(ENMAP_NM[[5, 7, 8, 10, 11]])
    assert "SPECTRAL_IMAGE_VNIR.TIF" in refusal(tmp_path / f"{stem}-METADATA.XML")


def test_missing_sidecars(tmp_path: Path) -> None:
    cube = write_enmap(tmp_path)
    image = tmp_path / f"{ENMAP_STEM}-SPECTRAL_IMAGE.TIF"
    xml = tmp_path / f"{ENMAP_STEM}-METADATA.XML"
    xml.rename(tmp_path / "elsewhere.txt")
    with open_scene(image) as scene:  # an image alone is still an image
        assert scene.info.reader == "raster"
        np.testing.assert_array_equal(scene.read(), cube)
    (tmp_path / "elsewhere.txt").rename(xml)
    image.unlink()
    assert f"Put {image.name} into the same folder" in refusal(xml)


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1 if i > 1 else str()};" * 10}">' for i in range(1, 9))
    + "]><level_X>&a8;</level_X>"
)


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (BOMB, "defines entities"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><level_X/>', "document type"),
        (enmap_xml()[:900], "no complete XML file"),
        ("<level_X><specific/></level_X>", "characterises no bands"),
        (enmap_xml(ENMAP_NM[:7]), "holds 12 bands, but"),
        (enmap_xml().replace("<wavelengthCenterOfBand>", "<wavelengthCenterOfBand>x"), "no wave"),
    ],
)
def test_bad_metadata(tmp_path: Path, xml: str, words: str) -> None:
    write_enmap(tmp_path, xml)
    assert words in refusal(tmp_path / f"{ENMAP_STEM}-METADATA.XML")
    assert words in refusal(tmp_path / f"{ENMAP_STEM}-SPECTRAL_IMAGE.TIF")


def test_metadata_without_scale_or_widths(tmp_path: Path) -> None:
    text = enmap_xml().replace("GainOfBand", "Other").replace("FWHMOfBand", "Another")
    cube = write_enmap(tmp_path, text)
    with open_scene(tmp_path) as scene:
        assert scene.bands.fwhm_nm is None
        assert scene.spectrum(3, 2) == pytest.approx(cube[3, 2])
        assert scene.info.unit == ""
        assert "shown as stored" in " ".join(scene.info.notes)


def test_two_products_in_a_folder(tmp_path: Path) -> None:
    write_enmap(tmp_path)
    write_desis(tmp_path)
    assert "2 products" in refusal(tmp_path)


# -- reading in pieces -------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [1, 300, 2000])
def test_pieces_make_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr("backends.io.products.view.PIECE_BYTES", piece)
    cube = write_emit(tmp_path / "a.nc")
    stored, _, _ = expected_prisma(*write_prisma(tmp_path / "b.he5", "L1"))
    for name, whole in (("a.nc", cube), ("b.he5", stored)):
        with open_scene(tmp_path / name) as scene:
            np.testing.assert_array_equal(scene.read(), whole)
            np.testing.assert_array_equal(
                scene.read(Window(1, 2, 6, 3), [11, 3, 3, 0]), whole[1:7, 2:5][:, :, [11, 3, 3, 0]]
            )


def test_tall_products_keep_their_levels(tmp_path: Path) -> None:
    stem = tmp_path / ENMAP_STEM
    cube = np.repeat(np.arange(4200, dtype=np.int16)[:, None], 3, 1)[:, :, None].repeat(12, 2)
    write_tiff(Path(f"{stem}-SPECTRAL_IMAGE.TIF"), cube)
    gains = np.linspace(0.001, 0.012, 12)
    Path(f"{stem}-METADATA.XML").write_text(enmap_xml(gains=gains))
    with open_scene(tmp_path) as scene:
        assert [shape[0] for shape in scene.level_shapes] == [4200, 2100, 1050]
        level = scene.read(Window(500, 0, 100, 1), [11, 2], 2)
        assert level[:, 0, 0] == pytest.approx(np.arange(2000, 2400, 4) * 0.012, abs=4 * 0.012)
        assert level[:, 0, 0] == pytest.approx(level[:, 0, 1] * 4, rel=1e-4)


def test_closed_products_say_so(tmp_path: Path) -> None:
    write_prisma(tmp_path / "a.he5")
    scene = open_scene(tmp_path / "a.he5")
    source = scene.source
    scene.close()
    with pytest.raises(BadInput, match="closed"):
        source.read(Window(0, 0, 1, 1), [0], 0)
