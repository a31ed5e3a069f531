"""Training labels on the canvas: the brush, class names, each stroke one undo."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.overlay_layers import legend_of
from app.overlay_looks import direct_colors
from app.stage import Rank, Stage
from backends.commands import Command
from backends.jobs import Job, Progress
from backends.overlays import ClassMap, Provenance
from backends.palette import class_colors
from backends.scene import Scene
from backends.workspace import LabelSheet, Workspace
from widgets.boards import LABELS, PINS, REGIONS, LayerBoard, Row

LABEL_OPACITY = 0.8
# A brush stroke is undone by its pixels' old values; the part of the image it touched is kept.
_Patch = tuple[tuple[slice, slice], NDArray[np.uint8], NDArray[np.uint8]]


class Painting:
    """Keeps the label layer of each scene in step with the workspace.

    Parameters
    ----------
    workspace : Workspace
    stage : Stage
    board : LayerBoard
    """

    def __init__(self, workspace: Workspace, stage: Stage, board: LayerBoard) -> None:
        self.workspace, self.stage, self.board = workspace, stage, board
        self.layers: dict[str, Any] = {}
        self.brush_size = 5
        self._painting = False
        workspace.labels_changed.connect(self._on_labels)

    def layer(self, scene: Scene) -> Any:
        """Return the label layer of a scene, made on first use."""
        layer = self.layers.get(scene.id)
        if layer is None:
            layer = self._make(scene, self.workspace.label_sheet(scene.id))
        return layer

    def name_class(self, scene_id: str, value: int, name: str, *, undoable: bool = True) -> None:
        """Name a class of the training labels.

        A class that only came into hand is named without a step of undo of its own.
        """
        sheet = self.workspace.label_sheet(scene_id)
        before, after = dict(sheet.class_names), {**sheet.class_names, value: name}

        def put(names: dict[int, str]) -> None:
            current = self.workspace.labels.get(scene_id)
            if current is not None:
                current.class_names = dict(sorted(names.items()))
                self.workspace.labels_changed.emit(scene_id)

        if not undoable:
            put(after)
            return
        self.workspace.commands.do(
            Command(f"Name {name}", lambda: put(after), lambda: put(before), (scene_id, None, None))
        )

    def _make(self, scene: Scene, sheet: LabelSheet) -> Any:
        from napari.layers import Labels

        frame = self.stage.frame(scene)
        layer = Labels(
            sheet.values,
            name="Training labels",
            colormap=direct_colors(class_colors(sheet.class_names)),
            opacity=LABEL_OPACITY,
            scale=frame.scale(),
            units=frame.units,
        )
        layer.brush_size = self.brush_size
        layer.events.paint.connect(lambda event, s=scene.id: self._on_paint(s, event))
        follow_eye(self.board, layer, scene.id, LABELS)
        self.layers[scene.id] = layer
        self.stage.add(scene, layer, Rank.LABELS)
        self._label_row(scene, sheet)
        return layer

    def _on_labels(self, scene_id: str) -> None:
        if self._painting:
            return
        scene = self.workspace.scenes.get(scene_id)
        sheet = self.workspace.labels.get(scene_id)
        layer = self.layers.get(scene_id)
        if scene is None:
            return
        if sheet is None:
            if layer is not None:
                del self.layers[scene_id]
                self.stage.remove(scene_id, layer)
                self.board.take(scene_id, LABELS)
            return
        if layer is None:
            self._make(scene, sheet)
            return
        if layer.data is not sheet.values:
            selected = layer.selected_label
            layer.data = sheet.values
            layer.selected_label = selected
        else:
            layer.refresh()
        layer.colormap = direct_colors(class_colors(sheet.class_names))
        self._label_row(scene, sheet)

    def _on_paint(self, scene_id: str, event: Any) -> None:
        """Turn a stroke that napari just painted into one step of the workspace's undo."""
        layer = self.layers.get(scene_id)
        sheet = self.workspace.labels.get(scene_id)
        if layer is None or sheet is None:
            return
        patch = _patch(event.value, sheet.values)
        # napari keeps a history of its own; one undo is enough.
        layer._undo_history.clear()
        if patch is None:
            return
        values, (place, before, after) = sheet.values, patch
        rows, cols = place
        where = (rows.start + rows.stop) // 2, (cols.start + cols.stop) // 2

        def put(pixels: NDArray[np.uint8]) -> None:
            current = self.workspace.labels.get(scene_id)
            if current is None or current.values is not values:
                return
            values[place] = pixels
            shown = self.layers.get(scene_id)
            if shown is not None:
                shown.refresh()
            self._tell_labels(scene_id)

        erased = int(layer.selected_label) == 0 or str(layer.mode) == "erase"
        name = sheet.class_names.get(int(layer.selected_label), "labels")
        label = "Erase labels" if erased else f"Paint {name}"
        self.workspace.commands.record(
            Command(label, lambda: put(after), lambda: put(before), (scene_id, *where))
        )
        self._tell_labels(scene_id)

    def _tell_labels(self, scene_id: str) -> None:
        self._painting = True
        try:
            self.workspace.labels_changed.emit(scene_id)
        finally:
            self._painting = False
        scene, sheet = self.workspace.scenes.get(scene_id), self.workspace.labels.get(scene_id)
        if scene is not None and sheet is not None:
            self._label_row(scene, sheet)

    def _label_row(self, scene: Scene, sheet: LabelSheet) -> None:
        before = self.board.row(scene.id, LABELS)
        colors = class_colors(sheet.class_names)
        source = f"From {sheet.source}" if sheet.source else "Painted by hand"
        row = Row(
            LABELS,
            "Training labels",
            "labels",
            swatch=tuple(colors.values())[:4],
            visible=before.visible if before else True,
            opacity=before.opacity if before else LABEL_OPACITY,
            tooltip=source,
            removable=False,
        )
        above = sum(1 for r in self.board.rows(scene.id) if r.id in (PINS, REGIONS))
        self.board.put(scene.id, row, at=above)
        self._count(scene, sheet)

    def _count(self, scene: Scene, sheet: LabelSheet) -> None:
        names = dict(sheet.class_names)
        origin = Provenance("by hand")
        drawn = ClassMap("Labels", scene.id, origin, labels=sheet.values, class_names=names)

        def run(progress: Progress) -> Any:
            return legend_of(drawn, scene, progress=progress)

        def show(legend: Any) -> None:
            if self.workspace.labels.get(scene.id) is sheet:
                self.board.set_legend(scene.id, LABELS, legend)

        job = Job("Count labels", run, scene_id=scene.id, topic="legend labels", quiet=True)
        self.workspace.submit(job, on_result=show)


def follow_eye(board: LayerBoard, layer: Any, scene_id: str, row_id: str) -> None:
    """Bring a row up to date when napari's own list hides or fades its layer."""

    def follow(event: Any) -> None:
        board.change(scene_id, row_id, visible=bool(layer.visible), opacity=float(layer.opacity))

    layer.events.visible.connect(follow)
    layer.events.opacity.connect(follow)


def _patch(item: Any, values: NDArray[np.uint8]) -> _Patch | None:
    """Return (place, before, after) of one stroke of napari's brush, a list of atoms."""
    spans = [_span(atom) for atom in item]
    spans = [span for span in spans if span is not None]
    if not spans:
        return None
    r0, c0 = min(s[0] for s in spans), min(s[1] for s in spans)
    r1, c1 = max(s[2] for s in spans), max(s[3] for s in spans)
    place = (slice(r0, r1), slice(c0, c1))
    after = values[place].copy()
    before = after.copy()
    # Later atoms lie over earlier ones: take them back newest first.
    for atom in reversed(item):
        if hasattr(atom, "slice_key"):
            rows, cols = atom.slice_key
            part = before[rows.start - r0 : rows.stop - r0, cols.start - c0 : cols.stop - c0]
            part[... if atom.mask is None else atom.mask] = atom.old_values
        else:
            (rows, cols), old, _ = atom
            before[np.asarray(rows) - r0, np.asarray(cols) - c0] = old
    return place, before, after


def _span(atom: Any) -> tuple[int, int, int, int] | None:
    """Return first row, first col, end row, end col of what an atom touched."""
    if hasattr(atom, "slice_key"):
        rows, cols = atom.slice_key
        return rows.start, cols.start, rows.stop, cols.stop
    rows, cols = (np.asarray(axis) for axis in atom[0])
    if rows.size == 0:
        return None
    return int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1
