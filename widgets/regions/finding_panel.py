"""Regions that are found: the wand's tolerance, and a threshold over a band or a map."""

from __future__ import annotations

import math

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)

from backends.overlays import ScoreMap
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import narrow_box
from widgets.theme import GRID, wrapped

_LEAST, _MOST, _STEPS = 0.005, 1.0, 200
_BAND = "band"


class _Panel(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(GRID // 2)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.hide()


class WandPanel(_Panel):
    """How like the touched pixel others must be."""

    def __init__(self) -> None:
        super().__init__()
        self.form.addRow(wrapped("Click a pixel on the image: what is like it becomes a region."))
        self.measure_box = narrow_box("What counts")
        self.measure_box.addItem("Shape of the spectrum", "angle")
        self.measure_box.addItem("Shape and brightness", "distance")
        self.form.addRow("Alike in", self.measure_box)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setAccessibleName("Tolerance")
        self.slider.valueChanged.connect(self._on_slider)
        self.tolerance_spin = QDoubleSpinBox()
        self.tolerance_spin.setDecimals(3)
        self.tolerance_spin.setRange(_LEAST, _MOST)
        self.tolerance_spin.setSingleStep(0.01)
        self.tolerance_spin.setToolTip(
            "Angle in radians; with brightness the distance as a share of the pixel's length"
        )
        self.tolerance_spin.valueChanged.connect(self._on_spin)
        self.form.addRow("Tolerance", self.slider)
        self.form.addRow("", self.tolerance_spin)
        self.connected_tick = QCheckBox("Only what hangs together with it")
        self.connected_tick.setChecked(True)
        self.form.addRow(self.connected_tick)
        self.tolerance_spin.setValue(0.08)

    def _on_slider(self, step: int) -> None:
        value = _LEAST * (_MOST / _LEAST) ** (step / _STEPS)
        self.tolerance_spin.blockSignals(True)
        self.tolerance_spin.setValue(value)
        self.tolerance_spin.blockSignals(False)

    def _on_spin(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(_STEPS * math.log(value / _LEAST) / math.log(_MOST / _LEAST)))
        self.slider.blockSignals(False)


class ThresholdPanel(_Panel):
    """A range of a band or of a map over the image."""

    asked = pyqtSignal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.of_box = narrow_box("Values of")
        self.form.addRow("Values of", self.of_box)
        self.band_edit = QLineEdit()
        self.band_edit.setAccessibleName("Band")
        self.form.addRow("Band at", self.band_edit)
        self.low_edit = self._edit("From", "Least value; empty for none")
        self.high_edit = self._edit("To", "Largest value; empty for none")
        self.least_spin = QSpinBox()
        self.least_spin.setRange(1, 1_000_000)
        self.least_spin.setValue(4)
        self.least_spin.setSuffix(" pixels")
        self.least_spin.setToolTip("Smaller pieces are left out")
        self.form.addRow("Pieces from", self.least_spin)
        self.each_tick = QCheckBox("A region for each piece")
        self.form.addRow(self.each_tick)
        self.problem_line = wrapped()
        self.form.addRow(self.problem_line)
        self.go_button = QPushButton("Make the region")
        self.go_button.clicked.connect(lambda: self.asked.emit())
        self.form.addRow(self.go_button)
        self.of_box.currentIndexChanged.connect(self._check)
        self.band_edit.textChanged.connect(self._check)
        for signal in (
            workspace.active_scene_changed, workspace.overlay_added, workspace.overlay_removed,
        ):  # fmt: skip
            listen(self, signal, self._fill)
        self._fill()

    def _edit(self, name: str, tip: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setPlaceholderText("any")
        edit.setToolTip(tip)
        edit.setAccessibleName(name)
        edit.textChanged.connect(self._check)
        self.form.addRow(name, edit)
        return edit

    def _fill(self, *_: object) -> None:
        scene, kept = self._workspace.active_scene, self.of_box.currentData()
        self.of_box.blockSignals(True)
        self.of_box.clear()
        self.of_box.addItem("A band", _BAND)
        if scene is not None:
            for overlay in self._workspace.overlays_of(scene.id):
                if isinstance(overlay, ScoreMap) and overlay.values.shape == scene.shape[:2]:
                    self.of_box.addItem(overlay.title, overlay.id)
        self.of_box.setCurrentIndex(max(0, self.of_box.findData(kept)))
        self.of_box.blockSignals(False)
        self._check()

    @property
    def map(self) -> ScoreMap | None:
        """The map whose values count; None for a band."""
        found = self._workspace.overlays.get(str(self.of_box.currentData()))
        return found if isinstance(found, ScoreMap) else None

    def limits(self) -> tuple[float, float]:
        """Return least and largest value, infinite where none is given."""
        low, high = _value(self.low_edit), _value(self.high_edit)
        return -math.inf if low is None else low, math.inf if high is None else high

    def formula(self, scene: Scene) -> str:
        """Return the range over a band as a formula, as the command line takes it."""
        number = float(self.band_edit.text().strip().replace(",", "."))
        band = f"b[{number:g}]" if scene.bands.has_wavelengths else f"band[{number:.0f}]"
        low, high = self.limits()
        parts = [f"({band} >= {low!r})"] if math.isfinite(low) else []
        parts += [f"({band} <= {high!r})"] if math.isfinite(high) else []
        return " * ".join(parts)

    def problem(self) -> str:
        """Return what is missing, or nothing."""
        scene = self._workspace.active_scene
        if scene is None:
            return ""
        if self.map is None and not _is_number(self.band_edit):
            return (
                "Say which band: its wavelength in nm." if scene.bands.has_wavelengths
                else "Say which band, by number from 1."
            )  # fmt: skip
        for edit in (self.low_edit, self.high_edit):
            if edit.text().strip() and not _is_number(edit):
                return f"{edit.text()} is no number."
        low, high = self.limits()
        if not (math.isfinite(low) or math.isfinite(high)):
            return "Say from which value, or to which."
        return "" if low <= high else "The range is empty: it ends before it begins."

    def _check(self, *_: object) -> None:
        scene = self._workspace.active_scene
        known = scene is not None and scene.bands.has_wavelengths
        self.band_edit.setPlaceholderText("860 nm" if known else "1")
        self.form.setRowVisible(self.band_edit, self.map is None)
        problem = self.problem()
        self.problem_line.setText(problem)
        self.problem_line.setVisible(bool(problem))
        self.go_button.setEnabled(scene is not None and not problem)


def _value(edit: QLineEdit) -> float | None:
    try:
        value = float(edit.text().strip().replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _is_number(edit: QLineEdit) -> bool:
    return _value(edit) is not None
