"""Overlays of one value a pixel: classes, scores, explanations, concepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from backends.errors import BadInput
from backends.heatmap_view import HeatmapView
from backends.overlays.record import Array, Overlay, Placement, need


@dataclass(frozen=True, eq=False)
class ClassMap(Overlay):
    """One class a pixel.

    Attributes
    ----------
    labels : integer array of shape (rows, cols)
        0 means no class.
    class_names : mapping of int to str
        Name of each value but 0.
    confidence : float32 array of shape (rows, cols), optional
        Probability of the class given, 0 to 1.
    fade : bool
        Draw pixels the fainter, the less sure they are.
    """

    labels: Array = field(kw_only=True)
    class_names: Mapping[int, str] = field(kw_only=True)
    confidence: Array | None = field(default=None, kw_only=True)
    fade: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        need(self.labels, 2, self.title)
        if not np.issubdtype(self.labels.dtype, np.integer):
            raise BadInput(f"{self.title}: a class map holds whole numbers.")
        if self.confidence is not None and self.confidence.shape != self.labels.shape:
            raise BadInput(f"{self.title}: the confidence has another size than the map.")
        if self.fade and self.confidence is None:
            raise BadInput(f"{self.title}: nothing says how sure its pixels are.")

    def counts(self) -> dict[int, int]:
        """Return pixels a class value, named classes only."""
        values, numbers = np.unique(self.labels, return_counts=True)
        found = dict(zip(values.tolist(), numbers.tolist(), strict=True))
        return {value: found.get(value, 0) for value in self.class_names}


@dataclass(frozen=True, eq=False)
class ScoreMap(Overlay):
    """One number a pixel: an index, an anomaly score, a probability.

    Attributes
    ----------
    values : float32 array of shape (rows, cols)
    unit : str
    centre : float or None
        The value that means "no effect"; the colour map is centred on it.
    """

    values: Array = field(kw_only=True)
    unit: str = field(default="", kw_only=True)
    centre: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        need(self.values, 2, self.title)


@dataclass(frozen=True, eq=False)
class Heatmap(ScoreMap):
    """An explanation: how much each place mattered for ``target``.

    Attributes
    ----------
    target : str
        What is explained, e.g. a class name.
    trust : mapping
        Measured reliability; empty means not assessed.
    view : HeatmapView
        How it is looked at.
    grid : Placement or None
        Where the cells of the network's own grid lie on the scene.
    grid_shape : (rows, cols)
        Of that grid.
    """

    target: str = field(default="", kw_only=True)
    trust: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    view: HeatmapView = field(default_factory=HeatmapView, kw_only=True)
    grid: Placement | None = field(default=None, kw_only=True)
    grid_shape: tuple[int, int] = field(default=(0, 0), kw_only=True)

    @property
    def verdict(self) -> str:
        """What the trust card says: ``"not assessed"``, ``"passes"``, ``"weak"``, ``"fails"``."""
        return str(dict(self.provenance.figures.get("trust") or {}).get("verdict", "not assessed"))


@dataclass(frozen=True, eq=False)
class ConceptMaps(Overlay):
    """Several named activation maps.

    Attributes
    ----------
    values : float32 array of shape (concepts, rows, cols)
    names : tuple of str
    tops : tuple of float
        Value at the end of each map's colours, the same on every image; empty finds them in
        the maps.
    """

    values: Array = field(kw_only=True)
    names: tuple[str, ...] = field(kw_only=True)
    tops: tuple[float, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        need(self.values, 3, self.title)
        if len(self.names) != self.values.shape[0]:
            raise BadInput(f"{self.title}: {len(self.names)} names for {len(self.values)} maps.")
        if len(self.tops) not in (0, len(self.names)):
            raise BadInput(f"{self.title}: {len(self.tops)} ends for {len(self.values)} maps.")
