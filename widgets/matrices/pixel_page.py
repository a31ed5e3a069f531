"""One matrix as numbers: of a pixel, a class, a region or the scene, with arrows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.jobs import Progress
from backends.matrix_analysis import mean_matrix
from widgets.matrices.arrows import Arrows
from widgets.matrices.desk import Desk
from widgets.matrix_view import MatrixTable
from widgets.pages import Page
from widgets.theme import wrapped


class PixelPage(Page):
    """The matrix of the clicked pixel, or a mean."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
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
        desk.subject_changed.connect(self.refresh)

    def refresh(self, *_: object) -> None:
        """Draw at once: another page may show the same pixel."""
        self._stale = False
        if self.desk.field is not None:
            self.draw()

    def draw(self) -> None:
        entry, subject = self.desk.entry, self.desk.subject()
        assert entry is not None
        if subject.is_empty:
            self.pixel_line.setText(subject.words)
            return
        if subject.pixel is not None:
            self._show(entry.matrix(*subject.pixel), subject.words)
            return

        def run(progress: Progress) -> NDArray[Any]:
            return mean_matrix(entry, subject.mask, progress)

        self.desk.submit("Mean matrix", "mean", run, lambda found: self._show(found, subject.words))

    def _show(self, matrix: NDArray[Any], said: str) -> None:
        field, entry, scale = self.desk.field, self.desk.entry, self.desk.scale
        assert field is not None
        assert entry is not None
        self.pixel_line.setText(said)
        off = matrix - entry.static
        name, shown = "viridis", matrix
        limits = (float(matrix.min()), float(max(matrix.max(), matrix.min() + 1e-6)))
        if scale == "fixed":
            limits = (0.0, 1.0)
        elif scale == "deviation":
            reach = float(np.abs(entry.deviation[::4, ::4]).max()) or 1e-6
            limits, name, shown = (-reach, reach), "diverging", off
        self.table.show_matrix(
            field.group_names, shown, limits, name, (matrix.sum(axis=1), matrix.sum(axis=0))
        )
        sums = np.concatenate([matrix.sum(axis=0), matrix.sum(axis=1)])
        self.sums_line.setText(
            f"Values {matrix.min():.4f} to {matrix.max():.4f}. "
            f"Rows and columns (Σ) add up to {_span(sums)}."
        )
        self.arrows.show_matrix(field.group_names, off)
        self.arrow_line.setText(
            "Arrows: flow from source to target against the static matrix, red more, blue less; "
            f"the widest is {np.abs(off - np.diag(np.diag(off))).max():.4f}."
        )


def _span(values: NDArray[Any]) -> str:
    low, high = f"{values.min():.3f}", f"{values.max():.3f}"
    return low if low == high else f"{low} to {high}"
