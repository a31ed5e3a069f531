"""The n × n maps of a site, now or at a step of the training."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal

from backends.jobs import Progress
from backends.matrix_maps import GridPicture, grid_picture
from backends.overlays import MatrixField
from widgets.matrices.desk import Desk, Page, narrow_box
from widgets.matrix_view import MatrixGrid
from widgets.theme import wrapped

SCALES = {
    "stretch": "Each map stretched",
    "fixed": "All maps 0 to 1",
    "deviation": "Difference from static",
}


class MapsPage(Page):
    """The grid of maps."""

    scaled = pyqtSignal()

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.scale_box = narrow_box("How values become colours")
        for key, title in SCALES.items():
            self.scale_box.addItem(title, key)
        self.step_box = narrow_box("The matrices now, or at a step of the training (coarse grid)")
        self.step_box.hide()
        for box in (self.scale_box, self.step_box):
            box.currentIndexChanged.connect(self.refresh)
            self.column.addWidget(box)
        self.scale_box.currentIndexChanged.connect(lambda _: self.scaled.emit())
        self.grid = MatrixGrid()
        self.column.addWidget(self.grid)
        self.range_line, self.order_line = wrapped(), wrapped()
        self.column.addWidget(self.range_line)
        self.column.addWidget(self.order_line)
        self._of: MatrixField | None = None

    @property
    def scale(self) -> str:
        """Which scale is chosen."""
        return str(self.scale_box.currentData())

    @property
    def shown(self) -> MatrixField | None:
        """The field drawn: that of the desk, or a snapshot of it."""
        field, number = self.desk.field, self.step_box.currentData()
        if field is None or field.history is None or number is None or number < 0:
            return field
        return field.history.field(number, field)

    def draw(self) -> None:
        field = self.desk.field
        assert field is not None
        if self._of is not field:
            self._of = field
            self._fill_steps(field)
        shown, (layer, site), scale = self.shown, self.desk.site, self.scale
        assert shown is not None
        entry = shown.entry(layer, site)

        def run(progress: Progress) -> GridPicture:
            return grid_picture(entry, scale=scale, progress=progress)

        def show(picture: GridPicture) -> None:
            self.grid.show_picture(field.group_names, picture)
            span = float(picture.high.max() - picture.low.min())
            self.range_line.setText(
                f"True range {picture.range_text} (width {span:.4f}). {_words(scale)}"
            )

        self.order_line.setText(
            "These matrices also sorted the pixels into the lists that the spatial scan reads."
            if site == "mixer"
            else f"These only mix; the lists were sorted by the mixer site of layer {layer}."
        )
        self.desk.submit("Draw matrices", "maps", run, show)

    def _fill_steps(self, field: MatrixField) -> None:
        self.step_box.blockSignals(True)
        self.step_box.clear()
        self.step_box.addItem("Trained network", -1)
        steps = field.history.steps if field.history is not None else ()
        for number, step in enumerate(steps):
            self.step_box.addItem(f"After step {step}", number)
        self.step_box.setVisible(bool(steps))
        self.step_box.blockSignals(False)


def _words(scale: str) -> str:
    if scale == "fixed":
        return "All maps share one scale from 0 to 1."
    if scale == "deviation":
        return "Blue: less than without looking at the pixel. Red: more."
    return "Each map is stretched on its own, so small differences look large."
