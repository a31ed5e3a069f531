"""MATLAB files old and new: the cube is found by its shape, or the user is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from backends.errors import BadInput, NeedsChoice
from backends.io import open_scene


def test_the_only_cube_is_taken(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).random((9, 8, 30))
    savemat(tmp_path / "a.mat", {"cube": cube, "gt": np.ones((9, 8), np.uint8), "x": 3})
    with open_scene(tmp_path / "a.mat") as scene:
        assert scene.info.kind == "hyperspectral"
        assert scene.info.options["key"] == "cube"
        np.testing.assert_array_equal(scene.read(), cube)
    with open_scene(tmp_path / "a.mat", {"key": "gt"}) as scene:
        assert scene.info.kind == "labels"


def test_several_cubes_are_asked_for(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"one": np.ones((5, 5, 9)), "two": np.ones((5, 5, 9))})
    with pytest.raises(NeedsChoice) as caught:
        open_scene(tmp_path / "a.mat")
    assert set(caught.value.choices) == {"one", "two"}
    with pytest.raises(BadInput, match="no array called three"):
        open_scene(tmp_path / "a.mat", {"key": "three"})


def test_version_73_is_turned_round(tmp_path: Path) -> None:
    import h5py

    cube = np.random.default_rng(0).random((9, 8, 30))
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["cube"] = cube.transpose(2, 1, 0)
    text = b"MATLAB 7.3 MAT-file".ljust(512, b" ")
    with (tmp_path / "a.mat").open("r+b") as stream:
        stream.write(text)
    with open_scene(tmp_path / "a.mat") as scene:
        assert scene.info.reader == "matlab"
        np.testing.assert_array_equal(scene.read(), cube)


def test_no_image_and_damage_are_sentences(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"x": 3, "s": "text"})
    with pytest.raises(BadInput, match="holds no image"):
        open_scene(tmp_path / "a.mat")
    savemat(tmp_path / "b.mat", {"cube": np.random.default_rng(0).random((20, 20, 20))})
    (tmp_path / "b.mat").write_bytes((tmp_path / "b.mat").read_bytes()[:9000])
    with pytest.raises(BadInput, match="damaged"):
        open_scene(tmp_path / "b.mat")


def test_real_scenes(clearband_data: Path) -> None:
    folder = clearband_data / "hsi"
    spc = folder / "indian_pines" / "92AV3C.spc"
    with open_scene(
        folder / "indian_pines" / "Indian_subset.mat", {"wavelengths": str(spc)}
    ) as scene:
        assert scene.shape == (70, 70, 200)
        assert scene.bands.has_wavelengths
        assert any("water bands" in note for note in scene.info.notes)
        # Non-monotonic, as AVIRIS is.
        assert (np.diff(scene.bands.wavelengths()) < 0).sum() == 2
    with open_scene(folder / "indian_pines" / "Indian_pines_gt.mat") as scene:
        assert len(scene.info.class_names) == 16
        assert scene.info.class_names[9] == "Oats"
    with open_scene(
        folder / "pavia" / "reg_pavia_dataset.mat", {"key": "I1", "wavelengths": "wl"}
    ) as scene:
        nm = scene.bands.wavelengths()
        assert 400 < nm[0] < 450
        assert 830 < nm[-1] < 880
    with open_scene(folder / "unmixing" / "Samson.mat", {"key": "Y"}) as scene:
        assert scene.shape == (95, 95, 156)
        with open_scene(folder / "unmixing" / "Samson.mat", {"key": "S_GT"}) as truth:
            water = truth.read()[:, :, 2] > 0.95
            assert water.any()
        # Water is darker than the rest only where pixels were put in the right place.
        mean = scene.read().mean(axis=2)
        assert mean[water].mean() < 0.5 * mean[~water].mean()
