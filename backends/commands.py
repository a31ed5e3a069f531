"""Undo and redo: one stack a workspace, each command knows where to look afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psygnal import Signal


@dataclass
class Command:
    """Something the user did to what they drew or edited.

    Attributes
    ----------
    label : str
        For the menu: ``"Delete region Meadow"``.
    do, undo : callable
    where : Any
        What the view should show afterwards, e.g. ``(scene_id, row, col)``; None stays.
    """

    label: str
    do: Callable[[], None]
    undo: Callable[[], None]
    where: Any = None


@dataclass
class _Bundle:
    commands: list[Command] = field(default_factory=list)


class CommandStack:
    """The last things done, newest last; a new one forgets what was undone."""

    changed = Signal()
    shown = Signal(object)

    def __init__(self, limit: int = 500) -> None:
        self.limit = limit
        self._done: list[Command] = []
        self._undone: list[Command] = []
        self._bundle: _Bundle | None = None

    def do(self, command: Command) -> None:
        """Run a command and remember it."""
        command.do()
        self.record(command)

    def record(self, command: Command) -> None:
        """Remember a command that was already carried out (a stroke just painted)."""
        if self._bundle is not None:
            self._bundle.commands.append(command)
            return
        self._done.append(command)
        del self._done[: -self.limit]
        self._undone.clear()
        self.changed.emit()

    @contextmanager
    def bundle(self, label: str, where: Any = None) -> Iterator[None]:
        """Make everything done inside one step."""
        if self._bundle is not None:
            yield
            return
        self._bundle = _Bundle()
        try:
            yield
        finally:
            inside, self._bundle = self._bundle.commands, None
            if inside:
                place = inside[-1].where if where is None else where
                self.record(Command(label, lambda: _run(inside), lambda: _unrun(inside), place))

    @property
    def undo_label(self) -> str | None:
        """What would be undone."""
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        """What would be done again."""
        return self._undone[-1].label if self._undone else None

    def undo(self) -> str | None:
        """Undo the last thing; return its label, None when there is nothing."""
        if not self._done:
            return None
        command = self._done.pop()
        command.undo()
        self._undone.append(command)
        self._after(command)
        return command.label

    def redo(self) -> str | None:
        """Do again what was undone last; return its label, None when there is nothing."""
        if not self._undone:
            return None
        command = self._undone.pop()
        command.do()
        self._done.append(command)
        self._after(command)
        return command.label

    def clear(self) -> None:
        """Forget everything."""
        self._done.clear()
        self._undone.clear()
        self.changed.emit()

    def drop(self, matches: Callable[[Command], bool]) -> None:
        """Forget the steps that can no longer be taken back: what they changed is gone."""
        before = len(self._done) + len(self._undone)
        self._done = [c for c in self._done if not matches(c)]
        self._undone = [c for c in self._undone if not matches(c)]
        if len(self._done) + len(self._undone) != before:
            self.changed.emit()

    def _after(self, command: Command) -> None:
        self.changed.emit()
        if command.where is not None:
            self.shown.emit(command.where)


def _run(commands: list[Command]) -> None:
    for command in commands:
        command.do()


def _unrun(commands: list[Command]) -> None:
    for command in reversed(commands):
        command.undo()
