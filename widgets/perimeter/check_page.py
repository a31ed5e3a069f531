"""Yesterday's line beside today's, the checks, the signature, the delivery."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PyQt6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backends.errors import ClearbandError, NeedsChoice
from backends.jobs import Job, JobHandle, Progress
from backends.perimeters.beside import with_contained, with_detections
from backends.perimeters.checks import Check
from backends.perimeters.comparison import Comparison
from backends.perimeters.editing import growth_only
from backends.perimeters.review import ReviewState
from widgets.background import listen
from widgets.perimeter.desk import PerimeterDesk
from widgets.perimeter.line_page import OUTLINES
from widgets.running_row import RunningRow
from widgets.tables import fixed_cell, plain_table
from widgets.theme import GRID, wrapped


class CheckPage(QWidget):
    """Compare, clear or waive, sign, hand over."""

    def __init__(self, desk: PerimeterDesk) -> None:
        super().__init__()
        self._desk = desk
        self._checks: list[Check] = []
        self._build()
        desk.changed.connect(self.refresh)
        desk.figured.connect(self.refresh)
        listen(self, desk.workspace.job_finished, self._on_finished)
        self.refresh()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.previous_button = QPushButton("Compare with yesterday's line…")
        column.addWidget(self.previous_button)
        row = QHBoxLayout()
        self.detections_button = QPushButton("Detections…")
        self.detections_button.setToolTip(
            "Satellite detections of that day (FIRMS, CSV or GeoJSON): which lie outside the line, "
            "which piece of it nobody saw burning"
        )
        self.contained_button = QPushButton("Contained line…")
        self.contained_button.setToolTip("Contained and control line: does it lie on the edge?")
        self.union_button = QPushButton("Take yesterday's area in")
        self.union_button.setToolTip("Take yesterday's area into the line: a fire does not shrink")
        row.addWidget(self.detections_button)
        row.addWidget(self.contained_button)
        column.addLayout(row)
        column.addWidget(self.union_button)
        self.compare_line = wrapped()
        column.addWidget(self.compare_line)
        self.table = plain_table(("Check", "State"))
        self.table.setSelectionMode(self.table.SelectionMode.SingleSelection)
        self.table.setSelectionBehavior(self.table.SelectionBehavior.SelectRows)
        column.addWidget(self.table)
        self.check_line = wrapped()
        column.addWidget(self.check_line)
        row = QHBoxLayout()
        self.reason_edit = QLineEdit()
        self.reason_edit.setPlaceholderText("Why it is right all the same")
        self.waive_button = QPushButton("Waive")
        row.addWidget(self.reason_edit, 1)
        row.addWidget(self.waive_button)
        column.addLayout(row)
        row = QHBoxLayout()
        self.review_button, self.verify_button = QPushButton("To review"), QPushButton("Verify")
        self.verify_button.setDefault(True)
        row.addWidget(self.review_button)
        row.addWidget(self.verify_button)
        column.addLayout(row)
        self.trail_line = wrapped()
        column.addWidget(self.trail_line)
        self.deliver_button = QPushButton("Deliver…")
        column.addWidget(self.deliver_button)
        self.running = RunningRow()
        column.addWidget(self.running)
        self.delivered_line = wrapped()
        column.addWidget(self.delivered_line)
        for button, action in (
            (self.previous_button, self._ask_previous),
            (self.detections_button, self._ask_detections),
            (self.contained_button, self._ask_contained),
            (self.union_button, self.add_yesterdays),
            (self.waive_button, self.waive),
            (self.review_button, self.review),
            (self.verify_button, self.verify),
            (self.deliver_button, self._ask_deliver),
        ):
            button.clicked.connect(partial(_press, action))
        self.table.itemSelectionChanged.connect(self._on_chosen)

    # -- do ------------------------------------------------------------------------------

    def _ask_previous(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Yesterday's line", "", OUTLINES)
        if name:
            self.compare_with(Path(name))

    def compare_with(self, path: Path, fire: str | None = None) -> JobHandle[Any] | None:
        """Lay yesterday's line beside today's; which fire is asked where it holds several."""
        document, scene = self._desk.document, self._desk.scene
        if document is None or scene is None:
            return None

        def run(progress: Progress) -> Any:
            from backends.perimeters.importing import read_perimeters

            return read_perimeters(path)

        def take(imported: Any) -> None:
            from backends.perimeters.opening import lay_beside

            try:
                lay_beside(document, imported, fire)
            except NeedsChoice as error:
                self._desk.ask_which(error, lambda which: self.compare_with(path, which))
                return
            except ClearbandError as error:
                self._desk.said.emit(str(error))
                return
            held = self._desk.held
            if held is not None:
                held.journal.save()
            document.changed.emit()

        job = Job(f"Read {path.name}", run, scene_id=scene.id, topic="perimeter previous")
        return self._desk.workspace.submit(job, on_result=take)

    def _ask_detections(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Satellite detections", "", "FIRMS files (*.csv *.txt *.geojson *.json)"
        )
        if name:
            self.lay(Path(name), with_detections)

    def _ask_contained(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Contained line", "", OUTLINES)
        if name:
            self.lay(Path(name), with_contained)

    def lay(self, path: Path, read: Callable[[Any, Path], Any]) -> JobHandle[Any] | None:
        """Lay detections or contained line beside the line, for its checks."""
        document, scene, desk = self._desk.document, self._desk.scene, self._desk
        if document is None or scene is None:
            return None

        def run(progress: Progress) -> Any:
            return read(document, path)

        def take(beside: Any) -> None:
            if desk.document is document:
                desk.do(lambda d: d.lay_beside(beside, desk.who))

        job = Job(f"Read {path.name}", run, scene_id=scene.id, topic="perimeter beside")
        return desk.workspace.submit(job, on_result=take)

    def add_yesterdays(self) -> None:
        """Take yesterday's area into the line."""
        document = self._desk.document
        if document is not None and document.previous is not None:
            previous = document.previous
            self._desk.edit("Union with yesterday's line", lambda g: growth_only(g, previous))

    def waive(self) -> None:
        """Let the chosen check pass, with the reason that is written there."""
        check, reason = self.chosen(), self.reason_edit.text()
        if check is None:
            self._desk.said.emit("Choose an open check first.")
        elif self._desk.do(lambda d: d.waive(check, self._desk.who, reason)):
            self.reason_edit.clear()

    def review(self) -> None:
        """Take the line into review, or back from verified with a reason."""
        self._desk.do(lambda d: d.to_review(self._desk.who, self.reason_edit.text()))

    def verify(self) -> None:
        """Sign the line."""
        desk = self._desk
        figures = desk.figures
        if figures is None or desk.scene is None:
            desk.said.emit("The line is still being checked; try again in a moment.")
            return
        scene_id = desk.scene.id
        if desk.document is not None and desk.document.state is ReviewState.DRAFT:
            # Taking it into review changes no geometry: the checks stand.
            desk.do(lambda d: d.to_review(desk.who))
        if desk.do(lambda d: d.verify(desk.who, figures.checks)) and desk.held is not None:
            # What is signed cannot be taken back by Ctrl+Z.
            desk.workspace.commands.drop(lambda c: c.where == (scene_id, None, None))
            desk.held.journal.save()

    def _ask_deliver(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder for the products")
        if name:
            self.deliver(Path(name))

    def deliver(self, folder: Path) -> JobHandle[Any] | None:
        """Write all products of the line into a folder."""
        document, scene = self._desk.document, self._desk.scene
        make = deliver_function()
        if document is None or scene is None or make is None:
            return None

        recipe = self._desk.recipe()

        def run(progress: Progress) -> Any:
            from backends.perimeters.deliverables.backdrop import SceneBackdrop

            below = None
            if recipe is not None:
                below = SceneBackdrop.of(scene, recipe, progress=progress)
            return make(document, folder, backdrop=below, progress=progress)

        def show(made: Any) -> None:
            mark = f" marked {made.mark}" if made.mark else ""
            self.delivered_line.setText(f"{len(made.files)} files{mark} in {made.folder.name}.")
            names = "\n".join(file.path.name for file in made.files)
            self.delivered_line.setToolTip(names)

        job: Job[Any] = Job(
            f"Deliver the line of {scene.title}", run, scene_id=scene.id, topic="deliver"
        )
        handle = self._desk.workspace.submit(job, on_result=show)
        self.running.follow(handle)
        return handle

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle.job.topic == "deliver":
            self.running.refresh()

    # -- show ----------------------------------------------------------------------------

    def chosen(self) -> Check | None:
        """Return the check that is selected, if it is open."""
        rows = {index.row() for index in self.table.selectedIndexes()}
        found = [self._checks[r] for r in rows if r < len(self._checks)]
        return next((c for c in found if not c.passed), None)

    def _on_chosen(self) -> None:
        rows = [index.row() for index in self.table.selectedIndexes()]
        if not rows or rows[0] >= len(self._checks):
            return
        check, held = self._checks[rows[0]], self._desk.held
        self.check_line.setText(check.text)
        scene = self._desk.scene
        if check.where is not None and held is not None and scene is not None:
            middle = check.where.representative_point()
            row, col = held.plane.to_pixels(np.array([[middle.x, middle.y]]))[0]
            self._desk.lines.look_asked.emit(scene.id, float(row), float(col))

    def refresh(self) -> None:
        """Show the state again."""
        desk = self._desk
        document, figures = desk.document, desk.figures
        for part in (
            self.previous_button, self.detections_button, self.contained_button,
            self.waive_button, self.review_button, self.verify_button, self.deliver_button,
        ):  # fmt: skip
            part.setEnabled(document is not None)
        beside = document is not None and document.previous is not None
        self.union_button.setEnabled(
            beside and document is not None and document.state.may_be_edited
        )
        self.union_button.setVisible(beside)
        if deliver_function() is None:
            self.deliver_button.setEnabled(False)
            self.deliver_button.setToolTip("Products cannot be written by this version.")
        if figures is not None or document is None:
            self._checks = [] if figures is None else figures.checks
        self._fill(document)
        if figures is not None or document is None:
            compared = None if figures is None else figures.comparison
            self.compare_line.setText(compare_words(compared, document))
        self.compare_line.setVisible(document is not None)
        if document is None:
            self.trail_line.setText("")
            return
        left = sum(not c.passed and not document.is_waived(c) for c in self._checks)
        rows = [index.row() for index in self.table.selectedIndexes()]
        if rows and rows[0] < len(self._checks):
            self.check_line.setText(self._checks[rows[0]].text)
        else:
            words = "1 check is open: clear it, or waive it with a reason."
            if left > 1:
                words = f"{left} checks are open: clear them, or waive each with a reason."
            self.check_line.setText(words if left else "All checks are cleared or waived.")
        if figures is None:
            self.check_line.setText("Being checked anew …")
        signed = document.state.is_signed
        self.review_button.setText("Reopen" if signed else "To review")
        self.review_button.setEnabled(document.state is not ReviewState.IN_REVIEW)
        self.verify_button.setEnabled(not signed and figures is not None)
        last = document.trail.entries[-3:]
        self.trail_line.setText("<br>".join(f"{e.utc} {e.who}: {_label(e)}" for e in last))
        self.trail_line.setToolTip(f"{len(document.trail.entries)} lines in the audit trail")

    def _fill(self, document: Any) -> None:
        chosen = {index.row() for index in self.table.selectedIndexes()}
        self.table.blockSignals(True)
        self.table.setRowCount(len(self._checks))
        for n, check in enumerate(self._checks):
            waived = document is not None and document.is_waived(check)
            state = "ok" if check.passed else "waived" if waived else "OPEN"
            for c, text in enumerate((check.title, state)):
                cell: QTableWidgetItem = fixed_cell(text)
                cell.setFlags(cell.flags() | cell.flags().ItemIsSelectable)
                cell.setToolTip(check.text)
                self.table.setItem(n, c, cell)
        self.table.resizeRowsToContents()
        header = self.table.horizontalHeader()
        high = header.sizeHint().height() if header is not None else 24
        rows = range(self.table.rowCount())
        self.table.setFixedHeight(high + sum(self.table.rowHeight(r) for r in rows) + 4)
        self.table.setVisible(bool(self._checks))
        for row in chosen:
            if row < len(self._checks):
                self.table.selectRow(row)
        self.table.blockSignals(False)


def deliver_function() -> Any:
    """Return the function that writes all products, where this version has it."""
    try:
        return importlib.import_module("backends.perimeters.deliverables.deliver").deliver
    except ImportError:
        return None


def compare_words(found: Comparison | None, document: Any) -> str:
    """Return growth, reduction and shift in words."""
    if found is None:
        return "No line of yesterday lies beside it."
    shift = found.shift
    moved = "not shifted"
    if shift.is_shifted:
        moved = f"<b>shifted by {shift.length_m:.0f} m</b> ({shift.dx_m:+.0f} east, "
        moved += f"{shift.dy_m:+.0f} north)"
    name = getattr(document, "previous_label", "") or "yesterday's line"
    return (
        f"Beside {name}: {found.previous_ac:,.1f} → {found.new_ac:,.1f} ac, "
        f"+{found.growth_ac:,.1f} ac grown (yellow hatch), −{found.reduction_ac:,.1f} ac lost; "
        f"{moved}."
    )


def _label(entry: Any) -> str:
    return str(entry.action)


def _press(action: Any, *_: object) -> None:
    action()
