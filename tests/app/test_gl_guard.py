"""OpenGL objects are deleted in the context that made them, whatever is current just then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PyQt6.QtGui import QOffscreenSurface, QOpenGLContext

from app.gl_guard import agree_on_window_system


def test_programs_go_in_the_context_of_the_canvas(
    shown_window: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vispy.gloo import glir

    viewer = shown_window.viewer
    layer = viewer.add_image(np.zeros((20, 30), np.float32))
    qtbot.wait(100)
    canvas = viewer.window._qt_viewer.canvas._scene_canvas.native
    seen = []
    plain = glir.GlirProgram.delete

    def delete(program: Any) -> None:
        seen.append(QOpenGLContext.currentContext() is canvas.context())
        plain(program)

    monkeypatch.setattr(glir.GlirProgram, "delete", delete)
    surface = QOffscreenSurface()
    surface.create()
    other = QOpenGLContext()
    assert other.create()
    assert other.makeCurrent(surface)
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: bool(seen), timeout=3000)
    assert all(seen)
    other.doneCurrent()


def test_one_window_system(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr("sys.platform", "linux")
    for name in ("QT_QPA_PLATFORM", "PYOPENGL_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    agree_on_window_system()
    assert os.environ["QT_QPA_PLATFORM"] == "xcb"
    assert os.environ["PYOPENGL_PLATFORM"] == "x11"
    monkeypatch.setenv("QT_QPA_PLATFORM", "wayland")
    monkeypatch.delenv("PYOPENGL_PLATFORM")
    agree_on_window_system()
    assert "PYOPENGL_PLATFORM" not in os.environ
