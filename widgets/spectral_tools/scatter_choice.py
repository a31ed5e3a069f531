"""What the scatter page shows: two axes, three corners, or the components that turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QFormLayout, QSpinBox

from backends.overlays import Overlay, ScoreMap
from backends.workspace import Workspace
from widgets.pages import narrow_box

if TYPE_CHECKING:
    from backends.spectra.scatter import Axis

_WANTED_NM = (660.0, 860.0)
VIEWS = {
    "axes": ("Two axes", "Two bands or maps, across and upwards"),
    "triangle": ("Triangle of shares", "Three shares; each corner is one pure material"),
    "cloud": ("Turning cloud", "Components; what two axes hide comes out from another side"),
}
_CORNERS = ("Lower left", "Lower right", "Top")
_SHARES = ("fcls",)
_COMPONENTS = ("mnf", "pca", "ica")
_PREFIX = "Share of "
_LETTERS = 16


class ScatterChoice(QObject):
    """The lists of the page; they hold bands, layers, and the maps of results.

    Parameters
    ----------
    rows : QFormLayout
        Where they stand.
    """

    changed = pyqtSignal()
    view_changed = pyqtSignal()

    def __init__(self, workspace: Workspace, rows: QFormLayout) -> None:
        super().__init__()
        self._workspace, self._rows = workspace, rows
        self._results: dict[str, dict[str, tuple[ScoreMap, ...]]] = {}
        self.view_box = narrow_box("Show")
        for key, (title, tip) in VIEWS.items():
            self.view_box.addItem(title, key)
            self.view_box.setItemData(self.view_box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        rows.addRow("Show", self.view_box)
        self.x_box, self.y_box = narrow_box("Across"), narrow_box("Upwards")
        self.corner_boxes = [narrow_box(name) for name in _CORNERS]
        boxes = (self.x_box, self.y_box, *self.corner_boxes)
        for name, box in zip(("Across", "Upwards", *_CORNERS), boxes, strict=True):
            rows.addRow(name, box)
            box.activated.connect(lambda *_: self.changed.emit())
        self.dimensions_spin = QSpinBox()
        self.dimensions_spin.setRange(3, 10)
        self.dimensions_spin.setAccessibleName("Components")
        self.dimensions_spin.setToolTip("So many of the first components")
        self.dimensions_spin.setValue(5)
        rows.addRow("Components", self.dimensions_spin)
        self.dimensions_spin.valueChanged.connect(lambda *_: self.changed.emit())
        self.view_box.currentIndexChanged.connect(self._on_view)
        self._on_view()

    @property
    def view(self) -> str:
        """``"axes"``, ``"triangle"`` or ``"cloud"``."""
        return str(self.view_box.currentData())

    @property
    def empty(self) -> bool:
        """Whether the lists have not been filled."""
        return self.x_box.count() == 0

    @property
    def names(self) -> tuple[str, str]:
        """What the two axes are called."""
        return self.x_box.currentText(), self.y_box.currentText()

    @property
    def corner_names(self) -> list[str]:
        """What the corners are called, short."""
        return [_short(box.currentText()) for box in self.corner_boxes]

    def show_view(self, view: str) -> None:
        """Turn to a view."""
        self.view_box.setCurrentIndex(self.view_box.findData(view))

    def choose(self, x: str, y: str) -> None:
        """Choose the axes by what the lists call them."""
        for box, name in ((self.x_box, x), (self.y_box, y)):
            box.setCurrentIndex(max(0, box.findText(name)))

    def clear(self) -> None:
        """Empty the lists."""
        for box in (self.x_box, self.y_box, *self.corner_boxes):
            box.clear()

    def offer(self, scene_id: str, overlays: Sequence[Overlay]) -> bool:
        """Keep the maps of a result, and return whether they are of use here."""
        maps = tuple(o for o in overlays if isinstance(o, ScoreMap))
        method = maps[0].provenance.method if maps else ""
        if method not in _SHARES + _COMPONENTS:
            return False
        kept = self._results.setdefault(scene_id, {})
        kept.pop(method, None)  # the newest stands last
        kept[method] = maps
        return True

    def forget(self, scene_id: str) -> None:
        """Let go of the maps of a scene."""
        self._results.pop(scene_id, None)

    def chosen(self) -> Sequence[Axis | None]:
        """Return what is to be shown."""
        if self.view == "axes":
            return self._axis(self.x_box), self._axis(self.y_box)
        if self.view == "triangle":
            return [self._axis(box) for box in self.corner_boxes]
        return self._components()

    def _on_view(self, *_: object) -> None:
        for box in (self.x_box, self.y_box):
            self._rows.setRowVisible(box, self.view == "axes")
        for box in self.corner_boxes:
            self._rows.setRowVisible(box, self.view == "triangle")
        self._rows.setRowVisible(self.dimensions_spin, self.view == "cloud")
        self.view_changed.emit()

    def maps(self) -> list[ScoreMap]:
        """Return the maps of the active scene: its layers, then those of results."""
        scene = self._workspace.active_scene
        if scene is None:
            return []
        found = [
            *self._workspace.overlays_of(scene.id),
            *(m for maps in self._results.get(scene.id, {}).values() for m in maps),
        ]
        fit = {
            o.id: o
            for o in found
            if isinstance(o, ScoreMap) and not o.partial and o.values.shape == scene.shape[:2]
        }
        return list(fit.values())

    def fill(self) -> None:
        """List the bands and the maps of the scene, and keep what was chosen."""
        scene = self._workspace.active_scene
        if scene is None:
            return
        maps = self.maps()
        for box, nm in ((self.x_box, _WANTED_NM[0]), (self.y_box, _WANTED_NM[1])):
            kept = box.currentText()
            box.blockSignals(True)
            box.clear()
            for overlay in maps:
                box.addItem(overlay.title, overlay.id)
            for band in range(scene.shape[2]):
                box.addItem(scene.bands.label(band), band)
            at = box.findText(kept) if kept else -1
            if at < 0:
                found = scene.bands.nearest(nm)
                other = 0 if box is self.x_box else min(1, scene.shape[2] - 1)
                at = len(maps) + (other if found is None else found)
            box.setCurrentIndex(at)
            box.blockSignals(False)
        # Shares stand first: they are what corners are for.
        maps.sort(key=lambda m: m.provenance.method not in _SHARES)
        before = [box.currentData() for box in self.corner_boxes]
        alike = len(set(before)) < len(before)  # there were too few to choose from
        for k, (box, was) in enumerate(zip(self.corner_boxes, before, strict=True)):
            kept = None if alike else was
            box.blockSignals(True)
            box.clear()
            for overlay in maps:
                # In a narrow list only what differs can be read.
                box.addItem(overlay.title.removeprefix(_PREFIX), overlay.id)
            at = box.findData(kept) if kept else -1
            box.setCurrentIndex(at if at >= 0 else min(k, len(maps) - 1))
            box.blockSignals(False)

    def _axis(self, box: Any) -> Axis | None:
        chosen = box.currentData()
        if isinstance(chosen, int):
            return chosen
        return next((m for m in self.maps() if m.id == chosen), None)

    def _components(self) -> tuple[ScoreMap, ...]:
        """Return the first components of the newest transform."""
        scene = self._workspace.active_scene
        made = self._results.get(scene.id, {}) if scene is not None else {}
        newest = next((maps for name, maps in reversed(made.items()) if name in _COMPONENTS), ())
        return newest[: self.dimensions_spin.value()]

    def missing(self, chosen: Sequence[Axis | None]) -> str:
        """Return what has to be made first, or nothing."""
        if self.view == "triangle" and len(set(chosen) - {None}) < 3:
            return (
                "A triangle has three different corners. Run Unmix with three materials or more: "
                "its shares can then be chosen here."
            )
        if self.view == "cloud" and len(chosen) < 3:
            return "Run Transform with three components or more: they are what turns here."
        return ""


def _short(title: str) -> str:
    """Return the name of a corner."""
    plain = title.split(" (")[0]
    return plain if len(plain) <= _LETTERS else plain[: _LETTERS - 1] + "…"
