"""The perimeter on the canvas: its picture, the stretch in hand, what is drawn with a tool.

The line itself stays exact in shapely and is drawn as plain strokes; only the stretch that is
being edited is a layer of shapes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.stage import Rank, Stage
from backends.perimeters.picture import Ink
from backends.workspace import Workspace
from widgets.boards import LayerBoard, Row
from widgets.perimeter.board import DELETE, INSERT, STRETCH_TOOLS, VERTICES, LineBoard

ROW = "perimeter"
_MODES = {VERTICES: "direct", INSERT: "vertex_insert", DELETE: "vertex_remove"}
# Freehand: an area for an island, a stroke for the rest.
_DRAWN = {"add": "add_path", "cut": "add_path", "split": "add_path", "island": "add_polygon_lasso"}
_HANDLE = "#FFFFFF"


class LineCanvas:
    """Follows a `LineBoard` on the canvas.

    Parameters
    ----------
    workspace : Workspace
    stage : Stage
    board : LayerBoard
        Gets a row for the line.
    lines : LineBoard
    """

    def __init__(
        self, workspace: Workspace, stage: Stage, board: LayerBoard, lines: LineBoard
    ) -> None:
        self.workspace, self.stage, self.board, self.lines = workspace, stage, board, lines
        self._drawn: dict[str, list[Any]] = {}
        self._hand: tuple[str, Any] | None = None
        self._following = False
        lines.inked.connect(self._on_inked)
        lines.tool_changed.connect(self._on_tool)
        lines.stretch_changed.connect(self._on_tool)
        lines.look_asked.connect(self._look)
        board.row_changed.connect(self._on_row)
        workspace.scene_removed.connect(self._on_removed)
        workspace.active_scene_changed.connect(self._on_scene)
        stage.on_taken.append(self._on_taken)

    # -- the picture ---------------------------------------------------------------------

    def _on_inked(self) -> None:
        scene = self.workspace.scenes.get(self.lines.scene_id)
        if scene is None:
            return
        for layer in self._drawn.pop(scene.id, []):
            self.stage.remove(scene.id, layer)
        if not self.lines.inks:
            self.board.take(scene.id, ROW)
            return
        row = self.board.row(scene.id, ROW)
        visible = row.visible if row is not None else True
        made = [layer for ink in self.lines.inks for layer in self._layers(scene, ink)]
        for layer in made:
            layer.visible = visible
            self.stage.add(scene, layer, Rank.LABELS)
        self._drawn[scene.id] = made
        draft = any(ink.words for ink in self.lines.inks)
        words = "DRAFT" if draft else "verified"
        colors = tuple(dict.fromkeys(ink.color for ink in self.lines.inks))[:4]
        self.board.put(
            scene.id,
            Row(ROW, "Perimeter", words, colors, visible, removable=False),
            at=0,
        )
        self._raise_hand()

    def _layers(self, scene: Any, ink: Ink) -> list[Any]:
        from napari.layers import Points, Vectors

        frame = self.stage.frame(scene)
        place = {"scale": frame.scale(), "units": frame.units}
        rows, cols, _ = scene.shape
        width = max(0.5, max(rows, cols) / 500)
        layers: list[Any] = []
        if len(ink.segments):
            data = np.stack((ink.segments[:, 0], ink.segments[:, 1] - ink.segments[:, 0]), axis=1)
            layers.append(
                Vectors(
                    data,
                    name=f"Perimeter: {ink.key}",
                    edge_width=width * ink.width,
                    edge_color=ink.color,
                    vector_style="line",
                    **place,
                )
            )
        if len(ink.points):
            size = (1.5 if ink.symbol == "dot" else 5.0) * width
            layers.append(
                Points(
                    ink.points,
                    name=f"Perimeter: {ink.key}",
                    size=size,
                    face_color=ink.color,
                    border_color="black" if ink.symbol == "disc" else ink.color,
                    border_width=0.35 if ink.symbol == "disc" else 0.0,
                    symbol="diamond" if ink.symbol == "diamond" else "disc",
                    canvas_size_limits=(3, 24),
                    **place,
                )
            )
        if ink.words and ink.places is not None:
            text = {
                "string": list(ink.words),
                "size": 14,
                "color": ink.color,
                "anchor": "lower_left",
            }
            layers.append(
                Points(
                    ink.places,
                    name=f"Perimeter: {ink.words[0]}",
                    size=width,
                    face_color=ink.color,
                    border_width=0,
                    text=text,
                    canvas_size_limits=(2, 4),
                    **place,
                )
            )
        for layer in layers:
            layer.editable = False
        return layers

    # -- the hand ------------------------------------------------------------------------

    def _on_tool(self, *_: object) -> None:
        """Take the layer in hand that the tool needs, or put it down."""
        self._put_down()
        lines = self.lines
        scene = self.workspace.scenes.get(lines.scene_id)
        stretch = lines.tool in STRETCH_TOOLS
        if scene is None or not lines.tool or (stretch and lines.stretch is None):
            return
        from napari.layers import Shapes

        frame = self.stage.frame(scene)
        rows, cols, _ = scene.shape
        width = max(0.4, max(rows, cols) / 700)
        layer = Shapes(
            ndim=2, name="Line in hand", scale=frame.scale(), units=frame.units,
            edge_width=width, edge_color=_HANDLE, face_color="transparent",
        )  # fmt: skip
        if stretch:
            kind = "polygon" if lines.stretch_is_whole else "path"
            layer.add(
                [np.asarray(lines.stretch)], shape_type=kind, edge_width=width,
                edge_color=_HANDLE, face_color="transparent",
            )  # fmt: skip
        self._hand = (scene.id, layer)
        self.stage.add(scene, layer, Rank.REGIONS)
        self._raise_hand()
        layer.mode = _MODES.get(lines.tool) or _DRAWN[lines.tool]
        if stretch:
            layer.selected_data = {0}
        layer.events.data.connect(self._on_data)

    def _raise_hand(self) -> None:
        """Give the mouse to what is in hand."""
        if self._hand is not None:
            layers = self.stage.viewer.layers
            if self._hand[1] in layers:
                layers.selection.active = self._hand[1]

    def _put_down(self) -> None:
        if self._hand is not None:
            scene_id, layer = self._hand
            self._hand = None
            layer.events.data.disconnect(self._on_data)
            if str(layer.mode) != "pan_zoom":
                layer.mode = "pan_zoom"
            self.stage.remove(scene_id, layer)

    def _on_data(self, event: Any) -> None:
        action = str(getattr(event, "action", "")).lower().rsplit(".", 1)[-1]
        if self._hand is None or action not in ("added", "changed"):
            return
        layer, tool = self._hand[1], self.lines.tool
        if not len(layer.data):
            return
        places = np.asarray(layer.data[-1], np.float64).copy()
        # Layers may not be taken away from inside napari's own drawing.
        if tool in STRETCH_TOOLS:
            self.workspace.dispatch(lambda: self.lines.stretch_edited.emit(places))
        elif action == "added":
            self.workspace.dispatch(lambda: self._take_drawn(tool, places))

    def _take_drawn(self, tool: str, places: Any) -> None:
        self._on_tool()  # a fresh layer for the next stroke
        self.lines.drawn.emit(tool, places)

    # -- what else happens ---------------------------------------------------------------

    def _on_row(self, scene_id: str, row_id: str) -> None:
        row = self.board.row(scene_id, row_id)
        if row_id == ROW and row is not None:
            for layer in self._drawn.get(scene_id, []):
                layer.visible = row.visible
                layer.opacity = row.opacity

    def _on_removed(self, scene_id: str) -> None:
        self._drawn.pop(scene_id, None)
        self.lines.forget(scene_id)
        if self._hand is not None and self._hand[0] == scene_id:
            self._hand = None

    def _on_scene(self, scene: Any) -> None:
        if self._hand is not None and (scene is None or scene.id != self._hand[0]):
            self.lines.hold("")

    def _on_taken(self, scene_id: str, layer: Any) -> None:
        """The user deleted a layer with napari's own list: the line stays in its document."""
        made = self._drawn.get(scene_id, [])
        if layer in made:
            made.remove(layer)
        if self._hand is not None and self._hand[1] is layer:
            self._hand = None
            self.lines.hold("")

    def _look(self, scene_id: str, row: float, col: float) -> None:
        scene = self.workspace.scenes.get(scene_id)
        if scene is not None:
            self.stage.look_at(scene, row, col)
