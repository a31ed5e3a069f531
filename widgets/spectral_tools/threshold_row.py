"""A threshold that is turned while one looks: the class map is cut anew from kept scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QLabel, QSlider, QVBoxLayout, QWidget

from backends.jobs import Job, Progress
from backends.overlays import ClassMap
from backends.workspace import Workspace
from widgets.spectral_tools.asking import Answer, line_of
from widgets.theme import GRID, wrapped

SETTLED_MS = 600
# False-alarm rates from 1e-6 to 0.1, twelve notches a decade.
_LOWEST, _NOTCHES, _RATES = -6, 12, 60


class ThresholdRow(QWidget):
    """A slider; what comes to rest is noted in the run log."""

    cut = pyqtSignal(object)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._answer: Answer | None = None
        self.name = QLabel("Threshold")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Threshold")
        self.line = wrapped()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        for part in (self.name, self.slider, self.line):
            column.addWidget(part)
        self.slider.valueChanged.connect(self._on_value)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLED_MS)
        self._settled.timeout.connect(self.settle)
        self.hide()

    @property
    def is_rate(self) -> bool:
        """Whether false-alarm rates are turned instead of thresholds."""
        return self._answer is not None and self._answer.asked.tool == "rx"

    def show_for(self, answer: Answer | None) -> None:
        """Speak of another result."""
        self._settled.stop()
        self._answer = answer
        there = answer is not None and answer.product.cut is not None
        there = there and (self.is_rate or len(answer.steps) > 1)  # type: ignore[union-attr]
        self.setVisible(there)
        if answer is None or not there:
            return
        self.slider.blockSignals(True)
        if self.is_rate:
            self.name.setText("False alarms")
            self.slider.setRange(0, _RATES)
            rate = float(answer.asked.settings["false_alarms"])
            self.slider.setValue(round((np.log10(rate) - _LOWEST) * _NOTCHES))
            self.slider.setToolTip("Share of ordinary background pixels that may pass")
        else:
            self.slider.setRange(0, len(answer.steps) - 1)
            cut_at = answer.product.summary.get("threshold")
            if answer.asked.tool == "change":
                self.name.setText("How large a change must be")
                self.slider.setToolTip("To the left only the largest changes; to the right all")
            else:
                self.name.setText("How alike a pixel must be")
                self.slider.setToolTip("To the left only what is most alike; to the right all")
            near = len(answer.steps) - 1
            if cut_at is not None:
                near = int(np.abs(answer.steps - float(cut_at)).argmin())
            self.slider.setValue(near)
        self.slider.blockSignals(False)
        self._say(self.value if not self.is_rate else None, None)

    @property
    def value(self) -> float:
        """The threshold, or the rate, in as many digits as are said and noted."""
        assert self._answer is not None
        if self.is_rate:
            return float(f"{10 ** (_LOWEST + self.slider.value() / _NOTCHES):.2g}")
        return float(f"{self._answer.steps[self.slider.value()]:.6g}")

    def settle(self) -> None:
        """Note what is shown now."""
        self._turn(noted=True)

    def _on_value(self, *_: object) -> None:
        self._turn(noted=False)
        self._settled.start()

    def _turn(self, *, noted: bool) -> None:
        answer = self._answer
        if answer is None or answer.product.cut is None:
            return
        asked, cut, value, rate = answer.asked, answer.product.cut, self.value, self.is_rate
        made = next(o for o in answer.product.overlays if isinstance(o, ClassMap))
        shown = self._workspace.overlays.get(made.id)
        base = shown if isinstance(shown, ClassMap) else made
        everything = not rate and self.slider.value() == self.slider.maximum()
        changes: dict[str, Any] = {"false_alarms" if rate else "threshold": value}
        command = asked.command_with(**changes) if noted and not everything else ()

        def run(progress: Progress) -> tuple[ClassMap, float]:
            from backends.spectra.cutting import cut_again
            from backends.spectra.detectors import threshold_for

            threshold = threshold_for(value, cut.dimensions) if rate else value
            if everything:
                threshold = float(np.inf if cut.alike == "small" else -np.inf)
            new = cut_again(
                base, cut, threshold, false_alarms=value if rate else None, command=line_of(command)
            )
            return new, float(np.count_nonzero(new.labels)) / new.labels.size

        def show(found: tuple[ClassMap, float]) -> None:
            if self._answer is not answer:
                return
            self._workspace.add_overlay(found[0])
            self._say(value, found[1])
            if noted:
                self.cut.emit(found[0])

        job = Job(
            f"{made.title} at {value:g}", run, scene_id=asked.scene.id, command=command,
            topic="spectral threshold", quiet=True,
        )  # fmt: skip
        self._workspace.submit(job, on_result=show)

    def _say(self, value: float | None, share: float | None) -> None:
        answer = self._answer
        if answer is None or answer.product.cut is None:
            return
        value = self.value if value is None else value
        if self.is_rate:
            words = f"{100 * value:.2g}\u00a0% of the background may pass"
        else:
            side = "up to" if answer.product.cut.alike == "small" else "from"
            words = f"{side.capitalize()} {value:.4g}"
            unit = getattr(answer.product.overlays[1], "unit", "")
            words += f" {unit}" if unit else ""
        passing = "" if share is None else f": {100 * share:.3g}\u00a0% of the pixels"
        self.line.setText(f"{words}{passing}.")
