"""Two open scenes of one place: what changed between them."""

from __future__ import annotations

from typing import Any

from PyQt6.QtWidgets import QCheckBox, QLineEdit

from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import narrow_box
from widgets.spectral_tools.asking import ReferenceChoice
from widgets.spectral_tools.forms import ToolForm

METHODS = {
    "vector": ("Change vectors", "Size and direction over all bands, changed pixels by Otsu"),
    "difference": ("Difference", "Later minus earlier, a map a band"),
    "ratio": ("Ratio", "Later over earlier, a map a band"),
}
_MOST_MAPS = 12


class ChangeForm(ToolForm):
    """The active scene is the earlier one; the later one is chosen among those on its grid."""

    TOOL = "change"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("What changed since this scene, and do both lie on each other?")
        self._workspace = workspace
        self.later_box = narrow_box("The later scene")
        self.rows.addRow("Later scene", self.later_box)
        self.method_box = self._list("Method", METHODS)
        self.nm_edit = QLineEdit()
        self.nm_edit.setPlaceholderText("All bands; or 660, 860")
        self.nm_edit.setToolTip("Only the bands at these wavelengths, in nm")
        self.nm_edit.setAccessibleName("Wavelengths")
        self.rows.addRow("Only at", self.nm_edit)
        self.normalise_box = QCheckBox("Match their light first")
        self.normalise_box.setToolTip(
            "Bring mean and deviation of each band of the later scene to those of the earlier one"
        )
        self.column.addWidget(self.normalise_box)
        self.nm_edit.textChanged.connect(lambda *_: self.changed.emit())
        self.later_box.currentIndexChanged.connect(lambda *_: self.changed.emit())
        for signal in (
            workspace.active_scene_changed, workspace.scene_added, workspace.scene_removed
        ):  # fmt: skip
            listen(self, signal, self._fill)
        self._fill()

    def settings(self) -> dict[str, Any]:
        return {
            "method": self.method_box.currentData(),
            "nm": self._wavelengths() or (),
            "normalise": self.normalise_box.isChecked(),
        }

    def others(self) -> dict[str, Scene]:
        found = self._workspace.scenes.get(str(self.later_box.currentData()))
        return {} if found is None else {"later": found}

    def problem(self, scene: Scene, choice: ReferenceChoice) -> str:
        if not self.others():
            return "Open a second scene with as many pixels: a later one of the same place."
        wanted = self._wavelengths()
        if wanted is None:
            return "Wavelengths are numbers in nm: 660, 860."
        if self.method_box.currentData() != "vector" and not wanted and scene.shape[2] > _MOST_MAPS:
            return "Say at which wavelengths: a map is made for each band."
        return ""

    def _wavelengths(self) -> tuple[float, ...] | None:
        """Return the numbers that were written; None where one is no number."""
        try:
            return tuple(float(t) for t in self.nm_edit.text().replace(";", ",").split(",") if t)
        except ValueError:
            return None

    def _fill(self, *_: object) -> None:
        scene = self._workspace.active_scene
        kept = self.later_box.currentData()
        self.later_box.blockSignals(True)
        self.later_box.clear()
        for other in self._workspace.scenes.values():
            if scene is not None and other is not scene and other.shape[:2] == scene.shape[:2]:
                self.later_box.addItem(other.title, other.id)
        self.later_box.setCurrentIndex(max(0, self.later_box.findData(kept)))
        self.later_box.blockSignals(False)
        self.changed.emit()
