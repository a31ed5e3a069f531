"""Regions found, measured, coloured, opened from maps and saved in the dock; all can be undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from app.cli.root import invoke
from backends.io import open_scene
from backends.overlays import Provenance, ScoreMap
from backends.palette import key_color
from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Pin, Workspace
from widgets.regions_dock import RegionsDock

RING = np.array([[10.0, 60.0], [10.0, 70.0], [20.0, 70.0], [20.0, 60.0]])


@pytest.fixture
def desk(clearband_data: Path, qtbot: Any) -> Iterator[tuple[Workspace, Scene, RegionsDock]]:
    workspace = Workspace()
    asked: list[str] = []
    dock = RegionsDock(workspace, do=asked.append)
    dock.asked = asked  # type: ignore[attr-defined]
    qtbot.addWidget(dock)
    dock.resize(304, 900)
    dock.show()
    scene = open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr")
    workspace.add_scene(scene)
    yield workspace, scene, dock
    workspace.close()


def press(dock: RegionsDock, tool: str) -> None:
    dock.tools.buttons[tool].click()


def rows(dock: RegionsDock) -> list[list[str]]:
    table = dock.table
    return [[table.item(r, c).text() for c in range(3)] for r in range(table.rowCount())]


def test_tools_take_turns(desk: Any) -> None:
    _, _, dock = desk
    for tool in ("Lasso", "Polygon", "Ellipse", "Box"):
        press(dock, tool)
    assert dock.asked == [
        "edit.region", "edit.region_polygon", "edit.region_ellipse", "edit.region_box",
    ]  # fmt: skip
    press(dock, "Wand")
    assert dock.wand.held
    assert dock.tools.wand_panel.isVisible()
    press(dock, "Threshold")
    assert not dock.wand.held
    assert dock.tools.threshold_panel.isVisible()
    assert not dock.tools.wand_panel.isVisible()
    press(dock, "Wand")
    dock.hide()
    assert not dock.wand.held  # a click would else do what nobody sees


def test_the_wand_makes_a_region_its_command_makes_again(
    desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace, scene, dock = desk
    assert not dock.wand.touch(scene.id, 30, 64)  # not in hand
    press(dock, "Wand")
    dock.tools.wand_panel.tolerance_spin.setValue(0.15)
    assert dock.wand.touch(scene.id, 30, 64)
    (region,) = workspace.regions.values()
    assert region.mask(scene.shape[:2])[30, 64]
    assert rows(dock) == [["Region 1", "", "183 px, 16.5 ha"]]
    assert "183 pixels, 16.5 ha" in dock.figures.line.text()
    (line,) = workspace.run_log.lines
    assert invoke(list(line.command)) == 0
    from backends.io.areas import read_areas

    (again,) = read_areas(tmp_path / line.command[-1], scene).regions
    np.testing.assert_array_equal(again.mask(scene.shape[:2]), region.mask(scene.shape[:2]))
    workspace.commands.undo()
    assert not workspace.regions
    hole = np.argwhere(~np.isfinite(scene.read(physical=True)[..., 0]))
    if len(hole):
        dock.wand.touch(scene.id, *hole[0])
        assert "Nothing was measured" in dock.line.text()


def test_a_threshold_over_a_band_and_over_a_map(desk: Any) -> None:
    workspace, scene, dock = desk
    press(dock, "Threshold")
    panel = dock.tools.threshold_panel
    assert "Say which band" in panel.problem_line.text()
    panel.band_edit.setText("860")
    assert "Say from which value" in panel.problem_line.text()
    panel.low_edit.setText("0,5")
    panel.high_edit.setText("0.3")
    assert "The range is empty" in panel.problem_line.text()
    panel.high_edit.setText("much")
    assert "much is no number." in panel.problem_line.text()
    assert not panel.go_button.isEnabled()
    panel.low_edit.setText("0.3")
    panel.high_edit.clear()
    panel.least_spin.setValue(1)
    panel.go_button.click()
    (region,) = workspace.regions.values()
    band = scene.bands.nearest(860)
    with np.errstate(invalid="ignore"):
        wanted = scene.read(bands=[band], physical=True)[..., 0] >= 0.3
    np.testing.assert_array_equal(region.mask(scene.shape[:2]), wanted)
    assert "(b[860] >= 0.3)" in workspace.run_log.lines[-1].command
    values = np.zeros(scene.shape[:2], np.float32)
    values[5:9, 5:9] = values[20:22, 20:22] = 1
    workspace.add_overlay(ScoreMap("NDVI", scene.id, Provenance("x"), values=values))
    panel.of_box.setCurrentIndex(panel.of_box.findText("NDVI"))
    assert not panel.band_edit.isVisible()
    panel.each_tick.setChecked(True)
    panel.go_button.click()
    assert [r[2] for r in rows(dock)[1:]] == ["16 px, 1.44 ha", "4 px, 0.36 ha"]
    assert len(workspace.run_log.lines) == 1  # the map is in no file
    workspace.commands.undo()
    assert len(workspace.regions) == 1
    panel.low_edit.setText("7")
    panel.go_button.click()
    assert "No pixel is left" in dock.line.text()


def test_figures_follow_the_selection(desk: Any) -> None:
    workspace, scene, dock = desk
    workspace.add_region(Region("One & all", scene.id, RING, 2))
    assert "<b>One &amp; all</b>: 121 pixels, 10.9 ha" in dock.figures.line.text()
    mask = workspace.regions[next(iter(workspace.regions))].mask(scene.shape[:2])
    values = scene.spectra(mask).astype(float)
    good = scene.bands.good_mask()
    curves = dock.figures.curves
    order = np.argsort(scene.bands.wavelengths(), kind="stable")
    for name, take in (("mean", np.mean), ("median", np.median), ("maximum", np.max)):
        wanted = np.where(good, take(values, axis=0), np.nan)[order]
        np.testing.assert_allclose(curves[name].yData, wanted, rtol=1e-5)
    spread = np.where(good, values.std(axis=0), np.nan)[order]
    np.testing.assert_allclose(curves["high"].yData - curves["mean"].yData, spread, rtol=1e-4)
    assert curves["mean"].opts["pen"].color().name().upper() == key_color(2)
    workspace.add_region(Region("Far", scene.id, RING + 500, 3))
    assert rows(dock)[1][2] == "no pixel"
    assert "Far lies outside" in dock.figures.line.text()
    dock.table.clearSelection()
    assert not dock.figures.isVisible()


def test_a_colour_is_that_of_all_of_a_class(desk: Any) -> None:
    workspace, scene, dock = desk
    for name, kind in (("A", "Water"), ("B", "Water"), ("C", "")):
        workspace.add_region(Region(name, scene.id, RING, 0, class_name=kind))
    workspace.add_pin(Pin(scene.id, 3, 4, "Pin 1"))
    dock.table.clearSelection()
    dock.table.selectRow(1)  # pins stand first
    dock.recolor("#882255")
    assert [r.shown_color for r in workspace.regions.values()] == [
        "#882255", "#882255", key_color(0),
    ]  # fmt: skip
    dock.table.selectAll()
    dock.recolor("#44AA99")
    assert {r.shown_color for r in workspace.regions.values()} == {"#44AA99"}
    assert key_color(next(iter(workspace.pins.values())).color) == "#44AA99"
    workspace.commands.undo()
    workspace.commands.undo()
    assert [r.shown_color for r in workspace.regions.values()][2] == key_color(0)


def test_areas_of_maps_are_opened_and_what_is_open_is_asked(desk: Any, tmp_path: Path) -> None:
    workspace, scene, dock = desk
    workspace.add_region(Region("Drawn", scene.id, RING, 1))
    dock.save_file(tmp_path / "a.gpkg")
    assert "1 area written to a.gpkg." in dock.line.text()
    dock.save_file(tmp_path / "a.csv")
    assert "a.csv and a_spectra.csv" in dock.line.text()
    dock.open_file(tmp_path / "a.gpkg")
    one, other = workspace.regions.values()
    np.testing.assert_array_equal(one.mask(scene.shape[:2]), other.mask(scene.shape[:2]))
    assert one.color != other.color
    workspace.commands.undo()
    assert len(workspace.regions) == 1
    info, _, wkb, _ = pyogrio.raw.read(str(tmp_path / "a.gpkg"))
    assert info["crs"] == scene.place.crs or info["crs"]
    shape = tmp_path / "unnamed.shp"
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pyogrio.raw.write(
            str(shape), np.array(shapely.to_wkb(shapely.get_parts(shapely.from_wkb(wkb))), object),
            [np.array(["a"], object)], ["name"], driver="ESRI Shapefile",
            geometry_type="Polygon", crs=None,
        )  # fmt: skip
    dock.open_file(shape)
    assert "does not say which coordinate system" in dock.line.text()
    assert dock.files.choice_box.isVisible()
    assert dock.files.choice_box.itemText(0) == "That of the scene"
    dock.files.choice_button.click()
    assert not dock.files.choice_box.isVisible()
    assert len(workspace.regions) == 2
    dock.open_file(tmp_path / "nothing.gpkg")
    assert "nothing.gpkg" in dock.line.text()
