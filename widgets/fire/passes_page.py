"""Several passes over one fire: choose open scenes of one grid, compare, see who saw it alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from backends.fire.question import FireQuestion
from backends.fire.several_passes import (
    PassesResult,
    compare_passes,
    passes_command,
    passes_words,
    why_not_one_grid,
)
from backends.jobs import Job, JobHandle, Progress
from backends.scene import Scene
from widgets.background import listen
from widgets.fire.desk import FireDesk
from widgets.fire.number_row import NumberRow
from widgets.running_row import RunningRow
from widgets.tables import fit_table, fixed_cell, plain_table
from widgets.theme import GRID, wrapped

_ROWS = 5
ALONE = "Open another pass over this fire, gridded to the same cells, to compare them."


class PassesPage(QWidget):
    """Which passes, how many confirm, go, counts; the maps become layers.

    Parameters
    ----------
    desk : FireDesk
    question : callable
        How fire is looked for: what is ticked on the page that detects.
    """

    def __init__(self, desk: FireDesk, question: Callable[[], FireQuestion]) -> None:
        super().__init__()
        self._desk, self._question = desk, question
        self._handle: JobHandle[Any] | None = None
        self._results: dict[str, PassesResult] = {}
        self._left_out: set[str] = set()  # unticked by hand
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.hint = wrapped()
        column.addWidget(self.hint)
        self.scenes = QListWidget()
        self.scenes.setAccessibleName("Open scenes of the same grid")
        self.scenes.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scenes.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        column.addWidget(self.scenes)
        self.least = NumberRow(
            "Confirmed by", "Passes that must call a cell fire where as many observed it",
            2, 10, 1, lambda v: f"{v:.0f} passes",
        )  # fmt: skip
        self.least.put(2)
        column.addWidget(self.least)
        self.go_button = QPushButton("Compare passes")
        self.go_button.setDefault(True)
        column.addWidget(self.go_button)
        self.running = RunningRow()
        column.addWidget(self.running)
        self.table = plain_table(("Fire", "How much"))
        self.table.setWordWrap(False)
        column.addWidget(self.table)
        self.layers_line = wrapped("The maps lie in the list of layers, under Passes.")
        column.addWidget(self.layers_line)
        self.go_button.clicked.connect(lambda: self.compare())
        self.scenes.itemChanged.connect(self._on_ticked)
        workspace = desk.workspace
        listen(self, workspace.scene_added, self._on_scenes)
        listen(self, workspace.scene_removed, self._on_removed)
        listen(self, workspace.job_finished, self._on_finished)
        desk.looked.connect(self.refresh)
        self.refresh()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the scenes that are open now."""
        super().showEvent(event)
        self.refresh()

    def _on_scenes(self, *_: object) -> None:
        self.refresh()

    def _on_removed(self, scene_id: str) -> None:
        self._results.pop(scene_id, None)
        self.refresh()

    def refresh(self) -> None:
        """Offer the open scenes; those on another grid are grey and say why."""
        scene = self._desk.scene
        self.scenes.blockSignals(True)
        self.scenes.clear()
        for other in () if scene is None else self._desk.workspace.scenes.values():
            if other is scene or scene is None:
                continue
            reason = why_not_one_grid(scene, other)
            item = QListWidgetItem(other.title)
            item.setData(Qt.ItemDataRole.UserRole, other.id)
            on = not reason and other.id not in self._left_out
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            flags = Qt.ItemFlag.ItemIsUserCheckable
            item.setFlags(flags if reason else flags | Qt.ItemFlag.ItemIsEnabled)
            item.setToolTip(reason or f"{other.title} lies on the same grid")
            self.scenes.addItem(item)
        self.scenes.blockSignals(False)
        high = max(18, self.scenes.sizeHintForRow(0))
        self.scenes.setFixedHeight(min(_ROWS, max(1, self.scenes.count())) * high + 4)
        self.scenes.setVisible(self.scenes.count() > 0)
        self._on_ready()
        self._show(None if scene is None else self._results.get(scene.id))

    def _on_ticked(self, item: QListWidgetItem) -> None:
        scene_id = str(item.data(Qt.ItemDataRole.UserRole))
        if item.checkState() is Qt.CheckState.Checked:
            self._left_out.discard(scene_id)
        else:
            self._left_out.add(scene_id)
        self._on_ready()

    def _on_ready(self) -> None:
        look = self._desk.look
        ready = look is not None and look.image is not None
        chosen = self.chosen()
        busy = self._handle is not None and not self._handle.state.is_final
        self.go_button.setEnabled(ready and bool(chosen) and not busy)
        title = "" if self._desk.scene is None else self._desk.scene.title
        words = f"Compare {title} with these passes, by the rules or networks of Detect:"
        self.hint.setText(words if self.scenes.count() else ALONE)

    def chosen(self) -> list[Scene]:
        """Return the scenes that are ticked."""
        found = (
            self._desk.workspace.scenes.get(item.data(Qt.ItemDataRole.UserRole))
            for item in self._items()
            if item.checkState() is Qt.CheckState.Checked
            and item.flags() & Qt.ItemFlag.ItemIsEnabled
        )
        return [scene for scene in found if scene is not None]

    def compare(self) -> JobHandle[Any] | None:
        """Compare the active scene with the ticked ones."""
        scene, others = self._desk.scene, self.chosen()
        if scene is None or not others:
            return None
        question, least = self._question(), round(self.least.value)
        scenes = [scene, *others]
        command = passes_command(scenes, question, least)

        def run(progress: Progress) -> PassesResult:
            return compare_passes(
                scenes, question, least=least, command=" ".join(("clearband", *command)),
                progress=progress,
            )  # fmt: skip

        def take(found: PassesResult) -> None:
            self._results[scene.id] = found
            for overlay in found.overlays:
                self._desk.workspace.add_overlay(overlay)
            if self._desk.scene is scene:
                self._show(found)

        job = Job(
            f"Compare {len(scenes)} passes", run, scene_id=scene.id, topic="fire passes",
            command=command,
        )  # fmt: skip
        self._handle = self._desk.workspace.submit(job, on_result=take)
        self.running.follow(self._handle)
        self._on_ready()
        return self._handle

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        self.running.refresh()
        if handle is self._handle:
            self._on_ready()

    def _show(self, found: PassesResult | None) -> None:
        rows = {} if found is None else passes_words(found.summary)
        self.table.setRowCount(len(rows))
        for n, (name, value) in enumerate(rows.items()):
            for c, text in enumerate((name, value)):
                cell = fixed_cell(text)
                cell.setToolTip(f"{name}: {value}")
                self.table.setItem(n, c, cell)
        self.table.resizeRowsToContents()
        fit_table(self.table)
        self.layers_line.setVisible(found is not None)

    def _items(self) -> list[QListWidgetItem]:
        count = self.scenes.count()
        return [item for n in range(count) if (item := self.scenes.item(n)) is not None]
