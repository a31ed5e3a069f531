"""What of the image is looked at: all of it, what is on the screen, a region, a slice, tiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PyQt6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QSpinBox, QWidget

from backends.scene import Scene, Window
from backends.workspace import Region, Workspace
from widgets.explaining.questions import Where
from widgets.pages import narrow_box

WHOLE, SCREEN = "whole", "screen"


class WhereBox(QWidget):
    """Rows of a form; those that make no sense for the image are hidden.

    Parameters
    ----------
    workspace : Workspace
    visible : callable, optional
        Returns the part of a scene that is on the screen.
    shown_slice : callable, optional
        Returns the number of the slice of a volume on the screen.
    """

    def __init__(
        self,
        workspace: Workspace,
        visible: Callable[[Scene], Window] | None,
        shown_slice: Callable[[Scene], int],
    ) -> None:
        super().__init__()
        self._workspace, self._visible, self._shown_slice = workspace, visible, shown_slice
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.part_box = narrow_box("Part of the image that the network sees")
        self.form.addRow("Of", self.part_box)
        self.slices = QWidget()
        row = QHBoxLayout(self.slices)
        row.setContentsMargins(0, 0, 0, 0)
        self.slice_box = QSpinBox()
        self.slice_box.setMinimumWidth(1)
        self.slice_box.setToolTip("The slice that is explained; 'shown' is the one on the screen")
        self.every_check = QCheckBox("every")
        self.every_check.setToolTip("Every slice, one map each")
        self.every_check.toggled.connect(lambda on: self.slice_box.setEnabled(not on))
        row.addWidget(self.slice_box, 1)
        row.addWidget(self.every_check)
        self.form.addRow("Slice", self.slices)
        self.level_box = narrow_box("Size at which the network sees the image")
        self.form.addRow("At", self.level_box)
        self.tiles_check = QCheckBox("In tiles, at this size")
        self.tiles_check.setMinimumWidth(1)
        self.tiles_check.setToolTip(
            "The network sees the part tile by tile, unshrunk; the maps are stitched"
        )
        self.form.addRow("", self.tiles_check)
        self._filled_for: str | None = None

    def show_scene(self, scene: Scene | None) -> None:
        """Offer what there is of a scene."""
        self.fill_parts()
        if scene is None or scene.id == self._filled_for:
            return
        self._filled_for = scene.id
        volume, levels = scene.bands.axis == "slice", len(scene.level_shapes)
        self.form.setRowVisible(self.slices, volume)
        if volume:
            self.slice_box.setRange(0, scene.shape[2])
            self.slice_box.setSpecialValueText("the shown one")
            self.slice_box.setValue(0)
        self.every_check.setChecked(False)
        self.level_box.clear()
        self.level_box.addItem("the size that suits", None)
        for number, (rows, cols) in enumerate(scene.level_shapes):
            self.level_box.addItem(f"{rows:,} × {cols:,} pixels", number)
        self.form.setRowVisible(self.level_box, levels > 1)
        self.tiles_check.setChecked(False)
        large = max(scene.shape[:2]) > 512 and not volume
        self.form.setRowVisible(self.tiles_check, large)

    def fill_parts(self) -> None:
        """Offer the regions that are drawn."""
        chosen = self.part_box.currentData()
        self.part_box.blockSignals(True)
        self.part_box.clear()
        self.part_box.addItem("the whole image", WHOLE)
        if self._visible is not None:
            self.part_box.addItem("what is on the screen", SCREEN)
        for region in self.regions():
            self.part_box.addItem(f"{region.name} (its rectangle)", region.id)
        self.part_box.setCurrentIndex(max(0, self.part_box.findData(chosen)))
        self.part_box.blockSignals(False)

    def regions(self) -> list[Region]:
        """Return the regions drawn on the active scene."""
        scene = self._workspace.active_scene
        every = self._workspace.regions.values()
        return [r for r in every if scene is not None and r.scene_id == scene.id]

    def where(self, scene: Scene) -> Where:
        """Return what is chosen."""
        level = self.level_box.currentData()
        window = self._window(scene)
        if window is not None:
            level = level or 0
            rows, cols = scene.level_shapes[level]
            window = _at_level(window, rows / scene.shape[0], cols / scene.shape[1])
        number = None
        if scene.bands.axis == "slice":
            chosen = self.slice_box.value()
            number = self._shown_slice(scene) if chosen == 0 else chosen - 1
        every = number is not None and self.every_check.isChecked()
        return Where(window, level, number, every, self.tiles_check.isChecked())

    def _window(self, scene: Scene) -> Window | None:
        part = self.part_box.currentData()
        if part == SCREEN and self._visible is not None:
            return self._visible(scene)
        region = self._workspace.regions.get(str(part))
        if region is None:
            return None
        low = np.floor(region.vertices.min(0) + 0.5).astype(int)
        high = np.ceil(region.vertices.max(0) + 0.5).astype(int)
        row, col = (int(v) for v in low)
        down, across = (int(v) for v in high - low)
        found = Window(row, col, max(1, down), max(1, across))
        return found.clip(*scene.shape[:2])


def _at_level(window: Window, down: float, across: float) -> Window:
    return Window(
        int(window.row * down),
        int(window.col * across),
        max(1, round(window.height * down)),
        max(1, round(window.width * across)),
    )
