"""HDF5 and NetCDF-4 files in general: the image is chosen by its shape, read lazily."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.io.envi import kind_of
from backends.io.shaping import band_axis, check_size, choose_key, load_wavelengths, other_ways
from backends.scene import Scene, SceneInfo, Window

ID = "hdf"
TITLE = "HDF5 and NetCDF-4"

_HDF = b"\x89HDF\r\n\x1a\n"
_MOST_DATASETS = 5000


def sniff(path: Path, head: bytes) -> float:
    """By the first bytes."""
    return 0.6 if head.startswith(_HDF) else 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open the image in an HDF5 file.

    Options: ``key`` (path of the data set), ``bands`` (``first`` or ``last``),
    ``wavelengths`` (a text file, or the path of a data set in this file).
    """
    return open_as(path, options, reader=ID)


def open_as(
    path: Path, options: Mapping[str, Any], *, reader: str, transposed: bool = False
) -> Scene:
    """Open it on behalf of a format; MATLAB's arrays lie the other way round."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise BadInput(
            f"{path.name} is damaged or incomplete.",
            subject=path,
            way_out="Copy or download it anew.",
            details=repr(error),
        ) from error
    try:
        shapes = _datasets(file)
        key = choose_key(path, shapes, options.get("key"))
        data = file[key]
        check_size(path, data.shape, data.dtype.itemsize)
        order, notes = _order(tuple(data.shape), options, transposed)
        source = HdfPixels(path, file, data, order)
        return Scene(source, _info(path, file, key, source, options, notes, reader))
    except BaseException:
        file.close()
        raise


class HdfPixels:
    """Pixels of an HDF5 data set, axes put into the order rows, columns, bands."""

    layout = "tiled"

    def __init__(self, path: Path, file: Any, data: Any, order: tuple[int, ...]) -> None:
        self._path, self._file, self._data, self._order = path, file, data, order
        self._lock = threading.Lock()
        shape = [data.shape[axis] for axis in order]
        shape += [1] * (3 - len(shape))
        self.shape = (int(shape[0]), int(shape[1]), int(shape[2]))
        self.dtype: np.dtype[Any] = data.dtype.newbyteorder("=")
        self.level_shapes: Sequence[tuple[int, int]] = (self.shape[:2],)

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        rows, cols = window.slices
        low, high = min(bands), max(bands)
        chosen = (rows, cols, slice(low, high + 1))
        key: list[Any] = [0] * len(self._data.shape)
        for position, axis in enumerate(self._order):
            key[axis] = chosen[position]
        with self._lock:
            if not self._file:
                raise BadInput(f"{self._path.name} was closed.", way_out="Open it again.")
            try:
                values = np.asarray(self._data[tuple(key)])
            except (RuntimeError, KeyError) as error:
                raise OSError(str(error)) from error
        left = sorted(self._order)
        values = values.transpose([left.index(axis) for axis in self._order])
        values = values[:, :, None] if values.ndim == 2 else values
        return values[:, :, [b - low for b in bands]].astype(self.dtype, copy=False)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def attribute(node: Any, *names: str) -> Any:
    """Return the first attribute that is there, as a plain value, or None."""
    for name in names:
        if name in node.attrs:
            value = node.attrs[name]
            if isinstance(value, bytes):
                return value.decode(errors="replace")
            if isinstance(value, np.ndarray) and value.size == 1:
                return value.reshape(-1)[0]
            return value
    return None


def _datasets(file: Any) -> dict[str, tuple[int, ...]]:
    import h5py

    found: dict[str, tuple[int, ...]] = {}

    def visit(name: str, node: Any) -> bool | None:
        is_array = isinstance(node, h5py.Dataset) and node.dtype.kind in "uif"
        if is_array and 0 not in node.shape and not name.startswith("#"):
            found[name] = tuple(int(n) for n in node.shape)
        return True if len(found) >= _MOST_DATASETS else None

    file.visititems(visit)
    return found


def _order(
    shape: tuple[int, ...], options: Mapping[str, Any], transposed: bool
) -> tuple[tuple[int, ...], list[str]]:
    """Return the axes that are rows, columns and bands."""
    axes = [axis for axis, length in enumerate(shape) if length > 1]
    while len(axes) < 2:
        axes.append(next(a for a in range(len(shape)) if a not in axes))
    if transposed:
        axes = axes[::-1]
    if len(axes) == 2:
        return tuple(axes), []
    if len(axes) > 3:
        raise BadInput("Images with more than three axes cannot be shown.")
    axis, note = band_axis([shape[a] for a in axes], options.get("bands"))
    band = axes.pop(axis)
    return (*axes, band), [note] if note else []


def _info(
    path: Path,
    file: Any,
    key: str,
    source: HdfPixels,
    options: Mapping[str, Any],
    notes: list[str],
    reader: str,
) -> SceneInfo:
    data, count = file[key], source.shape[2]
    table = BandTable.build(count)
    name = options.get("wavelengths")
    if name and str(name) in file:
        nm = np.asarray(file[str(name)], float).reshape(-1)
        nm = nm * 1e3 if nm.size and np.nanmax(nm) < 100 else nm
        if nm.size != count:
            raise BadInput(f"{name} lists {nm.size} wavelengths for {count} bands.", subject=path)
        table = BandTable.build(count, wavelength_nm=nm, note=f"wavelengths from {name}")
    elif name:
        table, note = load_wavelengths(str(name), count)
        notes.append(note)
    nodata = attribute(data, "_FillValue", "missing_value")
    scale = attribute(data, "scale_factor")
    shift = attribute(data, "add_offset")
    return SceneInfo(
        path=path,
        files=(path,),
        kind=kind_of(count, table.has_wavelengths),
        reader=reader,
        options=dict(options) | {"key": key},
        bands=table,
        nodata=None if nodata is None else float(nodata),
        gain=1.0 if scale is None else float(scale),
        offset=0.0 if shift is None else float(shift),
        unit=str(attribute(data, "units", "unit") or ""),
        is_rgb=count == 3 and source.dtype == np.uint8,
        facts={"Data set": key},
        notes=tuple(notes),
        other_ways=other_ways(notes),
    )
