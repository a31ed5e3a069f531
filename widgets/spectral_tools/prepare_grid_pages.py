"""Ways to make a scene ready that give it another sensor's bands, or another map grid."""

from __future__ import annotations

from typing import Any

from backends.errors import WrongUse
from backends.georeference import GeoReference
from backends.scene import Scene
from backends.spectra.preparing import box_of
from widgets.spectral_tools.prepare_page import (
    PreparePage,
    in_sight,
    plain_text,
    positive,
    refill,
)

SENSORS = {"sentinel2": "Sentinel-2 MSI", "landsat8": "Landsat 8 OLI", "modis": "MODIS land bands"}
NO_PLACE = "{} does not say where it lies on the map, so it cannot be laid on another grid."


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
        refill(self.sensor_box, {**SENSORS, **others}, self.sensor_box.currentData())

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
        refill(self.like_box, entries, self.like_box.currentData())
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
        refill(self.crs_box, systems, self.crs_box.currentData())
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
        out["resolution"] = positive(self.size_edit.text())
        if self.where_box.currentData() == "sight":
            out["rows"], out["cols"] = in_sight(self.sight, scene)
        elif self.where_box.currentData() == "box":
            out["box"] = plain_text(self.box_edit)
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
