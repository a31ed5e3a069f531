"""What the HDF5 products share: opening, lists of numbers, and the place of each pixel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.georeference import GeolocationTable
from backends.io.hdf import HdfPixels
from backends.io.shaping import check_size

HDF_MAGIC = b"\x89HDF\r\n\x1a\n"
# What h5py raises on files that are not what they claim.
HDF_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)
_MOST_VALUES = 1 << 16


def recognise(path: Path, head: bytes, look: Callable[[Any], float]) -> float:
    """Return what ``look`` thinks of an HDF5 file; 0 for other and for unreadable files."""
    if not head.startswith(HDF_MAGIC):
        return 0.0
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return look(file)
    except HDF_ERRORS:  # the general HDF5 reader then says what is wrong
        return 0.0


def open_file(path: Path) -> Any:
    """Open an HDF5 file for reading.

    Raises
    ------
    BadInput
        It is damaged.
    """
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise BadInput(
            f"{path.name} is damaged or incomplete.",
            subject=path,
            way_out="Copy or download it anew.",
            details=repr(error),
        ) from error


def dataset(file: Any, name: str) -> Any:
    """Return the numeric data set of that name, or None."""
    import h5py

    node = file.get(name)
    is_array = isinstance(node, h5py.Dataset) and node.dtype.kind in "uif"
    return node if is_array and 0 not in node.shape else None


def cube(path: Path, file: Any, name: str, order: tuple[int, int, int]) -> HdfPixels | None:
    """Return the pixels of a three-dimensional data set, or None where there is none.

    Parameters
    ----------
    order : tuple of 3 int
        The axes that are rows, columns and bands.

    Raises
    ------
    BadInput
        It has not three axes, or an impossible size.
    """
    data = dataset(file, name)
    if data is None:
        return None
    if data.ndim != 3:
        raise BadInput(
            f"{name} in {path.name} has {data.ndim} axes instead of 3.",
            subject=path,
            way_out="The file is damaged; download it anew.",
        )
    check_size(path, data.shape, data.dtype.itemsize)
    return HdfPixels(path, file, data, order)


def tile_of(file: Any, name: str, order: tuple[int, int, int]) -> tuple[int, int]:
    """Return rows and bands of the pieces in which a data set is stored."""
    chunks = file[name].chunks
    return (1, 1) if chunks is None else (int(chunks[order[0]]), int(chunks[order[2]]))


def numbers(values: Any, count: int, what: str, path: Path) -> NDArray[np.float64]:
    """Return a list of numbers of a data set or attribute, one a band.

    Raises
    ------
    BadInput
        The list has another length, or is no list of numbers.
    """
    size = int(np.prod(np.shape(values), dtype=np.int64))
    if size != count or size > _MOST_VALUES:
        raise BadInput(
            f"{path.name} lists {size} values of {what} for {count} bands.",
            subject=path,
            way_out="The file is damaged; download it anew.",
        )
    try:
        return np.asarray(values, dtype=np.float64).reshape(-1)
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"{what} in {path.name} is no list of numbers.",
            subject=path,
            way_out="The file is damaged; download it anew.",
        ) from error


def geolocation(
    path: Path, file: Any, names: tuple[str, str], size: tuple[int, int], lock: Lock
) -> tuple[GeolocationTable | None, str]:
    """Return longitude and latitude of each pixel, read when first asked, and a note.

    Parameters
    ----------
    names : (longitude, latitude)
        Paths of the data sets.
    size : (rows, columns)
        What they must be.
    """
    lon, lat = (dataset(file, name) for name in names)
    if lon is None or lat is None:
        return None, "The file says of no pixel where it lies; it opens without a place."
    if tuple(lon.shape) != size or tuple(lat.shape) != size:
        return None, "The tables of places have another size than the image and are not used."

    def load() -> tuple[NDArray[Any], NDArray[Any]]:
        with lock:
            if not file:
                raise BadInput(f"{path.name} was closed.", way_out="Open it again.")
            try:
                return np.asarray(lon), np.asarray(lat)
            except HDF_ERRORS as error:
                raise BadInput(
                    f"The places of the pixels in {path.name} cannot be read.",
                    subject=path,
                    way_out="Copy or download it anew.",
                    details=repr(error),
                ) from error

    return GeolocationTable(load), ""
