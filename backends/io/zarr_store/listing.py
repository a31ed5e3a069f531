"""What lies in a Zarr store, from its JSON alone, and whether it is safe to read.

Nothing is handed to the library before its types, codecs and chunk sizes were looked at:
a codec may run code (pickle) and a chunk may claim any size.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from backends.errors import BadInput
from backends.io.shaping import check_size

LARGEST_JSON = 16 << 20
LARGEST_CHUNK = 1 << 30
MOST_NODES = 10_000
MOST_DEPTH = 8
_NAMES = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
# Codecs that only pack numbers; the prefix "numcodecs." is taken off first.
_CODECS = frozenset(
    [
        *("blosc", "zlib", "gzip", "zstd", "lz4", "lzma", "bz2"),
        *("delta", "fixedscaleoffset", "shuffle", "bitround", "quantize", "packbits", "astype"),
        *("crc32c", "crc32", "adler32", "fletcher32", "jenkins_lookup3"),
        *("bytes", "endian", "transpose", "sharding_indexed"),
    ]
)
_V3_TYPES = {
    "bool": "?",
    **{f"{k}{n}": f"{k[0]}{n // 8}" for k in ("int", "uint") for n in (8, 16, 32, 64)},
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
}


@dataclass(frozen=True)
class Node:
    """An array or a group of a store.

    Attributes
    ----------
    path : str
        From the root, empty for the root itself.
    shape, chunks : tuple of int, or None for a group
    codecs : tuple of str
        Names, lower case.
    """

    path: str
    version: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    chunks: tuple[int, ...] = ()
    dtype: str = ""
    codecs: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    fill: Any = None

    @property
    def is_array(self) -> bool:
        """Whether it holds numbers."""
        return self.shape is not None


def root_of(path: Path) -> Path:
    """Return the store that a path means: itself, or the folder of one of its JSON files."""
    return path.parent if path.name in _NAMES else path


def list_store(path: Path) -> dict[str, Node]:
    """Return the groups and arrays of a store by path.

    Raises
    ------
    BadInput
        Its JSON is broken, too long, or there is too much of it.
    """
    nodes: dict[str, Node] = {}
    texts = _in_zip(path) if path.is_file() else _in_folder(path)
    found: dict[str, dict[str, Any]] = {}
    for name, text in texts:
        where = str(PurePosixPath(name).parent)
        where = "" if where == "." else where
        try:
            read = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(
                f"{name} in {path.name} is no JSON.",
                subject=path,
                way_out="The store is damaged; copy it anew.",
            ) from error
        if not isinstance(read, dict):
            raise BadInput(f"{name} in {path.name} describes nothing.", subject=path)
        found.setdefault(where, {})[PurePosixPath(name).name] = read
    for where, files in sorted(found.items()):
        node = _node(where, files)
        if node is not None:
            nodes[where] = node
    return nodes


def check_array(path: Path, node: Node) -> np.dtype[Any]:
    """Return the type of an array after making sure that it can be read safely.

    Raises
    ------
    BadInput
        It holds Python objects or text, a codec is not known to be harmless, or its
        sizes cannot be.
    """
    name = node.path or path.name
    if "pickle" in node.codecs or node.dtype in ("|O", "O", "object"):
        raise BadInput(
            f"{name} in {path.name} holds Python objects, which are not opened because they "
            "can run code.",
            subject=path,
            way_out="Save plain numbers instead.",
        )
    unknown = sorted(set(node.codecs) - _CODECS)
    if unknown:
        raise BadInput(
            f"{name} in {path.name} is packed with '{unknown[0][:40]}', which is not supported.",
            subject=path,
            way_out="Save it with zstd, blosc or gzip.",
        )
    try:
        dtype = np.dtype(_V3_TYPES.get(node.dtype, node.dtype) if node.version == 3 else node.dtype)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"{name} in {path.name} has the type '{node.dtype[:40]}', which is no number.",
            subject=path,
        ) from error
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise BadInput(f"{name} in {path.name} holds no numbers.", subject=path)
    shape = node.shape or ()
    check_size(path, shape, dtype.itemsize)
    chunk = math.prod(node.chunks) * dtype.itemsize
    if (
        len(node.chunks) != len(shape)
        or any(n <= 0 for n in (*node.chunks, *shape))
        or chunk > LARGEST_CHUNK
    ):
        raise BadInput(
            f"{name} in {path.name} says its pieces are {node.chunks} of {shape}, "
            "which cannot be read.",
            subject=path,
            way_out="Save it in pieces of a few megabytes.",
        )
    return dtype


def _node(where: str, files: Mapping[str, Any]) -> Node | None:
    try:
        if "zarr.json" in files:
            return _v3(where, files["zarr.json"])
        attributes = files.get(".zattrs", {})
        if ".zarray" not in files:
            return Node(where, 2, attributes) if ".zgroup" in files else None
        about = files[".zarray"]
        filters = [about.get("compressor"), *(about.get("filters") or [])]
        dims = attributes.get("_ARRAY_DIMENSIONS") or ()
        return Node(
            where,
            2,
            attributes,
            tuple(int(n) for n in about["shape"]),
            tuple(int(n) for n in about["chunks"]),
            str(about["dtype"]),
            tuple(str(f["id"]).lower() for f in filters if f),
            tuple(str(d) for d in dims),
            about.get("fill_value"),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadInput(
            f"The description of {where or 'the store'} is incomplete.",
            way_out="The store is damaged; copy it anew.",
            details=repr(error),
        ) from error


def _v3(where: str, about: Mapping[str, Any]) -> Node:
    attributes = about.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise TypeError("attributes")
    if about["node_type"] != "array":
        return Node(where, 3, attributes)
    chunks = about["chunk_grid"]["configuration"]["chunk_shape"]
    codecs, inner = _codecs(about["codecs"])
    dims = about.get("dimension_names") or ()
    return Node(
        where,
        3,
        attributes,
        tuple(int(n) for n in about["shape"]),
        tuple(int(n) for n in inner or chunks),
        str(about["data_type"]),
        codecs,
        tuple(str(d or "") for d in dims),
        about.get("fill_value"),
    )


def _codecs(listed: Any, depth: int = 0) -> tuple[tuple[str, ...], list[int] | None]:
    """Return the names of codecs, those within shards too, and the shape within a shard."""
    names: list[str] = []
    inner: list[int] | None = None
    for codec in listed:
        name = str(codec["name"]).lower().removeprefix("numcodecs.")
        names.append(name)
        if name == "sharding_indexed":
            if depth > 2:
                raise ValueError("shards within shards")
            about = codec["configuration"]
            inner = about["chunk_shape"]
            for key in ("codecs", "index_codecs"):
                more, deeper = _codecs(about.get(key) or (), depth + 1)
                names += more
                inner = deeper or inner
    return tuple(names), inner


def _in_folder(path: Path) -> Iterator[tuple[str, str]]:
    count = 0
    for folder, folders, files in os.walk(path, followlinks=False):
        here = Path(folder)
        depth = len(here.relative_to(path).parts)
        read: dict[str, str] = {}
        for name in _NAMES:
            if name in files:
                file = here / name
                if file.stat().st_size > LARGEST_JSON:
                    raise BadInput(f"{name} in {path.name} is too long.", subject=path)
                read[name] = file.read_text("utf-8", errors="replace")
                count += 1
        if count > MOST_NODES:
            raise BadInput(
                f"{path.name} holds more than {MOST_NODES:,} arrays.",
                subject=path,
                way_out="Open one of its inner folders.",
            )
        for name, text in read.items():
            yield (here / name).relative_to(path).as_posix(), text
        is_array = ".zarray" in read or '"array"' in read.get("zarr.json", "")
        # Below an array lie only its pieces, perhaps millions.
        folders[:] = [] if is_array or depth >= MOST_DEPTH else sorted(folders)


def _in_zip(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [i for i in archive.infolist() if PurePosixPath(i.filename).name in _NAMES]
            if len(wanted) > MOST_NODES or any(i.file_size > LARGEST_JSON for i in wanted):
                raise BadInput(f"{path.name} describes more than any real store.", subject=path)
            for item in wanted:
                yield item.filename, archive.read(item).decode("utf-8", errors="replace")
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise BadInput(
            f"{path.name} is damaged or incomplete.", subject=path, way_out="Copy it anew."
        ) from error
