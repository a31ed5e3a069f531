"""Small scenes for the fire methods."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from backends.bands import BandTable
from backends.fire.fields import FireImage
from backends.georeference import GeoReference
from backends.scene import ArraySource, Scene, SceneInfo

Maker = Callable[..., FireImage]


def scene_of(
    planes: dict[float, np.ndarray], *, unit: str = "", names: list[str] | None = None,
    pixel_m: float | None = None,
) -> Scene:  # fmt: skip
    """Return a scene in memory from planes by wavelength in nm."""
    cube = np.stack(list(planes.values()), axis=-1)
    bands = BandTable.build(len(planes), wavelength_nm=list(planes), names=names)
    place = None
    if pixel_m is not None:
        place = GeoReference((pixel_m, 0, 5e5, 0, -pixel_m, 4.4e6), "EPSG:32611")
    return Scene(ArraySource(cube), SceneInfo(None, "thermal", bands, unit=unit, place=place))


@pytest.fixture
def calm() -> dict[float, np.ndarray]:
    """Return quiet ground: reflectances and temperatures of 61 by 61 pixels."""
    rng = np.random.default_rng(3)
    shape = (61, 61)
    level = {645: 0.08, 860: 0.20, 2130: 0.10, 3745: 302.0, 10191: 300.0}
    spread = {645: 0.004, 860: 0.004, 2130: 0.004, 3745: 0.5, 10191: 0.4}
    return {
        nm: (value + spread[nm] * rng.normal(size=shape)).astype(np.float32)
        for nm, value in level.items()
    }
