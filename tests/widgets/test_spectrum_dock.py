"""The spectrum dock: follows, pins, averages regions, breaks at bad bands, writes files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import Qt

from backends.bands import BandTable
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra.library import SpectralLibrary
from backends.workspace import Region, Workspace
from widgets.spectrum_dock import SpectrumDock

NM = np.linspace(400, 2500, 30)


@pytest.fixture
def opened(qtbot: Any) -> tuple[Workspace, Scene, SpectrumDock]:
    workspace = Workspace()
    good = [b != 12 for b in range(30)]
    cube = np.random.default_rng(0).random((20, 25, 30)).astype(np.float32)
    bands = BandTable.build(30, wavelength_nm=NM[::-1], good=good)
    scene = Scene(ArraySource(cube), SceneInfo(None, "hyperspectral", bands, unit="reflectance"))
    dock = SpectrumDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(800, 220)
    dock.show()
    assert dock.stack.currentWidget() is dock.empty
    workspace.add_scene(scene)
    return workspace, scene, dock


def test_follows_the_mouse_on_a_rising_axis_with_gaps(opened: Any) -> None:
    workspace, scene, dock = opened
    workspace.cursor_moved.emit(scene.id, 3, 4)
    x, y = dock.plot.hover.getOriginalDataset()
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(x, NM)
    expected = scene.spectrum(3, 4).astype(float)
    expected[12] = np.nan
    np.testing.assert_allclose(y, expected[::-1])
    assert "Row 3, column 4" in dock.where.text()
    workspace.cursor_left.emit()
    assert dock.plot.hover.getOriginalDataset()[0] is None or not len(
        dock.plot.hover.getOriginalDataset()[0]
    )


def test_pins_stay_share_the_colour_key_and_can_be_undone(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    for col in (1, 2):
        workspace.cursor_moved.emit(scene.id, 0, col)
        qtbot.mouseClick(dock.pin_button, Qt.MouseButton.LeftButton)
    assert [p.color for p in workspace.pins.values()] == [0, 1]
    assert len(dock._curves) == 2
    assert len(dock.plot.legend.items) == 2
    workspace.commands.undo()
    assert len(dock._curves) == 1
    qtbot.mouseClick(dock.clear_button, Qt.MouseButton.LeftButton)
    assert not workspace.pins
    assert not dock.clear_button.isEnabled()


def test_region_shows_mean_and_deviation(opened: Any) -> None:
    workspace, scene, dock = opened
    corners = np.array([[2, 2], [2, 10], [9, 10], [9, 2]])
    region = Region("Field", scene.id, corners)
    workspace.add_region(region)
    values = scene.spectra(region.mask(scene.shape[:2]))
    curve = dock._curves[region.id]
    np.testing.assert_allclose(curve.values, values.mean(axis=0), rtol=1e-5)
    # One with a class has the colour of its class here, too, as on the image.
    workspace.change_region(region.id, class_name="Water")
    assert dock._curves[region.id].color == "#0072B2"
    np.testing.assert_allclose(curve.spread, values.std(axis=0), rtol=1e-4)


def test_unit_switch_and_wavelengths_unknown(opened: Any) -> None:
    workspace, scene, dock = opened
    dock.unit_box.setCurrentText("µm")
    workspace.cursor_moved.emit(scene.id, 1, 1)
    assert dock.plot.hover.getOriginalDataset()[0][-1] == pytest.approx(2.5)
    plain = Scene(
        ArraySource(np.zeros((4, 4, 3), np.uint8)), SceneInfo(None, "picture", BandTable.build(3))
    )
    workspace.add_scene(plain)
    assert not dock.unit_box.isVisible()
    workspace.cursor_moved.emit(plain.id, 1, 1)
    assert dock.plot.hover.getOriginalDataset()[0].tolist() == [1, 2, 3]


def scene_of(*names: str) -> Scene:
    cube = np.zeros((4, 4, len(names)), np.uint8)
    bands = BandTable.build(len(names), names=names)
    return Scene(ArraySource(cube), SceneInfo(None, "raster", bands, title="Heights"))


def test_one_band_is_no_spectrum_and_that_is_said(opened: Any) -> None:
    workspace, _scene, dock = opened
    workspace.add_scene(scene_of("Height"))
    assert dock.stack.currentWidget() is dock.empty
    assert dock.empty.label.text().startswith("Heights has one band")
    workspace.add_scene(scene_of("Red", "Green"))
    assert dock.stack.currentWidget() is not dock.empty


def test_a_few_bands_are_named_where_names_find_room(opened: Any) -> None:
    workspace, _scene, dock = opened
    workspace.add_scene(scene_of("AMS band 3", "AMS band 5", "AMS band 12"))
    axis = dock.plot.plot.getAxis("bottom")
    assert axis.labelText == "AMS band"
    assert axis._tickLevels == [[(1, "3"), (2, "5"), (3, "12")]]
    low, high = dock.plot.plot.getViewBox().viewRange()[0]
    assert low <= 0.5
    assert high >= 3.5


def test_the_water_bands_are_seen_in_both_themes(opened: Any) -> None:
    _workspace, _scene, dock = opened
    seen = []
    for color in ("#000000", "#ffffff"):
        dock.setStyleSheet(f"QLabel {{ color: {color}; }}")
        dock.plot.apply_theme()
        seen.append({shade.brush.color().name() for shade in dock.plot._shades})
    assert seen == [{"#000000"}, {"#ffffff"}]


def test_pins_have_one_name_however_they_came(opened: Any) -> None:
    workspace, scene, dock = opened
    workspace.cursor_moved.emit(scene.id, 3, 4)
    dock.pin_here()
    first = workspace.pin_here(scene.id, 5, 6)
    names = [pin.name for pin in workspace.pins.values()]
    assert names == ["Pin 1 (3, 4)", "Pin 2 (5, 6)"]
    workspace.remove_pin(next(iter(workspace.pins)))
    assert workspace.pin_here(scene.id, 7, 8).name == "Pin 3 (7, 8)"
    workspace.change_pin(first.id, name="Roof")
    assert workspace.pin_here(scene.id, 1, 1).name == "Pin 4 (1, 1)"


@pytest.mark.parametrize("suffix", [".csv", ".sli", ".png", ".svg"])
def test_export(opened: Any, tmp_path: Path, suffix: str) -> None:
    workspace, scene, dock = opened
    workspace.cursor_moved.emit(scene.id, 5, 6)
    dock.pin_here()
    dock.export_to(tmp_path / f"out{suffix}")
    assert workspace.jobs[-1].error is None
    content = (tmp_path / f"out{suffix}").read_bytes()
    starts = {".png": b"\x89PNG", ".svg": b"<?xml"}
    assert content.startswith(starts.get(suffix, b""))
    if suffix == ".csv":
        assert f"{scene.spectrum(5, 6)[0]:.9f}"[:7] in content.decode()
    if suffix == ".sli":
        values = np.frombuffer(content, "<f4")
        np.testing.assert_allclose(values[:30], scene.spectrum(5, 6), rtol=1e-6)


def test_library_spectra_stand_beside_the_scenes(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    nm = np.linspace(400, 2500, 400)
    values = np.stack([np.full(400, 0.25), nm / 2500]).astype(np.float32)
    workspace.add_library(SpectralLibrary("rocks", ("gypsum", "calcite"), nm, values))
    dialog = dock.library.dialog
    assert dialog is not None
    assert dialog.isVisible()
    dialog.search.setText("calc")
    assert [dialog.list.item(i).isHidden() for i in range(2)] == [True, False]
    dialog.list.item(1).setCheckState(Qt.CheckState.Checked)
    (curve,) = dock.library.curves.values()
    assert curve.dashed
    np.testing.assert_allclose(curve.values, scene.bands.wavelengths() / 2500, atol=1e-3)
    assert len(dock.plot.legend.items) == 1
    dialog.scale.setCurrentIndex(1)
    (curve,) = dock.library.curves.values()
    assert np.nanmax(curve.values) == pytest.approx(1e4, rel=1e-3)
    plain = Scene(
        ArraySource(np.zeros((4, 4, 3), np.uint8)), SceneInfo(None, "raster", BandTable.build(3))
    )
    workspace.add_scene(plain)
    assert not dock.library.curves
    assert "no wavelengths" in dialog.line.text()
    dialog.close()


def test_what_a_file_tells_of_a_spectrum_is_read_and_searched(opened: Any, tmp_path: Path) -> None:
    _workspace, scene, dock = opened
    for name, kind in (("asphalt", "Road"), ("tile", "Roof")):
        (tmp_path / f"{name}.spectrum.txt").write_text(
            f"Name: {name}\nClass: {kind}\nX Units: Wavelength (micrometers)\n"
            "Y Units: Reflectance (percent)\n\n0.3  10\n1.0  20\n2.6  30\n"
        )
    dock.open_library(tmp_path)
    dialog = dock.library.dialog
    assert "2 spectra, 3 wavelengths from 300 to 2,600 nm, reflectance" in dialog.about.text()
    assert dialog.told.isVisible()
    dialog.list.setCurrentRow(1)
    assert dialog.told.toPlainText() == "Class: Roof"
    dialog.search.setText("road")  # in no name, but in what is told
    assert [dialog.list.item(i).isHidden() for i in range(2)] == [False, True]
    dialog.list.item(0).setCheckState(Qt.CheckState.Checked)
    (curve,) = dock.library.curves.values()
    nm = scene.bands.wavelengths()
    expected = np.interp(nm, [300, 1000, 2600], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(curve.values, expected, atol=1e-6)
    dialog.close()


def test_two_libraries_are_drawn_together(opened: Any) -> None:
    workspace, _scene, dock = opened
    nm = np.linspace(400, 2500, 400)
    for title in ("rocks", "plants"):
        values = np.full((2, 400), 0.5, np.float32)
        workspace.add_library(SpectralLibrary(title, (f"{title} a", f"{title} b"), nm, values))
        dock.library.dialog.list.item(0).setCheckState(Qt.CheckState.Checked)
    assert [c.name for c in dock.library.curves.values()] == ["rocks a", "plants a"]
    assert len({c.color for c in dock.library.curves.values()}) == 2
    first = dock.library.dialog
    assert first.libraries.isVisible()
    first.libraries.activated.emit(0)
    assert dock.library.dialog.windowTitle() == "Spectra of rocks"
    assert dock.library.dialog.ticked() == [0]
    dock.library.dialog.close()


def test_library_from_a_file_and_a_damaged_one(opened: Any, tmp_path: Path) -> None:
    workspace, _scene, dock = opened
    path = tmp_path / "a.csv"
    path.write_text("band,wavelength_nm,good,moss\nb1,500,1,0.5\nb2,510,1,0.6\n")
    dock.open_library(path)
    assert dock.library.library is not None
    assert dock.library.library.names == ("moss",)
    dock.library.dialog.close()
    path.write_text("nothing\n")
    dock.open_library(path)
    assert workspace.jobs[-1].error is not None
    assert "not a table of spectra" in str(workspace.jobs[-1].error)
