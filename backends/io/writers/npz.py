"""Arrays in archives: matrices as NPZ, and the streaming reader and writer sessions share.

Arrays go in piece by piece, so that a large one can be cancelled and is never
held twice; nothing is ever pickled, and what comes out was checked before a
byte was allocated for it.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io.writers.atomic import replacing
from backends.io.writers.tags import provenance_json
from backends.jobs import Progress
from backends.overlays import ClusterField, MatrixField

PIECE_BYTES = 4 << 20
# What `backends.overlays.ClusterBlock` holds a pixel.
CLUSTER_ARRAYS = ("cluster", "certainty", "rank", "sequence", "score", "step")
# … and what older ones do not hold.
MORE_CLUSTER_ARRAYS = ("attention", "typical", "membership")
# Whole numbers and floats; never objects or records. Texts only where asked for.
_KINDS = "uif"
_HEADER = re.compile(
    r"\{'descr': '(?P<order>[<>|])(?P<kind>[uifU])(?P<bytes>\d{1,7})', "
    r"'fortran_order': False, 'shape': \((?P<shape>[\d, ]{0,400})\), \} *\n"
)
# All that a damaged archive may make Python's own reader raise.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    TypeError,
    OSError,
    EOFError,
    NotImplementedError,
)


def write_matrices(
    overlay: MatrixField, path: str | Path, *, progress: Progress | None = None
) -> Path:
    """Write the matrices of a network as NPZ, readable with ``numpy.load``.

    Keys: ``layer{l}_{site}_static`` (n, n) and ``layer{l}_{site}_deviation`` (rows, cols, n, n)
    with matrix = static + deviation, row = source, column = target; likewise
    ``layer{l}_{site}_read_...`` and ``..._write_...`` with shapes (n,) and (rows, cols, n);
    ``group_names``;
    ``placement`` (row, col, row_step, col_step); ``about`` (JSON: title, provenance);
    after a training also ``history_...``, see `MatrixHistory.arrays`.

    Raises
    ------
    BadInput
        The file cannot be written.
    """
    place = overlay.placement
    about = {"title": overlay.title, "provenance": json.loads(provenance_json(overlay.provenance))}
    arrays: dict[str, NDArray[Any]] = {
        "group_names": np.array(overlay.group_names),
        "placement": np.array([place.row, place.col, place.row_step, place.col_step]),
        "about": np.array(json.dumps(about, ensure_ascii=False)),
    }
    for entry in overlay.entries:
        key = f"layer{entry.layer}_{_plain(entry.site)}"
        arrays[f"{key}_static"] = entry.static
        arrays[f"{key}_deviation"] = entry.deviation
        for name, kept in entry.weights().items():
            arrays[f"{key}_{name}_static"] = kept.static
            arrays[f"{key}_{name}_deviation"] = kept.deviation
    if overlay.history is not None:
        arrays |= overlay.history.arrays()
    write_arrays(arrays, path, progress=progress)
    return Path(path)


def write_clusters(
    overlay: ClusterField, path: str | Path, *, progress: Progress | None = None
) -> Path:
    """Write what a clustered reader did as NPZ, readable with ``numpy.load``.

    Keys, for block ``b`` from 1: ``block{b}_`` with ``cluster`` (from 1; 0 no data),
    ``certainty``, ``rank`` (0 first to 65535 last of its sequence), ``sequence`` (from 1; 0
    not read), ``score`` and its parts ``attention`` and ``typical``, ``step``, all (rows,
    cols), ``membership`` (rows / n, cols / n, clusters), and ``facts`` (clusters, weight of the
    spatial and of the spectral branch, temperature, part kept, part moved, weight of the
    attention, n); ``tiles``; ``placement``; ``about`` (JSON: title, provenance, training).

    Raises
    ------
    BadInput
        The file cannot be written.
    """
    place = overlay.placement
    about = {"title": overlay.title, "provenance": json.loads(provenance_json(overlay.provenance))}
    about["training"] = {name: list(values) for name, values in overlay.training.items()}
    arrays: dict[str, NDArray[Any]] = {
        "tiles": np.array([overlay.tiles]),
        "placement": np.array([place.row, place.col, place.row_step, place.col_step]),
        "about": np.array(json.dumps(about, ensure_ascii=False)),
    }
    for number, block in enumerate(overlay.blocks, 1):
        for name in CLUSTER_ARRAYS:
            arrays[f"block{number}_{name}"] = getattr(block, name)
        for name in MORE_CLUSTER_ARRAYS:
            if getattr(block, name) is not None:
                arrays[f"block{number}_{name}"] = getattr(block, name)
        shares = (block.kept, block.moved, block.share)
        facts = (block.clusters, *block.fusion, block.temperature, *shares, block.membership_step)
        arrays[f"block{number}_facts"] = np.array(facts, np.float64)
    write_arrays(arrays, path, progress=progress)
    return Path(path)


def write_arrays(
    arrays: Mapping[str, NDArray[Any]], path: str | Path, *, progress: Progress | None = None
) -> None:
    """Write arrays as compressed NPZ, atomically, piece by piece."""
    if progress is not None:
        total = sum(a.nbytes for a in arrays.values())
        progress.start(total / 1e6, "MB", f"Writing {Path(path).name}")
    with replacing(path) as inner, new_archive(inner) as archive:
        for name, array in arrays.items():
            add_array(archive, f"{name}.npy", array, progress=progress)


def new_archive(path: Path, *, compress: bool = True) -> zipfile.ZipFile:
    """Begin an archive of arrays.

    Level 1: our arrays are either very regular or noise, and people wait.
    """
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    return zipfile.ZipFile(path, "w", kind, compresslevel=1)


def add_array(
    archive: zipfile.ZipFile,
    member: str,
    array: NDArray[Any],
    *,
    progress: Progress | None = None,
) -> None:
    """Add an array to an open archive as ``.npy``, piece by piece; counts megabytes."""
    rows = len(array) if array.ndim else 1
    each = max(1, array.nbytes // max(1, rows))
    step = max(1, PIECE_BYTES // each)
    with archive.open(member, "w", force_zip64=True) as stream:
        header = np.lib.format.header_data_from_array_1_0(array)
        header["fortran_order"] = False
        np.lib.format.write_array_header_2_0(stream, header)
        for low in range(0, rows, step):
            part = array[low : low + step] if array.ndim else array
            stream.write(np.ascontiguousarray(part).tobytes())
            if progress is not None:
                progress.advance(part.nbytes / 1e6)


@contextmanager
def open_archive(
    path: Path, *, largest_bytes: int, most_parts: int = 10_000
) -> Iterator[zipfile.ZipFile]:
    """Open an archive that may be hostile and check what it claims before reading any of it.

    Raises
    ------
    BadInput
        It is missing, no archive, or claims more than ``largest_bytes`` or ``most_parts``.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise BadInput(
            f"{path.name} does not exist.", subject=path, way_out="Check the name and the folder."
        ) from error
    except DAMAGE as error:
        raise BadInput(
            f"{path.name} is damaged, or not what its name says.",
            subject=path,
            way_out="Open an older copy of it.",
            details=repr(error),
        ) from error
    with archive:
        parts = archive.infolist()
        names = {part.filename for part in parts}
        if len(parts) > most_parts or len(names) != len(parts):
            raise BadInput(f"{path.name} has an absurd number of parts.", subject=path)
        claimed = sum(part.file_size for part in parts)
        if claimed > largest_bytes:
            raise BadInput(
                f"{path.name} unpacks to {claimed / 1e9:.1f} GB, more than this machine can hold.",
                subject=path,
                way_out="Close other programs, or open it on a larger machine.",
            )
        yield archive


def take_array(
    archive: zipfile.ZipFile,
    member: str,
    *,
    largest_bytes: int,
    kinds: str = _KINDS,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Read an array from an archive that may be hostile.

    Its size is told by the archive, must agree with the array's own header, and is
    checked before memory is taken.

    Raises
    ------
    BadInput
        Missing, damaged, of a forbidden type, or larger than ``largest_bytes``.
    """
    try:
        info = archive.getinfo(member)
    except KeyError as error:
        raise BadInput(f"The part {member} is missing.") from error
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadInput(f"The part {member} is packed in a way Clearband does not read.")
    if info.file_size > largest_bytes:
        raise BadInput(
            f"The part {member} claims {info.file_size / 1e9:.1f} GB, more than fits in memory."
        )
    try:
        with archive.open(info) as stream:
            shape, dtype = _header(stream, info.file_size, member, kinds)
            out = np.empty(math.prod(shape), dtype)
            raw = out.view(np.uint8).data
            at = 0
            while at < len(raw):
                piece = stream.read(min(PIECE_BYTES, len(raw) - at))
                if not piece:
                    raise BadInput(f"The part {member} is cut off.")
                raw[at : at + len(piece)] = piece
                at += len(piece)
                if progress is not None:
                    progress.advance(len(piece) / 1e6)
            # Reading to the end makes the archive check its sum.
            if stream.read(1):
                raise BadInput(f"The part {member} is longer than it says.")
    except DAMAGE as error:
        raise BadInput(f"The part {member} is damaged.", details=repr(error)) from error
    return out.reshape(shape)


def _header(
    stream: Any, size: int, member: str, kinds: str
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of an array and check it against the size of the part.

    numpy's own reader evaluates the header as Python; this one knows the one form that
    numpy writes and nothing else.
    """
    head = stream.read(12)
    if head[:6] != np.lib.format.MAGIC_PREFIX or head[6:8] not in (b"\x01\x00", b"\x02\x00"):
        raise BadInput(f"The part {member} is of an unknown kind.")
    lead = 2 if head[6] == 1 else 4
    length = int.from_bytes(head[8 : 8 + lead], "little")
    if length > 65536:
        raise BadInput(f"The part {member} has an absurd header.")
    text = (head[8 + lead :] + stream.read(max(0, length - 4 + lead))).decode("latin-1")
    found = _HEADER.fullmatch(text)
    if found is None or found["kind"] not in kinds:
        raise BadInput(f"The part {member} holds something other than plain numbers.")
    dtype = np.dtype(found["order"] + found["kind"] + found["bytes"])
    shape = tuple(int(word) for word in found["shape"].replace(",", " ").split())
    if 8 + lead + length + math.prod(shape) * dtype.itemsize != size:
        raise BadInput(f"The part {member} does not have the size it claims.")
    return shape, dtype


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name)
