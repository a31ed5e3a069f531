"""Figures of areas: how large, how bright in each band, how mixed; streamed, of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.io.writers.placing import row_areas_m2
from backends.overlays import Placement
from backends.regions import Region
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
MOST_FOR_MEDIAN = 200_000  # pixels; of larger regions that many, evenly spread
_BUDGET = 32 << 20


@dataclass(frozen=True, eq=False)
class AreaFigures:
    """What one area holds.

    Attributes
    ----------
    name, class_name : str
    color : str
        ``#rrggbb``: that of the region on the image, in tables and plots.
    pixels : int
        Whose centre lies inside.
    measured : int
        Of them, those with a value in some band.
    area_m2 : float or None
        Pixels times the ground area of a pixel in its row; None where that is unknown.
    mean, std, minimum, median, maximum : float64 arrays of shape (bands,)
        ``nan`` in bands without a value. The deviation is that of the pixels (divided by n).
    sampled : int
        Pixels the median was taken from.
    """

    name: str
    pixels: int
    measured: int
    area_m2: float | None
    mean: Doubles
    std: Doubles
    minimum: Doubles
    median: Doubles
    maximum: Doubles
    sampled: int
    class_name: str = ""
    color: str = ""

    @property
    def area_ha(self) -> float | None:
        """Area in hectares."""
        return None if self.area_m2 is None else self.area_m2 / 1e4

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before believing them."""
        if self.sampled >= self.pixels:
            return ()
        return (f"The median is that of {self.sampled:,} of {self.pixels:,} pixels.",)


class AreaMeasurer:
    """Figures of areas of one scene; what they share is worked out once.

    Parameters
    ----------
    scene : Scene
    """

    def __init__(self, scene: Scene, progress: Progress | None = None) -> None:
        self.scene, self.progress = scene, progress
        self._row_m2 = row_areas_m2(scene, Placement(), scene.shape[0], progress=progress)

    def of_region(self, region: Region) -> AreaFigures:
        """Return the figures of a region.

        Raises
        ------
        BadInput
            It holds no pixel of the scene.
        """
        rows, cols, inside = region.inside(self.scene.shape[:2])
        if not inside.any():
            raise empty_region(region, self.scene)
        found = self.of_mask(region.name, inside, rows.start, cols.start)
        return replace(found, class_name=region.class_name, color=region.shown_color)

    def of_mask(
        self, name: str, inside: NDArray[np.bool_], row: int = 0, col: int = 0
    ) -> AreaFigures:
        """Return the figures of the pixels of a mask whose first pixel is (row, col)."""
        m2 = self._row_m2
        area = None if m2 is None else float(inside.sum(axis=1) @ m2[row : row + len(inside)])
        return _figures(self.scene, name, row, col, inside, area, self.progress)


def region_figures(
    scene: Scene, regions: Sequence[Region], *, progress: Progress | None = None
) -> list[AreaFigures]:
    """Return the figures of regions, in their order.

    Raises
    ------
    BadInput
        There are none, or one holds no pixel of the scene.
    """
    if not regions:
        raise BadInput("There are no regions.", way_out="Draw some with R, or open a file.")
    measure = AreaMeasurer(scene, progress)
    if progress is not None:
        progress.start(len(regions), "regions", "Figures of regions")
    out = []
    for region in regions:
        out.append(measure.of_region(region))
        if progress is not None:
            progress.advance()
    return out


def size_rows(figures: Sequence[AreaFigures]) -> list[dict[str, Any]]:
    """Return a row an area: how large it is."""
    return [
        {
            "region": f.name, "class": f.class_name, "color": f.color, "pixels": f.pixels,
            "measured": f.measured, "area_m2": f.area_m2, "area_ha": f.area_ha,
        }
        for f in figures
    ]  # fmt: skip


def spectrum_rows(
    figures: Sequence[AreaFigures], scene: Scene, head: str = "region"
) -> list[dict[str, Any]]:
    """Return a row a band of each area, bands without values left out."""
    nm = scene.bands.wavelengths()
    return [
        {
            head: f.name, "band": int(band) + 1,
            "wavelength_nm": None if np.isnan(nm[band]) else float(nm[band]),
            "mean": float(f.mean[band]), "std": float(f.std[band]),
            "minimum": float(f.minimum[band]), "median": float(f.median[band]),
            "maximum": float(f.maximum[band]),
        }
        for f in figures
        for band in np.flatnonzero(np.isfinite(f.mean))
    ]  # fmt: skip


def empty_region(region: Region, scene: Scene) -> BadInput:
    """Return the sentence for a region without a pixel."""
    points = np.vstack([piece.exterior for piece in region.outlines])
    off = (points.max(axis=0) < -0.5) | (points.min(axis=0) > np.array(scene.shape[:2]) - 0.5)
    if off.any():
        return BadInput(
            f"{region.name} lies outside {scene.title}.", way_out="Draw it on the image."
        )
    return BadInput(
        f"{region.name} holds the centre of no pixel.", way_out="Draw it larger, or zoom in first."
    )


def _figures(
    scene: Scene,
    name: str,
    row: int,
    col: int,
    inside: NDArray[np.bool_],
    area: float | None,
    progress: Progress | None,
) -> AreaFigures:
    bands = scene.shape[2]
    pixels = int(inside.sum())
    step = max(1, -(-pixels // MOST_FOR_MEDIAN))
    count, total, square = np.zeros(bands, np.int64), np.zeros(bands), np.zeros(bands)
    low, high = np.full(bands, np.inf), np.full(bands, -np.inf)
    shift: NDArray[Any] | None = None
    kept: list[NDArray[Any]] = []
    seen = measured = 0
    for part in _strips(scene, row, col, inside):
        if progress is not None:
            progress.check()
        values = part[0][part[1]]
        known = np.isfinite(values)
        if shift is None:
            shift = _shift(values, known)
        off = np.where(known, values - shift, 0).astype(np.float64)
        count += known.sum(axis=0)
        total += off.sum(axis=0)
        square += (off * off).sum(axis=0)
        low = np.minimum(low, np.where(known, values, np.inf).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.where(known, values, -np.inf).max(axis=0, initial=-np.inf))
        measured += int(known.any(axis=1).sum())
        kept.append(values[(-seen) % step :: step])
        seen += len(values)
    sample = np.concatenate(kept)
    shift = np.zeros(bands) if shift is None else shift
    with np.errstate(all="ignore"):
        mean = total / count
        std = np.sqrt(np.maximum(square / count - mean**2, 0))
    empty = count == 0
    return AreaFigures(
        name, pixels, measured, area, np.where(empty, np.nan, mean + shift), std,
        np.where(empty, np.nan, low), _median(sample), np.where(empty, np.nan, high), len(sample),
    )  # fmt: skip


def _strips(
    scene: Scene, row: int, col: int, inside: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
    height = max(1, _BUDGET // max(1, inside.shape[1] * scene.shape[2] * 4))
    for low in range(0, len(inside), height):
        mask = inside[low : low + height]
        if mask.any():
            window = Window(row + low, col, len(mask), inside.shape[1])
            yield scene.read(window, physical=True), mask


def _shift(values: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[Any]:
    """Return about the mean, so that squares keep their digits."""
    with np.errstate(all="ignore"):
        found = np.where(known, values, 0).sum(axis=0, dtype=np.float64) / known.sum(axis=0)
    return np.asarray(np.nan_to_num(found))


def _median(sample: NDArray[Any]) -> Doubles:
    out = np.full(sample.shape[1], np.nan)
    known = np.isfinite(sample)
    whole = known.all(axis=0)
    if len(sample):
        out[whole] = np.median(sample[:, whole].astype(np.float64), axis=0)
    for band in np.flatnonzero(~whole & known.any(axis=0)):
        out[band] = float(np.median(sample[known[:, band], band].astype(np.float64)))
    return out
