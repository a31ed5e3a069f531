"""A clicked pixel: each rule's yes or no with the number that decided, both networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PyQt6.QtGui import QColor, QShowEvent
from PyQt6.QtWidgets import QHeaderView, QLabel, QVBoxLayout, QWidget

from backends.errors import ClearbandError
from backends.fire.applying import RuleAnswer
from backends.fire.pixel import pixel_report, rows_of
from backends.jobs import Job, Progress
from backends.palette import class_colors
from widgets.background import listen
from widgets.fire.desk import FireDesk
from widgets.tables import fixed_cell, plain_table
from widgets.theme import GRID, wrapped

HINT = "Click a pixel of the image to see what every rule and network says of it."
_FIRE = class_colors({1: "Fire"})[1]


class PixelPage(QWidget):
    """Facts, a row a method, and the command line that prints it."""

    def __init__(self, desk: FireDesk) -> None:
        super().__init__()
        self._desk = desk
        self._pixel: tuple[str, int, int] | None = None
        self._stale = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.heading = wrapped(HINT)
        column.addWidget(self.heading)
        self.facts_line = wrapped()
        column.addWidget(self.facts_line)
        self.table = plain_table(("Rule", "Says", "By"))
        header = self.table.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        column.addWidget(self.table)
        self.tests_line: QLabel = wrapped("Point at a row to read all its tests.")
        self.silent_line = wrapped()
        self.silent_line.hide()
        column.addWidget(self.tests_line)
        column.addWidget(self.silent_line)
        self.story: Any = None
        self.table.hide()
        self.tests_line.hide()
        listen(self, desk.workspace.pixel_selected, self._on_pixel)
        desk.answered.connect(self._on_changed)
        desk.looked.connect(self._on_changed)

    def _on_pixel(self, scene_id: str, row: int, col: int) -> None:
        self._pixel = (scene_id, row, col)
        self._on_changed()

    def _on_changed(self) -> None:
        self._stale = True
        if self.isVisible():
            self._ask()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look at what was clicked meanwhile."""
        super().showEvent(event)
        if self._stale:
            self._ask()

    def _ask(self) -> None:
        """Have the pixel looked at."""
        look, answer, pixel = self._desk.look, self._desk.answer, self._pixel
        scene = self._desk.scene
        if scene is None or pixel is None or pixel[0] != scene.id:
            self._clear(HINT)
            return
        if look is None or look.image is None:
            self._clear("It is not known what the bands are; say it above.")
            return
        self._stale = False
        row, col = pixel[1:]
        image = answer.image if answer is not None else look.image
        networks = self._desk.networks if answer is None else answer.networks
        question = self._desk.question if answer is None else answer.question
        tiles = answer.found.tiles if answer is not None and networks is not None else ()

        def run(progress: Progress) -> Any:
            try:
                return pixel_report(
                    image, row, col, networks, tiles=tiles, numbers=question.numbers,
                    device=question.device_id(networks),
                )  # fmt: skip
            except ClearbandError as error:
                return error

        self.heading.setText(f"<b>Row {row}, column {col}</b> …")
        job = Job(
            f"Look at row {row}, column {col}", run, scene_id=scene.id, topic="fire pixel",
            quiet=True,
        )  # fmt: skip
        self._desk.workspace.submit(job, on_result=self._show)

    def _clear(self, words: str) -> None:
        self.story = None
        self.heading.setText(words)
        for part in (self.facts_line, self.table, self.tests_line, self.silent_line):
            part.hide()

    def _show(self, story: Any) -> None:
        if isinstance(story, ClearbandError):
            self._clear(str(story))
            return
        self.story = story
        answer = self._desk.answer
        if answer is not None:
            tuning = answer.found.tuning
            rows = rows_of(story, tuning.gate, tuning.threshold)
        else:
            rows = rows_of(story, self._desk.question.gate, 0.5)
        yes = sum(a.fire is True for a in story.rules)
        asked = sum(a.fire is not None for a in story.rules)
        self.heading.setText(
            f"<b>Row {story.row}, column {story.col}</b>: {yes} of {asked} rules say fire."
        )
        self.facts_line.setText(facts_words(story.facts))
        self.facts_line.setVisible(bool(story.facts))
        tests = {a.title: "\n".join(map(str, a.tests)) or a.reason for a in story.rules}
        silent = {a.title for a in story.rules if a.fire is None}
        rows = [row for row in rows if row[0] not in silent]
        self.silent_line.setText(silent_words(story.rules))
        self.silent_line.setVisible(bool(silent))
        self.table.setRowCount(len(rows))
        for n, (title, said, by) in enumerate(rows):
            for c, text in enumerate((title, said, by)):
                cell = fixed_cell(text)
                cell.setToolTip(tests.get(title, "") or by)
                if said == "fire" and c == 1:
                    cell.setForeground(QColor(_FIRE))
                self.table.setItem(n, c, cell)
        self._fit()
        self.table.show()
        self.tests_line.show()

    def _fit(self) -> None:
        """Show every row: this table is the page."""
        header = self.table.horizontalHeader()
        high = header.sizeHint().height() if header is not None else 24
        self.table.resizeRowsToContents()
        rows = range(self.table.rowCount())
        self.table.setFixedHeight(high + sum(self.table.rowHeight(r) for r in rows) + 4)


def facts_words(facts: Mapping[str, float]) -> str:
    """Return temperatures and reflectances of a pixel in a line each."""
    kelvin = {n.removesuffix(", K"): v for n, v in facts.items() if n.endswith(", K")}
    heat = [f"{name} {value:.1f}\u00a0K" for name, value in kelvin.items()]
    light = [
        f"{n.removeprefix('reflectance, ')} {v:.3f}"
        for n, v in facts.items()
        if n.startswith("reflectance")
    ]
    lines = [", ".join(heat)] if heat else []
    if light:
        lines.append("Reflectance: " + ", ".join(light))
    return "<br>".join(lines)


def silent_words(rules: Sequence[RuleAnswer]) -> str:
    """Return which rules cannot be asked, and why, a reason once."""
    by_reason: dict[str, list[str]] = {}
    for answer in rules:
        if answer.fire is None:
            by_reason.setdefault(answer.reason, []).append(answer.rule_id)
    parts = [f"{', '.join(ids)}: {reason}" for reason, ids in by_reason.items()]
    return "Not asked. " + " ".join(parts) if parts else ""
