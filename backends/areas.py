"""How much of a scene each class covers: pixels, square metres, hectares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backends.io.writers.placing import row_areas_m2
from backends.jobs import Progress
from backends.overlays import ClassMap
from backends.palette import class_colors
from backends.scene import Scene

SQUARE_METRES_PER_HECTARE = 10_000.0
_STRIP_PIXELS = 1 << 22


@dataclass(frozen=True)
class ClassArea:
    """What one class covers.

    Attributes
    ----------
    value : int
    name, color : str
    pixels : int
    share : float
        Of all pixels that have a class, 0 to 1.
    area_m2 : float or None
        None where the size of a pixel is unknown.
    method : str
        How the area was found; empty where there is none.
    """

    value: int
    name: str
    color: str
    pixels: int
    share: float
    area_m2: float | None
    method: str = ""

    @property
    def area_ha(self) -> float | None:
        """Area in hectares."""
        return None if self.area_m2 is None else self.area_m2 / SQUARE_METRES_PER_HECTARE

    def area_text(self) -> str:
        """Return the area for people, else the share: ``"12.4 ha"``, ``"830 m²"``, ``"3.1 %"``."""
        return f"{100 * self.share:.1f} %" if self.area_m2 is None else area_words(self.area_m2)


def class_areas(
    class_map: ClassMap,
    scene: Scene,
    *,
    colors: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> tuple[ClassArea, ...]:
    """Return what each named class covers, in the order of the names.

    The area is a count of pixels times the ground area of a pixel in its row
    (map units, geodesic where the projection does not keep lengths).

    Parameters
    ----------
    class_map : ClassMap
    scene : Scene
        Gives the size of a pixel.
    colors : mapping of int to ``#rrggbb``, optional
    """
    labels = class_map.labels
    rows, cols = labels.shape
    names = class_map.class_names
    size = max([0, *names]) + 1
    pixels, squares = np.zeros(size, np.int64), np.zeros(size, np.float64)
    row_m2 = row_areas_m2(scene, class_map.placement, rows, progress=progress)
    if progress is not None:
        progress.start(rows, "rows", "Measuring areas")
    step = max(1, _STRIP_PIXELS // cols)
    for low in range(0, rows, step):
        part = labels[low : low + step]
        inside = (part >= 0) & (part < size)
        values = part[inside]
        pixels += np.bincount(values, minlength=size)
        if row_m2 is not None:
            weights = np.broadcast_to(row_m2[low : low + len(part), None], part.shape)[inside]
            squares += np.bincount(values, weights=weights, minlength=size)
        if progress is not None:
            progress.advance(len(part))
    total = int(sum(pixels[value] for value in names if value > 0))
    palette = class_colors(names, colors)
    how = "" if row_m2 is None else "Area = number of pixels × ground area of a pixel in its row."
    return tuple(
        ClassArea(
            value,
            name,
            palette[value],
            int(pixels[value]),
            float(pixels[value] / total) if total and value > 0 else 0.0,
            None if row_m2 is None else float(squares[value]),
            how,
        )
        for value, name in names.items()
        if value >= 0
    )


def area_words(area_m2: float) -> str:
    """Return an area for people: ``"12.4 ha"``, ``"830 m²"``, ``"0.3 mm²"``."""
    if area_m2 >= 1e8:
        return f"{area_m2 / 1e6:,.0f} km²"
    if area_m2 >= 1000:
        hectares = area_m2 / SQUARE_METRES_PER_HECTARE
        return f"{hectares:,.0f} ha" if hectares >= 100 else f"{hectares:.3g} ha"
    return _small(area_m2)


def _small(area_m2: float) -> str:
    for factor, unit in ((1.0, "m²"), (1e6, "mm²"), (1e12, "µm²")):
        shown = area_m2 * factor
        if shown >= 0.01:
            return f"{shown:.3g} {unit}" if shown < 1000 else f"{shown:,.0f} {unit}"
    return "0 m²"
