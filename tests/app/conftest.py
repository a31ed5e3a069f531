"""A window of its own for each test that asks, closed with all its threads afterwards."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QCoreApplication, QEvent

from backends.bands import BandTable
from backends.errors import ClearbandError
from backends.georeference import GeoReference
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Workspace

MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene() -> MakeScene:
    """Return a maker of small scenes in memory with wavelengths and a place."""

    def make(
        rows: int = 24, cols: int = 32, bands: int = 30, title: str = "Field", **info: Any
    ) -> Scene:
        rng = np.random.default_rng(bands)
        cube = rng.integers(0, 4000, (rows, cols, bands)).astype(np.uint16)
        nm = np.linspace(420, 2400, bands)
        good = np.abs(nm - 1400) > 40
        facts: dict[str, Any] = {
            "path": None,
            "kind": "hyperspectral",
            "bands": BandTable.build(bands, wavelength_nm=nm, good=good),
            "title": title,
            "place": GeoReference((10.0, 0.0, 367_000.0, 0.0, -10.0, 5_812_000.0), "EPSG:32633"),
        }
        return Scene(ArraySource(cube), SceneInfo(**{**facts, **info}))

    return make


@dataclass
class Desk:
    """A canvas without a window: napari's model, a workspace, and what was said."""

    viewer: Any
    workspace: Workspace
    canvas: Any
    errors: list[ClearbandError]


@pytest.fixture
def desk(qapp: Any) -> Iterator[Desk]:
    """Return a canvas whose jobs run at once; a hundred times faster than a window."""
    from napari.components import ViewerModel

    from app.canvas import Canvas

    errors: list[ClearbandError] = []
    viewer, workspace = ViewerModel(), Workspace()
    made = Desk(viewer, workspace, Canvas(viewer, workspace, errors.append), errors)
    yield made
    made.canvas.close()
    workspace.close()
    viewer._layer_slicer.shutdown()


@pytest.fixture
def put(desk: Desk) -> Callable[..., Scene]:
    """Return a function that gives the canvas a scene."""

    def give(scene: Scene) -> Scene:
        desk.workspace.add_scene(scene)
        return scene

    return give


@pytest.fixture
def window(make_napari_viewer: Any, qtbot: Any) -> Iterator[Any]:
    """Return a hidden window on napari's test viewer."""
    yield from _windows(make_napari_viewer, qtbot, show=False)


@pytest.fixture
def shown_window(make_napari_viewer: Any, qtbot: Any) -> Iterator[Any]:
    """Return a window on the screen, 1600 by 1000."""
    yield from _windows(make_napari_viewer, qtbot, show=True)


def _windows(make_napari_viewer: Any, qtbot: Any, *, show: bool) -> Iterator[Any]:
    from napari._qt.qt_viewer import QtViewer

    from app.window import build

    made = build(show=show, viewer=make_napari_viewer())
    if show:
        made.qt_window.resize(1600, 1000)
        qtbot.waitExposed(made.qt_window)
    yield made
    made.close()
    # pytest keeps the value of a fixture for longer than napari waits for its viewer to go.
    vars(made).clear()
    # Qt deletes the window in one round of its loop, what its signals held in the next ones.
    for _ in range(20):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
        gc.collect()
        if not QtViewer._instances:
            break


@pytest.fixture
def open_scene(qtbot: Any) -> Callable[[Any, Scene], Scene]:
    """Return a function that gives a window a scene and waits for its full picture."""

    def give(window: Any, scene: Scene) -> Scene:
        window.opener.open_scene(scene)
        wait_for_picture(qtbot, window, scene)
        return scene

    return give


def wait_for_picture(qtbot: Any, window: Any, scene: Scene) -> None:
    """Wait until the full picture of a scene is on the canvas."""

    def there() -> bool:
        shown = window.canvas.pictures.shown(scene.id)
        return shown is not None and not shown.coarse

    qtbot.waitUntil(there, timeout=10_000)


def write_envi(path: Path, cube: np.ndarray, **header: str) -> Path:
    """Write a small BIP cube with its header and return the path of the data."""
    rows, cols, bands = cube.shape
    types = {"uint8": 1, "int16": 2, "float32": 4, "uint16": 12}
    lines = {
        "samples": cols,
        "lines": rows,
        "bands": bands,
        "header offset": 0,
        "data type": types[cube.dtype.name],
        "interleave": "bip",
        "byte order": 0,
        **header,
    }
    text = "ENVI\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
    path.with_suffix(".hdr").write_text(text, encoding="ascii")
    path.write_bytes(np.ascontiguousarray(cube).tobytes())
    return path
