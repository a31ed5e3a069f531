"""OME-Zarr 0.4 and 0.5: which groups are images, their pyramids, axes, sizes, channels.

Source: the OME-NGFF specification, sections "multiscales" and "omero".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.io.zarr_store.listing import Node

_MICROMETRES = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}


@dataclass(frozen=True)
class Image:
    """A pyramid, or a single array.

    Attributes
    ----------
    key : str
        Path of its group or array.
    levels : tuple of str
        Paths of the arrays, full size first.
    dimensions : tuple of str
        Names of the axes, empty when unknown.
    pixel_size_um : (height, width) or None
        Of the full-size level, in µm.
    channels : tuple of str
    """

    key: str
    levels: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    pixel_size_um: tuple[float, float] | None = None
    channels: tuple[str, ...] = ()


def find_images(nodes: Mapping[str, Node]) -> dict[str, Image]:
    """Return the images that the groups of a store describe; damaged ones are left out."""
    found = {}
    for key, node in nodes.items():
        if node.is_array or "labels" in key.split("/"):
            continue
        about = node.attributes.get("ome", node.attributes)
        try:
            image = _image(key, about, nodes)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            image = None
        if image is not None:
            found[key] = image
    return found


def _image(key: str, about: Mapping[str, Any], nodes: Mapping[str, Node]) -> Image | None:
    scales = about.get("multiscales")
    if not scales:
        return None
    first = scales[0]
    axes = [a if isinstance(a, dict) else {"name": a} for a in first.get("axes", "tczyx")]
    names = tuple(str(a["name"]) for a in axes)
    levels = tuple(
        path
        for entry in first["datasets"]
        if (path := f"{key}/{entry['path']}".lstrip("/")) in nodes and nodes[path].is_array
    )
    if not levels:
        return None
    scale = _scale(first["datasets"][0].get("coordinateTransformations"), len(names))
    whole = _scale(first.get("coordinateTransformations"), len(names))
    size = _size(axes, [a * b for a, b in zip(scale, whole, strict=True)])
    channels = tuple(
        str(c.get("label") or f"Channel {i + 1}")[:80]
        for i, c in enumerate((about.get("omero") or {}).get("channels") or [])
    )
    return Image(key, levels, names, size, channels)


def _scale(listed: Any, count: int) -> list[float]:
    for entry in listed or []:
        if entry.get("type") == "scale" and len(entry.get("scale", ())) == count:
            return [float(v) for v in entry["scale"]]
    return [1.0] * count


def _size(axes: list[dict[str, Any]], scale: list[float]) -> tuple[float, float] | None:
    sizes = {}
    for axis, step in zip(axes, scale, strict=True):
        factor = _MICROMETRES.get(str(axis.get("unit", "")).lower())
        if factor is not None and math.isfinite(step) and step > 0:
            sizes[str(axis["name"]).lower()] = step * factor
    return (sizes["y"], sizes["x"]) if "y" in sizes and "x" in sizes else None
