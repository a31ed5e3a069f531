"""File > Export: the dialog with what only the window knows, and the canvas as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.actions import Action
from app.followed import wait_until_sharp
from backends.areas import ClassArea
from backends.export import CanvasShot
from backends.io.writers.page import ColorBar, LegendEntry
from backends.io.writers.placing import north
from backends.io.writers.png import origin_lines
from backends.io.writers.tags import SOFTWARE
from backends.scene import Scene
from widgets.boards import ColorScale
from widgets.export_dialog import ExportDialog

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

_UNITS = {"m": "m", "mm": "mm", "um": "µm"}


def add_actions(window: ClearbandWindow) -> None:
    """Put File > Export into the table."""
    window.actions.add(
        Action(
            "file.export",
            "Export…",
            lambda: ask(window),
            "File",
            "Ctrl+E",
            50,
            enabled=window.has_scene,
            help="Write a layer, a report, spectra or the canvas to a file.",
        )
    )


def ask(window: ClearbandWindow) -> ExportDialog:
    """Open the dialog."""
    workspace, canvas = window.workspace, window.canvas
    recipes = {}
    for scene_id in workspace.scenes:
        recipe = canvas.pictures.wanted(scene_id)
        if recipe is not None:
            recipes[scene_id] = recipe
    opacities = {
        row.id: row.opacity
        for scene_id in workspace.scenes
        for row in canvas.board.rows(scene_id)
        if row.id in workspace.overlays
    }
    dialog = ExportDialog(
        workspace,
        window.qt_window,
        grab=lambda: grab(window),
        recipes=recipes,
        opacities=opacities,
        session=window.sessions.path,
        done=lambda path: window.tell(f"{path.name} was written.", "info"),
    )
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog


def grab(window: ClearbandWindow) -> CanvasShot:
    """Return what the canvas shows now, in full, with its scale, legend and origin."""
    wait_until_sharp(window.viewer.layers)
    rgb = np.asarray(window.viewer.screenshot(canvas_only=True, flash=False), np.uint8)
    scene = window.workspace.active_scene
    if scene is None:
        return CanvasShot(rgb)
    overlay = window.workspace.active_overlay
    if overlay is not None and overlay.scene_id != scene.id:
        overlay = None
    legend: list[LegendEntry] = []
    bar = None
    row = None if overlay is None else window.canvas.board.row(scene.id, overlay.id)
    known = None if row is None else window.canvas.board.legend(scene.id, row.id)
    if row is not None and row.visible and isinstance(known, ColorScale):
        note = "stretched" if known.stretched else ""
        bar = ColorBar(known.colormap, (known.low, known.high), known.unit, note)
    elif row is not None and row.visible and known is not None:
        areas = [area for area in known if isinstance(area, ClassArea)]
        legend = [LegendEntry(a.color, a.name, a.area_text()) for a in areas]
    lines = [f"{scene.title} · {SOFTWARE}"]
    if overlay is not None and row is not None and row.visible:
        lines = origin_lines(overlay, scene)
    return CanvasShot(
        rgb,
        scene.title,
        _pixel(window, scene, rgb.shape[1]),
        north(scene),
        legend,
        bar,
        lines,
    )


def _pixel(window: ClearbandWindow, scene: Scene, columns: int) -> tuple[float, str] | None:
    """Return how wide a pixel of the picture is on the ground."""
    unit = _UNITS.get(window.canvas.stage.frame(scene).unit)
    zoom = float(window.viewer.scene.camera.zoom)
    if unit is None or zoom <= 0:
        return None
    # Zoom counts logical pixels; a dense screen has more of its own.
    logical = window.viewer.canvas.size[1]
    return logical / columns / zoom, unit
