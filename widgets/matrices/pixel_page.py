"""One matrix as numbers: of a pixel, a class, a region or the scene, with arrows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.jobs import Progress
from backends.matrix_analysis import mean_matrix
from widgets.background import listen
from widgets.matrices.desk import Desk, Page, narrow_box
from widgets.matrices.drawings import Arrows
from widgets.matrix_view import MatrixTable
from widgets.theme import wrapped


class PixelPage(Page):
    """The matrix of the clicked pixel, or a mean."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.scale = "stretch"
        self.of_box = narrow_box("Whose matrix")
        self.column.addWidget(self.of_box)
        self.pixel_line = wrapped()
        self.column.addWidget(self.pixel_line)
        self.table = MatrixTable()
        self.column.addWidget(self.table)
        self.sums_line = wrapped()
        self.column.addWidget(self.sums_line)
        self.arrows = Arrows()
        self.column.addWidget(self.arrows)
        self.arrow_line = wrapped()
        self.column.addWidget(self.arrow_line)
        self.of_box.currentIndexChanged.connect(self.show_matrix)
        listen(self, desk.workspace.labels_changed, self._fill)
        listen(self, desk.workspace.regions_changed, self._fill)
        self._fill()

    def refresh(self) -> None:
        """Draw at once: another page may show the same pixel."""
        self._stale = False
        self._fill()

    def _fill(self, *_: object) -> None:
        """List whose matrices can be shown; keep the choice where it still exists."""
        chosen = self.of_box.currentData() or ("pixel", "")
        self.of_box.blockSignals(True)
        self.of_box.clear()
        self.of_box.addItem("Clicked pixel", ("pixel", ""))
        self.of_box.addItem("Whole scene", ("scene", ""))
        if self.desk.labels is not None:
            for value, name in self.desk.labels.class_names.items():
                self.of_box.addItem(f"Class {name}", ("class", value))
        if self.desk.field is not None:
            for region in self.desk.workspace.regions.values():
                if region.scene_id == self.desk.field.scene_id:
                    self.of_box.addItem(f"Region {region.name}", ("region", region.id))
        choices = [self.of_box.itemData(i) for i in range(self.of_box.count())]
        self.of_box.setCurrentIndex(choices.index(chosen) if chosen in choices else 0)
        self.of_box.blockSignals(False)
        self.show_matrix()

    def show_matrix(self, *_: object) -> None:
        """Show the matrix that is chosen."""
        field, entry = self.desk.field, self.desk.entry
        if field is None or entry is None:
            return
        kind, key = self.of_box.currentData()
        pixel = self.desk.pixel
        if kind == "pixel" and pixel is not None:
            self._show(entry.matrix(*pixel), f"Pixel at row {pixel[0]}, column {pixel[1]}.")
            return
        sheet, mask = self.desk.labels, None
        said = "Mean of the scene."
        if kind == "pixel":
            said += " Click a pixel in the image for its own."
        elif kind == "class" and sheet is not None:
            mask = self.desk.grid(sheet.values == key)
        elif kind == "region" and self.desk.scene is not None:
            region = self.desk.workspace.regions[key]
            mask = self.desk.grid(region.mask(self.desk.scene.shape[:2]))
        if mask is not None:
            if not mask.any():
                self.pixel_line.setText("No pixel of these matrices lies there.")
                return
            said = f"Mean of {int(mask.sum()):,} pixels: {self.of_box.currentText()}."

        def run(progress: Progress) -> NDArray[Any]:
            return mean_matrix(entry, mask, progress)

        self.desk.submit("Mean matrix", "mean", run, lambda found: self._show(found, said))

    def _show(self, matrix: NDArray[Any], said: str) -> None:
        field, entry = self.desk.field, self.desk.entry
        assert field is not None
        assert entry is not None
        self.pixel_line.setText(said)
        off = matrix - entry.static
        name, shown = "viridis", matrix
        limits = (float(matrix.min()), float(max(matrix.max(), matrix.min() + 1e-6)))
        if self.scale == "fixed":
            limits = (0.0, 1.0)
        elif self.scale == "deviation":
            reach = float(np.abs(entry.deviation[::4, ::4]).max()) or 1e-6
            limits, name, shown = (-reach, reach), "diverging", off
        self.table.show_matrix(field.group_names, shown, limits, name)
        sums = np.concatenate([matrix.sum(axis=0), matrix.sum(axis=1)])
        self.sums_line.setText(
            f"Values {matrix.min():.4f} to {matrix.max():.4f}. "
            f"Rows and columns add up to {sums.min():.3f} to {sums.max():.3f}."
        )
        self.arrows.show_matrix(field.group_names, off)
        self.arrow_line.setText(
            "Arrows: flow from source to target against the static matrix, red more, blue less; "
            f"the widest is {np.abs(off - np.diag(np.diag(off))).max():.4f}."
        )
