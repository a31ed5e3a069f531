"""Band-by-band files re-ordered pixel by pixel, so that a spectrum is one short read.

In a BSQ file the values of one pixel lie as many pages apart as there are bands: a cold
spectrum of a 5 GB file takes hundreds of reads. A copy ordered by pixel, kept in the
user's cache, makes it one. Copies are bounded, checked against their file, replaced
atomically, and dropped in the order in which they were last used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import BadInput
from backends.io.raw_pixels import RawPixels
from backends.io.writers.atomic import replacing
from backends.jobs import Progress
from backends.scene import Array, PixelSource, Scene, Window

LEAST_BYTES = 512 << 20  # smaller files soon lie in the system's own cache
LIMIT_BYTES = 20 << 30
BLOCK_BYTES = 64 << 20
FREE_PART = 0.1  # of the disk, left to others
_HEAD = 4096  # pixels begin on a page
_FORMAT = "clearband spectra 1"
_SUFFIX = ".spectra"


class PixelOrdered:
    """A source with a copy ordered by pixel beside it; each read goes to the quicker one.

    Parameters
    ----------
    source : PixelSource
        The file itself.
    copy : PixelSource
        Same shape and values, in BIP order.
    """

    def __init__(self, source: PixelSource, copy: PixelSource) -> None:
        self.source, self.copy = source, copy

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.source.dtype

    @property
    def level_shapes(self) -> Sequence[tuple[int, int]]:
        """Pyramid, full size first."""
        return self.source.level_shapes

    @property
    def layout(self) -> str:
        """Both orders are cheap; pictures are still read from the file itself."""
        return self.source.layout

    def read(self, window: Window, bands: Sequence[int], level: int) -> Array:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        if level == 0 and 4 * len(bands) >= self.shape[2]:
            return self.copy.read(window, bands, 0)
        return self.source.read(window, bands, level)

    def close(self) -> None:
        """Close both."""
        self.copy.close()
        self.source.close()


def folder() -> Path:
    """Return where copies are kept: ``CLEARBAND_HOME`` or the user's cache."""
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given).expanduser() / "spectra"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "spectra"


def is_worthwhile(scene: Scene, least_bytes: int = LEAST_BYTES) -> bool:
    """Return whether a copy would make spectra of this scene quicker."""
    return (
        scene.source.layout == "bsq"
        and not isinstance(scene.source, PixelOrdered)
        and scene.shape[2] > 8
        and scene.nbytes >= least_bytes
        and bool(scene.info.files)
    )


def copy_path(scene: Scene) -> Path:
    """Return where the copy of a scene lies: named after its file, that file's size and date."""
    facts: list[Any] = [_FORMAT, scene.info.reader, scene.shape, scene.dtype.str]
    facts.append(sorted((str(k), str(v)) for k, v in scene.info.options.items()))
    for path in scene.info.files:
        stat = path.stat()
        facts.append((str(path.resolve()), stat.st_size, stat.st_mtime_ns))
    name = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
    return folder() / (name + _SUFFIX)


def attach(scene: Scene) -> bool:
    """Read spectra from the copy from now on, if there is one that fits; return whether.

    A damaged copy is removed.
    """
    if not is_worthwhile(scene, 0):
        return False
    try:
        path = copy_path(scene)
        if not path.is_file():
            return False
        if not _fits(path, scene):
            path.unlink(missing_ok=True)
            return False
        copy = RawPixels(path, scene.shape, _stored(scene), "bip", _HEAD)
        os.utime(path)  # used just now
    except OSError:
        return False
    scene.source = PixelOrdered(scene.source, copy)
    if scene.is_closed:  # while the copy was being opened
        copy.close()
        return False
    return True


def make_copy(
    scene: Scene, progress: Progress | None = None, *, limit_bytes: int = LIMIT_BYTES
) -> Path:
    """Write the copy of a scene; one streaming pass, `BLOCK_BYTES` in memory at a time.

    Raises
    ------
    BadInput
        It is larger than the limit, the disk is too full, or the file changed meanwhile.
    """
    progress = progress or Progress()
    rows, cols, bands = scene.shape
    target = copy_path(scene)
    _make_room(target, _HEAD + scene.nbytes, limit_bytes)
    step = max(1, BLOCK_BYTES // (cols * bands * scene.dtype.itemsize))
    stored = _stored(scene)
    progress.start(scene.nbytes / 1e6, "MB", "Ordering the file by pixel, for quick spectra")
    with replacing(target, folders=True) as inner:
        with inner.open("wb") as file:
            file.write(_head(scene))
            for row in range(0, rows, step):
                part = scene.read(Window(row, 0, min(step, rows - row), cols))
                for line in part:  # row by row, so that a stop is quick
                    file.write(np.ascontiguousarray(line, stored).data)
                progress.advance(part.nbytes / 1e6)
            file.flush()
            os.fsync(file.fileno())
        if scene.changed_on_disk() is not None or copy_path(scene) != target:
            raise BadInput(f"{scene.title} was changed while it was read.", subject=target)
    return target


def used_bytes() -> int:
    """Return how much the copies take up."""
    return sum(size for _, size, _ in _copies())


def clear() -> int:
    """Remove every copy that no program holds open; return the bytes won."""
    won = 0
    for path, size, _ in _copies():
        try:
            path.unlink()
        except OSError:
            continue
        won += size
    return won


def _stored(scene: Scene) -> np.dtype[Any]:
    return scene.dtype.newbyteorder("<")


def _head(scene: Scene) -> bytes:
    facts = {
        "format": _FORMAT,
        "shape": list(scene.shape),
        "dtype": _stored(scene).str,
        "name": copy_path(scene).stem,
    }
    return json.dumps(facts).encode().ljust(_HEAD, b"\n")


def _fits(path: Path, scene: Scene) -> bool:
    if path.stat().st_size != _HEAD + scene.nbytes:
        return False
    with path.open("rb") as file:
        return file.read(_HEAD) == _head(scene)


def _copies() -> list[tuple[Path, int, float]]:
    """Return path, size and time of last use of each copy, longest unused first."""
    found = []
    try:
        for path in folder().iterdir():
            if path.suffix == _SUFFIX and path.is_file():
                stat = path.stat()
                found.append((path, stat.st_size, stat.st_mtime))
    except OSError:
        pass
    return sorted(found, key=lambda one: one[2])


def _make_room(target: Path, needed: int, limit_bytes: int) -> None:
    """Remove the copies longest unused until this one fits."""
    if needed > limit_bytes:
        raise BadInput(
            f"A copy for quick spectra would take {needed / 1e9:.1f} GB; "
            f"{limit_bytes / 1e9:.0f} GB are allowed.",
            way_out="Spectra are read from the file itself.",
        )
    copies = [one for one in _copies() if one[0] != target]
    held = sum(size for _, size, _ in copies)
    at = next(p for p in (target, *target.parents) if p.exists())
    disk = shutil.disk_usage(at if at.is_dir() else at.parent)
    free = disk.free - int(FREE_PART * disk.total)
    for path, size, _ in copies:
        if held + needed <= limit_bytes and needed <= free:
            break
        try:
            path.unlink()
        except OSError:
            continue
        held, free = held - size, free + size
    if needed > free:
        raise BadInput(
            f"The disk has no room for a copy of {needed / 1e9:.1f} GB for quick spectra.",
            way_out="Spectra are read from the file itself.",
        )
