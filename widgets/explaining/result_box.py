"""What the network said, what is known of the map's trust, and the command that does it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from widgets.explaining.band_plot import BandPlot
from widgets.explaining.desk import Desk, one_value
from widgets.explaining.questions import Answer
from widgets.explaining.words import escape, likeliest, trust_line
from widgets.theme import GRID, wrapped


class ResultBox(QWidget):
    """Speaks of the desk's heatmap; empty without one."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.line = wrapped()
        self.line.setTextFormat(Qt.TextFormat.RichText)
        column.addWidget(self.line)
        self.bands = BandPlot()
        column.addWidget(self.bands)
        self.again = QWidget()
        row = QHBoxLayout(self.again)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        self.command_line = QLineEdit()
        self.command_line.setReadOnly(True)
        self.command_line.setMinimumWidth(1)
        self.command_line.setAccessibleName("Command line that makes this map again")
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the command line that makes this map again")
        self.copy_button.clicked.connect(self._copy)
        row.addWidget(self.command_line, 1)
        row.addWidget(self.copy_button)
        column.addWidget(self.again)
        desk.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say it of the heatmap that the desk speaks of."""
        heatmap, answer = self._desk.field, self._desk.answer
        self.again.setVisible(heatmap is not None)
        if heatmap is None:
            self.line.setText("")
            self.bands.hide()
            return
        lines = [f"<b>{escape(heatmap.title)}</b>"]
        if answer is not None and answer.found is not None:
            lines.append(likeliest(answer.top, start=_whose(answer)))
            lines += [escape(state.sentence) for state in answer.found.explanation.states]
        else:  # stitched, or of an earlier session: what a person must know is in its notes
            known = () if answer is None else answer.classifier.card.notes
            lines += [escape(n) for n in heatmap.provenance.notes if n not in known]
        if one_value(heatmap):
            lines.append("The map has one value; what mattered are the parts of the spectrum.")
        seen = () if answer is None or answer.found is None else answer.found.prepared.wavelength_nm
        self.bands.show_figures(heatmap.provenance.figures, seen)
        lines.append(trust_line(heatmap.verdict, heatmap.trust))
        self.line.setText("<br>".join(lines))
        command = heatmap.provenance.command
        if command and answer is not None and answer.card is not None:
            command = shlex.join(("clearband", *answer.assessed_by)) if answer.assessed_by else ""
        self.command_line.setText(command or "No command line: the area is in no file")
        self.command_line.setToolTip(_broken(command))
        self.command_line.setCursorPosition(0)
        self.command_line.setEnabled(bool(command))
        self.copy_button.setEnabled(bool(command))

    def show_likeliest(self, top: Sequence[tuple[int, str, float]]) -> None:
        """Say only what the network said: there is no map of it."""
        self.line.setText(likeliest(top))
        self.bands.hide()
        self.again.hide()

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.command_line.text())


def _whose(answer: Answer) -> str:
    """Return whose answer the classes are: the image's, a place's, or a mean over pixels."""
    if not answer.classifier.pixelwise:
        return "The network says"
    if answer.question.pixel is None and answer.question.region is None:
        return "The network says, on average over all pixels"
    return "The network says there"


def _broken(command: str) -> str:
    """Return a long command line for a tooltip, a line an option."""
    return command.replace(" --", "\n  --")
