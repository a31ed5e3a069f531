"""Regions that are found, not drawn: pixels like the one touched, or within a threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.regions import Outline, Region
from backends.scene import Scene, Window
from backends.spectra.pixels import Floats, marked, usable_bands
from backends.spectra.similarity import spectral_angle

if TYPE_CHECKING:
    from backends.jobs import Progress

Mask = NDArray[np.bool_]
MOST_PIECES = 2000
MEASURES = {
    "angle": "Spectral angle in radians: shape alone, brightness does not matter",
    "distance": "Distance as a share of the touched pixel's length: shape and brightness",
}
_FIRST = 128  # pixels around the touched one that are looked at first
_BUDGET = 48 << 20  # bytes of a strip in float32


@dataclass(frozen=True)
class Wand:
    """What counts as like the touched pixel.

    Attributes
    ----------
    tolerance : float
        Largest angle in radians, or distance as a share of the pixel's length.
    measure : str
        One of `MEASURES`.
    connected : bool
        Only pixels that hang together with the touched one (by their sides).
    """

    tolerance: float = 0.08
    measure: str = "angle"
    connected: bool = True


def wand_mask(
    scene: Scene, row: int, col: int, wand: Wand, *, progress: Progress | None = None
) -> Mask:
    """Return the pixels like one, shape (rows, cols).

    Raises
    ------
    BadInput
        Nothing was measured there, or it lies outside the scene.
    WrongUse
        No such measure, or the tolerance is not above 0.
    """
    if wand.measure not in MEASURES:
        raise WrongUse(
            f"There is no measure {wand.measure}.", way_out=f"Use {', '.join(MEASURES)}."
        )
    if not wand.tolerance > 0:
        raise WrongUse(f"The tolerance is above 0, not {wand.tolerance:g}.")
    rows, cols, _ = scene.shape
    if not (0 <= row < rows and 0 <= col < cols):
        raise BadInput(
            f"Row {row}, column {col} lies outside {scene.title}.",
            way_out=f"It has {rows} × {cols} pixels.",
        )
    bands = usable_bands(scene)
    seed = scene.spectrum(row, col)[list(bands)].astype(np.float32)
    if not np.isfinite(seed).all() or not seed.any():
        raise BadInput(
            f"Nothing was measured at row {row}, column {col}.", way_out="Touch another pixel."
        )

    def alike(window: Window) -> Mask:
        return _alike(scene, window, bands, seed, wand, progress)

    if progress is not None:
        progress.start(rows * cols, "pixels", "Pixels alike")
    if not wand.connected:
        return alike(Window(0, 0, rows, cols))
    return _grown(alike, (rows, cols), (row, col))


def _grown(alike: Callable[[Window], Mask], shape: tuple[int, int], at: tuple[int, int]) -> Mask:
    """Return the connected part around a pixel; no more of the scene is read than it needs."""
    from scipy.ndimage import label

    rows, cols = shape
    half = _FIRST
    while True:
        window = Window(at[0] - half, at[1] - half, 2 * half + 1, 2 * half + 1).clip(rows, cols)
        pieces, _ = label(alike(window))
        own = pieces == pieces[at[0] - window.row, at[1] - window.col]
        open_sides = (
            (own[0].any() and window.row > 0)
            or (own[-1].any() and window.row + window.height < rows)
            or (own[:, 0].any() and window.col > 0)
            or (own[:, -1].any() and window.col + window.width < cols)
        )
        if not open_sides:
            out = np.zeros(shape, np.bool_)
            out[window.slices] = own
            return out
        half *= 2


def _alike(
    scene: Scene,
    window: Window,
    bands: tuple[int, ...],
    seed: Floats,
    wand: Wand,
    progress: Progress | None,
) -> Mask:
    out = np.zeros((window.height, window.width), np.bool_)
    height = max(1, _BUDGET // (window.width * len(bands) * 4))
    for low in range(0, window.height, height):
        if progress is not None:
            progress.check()
        part = Window(window.row + low, window.col, min(height, window.height - low), window.width)
        values, valid = marked(scene.read(part, bands, physical=True).reshape(-1, len(bands)))
        if wand.measure == "angle":
            far = spectral_angle(values, seed[None])[:, 0]
        else:
            apart = values - seed
            far = np.sqrt(np.einsum("ij,ij->i", apart, apart) / float(seed @ seed))
        with np.errstate(invalid="ignore"):
            near = valid & (far <= wand.tolerance)
        out[low : low + part.height] = near.reshape(part.height, part.width)
        if progress is not None:
            progress.advance(part.height * part.width)
    return out


def formula_mask(
    scene: Scene,
    formula: str,
    *,
    others: Mapping[str, Scene] | None = None,
    progress: Progress | None = None,
) -> Mask:
    """Return where a formula such as ``b[860] > 0.3`` holds: is a number other than 0."""
    from backends.spectra.expression import formula_map, parse

    values = formula_map(parse(formula, {"b": scene, **dict(others or {})}), progress=progress)
    return np.asarray(np.isfinite(values) & (values != 0))


def regions_of_mask(
    mask: Mask,
    scene_id: str,
    name: str,
    *,
    color: int = 0,
    least_pixels: int = 1,
    each: bool = False,
    progress: Progress | None = None,
) -> list[Region]:
    """Return the outlines of a mask along the borders of its pixels.

    Parameters
    ----------
    least_pixels : int
        Smaller pieces are left out.
    each : bool
        A region a piece, the largest first, not one for all.

    Raises
    ------
    BadInput
        No piece is left, or there are too many to draw.
    """
    from backends.perimeters.runs import RunMask
    from backends.perimeters.tracing import trace

    traced = trace(RunMask.from_array(mask), (1.0, 0.0, -0.5, 0.0, 1.0, -0.5), progress=progress)
    order = np.argsort(-traced.pixels, kind="stable")
    order = order[traced.pixels[order] >= least_pixels]
    if not order.size:
        raise BadInput(
            "No pixel is left." if least_pixels == 1 else f"No piece has {least_pixels:,} pixels.",
            way_out="Widen the threshold or tolerance, or allow smaller pieces.",
        )
    if order.size > MOST_PIECES:
        raise BadInput(
            f"There are {order.size:,} pieces, more than can be drawn.",
            way_out="Leave out smaller pieces, or narrow the threshold.",
        )
    outlines = [_outline(traced.polygons[i]) for i in order]
    if not each:
        first, *rest = outlines
        more = tuple(rest)
        return [Region(name, scene_id, first.exterior, color, holes=first.holes, more=more)]
    return [
        Region(f"{name} {n}", scene_id, one.exterior, color + n - 1, holes=one.holes)
        for n, one in enumerate(outlines, 1)
    ]


def _outline(polygon: object) -> Outline:
    import shapely

    def ring(part: object) -> NDArray[np.float64]:
        return np.asarray(shapely.get_coordinates(part)[:-1, ::-1].copy())

    return Outline(
        ring(polygon.exterior),  # type: ignore[attr-defined]
        tuple(ring(hole) for hole in polygon.interiors),  # type: ignore[attr-defined]
    )
