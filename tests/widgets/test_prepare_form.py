"""Scenes made ready in the dock: each way written, opened, and made again by its command line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cli.root import invoke
from backends.io import open_scene
from backends.regions import Region
from backends.scene import Scene, Window
from backends.workspace import Workspace
from widgets.sight import Sight
from widgets.spectral_tools_dock import SpectralToolsDock

SEEN = Window(6, 12, 30, 40)


@pytest.fixture
def desk(
    clearband_data: Path, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Workspace, Scene, SpectralToolsDock]]:
    for name in ("enmap_potsdam_a.bil", "enmap_potsdam_a.hdr"):
        shutil.copyfile(clearband_data / "hsi" / "envi" / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    workspace = Workspace()
    sight = Sight(lambda scene: SEEN)
    dock = SpectralToolsDock(
        workspace, sight=sight, open_file=lambda path: workspace.add_scene(open_scene(path))
    )
    qtbot.addWidget(dock)
    dock.resize(300, 1200)
    dock.show()
    scene = open_scene(tmp_path / "enmap_potsdam_a.hdr")
    workspace.add_scene(scene)
    dock.show_tool("Prepare")
    yield workspace, scene, dock
    workspace.close()


def choose(box: Any, data: str) -> None:
    at = box.findData(data)
    assert at >= 0, [box.itemText(i) for i in range(box.count())]
    box.setCurrentIndex(at)


def page(dock: SpectralToolsDock, tool: str) -> Any:
    dock.prepare.show_way(tool)
    return dock.prepare.page


def again(workspace: Workspace, out: Path) -> Path:
    """Run the last line of the run log with another target and return what it wrote."""
    words = list(workspace.run_log.lines[-1].command)
    words[words.index("--out") + 1] = str(out)
    assert invoke(words) == 0
    return out


def same(one: Path, other: Path) -> None:
    with open_scene(one) as a, open_scene(other) as b:
        np.testing.assert_array_equal(a.read(), b.read())
        assert a.bands == b.bands
        assert a.place == b.place


def test_what_is_in_sight_is_cut_out_and_opened(desk: Any, tmp_path: Path) -> None:
    workspace, scene, dock = desk
    part = page(dock, "subset")
    assert dock.problem_line.text() == "Say which part, or which bands."
    assert not dock.go_button.isEnabled()
    choose(part.where_box, "sight")
    part.nm_edit.setText("450:900; 2200")
    assert "Rows 6:36, columns 12:52" in part.sight_line.text()
    assert dock.go_button.text() == "Cut the part out"
    dock.go_button.click()
    made = workspace.active_scene
    assert made is not None
    assert made.info.path == tmp_path / "enmap_potsdam_a_part.tif"
    nm = scene.bands.wavelengths()
    bands = [b for b in range(nm.size) if 450 <= nm[b] <= 900 or b == scene.bands.nearest(2200)]
    np.testing.assert_array_equal(made.read(), scene.read(SEEN, bands))
    assert dock.result.isVisible()  # said of the new scene
    assert "enmap_potsdam_a_part.tif" in dock.result.facts_line.text()
    same(made.info.path, again(workspace, tmp_path / "again.tif"))


def test_a_region_is_cut_out_and_its_outline_lies_beside(desk: Any, tmp_path: Path) -> None:
    workspace, scene, dock = desk
    ring = np.array([[10.0, 10.0], [10.0, 30.0], [24.0, 20.0]])
    region = Region("Island", scene.id, ring)
    workspace.add_region(region)
    part = page(dock, "subset")
    choose(part.where_box, region.id)
    dock.go_button.click()
    made = workspace.active_scene
    mask = region.mask(scene.shape[:2])
    rows, cols = np.nonzero(mask)
    assert made.shape[:2] == (np.ptp(rows) + 1, np.ptp(cols) + 1)
    inside = mask[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    known = np.isfinite(made.read(physical=True)).any(axis=2)
    assert not known[~inside].any()
    assert known[inside].mean() > 0.9  # but for the holes of the scene
    assert (tmp_path / "enmap_potsdam_a_part_regions.geojson").is_file()
    same(made.info.path, again(workspace, tmp_path / "again.tif"))


@pytest.mark.parametrize(
    ("tool", "first"),
    [("destripe", "written"), ("resample", "sentinel2"), ("reproject", "WGS 84 (EPSG:4326)")],
)
def test_each_way_writes_what_its_command_writes(
    desk: Any, tmp_path: Path, tool: str, first: str
) -> None:
    workspace, _, dock = desk
    form = page(dock, tool)
    if tool == "destripe":
        form.gains_tick.setChecked(False)
        form.window_spin.setValue(30)
        assert "odd" in dock.problem_line.text()
        form.window_spin.setValue(15)
    if tool == "reproject":
        assert "Say what should change" in dock.problem_line.text()
        choose(form.crs_box, "EPSG:4326")
        choose(form.where_box, "sight")
    dock.go_button.click()
    made = workspace.active_scene
    assert first in dock.result.facts_line.text()
    words = list(workspace.run_log.lines[-1].command)
    assert words[:2] == ["spectra", tool]
    if tool == "destripe":
        assert "--means" in words
    if tool == "reproject":
        assert made.shape[:2] < (64, 128)
        assert ["--rows", "6:36", "--cols", "12:52"] == words[words.index("--rows") :][:4]
    same(made.info.path, again(workspace, tmp_path / "again.tif"))


def test_bad_bands_are_listed_and_drawn(desk: Any) -> None:
    workspace, scene, dock = desk
    page(dock, "badbands")
    assert not dock.prepare.file_row.isVisible()
    dock.go_button.click()
    assert workspace.active_scene is scene
    table, plot = dock.result.table, dock.result.plot
    assert table.rowCount() == 6
    assert table.item(0, 0).text() == "130, 1331 nm"
    assert table.item(0, 1).text() == "empty"
    assert plot.isVisible()
    assert len(plot.marks.data) == 6
    assert plot.limit.value() == 0.7
    dock.show_tool("Transform")
    dock.run()
    assert len(plot.marks.data) == 0 or not plot.isVisible()  # the next result has its own curve


def test_no_file_is_lost_and_what_cannot_be_is_one_sentence(desk: Any, tmp_path: Path) -> None:
    workspace, scene, dock = desk
    part = page(dock, "subset")
    part.good_tick.setChecked(True)
    taken = tmp_path / "taken.tif"
    taken.write_text("somebody's", encoding="utf-8")
    dock.prepare.file_edit.setText(str(taken))
    dock.go_button.click()
    assert "taken.tif is there already" in dock.result.facts_line.text()
    assert taken.read_text(encoding="utf-8") == "somebody's"
    dock.prepare.file_edit.setText(str(tmp_path / "enmap_potsdam_a.bil"))
    assert "cannot be written over" in dock.problem_line.text()
    dock.prepare.file_edit.setText(str(tmp_path / "made.tif"))
    for field, text, sentence in (
        (part.nm_edit, "red", "red is no range of wavelengths."),
        (part.nm_edit, "900:450", "900:450 runs backwards."),
        (part.rows_edit, "12", "Rows is FIRST:END, such as 10:60, not 12."),
        (part.box_edit, "1,2", "1,2 is no box."),
    ):
        choose(part.where_box, {part.rows_edit: "pixels", part.box_edit: "box"}.get(field, "all"))
        field.setText(text)
        assert sentence in dock.problem_line.text()
        assert not dock.go_button.isEnabled()
        field.clear()
    form = page(dock, "reproject")
    form.crs_box.setEditText("EPSG:1")
    dock.go_button.click()
    assert "There is no coordinate system EPSG:1" in dock.result.facts_line.text()
    assert len(workspace.run_log.lines) == 0
    assert workspace.active_scene is scene


def test_noise_is_taken_out_and_bands_are_stretched(desk: Any, tmp_path: Path) -> None:
    workspace, scene, dock = desk
    with open_scene(tmp_path / "enmap_potsdam_a.hdr") as again_read:
        band = again_read.bands.nearest(1600)
        dark = again_read.read(bands=[band], physical=True)[..., 0] < 0.02
    from backends.spectra.region_making import regions_of_mask

    (water,) = regions_of_mask(dark, scene.id, "Water")
    workspace.add_region(water)
    noise = page(dock, "denoise")
    choose(noise.noise_box, water.id)
    noise.keep_edit.setText("some")
    assert "some are no numbers of components" in dock.problem_line.text()
    noise.keep_edit.setText("1-6, 8")
    dock.go_button.click()
    made = workspace.active_scene
    assert made.shape == scene.shape
    facts = dock.result.facts_line.text()
    assert "components kept 7" in facts
    assert "these are 1-6,8" in facts
    assert dock.result.plot.isVisible()
    assert dock.result.plot.limit.value() == 7.5
    words = workspace.run_log.lines[-1].command
    assert "--dark-option" in words
    same(made.info.path, again(workspace, tmp_path / "again.tif"))
    workspace.activate(scene.id)
    page(dock, "decorrelate")
    assert "two or more" in dock.problem_line.text()
    dock.prepare.page.nm_edit.setText("2100, 2200, 2330")
    dock.go_button.click()
    assert workspace.active_scene.shape[2] == 3
    same(workspace.active_scene.info.path, again(workspace, tmp_path / "wide.tif"))


def test_a_transform_shows_all_eigenvalues_and_takes_dark_ground(desk: Any, tmp_path: Path) -> None:
    workspace, scene, dock = desk
    dock.show_tool("Transform")
    dock.transform.components_spin.setValue(4)
    assert not dock.transform.noise_box.isVisible()
    dock.run()
    plot = dock.result.plot
    assert plot.isVisible()
    assert plot.limit.value() == 4.5
    assert len(plot.curve.xData) == 218
    dock.transform.method_box.setCurrentIndex(1)
    assert dock.transform.noise_box.isVisible()
    ring = np.array([[0.0, 0.0], [0.0, 30.0], [20.0, 30.0], [20.0, 0.0]])
    workspace.add_region(Region("Even", scene.id, ring))
    choose(dock.transform.noise_box, next(iter(workspace.regions)))
    count = len(workspace.run_log.lines)
    dock.run()
    assert "dark ground" in dock.result.notes_line.text()
    assert len(workspace.run_log.lines) == count  # the region is in no file
    dock.references.save_areas(tmp_path / "areas.geojson")
    dock.run()
    words = list(workspace.run_log.lines[-1].command)
    assert words[words.index("--dark-name") + 1] == "Even"
    wanted = workspace.active_overlay.values
    out = again(workspace, tmp_path / "mnf")
    with open_scene(out / "minimum_noise_fraction_1.tif") as written:
        np.testing.assert_array_equal(written.read()[..., 0], wanted)
