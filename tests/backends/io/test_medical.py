"""DICOM and NIfTI: units, windows, order of slices, orientation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.errors import BadInput, NeedsChoice
from backends.io import open_scene
from backends.scene import Window


def write_slice(path: Path, values: np.ndarray, z: float, *, series: str = "1.2.3") -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = Dataset()
    data.file_meta = meta
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.PatientName = "Secret^Name"
    data.Modality, data.SeriesInstanceUID = "CT", series
    data.Rows, data.Columns = values.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.RescaleSlope, data.RescaleIntercept = 2, -1000
    data.PixelSpacing = [0.5, 0.7]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = [0, 0, z]
    data.WindowCenter, data.WindowWidth = 40, 400
    data.PixelData = values.astype("<i2").tobytes()
    data.save_as(path, enforce_file_format=True)


def test_series_is_sorted_by_place_and_in_hounsfield(tmp_path: Path) -> None:
    for name, z in (("c", 10.0), ("a", 30.0), ("b", 20.0)):
        write_slice(tmp_path / f"{name}.dcm", np.full((6, 5), int(z)), z)
    with open_scene(tmp_path) as scene:
        assert scene.shape == (6, 5, 3)
        assert scene.bands.axis == "slice"
        assert scene.spectrum(0, 0).tolist() == [-980, -960, -940]
        assert scene.info.unit == "HU"
        assert scene.info.pixel_size == (0.5, 0.7)
        assert scene.info.windows["As stored"] == (-160, 240)
        assert scene.info.windows["Lung"] == (-1350, 150)
        assert scene.info.windows["Bone"] == (-500, 1300)
        assert next(iter(scene.info.windows)) == "As stored"
        assert scene.bands.names == ("Slice 1, 10.0 mm", "Slice 2, 20.0 mm", "Slice 3, 30.0 mm")
        assert scene.info.sides == ("R", "L", "A", "P")
        assert "Secret" not in repr(scene.info)


def test_two_series_are_asked_for(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", np.ones((4, 4)), 0, series="1.1")
    write_slice(tmp_path / "b.dcm", np.ones((4, 4)), 0, series="1.2")
    with pytest.raises(NeedsChoice) as asked:
        open_scene(tmp_path)
    assert asked.value.titles[0].startswith("CT, 1 image of 4 × 4: ")
    with open_scene(tmp_path, {"series": "1.2"}) as scene:
        assert scene.info.path == tmp_path


def test_cut_off_slice_is_a_sentence(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", np.ones((64, 64)), 0)
    (tmp_path / "a.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[:3000])
    with pytest.raises(BadInput) as caught:
        open_scene(tmp_path / "a.dcm").read()
    assert "a.dcm" in str(caught.value)


@pytest.mark.parametrize(
    "axes", [("R", "A", "S"), ("L", "P", "S"), ("S", "L", "P"), ("A", "I", "R")]
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_is_turned_to_one_orientation(
    tmp_path: Path, axes: tuple[str, str, str], suffix: str
) -> None:
    import nibabel as nib
    from nibabel.orientations import axcodes2ornt, ornt_transform

    world = np.random.default_rng(0).integers(0, 99, (4, 5, 6)).astype(np.int16)
    image = nib.Nifti1Image(world, np.diag([1, 2, 3, 1.0]))
    turn = ornt_transform(axcodes2ornt(("R", "A", "S")), axcodes2ornt(axes))
    nib.save(image.as_reoriented(turn), tmp_path / f"a{suffix}")
    with open_scene(tmp_path / f"a{suffix}") as scene:
        assert scene.shape == (5, 4, 6)
        expected = world.transpose(1, 0, 2)[::-1]
        np.testing.assert_array_equal(scene.read(), expected)
        np.testing.assert_array_equal(
            scene.read(Window(1, 2, 3, 2), [4, 0]), expected[1:4, 2:4][:, :, [4, 0]]
        )
        assert scene.info.pixel_size == (2, 1)


def test_nifti_volumes_and_damage(tmp_path: Path) -> None:
    import nibabel as nib

    data = np.arange(2 * 3 * 4 * 2, dtype=np.float32).reshape(2, 3, 4, 2)
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii")
    with open_scene(tmp_path / "a.nii", {"volume": 2}) as scene:
        np.testing.assert_array_equal(scene.read()[::-1, :, 0].T, data[:, :, 0, 1])
    with pytest.raises(BadInput, match="volumes 1 to 2"):
        open_scene(tmp_path / "a.nii", {"volume": 3})
    (tmp_path / "a.nii").write_bytes((tmp_path / "a.nii").read_bytes()[:400])
    with pytest.raises(BadInput, match="shorter than its header"):
        open_scene(tmp_path / "a.nii")


def test_real_medical_images(clearband_data: Path) -> None:
    with open_scene(clearband_data / "dicom" / "CT_small.dcm") as scene:
        values = scene.read(physical=True)
        assert values.min() < -500
        assert scene.info.unit == "HU"
    with open_scene(clearband_data / "dicom" / "J2K_pixelrep_mismatch.dcm") as scene:
        assert scene.read().shape == (512, 512, 1)
    for name, shape in (
        ("anatomical.nii", (41, 33, 25)),
        ("someones_anatomy.nii.gz", (67, 57, 56)),
    ):
        with open_scene(clearband_data / "nifti" / name) as scene:
            assert scene.shape == shape
            assert scene.read(bands=[shape[2] // 2]).std() > 0


@pytest.mark.parametrize(
    ("cosines", "sides"),
    [
        ([1, 0, 0, 0, 0, -1], ("R", "L", "H", "F")),  # from the front
        ([0, 1, 0, 0, 0, -1], ("A", "P", "H", "F")),  # from the left side
        ([-0.9, 0.1, 0, 0.1, -0.9, 0.2], ("L", "R", "P", "A")),  # upside down and oblique
        ([0, 0, 0, 0, 0, 0], ()),
        ([1, 0, 0], ()),
    ],
)
def test_the_sides_of_the_body_are_named(cosines: list[float], sides: tuple[str, ...]) -> None:
    from types import SimpleNamespace

    from backends.io.dicom import _sides

    assert _sides(SimpleNamespace(ImageOrientationPatient=cosines)) == sides
