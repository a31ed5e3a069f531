"""Whole-slide images through OpenSlide, and the tiled TIFFs it cannot read through tifffile."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.scene import Scene, SceneInfo, Window

ID = "slide"
TITLE = "Whole-slide image"

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SUFFIXES = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".qptiff")


def sniff(path: Path, head: bytes) -> float:
    """OpenSlide knows its vendors; a generic tiled TIFF only when it has no place on Earth."""
    if head[:4] not in _TIFF and path.suffix.lower() not in (".mrxs", ".vms", ".vmu"):
        return 0.0
    if b"PerkinElmer-QPI" in head or path.suffix.lower() == ".qptiff":
        return 0.9
    import openslide

    try:
        vendor = openslide.OpenSlide.detect_format(str(path))
    except (openslide.OpenSlideError, OSError):
        return 0.0
    if vendor is None:
        return 0.0
    return 0.3 if vendor == "generic-tiff" else 0.95


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open a slide lazily."""
    import openslide

    if path.suffix.lower() == ".qptiff":
        return _open_channels(path, options)
    try:
        slide = openslide.OpenSlide(str(path))
    except (openslide.OpenSlideError, OSError) as error:
        raise BadInput(
            f"{path.name} cannot be read as a slide.",
            subject=path,
            way_out="It is damaged or incomplete; copy it anew.",
            details=str(error),
        ) from error
    source = SlidePixels(path, slide)
    facts = {"Scanner": str(slide.properties.get("openslide.vendor", "unknown"))}
    power = slide.properties.get("openslide.objective-power")
    if power:
        facts["Magnification"] = f"{power}×"
    if slide.associated_images:
        facts["Also in the file"] = ", ".join(sorted(slide.associated_images))
    size = None
    try:
        size = (
            float(slide.properties["openslide.mpp-y"]),
            float(slide.properties["openslide.mpp-x"]),
        )
    except (KeyError, ValueError):
        facts["Pixel size"] = "not in the file"
    info = SceneInfo(
        path=path,
        files=(path,),
        kind="slide",
        reader=ID,
        options=dict(options),
        bands=BandTable.build(3, names=("Red", "Green", "Blue")),
        pixel_size=size,
        pixel_unit="µm" if size else "",
        objective=_power(power),
        is_rgb=True,
        facts=facts,
    )
    return Scene(source, info)


def _power(text: Any) -> float | None:
    """Return a magnification that a file gives as text; None for nonsense."""
    try:
        power = float(text)
    except (TypeError, ValueError):
        return None
    return power if 0.1 <= power <= 1000 else None


class SlidePixels:
    """Pixels of a slide, level by level; outside the scan is white."""

    layout = "tiled"

    def __init__(self, path: Path, slide: Any) -> None:
        self._path, self._slide = path, slide
        self._lock = threading.Lock()
        width, height = slide.dimensions
        self.shape = (int(height), int(width), 3)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self.level_shapes: Sequence[tuple[int, int]] = [
            (int(h), int(w)) for w, h in slide.level_dimensions
        ]
        self._closed = False

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        import openslide

        factor = self._slide.level_downsamples[level]
        at = (round(window.col * factor), round(window.row * factor))
        with self._lock:
            if self._closed:
                raise BadInput(f"{self._path.name} was closed.", way_out="Open it again.")
            try:
                region = self._slide.read_region(at, level, (window.width, window.height))
            except openslide.OpenSlideError as error:
                raise OSError(str(error)) from error
        rgba = np.asarray(region)
        alpha = rgba[:, :, 3:].astype(np.uint16)
        if alpha.min() < 255:
            white = 255 * (255 - alpha)
            rgb = ((rgba[:, :, :3] * alpha + white) // 255).astype(np.uint8)
        else:
            rgb = rgba[:, :, :3]
        return rgb[:, :, list(bands)]

    def close(self) -> None:
        """Close the slide."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._slide.close()


class TiffLevels:
    """Pages of a tiled TIFF pyramid, one page a channel, read page by page."""

    layout = "tiled"

    def __init__(self, path: Path, tif: Any, series: Any) -> None:
        self._path, self._tif = path, tif
        self._levels = list(series.levels)
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, int], NDArray[Any]] = {}
        axes, shape = series.axes, series.shape
        rows, cols = shape[axes.index("Y")], shape[axes.index("X")]
        count = int(np.prod(shape)) // (rows * cols)
        self.shape = (int(rows), int(cols), count)
        self.dtype: np.dtype[Any] = np.dtype(series.dtype).newbyteorder("=")
        self.level_shapes: Sequence[tuple[int, int]] = [
            (int(lv.shape[lv.axes.index("Y")]), int(lv.shape[lv.axes.index("X")]))
            for lv in self._levels
        ]

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        planes = [self._page(level, band)[window.slices] for band in bands]
        return np.stack(planes, axis=-1)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._kept.clear()
            self._tif.close()

    def _page(self, level: int, band: int) -> NDArray[Any]:
        with self._lock:
            if (level, band) not in self._kept:
                if len(self._kept) > 8:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[level, band] = np.squeeze(self._levels[level].pages[band].asarray())
            return self._kept[level, band]


def _open_channels(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open a PerkinElmer/Akoya QPTIFF: one page a stain."""
    import tifffile

    try:
        tif = tifffile.TiffFile(path)
        series = tif.series[0]
        names = [_stain(page) for page in series.pages]
        source = TiffLevels(path, tif, series)
        tags = series.pages[0].tags
        resolution = tags["XResolution"].value if "XResolution" in tags else None
        unit = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 0
    except Exception as error:
        raise BadInput(
            f"{path.name} cannot be read as a slide.", subject=path, details=repr(error)
        ) from error
    size = None
    if resolution and resolution[0] and unit in (2, 3):
        per_unit = resolution[0] / resolution[1]
        um = (25400.0 if unit == 2 else 10000.0) / per_unit
        size = (um, um)
    count = source.shape[2]
    info = SceneInfo(
        path=path,
        files=(path,),
        kind="slide",
        reader=ID,
        options=dict(options),
        bands=BandTable.build(count, names=names if len(names) == count else None),
        pixel_size=size,
        pixel_unit="µm" if size else "",
        facts={"Scanner": "PerkinElmer"},
    )
    return Scene(source, info)


def _stain(page: Any) -> str:
    """Return the name of the stain that a page's XML description gives."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        root = ElementTree.fromstring(page.description)
    except (ParseError, DefusedXmlException, ValueError, TypeError):
        return f"Channel {page.index + 1}"
    for tag in ("Biomarker", "Name"):
        found = root.find(tag)
        if found is not None and found.text:
            return str(found.text)
    return f"Channel {page.index + 1}"
