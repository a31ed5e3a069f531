"""Spectral indices by name: searched, greyed with the reason, drawn when one is chosen."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem

from backends.errors import ClearbandError
from backends.jobs import Job, JobHandle, Progress
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.sight import Sight
from widgets.spectral_tools.asking import ReferenceChoice
from widgets.spectral_tools.previewed_form import PreviewedForm
from widgets.theme import wrapped

if TYPE_CHECKING:
    from backends.spectra.index_catalogue import Fitted

_FAR_NM = 20.0
_LIST_ROWS = 8


class IndexForm(PreviewedForm):
    """The catalogue as a list; what the scene cannot have is grey and says why."""

    TOOL = "index"
    PREVIEW = "index"

    def __init__(self, workspace: Workspace, sight: Sight) -> None:
        super().__init__(
            "Which index of the trade? What the scene lacks is grey.", workspace, sight
        )
        self._fitted: dict[str, Fitted] = {}
        self._of = ""
        self._job: Job[Any] | None = None
        self.search_edit = QLineEdit()
        self.search_edit.setPlaceholderText("Words in name or use: water, burn, red edge")
        self.search_edit.setClearButtonEnabled(True)
        self.search_edit.setAccessibleName("Search the indices")
        self.list = QListWidget()
        self.list.setAccessibleName("Spectral indices")
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFixedHeight(_LIST_ROWS * (self.list.fontMetrics().height() + 6))
        self.count_line, self.about_line = wrapped(), wrapped()
        self.about_line.setTextFormat(Qt.TextFormat.RichText)
        for part in (
            self.search_edit, self.list, self.count_line, self.about_line, self.preview_box
        ):  # fmt: skip
            self.column.addWidget(part)
        self.search_edit.textChanged.connect(self._on_search)
        self.list.currentItemChanged.connect(self._on_chosen)
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_info_changed, self._on_scene)
        listen(self, workspace.job_finished, self._on_finished)

    @property
    def chosen(self) -> Fitted | None:
        """The index that is chosen."""
        item = self.list.currentItem()
        return None if item is None else self._fitted.get(str(item.data(Qt.ItemDataRole.UserRole)))

    def choose(self, name: str) -> None:
        """Choose an index by its name."""
        for row in range(self.list.count()):
            item = self.list.item(row)
            if item is not None and item.data(Qt.ItemDataRole.UserRole) == name:
                self.list.setCurrentItem(item)
                return

    def settings(self) -> dict[str, Any]:
        found = self.chosen
        return {"index": "" if found is None else found.index.id}

    def problem(self, scene: Scene, choice: ReferenceChoice) -> str:
        found = self.chosen
        if found is None:
            return "Choose an index."
        return found.reason

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._load()

    # -- the catalogue -------------------------------------------------------------------

    def _on_scene(self, *_: object) -> None:
        self._of = ""
        self._formula = None
        self.end_preview()
        if self.isVisible():
            self._load()

    def _load(self) -> None:
        """Fit every index to the scene, in the background: the catalogue takes a while to load."""
        scene = self._workspace.active_scene
        if scene is None or self._of == scene.id:
            return
        self._of = scene.id

        def run(progress: Progress) -> list[Fitted]:
            from backends.spectra.index_catalogue import catalogue, fit_index, letters_of

            letters = letters_of(scene)
            return [fit_index(scene, index, letters) for index in catalogue().values()]

        job = Job(
            "Indices of the scene", run, scene_id=scene.id, topic="index catalogue", quiet=True
        )
        self._job = job
        self._workspace.submit(job, on_result=self._show)

    def _show(self, found: list[Fitted]) -> None:
        before = self.chosen
        self._fitted = {one.index.id: one for one in found}
        self._fill("" if before is None else before.index.id)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle.job is not self._job:
            return
        self._job = None  # it would keep its scene
        if handle.error is not None:
            self._of = ""
            self.count_line.setText(str(handle.error))

    def _on_search(self, *_: object) -> None:
        before = self.chosen
        self._fill("" if before is None else before.index.id)

    def _fill(self, keep: str) -> None:
        words = self.search_edit.text()
        shown = [one for one in self._fitted.values() if one.index.matches(words)]
        # What can be had stands first; the order of names is kept in both halves.
        shown.sort(key=lambda one: bool(one.reason))
        self.list.blockSignals(True)
        self.list.clear()
        for one in shown:
            item = QListWidgetItem(f"{one.index.id}: {one.index.title}")
            item.setData(Qt.ItemDataRole.UserRole, one.index.id)
            item.setToolTip(one.reason or f"{one.index.title}\n{one.index.formula}")
            if one.reason:
                item.setForeground(self.palette().placeholderText())
            self.list.addItem(item)
            if one.index.id == keep:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        can = sum(1 for one in shown if not one.reason)
        self.count_line.setText(f"{can} of {len(shown)} can be computed here.")
        self._on_chosen()

    def _on_chosen(self, *_: object) -> None:
        from backends.spectra.expression import parse

        scene, one = self._workspace.active_scene, self.chosen
        self._formula = None
        if one is not None and scene is not None and not one.reason:
            try:
                self._formula = parse(one.text, {"b": scene})
            except ClearbandError:
                self._formula = None
        self.about_line.setText("" if one is None else _about(one))
        self.about_line.setVisible(one is not None)
        self.changed.emit()
        if self._formula is None:
            self.end_preview()
        else:
            self._preview()


def _about(one: Fitted) -> str:
    """Return formula, bands and source, a line each."""
    lines = [f"<b>{escape(one.index.title)}</b>", escape(one.index.formula)]
    if one.reason:
        return "<br>".join(lines)  # the reason stands beside the button
    for t in one.taken:
        text = escape(f"{t.letter} ({t.title}): band {t.band + 1} at {t.wavelength_nm:.1f} nm, ")
        away = f"{t.away_nm:.1f} nm away"
        lines.append(text + (f"<b>{away}</b>" if t.away_nm > _FAR_NM else away))
    if one.constants:
        said = ", ".join(f"{name} = {value:g}" for name, value in one.constants.items())
        lines.append(escape(said))
    lines.append(escape(one.index.source.removeprefix("https://")))
    return "<br>".join(lines)
