"""Two mends for OpenGL: one window system for all that draw, one context for all that vispy does.

On Linux, Qt and PyOpenGL each guess the window system; where they guess differently
(Wayland beside X11) nothing can be drawn.

When a layer goes, napari tells vispy to delete its shaders at once, whatever context is
current just then, often that of Qt's own compositor. Mesa's software OpenGL then unbinds
the shader of the next drawing behind that context's back, and the process dies.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def agree_on_window_system() -> None:
    """Let Qt and PyOpenGL use the same window system; call it before either is imported."""
    if not sys.platform.startswith("linux"):
        return
    if os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
    if os.environ.get("QT_QPA_PLATFORM") == "xcb":
        os.environ.setdefault("PYOPENGL_PLATFORM", "x11")


def guard_context() -> None:
    """Make vispy use the canvas's own context, also outside of drawing; twice is fine."""
    from PyQt6.QtGui import QOpenGLContext
    from vispy.gloo.context import GLContext

    plain = GLContext.flush_commands
    if getattr(plain, "is_guarded", False):
        return

    def flush_commands(context: Any, event: Any = None) -> None:
        backend = next((b for b in (ref() for ref in context.shared._refs) if b is not None), None)
        mine = backend.context() if hasattr(backend, "makeCurrent") else None
        if mine is not None and QOpenGLContext.currentContext() is not mine:
            backend._vispy_set_current()
        plain(context, event)

    flush_commands.is_guarded = True  # type: ignore[attr-defined]
    GLContext.flush_commands = flush_commands
