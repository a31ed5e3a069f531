"""ENVI: what is written comes back, in every order and type; damaged files are sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io import open_scene
from backends.io.envi_header import DTYPES, map_info, read_header, write_header
from backends.scene import Scene, Window

ORDERS = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}


def write(
    folder: Path,
    cube: np.ndarray,
    layout: str = "bsq",
    *,
    big: bool = False,
    offset: int = 0,
    suffix: str = ".dat",
    **extra: Any,
) -> Path:
    """Write an ENVI file the plain way, apart from the code under test."""
    code = next(k for k, v in DTYPES.items() if v == cube.dtype.newbyteorder("=").str[1:])
    stored = cube.astype(cube.dtype.newbyteorder(">" if big else "<"))
    path = folder / f"cube{suffix}"
    path.write_bytes(b"\7" * offset + stored.transpose(ORDERS[layout]).tobytes())
    entries = {
        "samples": cube.shape[1],
        "lines": cube.shape[0],
        "bands": cube.shape[2],
        "header offset": offset,
        "data type": code,
        "interleave": layout,
        "byte order": int(big),
    }
    lines = [f"{k} = {v}" for k, v in (entries | extra).items() if v is not None]
    (folder / "cube.hdr").write_text("ENVI\n" + "\n".join(lines) + "\n")
    return path


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    layout=st.sampled_from(["bsq", "bil", "bip"]),
    code=st.sampled_from(sorted(set(DTYPES) - {6, 9})),
    big=st.booleans(),
    offset=st.integers(0, 70),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 8), st.integers(1, 7)),
    data=st.data(),
)
def test_round_trip(
    tmp_path: Path,
    layout: str,
    code: int,
    big: bool,
    offset: int,
    shape: tuple[int, int, int],
    data: st.DataObject,
) -> None:
    rng = np.random.default_rng(1)
    cube = rng.integers(0, 100, shape).astype(DTYPES[code])
    path = write(tmp_path, cube, layout, big=big, offset=offset)
    with open_scene(path) as scene:
        assert scene.shape == shape
        assert scene.dtype == np.dtype(DTYPES[code])
        np.testing.assert_array_equal(scene.read(), cube)
        r0, c0 = data.draw(st.integers(0, shape[0])), data.draw(st.integers(0, shape[1]))
        h, w = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
        bands = data.draw(st.lists(st.integers(0, shape[2] - 1), min_size=1, max_size=4))
        np.testing.assert_array_equal(
            scene.read(Window(r0, c0, h, w), bands), cube[r0 : r0 + h, c0 : c0 + w][:, :, bands]
        )
        np.testing.assert_array_equal(
            scene.spectrum(shape[0] - 1, 0, physical=False), cube[shape[0] - 1, 0]
        )


@pytest.mark.parametrize("layout", ["bsq", "bil", "bip"])
def test_wide_images_take_the_long_way_and_agree(tmp_path: Path, layout: str) -> None:
    cube = np.random.default_rng(0).integers(0, 9999, (30, 3000, 40)).astype(np.int16)
    with open_scene(write(tmp_path, cube, layout)) as scene:
        for bands in ([3, 20, 39], [39, 0], [5, 6, 7], list(range(40))):
            for window in (Window(0, 0, 30, 3000), Window(7, 11, 9, 2800), Window(29, 2999, 1, 1)):
                rows, cols = window.slices
                np.testing.assert_array_equal(
                    scene.read(window, bands), cube[rows, cols][:, :, bands]
                )
        assert len(scene.level_shapes) > 1
        for level, (rows, cols) in enumerate(scene.level_shapes):
            step = 2**level
            small = cube[::step, ::step]
            assert small.shape[:2] == (rows, cols)
            np.testing.assert_array_equal(scene.read(None, [1, 30], level), small[:, :, [1, 30]])
            np.testing.assert_array_equal(
                scene.read(Window(1, 2, 3, 4), [8], level), small[1:4, 2:6][:, :, [8]]
            )


def test_complex_values_become_magnitudes_and_it_is_said(tmp_path: Path) -> None:
    cube = np.full((2, 2, 1), 3 + 4j, np.complex64)
    with open_scene(write(tmp_path, cube)) as scene:
        assert scene.read()[0, 0, 0] == pytest.approx(5)
        assert any("magnitude" in note for note in scene.info.notes)


def test_everything_a_header_says(tmp_path: Path) -> None:
    cube = np.array([100, 200, -9999, 400], np.int16).reshape(2, 2, 1).repeat(3, axis=2)
    path = write(
        tmp_path,
        cube,
        **{
            "wavelength units": "Micrometers",
            "wavelength": "{0.45,\n 0.65, 0.55}",
            "fwhm": "{0.01, 0.01, 0.02}",
            "bbl": "{1, 0, 1}",
            "band names": "{blue, blue, green}",
            "data ignore value": -9999,
            "reflectance scale factor": 10000,
            "default bands": "{2, 3, 1}",
            "map info": "{UTM, 1, 1, 500000, 5800000, 30, 30, 33, North, WGS-84, units=Meters}",
        },
    )
    with open_scene(path) as scene:
        assert scene.bands.wavelength_nm == pytest.approx((450, 650, 550))
        assert scene.bands.fwhm_nm == pytest.approx((10, 10, 20))
        assert scene.bands.good == (True, False, True)
        assert len(set(scene.bands.names)) == 3
        values = scene.read(physical=True)[..., 0]
        assert np.isnan(values[1, 0])
        assert values[1, 1] == pytest.approx(0.04)
        assert scene.info.unit == "reflectance"
        assert scene.info.default_bands == (1, 2, 0)
        assert isinstance(scene.place, GeoReference)
        assert scene.place.crs == "EPSG:32633"
        assert scene.place.to_map(0, 0) == pytest.approx((500015, 5799985))
        assert scene.pixel_area_m2() == pytest.approx(900)


@pytest.mark.parametrize("angle", [0.0, 17.0, -40.0])
def test_place_survives_writing_and_reading(tmp_path: Path, angle: float) -> None:
    import math

    a = math.radians(angle)
    place = GeoReference(
        (2 * math.cos(a), 2 * math.sin(a), 4e5, 2 * math.sin(a), -2 * math.cos(a), 5e6),
        "EPSG:32719",
    )
    path = write(
        tmp_path,
        np.zeros((3, 3, 1), np.uint8),
        **{"map info": "{" + ", ".join(map_info(place)) + "}"},
    )
    with open_scene(path) as scene:
        assert scene.place is not None
        assert scene.place.crs == "EPSG:32719"
        for row, col in ((0, 0), (2, 1)):
            assert scene.place.to_map(row, col) == pytest.approx(place.to_map(row, col))


def test_classification_files_are_labels(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        np.array([[[0], [2]]], np.uint8),
        **{
            "file type": "ENVI Classification",
            "class names": "{Unclassified, Water, Wood}",
            "class lookup": "{0,0,0, 0,0,255, 1,2,3}",
        },
    )
    with open_scene(path) as scene:
        assert scene.info.kind == "labels"
        assert scene.info.class_names == {1: "Water", 2: "Wood"}
        assert scene.info.class_colors[2] == "#010203"


@pytest.mark.parametrize("name", ["cube.hdr", "cube.dat"])
def test_either_file_opens_it(tmp_path: Path, name: str) -> None:
    write(tmp_path, np.zeros((2, 2, 2), np.uint8))
    with open_scene(tmp_path / name) as scene:
        assert scene.shape == (2, 2, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"samples": -5}, "cannot be"),
        ({"lines": 10**15}, "cannot be"),
        ({"bands": "many"}, "no number"),
        ({"data type": 77}, "data type 77"),
        ({"interleave": "zip"}, "interleave"),
        ({"header offset": -1}, "negative header offset"),
        ({"lines": 100}, "bytes long"),
        ({"samples": None}, "does not say 'samples'"),
        ({"wavelength": "{1, 2,"}, "ends within the list"),
    ],
)
def test_bad_headers_are_sentences(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = write(tmp_path, np.zeros((4, 4, 3), np.int16), **change)
    with pytest.raises(BadInput) as caught:
        open_scene(path)
    text = str(caught.value)
    assert said in text
    assert "cube" in text
    assert "\n" not in text


def test_missing_partner_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, np.zeros((4, 4, 3), np.int16))
    path.unlink()
    with pytest.raises(BadInput, match=r"image that belongs to cube\.hdr is missing"):
        open_scene(tmp_path / "cube.hdr")


def test_bare_numbers_want_their_header(tmp_path: Path) -> None:
    (tmp_path / "field.bil").write_bytes(b"\0" * 240)
    with pytest.raises(BadInput, match=r"field\.bil has no header .* Put field\.hdr into"):
        open_scene(tmp_path / "field.bil")


def test_file_cut_while_open_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, np.ones((40, 40, 3), np.int16))
    with open_scene(path) as scene:
        path.write_bytes(b"short")
        with pytest.raises(BadInput, match="changed by another program"):
            scene.read()


def test_wavelengths_that_step_back_and_odd_lists(tmp_path: Path) -> None:
    path = write(tmp_path, np.ones((2, 2, 3), np.int16), wavelength="{700, 690, 710}", bbl="{1, 1}")
    with open_scene(path) as scene:
        assert scene.bands.nearest(690) == 1
        assert any("bad-band list" in note for note in scene.info.notes)
        assert any("do not rise from band to band" in note for note in scene.info.notes)


def test_bands_of_one_name_are_told_apart_and_said(tmp_path: Path) -> None:
    path = write(tmp_path, np.ones((2, 2, 4), np.int16), **{"band names": "{a, b, a, a}"})
    with open_scene(path) as scene:
        assert scene.bands.names == ("a", "b", "a #2", "a #3")
        assert any("called the same (a);" in note for note in scene.info.notes)


def test_header_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "x.hdr"
    path.write_text(write_header({"description": "a {b} c", "lines": 3, "wavelength": [1.5, 2.0]}))
    entries = read_header(path)
    assert entries["description"] == "a (b) c"
    assert entries["wavelength"] == "1.5, 2.0"


def test_real_enmap_tile(clearband_data: Path) -> None:
    folder = clearband_data / "hsi" / "envi"
    with open_scene(folder / "enmap_potsdam_a.bil") as scene:
        assert scene.shape == (64, 128, 224)
        assert scene.info.kind == "hyperspectral"
        assert scene.bands.has_wavelengths
        assert not all(scene.bands.good)
        lonlat = scene.place.to_lonlat(32, 64) if scene.place else None
        assert lonlat is not None
        assert 12 < lonlat[0] < 14
        assert 52 < lonlat[1] < 53
        import spectral.io.envi as spy

        theirs = spy.open(str(folder / "enmap_potsdam_a.hdr"), str(scene.info.files[0]))
        np.testing.assert_array_equal(
            scene.spectrum(10, 20, physical=False), np.squeeze(theirs.open_memmap()[10, 20])
        )
    with open_scene(folder / "enmap_potsdam_a_labels.hdr") as labels:
        assert labels.info.kind == "labels"
        assert len(labels.info.class_names) == 6


def test_real_fenix_scale(clearband_data: Path) -> None:
    scene: Scene
    with open_scene(clearband_data / "hsi" / "envi" / "fenix_sample.dat") as scene:
        assert scene.shape == (38, 23, 450) or scene.shape == (23, 38, 450)
        values = scene.read(bands=[100], physical=True)
        assert 0 <= np.nanmin(values) <= np.nanmax(values) <= 1


@pytest.mark.parametrize("error", [BlockingIOError, OSError(95, "not supported")])
def test_spectra_where_the_system_holds_nothing_or_cannot_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    from backends.io import raw_pixels

    cube = np.random.default_rng(3).integers(0, 99, (7, 6, 40)).astype(np.int16)
    path = write(tmp_path, cube, offset=3)
    real = raw_pixels.os.preadv
    asked: list[int] = []

    def preadv(file: int, into: Any, at: int, flags: int = 0) -> int:
        asked.append(flags)
        if flags and (error is not BlockingIOError or len(asked) % 2):
            raise error
        return int(real(file, into, at))

    monkeypatch.setattr(raw_pixels.os, "preadv", preadv)
    with open_scene(path) as scene:
        np.testing.assert_array_equal(scene.spectrum(5, 2, physical=False), cube[5, 2])
    assert any(asked)
