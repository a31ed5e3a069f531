"""The pixels of a scene as rows of spectra: one streaming pass, invalid ones marked.

Everything that looks at whole spectra (`similarity`, `background`, `transforms`,
`anomaly`, `abundances`) reads them here, strip by strip, within a memory budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

Floats = NDArray[np.float32]
BUDGET = 48 << 20  # bytes of a strip in float32


@dataclass(frozen=True, eq=False)
class Strip:
    """Some whole rows of a scene.

    Attributes
    ----------
    window : Window
    values : float32 array of shape (pixels, bands)
        Physical units, row by row; 0 in every band of an invalid pixel.
    valid : bool array of shape (pixels,)
        False where any band has no value.
    """

    window: Window
    values: Floats
    valid: NDArray[np.bool_]

    @property
    def chosen(self) -> Floats:
        """The valid pixels only, shape (valid pixels, bands)."""
        return self.values if self.valid.all() else self.values[self.valid]


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
) -> Iterator[Strip]:
    """Yield the scene strip by strip; progress counts rows.

    Parameters
    ----------
    note : str
        What is being done, for people.
    start : bool
        False where the caller counts over several passes.
    """
    if progress is not None and start:
        progress.start(scene.shape[0], "rows", note)
    every = tuple(bands) == tuple(range(scene.shape[2]))
    for window, block in scene.blocks(
        None if every else bands, budget_bytes=BUDGET, physical=False, progress=progress
    ):
        yield Strip(window, *_physical(scene, block.reshape(-1, len(bands))))
        if progress is not None:
            progress.advance(window.height)


def _physical(scene: Scene, raw: NDArray[Any]) -> tuple[Floats, NDArray[np.bool_]]:
    """Do what `Scene.to_physical` does, without boolean cubes where nothing is missing."""
    info = scene.info
    hole: NDArray[np.bool_] | None = None
    if info.nodata is not None or raw.dtype.kind == "c":
        missing = scene.is_nodata(raw)
        hole = None if missing is None else np.asarray(missing.any(axis=1))
    values = np.ascontiguousarray(raw, np.float32)
    if info.gain != 1.0:
        values = values * np.float32(info.gain)
    if info.offset != 0.0:
        values = values + np.float32(info.offset)
    values, valid = marked(values)
    if hole is not None and hole.any():
        values[hole] = 0
        valid &= ~hole
    return values, valid


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
            values = values.copy() if not values.flags.writeable else values
            values[holes] = 0
    return values, valid
