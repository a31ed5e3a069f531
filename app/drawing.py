"""What the user draws: training labels, regions and pins, each step one undo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.painting import Painting, follow_eye
from app.stage import Rank, Stage
from backends.palette import key_color
from backends.regions import Outline, Region
from backends.scene import Scene
from backends.workspace import Pin, Workspace
from widgets.boards import LABELS, PINS, REGIONS, LayerBoard, Row

PAN, PAINT, ERASE, LASSO = "pan_zoom", "paint", "erase", "add_polygon_lasso"
# How a region is drawn, by the name of the tool.
OUTLINES = {
    "lasso": LASSO, "polygon": "add_polygon", "ellipse": "add_ellipse", "box": "add_rectangle",
}  # fmt: skip
_AROUND = 64  # points of an ellipse
_LEAST_PX = 0.25  # a click without a drag is no region


class Drawing:
    """Keeps the layers of labels, regions and pins in step with the workspace.

    Parameters
    ----------
    workspace : Workspace
    stage : Stage
    board : LayerBoard
    """

    def __init__(self, workspace: Workspace, stage: Stage, board: LayerBoard) -> None:
        self.workspace, self.stage, self.board = workspace, stage, board
        self.painting = Painting(workspace, stage, board)
        self._regions: dict[str, Any] = {}
        # Of each shape on the canvas: its region, the piece of it, the ring of that (0: outer).
        self._rings: dict[str, list[tuple[str, int, int]]] = {}
        self._pins: dict[str, Any] = {}
        self._following = False
        workspace.regions_changed.connect(self._on_regions)
        workspace.pins_changed.connect(self._on_pins)
        board.row_changed.connect(self._on_row)
        board.class_asked.connect(self._on_class_asked)
        stage.on_taken.append(self._on_taken)

    # -- tools ---------------------------------------------------------------------------

    @property
    def tool(self) -> str:
        """Name of the tool in hand: ``"pan_zoom"``, ``"paint"``, ``"erase"`` or the lasso's."""
        for table in (self.painting.layers, self._regions):
            layer = table.get(self.stage.shown or "")
            if layer is not None and str(layer.mode) != PAN:
                return str(layer.mode)
        return PAN

    @property
    def label(self) -> int:
        """The class that the brush paints."""
        layer = self.painting.layers.get(self.stage.shown or "")
        return 1 if layer is None else int(layer.selected_label)

    def brush(self, scene: Scene, *, erase: bool = False) -> None:
        """Take the brush, or the eraser, in hand."""
        layer = self.painting.layer(scene)
        self.put_down()
        self.stage.viewer.layers.selection.active = layer
        self.board.change(scene.id, LABELS, visible=True)
        self.board.activate(scene.id, LABELS)
        layer.brush_size = self.painting.brush_size
        layer.mode = ERASE if erase else PAINT
        if not erase:
            self.choose_label(scene, max(1, self.label))

    def lasso(self, scene: Scene, tool: str = "lasso") -> None:
        """Take the lasso, or another of `OUTLINES`, for a new region in hand."""
        layer = self._region_layer(scene)
        self.put_down()
        self.stage.viewer.layers.selection.active = layer
        self.board.change(scene.id, REGIONS, visible=True)
        layer.mode = OUTLINES[tool]

    def put_down(self) -> bool:
        """Go back to moving the view; False when nothing was in hand."""
        held = self.tool != PAN
        for table in (self.painting.layers, self._regions, self._pins):
            layer = table.get(self.stage.shown or "")
            if layer is not None and str(layer.mode) != PAN:
                layer.mode = PAN
        return held

    def choose_label(self, scene: Scene, value: int) -> None:
        """Paint with a class; a class that has no name yet gets one."""
        sheet = self.workspace.label_sheet(scene.id)
        if value not in sheet.class_names:
            self.painting.name_class(scene.id, value, f"Class {value}", undoable=False)
        layer = self.painting.layer(scene)
        layer.selected_label = value

    def _on_class_asked(self, scene_id: str, value: int, name: str) -> None:
        scene = self.workspace.scenes.get(scene_id)
        if scene is None:
            return
        sheet = self.workspace.label_sheet(scene_id)
        if name and sheet.class_names.get(value) != name:
            self.painting.name_class(scene_id, value, name)
        self.choose_label(scene, value)

    def resize_brush(self, step: int) -> int:
        """Make the brush larger or smaller and return its size in pixels."""
        self.painting.brush_size = int(min(200, max(1, self.painting.brush_size + step)))
        layer = self.painting.layers.get(self.stage.shown or "")
        if layer is not None:
            layer.brush_size = self.painting.brush_size
        return self.painting.brush_size

    def forget(self, scene_id: str) -> None:
        """Drop what belongs to a closed scene."""
        for table in (self.painting.layers, self._regions, self._rings, self._pins):
            table.pop(scene_id, None)  # type: ignore[attr-defined]

    # -- regions -------------------------------------------------------------------------

    def _region_layer(self, scene: Scene) -> Any:
        layer = self._regions.get(scene.id)
        if layer is not None:
            return layer
        from napari.layers import Shapes

        frame = self.stage.frame(scene)
        rows, cols, _ = scene.shape
        layer = Shapes(
            ndim=2,
            name="Regions",
            scale=frame.scale(),
            units=frame.units,
            edge_width=max(0.75, max(rows, cols) / 400),
            edge_color=key_color(self.workspace.next_color()),
            face_color="transparent",
        )
        layer.events.data.connect(lambda event, s=scene.id: self._on_shapes(s, event))
        follow_eye(self.board, layer, scene.id, REGIONS)
        self._regions[scene.id] = layer
        self._rings[scene.id] = []
        self.stage.add(scene, layer, Rank.REGIONS)
        return layer

    def _on_regions(self) -> None:
        for scene in list(self.workspace.scenes.values()):
            mine = [r for r in self.workspace.regions.values() if r.scene_id == scene.id]
            if mine or scene.id in self._regions:
                self._show_regions(scene, mine)

    def _show_regions(self, scene: Scene, mine: list[Region]) -> None:
        layer = self._region_layer(scene)
        mode = str(layer.mode)
        self._following = True
        try:
            layer.selected_data = set()
            layer.data = []
            rings = [
                (r, piece, at, ring)
                for r in mine
                for piece, outline in enumerate(r.outlines)
                for at, ring in enumerate(outline.rings)
            ]
            if rings:
                layer.add(
                    [np.asarray(ring, np.float64) for *_, ring in rings],
                    shape_type="polygon",
                    edge_width=layer.current_edge_width,
                    edge_color=[r.shown_color for r, *_ in rings],
                    # A face would cover the holes, which are shapes of their own here.
                    face_color=[
                        r.shown_color + ("00" if at or r.outlines[piece].holes else "26")
                        for r, piece, at, _ in rings
                    ],
                )
            layer.current_edge_color = key_color(self.workspace.next_color())
            layer.mode = mode
        finally:
            self._following = False
        self._rings[scene.id] = [(r.id, piece, at) for r, piece, at, _ in rings]
        if not mine:
            self.board.take(scene.id, REGIONS)
            return
        before = self.board.row(scene.id, REGIONS)
        row = Row(
            REGIONS,
            "Regions",
            f"{len(mine)} drawn",
            swatch=tuple(dict.fromkeys(r.shown_color for r in mine))[:4],
            visible=before.visible if before else True,
            opacity=before.opacity if before else 1.0,
            tooltip="\n".join(r.name for r in mine[:20]),
            removable=False,
        )
        at = sum(1 for r in self.board.rows(scene.id) if r.id == PINS)
        self.board.put(scene.id, row, at=at)

    def _on_shapes(self, scene_id: str, event: Any) -> None:
        """The user drew, moved or deleted an outline on the canvas."""
        action = str(getattr(event, "action", "")).lower().rsplit(".", 1)[-1]
        if self._following or action not in ("added", "changed", "removed"):
            return
        layer = self._regions.get(scene_id)
        if layer is None:
            return
        outlines = [np.asarray(ring, np.float64).copy() for ring in layer.data]
        known = self._rings.get(scene_id, [])
        if action == "added" and len(outlines) == len(known) + 1:
            drawn = _as_drawn(outlines[-1], str(layer.shape_type[-1]))
            # A new list of shapes may not be set from inside napari's own drawing.
            self.workspace.dispatch(lambda: self._add_region(scene_id, drawn))
        elif action == "changed" and len(outlines) == len(known):
            self.workspace.dispatch(lambda: self._change_regions(known, outlines))
        elif action == "removed" and len(outlines) < len(known):
            self.workspace.dispatch(lambda: self._remove_rings(known, outlines))

    def _add_region(self, scene_id: str, outline: NDArray[np.float64]) -> None:
        scene = self.workspace.scenes.get(scene_id)
        if scene is None:
            return
        used = {r.name for r in self.workspace.regions.values()}
        number = next(n for n in range(1, len(used) + 2) if f"Region {n}" not in used)
        color = self.workspace.next_color()
        drawn = Region(f"Region {number}", scene_id, outline, color) if len(outline) > 2 else None
        if drawn is None or drawn.area_px < _LEAST_PX:
            self._on_regions()  # napari keeps what it drew
        else:
            self.workspace.add_region(drawn)

    def _change_regions(
        self, known: list[tuple[str, int, int]], outlines: list[NDArray[np.float64]]
    ) -> None:
        moved: dict[str, dict[tuple[int, int], NDArray[np.float64]]] = {}
        for (region_id, piece, at), outline in zip(known, outlines, strict=True):
            region = self.workspace.regions.get(region_id)
            if region is None or len(region.outlines) <= piece:
                continue
            rings = region.outlines[piece].rings
            if at < len(rings) and not np.array_equal(rings[at], outline):
                moved.setdefault(region_id, {})[piece, at] = outline
        with self.workspace.commands.bundle("Move region"):
            for region_id, rings in moved.items():
                self._reshape(region_id, rings)

    def _remove_rings(
        self, known: list[tuple[str, int, int]], outlines: list[NDArray[np.float64]]
    ) -> None:
        """Take away regions, pieces of them or holes, whose shapes were deleted."""
        gone: dict[str, dict[tuple[int, int], None]] = {}
        for region_id, piece, at in known:
            region = self.workspace.regions.get(region_id)
            if region is None or len(region.outlines) <= piece:
                continue
            ring = region.outlines[piece].rings[at]
            if not any(np.array_equal(ring, outline) for outline in outlines):
                gone.setdefault(region_id, {})[piece, at] = None
        with self.workspace.commands.bundle("Delete region"):
            for region_id, rings in gone.items():
                self._reshape(region_id, rings)

    def _reshape(
        self, region_id: str, rings: Mapping[tuple[int, int], NDArray[np.float64] | None]
    ) -> None:
        """Give a region other rings; None takes one away, an outer one with its holes."""
        region = self.workspace.regions[region_id]
        pieces = []
        for piece, outline in enumerate(region.outlines):
            outer, *holes = (rings.get((piece, at), ring) for at, ring in enumerate(outline.rings))
            if outer is not None:
                pieces.append(Outline(outer, tuple(hole for hole in holes if hole is not None)))
        if not pieces:
            self.workspace.remove_region(region_id)
            return
        first, *rest = pieces
        self.workspace.change_region(
            region_id, vertices=first.exterior, holes=first.holes, more=tuple(rest)
        )

    # -- pins ----------------------------------------------------------------------------

    def pin(self, scene: Scene, row: int, col: int) -> None:
        """Keep the spectrum of a pixel."""
        self.workspace.pin_here(scene.id, row, col)

    def _on_pins(self) -> None:
        for scene in list(self.workspace.scenes.values()):
            mine = [p for p in self.workspace.pins.values() if p.scene_id == scene.id]
            if mine or scene.id in self._pins:
                self._show_pins(scene, mine)

    def _show_pins(self, scene: Scene, mine: list[Pin]) -> None:
        from napari.layers import Points

        old = self._pins.pop(scene.id, None)
        if old is not None:
            self.stage.remove(scene.id, old)
        if not mine:
            self.board.take(scene.id, PINS)
            return
        frame = self.stage.frame(scene)
        before = self.board.row(scene.id, PINS)
        rows, cols, _ = scene.shape
        layer = Points(
            np.array([[p.row, p.col] for p in mine], np.float64),
            name="Pins",
            size=max(2.0, max(rows, cols) / 80),
            face_color=[key_color(p.color) for p in mine],
            border_color="white",
            border_width=0.15,
            symbol="disc",
            # Seen from far and from near; software OpenGL dies of points larger than the canvas.
            canvas_size_limits=(6, 32),
            scale=frame.scale(),
            units=frame.units,
            visible=before.visible if before else True,
            opacity=before.opacity if before else 1.0,
        )
        layer.editable = False
        follow_eye(self.board, layer, scene.id, PINS)
        self._pins[scene.id] = layer
        active = self.stage.viewer.layers.selection.active
        self.stage.add(scene, layer, Rank.PINS)
        if active is not None and active in self.stage.viewer.layers:
            self.stage.viewer.layers.selection.active = active
        row = Row(
            PINS,
            "Pins",
            f"{len(mine)} pinned",
            swatch=tuple(key_color(p.color) for p in mine[:4]),
            visible=bool(layer.visible),
            opacity=float(layer.opacity),
            tooltip="\n".join(p.name for p in mine[:20]),
            removable=False,
        )
        self.board.put(scene.id, row, at=0)

    # -- rows ----------------------------------------------------------------------------

    def _on_row(self, scene_id: str, row_id: str) -> None:
        table = {LABELS: self.painting.layers, REGIONS: self._regions, PINS: self._pins}.get(row_id)
        layer = table.get(scene_id) if table is not None else None
        row = self.board.row(scene_id, row_id)
        if layer is not None and row is not None:
            layer.visible, layer.opacity = row.visible, row.opacity

    def _on_taken(self, scene_id: str, layer: Any) -> None:
        """A layer was deleted with napari's own list: what was drawn stays in the workspace."""
        for table, row_id in (
            (self.painting.layers, LABELS),
            (self._regions, REGIONS),
            (self._pins, PINS),
        ):
            if table.get(scene_id) is layer:
                del table[scene_id]
                self.board.take(scene_id, row_id)


def _as_drawn(outline: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """Return an outline; of an ellipse, whose shape has the corners around it, its own points."""
    if kind != "ellipse":
        return outline
    turn = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)[:, None]
    centre = outline.mean(axis=0)
    across, down = (outline[1] - outline[0]) / 2, (outline[3] - outline[0]) / 2
    return np.asarray(centre + np.cos(turn) * across + np.sin(turn) * down)
