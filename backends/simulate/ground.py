"""What simulated scenes share: their record, and random fields to draw with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.georeference import GeoReference


@dataclass(frozen=True, eq=False)
class SimulatedScene:
    """A made-up scene with its truth.

    Attributes
    ----------
    cube : int16 or uint16 array of shape (rows, cols, bands)
        ``unit`` = value × ``gain``.
    labels : uint8 array of shape (rows, cols)
        1 to the number of classes; 0 on mixed pixels between fields.
    bands : BandTable
    place : GeoReference
    class_names : dict of int to str
    gain : float
    unit : str
    """

    cube: NDArray[Any]
    labels: NDArray[np.uint8]
    bands: BandTable
    place: GeoReference
    class_names: dict[int, str]
    gain: float
    unit: str


def soft(
    size: int, rng: np.random.Generator, waves: int, *, smooth: float = 0.0
) -> NDArray[np.float64]:
    """Return a soft random field between about -1 and 1, shape (size, size).

    Parameters
    ----------
    waves : int
        Hills on the way through the field.
    smooth : float
        Further Gaussian blur, in pixels of a field 256 wide.
    """
    from scipy.ndimage import gaussian_filter, zoom

    field = zoom(rng.normal(size=(waves, waves)), size / waves, order=3)[:size, :size]
    if smooth:
        field = gaussian_filter(field, smooth * size / 256)
    return np.asarray(field / max(1e-6, float(np.abs(field).max())))


def nearest_point(size: int, rng: np.random.Generator, count: int) -> NDArray[np.intp]:
    """Return the number of the nearest of ``count`` random points, shape (size, size)."""
    from scipy.spatial import cKDTree

    y, x = np.mgrid[0:size, 0:size] / size
    _, nearest = cKDTree(rng.random((count, 2))).query(np.stack([y, x], -1).reshape(-1, 2))
    return np.asarray(nearest.reshape(size, size))
