"""The pixels of a scene as rows of spectra: one streaming pass, invalid ones marked.

Everything that looks at whole spectra (`similarity`, `background`, `transforms`, `detectors`,
`abundances`) reads them here, strip by strip. Strips are small, so that what is computed from one
finds it in the processor's cache; they keep the order of the file (a line of a band-by-band or
line-by-line file becomes a column, not a row), because turning it over costs more than most of
what is computed; and the next piece of the file is read while one computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

Floats = NDArray[np.float32]
Runs = Sequence[tuple[int, int, int]]  # see `_runs`
TOGETHER = 1 << 12  # spectra in one product
CACHED_BYTES = 3 << 18  # of them that stay near the processor from one step to the next
STRIP_BYTES = 4 << 20  # in float32; larger ones leave the cache
# Of the file in one read. Band by band every band is a read of its own, which must not be tiny.
READ_BYTES = 8 << 20
READ_BYTES_BSQ = 64 << 20


@dataclass(frozen=True, eq=False)
class Strip:
    """Some whole rows of a scene.

    Attributes
    ----------
    window : Window
    values : float32 array of shape (pixels, bands)
        Physical units, row by row; 0 in every band of an invalid pixel. Not to be written.
        Either axis may be the one that lies together in memory.
    valid : bool array of shape (pixels,)
        False where any band has no value.
    whole : bool
        Every pixel is valid.
    checked : bool
        False where ``values`` may hold what isn't finite in pixels called valid.
    """

    window: Window
    values: Floats
    valid: NDArray[np.bool_]
    whole: bool
    checked: bool = True

    @property
    def chosen(self) -> Floats:
        """The valid pixels only, shape (valid pixels, bands)."""
        return self.values if self.whole else self.values[self.valid]

    def empty(self, results: Floats) -> Floats:
        """Set what was computed from invalid pixels to ``nan``; pixels are the last axis."""
        if not self.whole:
            results[..., ~self.valid] = np.nan
        if not self.checked:
            strange = ~np.isfinite(results)
            if strange.any():
                results[strange] = np.nan
        return results


def usable_bands(scene: Scene, bands: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return the bands to compute with: those asked for, else good ones that hold values.

    A band that is empty all over would make every pixel invalid, so it is left out.

    Raises
    ------
    BadInput
        None is left.
    """
    wanted = range(scene.shape[2]) if bands is None else bands
    good = scene.bands.good
    chosen = [b for b in wanted if bands is not None or good[b]]
    if bands is None and chosen:
        from backends.statistics import sample_pixels

        sample = np.isfinite(sample_pixels(scene, chosen, size=4096))
        seen = np.asarray(sample.any(axis=0))
        chosen = [b for i, b in enumerate(chosen) if seen[i]]
    if not chosen:
        raise BadInput(
            f"{scene.title} has no band with values.",
            way_out="Open the file that holds the measurements.",
        )
    return tuple(chosen)


def strips(
    scene: Scene,
    bands: Sequence[int],
    *,
    progress: Progress | None = None,
    note: str = "",
    start: bool = True,
    check: bool = True,
) -> Iterator[Strip]:
    """Yield the scene strip by strip; progress counts rows.

    Parameters
    ----------
    note : str
        What is being done, for people.
    start : bool
        False where the caller counts over several passes.
    check : bool
        False leaves out the search for values that aren't finite: for sums that would not be
        finite either, which are fewer and looked at instead (`Strip.empty`).
    """
    if progress is not None and start:
        progress.start(scene.shape[0], "rows", note)
    rows = max(1, STRIP_BYTES // (scene.shape[1] * len(bands) * 4))
    wanted = list(bands)
    span = range(min(wanted), max(wanted) + 1)
    # A range of bands is given without a copy; a few far apart are read one by one.
    spanned = 2 * len(wanted) >= len(span)
    asked = span if spanned else wanted
    taken = [b - span.start for b in wanted] if spanned else list(range(len(wanted)))
    runs = list(_runs(taken))
    for window, planes in pieces(scene, asked):
        for low in range(0, window.height, rows):
            if progress is not None:
                progress.check()
            height = min(rows, window.height - low)
            part = planes[:, low : low + height]
            inside = Window(window.row + low, 0, height, window.width)
            yield Strip(inside, *_physical(scene, part, runs, check))
            if progress is not None:
                progress.advance(height)


def pieces(scene: Scene, bands: Sequence[int]) -> Iterator[tuple[Window, NDArray[Any]]]:
    """Yield whole rows as ``(bands, rows, cols)``, each gone when the next but one is asked for."""
    layout = scene.source.layout
    row_bytes = scene.shape[1] * len(bands) * scene.dtype.itemsize
    most = READ_BYTES_BSQ if layout == "bsq" else READ_BYTES
    windows = list(scene.windows(max(1, most // max(1, row_bytes))))

    def read(at: int) -> NDArray[Any]:
        return scene.planes(windows[at], bands, buffers[at % 2])

    buffers: list[NDArray[np.uint8] | None] = [None, None]
    if layout == "memory" or len(windows) == 1:
        for at, window in enumerate(windows):
            yield window, read(at)
        return
    size = windows[0].height * scene.shape[1] * scene.shape[2] * scene.dtype.itemsize
    if layout in ("bsq", "bil", "bip"):
        buffers = [np.empty(size, np.uint8) for _ in range(2)]
    with ThreadPoolExecutor(1, thread_name_prefix="strips") as reader:
        ahead = reader.submit(read, 0)
        for at, window in enumerate(windows):
            planes = ahead.result()
            if at + 1 < len(windows):
                ahead = reader.submit(read, at + 1)
            yield window, planes


def _physical(
    scene: Scene, planes: NDArray[Any], runs: Runs, check: bool
) -> tuple[Floats, NDArray[np.bool_], bool, bool]:
    """Do what `Scene.to_physical` does, without boolean cubes where nothing is missing."""
    info = scene.info
    hole: NDArray[np.bool_] | None = None
    if info.nodata is not None or planes.dtype.kind == "c":
        missing = scene.is_nodata(_chosen(planes, runs))
        hole = None if missing is None else np.asarray(missing.any(axis=0)).reshape(-1)
    if planes.dtype.kind == "c":
        planes = planes.real
    values = _rows_of(planes, runs, scene.source.layout == "memory")
    if info.gain != 1.0 or info.offset != 0.0:
        if not values.flags.writeable:
            values = values.copy(order="K")
        values *= np.float32(info.gain)
        values += np.float32(info.offset)
    checked = check or planes.dtype.kind in "iub"
    if not check or planes.dtype.kind in "iub":
        valid, whole = np.ones(len(values), bool), True
    else:
        values, valid = marked(values)
        whole = bool(valid.all())
    if hole is not None and hole.any():
        values = values if values.flags.writeable else values.copy(order="K")
        values[hole] = 0
        valid &= ~hole
        whole = False
    return values, valid, whole, checked


def _rows_of(planes: NDArray[Any], runs: Runs, shared: bool) -> Floats:
    """Return ``(pixels, bands)`` in float32 in the order in which the planes lie.

    Parameters
    ----------
    planes : array of shape (bands, rows, cols)
    shared : bool
        It stays as it is for long: a view of it, which cannot be written, is enough.
    """
    pixels, count = planes.shape[1] * planes.shape[2], runs[-1][1]
    together = planes.shape[0] > 1 and abs(planes.strides[0]) < abs(planes.strides[2])
    turned = planes.transpose(1, 2, 0)
    if len(runs) == 1 and shared and planes.dtype == np.float32 and planes.dtype.isnative:
        first = runs[0][2]
        turned = turned[..., first : first + count]
        view = turned.reshape(pixels, -1)
        view.flags.writeable = False
        return view
    if together:
        out = np.empty((pixels, count), np.float32)
        into, bands_at = out.reshape((*turned.shape[:2], -1)), 2
    else:
        out = np.empty((count, pixels), np.float32)
        into, bands_at = out.reshape((-1, *planes.shape[1:])), 0
        turned = planes
    for low, high, first in runs:
        if bands_at == 0:
            into[low:high] = turned[first : first + high - low]
        else:
            into[..., low:high] = turned[..., first : first + high - low]
    return out if together else out.T


def _chosen(planes: NDArray[Any], runs: Runs) -> NDArray[Any]:
    """Return the wanted bands of the planes."""
    if len(runs) == 1:
        return planes[runs[0][2] : runs[0][2] + runs[0][1]]
    return planes[[first + i for low, high, first in runs for i in range(high - low)]]


def cached(values: Floats) -> Iterator[slice]:
    """Yield slices of pixels that stay in the processor's cache, for several steps on each."""
    # Where a band lies together, short pieces of it cost more than the cache gives.
    step = TOGETHER
    if values.flags.c_contiguous:
        step = max(128, CACHED_BYTES // (4 * values.shape[1]))
    for low in range(0, len(values), step):
        yield slice(low, min(low + step, len(values)))


class Augmented:
    """Spectra with a 1 after the last band, copied to the same memory again and again.

    Products then give sums, or add an offset, on the way; and the width is a multiple of eight,
    which numpy's products are a fifth faster for.

    Parameters
    ----------
    bands : int
    dtype : numpy dtype
    """

    def __init__(self, bands: int, dtype: type) -> None:
        self.bands, self.width = bands, -(-(bands + 1) // 8) * 8
        self._dtype = dtype
        self._kept: dict[bool, NDArray[Any]] = {}

    def __call__(self, values: Floats, shift: Floats | None = None) -> NDArray[Any]:
        """Return ``values - shift`` and a 1, shape (pixels, width), until the next call."""
        by_pixel = bool(values.flags.c_contiguous)
        kept = self._kept.get(by_pixel)
        if kept is None or kept.shape[0 if by_pixel else 1] < len(values):
            shape = (len(values), self.width) if by_pixel else (self.width, len(values))
            kept = self._kept[by_pixel] = np.zeros(shape, self._dtype)
            kept[(slice(None), self.bands) if by_pixel else self.bands] = 1
        out = kept[: len(values)] if by_pixel else kept[:, : len(values)].T
        if shift is None:
            np.copyto(out[:, : self.bands], values)
        else:
            np.subtract(values, shift, out=out[:, : self.bands])
        return out


def _runs(taken: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield ``(low, high, first)``: places low to high hold consecutive bands from first on."""
    low = 0
    for at in range(1, len(taken) + 1):
        if at == len(taken) or taken[at] != taken[at - 1] + 1:
            yield low, at, taken[low]
            low = at


def marked(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the spectra with invalid ones set to 0, and which are valid.

    Parameters
    ----------
    values : float32 array of shape (pixels, bands)
    """
    # One matrix-vector product finds what isn't finite without a boolean cube.
    with np.errstate(over="ignore", invalid="ignore"):
        valid = np.isfinite(values @ np.ones(values.shape[1], np.float32))
    doubtful = np.flatnonzero(~valid)
    if doubtful.size:
        valid[doubtful] = np.isfinite(values[doubtful]).all(axis=1)
        holes = ~valid
        if holes.any():
            values = values if values.flags.writeable else values.copy(order="K")
            values[holes] = 0
    return values, valid
