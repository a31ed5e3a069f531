"""A small valley in memory, for whatever is trained on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from backends.io.labels import Labels
from backends.scene import ArraySource, Scene, SceneInfo
from backends.simulate import simulate_valley


class Valley(NamedTuple):
    """A scene with its truth."""

    scene: Scene
    labels: Labels
    cube: Any
    bands: Any

    def other(self, cube: Any = None, bands: Any = None, title: str = "Other valley") -> Scene:
        """Return another scene of the sensor."""
        info = SceneInfo(None, "hyperspectral", bands or self.bands, title=title)
        return Scene(ArraySource(self.cube if cube is None else cube), info)


@pytest.fixture(scope="session")
def small_valley() -> Valley:
    """Return 48 by 48 pixels of 40 bands with every pixel labelled."""
    made = simulate_valley(48, bands=40)
    info = SceneInfo(None, "hyperspectral", made.bands, title="Valley")
    scene = Scene(ArraySource(np.asarray(made.cube)), info)
    return Valley(
        scene, Labels(made.labels, dict(made.class_names), {}), np.asarray(made.cube), made.bands
    )
