"""A formula over bands, with its value in sight while it is written."""

from __future__ import annotations

import keyword
import math
import re
from html import escape
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QStandardItemModel
from PyQt6.QtWidgets import QLineEdit

from backends.errors import ClearbandError
from backends.same_grid import check_same_grid
from backends.scene import Scene
from backends.spectra.known_formulas import KNOWN_FORMULAS
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import narrow_box
from widgets.sight import Sight
from widgets.spectral_tools.asking import ReferenceChoice
from widgets.spectral_tools.previewed_form import PreviewedForm
from widgets.theme import wrapped

if TYPE_CHECKING:
    from backends.spectra.expression import Formula, Taken

_TAKEN_NAMES = ("b", "band", "abs", "where", "clip", "minimum", "maximum")


class FormulaForm(PreviewedForm):
    """Says at once what is wrong or which bands are taken; draws the part in sight."""

    TOOL = "expr"

    def __init__(self, workspace: Workspace, sight: Sight) -> None:
        super().__init__(
            "What do these bands give together? Name them by wavelength in nm.", workspace, sight
        )
        self.known_box = narrow_box("Known indices")
        self.column.addWidget(self.known_box)
        self.edit = QLineEdit()
        self.edit.setPlaceholderText("(b[860] - b[660]) / (b[860] + b[660])")
        self.edit.setToolTip(
            "b[860] is the band at 860 nm, b[2130:2200].mean() a range, band[12] one by number; "
            "+ - * / **, comparisons, & | ~, where, minimum, maximum, sqrt, log"
        )
        self.edit.setAccessibleName("Formula")
        self.column.addWidget(self.edit)
        self.error_line, self.taken_line, self.others_line = wrapped(), wrapped(), wrapped()
        self.taken_line.setTextFormat(Qt.TextFormat.RichText)
        for line in (self.error_line, self.taken_line, self.others_line):
            self.column.addWidget(line)
        self.preview_box.setText("Show it while it is written")
        self.column.addWidget(self.preview_box)
        self.edit.textChanged.connect(self._on_text)
        self.known_box.activated.connect(self._on_known)
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_added, self._on_others)
        listen(self, workspace.scene_removed, self._on_others)
        listen(self, workspace.scene_info_changed, self._on_scene)
        self._on_scene()

    # -- what is asked -------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        text = self.edit.text().strip()
        known = next((k for k in KNOWN_FORMULAS if k.text == text), None)
        return {"formula": text, "title": known.id if known is not None else ""}

    def problem(self, scene: Scene, choice: ReferenceChoice) -> str:
        if not self.edit.text().strip():
            return "Write a formula, or choose an index."
        return "" if self._formula is not None else " "  # the error stands below the field

    def others(self) -> dict[str, Scene]:
        """Return the other scenes that the formula names."""
        if self._formula is None:
            return {}
        return {name: s for name, s in self._formula.scenes.items() if name != "b"}

    def _scenes(self) -> dict[str, Scene]:
        """Return the scenes a formula may name: the active one as ``b`` and others of its size."""
        scene = self._workspace.active_scene
        if scene is None:
            return {}
        found = {"b": scene}
        for other in self._workspace.scenes.values():
            if other is not scene and other.shape[:2] == scene.shape[:2]:
                found[_name(other.title, found)] = other
        return found

    # -- what changes --------------------------------------------------------------------

    def _on_scene(self, *_: object) -> None:
        self._fill_known()
        self._on_others()

    def _on_others(self, *_: object) -> None:
        scenes = self._scenes()
        names = [(n, s.title) for n, s in scenes.items() if n != "b" and _fits(scenes["b"], s)]
        said = "; ".join(f"{name}[860] of {title}" for name, title in names)
        self.others_line.setText(f"On the same grid: {said}." if said else "")
        self.others_line.setVisible(bool(said))
        self._on_text()

    def _fill_known(self) -> None:
        from backends.spectra.expression import parse

        scene = self._workspace.active_scene
        self.known_box.blockSignals(True)
        self.known_box.clear()
        self.known_box.addItem("Known indices…", "")
        model = self.known_box.model()
        for known in KNOWN_FORMULAS:
            self.known_box.addItem(f"{known.id}: {known.title}", known.text)
            at, tip = self.known_box.count() - 1, f"{known.text}\n{known.source}"
            try:
                if scene is not None:
                    parse(known.text, {"b": scene})
            except ClearbandError as error:
                tip = str(error)
                item = model.item(at) if isinstance(model, QStandardItemModel) else None
                if item is not None:
                    item.setEnabled(False)
            self.known_box.setItemData(at, tip, Qt.ItemDataRole.ToolTipRole)
        self.known_box.blockSignals(False)

    def _on_known(self, *_: object) -> None:
        text = self.known_box.currentData()
        if text:
            self.edit.setText(text)

    def _on_text(self, *_: object) -> None:
        from backends.spectra.expression import parse

        text, scenes = self.edit.text(), self._scenes()
        self._formula, said, error = None, "", ""
        if text.strip() and scenes:
            try:
                self._formula = parse(text, scenes)
                said = _taken_words(self._formula)
            except ClearbandError as problem:
                error = str(problem)
        self.error_line.setText(error)
        self.error_line.setVisible(bool(error))
        self.taken_line.setText(said)
        self.taken_line.setVisible(bool(said))
        self.changed.emit()
        if self._formula is not None:
            self._preview()
        elif not text.strip():
            self.end_preview()


def _fits(scene: Scene, other: Scene) -> bool:
    """Return whether a formula may name both; why not is said once it does."""
    try:
        check_same_grid(scene, other)
    except ClearbandError:
        return False
    return True


def _taken_words(formula: Formula) -> str:
    """Return which bands a formula took, a line a term."""
    return "<br>".join(_term_words(t, formula.scenes[t.scene]) for t in formula.taken)


def _term_words(taken: Taken, scene: Scene) -> str:
    nm = scene.bands.wavelengths()
    term, first = escape(taken.term), taken.bands[0]
    if len(taken.bands) > 1:
        ends = f"{nm[first]:.0f} to {nm[taken.bands[-1]]:.0f} nm"
        return f"{term}: {len(taken.bands)} bands, {ends}"
    if not math.isfinite(nm[first]):
        return f"{term}: band {first + 1}"
    where = f"{term}: band {first + 1} at {nm[first]:.1f} nm"
    if math.isfinite(taken.away_nm):
        where += f", {taken.away_nm:.1f} nm away"
        if taken.away_nm > 20:
            where = f"<b>{where}</b>"
    return where


def _name(title: str, used: dict[str, Scene]) -> str:
    """Return a name for a scene that a formula can hold."""
    plain = re.sub(r"\W+", "_", title.rsplit(".", 1)[0], flags=re.ASCII).strip("_").lower()
    plain = plain[:24] or "scene"
    if not plain[0].isalpha() or keyword.iskeyword(plain) or plain in _TAKEN_NAMES:
        plain = f"s_{plain}"
    number, found = 2, plain
    while found in used:
        found, number = f"{plain}_{number}", number + 1
    return found
