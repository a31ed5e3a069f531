"""What a concept looks like: small cuttings of the image, no two of them nearly the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.composite import coarse_level, default_recipe, render
from backends.concepts.desk import ConceptReading
from backends.jobs import Progress
from backends.scene import Scene

SIDE = 48
_BEYOND = 128  # grey, where the image ends
# Cells to each side that a cutting shows beside its own.
AROUND = 3.0
_PIXELS = 4 << 20
_FEWEST = 20.0
# Of 64 bits; fewer that differ and two cuttings show the same.
SAME_BITS = 5


@dataclass(frozen=True, eq=False)
class ScenePicture:
    """The picture a scene opens with, for cuttings.

    Attributes
    ----------
    rgb : uint8 array of shape (rows, cols, 3)
    step : (float, float)
        Scene pixels a pixel of it.
    """

    rgb: NDArray[np.uint8]
    step: tuple[float, float]

    def cutting(
        self, row: float, col: float, height: float, width: float, side: int = SIDE
    ) -> NDArray[np.uint8]:
        """Return a square cutting around a scene pixel; beyond the edge it is grey.

        Parameters
        ----------
        height, width : float
            In scene pixels.
        """
        reach = (np.arange(side) + 0.5) / side - 0.5
        r = (row + reach * height + 0.5) / self.step[0]
        c = (col + reach * width + 0.5) / self.step[1]
        rows, cols = np.floor(r).astype(int), np.floor(c).astype(int)
        high, wide = self.rgb.shape[:2]
        inside = np.ix_(np.clip(rows, 0, high - 1), np.clip(cols, 0, wide - 1))
        out = np.array(self.rgb[inside])
        out[(rows < 0) | (rows >= high)] = _BEYOND
        out[:, (cols < 0) | (cols >= wide)] = _BEYOND
        return out


def picture_of(scene: Scene, progress: Progress | None = None) -> ScenePicture:
    """Return the picture a scene opens with, coarse where it is large."""
    recipe = default_recipe(scene)
    made = render(scene, recipe, level=coarse_level(scene, _PIXELS), progress=progress)
    step = made.step
    return ScenePicture(made.to_rgb8(), (float(step[0]), float(step[1])))


def cutting_at(reading: ConceptReading, picture: ScenePicture, token: int) -> NDArray[np.uint8]:
    """Return the cutting of a cell, with some of its surroundings."""
    place = reading.placement
    row, col = reading.pixel(token)
    reach = 1 + 2 * AROUND
    height = max(reach * place.row_step, _FEWEST)
    width = max(reach * place.col_step, _FEWEST)
    return picture.cutting(row, col, height, width)


def exemplars(
    reading: ConceptReading, picture: ScenePicture, concept: int, most: int = 9
) -> list[tuple[int, NDArray[np.uint8]]]:
    """Return the cells where a concept is strongest with their cuttings, none twice."""
    chosen: list[tuple[int, NDArray[np.uint8]]] = []
    seen: list[int] = []
    for token in reading.strongest(concept, 3 * most):
        cut = cutting_at(reading, picture, token)
        mark = fingerprint(cut)
        if any((mark ^ other).bit_count() < SAME_BITS for other in seen):
            continue
        seen.append(mark)
        chosen.append((token, cut))
        if len(chosen) == most:
            break
    return chosen


def fingerprint(cutting: NDArray[np.uint8]) -> int:
    """Return 64 bits that change little where a picture changes little (difference hash)."""
    grey = cutting.mean(2)
    rows = np.linspace(0, len(grey), 9).astype(int)[:-1]
    cols = np.linspace(0, len(grey), 10).astype(int)[:-1]
    small = np.add.reduceat(np.add.reduceat(grey, rows, 0), cols, 1)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int("".join("1" if b else "0" for b in bits), 2)
