"""Values along a line, around a pixel, and where a band is lowest or highest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.measuring.lengths import DISTANCE, Points, checked, distances, lonlats
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress
    from backends.regions import Region

MOST_SAMPLES = 20_000
LARGEST_RADIUS = 10
_RUN = 256
_BUDGET = 32 << 20


@dataclass(frozen=True, eq=False)
class Profile:
    """Values along a line.

    Attributes
    ----------
    points : float array of shape (n, 2)
        Row, col of the corners that were drawn.
    along : float array of shape (samples,)
        Distance from the start, in ``unit`` (``"m"`` or ``"px"``).
    rows, cols : int arrays of shape (samples,)
        The pixels whose values these are.
    values : float32 array of shape (samples, bands)
        ``nan`` where nothing was measured.
    labels : tuple of str
        Of the bands.
    lonlat : float array of shape (samples, 2) or None
    """

    points: Points
    along: NDArray[np.float64]
    unit: str
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    values: NDArray[np.float32]
    bands: tuple[int, ...]
    labels: tuple[str, ...]
    lonlat: Points | None = None
    value_unit: str = ""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The values around a pixel.

    Attributes
    ----------
    row, col : int
        The pixel in the middle.
    window : Window
        What was read; at an edge the pixel is not its middle.
    values : float32 array of shape (rows, cols, bands)
    labels : tuple of str
    """

    row: int
    col: int
    window: Window
    values: NDArray[np.float32]
    labels: tuple[str, ...]
    unit: str = ""


@dataclass(frozen=True)
class Extreme:
    """Where a band is lowest or highest.

    Attributes
    ----------
    equal : int
        How many pixels have the value; the first one row by row is given.
    """

    row: int
    col: int
    value: float
    equal: int
    label: str
    which: str


def profile(
    scene: Scene,
    points: Sequence[tuple[float, float]] | Points,
    bands: Sequence[int],
    *,
    progress: Progress | None = None,
) -> Profile:
    """Read bands along a line, a sample a pixel; values are the pixels' own, not interpolated.

    Parameters
    ----------
    points : array of shape (n, 2)
        Row, col of its corners.

    Raises
    ------
    BadInput
        The line lies outside the scene, or has no length.
    """
    corners = checked(points, DISTANCE)
    rows, cols, _ = scene.shape
    steps = np.hypot(*np.diff(corners, axis=0).T)
    count = int(min(MOST_SAMPLES, max(2, math.ceil(float(steps.sum())) + 1)))
    at = np.concatenate([[0.0], np.cumsum(steps)])
    where = np.linspace(0, at[-1], count)
    path = np.column_stack([np.interp(where, at, corners[:, i]) for i in range(2)])
    inside = ((path >= -0.5) & (path <= np.array([rows, cols]) - 0.5)).all(axis=1)
    if not inside.any():
        raise BadInput(f"The line lies outside {scene.title}.", way_out="Draw it on the image.")
    path = path[inside]
    r = np.clip(np.rint(path[:, 0]).astype(np.int64), 0, rows - 1)
    c = np.clip(np.rint(path[:, 1]).astype(np.int64), 0, cols - 1)
    values = np.full((len(path), len(bands)), np.nan, np.float32)
    if progress is not None:
        progress.start(len(path), "pixels", "Reading along the line")
    run = max(16, min(_RUN, int((_BUDGET / (4 * max(1, len(bands)))) ** 0.5)))
    for low in range(0, len(path), run):
        if progress is not None:
            progress.check()
        part = slice(low, min(low + run, len(path)))
        r0, c0 = int(r[part].min()), int(c[part].min())
        window = Window(r0, c0, int(r[part].max()) - r0 + 1, int(c[part].max()) - c0 + 1)
        read = scene.read(window, bands, physical=_physical(scene))
        values[part] = read[r[part] - r0, c[part] - c0]
        if progress is not None:
            progress.advance(part.stop - part.start)
    along, unit = distances(scene, path)
    return Profile(
        corners, along, unit, r, c, values, tuple(bands), labels_of(scene, bands),
        lonlats(scene, path), scene.info.unit,
    )  # fmt: skip


def neighbourhood(
    scene: Scene,
    row: int,
    col: int,
    radius: int = 1,
    *,
    bands: Sequence[int] | None = None,
) -> Neighbourhood:
    """Read every band of a pixel and of those around it.

    Raises
    ------
    BadInput
        The pixel lies outside.
    WrongUse
        The radius is negative or more than 10.
    """
    rows, cols, count = scene.shape
    if not 0 <= radius <= LARGEST_RADIUS:
        raise WrongUse(f"The radius is 0 to {LARGEST_RADIUS} pixels, not {radius}.")
    if not (0 <= row < rows and 0 <= col < cols):
        raise BadInput(
            f"Row {row}, column {col} lies outside {scene.title}.",
            way_out=f"It has rows 0 to {rows - 1} and columns 0 to {cols - 1}.",
        )
    wanted = range(count) if bands is None else bands
    window = Window(row - radius, col - radius, 2 * radius + 1, 2 * radius + 1).clip(rows, cols)
    values = scene.read(window, wanted, physical=_physical(scene)).astype(np.float32)
    return Neighbourhood(row, col, window, values, labels_of(scene, wanted), scene.info.unit)


def extreme(
    scene: Scene,
    band: int,
    which: str = "maximum",
    *,
    window: Window | None = None,
    region: Region | None = None,
    progress: Progress | None = None,
) -> Extreme:
    """Find the lowest or highest value of a band, in all of a scene or a part of it.

    Parameters
    ----------
    which : str
        ``"maximum"`` or ``"minimum"``.
    window : Window, optional
    region : Region, optional
        Its pixels only; with a window those in both.

    Raises
    ------
    BadInput
        Nothing was measured there.
    """
    if which not in ("minimum", "maximum"):
        raise WrongUse(f"{which} cannot be found.", way_out="Find minimum or maximum.")
    rows, cols, _ = scene.shape
    part = (window or Window(0, 0, rows, cols)).clip(rows, cols)
    mask: NDArray[np.bool_] | None = None
    if region is not None:
        down, right, mask = region.inside((rows, cols))
        held = Window(down.start, right.start, down.stop - down.start, right.stop - right.start)
        part, mask = _shared(part, held, mask)
    best: tuple[float, int, int] | None = None
    equal = 0
    height = max(1, _BUDGET // (4 * max(1, part.width)))
    if progress is not None:
        progress.start(part.height, "rows", f"Looking for the {which}")
    for row in range(part.row, part.row + part.height, height):
        if progress is not None:
            progress.check()
        cut = Window(row, part.col, min(height, part.row + part.height - row), part.width)
        values = scene.read(cut, [band], physical=True)[:, :, 0]
        if mask is not None:
            inside = mask[row - part.row : row - part.row + cut.height]
            values = np.where(inside, values, np.nan)
        known = np.isfinite(values)
        if known.any():
            worst = -np.inf if which == "maximum" else np.inf
            filled = np.where(known, values, worst)
            at = int(filled.argmax() if which == "maximum" else filled.argmin())
            value = float(filled.flat[at])
            here = int((filled == value).sum())
            better = best is None or (value > best[0] if which == "maximum" else value < best[0])
            if better:
                best, equal = (value, row + at // cut.width, part.col + at % cut.width), here
            elif best is not None and value == best[0]:
                equal += here
        if progress is not None:
            progress.advance(cut.height)
    if best is None:
        raise BadInput("Nothing was measured there.", way_out="Choose another band or place.")
    (label,) = labels_of(scene, [band])
    return Extreme(best[1], best[2], best[0], equal, label, which)


def labels_of(scene: Scene, bands: Sequence[int]) -> tuple[str, ...]:
    """Return the names of bands; red, green and blue for a picture in its own colours."""
    if scene.info.is_rgb and scene.shape[2] >= 3:
        names = ("red", "green", "blue")
        return tuple(names[b] if b < 3 else scene.bands.label(b) for b in bands)
    return tuple(scene.bands.label(band) for band in bands)


def bands_of(
    scene: Scene, numbers: Sequence[int] = (), wavelengths: Sequence[float] = ()
) -> list[int]:
    """Return bands from 0 by number from 1 or by wavelength in nm; all where none is named.

    Raises
    ------
    BadInput
        There is no such band.
    """
    count = scene.shape[2]
    out = []
    for number in numbers:
        if not 1 <= number <= count:
            raise BadInput(f"{scene.title} has no band {number}.", way_out=f"It has 1 to {count}.")
        out.append(number - 1)
    for nm in wavelengths:
        band = scene.bands.nearest(nm, within_nm=50.0) if scene.bands.has_wavelengths else None
        if band is None:
            raise BadInput(
                f"{scene.title} has no good band within 50 nm of {nm:g} nm.",
                way_out="Name a band by its number.",
            )
        out.append(band)
    return out or list(range(count))


def _physical(scene: Scene) -> bool:
    return not scene.info.is_rgb


def _shared(
    part: Window, held: Window, mask: NDArray[np.bool_]
) -> tuple[Window, NDArray[np.bool_]]:
    top, left = max(part.row, held.row), max(part.col, held.col)
    bottom = min(part.row + part.height, held.row + held.height)
    right = min(part.col + part.width, held.col + held.width)
    both = Window(top, left, max(0, bottom - top), max(0, right - left))
    rows = slice(top - held.row, top - held.row + both.height)
    cols = slice(left - held.col, left - held.col + both.width)
    return both, mask[rows, cols]


def profile_rows(found: Profile) -> tuple[list[str], list[list[Any]]]:
    """Return heads and rows of a table of a profile."""
    heads = [f"distance_{found.unit}", "row", "col"]
    heads += ["lon", "lat"] if found.lonlat is not None else []
    unit = f" ({found.value_unit})" if found.value_unit else ""
    heads += [f"{label}{unit}" for label in found.labels]
    rows = []
    for i, along in enumerate(found.along):
        row: list[Any] = [round(float(along), 4), int(found.rows[i]), int(found.cols[i])]
        if found.lonlat is not None:
            row += [round(float(v), 8) for v in found.lonlat[i]]
        rows.append([*row, *(_plain(v) for v in found.values[i])])
    return heads, rows


def neighbourhood_rows(found: Neighbourhood) -> tuple[list[str], list[list[Any]]]:
    """Return heads and rows of a table of the pixels around one: a line a band."""
    heads = ["band"]
    w = found.window
    heads += [f"{w.row + r},{w.col + c}" for r in range(w.height) for c in range(w.width)]
    flat = found.values.reshape(-1, found.values.shape[2])
    return heads, [
        [label, *(_plain(v) for v in flat[:, band])] for band, label in enumerate(found.labels)
    ]


def _plain(value: np.float32) -> float | None:
    # As many digits as a float32 holds, and no more.
    return float(f"{value:.7g}") if np.isfinite(value) else None
