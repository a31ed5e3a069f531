"""Who a file is: a digest of its content that costs a millisecond, however large it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_WHOLE = 1 << 20
_PIECE = 1 << 16
_PIECES = 16


def digest_of(files: Iterable[Path], also: bytes = b"") -> str:
    """Return the SHA-256 over names, sizes and samples of some files, as hex.

    Whole files up to 1 MiB, else the first, the last and 14 evenly spread 64 KiB pieces
    each. Not proof against forgery.

    Parameters
    ----------
    also : bytes
        Goes in first: what else makes the content what it is.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    sha = hashlib.sha256(also)
    for path in files:
        size = path.stat().st_size
        sha.update(f"{path.name}:{size}".encode())
        with path.open("rb") as stream:
            if size <= _WHOLE:
                sha.update(stream.read())
                continue
            for part in range(_PIECES):
                stream.seek((size - _PIECE) * part // (_PIECES - 1))
                sha.update(stream.read(_PIECE))
    return sha.hexdigest()
