"""What ``bench open`` does in a window: from the wish to the painted picture.

Both windows stand before the clock starts; both show the same three bands.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from app.bench.rss import Peak

BANDS = (90, 50, 20)
_COLORS = ("red", "green", "blue")


def clearband(path: str, check: bool) -> dict[str, Any]:
    """Open the file in Clearband's window, as File > Open does."""
    from qtpy.QtCore import QEventLoop

    from app.window import build

    window = build(show=True)
    _settle()
    pictures, loop = window.canvas.pictures, QEventLoop()
    pictures.shown_changed.connect(lambda _: loop.quit())
    peak, started = Peak(), time.perf_counter()
    window.open_paths([path])
    coarse = 0.0
    shown = None
    while shown is None or shown.coarse:
        loop.exec()  # as the window does: it sleeps until something happens
        shown = pictures.shown(window.workspace.active_scene.id)
        if shown is not None and shown.coarse:
            _paint(window.viewer)
            coarse = coarse or time.perf_counter() - started
    _paint(window.viewer)
    seconds = time.perf_counter() - started
    answer = {"seconds": seconds, "coarse": coarse or seconds, "rss": peak.growth(), "check": ""}
    if check:
        picture = window.canvas.composites.picture(window.workspace.active_scene.id)
        answer["check"] = _check(np.stack(picture.planes))
    window.close()
    return answer


def napari(path: str, check: bool) -> dict[str, Any]:
    """Bare napari on a memory map: three additive layers, limits given, nothing computed."""
    import napari as bare

    side = round((Path(path).stat().st_size / 800) ** 0.5)
    order = Path(path).suffix[1:]
    shape = {"bsq": (400, side, side), "bil": (side, 400, side), "bip": (side, side, 400)}[order]
    axis = {"bsq": 0, "bil": 1, "bip": 2}[order]
    viewer = bare.Viewer(show=True)
    _settle()
    peak, started = Peak(), time.perf_counter()
    cube = np.memmap(path, np.int16, "r", shape=shape)
    planes = [np.take(cube, band, axis=axis) for band in BANDS]
    for plane, color in zip(planes, _COLORS, strict=True):
        viewer.add_image(plane, colormap=color, blending="additive", contrast_limits=(0, 4500))
    _paint(viewer)
    answer = {"seconds": time.perf_counter() - started, "rss": peak.growth(), "check": ""}
    if check:
        answer["check"] = _check(np.stack([layer.data for layer in viewer.layers]))
    viewer.close()
    return answer


def _settle() -> None:
    """Let the window stand for two seconds: nobody finds a file sooner."""
    from qtpy.QtWidgets import QApplication

    end = time.perf_counter() + 2.0
    while time.perf_counter() < end:
        QApplication.processEvents()


def _paint(viewer: Any) -> None:
    """Draw the canvas now and wait for the pixels: read one back."""
    viewer.window._qt_viewer.canvas.native.grabFramebuffer()


def _check(planes: Any) -> str:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(planes.astype(np.int16)).tobytes()).hexdigest()
