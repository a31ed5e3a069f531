"""What made the active result, how good it is, and when not to believe it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QFormLayout, QPushButton, QVBoxLayout, QWidget

from backends.errors import WrongUse
from backends.overlays import Overlay
from backends.registry import card
from backends.workspace import Workspace
from widgets.background import listen
from widgets.theme import GRID, EmptyState, wrapped


class ProvenanceDock(QWidget):
    """The origin of the active overlay, row by row."""

    ID = "provenance"
    TITLE = "Origin"

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(GRID, GRID, GRID, GRID)
        self.empty = EmptyState("Choose a result in the layer list to read what made it.")
        self._column.addWidget(self.empty)
        self.page: QWidget | None = None
        self.rows: dict[str, str] = {}
        self._command: Any = ()
        listen(self, workspace.active_overlay_changed, self._show)
        listen(self, workspace.overlay_replaced, lambda old, new: self._show())
        self._show()

    def _show(self, *_: object) -> None:
        overlay = self._workspace.active_overlay
        rows = {} if overlay is None else rows_of(overlay)
        command = () if overlay is None else overlay.provenance.command
        if self.page is not None and (rows, command) == (self.rows, self._command):
            return  # a map that is still being made comes twice a second
        if self.page is not None:
            self._column.removeWidget(self.page)
            self.page.deleteLater()
            self.page = None
        self.empty.setVisible(overlay is None)
        self.rows, self._command = rows, command
        if overlay is None:
            return
        self.page = QWidget()
        form = QFormLayout(self.page)
        form.setContentsMargins(0, 0, 0, 0)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for name, text in self.rows.items():
            label = wrapped(text)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            form.addRow(f"{name}:", label)
        if command:
            button = QPushButton("Copy command line")
            button.clicked.connect(lambda: _copy(command))
            form.addRow(button)
        self._column.insertWidget(0, self.page)


def rows_of(overlay: Overlay) -> dict[str, str]:
    """Return the provenance of an overlay as names and texts for people."""
    made = overlay.provenance
    rows = {"Result": overlay.title, "Made by": made.method}
    if made.version:
        rows["Made by"] += f", version {made.version}"
    for name, value in made.figures.items():
        if isinstance(value, float):
            rows[_words(name)] = f"{value:.4f}"
        elif isinstance(value, (int, str)):
            rows[_words(name)] = str(value)
    if made.parameters:
        rows["Settings"] = ", ".join(f"{_words(k).lower()} {v}" for k, v in made.parameters.items())
    if made.weights_digest:
        rows["Weights"] = made.weights_digest[:16]
    if made.region:
        rows["Region"] = made.region
    rows["Computed on"] = f"{made.device}, {made.seconds:.1f} s, {made.created_utc}"
    if made.software:
        rows["Software"] = ", ".join(f"{k} {v}" for k, v in made.software.items())
    if made.command:
        rows["Again"] = made.command
    limits = list(made.notes)
    with suppress(WrongUse):  # a method without a card has no limits written down
        limits += card(made.method).limits
    if limits:
        rows["When not to believe it"] = "\n".join(f"• {limit}" for limit in limits)
    return rows


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _copy(text: str) -> None:
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
