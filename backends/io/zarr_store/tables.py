"""Wavelengths and places of plain Zarr stores, as xarray and rioxarray write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io.zarr_store.listing import Node, check_array

_NAMES = ("wavelength_nm", "wavelengths_nm", "wavelength", "wavelengths", "center_wavelengths")
_TO_NM = {"nm": 1.0, "nanometer": 1.0, "nanometers": 1.0, "um": 1e3, "µm": 1e3, "micrometer": 1e3}
_TO_NM |= {"micrometers": 1e3, "microns": 1e3}
LONGEST = 1 << 24


def find_wavelengths(
    nodes: Mapping[str, Node], array: Node, root: Path, dimension: str, count: int
) -> tuple[NDArray[np.float64] | None, str]:
    """Return centre wavelengths in nm, shape (bands,), and a note.

    From the attributes of the array or its group, else from the coordinates of its band axis.
    """
    parent = array.path.rpartition("/")[0]
    for owner in (array, nodes.get(parent)):
        if owner is None:
            continue
        for name in _NAMES:
            listed = owner.attributes.get(name)
            if isinstance(listed, list) and len(listed) == count:
                try:
                    values = np.asarray(listed, np.float64)
                except (TypeError, ValueError):
                    continue
                unit = owner.attributes.get("wavelength_units", owner.attributes.get("units", ""))
                return _in_nm(values, "nm" if name.endswith("_nm") else str(unit))
    for name in (dimension, *_NAMES):
        if not name.lower().startswith(("wavelength", "center_wavelength")):
            continue
        node = nodes.get(f"{parent}/{name}".lstrip("/"))
        values_there = find_coordinates(nodes, array, root, name)
        if node is not None and values_there is not None and values_there.size == count:
            return _in_nm(values_there.astype(np.float64), str(node.attributes.get("units", "")))
    return None, ""


def find_coordinates(
    nodes: Mapping[str, Node], array: Node, root: Path, dimension: str
) -> NDArray[Any] | None:
    """Return the one-dimensional array of the same name as an axis, as xarray keeps it."""
    node = nodes.get(f"{array.path.rpartition('/')[0]}/{dimension}".lstrip("/"))
    if node is None or node.shape is None or len(node.shape) != 1 or node.shape[0] > LONGEST:
        return None
    check_array(root, node)
    import zarr
    from zarr.storage import LocalStore, ZipStore

    store: Any = ZipStore(root, mode="r") if root.is_file() else LocalStore(root, read_only=True)
    try:
        return np.asarray(zarr.open_array(store, path=node.path or None, mode="r")[:])
    except (MemoryError, RuntimeError, KeyError, TypeError, ValueError, OSError):
        return None
    finally:
        store.close()


def _in_nm(values: NDArray[np.float64], unit: str) -> tuple[NDArray[np.float64] | None, str]:
    if not np.isfinite(values).any() or np.nanmin(values) <= 0:
        return None, ""
    factor = _TO_NM.get(unit.strip().lower())
    if factor is not None:
        return values * factor, ""
    factor = 1e3 if np.nanmax(values) < 100 else 1.0
    said = "µm" if factor == 1e3 else "nm"
    return values * factor, f"The store names no wavelength unit; taken as {said}."


def find_place(
    nodes: Mapping[str, Node], array: Node, root: Path
) -> tuple[GeoReference | None, str]:
    """Return the place that rioxarray's ``spatial_ref`` or regular coordinates describe."""
    parent = array.path.rpartition("/")[0]
    mapping = str(array.attributes.get("grid_mapping", "spatial_ref"))
    about = nodes.get(f"{parent}/{mapping}".lstrip("/"))
    attributes = about.attributes if about is not None else {}
    crs = attributes.get("crs_wkt") or attributes.get("spatial_ref")
    try:
        if attributes.get("GeoTransform"):
            c, a, b, f, d, e = (float(v) for v in str(attributes["GeoTransform"]).split()[:6])
            return GeoReference((a, b, c, d, e, f), str(crs) if crs else None), ""
        if crs and len(array.dimensions) >= 2:
            return _from_coordinates(nodes, array, root, str(crs)), ""
    except (ValueError, BadInput):
        return None, "The place that the store describes makes no sense; it opens without one."
    return None, ""


def _from_coordinates(
    nodes: Mapping[str, Node], array: Node, root: Path, crs: str
) -> GeoReference | None:
    lines = {name.lower(): name for name in array.dimensions}
    found = []
    for name in ("x", "y"):
        values = find_coordinates(nodes, array, root, lines.get(name, name))
        if values is None or values.size < 2:
            return None
        steps = np.diff(values.astype(np.float64))
        if not np.allclose(steps, steps[0], rtol=1e-3):
            return None
        step = float((values[-1] - values[0]) / (values.size - 1))
        found.append((step, float(values[0]) - step / 2))
    (a, c), (e, f) = found
    return GeoReference((a, 0.0, c, 0.0, e, f), crs)
