"""GeoTIFF, COG and whatever else GDAL reads from a local file, through rasterio."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io.envi import kind_of
from backends.scene import Scene, SceneInfo, Window

ID = "raster"
TITLE = "GeoTIFF and other GDAL rasters"

# GDAL must neither look into neighbours' files nor reach for the network.
_QUIET = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "none",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_CACHEMAX": 64,
    "VRT_VIRTUAL_OVERVIEWS": "NO",
}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Formats that may point elsewhere, or that other readers know better.
_SKIP = frozenset({"VRT", "WMS", "WCS", "HTTP", "ENVI", "netCDF", "HDF5", "HDF5Image", "STACIT"})
LARGEST_SIDE = 1 << 24


def sniff(path: Path, head: bytes) -> float:
    """A TIFF surely, other formats by asking GDAL."""
    if head[:4] in _TIFF and head[128:132] != b"DICM":
        return 0.8
    known = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ", b"EHFA_HEADER_TAG", b"CDF\x01", b"NITF")
    return 0.7 if head.startswith(known) else 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open a raster lazily."""
    source = RasterPixels(path)
    try:
        return Scene(source, _describe(path, source, options))
    except BaseException:
        source.close()
        raise


class RasterPixels:
    """Pixels of a GDAL raster; one handle, one reader at a time (GDAL's rule).

    Large rasters without overviews offer levels that GDAL decimates while reading.
    """

    layout = "tiled"

    def __init__(self, path: Path) -> None:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError

        self._path = path
        self._lock = threading.Lock()
        self._errors: tuple[type[Exception], ...] = (RasterioError,)
        try:
            with rasterio.Env(**_QUIET), warnings.catch_warnings():
                # A raster without a place is fine; the status bar says so.
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                self.dataset = rasterio.open(path, sharing=False)
        except RasterioError as error:
            raise BadInput(
                f"{path.name} cannot be read as a raster.",
                subject=path,
                way_out="It is damaged or incomplete; copy it anew.",
                details=str(error),
            ) from error
        data = self.dataset
        if data.driver in _SKIP:
            data.close()
            raise BadInput(f"{path.name} is a {data.driver} file, not a raster.", subject=path)
        if data.count == 0 or not (
            0 < data.height < LARGEST_SIDE and 0 < data.width < LARGEST_SIDE
        ):
            names = [name.split(":")[-1] for name in data.subdatasets]
            data.close()
            raise BadInput(
                f"{path.name} holds no image of its own.",
                subject=path,
                way_out=f"Open one of its parts: {', '.join(names)}." if names else "",
            )
        types = set(data.dtypes)
        kind = np.result_type(*types)
        self._complex = kind.kind == "c"
        self.dtype: np.dtype[Any] = np.dtype(np.float32) if self._complex else np.dtype(kind)
        self.shape = (data.height, data.width, data.count)
        factors = [1, *data.overviews(1)]
        if len(factors) == 1:
            while max(self.shape[:2]) // factors[-1] > 2048:
                factors.append(factors[-1] * 2)
        self.level_shapes: Sequence[tuple[int, int]] = [
            (-(-data.height // f), -(-data.width // f)) for f in factors
        ]

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        import rasterio
        from rasterio.windows import Window as GdalWindow

        rows, cols = self.level_shapes[level]
        down, across = self.shape[0] / rows, self.shape[1] / cols
        if level == 0:
            cut = GdalWindow(window.col, window.row, window.width, window.height)
        else:
            cut = GdalWindow(
                window.col * across,
                window.row * down,
                min(window.width * across, self.shape[1] - window.col * across),
                min(window.height * down, self.shape[0] - window.row * down),
            )
        out = (len(bands), window.height, window.width)
        with self._lock:
            if self.dataset.closed:
                raise BadInput(f"{self._path.name} was closed.", way_out="Open it again.")
            try:
                with rasterio.Env(**_QUIET):
                    values = self.dataset.read([b + 1 for b in bands], window=cut, out_shape=out)
            except self._errors as error:
                raise OSError(str(error)) from error
        if self._complex:
            values = np.abs(values)
        return np.asarray(np.moveaxis(values, 0, -1), dtype=self.dtype)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.dataset.close()


def _describe(path: Path, source: RasterPixels, options: Mapping[str, Any]) -> SceneInfo:
    data = source.dataset
    rows, cols, count = source.shape
    notes: list[str] = []
    bands, spectral_notes = _bands(data, count)
    notes += spectral_notes
    place = None
    if not data.transform.is_identity:
        crs = data.crs.to_wkt() if data.crs else None
        if crs is not None and data.crs.to_epsg():
            crs = f"EPSG:{data.crs.to_epsg()}"
        try:
            place = GeoReference(tuple(data.transform)[:6], crs)
        except BadInput:
            notes.append("The georeference of the file makes no sense; it opens without a place.")
        if crs is None and place is not None:
            notes.append(
                "The file names no coordinate system; map coordinates are shown as they are."
            )
    names, colors = _classes(data) if count == 1 else ({}, {})
    scales, offsets = set(data.scales), set(data.offsets)
    plain = len(scales) == 1 and len(offsets) == 1
    if not plain:
        notes.append("The bands have different scale factors; values are shown as stored.")
    gain = float(data.scales[0]) if plain and data.scales[0] else 1.0
    is_rgb = count in (3, 4) and source.dtype == np.uint8 and not bands.has_wavelengths
    is_labels = bool(names) and np.issubdtype(source.dtype, np.integer)
    kind = "labels" if is_labels else kind_of(count, bands.has_wavelengths)
    if is_rgb:
        kind = "picture" if place is None else "raster"
    nodata = data.nodata
    if nodata is not None and np.issubdtype(source.dtype, np.integer) and math.isfinite(nodata):
        limits = np.iinfo(source.dtype)
        nodata = nodata if limits.min <= nodata <= limits.max else None
    return SceneInfo(
        path=path,
        files=(path,),
        kind=kind,
        reader=ID,
        options=dict(options),
        bands=bands,
        place=place,
        pixel_size=None if place is None else place.pixel_size_m(rows / 2, cols / 2),
        pixel_unit="m" if place is not None and place.crs is not None else "",
        nodata=None if nodata is None else float(nodata),
        gain=gain,
        offset=float(data.offsets[0]) if plain else 0.0,
        unit=next((u for u in data.units if u), ""),
        is_rgb=is_rgb,
        class_names=names if is_labels else {},
        class_colors=colors if is_labels else {},
        facts={"Format": data.driver} | _sun(data.tags()),
        notes=tuple(notes),
    )


def _sun(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the sun's zenith angle where a gridded flight line says it."""
    said = _number(tags.get("SUN_ZENITH"))
    return {"Sun zenith": f"{said:.2f} °"} if math.isfinite(said) else {}


def _bands(data: Any, count: int) -> tuple[BandTable, list[str]]:
    """Return the bands from descriptions and from wavelength tags in their many spellings."""
    nm: list[float] = []
    fwhm: list[float] = []
    good: list[bool] = []
    shared = {k.lower(): v for k, v in data.tags().items()}
    for number in range(1, count + 1):
        tags = {k.lower(): v for k, v in data.tags(number).items()}
        unit = tags.get(
            "wavelength_units", tags.get("wavelength_unit", shared.get("wavelength_units", ""))
        )
        value = _number(tags.get("wavelength", tags.get("wavelengths")))
        if math.isnan(value):
            value = _number(tags.get("central_wavelength_um")) * 1e3
        factor = 1e3 if unit.lower().startswith(("micro", "um", "µm")) or value < 50 else 1.0
        nm.append(value * factor)
        fwhm.append(_number(tags.get("fwhm", tags.get("fwhm_um"))) * factor)
        good.append(tags.get("bbl", "1").strip() not in ("0", "0.0", "false"))
    if not any(math.isfinite(v) for v in nm):
        nm = _list(shared.get("wavelength", shared.get("wavelengths", "")), count)
        fwhm = _list(shared.get("fwhm", ""), count)
        if nm and max(nm) < 50:
            nm, fwhm = [v * 1e3 for v in nm], [v * 1e3 for v in fwhm]
    names = [name or "" for name in data.descriptions]
    table = BandTable.build(
        count,
        names=names if all(names) else None,
        wavelength_nm=nm or None,
        fwhm_nm=fwhm if len(fwhm) == count and any(math.isfinite(v) for v in fwhm) else None,
        good=good,
    )
    return table, []


def _classes(data: Any) -> tuple[dict[int, str], dict[int, str]]:
    """Return names and colours of a palette raster."""
    try:
        table = data.colormap(1)
    except ValueError:
        table = {}
    tags = {k.lower(): v for k, v in data.tags(1).items()}
    names: dict[int, str] = {}
    for key, value in tags.items():
        if key.startswith("class_") and key[6:].isdigit() and int(key[6:]) > 0:
            names[int(key[6:])] = value
    colors = {v: f"#{r:02x}{g:02x}{b:02x}" for v, (r, g, b, _) in table.items() if v in names}
    return names, colors


def _number(text: str | None) -> float:
    try:
        return float(str(text).split()[0].strip("[](),"))
    except (ValueError, IndexError):
        return math.nan


def _list(text: str, count: int) -> list[float]:
    values = [_number(part) for part in text.strip("{}[]() ").replace(";", ",").split(",")]
    return values if len(values) == count and all(math.isfinite(v) for v in values) else []
