"""How the spectrum's parts talk to each other: the network's own matrices, made visible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QLabel, QScrollArea, QVBoxLayout, QWidget

from backends.jobs import Job, Progress
from backends.matrix_maps import GridPicture, entry_map, grid_picture
from backends.overlays import MatrixField, Overlay
from backends.workspace import Workspace
from widgets.background import listen
from widgets.matrix_view import MatrixGrid, MatrixTable

_SCALES = {
    "stretch": "Each map stretched",
    "fixed": "All maps 0 to 1",
    "deviation": "Difference from static",
}
_SITES = {"mixer": "mixer", "ffn": "feed-forward"}


class MatricesDock(QWidget):
    """The n × n maps of a network's mixing matrices, and the matrix of the clicked pixel."""

    ID = "matrices"
    TITLE = "Matrices"

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._field: MatrixField | None = None
        self._pixel: tuple[int, int] | None = None
        self._build()
        for signal in (
            workspace.overlay_added,
            workspace.overlay_removed,
            workspace.active_overlay_changed,
            workspace.active_scene_changed,
        ):
            listen(self, signal, self._find_field)
        listen(self, workspace.overlay_replaced, lambda old, new: self._find_field())
        listen(self, workspace.pixel_selected, self._on_pixel)
        self._find_field()

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        outer.addWidget(area)
        inside = QWidget()
        area.setWidget(inside)
        column = QVBoxLayout(inside)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)

        self.empty = _text(
            "No matrices yet. Classify the scene with es_mhc (Classify tab): the map comes "
            "with the matrices that made it."
        )
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(8)

        self.heading = _text("")
        body.addWidget(self.heading)
        row = QVBoxLayout()
        self.site_box, self.scale_box = QComboBox(), QComboBox()
        self.site_box.setToolTip("Which matrices of the network")
        self.scale_box.setToolTip("How values become colours")
        for key, title in _SCALES.items():
            self.scale_box.addItem(title, key)
        for box in (self.site_box, self.scale_box):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(8)
            row.addWidget(box, 1)
            box.currentIndexChanged.connect(self._draw_grid)
        body.addLayout(row)
        self.grid = MatrixGrid()
        self.grid.chosen.connect(self._lay_over)
        body.addWidget(self.grid)
        self.range_line = _text("")
        body.addWidget(self.range_line)
        self.pixel_line = _text("")
        body.addWidget(self.pixel_line)
        self.table = MatrixTable()
        self.table.chosen.connect(self._lay_over)
        body.addWidget(self.table)
        self.sums_line = _text("")
        body.addWidget(self.sums_line)

    # -- what is shown -------------------------------------------------------------------

    @property
    def field(self) -> MatrixField | None:
        """The matrices shown now."""
        return self._field

    def _find_field(self, *_: object) -> None:
        """Take the active overlay's matrices, else the newest of the scene."""
        scene = self._workspace.active_scene
        active = self._workspace.active_overlay
        found: Overlay | None = None
        if scene is not None:
            fields = [
                o for o in self._workspace.overlays_of(scene.id) if isinstance(o, MatrixField)
            ]
            found = fields[-1] if fields else None
            if isinstance(active, MatrixField) and active in fields:
                found = active
        if found is self._field:
            return
        self._field = found if isinstance(found, MatrixField) else None
        self._pixel = None
        self.grid.selected = self.table.selected = None
        self.empty.setVisible(self._field is None)
        self.content.setVisible(self._field is not None)
        if self._field is None:
            self.grid.show_picture((), None)
            return
        self.site_box.blockSignals(True)
        self.site_box.clear()
        for entry in self._field.entries:
            title = f"Layer {entry.layer}, {_SITES.get(entry.site, entry.site)}"
            self.site_box.addItem(title, (entry.layer, entry.site))
        self.site_box.setCurrentIndex(self.site_box.count() - 1)
        self.site_box.blockSignals(False)
        n = len(self._field.group_names)
        self.heading.setText(
            "How the spectrum's parts talk to each other. Row: source. Column: target."
        )
        self.heading.setToolTip(
            f"{self._field.title}\nRows and columns add up to 1, so only {(n - 1) ** 2} of the "
            f"{n * n} maps are free: where one is high, others must be low."
        )
        self._draw_grid()

    def _draw_grid(self, *_: object) -> None:
        field = self._field
        if field is None:
            return
        layer, site = self._site()
        entry, scale = field.entry(layer, site), self._scale()

        def run(progress: Progress) -> GridPicture:
            return grid_picture(entry, scale=scale, progress=progress)

        def show(picture: GridPicture) -> None:
            if self._field is not field:
                return
            self.grid.show_picture(field.group_names, picture)
            span = float(picture.high.max() - picture.low.min())
            self.range_line.setText(
                f"True range {picture.range_text} (width {span:.4f}). {_scale_words(scale)}"
            )
            self._draw_pixel()

        job = Job("Draw matrices", run, scene_id=field.scene_id, topic="matrices", quiet=True)
        self._workspace.submit(job, on_result=show)

    def _on_pixel(self, scene_id: str, row: int, col: int) -> None:
        if self._field is None or self._field.scene_id != scene_id:
            return
        place = self._field.placement
        r = int((row - place.row) / place.row_step)
        c = int((col - place.col) / place.col_step)
        rows, cols = self._field.shape
        self._pixel = (r, c) if 0 <= r < rows and 0 <= c < cols else None
        self._draw_pixel()

    def _draw_pixel(self) -> None:
        field = self._field
        if field is None:
            return
        entry = field.entry(*self._site())
        matrix: NDArray[np.float32]
        if self._pixel is None:
            matrix = entry.mean()
            self.pixel_line.setText("Mean of the scene. Click a pixel in the image for its own.")
        else:
            matrix = entry.matrix(*self._pixel)
            self.pixel_line.setText(f"Pixel at row {self._pixel[0]}, column {self._pixel[1]}.")
        name, shown = "viridis", matrix
        if self._scale() == "fixed":
            limits = (0.0, 1.0)
        elif self._scale() == "deviation":
            shown = matrix - entry.static
            reach = float(np.abs(entry.deviation[::4, ::4]).max()) or 1e-6
            limits, name = (-reach, reach), "diverging"
        else:
            low, high = float(matrix.min()), float(matrix.max())
            limits = (low, high if high > low else low + 1e-6)
        self.table.show_matrix(field.group_names, shown, limits, name)
        sums = np.concatenate([matrix.sum(axis=0), matrix.sum(axis=1)])
        self.sums_line.setText(
            f"Values {matrix.min():.4f} to {matrix.max():.4f}. "
            f"Rows and columns add up to {sums.min():.3f} to {sums.max():.3f}."
        )

    def _lay_over(self, source: int, target: int) -> None:
        field = self._field
        if field is None:
            return
        self.grid.selected = self.table.selected = (source, target)
        self.grid.update()
        self.table.update()
        overlay = entry_map(field, *self._site(), source, target)
        self._workspace.add_overlay(overlay)

    def _site(self) -> tuple[int, str]:
        layer, site = self.site_box.currentData()
        return layer, site

    def _scale(self) -> str:
        return str(self.scale_box.currentData())


def _scale_words(scale: str) -> str:
    if scale == "fixed":
        return "All maps share one scale from 0 to 1."
    if scale == "deviation":
        return "Blue: less than without looking at the pixel. Red: more."
    return "Each map is stretched on its own, so small differences look large."


def _text(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label
