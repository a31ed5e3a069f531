"""``Scene``: one opened image, read lazily, the same for every format.

A reader gives a `PixelSource` (how to get pixels) and a `SceneInfo` (what they
are); everything else asks the `Scene`. Nothing here holds the whole image.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.cache import budget
from backends.errors import BadInput
from backends.georeference import GeoReference, Place
from backends.identity import digest_of
from backends.pixel_source import ArraySource, PixelSource, SceneInfo, Window

if TYPE_CHECKING:
    from backends.jobs import Progress
    from backends.statistics import BandStatistics

__all__ = ["Array", "ArraySource", "PixelSource", "Scene", "SceneInfo", "Window"]

Array = NDArray[Any]


class Scene:
    """One opened image.

    Rows and columns are those of the full-size level; level 0 is full size.
    Reading is thread-safe. Values are the file's own unless ``physical`` is asked.

    Parameters
    ----------
    source : PixelSource
    info : SceneInfo
    """

    def __init__(self, source: PixelSource, info: SceneInfo) -> None:
        if len(info.bands) != source.shape[2]:
            raise BadInput(
                f"The file holds {source.shape[2]} bands but describes {len(info.bands)}.",
                subject=info.path,
                way_out="Correct the header so that both agree.",
            )
        self.source = source
        self.info = info
        self.id = uuid.uuid4().hex
        self._closed = False
        self._digest: str | None = None
        self._stamp = self._file_stamp()

    def __repr__(self) -> str:
        rows, cols, bands = self.shape
        return f"<Scene {self.title!r} {rows}×{cols}×{bands} {self.dtype}>"

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- facts ---------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values in the file."""
        return self.source.dtype

    @property
    def bands(self) -> BandTable:
        """The bands."""
        return self.info.bands

    @property
    def place(self) -> Place | None:
        """Where the image lies on the Earth, or None."""
        return self.info.place

    @property
    def level_shapes(self) -> Sequence[tuple[int, int]]:
        """Rows and columns of each pyramid level, full size first."""
        return self.source.level_shapes

    @property
    def title(self) -> str:
        """Short name for people."""
        if self.info.title:
            return self.info.title
        return self.info.path.name if self.info.path else "untitled"

    @property
    def nbytes(self) -> int:
        """Bytes of the full-size image."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def digest(self) -> str:
        """Identity of the content, see `backends.identity.digest_of`."""
        if self._digest is None:
            self._digest = self._compute_digest()
        return self._digest

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def pixel_area_m2(self) -> float | None:
        """Return the area of the middle pixel in m², or None where the size is unknown."""
        row, col = self.shape[0] // 2, self.shape[1] // 2
        # A coordinate system knows where a "metre" on the map is none on the ground.
        if isinstance(self.place, GeoReference):
            size = self.place.pixel_size_m(row, col)
            if size is not None:
                return size[0] * size[1]
        scale = {"m": 1.0, "mm": 1e-3, "µm": 1e-6}.get(self.info.pixel_unit)
        if self.info.pixel_size and scale is not None:
            height, width = self.info.pixel_size
            return abs(height * width) * scale**2
        if self.place is not None:
            size = self.place.pixel_size_m(row, col)
            return None if size is None else size[0] * size[1]
        return None

    # -- pixels --------------------------------------------------------------------------

    def read(
        self,
        window: Window | None = None,
        bands: Sequence[int] | None = None,
        level: int = 0,
        *,
        physical: bool = False,
    ) -> Array:
        """Read a rectangle of some bands.

        Parameters
        ----------
        window : Window, optional
            In pixels of ``level``; clipped to the image. Default: all of it.
        bands : sequence of int, optional
            Band numbers from 0, in the order wanted. Default: all.
        level : int
            Pyramid level, 0 = full size.
        physical : bool
            Return float32 in physical units with nodata as ``nan``.

        Returns
        -------
        array of shape (rows, cols, bands)

        Raises
        ------
        BadInput
            The scene is closed, the band or level does not exist, or the file changed.
        """
        self._check_open()
        if not 0 <= level < len(self.level_shapes):
            raise BadInput(f"{self.title} has no pyramid level {level}.")
        rows, cols = self.level_shapes[level]
        window = Window(0, 0, rows, cols) if window is None else window.clip(rows, cols)
        count = self.shape[2]
        wanted = range(count) if bands is None else bands
        for band in wanted:
            if not 0 <= band < count:
                raise BadInput(
                    f"{self.title} has no band {band + 1}.", way_out=f"It has 1 to {count}."
                )
        if window.height == 0 or window.width == 0 or len(wanted) == 0:
            return np.empty((window.height, window.width, len(wanted)), self.dtype)
        try:
            values = self.source.read(window, wanted, level)
        except (OSError, ValueError, EOFError) as error:
            raise self._explain(error) from error
        return self.to_physical(values) if physical else values

    def planes(
        self, window: Window, bands: Sequence[int], buffer: NDArray[np.uint8] | None = None
    ) -> Array:
        """Return whole rows of full size as they lie in the file, shape (bands, rows, cols).

        The quickest way to all pixels: nothing is turned over or copied that need not be. What
        comes back must not be written, and is gone once ``buffer`` is used again.

        Parameters
        ----------
        window : Window
            Inside the image.
        bands : sequence of int
            They exist. A `range` is quickest.
        buffer : uint8 array, optional
            As large as the window with all bands in the file.

        Raises
        ------
        BadInput
            See `read`.
        """
        self._check_open()
        give = getattr(self.source, "planes", None)
        if give is None:
            return np.moveaxis(self.read(window, bands), 2, 0)
        try:
            return np.asarray(give(window, bands, buffer))
        except (OSError, ValueError, EOFError) as error:
            raise self._explain(error) from error

    def spectrum(self, row: int, col: int, *, physical: bool = True) -> Array:
        """Return the values of one pixel in every band, shape (bands,)."""
        if not (0 <= row < self.shape[0] and 0 <= col < self.shape[1]):
            raise BadInput(f"Row {row}, column {col} lies outside {self.title}.")
        return np.asarray(self.read(Window(row, col, 1, 1), physical=physical)[0, 0])

    def spectra(
        self, mask: NDArray[np.bool_], *, limit: int | None = None, physical: bool = True
    ) -> Array:
        """Return the spectra of the pixels where ``mask`` is True, shape (pixels, bands).

        Parameters
        ----------
        mask : bool array of shape (rows, cols)
        limit : int, optional
            At most so many pixels, evenly spread over the mask.
        """
        if mask.shape != self.shape[:2]:
            raise BadInput(f"The mask has shape {mask.shape}, {self.title} {self.shape[:2]}.")
        rows, cols = np.nonzero(mask)
        if limit is not None and rows.size > limit:
            pick = np.linspace(0, rows.size - 1, limit).astype(np.intp)
            rows, cols = rows[pick], cols[pick]
        out = np.empty((rows.size, self.shape[2]), np.float32 if physical else self.dtype)
        for window in self.windows(rows=64):
            low = np.searchsorted(rows, window.row)
            high = np.searchsorted(rows, window.row + window.height)
            if low == high:
                continue
            r, c = rows[low:high], cols[low:high]
            r0, c0 = int(r.min()), int(c.min())
            cut = Window(r0, c0, int(r.max()) - r0 + 1, int(c.max()) - c0 + 1)
            out[low:high] = self.read(cut, physical=physical)[r - r0, c - c0]
        return out

    def windows(self, rows: int | None = None, budget_bytes: int = 64 << 20) -> Iterator[Window]:
        """Yield full-width strips that cover the image, each within a memory budget."""
        height, width, count = self.shape
        if rows is None:
            rows = max(1, budget_bytes // max(1, width * count * 4))
        for row in range(0, height, rows):
            yield Window(row, 0, min(rows, height - row), width)

    def blocks(
        self,
        bands: Sequence[int] | None = None,
        *,
        budget_bytes: int = 64 << 20,
        physical: bool = True,
        progress: Progress | None = None,
    ) -> Iterator[tuple[Window, Array]]:
        """Yield ``(window, values)`` strip by strip: one streaming pass, memory bounded."""
        count = len(bands) if bands is not None else self.shape[2]
        rows = max(1, budget_bytes // max(1, self.shape[1] * count * 4))
        for window in self.windows(rows):
            if progress is not None:
                progress.check()
            yield window, self.read(window, bands, physical=physical)

    def statistics(
        self,
        bands: Sequence[int] | None = None,
        *,
        sample: int | None = None,
        progress: Progress | None = None,
    ) -> BandStatistics:
        """Return minimum, maximum, mean, standard deviation and percentiles a band.

        Parameters
        ----------
        bands : sequence of int, optional
        sample : int, optional
            Look at about so many pixels only; the answer says it is an estimate.
            None streams over the whole image once.
        progress : Progress, optional
        """
        from backends.statistics import band_statistics

        return band_statistics(self, bands, sample=sample, progress=progress)

    def composite(self, recipe: Any, **options: Any) -> Any:
        """Return the picture a recipe describes; see `backends.composite.render`."""
        from backends.composite import render

        return render(self, recipe, **options)

    def to_physical(self, values: Array) -> NDArray[np.float32]:
        """Turn file values into float32 physical values, nodata into ``nan``."""
        out = values.astype(np.float32)
        if self.info.gain != 1.0:
            out *= np.float32(self.info.gain)
        if self.info.offset != 0.0:
            out += np.float32(self.info.offset)
        hole = self.is_nodata(values)
        if hole is not None:
            out[hole] = np.nan
        return out

    def is_nodata(self, values: Array) -> NDArray[np.bool_] | None:
        """Return where file values mean "nothing measured", or None where that cannot be."""
        nodata = self.info.nodata
        if np.issubdtype(values.dtype, np.floating):
            hole = ~np.isfinite(values)
            if nodata is not None and math.isfinite(nodata):
                hole |= values == values.dtype.type(nodata)
            return hole
        if nodata is None or not math.isfinite(nodata) or nodata != int(nodata):
            return None
        return np.asarray(values == int(nodata))

    # -- life ----------------------------------------------------------------------------

    def with_info(self, **changes: Any) -> None:
        """Replace facts about the scene (bad bands marked by the user, a window preset …)."""
        self.info = replace(self.info, **changes)

    def changed_on_disk(self) -> str | None:
        """Return what happened to the file since it was opened, in words, or None."""
        for path, stamp in self._stamp.items():
            try:
                now = path.stat()
            except OSError:
                return f"{path.name} was moved or deleted."
            if (now.st_size, now.st_mtime_ns) != stamp:
                return f"{path.name} was changed by another program."
        return None

    def close(self) -> None:
        """Let go of the file and of what was cached for it. Twice is fine."""
        if not self._closed:
            self._closed = True
            self.source.close()
            budget().forget(self.id)

    def _check_open(self) -> None:
        if self._closed:
            raise BadInput(f"{self.title} was closed.", way_out="Open it again.")

    def _explain(self, error: Exception) -> BadInput:
        happened = self.changed_on_disk()
        return BadInput(
            happened or f"{self.title} could not be read to its end.",
            subject=self.info.path,
            way_out="Open it again." if happened else "Check the file or copy it anew.",
            details=repr(error),
        )

    def _file_stamp(self) -> dict[Path, tuple[int, int]]:
        stamps = {}
        for path in self.info.files:
            try:
                facts = os.stat(path)
            except OSError:
                continue
            stamps[Path(path)] = (facts.st_size, facts.st_mtime_ns)
        return stamps

    def _compute_digest(self) -> str:
        facts = repr((self.shape, str(self.dtype))).encode()
        files = [f for f in self.info.files if f.is_file()]
        if not files:  # only in memory: some rows speak for it
            step = max(1, self.shape[0] // 16)
            strips = (
                self.read(Window(row, 0, 1, self.shape[1])) for row in range(0, self.shape[0], step)
            )
            facts += b"".join(np.ascontiguousarray(strip).tobytes() for strip in strips)
        return digest_of(files, facts)
