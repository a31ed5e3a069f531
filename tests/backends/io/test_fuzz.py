"""Damaged files of every format: each opens and reads, or is refused in one sentence.

Valid files are cut, flipped, stretched and crossed, 3,000 times in all, by seed.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backends.errors import ClearbandError
from backends.io import open_scene
from backends.scene import Window

ROUNDS = 200


def make_envi(folder: Path) -> Path:
    cube = np.arange(6 * 5 * 4, dtype="<i2")
    (folder / "a.dat").write_bytes(cube.tobytes())
    (folder / "a.hdr").write_text(
        "ENVI\nsamples = 5\nlines = 6\nbands = 4\ndata type = 2\ninterleave = bil\n"
        "header offset = 0\nbyte order = 0\nwavelength units = Nanometers\n"
        "wavelength = {450, 550, 650, 860}\nfwhm = {9, 9, 9, 9}\nbbl = {1, 1, 0, 1}\n"
        "map info = {UTM, 1, 1, 500000, 5000000, 30, 30, 33, North, WGS-84, units=Meters}\n"
        "data ignore value = -1\nreflectance scale factor = 10000\n"
    )
    return folder / "a.hdr"


def make_matlab(folder: Path) -> Path:
    from scipy.io import savemat

    savemat(folder / "a.mat", {"cube": np.arange(600.0).reshape(10, 6, 10)})
    return folder / "a.mat"


def make_tiff(folder: Path) -> Path:
    import rasterio

    with rasterio.open(
        folder / "a.tif", "w", driver="GTiff", height=20, width=18, count=4, dtype="uint16"
    ) as out:
        out.write(np.arange(20 * 18 * 4, dtype=np.uint16).reshape(4, 20, 18))
    return folder / "a.tif"


def make_png(folder: Path) -> Path:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 18, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    return folder / "a.png"


def make_jpeg(folder: Path) -> Path:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 18, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "a.jpg")
    return folder / "a.jpg"


def make_npy(folder: Path) -> Path:
    np.save(folder / "a.npy", np.arange(600, dtype=np.float32).reshape(10, 6, 10))
    return folder / "a.npy"


def make_npz(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", cube=np.arange(600.0).reshape(10, 6, 10))
    return folder / "a.npz"


def make_hdf(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("cube", data=np.arange(600.0).reshape(10, 6, 10), chunks=(5, 3, 5))
    return folder / "a.h5"


def make_nifti(folder: Path) -> Path:
    import nibabel as nib

    nib.save(
        nib.Nifti1Image(np.arange(600, dtype=np.int16).reshape(10, 6, 10), np.eye(4)),
        folder / "a.nii",
    )
    return folder / "a.nii"


def make_dicom(folder: Path) -> Path:
    from test_medical import write_slice

    write_slice(folder / "a.dcm", np.arange(120).reshape(10, 12), 0.0)
    return folder / "a.dcm"


def make_erdas(folder: Path) -> Path:
    import struct

    head = b"HEAD74" + struct.pack("<hh", 0, 3) + bytes(6) + struct.pack("<ii", 8, 9)
    (folder / "a.lan").write_bytes(head.ljust(128, b"\0") + bytes(range(216)))
    return folder / "a.lan"


def make_emit(folder: Path) -> Path:
    from product_files import write_emit

    write_emit(folder / "a.nc")
    return folder / "a.nc"


def make_prisma(folder: Path) -> Path:
    from product_files import write_prisma

    write_prisma(folder / "a.he5")
    return folder / "a.he5"


def make_enmap(folder: Path) -> Path:
    from product_files import ENMAP_STEM, write_enmap

    write_enmap(folder)
    return folder / f"{ENMAP_STEM}-METADATA.XML"


def make_zarr(folder: Path) -> Path:
    import zarr
    from zarr.storage import ZipStore

    store = ZipStore(folder / "a.zip", mode="w")
    array = zarr.create_array(store, shape=(9, 8, 3), dtype="i2", chunks=(4, 8, 3))
    array[...] = np.arange(216, dtype="i2").reshape(9, 8, 3)
    store.close()
    return folder / "a.zip"


MAKERS = (
    make_envi, make_matlab, make_tiff, make_png, make_jpeg, make_npy, make_npz, make_hdf,
    make_nifti, make_dicom, make_erdas, make_emit, make_prisma, make_enmap,
    make_zarr,
)  # fmt: skip


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, flip, overwrite, double, or fill with extremes."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        kind = int(rng.integers(0, 6))
        # Headers lie at the front in all these formats: damage there more often.
        span = len(out) if rng.random() < 0.4 else min(len(out), 600)
        at = int(rng.integers(0, max(1, span)))
        if kind == 0:
            del out[at:]
        elif kind == 1 and out:
            out[at % len(out)] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            out[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
        elif kind == 3:
            del out[at : at + int(rng.integers(1, 40))]
        elif kind == 4:
            out[at:at] = out[at : at + int(rng.integers(1, 40))]
        else:
            out[at : at + 8] = rng.integers(0, 256, 8).astype(np.uint8).tobytes()
    return bytes(out)


@pytest.mark.parametrize("make", MAKERS, ids=lambda m: m.__name__.removeprefix("make_"))
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused(
    tmp_path: Path, make: Callable[[Path], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path)
    with open_scene(path) as scene:
        scene.spectrum(0, 0)
    valid = path.read_bytes()
    rng = np.random.default_rng(sum(make.__name__.encode()))
    refused = 0
    for _ in range(ROUNDS):
        path.write_bytes(mutate(valid, rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with open_scene(path) as scene:
                    rows, cols, bands = scene.shape
                    assert scene.nbytes < 1 << 44
                    scene.read(Window(rows - 1, cols - 1, 1, 1), [bands - 1], physical=True)
                    scene.spectrum(0, 0)
        except ClearbandError as error:
            refused += 1
            text = str(error)
            assert text
            assert "\n" not in text
            assert "Traceback" not in text
            assert len(text) < 400
    assert refused > ROUNDS // 20, "the damage did no harm: the test tests nothing"
    assert os.listdir(tmp_path)
