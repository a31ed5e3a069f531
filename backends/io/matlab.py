"""MATLAB files: up to version 7.2 through SciPy, 7.3 (HDF5) through h5py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput, NeedsChoice
from backends.io.envi import kind_of
from backends.io.shaping import band_axis, check_size, choose_key, load_wavelengths, other_ways
from backends.scene import ArraySource, Scene, SceneInfo

ID = "matlab"
TITLE = "MATLAB .mat"

_HDF = b"\x89HDF\r\n\x1a\n"
# Scenes of the literature, by the name of their truth.
CLASS_NAMES = {
    "indian_pines_gt": (
        "Alfalfa", "Corn-notill", "Corn-mintill", "Corn", "Grass-pasture", "Grass-trees",
        "Grass-pasture-mowed", "Hay-windrowed", "Oats", "Soybean-notill", "Soybean-mintill",
        "Soybean-clean", "Wheat", "Woods", "Buildings-Grass-Trees-Drives", "Stone-Steel-Towers",
    ),
    "paviau_gt": (
        "Asphalt", "Meadows", "Gravel", "Trees", "Painted metal sheets", "Bare soil", "Bitumen",
        "Self-blocking bricks", "Shadows",
    ),
}  # fmt: skip


def sniff(path: Path, head: bytes) -> float:
    """By the text that MATLAB puts first, or HDF5 with that text before it."""
    if head.startswith(b"MATLAB 7.3"):
        return 0.95
    if head.startswith(b"MATLAB 5.0"):
        return 0.95
    return 0.85 if head.startswith(_HDF) and path.suffix.lower() == ".mat" else 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open the image in a MATLAB file.

    Options: ``key`` (name of the array), ``bands`` (``first`` or ``last``),
    ``wavelengths`` (a text file, or the name of an array in this file).
    """
    with path.open("rb") as stream:
        head = stream.read(128)
    if head.startswith(b"MATLAB 7.3") or head.startswith(_HDF):
        from backends.io.hdf import open_as

        return open_as(path, options, reader=ID, transposed=True)
    arrays = _contents(path)
    key = options.get("key")
    flat = [k for k, (s, _) in arrays.items() if len(s) == 2 and min(s) > 16]
    if key is None and flat and {"lines", "cols"} <= set(arrays):
        # Unmixing sets keep the image as bands × pixels, beside maps of the answer.
        cubes = [k for k, (s, _) in arrays.items() if len(s) == 3]
        raise NeedsChoice(
            f"{path.name} holds several images.",
            option="key",
            choices=tuple(flat + cubes),
            subject=path,
        )
    key = choose_key(path, {k: s for k, (s, _) in arrays.items()}, key)
    shape, kind = arrays[key]
    if kind in ("cell", "struct", "object", "char", "function"):
        raise BadInput(f"{key} in {path.name} is a {kind}, not an image.", subject=path)
    check_size(path, shape, 8)
    array, extra = _load(path, key, options.get("wavelengths"))
    notes: list[str] = []
    array = np.squeeze(array) if array.ndim > 3 else array
    if array.dtype.kind == "c":
        array = np.abs(array)
        notes.append("Complex values are shown by their magnitude.")
    if array.dtype.kind not in "uifb":
        raise BadInput(f"{key} in {path.name} holds no numbers.", subject=path)
    lines, cols = extra.get("lines"), extra.get("cols")
    if array.ndim == 2 and lines and cols and array.shape[1] == lines * cols:
        array = array.reshape(array.shape[0], cols, lines).transpose(2, 1, 0)
        notes.append("Bands × pixels in column order, arranged by the file's lines and cols.")
    elif array.ndim == 3:
        axis, note = band_axis(array.shape, options.get("bands"), array)
        array = np.moveaxis(array, axis, -1)
        notes += [note] if note else []
    array = array[:, :, None] if array.ndim == 2 else array
    return Scene(ArraySource(array), _info(path, key, array, extra, options, notes))


def _info(
    path: Path,
    key: str,
    array: NDArray[Any],
    extra: Mapping[str, Any],
    options: Mapping[str, Any],
    notes: list[str],
) -> SceneInfo:
    count = array.shape[2]
    table = BandTable.build(count)
    if options.get("wavelengths"):
        table = _wavelengths(extra, str(options["wavelengths"]), count)
        notes.append(table.note[:1].upper() + table.note[1:] + ".")
    is_integer = array.dtype.kind in "ui"
    names: dict[int, str] = {}
    is_labels = count == 1 and is_integer and int(array.max()) < 256
    if is_labels:
        known = CLASS_NAMES.get(key.lower(), ())
        found = [int(v) for v in np.unique(array) if v > 0]
        names = {v: known[v - 1] if v <= len(known) else f"Class {v}" for v in found}
    return SceneInfo(
        path=path,
        files=(path,),
        kind="labels" if is_labels and names else kind_of(count, table.has_wavelengths),
        reader=ID,
        options=dict(options) | {"key": key},
        bands=table,
        title=path.name,
        is_rgb=count == 3 and array.dtype == np.uint8,
        class_names=names,
        facts={"Array": key},
        notes=tuple(notes),
        other_ways=other_ways(notes),
    )


def _wavelengths(extra: Mapping[str, Any], name: str, count: int) -> BandTable:
    if name in extra:
        nm = np.asarray(extra[name], float).reshape(-1)
        nm = nm * 1e3 if nm.size and np.nanmax(nm) < 100 else nm
        if nm.size == count:
            return BandTable.build(count, wavelength_nm=nm, note=f"wavelengths from {name}")
        raise BadInput(f"{name} lists {nm.size} wavelengths for {count} bands.")
    return load_wavelengths(name, count)[0]


def _contents(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    from scipy.io import whosmat

    try:
        return {k: (tuple(int(n) for n in s), kind) for k, s, kind in whosmat(str(path))}
    except Exception as error:
        raise _damaged(path, error) from error


def _load(path: Path, key: str, wavelengths: object) -> tuple[NDArray[Any], dict[str, Any]]:
    from scipy.io import loadmat

    wanted = [key, "lines", "cols", *([str(wavelengths)] if wavelengths else [])]
    try:
        found = loadmat(str(path), variable_names=wanted)
    except Exception as error:
        raise _damaged(path, error) from error
    extra: dict[str, Any] = {k: v for k, v in found.items() if k in wanted and k != key}
    for name in ("lines", "cols"):
        if name in extra:
            extra[name] = int(np.asarray(extra[name]).reshape(-1)[0])
    return np.asarray(found[key]), extra


def _damaged(path: Path, error: Exception) -> BadInput:
    return BadInput(
        f"{path.name} is damaged or incomplete.",
        subject=path,
        way_out="Copy or download it anew.",
        details=repr(error),
    )
