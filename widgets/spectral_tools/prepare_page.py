"""A page of the ways to make a scene ready: what all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLineEdit, QWidget

from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.pages import narrow_box
from widgets.sight import Sight
from widgets.theme import GRID, wrapped


class PreparePage(QWidget):
    """One way; what it asks is told by the names of the command's options."""

    changed = pyqtSignal()
    TOOL, NAME, TITLE, GO, ABOUT = "", "", "", "", ""
    WRITES = True
    REGIONS_AS = "areas"  # the option that takes its regions

    def __init__(self, workspace: Workspace, sight: Sight) -> None:
        super().__init__()
        self.workspace, self.sight = workspace, sight
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(GRID // 2)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.addRow(wrapped(self.ABOUT))
        self.build()

    def build(self) -> None:
        """Make the fields."""

    def fill(self) -> None:
        """Offer what there is now: scenes, regions."""

    def show_fields(self, *_: object) -> None:
        """Show the fields that are asked for."""

    def told(self, scene: Scene) -> dict[str, Any]:
        """Return what was chosen."""
        return {}

    def regions(self) -> tuple[Region, ...]:
        """Return the regions it cuts out."""
        return ()

    def problem(self, scene: Scene) -> str:
        """Return why it cannot be done, or nothing."""
        return ""

    def _edit(self, name: str, hint: str, tip: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setPlaceholderText(hint)
        edit.setToolTip(tip)
        edit.setAccessibleName(name)
        edit.textChanged.connect(self._told)
        self.form.addRow(name, edit)
        return edit

    def _box(self, name: str, entries: Mapping[str, str] | None = None) -> QComboBox:
        box = narrow_box(name)
        for key, title in (entries or {}).items():
            box.addItem(title, key)
        box.currentIndexChanged.connect(self._told)
        self.form.addRow(name, box)
        return box

    def _tick(self, text: str, tip: str) -> QCheckBox:
        tick = QCheckBox(text)
        tick.setToolTip(tip)
        tick.toggled.connect(self._told)
        self.form.addRow(tick)
        return tick

    def _told(self, *_: object) -> None:
        self.changed.emit()

    def _others(self) -> list[Scene]:
        """Return further scenes that lie in a file."""
        active = self.workspace.active_scene
        every = self.workspace.scenes.values()
        return [s for s in every if s is not active and s.info.path is not None]


def in_sight(sight: Sight, scene: Scene) -> tuple[str, str]:
    part = sight.window(scene).clip(*scene.shape[:2])
    return (
        f"{part.row}:{part.row + part.height}",
        f"{part.col}:{part.col + part.width}",
    )


def plain_text(edit: QLineEdit) -> str:
    return "".join(edit.text().replace(";", ",").replace("–", ":").split())


def positive(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if value > 0 else None


def refill(box: QComboBox, entries: Mapping[str, str], kept: Any) -> None:
    box.blockSignals(True)
    box.clear()
    for key, title in entries.items():
        box.addItem(title, key)
    box.setCurrentIndex(max(0, box.findData(kept)))
    box.blockSignals(False)
