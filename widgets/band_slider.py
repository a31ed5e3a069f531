"""A slider over bands: where the bad ones are, and the wavelength under the handle."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from backends.bands import BandTable


class BandSlider(QWidget):
    """Chooses one band; `band_changed` follows the handle."""

    band_changed = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bands: BandTable | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.label = QLabel("")
        self.label.setAccessibleName("Band")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Band")
        self.slider.setToolTip("Previous and next band: [ and ]")
        self.strip = _Strip(self)
        column.addWidget(self.label)
        column.addWidget(self.slider)
        column.addWidget(self.strip)
        self.slider.valueChanged.connect(self._on_value)

    def set_bands(self, bands: BandTable | None) -> None:
        """Show the bands of another scene."""
        self._bands = bands
        self.slider.blockSignals(True)
        self.slider.setRange(0, 0 if bands is None else len(bands) - 1)
        self.slider.blockSignals(False)
        self.strip.set_good(() if bands is None else bands.good)
        self._write(self.slider.value())

    def set_band(self, band: int) -> None:
        """Move the handle without telling anybody."""
        self.slider.blockSignals(True)
        self.slider.setValue(band)
        self.slider.blockSignals(False)
        self._write(band)

    @property
    def band(self) -> int:
        """The band under the handle."""
        return self.slider.value()

    def _on_value(self, band: int) -> None:
        self._write(band)
        self.band_changed.emit(band)

    def _write(self, band: int) -> None:
        if self._bands is None or band >= len(self._bands):
            self.label.setText("")
            return
        text = f"{self._bands.label(band)}  ·  {band + 1} of {len(self._bands)}"
        self.label.setText(text if self._bands.good[band] else f"{text}  ·  marked bad")


class _Strip(QWidget):
    """Shades where bands are marked bad."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._good: tuple[bool, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Shaded: bands marked bad")

    def set_good(self, good: tuple[bool, ...]) -> None:
        """Show other bands."""
        self._good = good
        self.setVisible(not all(good))
        self.update()

    def sizeHint(self) -> QSize:
        """As thin as it can be and still be seen."""
        return QSize(64, 6)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bad bands."""
        if len(self._good) < 2:
            return
        painter = QPainter(self)
        color = QColor(self.palette().color(self.foregroundRole()))
        color.setAlpha(110)
        inset = 8.0  # the handle's half: the slider's ends are not the widget's
        step = (self.width() - 2 * inset) / (len(self._good) - 1)
        for band, good in enumerate(self._good):
            if not good:
                painter.fillRect(QRectF(inset + (band - 0.5) * step, 0, step + 0.5, 6), color)
        painter.end()
