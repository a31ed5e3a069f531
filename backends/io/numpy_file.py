"""NumPy files: ``.npy`` memory-mapped, ``.npz`` array by array; never unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.io.envi import kind_of
from backends.io.shaping import band_axis, check_size, choose_key, load_wavelengths, other_ways
from backends.scene import ArraySource, Scene, SceneInfo

ID = "numpy"
TITLE = "NumPy .npy and .npz"

LARGEST_UNPACKED = 8 << 30


def sniff(path: Path, head: bytes) -> float:
    """By the first bytes."""
    if head.startswith(b"\x93NUMPY"):
        return 0.95
    return 0.8 if head.startswith(b"PK\x03\x04") and path.suffix.lower() == ".npz" else 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open an array as an image.

    Options: ``key`` (npz), ``bands`` (``first`` or ``last``), ``wavelengths`` (text file).
    """
    key, array = _array(path, options.get("key"))
    if array.dtype.kind not in "uifb":
        raise BadInput(f"{path.name} holds no numbers.", subject=path)
    check_size(path, array.shape, array.dtype.itemsize)
    notes: list[str] = []
    axes = [axis for axis, length in enumerate(array.shape) if length > 1]
    if array.ndim > 3 and len(axes) <= 3:
        array = array.squeeze()
    if array.ndim not in (2, 3):
        raise BadInput(
            f"{path.name} has {array.ndim} axes; an image has rows, columns and bands.",
            subject=path,
        )
    if array.ndim == 3:
        axis, note = band_axis(array.shape, options.get("bands"), array)
        array = np.moveaxis(array, axis, -1)
        notes += [note] if note else []
    else:
        array = array[:, :, None]
    count = array.shape[2]
    table = BandTable.build(count)
    if options.get("wavelengths"):
        table, note = load_wavelengths(str(options["wavelengths"]), count)
        notes.append(note[:1].upper() + note[1:] + ".")
    info = SceneInfo(
        path=path,
        files=(path,),
        kind=kind_of(count, table.has_wavelengths),
        reader=ID,
        options=dict(options) | ({"key": key} if key else {}),
        bands=table,
        is_rgb=count == 3 and array.dtype == np.uint8,
        facts={"Array": key} if key else {},
        notes=tuple(notes),
        other_ways=other_ways(notes),
    )
    return Scene(ArraySource(array), info)


def _array(path: Path, wanted: str | None) -> tuple[str, NDArray[Any]]:
    try:
        if path.suffix.lower() != ".npz":
            return "", np.load(path, mmap_mode="r", allow_pickle=False)
        with zipfile.ZipFile(path) as archive:
            total = sum(item.file_size for item in archive.infolist())
        if total > LARGEST_UNPACKED:
            raise BadInput(
                f"{path.name} would unpack to {total / 2**30:.0f} GB.",
                subject=path,
                way_out="Save the array as .npy, which opens without unpacking.",
            )
        with np.load(path, allow_pickle=False) as found:
            shapes = {}
            for name in found.files:
                with found.zip.open(f"{name}.npy") as stream:
                    version = np.lib.format.read_magic(stream)
                    read = np.lib.format.read_array_header_1_0
                    if version >= (2, 0):
                        read = np.lib.format.read_array_header_2_0
                    shapes[name] = read(stream)[0]
            images = {k: s for k, s in shapes.items() if "mask" not in k.lower()}
            key = choose_key(path, images if not wanted else shapes, wanted)
            array = found[key]
            mask = next((k for k, s in shapes.items() if k.lower() == "mask"), None)
            if mask and mask != key and shapes[mask] == shapes[key] and array.dtype.kind in "if":
                array = np.where(found[mask].astype(bool), np.nan, array.astype(np.float32))
            return key, array
    except BadInput:
        raise
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, SyntaxError) as error:
        said = str(error).lower()
        pickled = "pickle" in said or "python objects" in said
        raise BadInput(
            f"{path.name} holds Python objects, which are not opened because they can run code."
            if pickled
            else f"{path.name} is damaged or incomplete.",
            subject=path,
            way_out="Save plain numbers instead." if pickled else "Copy it anew.",
            details=repr(error),
        ) from error
