"""The n × n maps of a site, now or at a step of the training."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider

from backends.jobs import Progress
from backends.matrix_lists import lists_are_clusters
from backends.matrix_maps import GridPicture, grid_picture
from backends.overlays import MatrixField
from widgets.background import listen
from widgets.matrices.desk import Desk
from widgets.matrix_view import MatrixGrid
from widgets.pages import Page
from widgets.theme import wrapped

SCALES = {
    "stretch": "Each map stretched",
    "fixed": "Fixed scale from 0",
    "deviation": "Difference from static",
}


class MapsPage(Page):
    """The grid of maps."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        row = QHBoxLayout()
        self.step_label = QLabel()
        self.step_slider = QSlider(Qt.Orientation.Horizontal)
        self.step_slider.setRange(0, 0)
        self.step_slider.setToolTip(
            "The matrices at a step of the training (on a coarse grid); right end: now"
        )
        self.step_slider.setAccessibleName("Step of the training")
        self.step_slider.valueChanged.connect(self._on_step)
        row.addWidget(self.step_label)
        row.addWidget(self.step_slider, 1)
        self.column.addLayout(row)
        self.grid = MatrixGrid()
        self.column.addWidget(self.grid)
        self.outline_box = QCheckBox("Outline the class with the highest mean")
        self.outline_box.setToolTip("In each map, as in the source's figures")
        self.outline_box.setChecked(True)
        self.outline_box.toggled.connect(self.refresh)
        self.column.addWidget(self.outline_box)
        self.range_line, self.order_line = wrapped(), wrapped()
        self.column.addWidget(self.range_line)
        self.column.addWidget(self.order_line)
        listen(self, desk.workspace.labels_changed, self.refresh)
        self._of: MatrixField | None = None

    @property
    def shown(self) -> MatrixField | None:
        """The field drawn: that of the desk, or a snapshot of it."""
        field, number = self.desk.field, self.step_slider.value()
        if field is None or field.history is None or number >= self.step_slider.maximum():
            return field
        return field.history.field(number, field)

    def draw(self) -> None:
        field = self.desk.field
        assert field is not None
        if self._of is not field:
            self._fill_steps(field)
        shown, (layer, site), scale = self.shown, self.desk.site, self.desk.scale
        assert shown is not None
        entry, sheet, labels = shown.entry(layer, site), self.desk.labels, None
        self.outline_box.setVisible(sheet is not None)
        names = {} if sheet is None else dict(sheet.class_names)
        if sheet is not None and self.outline_box.isChecked():
            from backends.matrix_analysis import on_grid

            labels = on_grid(sheet.values, shown.placement, shown.shape)

        def run(progress: Progress) -> GridPicture:
            return grid_picture(entry, scale=scale, labels=labels, progress=progress)

        def show(picture: GridPicture) -> None:
            self.grid.outline = QColor("#101010") if scale == "deviation" else None
            self.grid.show_picture(field.group_names, picture, names)
            span = float(picture.high.max() - picture.low.min())
            self.range_line.setText(
                f"True range {picture.range_text} (width {span:.4f}). {_words(scale)}"
            )

        self.order_line.setText(self._about(field, layer, site))
        self.desk.submit("Draw matrices", "maps", run, show)

    def _about(self, field: MatrixField, layer: int, site: str) -> str:
        if site == "mixer" and not lists_are_clusters(field):
            return "These matrices also sorted the pixels into the lists that the scan reads."
        if lists_are_clusters(field):
            return "These only mix; the lists of this network are clusters (Clusters tab)."
        return f"These only mix; the lists were sorted by the mixer site of layer {layer}."

    def _fill_steps(self, field: MatrixField) -> None:
        """Follow the newest state, unless an earlier step was chosen."""
        slider, self._of = self.step_slider, field
        followed = slider.value() >= slider.maximum()
        steps = field.history.steps if field.history is not None else ()
        slider.blockSignals(True)
        slider.setRange(0, len(steps))
        if followed:
            slider.setValue(len(steps))
        slider.blockSignals(False)
        slider.setVisible(bool(steps))
        self.step_label.setVisible(bool(steps))
        self._step_words()

    def _on_step(self, *_: object) -> None:
        self._step_words()
        self.refresh()

    def _step_words(self) -> None:
        field, number = self.desk.field, self.step_slider.value()
        if field is None or field.history is None:
            return
        now = number >= self.step_slider.maximum()
        trained = "In training" if field.partial else "Trained"
        self.step_label.setText(trained if now else f"Step {field.history.steps[number]}")
        self.step_label.setMinimumWidth(
            self.step_label.fontMetrics().horizontalAdvance("In training ")
        )


def _words(scale: str) -> str:
    if scale == "fixed":
        return "All maps share one scale from 0 (dark) to 1 (yellow)."
    if scale == "deviation":
        return "Blue: less than without looking at the pixel. Red: more."
    return (
        "Each map is stretched on its own, dark low to yellow high: small differences look large."
    )
