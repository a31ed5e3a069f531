"""The one way to replace a file: write beside, flush, rename; nothing half-written stays.

Everything is written into a hidden folder beside the target, under its final
name (libraries choose the format by it and put side files next to it), made
durable, and then renamed over the target. A failure, a cancelled job or Ctrl-C
removes the folder; a killed process leaves it behind, and the next write to the
same target sweeps it away.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backends.errors import BadInput, ClearbandError

_SUFFIX = ".part"
_LEFT = re.compile(r"\..*\.(?P<owner>[0-9a-f]{8})\.(?P<pid>\d{1,10})\.[0-9a-f]{8}\.part", re.DOTALL)
_FULL_BYTES = 1 << 20


@contextmanager
def replacing(path: str | Path, *, folders: bool = False) -> Iterator[Path]:
    """Give a path to write to, and put what was written in the place of ``path`` at the end.

    Side files that appear next to the given path are moved as well, before the file itself.

    Parameters
    ----------
    path : str or Path
        The file to make or to replace. A link stays a link: what it points to is replaced.
    folders : bool
        Make missing parent folders.

    Yields
    ------
    Path
        Where to write; it has the final name and lies on the same disk.

    Raises
    ------
    BadInput
        The place cannot be written to, or the disk is full: one sentence.
    """
    target = Path(path).expanduser()
    with _plainly(target):
        target = _settle(target, folders)
        if target.is_dir():
            raise BadInput(
                f"{target.name} is a folder, not a file.",
                subject=target,
                way_out="Give a file name inside it.",
            )
        with _scratch(target) as scratch:
            inner = scratch / target.name
            yield inner
            if not inner.is_file():
                raise BadInput(f"{target.name} was not written.", subject=target)
            beside = sorted(p for p in scratch.iterdir() if p != inner)
            _move([*beside, inner], target.parent)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder to fill; at the end its files take their places in ``path``.

    Files of the same names are replaced, one rename each; others in the folder stay.
    Nothing appears there before all of them are complete.

    Raises
    ------
    BadInput
        The place cannot be written to, or the disk is full: one sentence.
    """
    target = Path(path).expanduser()
    with _plainly(target):
        target = _settle(target, True)
        if target.exists() and not target.is_dir():
            raise BadInput(
                f"{target.name} is a file, not a folder.",
                subject=target,
                way_out="Choose another name for the results.",
            )
        with _scratch(target) as scratch:
            yield scratch
            _move_tree(scratch, target)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Replace a small file by ``content``."""
    with replacing(path) as inner:
        inner.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Replace a small text file (UTF-8)."""
    write_bytes(path, content.encode("utf-8"))


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    sweep(target.parent, _prefix(target))
    name = f"{_prefix(target)}{_owner()}.{os.getpid()}.{uuid.uuid4().hex[:8]}{_SUFFIX}"
    scratch = target.parent / name
    scratch.mkdir()
    try:
        yield scratch
    except OSError as error:
        # GDAL and others keep the reason to themselves.
        if shutil.disk_usage(target.parent).free < _FULL_BYTES:
            raise OSError(errno.ENOSPC, "disk full") from error
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _settle(target: Path, folders: bool) -> Path:
    target = target.resolve()
    if folders:
        target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.is_dir():
        raise BadInput(
            f"There is no folder {target.parent.name} to write {target.name} to.",
            subject=target,
            way_out="Make the folder, or choose another.",
        )
    return target


def _move_tree(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    inside = sorted(source.iterdir())
    for folder in (p for p in inside if p.is_dir()):
        _move_tree(folder, target / folder.name)
    _move([p for p in inside if not p.is_dir()], target)


def _move(files: list[Path], folder: Path) -> None:
    # All are durable before the first appears: a power cut never shows an empty file.
    for file in files:
        _flush(file)
    for file in files:
        if (folder / file.name).exists():
            shutil.copymode(folder / file.name, file)
        os.replace(file, folder / file.name)
    _flush_folder(folder)


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":  # a folder cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network disks know no such thing
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


def sweep(folder: Path, prefix: str = ".") -> None:
    """Remove what killed processes of this machine left half-written in a folder.

    Parameters
    ----------
    prefix : str
        Only names that begin so.
    """
    import psutil

    for left in folder.iterdir():
        found = _LEFT.fullmatch(left.name) if left.name.startswith(prefix) else None
        if found is None or found["owner"] != _owner():
            continue
        if not psutil.pid_exists(int(found["pid"])):
            shutil.rmtree(left, ignore_errors=True)


def _prefix(target: Path) -> str:
    return f".{target.name[:100]}."


def _owner() -> str:
    """Name this machine: process numbers mean nothing on another."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


@contextmanager
def _plainly(target: Path) -> Iterator[None]:
    """Say in a sentence why a file could not be written."""
    try:
        yield
    except ClearbandError:
        raise
    except OSError as error:
        raise _explain(error, target) from error


def _explain(error: OSError, target: Path) -> BadInput:
    name, details = target.name, repr(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BadInput(
            f"The disk is full; {name} was not written.",
            subject=target,
            way_out="Free some space, or choose another disk.",
            details=details,
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return BadInput(
            f"{name} may not be written there.",
            subject=target,
            way_out="Choose another folder, or close the program that holds the file.",
            details=details,
        )
    if error.errno == errno.ENAMETOOLONG:
        return BadInput(
            "The file name is too long.", subject=target, way_out="Choose a shorter one."
        )
    return BadInput(
        f"{name} could not be written.",
        subject=target,
        way_out="Choose another folder.",
        details=details,
    )
