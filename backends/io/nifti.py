"""NIfTI volumes through nibabel: slices are the bands, in canonical orientation."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.io.shaping import check_size
from backends.scene import Scene, SceneInfo, Window

ID = "nifti"
TITLE = "NIfTI volume"

_MAGIC = (b"n+1\0", b"ni1\0")
LARGEST_UNPACKED = 8 << 30


def sniff(path: Path, head: bytes) -> float:
    """By the magic at byte 344, unpacked when gzipped."""
    if head[:2] == b"\x1f\x8b" and path.name.lower().endswith((".nii.gz", ".gz")):
        try:
            head = zlib.decompressobj(31).decompress(head, 1024)
        except zlib.error:
            return 0.0
    return 0.95 if head[344:348] in _MAGIC or head[4:8] == b"n+2\0" else 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open a volume. Options: ``volume`` (number from 1, of a four-dimensional file)."""
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nib.load(path)
        shape = tuple(int(n) for n in image.shape)
        check_size(path, shape, image.get_data_dtype().itemsize)
        _check_length(path, image, shape)
    except BadInput:
        raise
    except (ImageFileError, OSError, ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(
            f"{path.name} is damaged or incomplete.", subject=path, details=repr(error)
        ) from error
    if len(shape) < 2 or 0 in shape:
        raise BadInput(f"{path.name} holds no image: its shape is {shape}.", subject=path)
    volumes = int(np.prod(shape[3:])) if len(shape) > 3 else 1
    volume = int(options.get("volume", 1))
    if not 1 <= volume <= volumes:
        raise BadInput(f"{path.name} has volumes 1 to {volumes}.", subject=path)
    source = NiftiPixels(path, image, volume - 1)
    notes = ["Seen from above the head: front of the body up, its left side at the left."]
    if volumes > 1:
        notes.append(f"Volume {volume} of {volumes}; open with volume=n for another.")
    zooms = source.zooms
    count = source.shape[2]
    slope, inter = image.dataobj.slope, image.dataobj.inter
    info = SceneInfo(
        path=path,
        files=(path,),
        kind="medical",
        reader=ID,
        options=dict(options),
        bands=BandTable.build(
            count,
            names=[f"Slice {n + 1}, {at:.1f} mm" for n, at in enumerate(source.positions)],
            axis="slice",
        ),
        pixel_size=(zooms[0], zooms[1]),
        pixel_unit="mm",
        sides=("L", "R", "A", "P"),
        gain=float(slope) if np.isfinite(slope) and slope else 1.0,
        offset=float(inter) if np.isfinite(inter) else 0.0,
        facts={"Slice distance, mm": f"{zooms[2]:.3g}"},
        notes=tuple(notes),
    )
    return Scene(source, info)


class NiftiPixels:
    """Slices across the body's long axis, read as they are looked at."""

    layout = "tiled"

    def __init__(self, path: Path, image: Any, volume: int) -> None:
        from nibabel.orientations import io_orientation

        self._data = image.dataobj
        self._lock = threading.Lock()
        self._volume = np.unravel_index(volume, image.shape[3:]) if image.ndim > 3 else ()
        self._flat = image.ndim == 2
        affine = image.affine if image.affine is not None else np.eye(4)
        orientation = io_orientation(affine)
        if np.isnan(orientation).any():
            orientation = np.array([[0, 1], [1, 1], [2, 1]])
        # File axis that is left-right, back-front, foot-head, and whether it runs backwards.
        self._axis = [int(np.flatnonzero(orientation[:, 0] == world)[0]) for world in range(3)]
        self._back = [bool(orientation[axis, 1] < 0) for axis in self._axis]
        lengths = [*image.shape[:3], 1, 1][:3]
        across, front, up = (int(lengths[axis]) for axis in self._axis)
        self.shape = (front, across, up)
        self.dtype: np.dtype[Any] = image.get_data_dtype().newbyteorder("=")
        self.level_shapes: Sequence[tuple[int, int]] = (self.shape[:2],)
        zoom = [float(z) for z in [*image.header.get_zooms()[:3], 1, 1][:3]]
        self.zooms = (zoom[self._axis[1]], zoom[self._axis[0]], zoom[self._axis[2]])
        # Of the middle of each slice, along the body towards the head.
        middle = (np.asarray(lengths, float) - 1) / 2
        self.positions = []
        for number in range(up):
            at = middle.copy()
            at[self._axis[2]] = up - 1 - number if self._back[2] else number
            self.positions.append(float(affine[2, :3] @ at + affine[2, 3]))

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        rows, cols, _ = self.shape
        # Row 0 is the front, column 0 the left side of the body.
        front = range(window.row, window.row + window.height)
        spans = {
            1: self._span(1, rows, rows - 1 - front[-1], rows - front[0]),
            0: self._span(0, cols, window.col, window.col + window.width),
        }
        out = np.empty((window.height, window.width, len(bands)), self.dtype)
        for i, band in enumerate(bands):
            spans[2] = self._span(2, self.shape[2], band, band + 1)
            key: list[Any] = [slice(None)] * 3
            for world in range(3):
                key[self._axis[world]] = spans[world][0]
            with self._lock:
                values = self._unscaled(self._crop(key))
            values = values.reshape([s.stop - s.start for s in key])
            values = values.transpose(self._axis)
            for world in range(3):
                if spans[world][1]:
                    values = np.flip(values, axis=world)
            out[:, :, i] = np.flip(values[:, :, 0].T, axis=0)
        return out

    def close(self) -> None:
        """Nothing stays open between reads."""

    def _span(self, world: int, length: int, start: int, stop: int) -> tuple[slice, bool]:
        if self._back[world]:
            return slice(length - stop, length - start), True
        return slice(start, stop), False

    def _crop(self, key: list[Any]) -> tuple[Any, ...]:
        return tuple(key[:2]) if self._flat else (*key, *self._volume)

    def _unscaled(self, key: tuple[Any, ...]) -> NDArray[Any]:
        from nibabel.fileslice import fileslice

        data = self._data
        with data._get_fileobj() as stream:
            return np.asarray(
                fileslice(stream, key, data.shape, data.dtype, data.offset, order=data.order)
            )


def _check_length(path: Path, image: Any, shape: Sequence[int]) -> None:
    """Refuse a file that is shorter than its header says."""
    needed = (
        int(np.prod([int(n) for n in shape], dtype=np.float64)) * image.get_data_dtype().itemsize
    )
    if path.name.lower().endswith(".gz"):
        if needed > LARGEST_UNPACKED:
            raise BadInput(
                f"{path.name} would unpack to {needed / 2**30:.0f} GB.",
                subject=path,
                way_out="Unpack it first; an unpacked .nii opens at once.",
            )
        return
    if path.stat().st_size < needed + int(image.dataobj.offset):
        raise BadInput(
            f"{path.name} is shorter than its header says.",
            subject=path,
            way_out="The file is cut off; copy it anew.",
        )
