"""Class maps as ENVI Classification: a flat file of class numbers and a text header."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io.envi_header import georeference, map_info, write_header
from backends.io.writers.atomic import replacing
from backends.io.writers.geotiff import class_values
from backends.io.writers.placing import overlay_georeference
from backends.io.writers.tags import provenance_lines
from backends.jobs import Progress
from backends.overlays import ClassMap
from backends.palette import class_colors, to_rgb
from backends.scene import Scene

_STRIP_PIXELS = 1 << 22


def write_envi_classification(
    overlay: ClassMap,
    scene: Scene,
    path: str | Path,
    *,
    colors: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a class map as ENVI Classification.

    Parameters
    ----------
    overlay : ClassMap
    scene : Scene
        Gives the place.
    path : str or Path
        The data file, or the header that will lie beside it.
    colors : mapping of int to ``#rrggbb``, optional

    Returns
    -------
    Path
        The data file.

    Raises
    ------
    BadInput
        The format cannot say where the scene lies, or the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() in ("", ".hdr"):
        target = target.with_suffix(".dat")
    dtype, high = class_values(overlay)
    rows, cols = overlay.labels.shape
    palette = class_colors(overlay.class_names, colors)
    names = [overlay.class_names.get(v, f"Class {v} (not used)") for v in range(high + 1)]
    names[0] = overlay.class_names.get(0, "Unclassified")
    rgb = [to_rgb(palette.get(v, "#000000")) for v in range(high + 1)]
    entries: dict[str, Any] = {
        "description": overlay.title,
        "samples": cols,
        "lines": rows,
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Classification",
        "data type": 1 if dtype.itemsize == 1 else 12,
        "interleave": "bsq",
        "byte order": 0,
        "classes": high + 1,
        "class names": names,
        "class lookup": [channel for color in rgb for channel in color],
        "band names": [overlay.title],
        **place_entries(overlay_georeference(scene, overlay.placement), target),
        # Braces end a list in this format, so no JSON here.
        "clearband provenance": [f"{k}: {v}" for k, v in provenance_lines(overlay.provenance)],
    }
    if progress is not None:
        progress.start(rows, "rows", f"Writing {target.name}")
    with replacing(target) as inner:
        step = max(1, _STRIP_PIXELS // cols)
        with inner.open("wb") as stream:
            for low in range(0, rows, step):
                part = overlay.labels[low : low + step].astype(dtype.newbyteorder("<"))
                stream.write(part.tobytes())
                if progress is not None:
                    progress.advance(part.shape[0])
        inner.with_suffix(".hdr").write_text(write_header(entries), encoding="utf-8")
    return target


def place_entries(place: GeoReference | None, target: Path) -> dict[str, Any]:
    """Return the header's words for a place, having checked that they mean the same."""
    if place is None:
        return {}
    info = map_info(place)
    entries: dict[str, Any] = {"map info": info}
    told = georeference({"map info": ", ".join(info)})
    scale = math.hypot(*place.affine[:2])
    same = told is not None and all(
        abs(a - b) <= 1e-6 * (scale + abs(a))
        for a, b in zip(told.affine, place.affine, strict=True)
    )
    if not same:
        raise BadInput(
            "ENVI cannot say where a mirrored or sheared image lies.",
            subject=target,
            way_out="Export it as GeoTIFF.",
        )
    if place.crs is not None:
        entries["coordinate system string"] = _esri_wkt(place.crs)
    return entries


def _esri_wkt(crs: str) -> str | None:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return str(CRS.from_user_input(crs).to_wkt("WKT1_ESRI"))
    except CRSError:
        return None
