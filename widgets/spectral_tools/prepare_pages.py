"""The questions of each way to make a scene ready: one small page a way, one in sight at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PyQt6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QSpinBox,
)

from backends.errors import WrongUse
from backends.georeference import GeoReference
from backends.regions import Region
from backends.scene import Scene
from backends.spectra.preparing import box_of, nm_of, numbers_of, range_of
from backends.workspace import Workspace
from widgets.sight import Sight
from widgets.spectral_tools.prepare_grid_pages import GridPage, SensorPage
from widgets.spectral_tools.prepare_page import PreparePage, in_sight, plain_text, refill
from widgets.theme import wrapped

NEIGHBOURS = "Neighbouring pixels"
NOISE_TIP = "Differences between neighbours, or the spread over a region of even, dark ground"


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
            rows, cols = in_sight(self.sight, scene)
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
        refill(self.where_box, entries, kept)
        self.show_fields()

    def told(self, scene: Scene) -> dict[str, Any]:
        way, out = self.where_box.currentData(), dict[str, Any]()
        if way == "sight":
            out["rows"], out["cols"] = in_sight(self.sight, scene)
        elif way == "pixels":
            out["rows"], out["cols"] = plain_text(self.rows_edit), plain_text(self.cols_edit)
        elif way == "box":
            out["box"], out["lonlat"] = plain_text(self.box_edit), self.degrees_tick.isChecked()
        if scene.bands.has_wavelengths:
            out["nm"] = tuple(t for t in plain_text(self.nm_edit).split(",") if t)
        else:
            out["bands"] = plain_text(self.bands_edit)
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


class NoisePage(PreparePage):
    """The first components kept, the rest thrown away."""

    TOOL, NAME = "denoise", "Noise taken out"
    TITLE, GO = "Noise taken out", "Take out the noise"
    ABOUT = "Turned into components, the noisy ones cut off, and turned back."
    REGIONS_AS = "dark"
    METHODS = {  # noqa: RUF012
        "mnf": "Minimum noise fraction (MNF)", "pca": "Principal components (PCA)",
        "ica": "Independent components (ICA)",
    }  # fmt: skip

    def build(self) -> None:
        self.method_box = self._box("By", self.METHODS)
        self.noise_box = self._box("Noise from", {"": NEIGHBOURS})
        self.noise_box.setToolTip(NOISE_TIP)
        self.components_spin = QSpinBox()
        self.components_spin.setRange(1, 500)
        self.components_spin.setValue(10)
        self.components_spin.setPrefix("the first ")
        self.components_spin.valueChanged.connect(self._told)
        self.form.addRow("Keep", self.components_spin)
        self.keep_edit = self._edit(
            "or these", "1-8,10", "Numbers of components from 1; they go before the first ones"
        )
        self.method_box.currentIndexChanged.connect(self.show_fields)
        self.show_fields()

    def show_fields(self, *_: object) -> None:
        self.form.setRowVisible(self.noise_box, self.method_box.currentData() == "mnf")

    def fill(self) -> None:
        fill_noise(self.noise_box, self.workspace)

    def told(self, scene: Scene) -> dict[str, Any]:
        keep = plain_text(self.keep_edit)
        out = {"method": self.method_box.currentData()}
        return out | ({"keep": keep} if keep else {"components": self.components_spin.value()})

    def regions(self) -> tuple[Region, ...]:
        region = self.workspace.regions.get(str(self.noise_box.currentData()))
        return (region,) if region and self.method_box.currentData() == "mnf" else ()

    def problem(self, scene: Scene) -> str:
        try:
            numbers_of(self.told(scene).get("keep", "1"), scene.shape[2], "components")
        except WrongUse as error:
            return error.sentence
        return ""


class StretchPage(PreparePage):
    """Bands that look alike, set apart."""

    TOOL, NAME = "decorrelate", "Decorrelation stretch"
    TITLE, GO = "Decorrelation stretch", "Stretch the bands"
    ABOUT = "Bands that go together are set apart, so that hues of rock and soil can be told."

    def build(self) -> None:
        self.nm_edit = self._edit("Wavelengths", "2100, 2200, 2330", "Two or more, in nm")
        self.bands_edit = self._edit("Bands", "1,2,3", "Two or more, by number from 1")
        self.show_fields()

    def show_fields(self, *_: object) -> None:
        scene = self.workspace.active_scene
        known = scene is not None and scene.bands.has_wavelengths
        self.form.setRowVisible(self.nm_edit, known)
        self.form.setRowVisible(self.bands_edit, not known)

    def fill(self) -> None:
        self.show_fields()

    def told(self, scene: Scene) -> dict[str, Any]:
        if scene.bands.has_wavelengths:
            return {"nm": tuple(t for t in plain_text(self.nm_edit).split(",") if t)}
        return {"bands": plain_text(self.bands_edit)}

    def problem(self, scene: Scene) -> str:
        told = self.told(scene)
        try:
            for text in told.get("nm", ()):
                nm_of(text)
            if told.get("bands"):
                numbers_of(told["bands"], scene.shape[2])
        except WrongUse as error:
            return error.sentence
        return "" if told.get("nm") or told.get("bands") else "Say which bands: two or more."


def fill_noise(box: QComboBox, workspace: Workspace) -> None:
    """Offer what noise can be told from: neighbours, or a region of even ground."""
    scene, every = workspace.active_scene, workspace.regions.values()
    mine = {r.id: f"Region {r.name}" for r in every if scene is not None and r.scene_id == scene.id}
    refill(box, {"": NEIGHBOURS, **mine}, box.currentData())


def every_page(workspace: Workspace, sight: Sight) -> Iterable[PreparePage]:
    """Yield the pages in the order of the list."""
    kinds = (
        PartPage, BadBandsPage, StripesPage, NoisePage, StretchPage, SensorPage, GridPage,
    )  # fmt: skip
    for kind in kinds:
        yield kind(workspace, sight)
