"""Overlays as GeoTIFF: place, colour table, names, and where they come from.

Written strip by strip, deflated, in tiles where large; class names go into band
tags inside the file and, for GDAL and QGIS, into a small ``.aux.xml`` beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io.writers.atomic import replacing
from backends.io.writers.placing import overlay_georeference, tie_points
from backends.io.writers.tags import SOFTWARE, provenance_tags
from backends.jobs import Progress
from backends.overlays import ClassMap, ClusterField, ConceptMaps, MatrixField, Overlay, ScoreMap
from backends.palette import class_colors, to_rgb
from backends.scene import Scene

_STRIP_PIXELS = 1 << 20


@dataclass(frozen=True)
class _Plane:
    """One band to write: its name, tags and how to get some of its rows."""

    name: str
    rows: Callable[[int, int], NDArray[Any]]
    tags: Mapping[str, str]


def write_geotiff(
    overlay: Overlay,
    scene: Scene,
    path: str | Path,
    *,
    colors: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write an overlay as GeoTIFF.

    Parameters
    ----------
    overlay : ClassMap, ScoreMap, Heatmap, ConceptMaps, MatrixField or ClusterField
        A class map becomes uint8 (uint16 above 255) with colour table and 0 as nodata;
        everything else float32 with nodata ``nan``, a band a map.
    scene : Scene
        Gives the place. Without one the file has none.
    colors : mapping of int to ``#rrggbb``, optional
        Of classes; default the shared palette.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    BadInput
        This kind of overlay is no raster, or the file cannot be written.
    """
    if isinstance(overlay, ClassMap):
        return _write_classes(overlay, scene, Path(path), colors, progress)
    planes = list(_planes(overlay))
    if not planes:
        raise BadInput(f"{overlay.title} is not made of pixels and cannot be a GeoTIFF.")
    dtype = np.dtype(np.float32)
    with replacing(path) as inner:
        _write(inner, overlay, scene, planes, dtype, float("nan"), progress)
    return Path(path)


def class_values(overlay: ClassMap) -> tuple[np.dtype[Any], int]:
    """Return the smallest type that holds the classes, and the highest value.

    Raises
    ------
    BadInput
        Values below 0 or above 65,535.
    """
    low, high = int(overlay.labels.min()), int(overlay.labels.max())
    high = max([high, *overlay.class_names])
    if min([low, *overlay.class_names]) < 0 or high > 65535:
        raise BadInput(f"{overlay.title}: class numbers must lie between 0 and 65535.")
    return np.dtype(np.uint8 if high <= 255 else np.uint16), high


def _write_classes(
    overlay: ClassMap,
    scene: Scene,
    path: Path,
    colors: Mapping[int, str] | None,
    progress: Progress | None,
) -> Path:
    dtype, high = class_values(overlay)
    palette = class_colors(overlay.class_names, colors)
    tags = {f"CLASS_{value}": name for value, name in overlay.class_names.items()}
    tags |= {f"CLASS_COLOR_{value}": color for value, color in palette.items()}
    plane = _Plane(overlay.title, lambda low, top: overlay.labels[low:top], tags)
    table = {value: (*to_rgb(color), 255) for value, color in palette.items()}
    table[0] = (0, 0, 0, 0)
    with replacing(path) as inner:
        _write(inner, overlay, scene, [plane], dtype, 0, progress, table)
        names = [overlay.class_names.get(value, "") for value in range(high + 1)]
        names[0] = names[0] or "Unclassified"
        _write_category_names(inner, names)
    return path


def _write(
    inner: Path,
    overlay: Overlay,
    scene: Scene,
    planes: list[_Plane],
    dtype: np.dtype[Any],
    nodata: float,
    progress: Progress | None,
    table: Mapping[int, tuple[int, ...]] | None = None,
) -> None:
    import rasterio
    from rasterio.control import GroundControlPoint
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.windows import Window

    # A slide has no place on Earth, and nobody needs to be told.
    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    rows, cols = overlay_shape(overlay)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": rows,
        "width": cols,
        "count": len(planes),
        "dtype": dtype.name,
        "nodata": nodata,
        "compress": "deflate",
        "predictor": 3 if dtype.kind == "f" else 1,
        "zlevel": 6,
        "interleave": "band",
        "BIGTIFF": "IF_SAFER",
    }
    if rows > 512 and cols > 512:
        profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
    place = overlay_georeference(scene, overlay.placement)
    if place is not None:
        profile |= {"transform": rasterio.Affine(*place.affine), "crs": _crs(place.crs)}
    # Whole rows of tiles at a time: each tile is deflated once.
    strip = max(256, _STRIP_PIXELS // cols // 256 * 256)
    if progress is not None:
        progress.start(rows * len(planes), "rows", f"Writing {inner.name}")
    with rasterio.open(inner, "w", **profile) as file:
        if place is None and (points := tie_points(scene, overlay.placement, (rows, cols))):
            file.gcps = (
                [GroundControlPoint(p.row, p.col, p.lon, p.lat) for p in points],
                rasterio.crs.CRS.from_epsg(4326),
            )
        file.update_tags(
            **provenance_tags(overlay),
            **_resolution(scene, overlay),
            TIFFTAG_SOFTWARE=SOFTWARE,
            TIFFTAG_IMAGEDESCRIPTION=overlay.title,
        )
        for number, plane in enumerate(planes, start=1):
            file.set_band_description(number, plane.name)
            file.update_tags(number, **plane.tags)
        if table is not None:
            file.write_colormap(1, dict(table))
        for number, plane in enumerate(planes, start=1):
            for low in range(0, rows, strip):
                top = min(rows, low + strip)
                values = plane.rows(low, top).astype(dtype, copy=False)
                file.write(values, number, window=Window(0, low, cols, top - low))
                if progress is not None:
                    progress.advance(top - low)
    _check_end(inner, len(planes), rows)


def _check_end(inner: Path, count: int, rows: int) -> None:
    """Read the last block back: GDAL says nothing when a disk fills up while it closes a file."""
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(inner) as file:
        file.read(count, window=Window(0, rows - 1, file.width, 1))


def _planes(overlay: Overlay) -> Iterator[_Plane]:
    if isinstance(overlay, ScoreMap):
        tags = {"UNIT": overlay.unit}
        if overlay.centre is not None:
            tags["CENTRE"] = f"{overlay.centre:g}"
        for name in ("target", "trust"):
            if value := getattr(overlay, name, None):
                tags[name.upper()] = str(value)
        values = overlay.values
        yield _Plane(overlay.title, lambda low, top: values[low:top], tags)
    elif isinstance(overlay, ConceptMaps):
        for i, name in enumerate(overlay.names):
            yield _Plane(name, _rows_of(overlay.values[i]), {"CONCEPT": name})
    elif isinstance(overlay, MatrixField):
        names = overlay.group_names
        for entry in overlay.entries:
            for i, source in enumerate(names):
                for j, target in enumerate(names):
                    tags = {
                        "LAYER": str(entry.layer),
                        "SITE": entry.site,
                        "SOURCE": source,
                        "TARGET": target,
                        "STATIC": f"{float(entry.static[i, j]):.9g}",
                    }
                    title = f"layer {entry.layer} {entry.site}: {source} → {target}"
                    part = entry.deviation[:, :, i, j]
                    yield _Plane(title, _rows_of(part, float(entry.static[i, j])), tags)
            for what, kept in entry.weights().items():
                for i, name in enumerate(names):
                    base = float(kept.static[i])
                    tags = {"LAYER": str(entry.layer), "SITE": entry.site, "STREAM": name}
                    title = f"layer {entry.layer} {entry.site}: {what} {name}"
                    tags["STATIC"] = f"{base:.9g}"
                    yield _Plane(title, _rows_of(kept.deviation[:, :, i], base), tags)
    elif isinstance(overlay, ClusterField):
        for number, block in enumerate(overlay.blocks, 1):
            parts = [n for n in ("attention", "typical") if getattr(block, n) is not None]
            for name in ("cluster", "certainty", "rank", "sequence", "score", "step", *parts):
                tags = {"BLOCK": str(number), "MAP": name}
                yield _Plane(f"block {number}: {name}", _rows_of(getattr(block, name)), tags)


def _rows_of(values: NDArray[Any], plus: float = 0.0) -> Callable[[int, int], NDArray[Any]]:
    def rows(low: int, top: int) -> NDArray[Any]:
        part = values[low:top].astype(np.float32)
        return part + np.float32(plus) if plus else part

    return rows


def overlay_shape(overlay: Overlay) -> tuple[int, int]:
    """Return rows and columns of an overlay made of pixels."""
    if isinstance(overlay, ClassMap):
        rows, cols = overlay.labels.shape
    elif isinstance(overlay, (MatrixField, ClusterField)):
        rows, cols = overlay.shape
    else:
        rows, cols = overlay.values.shape[-2:]  # type: ignore[attr-defined]
    return int(rows), int(cols)


def _crs(crs: str | None) -> Any:
    """Return the coordinate system for GDAL; one it does not know is left out."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        return None if crs is None else CRS.from_user_input(crs)
    except (CRSError, ValueError):
        return None


def _resolution(scene: Scene, overlay: Overlay) -> dict[str, str]:
    """Return pixels per centimetre for slides and the like, which have no map."""
    size, unit = scene.info.pixel_size, scene.info.pixel_unit
    centimetres = {"µm": 1e-4, "mm": 0.1}.get(unit)
    if scene.place is not None or not size or centimetres is None or 0 in size:
        return {}
    height = abs(size[0]) * overlay.placement.row_step * centimetres
    width = abs(size[1]) * overlay.placement.col_step * centimetres
    return {
        "TIFFTAG_XRESOLUTION": f"{1 / width:.6f}",
        "TIFFTAG_YRESOLUTION": f"{1 / height:.6f}",
        "TIFFTAG_RESOLUTIONUNIT": "3 (pixels/cm)",
    }


def _write_category_names(inner: Path, names: list[str]) -> None:
    listed = "\n".join(
        f"      <Category>{escape(_printable(name), quote=False)}</Category>" for name in names
    )
    text = (
        "<PAMDataset>\n"
        '  <PAMRasterBand band="1">\n'
        f"    <CategoryNames>\n{listed}\n    </CategoryNames>\n"
        "  </PAMRasterBand>\n"
        "</PAMDataset>\n"
    )
    inner.with_name(inner.name + ".aux.xml").write_text(text, encoding="utf-8")


def _printable(name: str) -> str:
    """Leave out what XML cannot carry."""
    return "".join(c for c in name if c.isprintable())
