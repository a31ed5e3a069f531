"""Do two scenes lie on each other? Phase correlation of many parts, with how sure that is.

The scenes may have other pixel sizes and coordinate systems: the second is laid on the grid of
the first by their map coordinates, so that what is found is the error of those coordinates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.pairs.alignment import Alignment, align
from backends.pairs.phase import UPSAMPLE, correlation, lies_at, standardised
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

SURE, LIKELY, UNTOLD = "sure", "likely", "cannot be told"
_TILE, _TILES, _LEAST = 256, 4, 16
_COARSEST = 16
# A coarse look at all of a scene: up to so many pixels a side; a shift of so few is found anyway;
# a larger one counts where it makes them so much more alike.
_LARGEST, _NEAR, _GAIN = 8192, 8.0, 0.2
# Parts agree when they say the same within so many pixels of the comparison.
_AGREE = 1.0


@dataclass(frozen=True)
class Registration:
    """How far the second scene lies beside where its coordinates say.

    Attributes
    ----------
    rows, cols : float or None
        Below and right, in pixels of the first; None where it cannot be told.
    down_m, right_m : float or None
        The same on the ground; None without a pixel size.
    error_px : float
        Standard error of the shift (1.4826 median deviation of the parts / √parts, at least
        half a step of the search), in pixels of the first.
    parts, agree : int
        Parts that were compared, and those within a pixel of their median.
    before, after : float
        Correlation of the pictures as they lie, and moved by what was found; medians.
    certainty : str
        `SURE`: four parts or more, of which three in four agree, and the pictures are more alike
        moved; `LIKELY`: at least half agree; `UNTOLD`.
    bands : tuple of str
        What was compared.
    note : str
        A sentence for people.
    """

    rows: float | None
    cols: float | None
    down_m: float | None
    right_m: float | None
    error_px: float
    parts: int
    agree: int
    before: float
    after: float
    certainty: str
    bands: tuple[str, str]
    note: str
    alignment: Alignment

    @property
    def apart(self) -> bool:
        """Whether a shift was found that is more than its own error."""
        if self.rows is None or self.cols is None:
            return False
        return math.hypot(self.rows, self.cols) > max(0.3, 2 * self.error_px)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "shift_rows": self.rows, "shift_columns": self.cols, "down_m": self.down_m,
            "right_m": self.right_m, "standard_error_px": self.error_px, "parts": self.parts,
            "parts_that_agree": self.agree, "correlation_before": self.before,
            "correlation_after": self.after, "certainty": self.certainty,
            "bands": list(self.bands), "laid_by": self.alignment.how, "note": self.note,
            "alignment": self.alignment.sentence or None,
        }  # fmt: skip


def register(
    one: Scene,
    other: Scene,
    *,
    wavelength: float | None = None,
    progress: Progress | None = None,
) -> Registration:
    """Find how far the second scene lies beside the first.

    Up to 16 parts of 256 pixels (of the coarser scene's size) in what both show are compared.

    Parameters
    ----------
    wavelength : float, optional
        In nm; which bands to compare. Default: the middle one of those in common.

    Raises
    ------
    BadInput
        The scenes share no ground, or have no such band.
    """
    laid = align(one, other)
    if not laid.overlap:
        raise BadInput(laid.sentence, way_out="Choose two scenes of one place.")
    mine, theirs = _bands(one, other, wavelength)
    step = int(min(_COARSEST, max(1, round(laid.scale))))
    # All of both at once, coarsely: where a scene lies far off its parts show other ground.
    far = _far(one, other, mine, theirs, laid, progress)
    near = laid.moved(*far)
    windows = _parts(one, other, near, step)
    if progress is not None:
        progress.start(2 * len(windows), "parts", "Comparing")

    def compare(where: Alignment) -> tuple[NDArray[np.float64], list[Any]]:
        shifts, pairs = [], []
        for window in windows:
            if progress is not None:
                progress.check()
            planes = _planes(one, other, mine, theirs, where, window, step)
            if planes is not None:
                a, b = (standardised(plane) for plane in planes)
                if a is not None and b is not None:
                    shifts.append(lies_at(a, b))
                    pairs.append(planes)
            if progress is not None:
                progress.advance()
        return np.array(shifts, np.float64).reshape(-1, 2), pairs

    shifts, pairs = compare(near)
    first = np.median(shifts, axis=0) if len(shifts) else np.zeros(2)
    before = _median([correlation(a, b) for a, b in pairs])
    if far.any():  # as they lie, not as the coarse look left them
        before = _alike(one, other, mine, theirs, laid, _parts(one, other, laid, step), step)
    # Once more with the second moved by what was found: what is left is small, and exact.
    shifts, pairs = compare(near.moved(*(first * step)))
    after = _median([correlation(a, b) for a, b in pairs])
    labels = (one.bands.label(mine), other.bands.label(theirs))
    whole = shifts + first + far / step
    return _judged(one, other, laid, step, whole, (before, after), labels)


def _far(
    one: Scene, other: Scene, mine: int, theirs: int, laid: Alignment, progress: Progress | None
) -> NDArray[np.float64]:
    """Return a large shift, in pixels of the first; 0 where moved by it they are no more alike."""
    rows, cols = one.shape[:2]
    step = max(1, -(-max(rows, cols) // _TILE), round(laid.scale))
    if max(rows, cols) > _LARGEST or min(rows, cols) // step < 2 * _LEAST:
        return np.zeros(2)
    whole = Window(0, 0, rows - rows % step, cols - cols % step)
    if progress is not None:
        progress.check()
    planes = _planes(one, other, mine, theirs, laid, whole, step)
    parts = None if planes is None else [standardised(plane, 0.3) for plane in planes]
    if planes is None or parts is None or parts[0] is None or parts[1] is None:
        return np.zeros(2)
    found = lies_at(parts[0], parts[1])
    if np.hypot(*found) <= _NEAR or (np.abs(found) >= 0.6 * np.array(parts[0].shape)).any():
        return np.zeros(2)
    there = _planes(one, other, mine, theirs, laid.moved(*(found * step)), whole, step)
    if there is None or np.isfinite(there[1]).mean() < 0.15:
        return np.zeros(2)
    gain = correlation(*there) - max(0.0, correlation(*planes))
    return found * step if gain > _GAIN else np.zeros(2)


def _alike(
    one: Scene, other: Scene, mine: int, theirs: int, laid: Alignment, windows: list[Window],
    step: int,
) -> float:  # fmt: skip
    """Return how alike parts of two scenes are as they lie."""
    found = [_planes(one, other, mine, theirs, laid, window, step) for window in windows]
    return _median([correlation(*planes) for planes in found if planes is not None])


def _judged(
    one: Scene,
    other: Scene,
    laid: Alignment,
    step: int,
    shifts: NDArray[np.float64],
    alike: tuple[float, float],
    labels: tuple[str, str],
) -> Registration:
    count = len(shifts)
    if not count:
        note = "Whether the scenes lie on each other cannot be told: no part has values in both."
        return Registration(None, None, None, None, math.nan, 0, 0, math.nan, math.nan, UNTOLD,
                            labels, note, laid)  # fmt: skip
    centre = np.median(shifts, axis=0)
    apart = np.hypot(*(shifts - centre).T)
    agree = int((apart <= _AGREE).sum())
    spread = 1.4826 * float(np.median(apart)) / math.sqrt(count)
    error = step * max(spread, 1 / UPSAMPLE)
    before, after = alike
    if agree / count < 0.5 or not after >= before - 0.01:
        note = (
            f"Whether the scenes lie on each other cannot be told: {count} parts were compared "
            "and disagree."
        )
        if agree / count >= 0.5:
            note = (
                "Whether the scenes lie on each other cannot be told: moved by what was found "
                f"they are less alike (correlation {after:.2f}, {before:.2f} as they lie)."
            )
        return Registration(None, None, None, None, error, count, agree, before, after, UNTOLD,
                            labels, note, laid)  # fmt: skip
    sure = count >= 4 and agree / count >= 0.75
    rows, cols = (round(float(v) * step, 2) + 0.0 for v in centre)
    size = _pixel_m(one)
    down = None if size is None else rows * size[0]
    right = None if size is None else cols * size[1]
    certainty = SURE if sure else LIKELY
    note = _sentence(one, other, rows, cols, down, right, error, certainty, agree, count)
    return Registration(rows, cols, down, right, round(error, 3), count, agree, round(before, 3),
                        round(after, 3), certainty, labels, note, laid)  # fmt: skip


def _median(values: list[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan


def _sentence(
    one: Scene, other: Scene, rows: float, cols: float, down: float | None, right: float | None,
    error: float, certainty: str, agree: int, count: int,
) -> str:  # fmt: skip
    how = f"{certainty}: {agree} of {count} parts agree"
    far = math.hypot(rows, cols)
    if far <= max(0.3, 2 * error):
        within = max(far, 2 * error, 0.1)
        return f"The scenes lie on each other within {within:.1f} pixels ({how})."
    below, beside = "below" if rows > 0 else "above", "right" if cols > 0 else "left"
    ground = ""
    if down is not None and right is not None:
        ground = f" ({abs(down):,.3g} m and {abs(right):,.3g} m)"
    return (
        f"{other.title} lies {abs(rows):.2f} pixels {below} and {abs(cols):.2f} {beside} of where "
        f"{one.title} has it{ground}, ± {error:.2f} ({how})."
    )


def _pixel_m(scene: Scene) -> tuple[float, float] | None:
    place, info = scene.place, scene.info
    rows, cols, _ = scene.shape
    if place is not None:
        found = place.pixel_size_m(rows // 2, cols // 2)
        if found is not None:
            return found
    factor = {"m": 1.0, "mm": 1e-3, "µm": 1e-6}.get(info.pixel_unit)
    if info.pixel_size is None or factor is None:
        return None
    height, width = info.pixel_size
    return abs(height) * factor, abs(width) * factor


def _bands(one: Scene, other: Scene, wavelength: float | None) -> tuple[int, int]:
    from backends.spectra.change import common_bands

    if wavelength is not None:
        mine, theirs = common_bands(one, other, [wavelength])
        return mine[0], theirs[0]
    try:
        mine, theirs = common_bands(one, other)
    except BadInput:  # pictures, or other parts of the spectrum: shapes are often still alike
        return min(one.shape[2] // 2, one.shape[2] - 1), other.shape[2] // 2
    return mine[len(mine) // 2], theirs[len(theirs) // 2]


def _parts(one: Scene, other: Scene, laid: Alignment, step: int) -> list[Window]:
    """Return parts of the first scene that the second covers, evenly spread."""
    rows, cols, _ = other.shape
    ends = [(0.0, 0.0), (0.0, cols - 1.0), (rows - 1.0, 0.0), (rows - 1.0, cols - 1.0)]
    corners = np.array([laid.to_first(*end) for end in ends])
    low = np.maximum(np.ceil(corners.min(axis=0)), 0).astype(int)
    high = np.minimum(np.floor(corners.max(axis=0)) + 1, one.shape[:2]).astype(int)
    size = np.maximum(high - low, 0)
    side = int(min(_TILE * step, *size))
    # Small scenes are cut in four where that leaves enough: one part alone is never sure.
    if side == min(size) and side // step >= 3 * _LEAST:
        side //= 2
    if side // step < _LEAST:
        return []
    side -= side % step
    starts = [
        np.unique(np.linspace(at, at + far - side, min(_TILES, -(-int(far) // side))).astype(int))
        for at, far in zip(low, size, strict=True)
    ]
    return [Window(int(r), int(c), side, side) for r in starts[0] for c in starts[1]]


def _planes(
    one: Scene, other: Scene, mine: int, theirs: int, laid: Alignment, window: Window, step: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return one band of both on the same grid: each ``step`` pixels of the first."""
    from scipy.ndimage import map_coordinates

    plane = one.read(window, [mine], physical=True)[:, :, 0].astype(np.float64)
    a = _means(plane, step)
    rows = window.row + (np.arange(a.shape[0]) + 0.5) * step - 0.5
    cols = window.col + (np.arange(a.shape[1]) + 0.5) * step - 0.5
    grid = np.stack(np.meshgrid(rows, cols, indexing="ij")).reshape(2, -1)
    turn = np.linalg.inv(laid.matrix[:, :2])
    there = turn @ (grid - laid.matrix[:, 2:])
    low = np.floor(there.min(axis=1)).astype(int) - 1
    high = np.ceil(there.max(axis=1)).astype(int) + 2
    cut = Window(*low, *(high - low)).clip(*other.shape[:2])
    if cut.height < 2 or cut.width < 2:
        return None
    values = other.read(cut, [theirs], physical=True)[:, :, 0].astype(np.float64)
    # A finer second scene is averaged first, else its detail would be mistaken for ground.
    fine = max(1, round(step / max(laid.scale, 1e-9)))
    if fine > 1:
        values = _means(values, fine)
    at = np.stack([(there[i] - (cut.row, cut.col)[i] - (fine - 1) / 2) / fine for i in range(2)])
    known = np.isfinite(values)
    if not known.any():
        return None
    filled = np.where(known, values, values[known].mean())
    weight = map_coordinates(known.astype(float), at, order=1, cval=0.0)
    # Straight lines between pixels would draw the shift towards halves.
    found = map_coordinates(filled, at, order=3, mode="nearest")
    b = np.where(weight > 0.99, found, np.nan).reshape(a.shape)
    return a, b


def _means(plane: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Return the means of blocks of pixels; a hole in a block leaves the rest."""
    if step == 1:
        return plane
    rows, cols = (n - n % step for n in plane.shape)
    if not rows or not cols:
        return plane[:0, :0]
    blocks = plane[:rows, :cols].reshape(rows // step, step, cols // step, step)
    known = np.isfinite(blocks)
    total = np.where(known, blocks, 0.0).sum(axis=(1, 3))
    count = known.sum(axis=(1, 3))
    out: NDArray[np.float64] = np.full(total.shape, np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out
