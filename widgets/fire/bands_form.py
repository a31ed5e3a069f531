"""What the bands of a scene are taken for, and where to say otherwise."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFormLayout, QLineEdit, QToolButton, QVBoxLayout, QWidget

from backends.errors import ClearbandError
from backends.fire.question import listed
from backends.fire.roles import ROLES
from widgets.fire.desk import FireDesk, Look
from widgets.pages import narrow_box
from widgets.theme import GRID, wrapped

_SENSORS = {
    "By wavelengths and names": "",
    "AMS, 12 channels": "ams-12",
    "AMS, 16 channels": "ams-16",
    "MASTER": "master",
    "Landsat-8/9": "landsat-8",
    "Sentinel-2": "sentinel-2",
    "VIIRS, I bands": "viirs",
}
_UNITS = {
    "By their values": "",
    "Kelvin (heat bands)": "kelvin",
    "Radiance": "radiance",
    "Reflectance": "reflectance",
    "8 bits as published": "stored",
}
_DAY = {"By the light": None, "Day": False, "Night": True}
UNIT_WORDS = {
    "kelvin": "kelvin", "radiance": "radiance", "reflectance": "reflectance",
    "stored": "8 bits as published (250 to 500 K)",
}  # fmt: skip


class BandsForm(QWidget):
    """One line that says it, and behind a button the form that changes it."""

    def __init__(self, desk: FireDesk) -> None:
        super().__init__()
        self._desk = desk
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        self.line = wrapped("Looking at the bands …")
        column.addWidget(self.line)
        self.more_button = QToolButton()
        self.more_button.setText("Say what the bands are")
        self.more_button.setCheckable(True)
        self.more_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more_button.setArrowType(Qt.ArrowType.RightArrow)
        self.more_button.toggled.connect(self._turn_arrow)
        column.addWidget(self.more_button)
        self.form = QWidget()
        column.addWidget(self.form)
        rows = QFormLayout(self.form)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.sensor_box = _filled("Sensor", _SENSORS)
        self.channels_edit = QLineEdit()
        self.channels_edit.setPlaceholderText("2,3,5,7,11")
        self.channels_edit.setToolTip(
            "The sensor's channel of each band in the order of the file, where it has only some"
        )
        self.units_box = _filled("Units", _UNITS)
        self.day_box = _filled("Day or night", _DAY)
        rows.addRow("Sensor", self.sensor_box)
        rows.addRow("Channels", self.channels_edit)
        rows.addRow("Units", self.units_box)
        rows.addRow("Light", self.day_box)
        self.form.hide()
        self.more_button.toggled.connect(self.form.setVisible)
        for box in (self.sensor_box, self.units_box, self.day_box):
            box.activated.connect(self._say)
        self.channels_edit.editingFinished.connect(self._say)
        desk.looked.connect(self.refresh)

    def _turn_arrow(self, down: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if down else Qt.ArrowType.RightArrow
        self.more_button.setArrowType(arrow)

    def _say(self, *_: object) -> None:
        """Tell the desk what was said."""
        question = self._desk.question
        try:
            channels = listed(self.channels_edit.text())
        except ClearbandError as error:
            self.line.setText(f"<b>{error}</b>")
            return
        sensor = self.sensor_box.currentData()
        if channels and not sensor:
            sensor = "ams-12"
        said = (sensor, channels, self.units_box.currentData(), self.day_box.currentData())
        if said != (question.sensor, question.channels, question.units, question.night):
            self._desk.say_bands(sensor=sensor, channels=channels, units=said[2], night=said[3])

    def refresh(self) -> None:
        """Show what the scene is taken for now."""
        question, look = self._desk.question, self._desk.look
        for box, value in (
            (self.sensor_box, question.sensor),
            (self.units_box, question.units),
            (self.day_box, question.night),
        ):
            box.setCurrentIndex(box.findData(value))
        if not self.channels_edit.hasFocus() or question.channels:
            self.channels_edit.setText(",".join(map(str, question.channels or ())))
        if look is None:
            self.line.setText("Looking at the bands …")
            self.line.setToolTip("")
        elif look.image is None:
            self.line.setText(f"<b>{look.problem}</b>")
            self.more_button.setChecked(True)
        else:
            self.line.setText(bands_words(look))
            self.line.setToolTip("\n".join(look.image.notes))


def bands_words(look: Look) -> str:
    """Return sensor, channels, units, light and pixel size in a sentence or two."""
    image = look.image
    assert image is not None
    bands = image.bands
    sensor = bands.sensor or "Another sensor"
    parts = [sensor[:1].upper() + sensor[1:]]
    if bands.ams:
        parts[0] += "" if sensor == "AMS" else ", AMS"
        parts[0] += f" channels {_ranges(sorted(bands.ams))}"
    else:
        parts[0] += f", {len(bands.roles)} of its bands are of use"
    units = " and ".join(UNIT_WORDS.get(u, u) for u in sorted(set(image.units)))
    parts.append(f"Units: {units}")
    light = "night" if image.night else "day"
    size = "pixel size unknown" if image.pixel_m is None else f"{image.pixel_m:.3g} m pixels"
    parts.append(f"{light.capitalize()}, {size}")
    missing = [ROLES[r].title for r in ("mwir", "tir") if r not in bands.roles]
    if missing:
        parts.append(f"No {' and no '.join(missing)} band")
    if any("substituted" in note for note in image.notes):
        parts.append("Sensor substituted: the networks learnt on other pass-bands")
    return ". ".join(parts) + "."


def _ranges(numbers: list[int]) -> str:
    """Return ``1–8, 11`` for channel numbers."""
    out: list[list[int]] = []
    for number in numbers:
        if out and number == out[-1][-1] + 1:
            out[-1].append(number)
        else:
            out.append([number])
    return ", ".join(f"{r[0]}–{r[-1]}" if len(r) > 1 else str(r[0]) for r in out)


def _filled(name: str, entries: dict[str, object]):  # type: ignore[no-untyped-def]
    box = narrow_box(name)
    for text, value in entries.items():
        box.addItem(text, value)
    return box
