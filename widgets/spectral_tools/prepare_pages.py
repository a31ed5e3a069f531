"""The questions of each way to make a scene ready: one small page a way, one in sight at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from backends.errors import WrongUse
from backends.georeference import GeoReference
from backends.regions import Region
from backends.scene import Scene
from backends.spectra.preparing import box_of, nm_of, numbers_of, range_of
from backends.workspace import Workspace
from widgets.pages import narrow_box
from widgets.sight import Sight
from widgets.theme import GRID, wrapped

SENSORS = {"sentinel2": "Sentinel-2 MSI", "landsat8": "Landsat 8 OLI", "modis": "MODIS land bands"}
NO_PLACE = "{} does not say where it lies on the map, so it cannot be laid on another grid."


class PreparePage(QWidget):
    """One way; what it asks is told by the names of the command's options."""

    changed = pyqtSignal()
    TOOL, NAME, TITLE, GO, ABOUT = "", "", "", "", ""
    WRITES = True

    def __init__(self, workspace: Workspace, sight: Sight) -> None:
        super().__init__()
        self.workspace, self.sight = workspace, sight
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(GRID // 2)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.addRow(wrapped(self.ABOUT))
        self.build()

    def build(self) -> None:
        """Make the fields."""

    def fill(self) -> None:
        """Offer what there is now: scenes, regions."""

    def show_fields(self, *_: object) -> None:
        """Show the fields that are asked for."""

    def told(self, scene: Scene) -> dict[str, Any]:
        """Return what was chosen."""
        return {}

    def regions(self) -> tuple[Region, ...]:
        """Return the regions it cuts out."""
        return ()

    def problem(self, scene: Scene) -> str:
        """Return why it cannot be done, or nothing."""
        return ""

    def _edit(self, name: str, hint: str, tip: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setPlaceholderText(hint)
        edit.setToolTip(tip)
        edit.setAccessibleName(name)
        edit.textChanged.connect(self._told)
        self.form.addRow(name, edit)
        return edit

    def _box(self, name: str, entries: Mapping[str, str] | None = None) -> QComboBox:
        box = narrow_box(name)
        for key, title in (entries or {}).items():
            box.addItem(title, key)
        box.currentIndexChanged.connect(self._told)
        self.form.addRow(name, box)
        return box

    def _tick(self, text: str, tip: str) -> QCheckBox:
        tick = QCheckBox(text)
        tick.setToolTip(tip)
        tick.toggled.connect(self._told)
        self.form.addRow(tick)
        return tick

    def _told(self, *_: object) -> None:
        self.changed.emit()

    def _others(self) -> list[Scene]:
        """Return further scenes that lie in a file."""
        active = self.workspace.active_scene
        every = self.workspace.scenes.values()
        return [s for s in every if s is not active and s.info.path is not None]


class BadBandsPage(PreparePage):
    """Which bands hold nothing but noise."""

    TOOL, NAME, TITLE, GO = "badbands", "Bad bands", "Bad bands found", "Find bad bands"
    ABOUT = "Which bands are empty, constant or noise, unlike both of their neighbours?"
    WRITES = False

    def build(self) -> None:
        self.least_spin = QDoubleSpinBox()
        self.least_spin.setRange(0, 0.99)
        self.least_spin.setSingleStep(0.05)
        self.least_spin.setValue(0.7)
        self.least_spin.setToolTip("A band whose correlation with the nearer one is less is bad")
        self.least_spin.valueChanged.connect(self._told)
        self.form.addRow("Least correlation", self.least_spin)

    def told(self, scene: Scene) -> dict[str, Any]:
        return {"least": round(self.least_spin.value(), 2)}


class StripesPage(PreparePage):
    """Unequal detectors brought together."""

    TOOL, NAME, TITLE, GO = "destripe", "Destriping", "Stripes taken out", "Take out the stripes"
    ABOUT = (
        "Brings every column to what the columns around it measure (moment matching); for images "
        "as the scanner took them, not yet laid on a map."
    )

    def build(self) -> None:
        self.window_spin = QSpinBox()
        self.window_spin.setRange(3, 501)
        self.window_spin.setSingleStep(2)
        self.window_spin.setValue(31)
        self.window_spin.setSuffix(" columns")
        self.window_spin.setToolTip("How many columns say what one should be; odd")
        self.window_spin.valueChanged.connect(self._told)
        self.form.addRow("Compared with", self.window_spin)
        self.gains_tick = self._tick(
            "Match contrast, too", "Deviations as well as means; without it means alone"
        )
        self.gains_tick.setChecked(True)

    def told(self, scene: Scene) -> dict[str, Any]:
        return {"window": self.window_spin.value(), "gains": self.gains_tick.isChecked()}

    def problem(self, scene: Scene) -> str:
        odd = self.window_spin.value() % 2
        return "" if odd else "The number of columns is odd, so that one stands in the middle."


class PartPage(PreparePage):
    """A part in space, and some of the bands."""

    TOOL, NAME, TITLE, GO = "subset", "Part", "A part of it", "Cut the part out"
    ABOUT = "The values stay as they are."
    WAYS = {  # noqa: RUF012
        "all": "The whole image", "sight": "What is in sight now", "pixels": "Rows and columns",
        "box": "A box on the map",
    }  # fmt: skip

    def build(self) -> None:
        self.where_box = self._box("Where", self.WAYS)
        self.sight_line = wrapped()
        self.form.addRow(self.sight_line)
        self.rows_edit = self._edit("Rows", "10:60", "First and end, from 0; the end is not in it")
        self.cols_edit = self._edit("Columns", "10:60", "First and end, from 0; end not in it")
        self.box_edit = self._edit(
            "Box", "West,south,east,north", "In map coordinates, or in degrees with the tick below"
        )
        self.degrees_tick = self._tick("In degrees", "The box is longitude and latitude")
        self.nm_edit = self._edit(
            "Wavelengths", "All; or 450:900, 2200", "In nm: ranges and single wavelengths"
        )
        self.bands_edit = self._edit("Bands", "All; or 1,5-10", "By number from 1")
        self.good_tick = self._tick(
            "Leave out bad bands", "Those the file marks, and those that are noise, empty, constant"
        )
        self.where_box.currentIndexChanged.connect(self.show_fields)
        self.show_fields()

    def show_fields(self, *_: object) -> None:
        """Show the fields that the chosen way needs."""
        way, scene = self.where_box.currentData(), self.workspace.active_scene
        fields = {
            self.sight_line: way == "sight", self.rows_edit: way == "pixels",
            self.cols_edit: way == "pixels", self.box_edit: way == "box",
            self.degrees_tick: way == "box",
        }  # fmt: skip
        known = scene is not None and scene.bands.has_wavelengths
        fields |= {self.nm_edit: known, self.bands_edit: not known}
        for field, seen in fields.items():
            self.form.setRowVisible(field, bool(seen))
        if way == "sight" and scene is not None:
            rows, cols = _in_sight(self.sight, scene)
            self.sight_line.setText(f"Rows {rows}, columns {cols}")

    def fill(self) -> None:
        scene, kept = self.workspace.active_scene, self.where_box.currentData()
        every = self.workspace.regions.values()
        mine = [r for r in every if scene is not None and r.scene_id == scene.id]
        entries = dict(self.WAYS)
        if scene is None or not isinstance(scene.place, GeoReference):
            entries.pop("box")
        if len(mine) > 1:
            entries["regions"] = f"All {len(mine)} regions"
        entries |= {r.id: f"Region {r.name}" for r in mine}
        _refill(self.where_box, entries, kept)
        self.show_fields()

    def told(self, scene: Scene) -> dict[str, Any]:
        way, out = self.where_box.currentData(), dict[str, Any]()
        if way == "sight":
            out["rows"], out["cols"] = _in_sight(self.sight, scene)
        elif way == "pixels":
            out["rows"], out["cols"] = _plain(self.rows_edit), _plain(self.cols_edit)
        elif way == "box":
            out["box"], out["lonlat"] = _plain(self.box_edit), self.degrees_tick.isChecked()
        if scene.bands.has_wavelengths:
            out["nm"] = tuple(t for t in _plain(self.nm_edit).split(",") if t)
        else:
            out["bands"] = _plain(self.bands_edit)
        return {**out, "good": self.good_tick.isChecked()}

    def regions(self) -> tuple[Region, ...]:
        way, scene = self.where_box.currentData(), self.workspace.active_scene
        every = self.workspace.regions.values()
        mine = [r for r in every if scene is not None and r.scene_id == scene.id]
        return tuple(r for r in mine if way in ("regions", r.id))

    def problem(self, scene: Scene) -> str:
        told, count = self.told(scene), scene.shape[2]
        if self.where_box.currentData() == "all" and not any(
            told.get(key) for key in ("nm", "bands", "good")
        ):
            return "Say which part, or which bands."
        if self.where_box.currentData() == "box" and not told["box"]:
            return "Write the box as west, south, east, north."
        try:
            range_of(told.get("rows"), scene.shape[0], "Rows")
            range_of(told.get("cols"), scene.shape[1], "Columns")
            if told.get("box"):
                box_of(told["box"])
            if told.get("bands"):
                numbers_of(told["bands"], count)
            for text in told.get("nm", ()):
                nm_of(text)
        except WrongUse as error:
            return error.sentence
        return ""


class SensorPage(PreparePage):
    """As another sensor would see it."""

    TOOL, NAME, TITLE, GO = (
        "resample",
        "Resampling",
        "Bands of another sensor",
        "Resample the bands",
    )
    ABOUT = "Each new band is the mean of this scene under its response (Gaussian)."

    def build(self) -> None:
        self.sensor_box = self._box("Bands of", SENSORS)

    def fill(self) -> None:
        others = {s.id: s.title for s in self._others() if s.bands.has_wavelengths}
        _refill(self.sensor_box, {**SENSORS, **others}, self.sensor_box.currentData())

    def told(self, scene: Scene) -> dict[str, Any]:
        other = self.workspace.scenes.get(str(self.sensor_box.currentData()))
        if other is not None:
            return {"like": other.info.path}
        return {"sensor": self.sensor_box.currentData()}

    def problem(self, scene: Scene) -> str:
        if scene.bands.has_wavelengths:
            return ""
        return f"{scene.title} does not know its wavelengths, so no other bands can be made of it."


class GridPage(PreparePage):
    """Another coordinate system, pixel size or extent."""

    TOOL, NAME, TITLE, GO = "reproject", "New grid", "Another map grid", "Lay it on the grid"
    ABOUT = "Another coordinate system, another size of pixels, clipped where you like."
    WAYS = {  # noqa: RUF012
        "all": "All of the image", "sight": "What is in sight now", "box": "A box on the map",
    }  # fmt: skip

    def build(self) -> None:
        self.like_box = self._box("Grid", {"": "Chosen below"})
        self.crs_box = self._box("System")
        self.crs_box.setEditable(True)
        self.crs_box.setToolTip("Coordinate system: a name of the list, or EPSG:32633")
        self.crs_box.editTextChanged.connect(self._told)
        self.crs_box.currentIndexChanged.connect(self._show_start)
        self.size_edit = self._edit("Pixel", "About as now", "Its side, in units of the system")
        self.where_box = self._box("Extent", self.WAYS)
        self.box_edit = self._edit(
            "Box", "West,south,east,north", "In coordinates of the new system"
        )
        how = {"": "Mixed from 4 (bilinear)", "nearest": "Nearest, values untouched"}
        self.how_box = self._box("Values", how)
        for box in (self.like_box, self.where_box):
            box.currentIndexChanged.connect(self.show_fields)
        self.show_fields()

    def show_fields(self, *_: object) -> None:
        """Show the fields that are asked for."""
        own = not self.like_box.currentData()
        for field in (self.crs_box, self.size_edit, self.where_box):
            self.form.setRowVisible(field, own)
        self.form.setRowVisible(self.box_edit, own and self.where_box.currentData() == "box")

    def fill(self) -> None:
        others = [s for s in self._others() if isinstance(s.place, GeoReference) and s.place.crs]
        entries = {"": "Chosen below", **{s.id: f"That of {s.title}" for s in others}}
        _refill(self.like_box, entries, self.like_box.currentData())
        scene = self.workspace.active_scene
        place = None if scene is None else scene.place
        if scene is None or not isinstance(place, GeoReference):
            return
        systems = {"": "As now"}
        zone = _zone(place.to_lonlat(scene.shape[0] / 2, scene.shape[1] / 2))
        systems |= {code: f"{code} {name}" for code, name in zone.items()}
        systems["EPSG:4326"] = "EPSG:4326 longitude, latitude"
        systems["EPSG:3857"] = "EPSG:3857 Web Mercator"
        typed = self.crs_box.currentText() if self.crs_box.currentIndex() < 0 else ""
        _refill(self.crs_box, systems, self.crs_box.currentData())
        if typed:
            self.crs_box.setEditText(typed)
        self._show_start()
        self.show_fields()

    def _show_start(self, *_: object) -> None:
        """Show the code of a system, where its name is longer than the field."""
        line = self.crs_box.lineEdit()
        if line is not None and not line.hasFocus():
            line.setCursorPosition(0)

    @property
    def crs(self) -> str:
        """The system that was chosen or written; empty for that of the scene."""
        text = self.crs_box.currentText().strip()
        at = self.crs_box.findText(text)
        return str(self.crs_box.itemData(at) or "") if at >= 0 else text

    def told(self, scene: Scene) -> dict[str, Any]:
        other = self.workspace.scenes.get(str(self.like_box.currentData()))
        out: dict[str, Any] = {"resampling": self.how_box.currentData()}
        if other is not None:
            return {"like": other.info.path, **out}
        out["crs"] = self.crs
        out["resolution"] = _number(self.size_edit.text())
        if self.where_box.currentData() == "sight":
            out["rows"], out["cols"] = _in_sight(self.sight, scene)
        elif self.where_box.currentData() == "box":
            out["box"] = _plain(self.box_edit)
        return out

    def problem(self, scene: Scene) -> str:
        if not isinstance(scene.place, GeoReference) or scene.place.crs is None:
            return NO_PLACE.format(scene.title)
        told = self.told(scene)
        if "like" in told:
            return ""
        if self.size_edit.text().strip() and not told["resolution"]:
            return "The size of a pixel is a number above 0."
        if not any(told.get(key) for key in ("crs", "resolution", "rows", "box")):
            return "Say what should change: system, pixel or extent."
        if self.where_box.currentData() == "box":
            try:
                box_of(told["box"])
            except WrongUse as error:
                return error.sentence
        return ""


def _zone(lonlat: tuple[float, float] | None) -> dict[str, str]:
    """Return the UTM zone of a place by its code."""
    if lonlat is None or abs(lonlat[1]) > 84:
        return {}
    number = int((lonlat[0] + 180) // 6) % 60 + 1
    north = lonlat[1] >= 0
    return {f"EPSG:{(32600 if north else 32700) + number}": f"UTM {number}{'N' if north else 'S'}"}


def _in_sight(sight: Sight, scene: Scene) -> tuple[str, str]:
    part = sight.window(scene).clip(*scene.shape[:2])
    return (
        f"{part.row}:{part.row + part.height}",
        f"{part.col}:{part.col + part.width}",
    )


def _plain(edit: QLineEdit) -> str:
    return "".join(edit.text().replace(";", ",").replace("–", ":").split())


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if value > 0 else None


def _refill(box: QComboBox, entries: Mapping[str, str], kept: Any) -> None:
    box.blockSignals(True)
    box.clear()
    for key, title in entries.items():
        box.addItem(title, key)
    box.setCurrentIndex(max(0, box.findData(kept)))
    box.blockSignals(False)


def every_page(workspace: Workspace, sight: Sight) -> Iterable[PreparePage]:
    """Yield the pages in the order of the list."""
    for kind in (PartPage, BadBandsPage, StripesPage, SensorPage, GridPage):
        yield kind(workspace, sight)
