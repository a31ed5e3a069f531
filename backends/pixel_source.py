"""How a reader hands out pixels, and what it says about them.

`PixelSource` is the contract of every reader; `SceneInfo` is what it knows besides the
pixels; `Window` is a rectangle of them. `backends.scene.Scene` joins the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import Place

Array = NDArray[Any]


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels, in the pixels of one pyramid level."""

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def clip(self, rows: int, cols: int) -> Window:
        """Return the part that lies inside an image of ``rows`` by ``cols``."""
        r0, c0 = min(max(self.row, 0), rows), min(max(self.col, 0), cols)
        r1 = min(max(self.row + self.height, r0), rows)
        c1 = min(max(self.col + self.width, c0), cols)
        return Window(r0, c0, r1 - r0, c1 - c0)


@runtime_checkable
class PixelSource(Protocol):
    """How a reader hands out pixels. Must be safe to call from several threads.

    A source may also have ``planes(window, bands, buffer)``, see `backends.scene.Scene.planes`.

    Attributes
    ----------
    shape : tuple of int
        ``(rows, cols, bands)`` of the full-size level.
    dtype : numpy dtype
    level_shapes : sequence of (rows, cols)
        Pyramid, full size first; at least one entry.
    layout : str
        ``"bsq"``, ``"bil"``, ``"bip"``, ``"tiled"`` or ``"memory"``: what is cheap to read.
    """

    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def level_shapes(self) -> Sequence[tuple[int, int]]: ...
    @property
    def layout(self) -> str: ...

    def read(self, window: Window, bands: Sequence[int], level: int) -> Array:
        """Return ``(window.height, window.width, len(bands))`` in the file's own type.

        The window lies inside the level and the bands exist: `Scene` has checked.
        """
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


@dataclass(frozen=True)
class SceneInfo:
    """What a reader knows about an image besides its pixels.

    Attributes
    ----------
    path : Path or None
        The file (or folder) the user named; None for an image made in memory.
    files : tuple of Path
        Every file the pixels come from; watched for changes.
    kind : str
        ``"hyperspectral"``, ``"multispectral"``, ``"picture"``, ``"slide"``, ``"medical"``,
        ``"thermal"``, ``"labels"`` or ``"raster"``.
    reader : str
        Id of the reader that opened it.
    options : dict
        Options it was opened with (key, series …), enough to open it again.
    bands : BandTable
    place : GeoReference, GeolocationTable or None
    pixel_size : (height, width) or None
        In ``pixel_unit`` (``"m"``, ``"µm"``, ``"mm"``, ``"deg"``).
    nodata : float or None
    gain, offset : float
        Physical value = file value * gain + offset.
    unit : str
        Unit of the physical value: ``"reflectance"``, ``"HU"``, ``"K"`` …
    is_rgb : bool
        True where the first three bands are red, green, blue for the eye.
    default_bands : tuple of int or None
        Bands the file itself proposes for red, green, blue.
    class_names : dict
        Value to name, for label images.
    class_colors : dict
        Value to ``#rrggbb``, as the file gives them.
    windows : dict
        Display presets by name: (low, high) in physical values (DICOM).
    objective : float or None
        Magnification of the objective a slide was scanned with, 40 for 40×.
    sides : tuple of 4 str
        Letters of the body's sides at the left, right, top and bottom of the picture; empty
        where unknown.
    facts : dict
        Further things worth showing, name to text.
    notes : tuple of str
        What the user should know: assumptions made, things left out.
    other_ways : dict
        What to do where an assumption was wrong, to the options that open the file so.
    """

    path: Path | None
    kind: str
    bands: BandTable
    reader: str = "memory"
    files: tuple[Path, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    place: Place | None = None
    pixel_size: tuple[float, float] | None = None
    pixel_unit: str = ""
    nodata: float | None = None
    gain: float = 1.0
    offset: float = 0.0
    unit: str = ""
    is_rgb: bool = False
    default_bands: tuple[int, ...] | None = None
    class_names: dict[int, str] = field(default_factory=dict)
    class_colors: dict[int, str] = field(default_factory=dict)
    windows: dict[str, tuple[float, float]] = field(default_factory=dict)
    objective: float | None = None
    sides: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    other_ways: dict[str, dict[str, Any]] = field(default_factory=dict)


class ArraySource:
    """Pixels that are already an array in memory, shape (rows, cols, bands)."""

    def __init__(self, array: Array) -> None:
        if array.ndim == 2:
            array = array[:, :, None]
        if array.ndim != 3 or 0 in array.shape:
            raise BadInput(f"An image needs rows, columns and bands; this has shape {array.shape}.")
        self._array = array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        rows, cols, bands = self._array.shape
        return rows, cols, bands

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self._array.dtype

    @property
    def level_shapes(self) -> Sequence[tuple[int, int]]:
        """One level."""
        return (self.shape[:2],)

    @property
    def layout(self) -> str:
        """Everything is cheap."""
        return "memory"

    def read(self, window: Window, bands: Sequence[int], level: int) -> Array:
        """Cut the window; bands in the order asked for."""
        rows, cols = window.slices
        part = self._array[rows, cols]
        # Picking every band one by one costs ten times the copy.
        if list(bands) == list(range(part.shape[2])):
            return np.array(part)
        return np.asarray(part[:, :, list(bands)])

    def planes(self, window: Window, bands: Sequence[int], buffer: Any = None) -> Array:
        """Return a view; see `backends.scene.Scene.planes`."""
        rows, cols = window.slices
        turned = self._array[rows, cols].transpose(2, 0, 1)
        if isinstance(bands, range) and bands.step == 1:
            return turned[bands.start : bands.stop]
        return np.asarray(turned[list(bands)])

    def close(self) -> None:
        """Nothing to let go of."""
