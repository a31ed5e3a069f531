"""How the heatmap is looked at: colours, contour, the network's cells, one contrast for all."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QCheckBox, QFormLayout, QLabel, QSlider, QVBoxLayout, QWidget

from backends.colormaps import NAMES, value_limits
from backends.heatmap_view import shared_limits
from backends.jobs import Progress
from backends.overlays import Heatmap
from widgets.explaining.desk import Desk
from widgets.pages import narrow_box
from widgets.theme import GRID

_COLORS = {
    "": "as suits the map",
    "diverging": "blue – white – red",
    "cold_hot": "blue – clear – yellow",
}


class ViewBox(QWidget):
    """Changes the view of the heatmap that the desk speaks of; never its values."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.color_box = narrow_box("Colours of the map; the values stay as they are")
        for name in ("", *NAMES):
            self.color_box.addItem(_COLORS.get(name, name), name)
        form.addRow("Colours", self.color_box)
        self.contour_slider = QSlider(Qt.Orientation.Horizontal)
        self.contour_slider.setRange(0, 95)
        self.contour_slider.setSingleStep(5)
        self.contour_slider.setToolTip("A line where the map reaches a part of its highest value")
        self.contour_line = QLabel()
        form.addRow(self.contour_line, self.contour_slider)
        column.addLayout(form)
        self.positive_check = QCheckBox("Only what speaks for the class")
        self.positive_check.setToolTip("What speaks against it, below nought, is left out")
        self.fade_check = QCheckBox("Clear where the map says nothing")
        self.grid_check = QCheckBox("Outline the network's own cells")
        self.grid_check.setToolTip("The map is no finer than these; the rest is smoothing")
        self.shared_check = QCheckBox("One contrast for all maps of this class")
        self.shared_check.setToolTip(
            "Maps of the same network, method and class on all open images get the same colours "
            "for the same values"
        )
        for check in self._checks():
            check.setMinimumWidth(1)
            column.addWidget(check)
        self.color_box.currentIndexChanged.connect(self._on_color)
        self.contour_slider.valueChanged.connect(self._on_contour)
        self.grid_check.toggled.connect(self._on_grid)
        self.fade_check.toggled.connect(self._on_fade)
        self.positive_check.toggled.connect(self._on_positive)
        self.shared_check.toggled.connect(self._on_shared)
        desk.changed.connect(self.refresh)
        desk.listed.connect(self._share_again)
        self.refresh()

    def _checks(self) -> tuple[QCheckBox, ...]:
        return self.positive_check, self.fade_check, self.grid_check, self.shared_check

    def refresh(self) -> None:
        """Show the view of the heatmap."""
        heatmap = self._desk.field
        self.setVisible(heatmap is not None)
        if heatmap is None:
            return
        view = heatmap.view
        widgets = (self.color_box, self.contour_slider, *self._checks()[:3])
        for widget in widgets:
            widget.blockSignals(True)
        self.color_box.setCurrentIndex(max(0, self.color_box.findData(view.colormap)))
        self.contour_slider.setValue(round(100 * (view.contour or 0)))
        self.grid_check.setChecked(view.grid)
        self.fade_check.setChecked(view.fade)
        self.positive_check.setChecked(view.positive)
        self.positive_check.setVisible(heatmap.centre is not None)
        self.grid_check.setEnabled(heatmap.grid is not None)
        for widget in widgets:
            widget.blockSignals(False)
        self._say_contour()

    def _say_contour(self) -> None:
        value = self.contour_slider.value()
        self.contour_line.setText(f"Contour {value}\u00a0%" if value else "Contour off")

    def _on_color(self, *_: object) -> None:
        self._change(colormap=str(self.color_box.currentData()))

    def _on_contour(self, value: int) -> None:
        self._say_contour()
        self._change(contour=value / 100 if value else None)

    def _on_grid(self, on: bool) -> None:
        self._change(grid=on)

    def _on_fade(self, on: bool) -> None:
        self._change(fade=on)

    def _on_positive(self, on: bool) -> None:
        self._change(positive=on)

    def _change(self, **changes: object) -> None:
        if self._desk.field is not None:
            self._desk.change_view(self._desk.field, **changes)

    # -- one contrast for all ------------------------------------------------------------

    def _on_shared(self, on: bool) -> None:
        if on:
            self._share_again()
            return
        for heatmap in self._alike():
            self._desk.change_view(heatmap, limits=None)

    def _alike(self) -> list[Heatmap]:
        """Return the maps of the same network, method and class on all open images."""
        mine = self._desk.field
        if mine is None:
            return []
        every = [o for o in self._desk.workspace.overlays.values() if isinstance(o, Heatmap)]
        return [other for other in every if _kind_of(other) == _kind_of(mine)]

    def _share_again(self) -> None:
        maps = self._alike()
        if not self.shared_check.isChecked() or not maps or any(m.partial for m in maps):
            return

        def run(progress: Progress) -> tuple[float, float]:
            found = [value_limits(m.values, m.centre, sample=250_000) for m in maps]
            return shared_limits(found, maps[0].centre)

        def show(limits: tuple[float, float]) -> None:
            if self.shared_check.isChecked():
                for heatmap in maps:
                    self._desk.change_view(heatmap, limits=limits)

        self._desk.quiet("One contrast for all", "contrast", run, show)


def _kind_of(heatmap: Heatmap) -> tuple[object, ...]:
    said = heatmap.provenance.parameters
    target = said.get("target_index", heatmap.target)
    return heatmap.provenance.method, said.get("model"), said.get("layer"), target
