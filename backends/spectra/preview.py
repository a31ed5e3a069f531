"""A formula over the part of a scene that is in sight, as fine as the screen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.cache import budget
from backends.overlays import Placement
from backends.scene import Scene, Window
from backends.spectra.expression import Formula

if TYPE_CHECKING:
    from backends.jobs import Progress

Floats = NDArray[np.float32]
MOST_PIXELS = 1_000_000
_STRIP_ROWS = 512


@dataclass(frozen=True, eq=False)
class Preview:
    """A formula's values in a part of its scene.

    Attributes
    ----------
    values : float32 array of shape (rows, cols)
    placement : Placement
        Where they lie on the scene; larger steps than 1 leave pixels out.
    """

    values: Floats
    placement: Placement


def preview(
    formula: Formula,
    window: Window,
    *,
    most_pixels: int = MOST_PIXELS,
    progress: Progress | None = None,
) -> Preview:
    """Return a formula's values in a window, at most about ``most_pixels`` of them.

    Bands that were read for the window before are kept in the shared memory budget, so that
    turning a formula over reads nothing anew.

    Parameters
    ----------
    window : Window
        In full-size pixels of the first scene.

    Raises
    ------
    BadInput
        A scene was closed or cannot be read.
    """
    scenes = formula.scenes
    first = next(iter(scenes.values()))
    window = window.clip(*first.shape[:2])
    # Pyramids of several scenes need not agree.
    level = 0 if len(scenes) > 1 else _level(first, window, most_pixels)
    rows, cols = first.level_shapes[level]
    row_size, col_size = first.shape[0] / rows, first.shape[1] / cols
    r0, c0 = math.floor(window.row / row_size), math.floor(window.col / col_size)
    r1 = math.ceil((window.row + window.height) / row_size)
    c1 = math.ceil((window.col + window.width) / col_size)
    inside = Window(r0, c0, max(1, r1 - r0), max(1, c1 - c0)).clip(rows, cols)
    step = max(1, math.ceil(math.sqrt(inside.height * inside.width / most_pixels)))
    planes: dict[tuple[str, int], Floats] = {}
    for name, scene in scenes.items():
        for band, plane in _planes(
            scene, formula.bands_of(name), inside, level, step, progress
        ).items():
            planes[name, band] = plane
    shape = (math.ceil(inside.height / step), math.ceil(inside.width / step))
    by_row, by_col = row_size * step, col_size * step
    return Preview(
        formula.of_planes(planes, shape),
        # Each value stands for a square of which it is the first pixel.
        Placement(
            inside.row * row_size + (by_row - 1) / 2, inside.col * col_size + (by_col - 1) / 2,
            by_row, by_col,
        ),
    )  # fmt: skip


def _level(scene: Scene, window: Window, most_pixels: int) -> int:
    """Return the coarsest level at which the window still has as many pixels as wanted."""
    share = window.height * window.width / (scene.shape[0] * scene.shape[1])
    found = 0
    for level, (rows, cols) in enumerate(scene.level_shapes):
        if rows * cols * share >= most_pixels:
            found = level
    return found


def _planes(
    scene: Scene,
    bands: tuple[int, ...],
    window: Window,
    level: int,
    step: int,
    progress: Progress | None,
) -> dict[int, Floats]:
    """Return every ``step``-th pixel of the bands in a window of a level."""
    keys = {band: (scene.id, "preview", band, window, level, step) for band in bands}
    found = {band: budget().get(key) for band, key in keys.items()}
    missing = [band for band, plane in found.items() if plane is None]
    if missing:
        read = _read(scene, missing, window, level, step, progress)
        for i, band in enumerate(missing):
            found[band] = np.ascontiguousarray(read[:, :, i])
            budget().put(keys[band], found[band])  # type: ignore[arg-type]
    return {band: plane for band, plane in found.items() if plane is not None}


def _read(
    scene: Scene,
    bands: list[int],
    window: Window,
    level: int,
    step: int,
    progress: Progress | None,
) -> Floats:
    shape = (math.ceil(window.height / step), math.ceil(window.width / step), len(bands))
    out = np.empty(shape, np.float32)
    # Of lines that hold every band, those between the wanted ones are not touched.
    sparse = step > 1 and scene.source.layout in ("bip", "bil")
    strip = 1 if sparse else max(1, _STRIP_ROWS // step)
    for low in range(0, shape[0], strip):
        if progress is not None:
            progress.check()
        count = min(strip, shape[0] - low)
        row = window.row + low * step
        height = min((count - 1) * step + 1, window.row + window.height - row)
        raw = scene.read(Window(row, window.col, height, window.width), bands, level)
        out[low : low + count] = scene.to_physical(raw[::step, ::step])
    return out
