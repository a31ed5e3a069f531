"""EnMAP (L1B, L1C, L2A) and DESIS (L1B, L1C, L2A) of DLR: a GeoTIFF beside a METADATA.XML.

Either file or their folder opens the scene: pixels and place from the TIFF, wavelengths,
widths, scale and background from the XML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io import raster
from backends.io.envi import kind_of
from backends.io.products.dlr_metadata import Metadata, read_metadata
from backends.io.products.view import BandView, by_wavelength, check_scaling, scaling, take
from backends.scene import Scene

ID = "dlr"
TITLE = "EnMAP and DESIS"

_METADATA = re.compile(r"(?P<stem>(ENMAP|DESIS)\w*-.+)-METADATA\.XML", re.IGNORECASE)
_IMAGE = re.compile(
    r"(?P<stem>(ENMAP|DESIS)\w*-.+)-SPECTRAL_IMAGE(?P<part>_VNIR|_SWIR|_COG)?\.TIFF?", re.IGNORECASE
)
_LEVEL = re.compile(r"(?<![A-Z0-9])L(1B|1C|2A)(?![A-Z0-9])", re.IGNORECASE)
_RADIANCE = {"ENMAP": "W m⁻² sr⁻¹ nm⁻¹", "DESIS": "mW cm⁻² sr⁻¹ µm⁻¹"}


def sniff(path: Path, head: bytes) -> float:
    """By the names of the files: the image counts only where its metadata lie beside it."""
    try:
        if path.is_dir():
            return 0.95 if any(_METADATA.fullmatch(p.name) for p in path.iterdir()) else 0.0
        if _METADATA.fullmatch(path.name):
            return 0.95 if head else 0.0
        return 0.95 if _IMAGE.fullmatch(path.name) and _beside(path, _METADATA) else 0.0
    except OSError:
        return 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open a product by its folder, its metadata or its image."""
    image, xml = _find(path)
    metadata = read_metadata(xml)
    base = raster.open(image, {})
    try:
        return _scene(path, image, xml, base, metadata, options)
    except BaseException:
        base.close()
        raise


def _beside(path: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Return the files of the same product in the same folder, by name."""
    own = _METADATA.fullmatch(path.name) or _IMAGE.fullmatch(path.name)
    stem = own.group("stem").lower() if own else ""
    found = [(p, pattern.fullmatch(p.name)) for p in path.parent.iterdir()]
    return sorted(p for p, m in found if m and m.group("stem").lower() == stem)


def _find(path: Path) -> tuple[Path, Path]:
    """Return the image and the metadata of the product that a file or folder belongs to."""
    if path.is_dir():
        listed = sorted(p for p in path.iterdir() if _METADATA.fullmatch(p.name))
        if len(listed) != 1:
            raise BadInput(
                f"The folder {path.name} holds {len(listed)} products.",
                subject=path,
                way_out="Open the METADATA.XML of one of them.",
            )
        path = listed[0]
    if _IMAGE.fullmatch(path.name):
        found = _beside(path, _METADATA)
        if not found:
            raise BadInput(f"{path.name} has no METADATA.XML beside it.", subject=path)
        return path, found[0]
    images = _beside(path, _IMAGE)
    stem = path.name[: -len("-METADATA.XML")]
    if not images:
        raise BadInput(
            f"The image that belongs to {path.name} is missing.",
            subject=path,
            way_out=f"Put {stem}-SPECTRAL_IMAGE.TIF into the same folder.",
        )
    if len(images) > 1:
        names = " or ".join(image.name[len(stem) + 1 :] for image in images)
        raise BadInput(
            f"{path.name} describes {len(images)} images that do not lie pixel on pixel.",
            subject=path,
            way_out=f"Open one of them: {names}.",
        )
    return images[0], path


def _scene(
    path: Path,
    image: Path,
    xml: Path,
    base: Scene,
    metadata: Metadata,
    options: Mapping[str, Any],
) -> Scene:
    rows = _rows(image, xml, base.shape[2], metadata)
    nm, notes = metadata.nm[rows], []
    order = by_wavelength(nm)
    if order != list(range(len(order))):
        notes.append("The bands are sorted by wavelength; the file has them in another order.")
    notes += _overlap(metadata, len(rows))
    gains, offsets = metadata.gains[rows][order], metadata.offsets[rows][order]
    offsets = np.where(np.isfinite(offsets), offsets, 0.0)
    known = check_scaling(gains, offsets)
    if not known:
        gains, offsets = np.ones_like(gains), np.zeros_like(offsets)
        notes.append("The metadata do not say how values are scaled; they are shown as stored.")
    shared = scaling(gains, offsets)
    if shared is None:
        notes.append("Each band has its own scale; values are read in physical units.")
    nodata = base.info.nodata if metadata.background is None else metadata.background
    view = BandView(
        path,
        (base.source,),
        [(0, band) for band in order],
        gains=None if shared else gains,
        offsets=None if shared else offsets,
        nodata=nodata,
        tile=(_block_rows(base), base.shape[2]),
    )
    if base.place is None:
        notes.append("The product is not mapped; it opens without a place.")
    own = _METADATA.fullmatch(xml.name)
    sensor = own.group(2).upper() if own else ""
    level = _LEVEL.search(xml.name)
    title = {"ENMAP": "EnMAP", "DESIS": "DESIS"}.get(sensor, sensor)
    facts = {"Product": f"{title} {level.group(0).upper()}" if level else title}
    if metadata.acquired:
        facts["Acquired"] = metadata.acquired
    is_reflectance = level is not None and level.group(1).upper() == "2A"
    unit = "reflectance" if is_reflectance else _RADIANCE.get(sensor, "")
    info = replace(
        base.info,
        path=path,
        files=(image, xml),
        kind=kind_of(len(order), True),
        reader=ID,
        options=dict(options),
        title=path.name if path.is_dir() else image.name,
        bands=take(order, nm, _widths(metadata, rows), _good(metadata, rows)),
        nodata=nodata if shared else None,
        gain=shared[0] if shared else 1.0,
        offset=shared[1] if shared else 0.0,
        unit=unit if known and level else "",
        is_rgb=False,
        class_names={},
        class_colors={},
        facts=facts,
        notes=(*base.info.notes, *notes),
    )
    return Scene(view, info)


def _rows(image: Path, xml: Path, count: int, metadata: Metadata) -> NDArray[np.intp]:
    """Return the rows of the metadata's band table that belong to the image's bands."""
    listed = metadata.nm.size
    named = _IMAGE.fullmatch(image.name)
    part = (named.group("part") or "").strip("_").lower() if named else ""
    if part in metadata.channels and len(metadata.channels[part]) == count:
        return np.asarray(metadata.channels[part], np.intp) - 1
    if listed == count:
        return np.arange(count)
    raise BadInput(
        f"{image.name} holds {count} bands, but {xml.name} describes {listed}.",
        subject=image,
        way_out="They belong to different products, or one is damaged; download both anew.",
    )


def _widths(metadata: Metadata, rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
    widths = metadata.fwhm[rows]
    return widths if np.isfinite(widths).any() else None


def _good(metadata: Metadata, rows: NDArray[np.intp]) -> NDArray[np.bool_] | None:
    """Return the bands that a detector is expected to fill; None where nothing is said."""
    expected = {number for listed in metadata.channels.values() for number in listed}
    if len(metadata.channels) < 2:
        return None
    return np.asarray([int(row) + 1 in expected for row in rows])


def _overlap(metadata: Metadata, count: int) -> list[str]:
    """Return a note where VNIR and SWIR bands of one image take turns."""
    if len(metadata.channels) < 2 or count != metadata.nm.size:
        return []
    vnir, swir = (metadata.nm[np.asarray(metadata.channels[d]) - 1] for d in ("vnir", "swir"))
    if not (vnir.max() > swir.min()):  # nan, where a wavelength is missing, says nothing
        return []
    return [
        f"VNIR and SWIR bands are sorted by wavelength; from {swir.min():.0f} to "
        f"{vnir.max():.0f} nm both detectors measure, in turn."
    ]


def _block_rows(base: Scene) -> int:
    source = base.source
    return int(source.dataset.block_shapes[0][0]) if isinstance(source, raster.RasterPixels) else 1
