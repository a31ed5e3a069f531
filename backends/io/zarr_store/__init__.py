"""Zarr 2 and 3 and OME-Zarr 0.4 and 0.5: folders and zip files of chunked arrays."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.bands import BandTable
from backends.errors import BadInput, NeedsChoice
from backends.io.envi import kind_of
from backends.io.shaping import band_axis, choose_key, other_ways
from backends.io.zarr_store.listing import Node, check_array, list_store, root_of
from backends.io.zarr_store.ome import Image, find_images
from backends.io.zarr_store.pixels import ZarrPixels
from backends.io.zarr_store.tables import find_place, find_wavelengths
from backends.scene import Scene, SceneInfo

ID = "zarr"
TITLE = "Zarr and OME-Zarr"

_ROWS = frozenset(["y", "row", "rows", "line", "lines", "lat", "latitude", "northing"])
_COLS = frozenset(
    ["x", "col", "cols", "column", "columns", "sample", "samples", "lon", "longitude", "easting"]
)
_BANDS = frozenset(
    ["band", "bands", "wavelength", "wavelengths", "c", "channel", "channels", "spectral"]
)
_JSON = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


def sniff(path: Path, head: bytes) -> float:
    """By the JSON files at the root of a folder or a zip file."""
    try:
        if path.is_dir():
            return 0.95 if any((path / name).is_file() for name in _JSON) else 0.0
        if path.name in _JSON:
            return 0.95
        if head.startswith(b"PK\x03\x04") and path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                return 0.95 if set(_JSON) & set(archive.namelist()) else 0.0
    except (OSError, ValueError, zipfile.BadZipFile):
        return 0.0
    return 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open an array or a pyramid.

    Options: ``key`` (path of an array or an image in the store), ``bands`` (``first`` or
    ``last``), ``time`` and ``z`` (numbers from 1).
    """
    root = root_of(path)
    nodes = list_store(root)
    images = find_images(nodes)
    wanted = options.get("key")
    image = _choose(root, nodes, images, wanted)
    arrays = [nodes[level] for level in image.levels]
    for node in arrays:
        check_array(root, node)
    notes: list[str] = []
    shape = arrays[0].shape or ()
    row, col, band, others = _axes(root, image.dimensions, shape, options, notes)
    fixed, facts = _fix(root, image, shape, others, options)
    levels = _sound_levels(arrays, row, col, len(shape), notes)
    source = ZarrPixels(root, levels, (row, col, band), fixed)
    try:
        count = source.shape[2]
        table = _bands(nodes, root, image, band, count, notes)
        place, place_note = find_place(nodes, arrays[0], root)
        notes += [place_note] if place_note else []
        size = image.pixel_size_um
        fill = arrays[0].fill
        nodata = arrays[0].attributes.get("_FillValue", arrays[0].attributes.get("nodata"))
        info = SceneInfo(
            path=root,
            files=_files(root, image.levels[0]),
            kind=kind_of(count, table.has_wavelengths),
            reader=ID,
            options=dict(options) | ({"key": image.key} if len(nodes) > 1 and image.key else {}),
            title=root.name if not image.key else f"{root.name}: {image.key}",
            bands=table,
            place=place,
            pixel_size=size or (None if place is None else place.pixel_size_m(0, 0)),
            pixel_unit="µm" if size else ("m" if place is not None else ""),
            nodata=_number(nodata if nodata is not None else fill if _is_nan(fill) else None),
            unit=str(arrays[0].attributes.get("units", ""))[:40],
            is_rgb=count == 3 and source.dtype == np.uint8 and not table.has_wavelengths,
            facts=facts,
            notes=tuple(notes),
            other_ways=other_ways(notes),
        )
        return Scene(source, info)
    except BaseException:
        source.close()
        raise


def _choose(
    root: Path, nodes: Mapping[str, Node], images: Mapping[str, Image], wanted: Any
) -> Image:
    """Return what to show: a pyramid where the store describes one, else an array."""
    if wanted is not None and str(wanted) in images:
        return images[str(wanted)]
    if wanted is None and len(images) == 1:
        return next(iter(images.values()))
    if wanted is None and images:
        raise NeedsChoice(
            f"{root.name} holds several images.",
            option="key",
            choices=tuple(images),
            subject=root,
        )
    shapes = {key: node.shape for key, node in nodes.items() if node.shape is not None}
    if set(shapes) == {""}:
        key = ""
    else:
        drawn = {k: s for k, s in shapes.items() if len(s) > 1}
        key = choose_key(root, shapes if wanted is not None else drawn, wanted)
    return Image(key, (key,), nodes[key].dimensions)


def _axes(
    root: Path,
    names: Sequence[str],
    shape: Sequence[int],
    options: Mapping[str, Any],
    notes: list[str],
) -> tuple[int, int, int | None, list[int]]:
    """Return the axes of rows, columns and bands, and those that one value is taken of."""
    if len(shape) < 2 or len(shape) > 6:
        raise BadInput(
            f"{root.name} has {len(shape)} axes; an image has rows, columns and bands.",
            subject=root,
        )
    lower = [name.lower() for name in names]
    if len(lower) == len(shape):
        row = next((i for i, name in enumerate(lower) if name in _ROWS), None)
        col = next((i for i, name in enumerate(lower) if name in _COLS), None)
        if row is not None and col is not None:
            band = next((i for i, name in enumerate(lower) if name in _BANDS), None)
            rest = [i for i in range(len(shape)) if i not in (row, col, band)]
            if band is None or (shape[band] == 1 and any(shape[i] > 1 for i in rest)):
                deep = [i for i in rest if shape[i] > 1]
                if len(deep) == 1 and lower[deep[0]] not in ("t", "time"):
                    band = deep[0]  # slices stand in for bands
            rest = [i for i in range(len(shape)) if i not in (row, col, band)]
            return row, col, band, rest
    long = [i for i, n in enumerate(shape) if n > 1]
    if len(shape) == 2:
        return 0, 1, None, []
    axes = list(range(3)) if len(shape) == 3 else long
    if len(axes) not in (2, 3):
        raise BadInput(
            f"The axes of {root.name} have no names, and {len(long)} of them are longer than one.",
            subject=root,
            way_out="Save it with dimension names, or as rows, columns and bands.",
        )
    rest = [i for i in range(len(shape)) if i not in axes]
    if len(axes) == 2:
        return axes[0], axes[1], None, rest
    at, note = band_axis([shape[i] for i in axes], options.get("bands"))
    notes += [note] if note else []
    others = [i for i in axes if i != axes[at]]
    return others[0], others[1], axes[at], rest


def _fix(
    root: Path,
    image: Image,
    shape: Sequence[int],
    others: Sequence[int],
    options: Mapping[str, Any],
) -> tuple[dict[int, int], dict[str, str]]:
    """Choose one value along the axes that are not shown: the first time, the middle depth."""
    fixed: dict[int, int] = {}
    facts: dict[str, str] = {}
    for axis in others:
        name = image.dimensions[axis].lower() if axis < len(image.dimensions) else ""
        option = {"t": "time", "time": "time", "z": "z", "depth": "z"}.get(name, name)
        count = shape[axis]
        chosen = count // 2 if option == "z" else 0
        if option and options.get(option) is not None:
            try:
                chosen = int(options[option]) - 1
            except (TypeError, ValueError):
                chosen = -1
            if not 0 <= chosen < count:
                raise BadInput(
                    f"{root.name} has no {option} {options[option]}.",
                    subject=root,
                    way_out=f"It has 1 to {count}.",
                )
        fixed[axis] = chosen
        if count > 1:
            facts[f"Axis {name or axis}"] = f"{chosen + 1} of {count}"
    return fixed, facts


def _sound_levels(
    arrays: Sequence[Node], row: int, col: int, axes: int, notes: list[str]
) -> list[str]:
    """Return the levels that grow smaller and have the axes of the first."""
    kept = [arrays[0]]
    for node in arrays[1:]:
        shape, last = node.shape or (), kept[-1].shape or ()
        fits = len(shape) == axes and node.dtype == kept[0].dtype
        if fits and shape[row] <= last[row] and shape[col] <= last[col] and shape != last:
            kept.append(node)
        else:
            notes.append(f"Level {node.path} does not fit the others and is left out.")
    return [node.path for node in kept]


def _bands(
    nodes: Mapping[str, Node],
    root: Path,
    image: Image,
    band: int | None,
    count: int,
    notes: list[str],
) -> BandTable:
    if band is None:
        return BandTable.build(count)
    name = image.dimensions[band] if band < len(image.dimensions) else ""
    nm, note = find_wavelengths(nodes, nodes[image.levels[0]], root, name, count)
    notes += [note] if note else []
    if nm is not None:
        return BandTable.build(count, wavelength_nm=nm)
    names = image.channels if len(image.channels) == count else None
    axis = {"z": "slice", "depth": "slice", "t": "time", "time": "time"}.get(name.lower())
    return BandTable.build(count, names=names, axis=axis)


def _files(root: Path, level: str) -> tuple[Path, ...]:
    """Return the files by which a change is noticed: the JSON of the array, or the zip."""
    if root.is_file():
        return (root,)
    folder = root / level if level else root
    return tuple(p for name in _JSON if (p := folder / name).is_file())


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found


def _is_nan(value: Any) -> bool:
    found = _number(value)
    return found is not None and math.isnan(found)
