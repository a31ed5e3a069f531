"""DICOM: one slice, a multi-frame image, or a folder with the slices of a series.

Patients' names are never read into titles or facts.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput, MissingCapability, NeedsChoice
from backends.scene import Scene, SceneInfo, Window

ID = "dicom"
TITLE = "DICOM image or series"

_MOST_FILES = 5000
_KEPT_SLICES = 8
# The usual ways to look at a CT (low, high in Hounsfield units), level and width in brackets.
CT_WINDOWS = {
    "Mediastinum": (-160.0, 240.0),  # 40 / 400
    "Lung": (-1350.0, 150.0),  # -600 / 1500
    "Bone": (-500.0, 1300.0),  # 400 / 1800
    "Brain": (0.0, 80.0),  # 40 / 80
    "Abdomen": (-150.0, 250.0),  # 50 / 400
}
_SIDES = (("L", "R"), ("P", "A"), ("H", "F"))  # of x, y, z towards plus and minus


def sniff(path: Path, head: bytes) -> float:
    """By the letters DICM, or a folder of such files."""
    if head[128:132] == b"DICM":
        return 0.99
    if path.is_dir():
        for number, item in enumerate(sorted(path.iterdir())):
            if number > 20:
                break
            if item.is_file():
                with item.open("rb") as stream:
                    if stream.read(132)[128:] == b"DICM":
                        return 0.9
    return 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open a DICOM file or series.

    Options: ``series`` (instance UID, when a folder holds several).
    """
    if path.is_dir():
        return _open_series(path, options)
    header = _header(path)
    frames = int(header.get("NumberOfFrames", 1) or 1)
    return _scene(path, [(path, frame) for frame in range(frames)], header, options, [])


class DicomPixels:
    """Slices decoded one at a time; the last few are kept."""

    layout = "tiled"

    def __init__(self, slices: list[tuple[Path, int]], header: Any) -> None:
        self._slices = slices
        self._samples = int(header.get("SamplesPerPixel", 1))
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, NDArray[Any]] = OrderedDict()
        first = self._slice(0)
        count = self._samples if self._samples > 1 else len(slices)
        self.shape = (first.shape[0], first.shape[1], count)
        self.dtype: np.dtype[Any] = first.dtype
        self.level_shapes: Sequence[tuple[int, int]] = (self.shape[:2],)

    def read(self, window: Window, bands: Sequence[int], level: int) -> NDArray[Any]:
        """Return ``(height, width, bands)``; see `PixelSource`."""
        cut = window.slices
        if self._samples > 1:
            return self._slice(0)[cut][:, :, list(bands)]
        out = np.empty((window.height, window.width, len(bands)), self.dtype)
        for i, band in enumerate(bands):
            plane = self._slice(band)
            if plane.shape[:2] != self.shape[:2]:
                raise BadInput(f"Slice {band + 1} of the series has another size than the first.")
            out[:, :, i] = plane[cut]
        return out

    def close(self) -> None:
        """Forget the slices."""
        with self._lock:
            self._kept.clear()

    def _slice(self, number: int) -> NDArray[Any]:
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
        path, frame = self._slices[number]
        values = _decode(path, frame)
        with self._lock:
            self._kept[number] = values
            while len(self._kept) > _KEPT_SLICES:
                self._kept.popitem(last=False)
        return values


def _decode(path: Path, frame: int) -> NDArray[Any]:
    from pydicom.pixels import pixel_array

    try:
        values = np.asarray(pixel_array(path, index=frame))
    except (RuntimeError, NotImplementedError) as error:
        if "plugin" in str(error).lower() or "decode" in str(error).lower():
            raise MissingCapability(
                f"{path.name} is compressed in a way that no installed decoder reads.",
                subject=path,
                way_out="Convert it to uncompressed DICOM.",
                details=str(error),
            ) from error
        raise OSError(str(error)) from error
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise BadInput(
            f"{path.name} holds no picture that can be read.", subject=path, details=repr(error)
        ) from error
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _header(path: Path) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise BadInput(
            f"{path.name} is damaged or no DICOM file.", subject=path, details=repr(error)
        ) from error
    rows, cols = header.get("Rows"), header.get("Columns")
    if not rows or not cols:
        raise BadInput(
            f"{path.name} holds no picture.", subject=path, way_out="Open an image file."
        )
    return header


def _open_series(path: Path, options: Mapping[str, Any]) -> Scene:
    import pydicom

    series: dict[str, list[tuple[float, Path, Any]]] = {}
    files = [p for p in sorted(path.rglob("*")) if p.is_file()][:_MOST_FILES]
    for file in files:
        with file.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                continue
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True)
        except (OSError, EOFError, ValueError, KeyError, AttributeError):
            continue
        if not header.get("Rows"):
            continue
        series.setdefault(str(header.get("SeriesInstanceUID", "")), []).append(
            (_position(header), file, header)
        )
    if not series:
        raise BadInput(f"The folder {path.name} holds no DICOM images.", subject=path)
    wanted = options.get("series")
    if wanted is None and len(series) > 1:
        longest = sorted(series, key=lambda uid: -len(series[uid]))
        raise NeedsChoice(
            f"{path.name} holds {len(series)} series.",
            option="series",
            choices=tuple(longest),
            titles=tuple(_series_title(series[uid]) for uid in longest),
            subject=path,
        )
    chosen = series.get(str(wanted)) if wanted else next(iter(series.values()))
    if chosen is None:
        raise BadInput(f"{path.name} holds no series {wanted}.", subject=path)
    chosen.sort(key=lambda item: (item[0], item[1].name))
    notes = []
    gains = {
        (_number(h, "RescaleSlope", 1), _number(h, "RescaleIntercept", 0)) for _, _, h in chosen
    }
    if len(gains) > 1:
        notes.append("The slices have different scales; the first one's is used for all.")
    slices = [(file, 0) for _, file, _ in chosen]
    placed = all(h.get("ImagePositionPatient") is not None for _, _, h in chosen)
    positions = [position for position, _, _ in chosen] if placed else []
    return _scene(path, slices, chosen[0][2], options, notes, positions)


def _series_title(slices: Sequence[tuple[float, Path, Any]]) -> str:
    """Return what a series is, in words: "CT, 24 images of 512 × 512: Thorax"."""
    _, file, header = slices[0]
    count = len(slices)
    kind = str(header.get("Modality", "") or "Image")
    images = "1 image" if count == 1 else f"{count} images"
    words = f"{kind}, {images} of {header.get('Rows')} × {header.get('Columns')}"
    name = str(header.get("SeriesDescription", "") or "").strip() or file.name
    return f"{words}: {name}"


def _position(header: Any) -> float:
    """Return where a slice lies along the normal of its plane, in mm."""
    try:
        x = np.asarray(header.ImageOrientationPatient, float)
        normal = np.cross(x[:3], x[3:])
        return float(normal @ np.asarray(header.ImagePositionPatient, float))
    except (AttributeError, ValueError, TypeError, IndexError):
        return _number(header, "InstanceNumber", 0)


def _scene(
    path: Path,
    slices: list[tuple[Path, int]],
    header: Any,
    options: Mapping[str, Any],
    notes: list[str],
    positions: Sequence[float] = (),
) -> Scene:
    source = DicomPixels(slices, header)
    count = source.shape[2]
    is_rgb = int(header.get("SamplesPerPixel", 1)) == 3
    modality = str(header.get("Modality", ""))
    slope, intercept = _number(header, "RescaleSlope", 1), _number(header, "RescaleIntercept", 0)
    if str(header.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        notes.append("Stored with dark as high values (MONOCHROME1).")
    names: tuple[str, ...]
    if is_rgb:
        names, axis = ("Red", "Green", "Blue"), "channel"
    else:
        names = _slice_names(positions, count)
        axis = "slice" if count > 1 else "channel"
    spacing = header.get("PixelSpacing") or header.get("ImagerPixelSpacing")
    windows = _windows(header, slope, intercept)
    if modality == "CT":
        windows |= {name: limits for name, limits in CT_WINDOWS.items() if name not in windows}
    facts = {"Modality": modality} if modality else {}
    for tag, name in (("BodyPartExamined", "Body part"), ("SliceThickness", "Slice thickness, mm")):
        if header.get(tag):
            facts[name] = str(header.get(tag))
    info = SceneInfo(
        path=path,
        files=tuple(dict.fromkeys(file for file, _ in slices)),
        kind="medical",
        reader=ID,
        options=dict(options),
        bands=BandTable.build(count, names=names, axis=axis),
        pixel_size=None if not spacing else (float(spacing[0]), float(spacing[1])),
        pixel_unit="mm" if spacing else "",
        gain=slope or 1.0,
        offset=intercept,
        unit="HU" if modality == "CT" else "",
        is_rgb=is_rgb and source.dtype == np.uint8,
        windows=windows,
        sides=_sides(header),
        facts=facts,
        notes=tuple(notes),
    )
    return Scene(source, info)


def _slice_names(positions: Sequence[float], count: int) -> tuple[str, ...]:
    """Return what the slices are called, with their place along the body where it is known."""
    if count == 1:
        return ("Image",)
    if len(positions) != count:
        return tuple(f"Slice {n + 1}" for n in range(count))
    return tuple(f"Slice {n + 1}, {at:.1f} mm" for n, at in enumerate(positions))


def _sides(header: Any) -> tuple[str, ...]:
    """Return the letters of the body's sides at the left, right, top and bottom.

    The direction cosines of rows and columns (DICOM PS3.3, C.7.6.2.1.1) point to the
    patient's left, back and head; oblique planes get the letters of the nearest axis.
    """
    try:
        cosines = np.asarray(header.ImageOrientationPatient, float)
    except (AttributeError, ValueError, TypeError):
        return ()
    if cosines.shape != (6,) or not np.isfinite(cosines).all() or not cosines.any():
        return ()
    out = []
    for along in (cosines[:3], cosines[3:]):
        axis = int(np.abs(along).argmax())
        plus, minus = _SIDES[axis]
        out += [minus, plus] if along[axis] > 0 else [plus, minus]
    return tuple(out)


def _windows(header: Any, slope: float, intercept: float) -> dict[str, tuple[float, float]]:
    centers, widths = header.get("WindowCenter"), header.get("WindowWidth")
    if centers is None or widths is None:
        return {}
    try:
        middle = np.atleast_1d(np.asarray(centers, float))
        width = np.atleast_1d(np.asarray(widths, float))
    except (ValueError, TypeError):
        return {}
    named = header.get("WindowCenterWidthExplanation")
    labels = [named] if isinstance(named, str) else list(named or [])
    out = {}
    for i, (c, w) in enumerate(zip(middle, width, strict=False)):
        if w > 0:
            name = str(labels[i]).title() if i < len(labels) else "As stored"
            out[name] = (float(c - w / 2), float(c + w / 2))
    return out


def _number(header: Any, tag: str, default: float) -> float:
    try:
        return float(header.get(tag, default))
    except (ValueError, TypeError):
        return default
