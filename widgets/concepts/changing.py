"""Concepts that were scaled, set or taken away: each is one step of the window's undo."""

from __future__ import annotations

from PyQt6.QtCore import QObject, pyqtSignal

from backends.commands import Command
from backends.concepts.changes import Change
from backends.workspace import Workspace


class ChangeStep(Command):
    """A step that changed what is decided on."""


class Changing(QObject):
    """What was changed of the decision in sight.

    Attributes
    ----------
    now : dict of int to Change
    """

    changed = pyqtSignal()

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._commands = workspace.commands
        self.now: dict[int, Change] = {}
        self._scene_id = ""
        self._before: dict[int, Change] | None = None

    def begin(self, scene_id: str) -> None:
        """Speak of another decision: nothing of it is changed, old steps are gone."""
        self._scene_id, self._before = scene_id, None
        self._commands.drop(lambda c: isinstance(c, ChangeStep))
        if self.now:
            self.now = {}
            self.changed.emit()

    def put(self, concept: int, change: Change | None, label: str) -> None:
        """Change a concept, or (None) give it back its own strength: one step."""
        after = self._with(concept, change)
        self._step(self.now if self._before is None else self._before, after, label)
        self._before = None

    def preview(self, concept: int, change: Change) -> None:
        """Change a concept while a slider is dragged; `put` makes a step of it."""
        if self._before is None:
            self._before = self.now
        self._set(self._with(concept, change))

    def reset(self) -> None:
        """Give all concepts back their own strength: one step."""
        self._step(self.now, {}, "Concepts as they were")

    def _with(self, concept: int, change: Change | None) -> dict[int, Change]:
        after = {n: c for n, c in self.now.items() if n != concept}
        if change is not None and not change.nothing:
            after[concept] = change
        return after

    def _step(self, before: dict[int, Change], after: dict[int, Change], label: str) -> None:
        if after == before:
            self._set(after)
            return
        where = (self._scene_id, None, None)
        self._commands.do(
            ChangeStep(label, lambda: self._set(after), lambda: self._set(before), where)
        )

    def _set(self, changes: dict[int, Change]) -> None:
        self.now = changes
        self.changed.emit()
