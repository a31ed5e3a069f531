"""Named scenes for ``bench hsi``: opened from the real data, made, or downloaded on request."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import MissingCapability, WrongUse

if TYPE_CHECKING:
    from backends.io.labels import Labels
    from backends.scene import Scene

TILE = 32


@dataclass(frozen=True, eq=False)
class Opened:
    """A scene, its truth, and what to write beside figures measured on it."""

    scene: Scene
    labels: Labels
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchScene:
    """A scene by name.

    Attributes
    ----------
    about : str
    separate : str
        The protocol that stands beside random pixels: one with test pixels apart.
    open : callable
    """

    about: str
    separate: str
    open: Callable[[], Opened]


def data_folder() -> Path:
    """Return the folder of real data.

    Raises
    ------
    MissingCapability
        It is not set.
    """
    folder = os.environ.get("CLEARBAND_DATA")
    if not folder or not Path(folder).is_dir():
        raise MissingCapability(
            "The real data are not here.", way_out="Set CLEARBAND_DATA to their folder."
        )
    return Path(folder)


def _window() -> Opened:
    from backends.io import open_scene
    from backends.io.labels import open_labels

    folder = data_folder() / "hsi" / "indian_pines"
    path = folder / "Indian_subset.mat"
    options = {"key": "Indian_subset", "wavelengths": str(folder / "92AV3C.spc")}
    return Opened(open_scene(path, options), open_labels(path, {"key": "gt"}))


def _enmap() -> Opened:
    """Lay the tiles out as they lie on the ground; what is not there has no data."""
    from backends.io import open_scene
    from backends.io.labels import Labels
    from backends.palette import class_colors
    from backends.scene import ArraySource, Scene, SceneInfo

    folder = data_folder() / "hsi" / "enmap_potsdam"
    paths = sorted((folder / "images").glob("*.tif"))
    if not paths:
        raise MissingCapability("The EnMAP tiles are not here.", way_out="See the data's README.")
    places = [tuple(int(v) for v in path.stem.split("_")[-2:]) for path in paths]  # x, y
    left, top = (min(axis) for axis in zip(*places, strict=True))
    cols, rows = (max(axis) for axis in zip(*places, strict=True))
    cube, bands = None, None
    gt = np.zeros((rows - top + TILE, cols - left + TILE), np.uint8)
    for path, (x, y) in zip(paths, places, strict=True):
        at = np.s_[y - top : y - top + TILE, x - left : x - left + TILE]
        with open_scene(path) as tile:
            if cube is None:
                bands = tile.info.bands
                cube = np.full((*gt.shape, tile.shape[2]), np.nan, np.float32)
            cube[at] = tile.read()
        with open_scene(folder / "labels" / path.name) as tile:
            gt[at] = np.nan_to_num(tile.read()[:, :, 0]).astype(np.uint8)
    assert cube is not None
    assert bands is not None
    names = ("Roof", "Pavement", "Low vegetation", "Tree", "Soil", "Water")
    classes = dict(enumerate(names, 1))
    info = SceneInfo(None, "hyperspectral", bands, title="EnMAP Potsdam, 12 tiles")
    labels = Labels(gt, classes, class_colors(classes))
    return Opened(Scene(ArraySource(cube), info), labels, {"tiles": len(paths)})


def _pavia_semi() -> Opened:
    from backends.hyperspectral.semi_synthetic import described, pavia_university
    from backends.io import open_scene
    from backends.io.labels import open_labels

    image, truth = pavia_university(data_folder() / "hsi" / "pavia")
    return Opened(open_scene(image), open_labels(truth), described(0))


def _literature(scene_id: str) -> Opened:
    from backends.io.labels import open_labels
    from backends.literature import literature, open_literature

    wanted = next(scene for scene in literature() if scene.id == scene_id)
    scene = open_literature(wanted)
    labels = open_labels(wanted.label_path, dict(wanted.label_options or {}))
    return Opened(scene, labels, {"source": wanted.source, "licence": wanted.licence})


SCENES: dict[str, BenchScene] = {
    "indian_pines_window": BenchScene(
        "Indian Pines, 70 × 70 pixels, 200 bands, 4 classes", "HALVES", _window
    ),
    "enmap_potsdam": BenchScene(
        "EnMAP Potsdam, 12 tiles of 32 × 32 pixels, 6 classes", "TILES", _enmap
    ),
    "pavia_university_semi": BenchScene(
        "Pavia University, semi-synthetic, 610 × 340 pixels, 103 bands, 9 classes",
        "DISJ",
        _pavia_semi,
    ),
    **{
        name: BenchScene(f"{title}, downloaded when asked for", "DISJ", partial(_literature, key))
        for name, (title, key) in {
            "indian_pines": ("Indian Pines", "indian_pines_full"),
            "pavia_university": ("Pavia University", "pavia_university"),
            "salinas": ("Salinas", "salinas"),
            "ksc": ("Kennedy Space Center", "ksc"),
            "botswana": ("Botswana", "botswana"),
            "houston_2013": ("Houston 2013", "houston_2013"),
        }.items()
    },
}


def bench_scene(name: str) -> BenchScene:
    """Return a scene by name.

    Raises
    ------
    WrongUse
        There is none of that name.
    """
    if name not in SCENES:
        raise WrongUse(
            f"There is no scene called {name}.", way_out=f"Choose one of: {', '.join(SCENES)}."
        )
    return SCENES[name]
