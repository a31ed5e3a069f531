"""Which bands matter in the scene at hand: each is hidden in turn, beside the paper's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PyQt6.QtWidgets import QHeaderView, QPushButton, QVBoxLayout, QWidget

from backends.fire.band_study import BandStudy, band_study, study_command, study_rows
from backends.fire.question import FireQuestion
from backends.jobs import Job, JobHandle, Progress
from widgets.background import listen
from widgets.fire.desk import FireDesk
from widgets.running_row import RunningRow
from widgets.tables import fixed_cell, plain_table
from widgets.theme import GRID, wrapped

_BY_NETWORKS = (
    "Change of the mean fire probability when a channel's values are dealt out anew among the "
    "pixels; below 0 the networks leant on it."
)
_BY_RULES = "Percent of each rule's fire that stay when a band's values are dealt out anew."
_PAPER = "Paper: fire IoU, %, of its networks that saw this channel alone, on other scenes."


class BandsPage(QWidget):
    """Hide bands, read the table.

    Parameters
    ----------
    desk : FireDesk
    question : callable
        What is ticked on the page that detects.
    """

    def __init__(self, desk: FireDesk, question: Callable[[], FireQuestion]) -> None:
        super().__init__()
        self._desk, self._question = desk, question
        self._handle: JobHandle[Any] | None = None
        self._studies: dict[str, BandStudy] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.hint = wrapped()
        column.addWidget(self.hint)
        self.go_button = QPushButton("Hide each band in turn")
        self.go_button.setDefault(True)
        column.addWidget(self.go_button)
        self.running = RunningRow()
        column.addWidget(self.running)
        self.table = plain_table(("Hidden",))
        self.table.setWordWrap(False)
        column.addWidget(self.table)
        self.meaning = wrapped()
        column.addWidget(self.meaning)
        self.go_button.clicked.connect(lambda: self.hide_bands())
        listen(self, desk.workspace.scene_removed, self._on_removed)
        listen(self, desk.workspace.job_finished, self._on_finished)
        desk.looked.connect(self.refresh)
        desk.loaded.connect(self.refresh)
        self.refresh()

    def _on_removed(self, scene_id: str) -> None:
        self._studies.pop(scene_id, None)

    def refresh(self) -> None:
        """Say what will be asked, and show what was found."""
        look, networks = self._desk.look, self._desk.networks
        ready = look is not None and look.image is not None
        busy = self._handle is not None and not self._handle.state.is_final
        self.go_button.setEnabled(ready and not busy)
        who = "the open networks" if networks is not None else "the rules ticked under Detect"
        self.hint.setText(f"Which bands do {who} lean on in this scene?")
        scene = self._desk.scene
        self._show(None if scene is None else self._studies.get(scene.id))

    def hide_bands(self) -> JobHandle[Any] | None:
        """Hide each band of the active scene in turn."""
        desk, scene, look = self._desk, self._desk.scene, self._desk.look
        if scene is None or look is None or look.image is None:
            return None
        question, image = self._question(), look.image
        if desk.networks is not None:
            question = replace(question, rules=())
        command = study_command(scene, question)

        def run(progress: Progress) -> BandStudy:
            return band_study(image, question, progress=progress)

        def take(found: BandStudy) -> None:
            self._studies[scene.id] = found
            self.refresh()

        job = Job(
            f"Hide the bands of {scene.title}", run, scene_id=scene.id, topic="fire bands",
            command=command,
        )  # fmt: skip
        self._handle = desk.workspace.submit(job, on_result=take)
        self.running.follow(self._handle)
        self.refresh()
        return self._handle

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        self.running.refresh()
        if handle is self._handle:
            self.refresh()

    def _show(self, study: BandStudy | None) -> None:
        self.table.setVisible(study is not None)
        self.meaning.setVisible(study is not None)
        if study is None:
            return
        names, rows, full = study_rows(study)
        self.table.setColumnCount(len(names))
        self.table.setHorizontalHeaderLabels(list(names))
        self.table.setRowCount(len(rows))
        for n, row in enumerate(rows):
            for c, text in enumerate(row):
                cell = fixed_cell(text)
                cell.setToolTip(f"{full[n]}; {names[c]}: {text}")
                self.table.setItem(n, c, cell)
        header = self.table.horizontalHeader()
        high = 24
        if header is not None:
            header.setMinimumSectionSize(20)
            for c in range(1, len(names)):
                header.setSectionResizeMode(c, QHeaderView.ResizeMode.ResizeToContents)
            high = header.sizeHint().height()
        self.table.resizeRowsToContents()
        heights = sum(self.table.rowHeight(r) for r in range(len(rows)))
        self.table.setFixedHeight(high + heights + 4)
        self.meaning.setText(f"{_BY_NETWORKS if study.networks else _BY_RULES} {_PAPER}")
