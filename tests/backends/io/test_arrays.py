"""NumPy, HDF5 and ERDAS files, and label files of any format."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from backends.errors import BadInput, NeedsChoice
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.scene import Window


def test_npy_is_mapped_and_bands_may_come_first(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).random((9, 50, 40)).astype(np.float32)
    np.save(tmp_path / "a.npy", cube)
    with open_scene(tmp_path / "a.npy") as scene:
        assert scene.shape == (50, 40, 9)
        assert "first axis" in scene.info.notes[0]
        np.testing.assert_array_equal(scene.read(bands=[4])[:, :, 0], cube[4])
    with open_scene(tmp_path / "a.npy", {"bands": "last"}) as scene:
        assert scene.shape == (9, 50, 40)


def test_python_objects_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", cube=np.array([{"x": 1}, None], dtype=object))
    with pytest.raises(BadInput, match="Python objects"):
        open_scene(tmp_path / "a.npy")
    with pytest.raises(BadInput):
        open_scene(tmp_path / "b.npz")


def test_npz_asks_which(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((8, 8, 30)), y=np.zeros((8, 8, 31)))
    with pytest.raises(NeedsChoice):
        open_scene(tmp_path / "a.npz")
    with open_scene(tmp_path / "a.npz", {"key": "y"}) as scene:
        assert scene.shape == (8, 8, 31)


def test_bands_are_where_neighbours_are_alike(tmp_path: Path) -> None:
    """150 × 72 × 89 could be either; spectra are smoother than pictures."""
    spectra = np.cumsum(np.random.default_rng(0).normal(size=(150, 72, 89)), axis=0)
    np.save(tmp_path / "a.npy", spectra.astype(np.float32))
    with open_scene(tmp_path / "a.npy") as scene:
        assert scene.shape == (72, 89, 150)
        assert scene.info.other_ways == {"Take the last axis": {"bands": "last"}}
    np.save(tmp_path / "b.npy", np.random.default_rng(0).random((150, 72, 89)))
    with open_scene(tmp_path / "b.npy") as scene:
        assert scene.shape == (150, 72, 89)
        assert scene.info.other_ways == {"Take the first axis": {"bands": "first"}}


def test_real_bands_first_patch_is_recognised(clearband_data: Path) -> None:
    with open_scene(clearband_data / "hsi" / "hyperview" / "hyperview_train_0.npz") as scene:
        assert scene.shape == (72, 89, 150)


def test_real_hyperview_mask(clearband_data: Path) -> None:
    folder = clearband_data / "hsi" / "hyperview"
    options = {"bands": "first", "wavelengths": str(folder / "wavelengths.txt")}
    with open_scene(folder / "hyperview_train_0.npz", options) as scene:
        assert scene.shape == (72, 89, 150)
        assert scene.bands.has_wavelengths
        values = scene.read(bands=[50])
        assert np.isnan(values).any()
        assert np.isfinite(values).any()


def test_hdf5_is_read_lazily(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).random((60, 50, 40)).astype(">f4")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("deep/cube", data=cube, chunks=(16, 16, 8))
        data.attrs["_FillValue"] = -1.0
        data.attrs["units"] = b"radiance"
        file["wl"] = np.linspace(0.4, 2.5, 40)
        file["mask"] = np.zeros((60, 50), np.uint8)
    with open_scene(tmp_path / "a.h5", {"wavelengths": "wl"}) as scene:
        assert scene.shape == (60, 50, 40)
        assert scene.info.unit == "radiance"
        assert scene.bands.wavelengths()[-1] == pytest.approx(2500)
        np.testing.assert_array_equal(
            scene.read(Window(3, 4, 5, 6), [30, 2]), cube[3:8, 4:10][:, :, [30, 2]]
        )
    (tmp_path / "b.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:700])
    with pytest.raises(BadInput, match="damaged"):
        open_scene(tmp_path / "b.h5")


@pytest.mark.parametrize("order", ["<", ">"])
def test_erdas_lan(tmp_path: Path, order: str) -> None:
    cube = np.random.default_rng(0).integers(0, 9000, (7, 6, 4)).astype(order + "i2")
    head = b"HEAD74" + struct.pack(order + "hh", 2, 4) + bytes(6) + struct.pack(order + "ii", 6, 7)
    path = tmp_path / "a.lan"
    path.write_bytes(head.ljust(128, b"\0") + cube.transpose(0, 2, 1).tobytes())
    with open_scene(path) as scene:
        np.testing.assert_array_equal(scene.read(), cube)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadInput, match="shorter than its header"):
        open_scene(path)


def test_real_gis_is_nearly_the_matlab_truth(clearband_data: Path) -> None:
    folder = clearband_data / "hsi" / "indian_pines"
    gis = open_labels(folder / "92AV3GT.GIS")
    mat = open_labels(folder / "Indian_pines_gt.mat")
    assert gis.values.shape == (145, 145)
    # The MATLAB file is a later correction of the same map.
    assert (gis.values == mat.values).mean() > 0.95
    assert mat.class_names[11] == "Soybean-mintill"


def test_labels_of_other_formats(tmp_path: Path, clearband_data: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[0.0, 1.0], [2.0, 1.0]]))
    assert open_labels(tmp_path / "a.npy").class_names == {1: "Class 1", 2: "Class 2"}
    np.save(tmp_path / "b.npy", np.array([[0.5, 1.0]]))
    with pytest.raises(BadInput, match="fractions"):
        open_labels(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", np.array([[0, 700]]))
    with pytest.raises(BadInput, match="0 to 255"):
        open_labels(tmp_path / "c.npy")
    found = open_labels(clearband_data / "hsi" / "envi" / "enmap_potsdam_a_labels.hdr")
    assert len(found.class_names) == 6
    assert set(found.class_colors) >= set(found.class_names)
