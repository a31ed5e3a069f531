"""ERDAS 7.x LAN images and GIS labels: a 128-byte header, then lines band by band."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.bands import BandTable
from backends.errors import BadInput
from backends.io.envi import kind_of
from backends.io.raw_pixels import RawPixels
from backends.io.shaping import check_size, load_wavelengths
from backends.scene import Scene, SceneInfo, Window

ID = "erdas"
TITLE = "ERDAS LAN and GIS"

_MAGIC = (b"HEAD74", b"HEADER")


def sniff(path: Path, head: bytes) -> float:
    """By the first six letters."""
    return 0.95 if head[:6] in _MAGIC and len(head) >= 128 else 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open a LAN image or GIS labels. Options: ``wavelengths`` (a text or .spc file)."""
    with path.open("rb") as stream:
        head = stream.read(128)
    order, (pack, count), (cols, rows) = _layout(head)
    types = {0: "u1", 2: "i2"}
    if pack not in types or count <= 0 or rows <= 0 or cols <= 0:
        raise BadInput(
            f"The header of {path.name} makes no sense.",
            subject=path,
            way_out="Only 8- and 16-bit ERDAS 7.x files are read.",
        )
    dtype = np.dtype(order + types[pack])
    shape = (rows, cols, count)
    check_size(path, shape, dtype.itemsize)
    if path.stat().st_size < 128 + math.prod(shape) * dtype.itemsize:
        raise BadInput(
            f"{path.name} is shorter than its header says.",
            subject=path,
            way_out="The file is cut off; copy it anew.",
        )
    table = BandTable.build(count)
    if options.get("wavelengths"):
        table, _ = load_wavelengths(str(options["wavelengths"]), count)
    source = RawPixels(path, shape, dtype, "bil", 128)
    names: dict[int, str] = {}
    is_labels = path.suffix.lower() == ".gis" and count == 1
    if is_labels:
        values = np.unique(source.read(Window(0, 0, rows, cols), [0], 0))
        names = {int(v): f"Class {v}" for v in values if v > 0}
    info = SceneInfo(
        path=path,
        files=(path,),
        kind="labels" if is_labels else kind_of(count, table.has_wavelengths),
        reader=ID,
        options=dict(options),
        bands=table,
        class_names=names,
    )
    return Scene(source, info)


def _layout(head: bytes) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """Return byte order, (packing, bands) and (columns, rows); sizes are floats in old files."""
    kind = "f" if head[:6] == b"HEADER" else "i"
    for order in ("<", ">"):
        pack, count = struct.unpack(order + "hh", head[6:10])
        cols, rows = struct.unpack(order + 2 * kind, head[16:24])
        if (
            0 <= pack <= 2
            and 0 < count < 10_000
            and math.isfinite(cols)
            and math.isfinite(rows)
            and 0 < cols < 1 << 24
            and 0 < rows < 1 << 24
        ):
            return order, (pack, count), (int(cols), int(rows))
    return "<", (-1, 0), (0, 0)
