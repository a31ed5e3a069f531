"""Scenes that the project makes itself: a hyperspectral valley and a burning slope.

Everything is drawn by formula from a seed; no measured spectrum and no picture
of anybody is inside. Good for trying things out, not for judging a method:
simulated classes are easier than real ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from backends.jobs import Progress
from backends.simulate.files import write_scene
from backends.simulate.fire import simulate_fire
from backends.simulate.ground import SimulatedScene
from backends.simulate.spectra import CLASSES, sensor_bands, spectra
from backends.simulate.valley import simulate_valley

if TYPE_CHECKING:
    from backends.scene import Scene

__all__ = [
    "CLASSES",
    "SimulatedScene",
    "demo_scene",
    "home",
    "make_demo_scene",
    "make_thermal_scene",
    "sensor_bands",
    "simulate_fire",
    "simulate_valley",
    "spectra",
]

# Raised whenever the formulas change, so that cached scenes are made anew.
VERSION = 2


def home() -> Path:
    """Return the folder where made scenes are kept: ``CLEARBAND_HOME`` or the user's cache."""
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "scenes"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "scenes"


_DEMOS: Mapping[str, tuple[Callable[..., SimulatedScene], str]] = {
    "valley": (simulate_valley, "Simulated valley made by Clearband"),
    "fire": (simulate_fire, "Simulated fire made by Clearband"),
}


def demo_scene(
    name: str = "valley",
    *,
    size: int = 256,
    seed: int = 0,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Path, Path]:
    """Return the demo scene and its truth as files, made on first use.

    Parameters
    ----------
    name : str
        ``"valley"`` or ``"fire"``.
    """
    make, about = _DEMOS[name]
    folder = folder or home()
    stem = f"{name}_{size}_{seed}_v{VERSION}"
    data, labels = folder / f"{stem}.bil", folder / f"{stem}_truth.dat"
    # The image's header is written last: where it is, everything is.
    if not data.with_suffix(".hdr").is_file():
        write_scene(make(size, seed=seed, progress=progress), folder, stem, about)
    return data, labels


def make_demo_scene(*, progress: Progress | None = None) -> Scene:
    """Open the hyperspectral demo scene, made on first use."""
    from backends.io import open_scene

    data, _ = demo_scene("valley", progress=progress)
    scene = open_scene(data)
    scene.with_info(title="Demo valley (simulated)")
    return scene


def make_thermal_scene(*, progress: Progress | None = None) -> Scene:
    """Open the thermal demo scene, made on first use."""
    from backends.io import open_scene

    data, _ = demo_scene("fire", progress=progress)
    scene = open_scene(data)
    scene.with_info(title="Demo fire (simulated)", kind="thermal")
    return scene
