"""Two mends for OpenGL: one window system for all that draw, and no stray vertex arrays.

On Linux, Qt and PyOpenGL each guess the window system; where they guess differently
(Wayland beside X11) nothing can be drawn.

Vispy leaves vertex arrays on. When a layer goes, its buffers go with it, and Mesa's
software OpenGL reads the arrays that are still on through the address that was left: the
process dies. Other drivers look only at what the shader uses.
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


def guard_vertex_arrays() -> None:
    """Make vispy switch off the vertex arrays that a drawing used; twice is fine."""
    from vispy.gloo import gl, glir

    plain = glir.GlirProgram._post_draw
    if getattr(plain, "is_guarded", False):
        return

    def post_draw(program: Any) -> None:
        for buffer, place, *_ in program._attributes.values():
            if buffer:
                gl.glDisableVertexAttribArray(place)
        plain(program)

    post_draw.is_guarded = True  # type: ignore[attr-defined]
    glir.GlirProgram._post_draw = post_draw
