"""Bands that say nothing, and stripes along the flight line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.georeference import GeoReference
from backends.io.writers.cubes import Cube, write_cube
from backends.scene import Scene
from backends.spectra.cubes import BUDGET, cube_summary, made_by, taken_bands

if TYPE_CHECKING:
    from backends.jobs import Progress
    from backends.spectra.products import Product

Doubles = NDArray[np.float64]
LEAST_ALIKE = 0.7
_SAMPLE = 20_000
_FEWEST_ROWS = 20
_SHORT = 300  # rows below which a column's ground weighs as much as its detector


def band_quality(
    scene: Scene, *, least: float = LEAST_ALIKE, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """Return a row a band: how like its neighbours it is, and why it is bad, if it is.

    Neighbouring bands of a spectrometer see nearly the same; one that correlates with neither of
    its neighbours holds noise. Empty and constant bands, and those the file marks, are bad, too.

    Parameters
    ----------
    least : float
        Smallest correlation with the more similar neighbour.
    """
    from backends.statistics import sample_pixels

    if not 0 <= least < 1:
        raise WrongUse(f"A correlation lies between 0 and 1, not {least:g}.")
    sample = sample_pixels(scene, size=_SAMPLE, progress=progress).astype(np.float64)
    nm = scene.bands.wavelengths()
    known = np.isfinite(sample)
    seen = known.mean(axis=0)
    with np.errstate(all="ignore"):
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, sample, 0).sum(axis=0) / count
        centred = np.where(known, sample - mean, 0)
        spread = np.sqrt((centred**2).sum(axis=0) / count)
    flat = spread <= 1e-9 * np.maximum(np.abs(mean), 1e-30)
    usable = np.flatnonzero((seen > 0.05) & ~flat)
    order = usable[np.argsort(np.where(np.isfinite(nm), nm, np.arange(nm.size))[usable])]
    alike = np.full(nm.size, np.nan)
    for place, band in enumerate(order):
        near = [order[p] for p in (place - 1, place + 1) if 0 <= p < order.size]
        if near and order.size > 2:
            alike[band] = max(_correlation(centred[:, band], centred[:, b]) for b in near)
    rows = []
    for band in range(nm.size):
        reason = ""
        if seen[band] == 0:
            reason = "empty"
        elif flat[band]:
            reason = "constant"
        elif alike[band] < least:
            reason = f"unlike its neighbours (correlation {alike[band]:.2f})"
        elif not scene.bands.good[band]:
            reason = "marked bad in the file"
        rows.append({
            "band": band + 1, "name": scene.bands.names[band],
            "wavelength_nm": None if np.isnan(nm[band]) else float(nm[band]),
            "alike": None if np.isnan(alike[band]) else round(float(alike[band]), 4),
            "valid_share": round(float(seen[band]), 4), "bad": bool(reason),
            "reason": reason or None,
        })  # fmt: skip
    return rows


def bad_bands(
    scene: Scene, *, least: float = LEAST_ALIKE, progress: Progress | None = None
) -> Product:
    """Return the bands that say nothing, and a table of all; see `band_quality`."""
    from backends.spectra.products import Product

    rows = band_quality(scene, least=least, progress=progress)
    bad = [row for row in rows if row["bad"]]
    notes = ["A part of the scene can be written without them."] if bad else []
    said = {
        "scene": scene.title, "bands": len(rows), "bad": len(bad), "bad_bands": bad, "notes": notes,
    }  # fmt: skip
    return Product((), said, {"bands": rows})


def destripe(
    scene: Scene,
    path: Path,
    *,
    window: int = 31,
    gains: bool = True,
    bands: Sequence[int] | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a scene without the stripes that unequal detectors leave along its columns.

    Moment matching (Horn and Woodham 1979): mean and deviation of each column are brought to what
    the columns around it have, so that real slopes across the image stay. For scenes whose columns
    are one detector each, as a push-broom scanner records them, before they are put on a map.

    Parameters
    ----------
    window : int
        Columns that are looked at together; odd. Their median is what a column should have.
    gains : bool
        Match deviations, too, not means alone.

    Raises
    ------
    BadInput
        There are too few rows or columns to tell detectors apart.
    """
    rows, cols, count = scene.shape
    if window < 3 or window % 2 == 0:
        raise WrongUse(f"The window is odd and at least 3, not {window}.")
    if rows < _FEWEST_ROWS or cols < 3:
        raise BadInput(
            f"{scene.title} has {rows} rows; stripes are told from {_FEWEST_ROWS} on.",
            way_out="Take a longer flight line.",
        )
    chosen = list(range(count)) if bands is None else list(bands)
    mean, spread, number = _columns(scene, chosen, progress)
    from scipy.ndimage import median_filter

    size = (min(window, cols if cols % 2 else cols - 1), 1)
    wanted_mean = median_filter(mean, size=size, mode="nearest")
    wanted_spread = median_filter(spread, size=size, mode="nearest")
    few = number < _FEWEST_ROWS
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where((spread > 0) & ~few, wanted_spread / spread, 1.0)
    gain = gain if gains else np.ones_like(gain)
    gain[~np.isfinite(gain)] = 1.0
    shift = np.where(few, 0.0, wanted_mean - gain * mean)
    factor = np.where(few, 1.0, gain).astype(np.float32)
    shift = shift.astype(np.float32)
    whole = np.sqrt(np.nanmean(spread**2, axis=0))
    stripes = np.sqrt(np.nanmean((mean - wanted_mean) ** 2, axis=0)) / np.maximum(whole, 1e-30)
    cube = Cube(
        (rows, cols, len(chosen)), np.dtype(np.float32), taken_bands(scene.bands, chosen),
        scene.place if isinstance(scene.place, GeoReference) else None, float("nan"), 1.0,
        scene.info.unit, scene.title, made_by("destripe", scene, command),
    )  # fmt: skip

    def strips() -> Iterator[NDArray[Any]]:
        for _, values in scene.blocks(chosen, budget_bytes=BUDGET, progress=progress):
            yield values * factor + shift

    written = write_cube(cube, strips(), path, progress=progress)
    worst = np.argsort(-stripes, kind="stable")[:10]
    table = [
        {"band": chosen[b] + 1, "name": scene.bands.names[chosen[b]],
         "stripes": round(float(stripes[b]), 5)}
        for b in worst
    ]  # fmt: skip
    notes = []
    if rows < _SHORT:
        notes.append(
            f"{rows} rows are few: real differences between columns are taken for stripes, too."
        )
    median = round(float(np.median(stripes)), 6)
    return cube_summary(cube, written, stripes_median=median, worst=table, notes=notes)


def _columns(
    scene: Scene, bands: list[int], progress: Progress | None
) -> tuple[Doubles, Doubles, Doubles]:
    """Return mean, deviation and number of valid pixels of each column, (cols, bands)."""
    shape = (scene.shape[1], len(bands))
    number, total, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    shift: NDArray[Any] | None = None
    if progress is not None:
        progress.start(scene.shape[0], "rows", "Looking for stripes")
    for window, values in scene.blocks(bands, budget_bytes=BUDGET, progress=progress):
        if shift is None:
            shift = np.nan_to_num(values[0])
        known = np.isfinite(values)
        part = np.where(known, values - shift, 0).astype(np.float64)
        number += known.sum(axis=0)
        total += part.sum(axis=0)
        square += (part * part).sum(axis=0)
        if progress is not None:
            progress.advance(window.height)
    many = np.maximum(number, 1)
    off = total / many
    assert shift is not None
    variance = np.maximum(square / many - off**2, 0)
    return off + shift, np.sqrt(variance), number


def _correlation(one: Doubles, other: Doubles) -> float:
    length = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / length if length > 0 else 0.0
