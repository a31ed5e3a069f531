"""What regions are made with: tools that draw, the wand, a threshold."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from PyQt6.QtGui import QHideEvent
from PyQt6.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from backends.jobs import JobHandle
from backends.workspace import Workspace
from widgets.background import listen
from widgets.regions import region_jobs
from widgets.regions.finding_panel import ThresholdPanel, WandPanel
from widgets.regions.wand_board import WandBoard
from widgets.theme import GRID

_DRAWN = {
    "Lasso": ("edit.region", "Drag around an area (R)"),
    "Polygon": ("edit.region_polygon", "Click the corners; a double click closes it"),
    "Ellipse": ("edit.region_ellipse", "Drag from corner to corner of the box around it"),
    "Box": ("edit.region_box", "Drag from corner to corner"),
}
_FOUND = {
    "Wand": "What is like the pixel you click", "Threshold": "Where a band or map lies in a range",
}  # fmt: skip
_IN_A_ROW = 3


class ToolsBox(QWidget):
    """Two rows of buttons, and what the wand or the threshold asks below.

    Parameters
    ----------
    do : callable or None
        Runs an action by id: what takes the drawing tools in hand.
    wand : WandBoard
    said : callable
        Told sentences for the user.
    """

    def __init__(
        self,
        workspace: Workspace,
        do: Callable[[str], Any] | None,
        wand: WandBoard,
        said: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._workspace, self._do, self.wand, self._said = workspace, do, wand, said
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.buttons: dict[str, QToolButton] = {}
        grid = QGridLayout()
        grid.setSpacing(2)
        tips = {**{name: tip for name, (_, tip) in _DRAWN.items()}, **_FOUND}
        for number, (name, tip) in enumerate(tips.items()):
            button = QToolButton()
            button.setText(name)
            button.setToolTip(tip)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            button.setMinimumWidth(1)
            button.setCheckable(name in _FOUND)
            button.setStyleSheet("QToolButton:checked { background: palette(highlight); }")
            button.clicked.connect(partial(self._take, name))
            grid.addWidget(button, number // _IN_A_ROW, number % _IN_A_ROW)
            self.buttons[name] = button
        column.addLayout(grid)
        self.wand_panel, self.threshold_panel = WandPanel(), ThresholdPanel(workspace)
        self.threshold_panel.asked.connect(self.make_threshold)
        column.addWidget(self.wand_panel)
        column.addWidget(self.threshold_panel)
        wand.seen_in = weakref.ref(self)
        listen(self, wand.held_changed, self._on_held)
        listen(self, wand.touched, self._on_touched)

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self.wand.hold(False)  # a click would else do what nobody sees

    def _take(self, name: str, *_: object) -> None:
        """Take a tool in hand, or show what a finder asks."""
        on = self.buttons[name].isChecked()
        for other in _FOUND:
            self.buttons[other].setChecked(on and other == name)
        self.threshold_panel.setVisible(on and name == "Threshold")
        self.wand.hold(False)
        action = "edit.region_wand" if on and name == "Wand" else _DRAWN.get(name, ("",))[0]
        if action and self._do is not None:
            self._do(action)
        if on and name == "Wand":
            self.wand.hold(True)

    def _on_held(self, held: bool) -> None:
        self.buttons["Wand"].setChecked(held)
        self.wand_panel.setVisible(held)
        if held:
            self.buttons["Threshold"].setChecked(False)
            self.threshold_panel.hide()

    def _on_touched(self, scene_id: str, row: int, col: int) -> None:
        scene = self._workspace.active_scene
        if scene is None or scene.id != scene_id:
            return
        from backends.spectra.region_making import Wand

        panel = self.wand_panel
        wand = Wand(
            round(panel.tolerance_spin.value(), 3), str(panel.measure_box.currentData()),
            panel.connected_tick.isChecked(),
        )  # fmt: skip
        self._follow(region_jobs.touch(self._workspace, scene, (row, col), wand, self._said))

    def make_threshold(self) -> JobHandle[Any] | None:
        """Make a region where the band or map lies in the range."""
        scene, panel = self._workspace.active_scene, self.threshold_panel
        if scene is None or panel.problem():
            return None
        found, (low, high) = panel.map, panel.limits()
        formula = "" if found is not None else panel.formula(scene)

        def mask_of(progress: Any) -> Any:
            if found is not None:
                return (found.values >= low) & (found.values <= high)
            from backends.spectra.region_making import formula_mask

            return formula_mask(scene, formula, progress=progress)

        handle = region_jobs.threshold(
            self._workspace, scene, mask_of, formula, panel.least_spin.value(),
            panel.each_tick.isChecked(), self._said,
        )  # fmt: skip
        self._follow(handle)
        return handle

    def _follow(self, handle: JobHandle[Any]) -> None:
        """Say why nothing was found, now or when it is over."""

        def told(over: JobHandle[Any]) -> None:
            if over.error is not None:
                self._said(str(over.error))

        region_jobs.when_over(self, self._workspace, handle, told)
