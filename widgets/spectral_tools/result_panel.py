"""What a tool found: the figures, a row a layer, and what to know before believing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QPushButton,
    QTableWidget,
    QVBoxLayout,
    QWidget,
)

from backends.overlays import ClassMap, Overlay
from backends.workspace import Workspace
from widgets.spectral_tools.asking import Answer
from widgets.spectral_tools.result_plot import ResultPlot
from widgets.spectral_tools.threshold_row import ThresholdRow
from widgets.tables import fit_table, fixed_cell, plain_table
from widgets.theme import GRID, wrapped

_ROWS = ("classes", "strength", "targets", "shares", "bad_bands", "worst", "ranking")
_QUIET = (
    "scene", "weights", "method", "notes", "formula", "taken", "references", "endmembers",
    "threshold",
    "eigenvalues", "indices", "figures", "index_bands", "other", "shift_rows", "shift_columns",
    "normalise",
)  # fmt: skip
_NAMES = {
    "p2": "2nd percentile", "p98": "98th percentile", "row": "from row", "col": "from column",
    "bad": "of them bad", "removed_rms": "taken out (RMS)", "kept": "components kept",
    "components_kept": "these are",
}  # fmt: skip
_HEADS = {"signal_to_noise": "signal/noise", "mean_share": "mean share", "largest": "most"}


class ResultPanel(QWidget):
    """Facts, threshold, table, notes; a row is laid over the image by a double click."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._answer: Answer | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.facts_line = wrapped()
        self.threshold = ThresholdRow(workspace)
        self.plot = ResultPlot()
        self.table: QTableWidget = plain_table(("",))
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setWordWrap(False)
        self.table.setToolTip("A double click lays a row's map over the image")
        self.table.cellDoubleClicked.connect(lambda row, _: self.lay(row))
        buttons = QHBoxLayout()
        self.lay_button = QPushButton("Show as layer")
        self.lay_button.setToolTip("Lay the map of the selected row over the image")
        self.lay_button.clicked.connect(lambda: self.lay(max(0, self.table.currentRow())))
        self.all_button = QPushButton("All of them")
        self.all_button.setToolTip("Every map of this result as a layer")
        self.all_button.clicked.connect(lambda: self.lay_all())
        buttons.addWidget(self.lay_button)
        buttons.addWidget(self.all_button)
        self.notes_line = wrapped()
        for part in (self.facts_line, self.threshold, self.plot, self.table):
            column.addWidget(part)
        column.addLayout(buttons)
        column.addWidget(self.notes_line)
        self.threshold.cut.connect(self._on_cut)
        self.show_answer(None)

    def say(self, sentence: str) -> None:
        """Say why there is no result."""
        self.show_answer(None)
        self.facts_line.setText(sentence)
        self.show()

    def show_answer(self, answer: Answer | None) -> None:
        """Show what a run gave, or nothing."""
        self._answer = answer
        self.setVisible(answer is not None)
        self.threshold.show_for(answer)
        self.plot.show_for(answer)
        summary = {} if answer is None else answer.product.summary
        title = "" if answer is None else f"<b>{answer.asked.title}</b>: "
        self.facts_line.setText(title + _facts(summary))
        found = next((key for key in _ROWS if summary.get(key)), "")
        self._fill(_few(found, summary[found]) if found else [])
        notes = [str(note) for note in summary.get("notes", ())]
        if answer is not None and not answer.asked.command:
            notes.append("Not in the run log: what it used is in no file.")
        self.notes_line.setText("\n".join(notes))
        self.notes_line.setVisible(bool(notes))

    def maps(self) -> list[Overlay]:
        """Return the maps that belong to the rows of the table, and those after them."""
        if self._answer is None:
            return []
        return [o for o in self._answer.product.overlays if not isinstance(o, ClassMap)]

    def lay(self, row: int) -> None:
        """Lay the map of a row over the image."""
        maps = self.maps()
        if row < len(maps):
            self._lay(maps[row])

    def lay_all(self) -> None:
        """Lay every map over the image, the first one on top."""
        for overlay in reversed(self.maps()):
            self._lay(overlay)

    def _lay(self, overlay: Overlay) -> None:
        if overlay.id in self._workspace.overlays or self._workspace.add_overlay(overlay):
            self._workspace.activate_overlay(overlay.id)

    def _fill(self, rows: Sequence[Mapping[str, Any]]) -> None:
        maps = self.maps()
        heads = list(rows[0]) if rows else [""]
        self.table.setColumnCount(len(heads))
        self.table.setHorizontalHeaderLabels([_HEADS.get(h, h.replace("_", " ")) for h in heads])
        header = self.table.horizontalHeader()
        if header is not None:
            for at in range(len(heads)):
                mode = header.ResizeMode.Stretch if at == 0 else header.ResizeMode.ResizeToContents
                header.setSectionResizeMode(at, mode)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        self.table.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, head in enumerate(heads):
                cell = fixed_cell(cell_words(head, row[head]))
                cell.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                cell.setToolTip(cell.text())
                if j:
                    cell.setTextAlignment(right)
                self.table.setItem(i, j, cell)
        fit_table(self.table)
        several = len(maps) > 1
        self.lay_button.setVisible(several)
        self.all_button.setVisible(several)

    def _on_cut(self, class_map: ClassMap) -> None:
        """The class map was cut at another threshold: so are the figures."""
        counts = class_map.counts()
        total = class_map.labels.size
        if self._answer is not None and self._answer.product.summary.get("classes"):
            rows = [
                {"reference": name, "pixels": counts[value], "share": counts[value] / total}
                for value, name in class_map.class_names.items()
            ]
            self._fill(rows)
        notes = "\n".join(class_map.provenance.notes)
        if notes:
            self.notes_line.setText(notes)


def _few(key: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return rows with as many columns as a narrow dock holds."""
    if key == "ranking":
        return [{"reference": row["reference"], "score": row["score"]} for row in rows]
    if key != "bad_bands":
        return list(rows)
    return [
        {"bad band": _band_words(row), "why": str(row["reason"]).partition(" (")[0]} for row in rows
    ]


def _band_words(row: Mapping[str, Any]) -> str:
    nm = row["wavelength_nm"]
    return f"{row['band']}" if nm is None else f"{row['band']}, {nm:.0f} nm"


def _facts(summary: Mapping[str, Any]) -> str:
    parts = []
    figures = summary.get("figures") or [{}]
    shown = {key: value for key, value in figures[0].items() if key in ("p2", "median", "p98")}
    for key, value in {**shown, **summary}.items():
        if key in _QUIET or value in (None, []) or (isinstance(value, list) and key in _ROWS):
            continue
        name = _NAMES.get(key, key.replace("_", " "))
        if key == "seconds":
            parts.append(f"{value:.2f} s")
        else:
            parts.append(f"{name} {cell_words(key, value)}")
    return ", ".join(parts) + "." if parts else ""


def cell_words(key: str, value: Any) -> str:
    """Return a figure for people."""
    if value is None:
        return "–"
    if "share" in key or key == "false_alarms":
        return f"{100 * float(value):.3g}\u00a0%"
    if key == "written":
        return ", ".join(Path(name).name for name in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return ", ".join(cell_words("", v) for v in value)
    return str(value)
