"""What is shown of a formula before it is computed: its value for the part in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import QCheckBox

from backends.jobs import Job, Progress
from backends.overlays import Provenance, ScoreMap
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.sight import Sight
from widgets.spectral_tools.forms import ToolForm

if TYPE_CHECKING:
    from backends.spectra.expression import Formula
    from backends.spectra.preview import Preview

LOOK_MS = 120  # the view has come to rest


class PreviewedForm(ToolForm):
    """A form that draws its formula while it is in front."""

    PREVIEW = "formula"

    def __init__(self, about: str, workspace: Workspace, sight: Sight) -> None:
        super().__init__(about)
        self._workspace, self._sight = workspace, sight
        self._formula: Formula | None = None
        self._in_front = True
        self._provenance = Provenance("formula preview")
        self.preview_box = QCheckBox("Show it while it is chosen")
        self.preview_box.setToolTip("For the part of the scene in sight, as fine as the screen")
        self.preview_box.setChecked(True)
        self.preview_box.toggled.connect(self._on_toggled)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(LOOK_MS)
        self._rest.timeout.connect(self._preview)
        listen(self, sight.moved, self._on_moved)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._preview()

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self.end_preview()

    def come_forward(self, in_front: bool) -> None:
        """Be in front of the other docks, or behind them: then nothing is drawn."""
        self._in_front = in_front
        if in_front:
            self._preview()
        else:
            self.end_preview()

    def end_preview(self) -> None:
        """Take the preview off the image."""
        self._rest.stop()
        for scene in list(self._workspace.scenes.values()):
            self._workspace.remove_overlay(self._preview_id(scene))

    def _on_moved(self) -> None:
        if self._formula is not None and self._wanted():
            self._rest.start()

    def _on_toggled(self, on: bool) -> None:
        if on:
            self._preview()
        else:
            self.end_preview()

    def _wanted(self) -> bool:
        return self._in_front and self.isVisible() and self.preview_box.isChecked()

    def _preview(self) -> None:
        scene, formula = self._workspace.active_scene, self._formula
        if scene is None or formula is None or not self._wanted():
            return
        window, most = self._sight.window(scene), self._sight.pixels()
        if window.height == 0 or window.width == 0:
            return

        def run(progress: Progress) -> Preview:
            from backends.spectra.preview import preview

            return preview(formula, window, most_pixels=most, progress=progress)

        def show(found: Preview) -> None:
            if self._formula is formula and self._wanted():
                overlay = ScoreMap(
                    "Preview", scene.id, self._provenance, values=found.values,
                    placement=found.placement, partial=True, id=self._preview_id(scene),
                )  # fmt: skip
                self._workspace.add_overlay(overlay)

        job = Job(
            "Preview of a formula", run, scene_id=scene.id, topic=f"{self.PREVIEW} preview",
            quiet=True,
        )  # fmt: skip
        self._workspace.submit(job, on_result=show)

    def _preview_id(self, scene: Scene) -> str:
        return f"{scene.id}-{self.PREVIEW}"
