"""How the fire grew from day to day; what is drawn before 06:00 counts to the day before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyqtgraph as pg
from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.errors import ClearbandError
from backends.jobs import Job, JobHandle, Progress
from backends.perimeters.comparing import growth_of_files
from backends.perimeters.journal import SUFFIX
from backends.perimeters.picture import RED
from backends.perimeters.progression import DayOfFire
from widgets.perimeter.desk import PerimeterDesk
from widgets.small_plot import SmallPlot
from widgets.tables import fit_table, fixed_cell, plain_table
from widgets.theme import GRID, wrapped

FILES = f"Lines and outlines (*{SUFFIX} *.gpkg *.geojson *.json *.shp *.zip *.kml *.kmz)"


class GrowthPage(QWidget):
    """Earlier lines, a chart, a table."""

    def __init__(self, desk: PerimeterDesk) -> None:
        super().__init__()
        self._desk = desk
        self.files: list[Path] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(
            wrapped("The last line of each day; one before 06:00 counts to the day before.")
        )
        self.zone_edit = QLineEdit("UTC")
        self.zone_edit.setToolTip("Time zone of the 06:00 rule, for example America/Boise")
        self.zone_edit.setAccessibleName("Time zone")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Time zone", self.zone_edit)
        column.addLayout(form)
        self.add_button = QPushButton("Add earlier lines…")
        column.addWidget(self.add_button)
        self.plot = SmallPlot("day", "ac")
        column.addWidget(self.plot)
        self.table = plain_table(("Day", "ac", "Growth"))
        column.addWidget(self.table)
        self.line = wrapped()
        column.addWidget(self.line)
        self.days: Sequence[DayOfFire] = ()
        self.plot.hide()
        self.table.hide()
        self.add_button.clicked.connect(lambda: self._ask())
        self.zone_edit.editingFinished.connect(lambda: self.compute())

    def _ask(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Earlier lines of this fire", "", FILES)
        if names:
            self.add([Path(name) for name in names])

    def add(self, files: Sequence[Path]) -> None:
        """Take in earlier lines."""
        self.files += [path for path in files if path not in self.files]
        self.compute()

    def compute(self) -> JobHandle[Any] | None:
        """Work the series out; the line of the desk is its newest."""
        held, zone = self._desk.held, self.zone_edit.text().strip() or "UTC"
        files = list(self.files)
        if held is not None and held.document.image_utc and held.journal.path not in files:
            files.append(held.journal.path)
        if not files:
            return None

        def run(progress: Progress) -> Any:
            try:
                return growth_of_files(files, zone)
            except ClearbandError as error:
                return error

        job = Job("Measure the growth", run, topic="perimeter growth", quiet=True)
        return self._desk.workspace.submit(job, on_result=self._show)

    def _show(self, days: Any) -> None:
        if isinstance(days, ClearbandError):
            self.line.setText(str(days))
            return
        self.days = days
        self.plot.plot_item.clear()
        heights = [day.acres for day in days]
        self.plot.plot_item.addItem(
            pg.BarGraphItem(x=range(len(days)), height=heights, width=0.6, brush=RED)
        )
        axis = self.plot.plot_item.getAxis("bottom")
        axis.setTicks([[(n, f"{day.day:%d %b}") for n, day in enumerate(days)]])
        self.table.setRowCount(len(days))
        for n, day in enumerate(days):
            grown = f"{day.growth_ac:+,.1f}" + ("  shrank" if day.shrank else "")
            if n == 0:
                grown = "first line"
            for c, text in enumerate((f"{day.day}", f"{day.acres:,.1f}", grown)):
                cell = fixed_cell(text)
                cell.setToolTip(f"Line of {day.utc}")
                self.table.setItem(n, c, cell)
        fit_table(self.table)
        self.plot.setVisible(bool(days))
        shrunk = [str(day.day) for day in days if day.shrank]
        self.line.setText(f"Smaller than the day before: {', '.join(shrunk)}." if shrunk else "")
