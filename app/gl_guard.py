"""One mend for vispy: vertex arrays are switched off again after each drawing.

Vispy leaves them on. When a layer goes, its buffers go with it, and Mesa's software
OpenGL reads the arrays that are still on through the address that was left: the
process dies. Other drivers look only at what the shader uses.
"""

from __future__ import annotations

from typing import Any


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
