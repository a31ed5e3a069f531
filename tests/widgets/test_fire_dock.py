"""The fire dock: bands said, fire found, numbers turned, a pixel asked, a feed played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPointF

from backends.bands import BandTable
from backends.fire import playing, question
from backends.fire.checkpoints import FireNetworks
from backends.georeference import GeoReference
from backends.io import open_scene
from backends.io.products import ams_l1b
from backends.overlays import ClassMap
from backends.scene import ArraySource, Scene, SceneInfo
from backends.simulate.ams import AmsScene, simulate_ams
from backends.workspace import Workspace
from tests.backends.fire.test_detect import hot
from tests.backends.io.test_ams_l1b import StandIn, contents
from widgets.boards import PictureBoard
from widgets.fire_dock import FireDock


@pytest.fixture(scope="module")
def line() -> AmsScene:
    return simulate_ams(448, seed=2)


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> FireNetworks:
    """Stand-ins that see 325 K at 3.7 µm, in the place of a file."""
    made = hot()
    monkeypatch.setattr(question, "open_networks", lambda *a, **k: made)
    monkeypatch.setattr("widgets.fire.desk.open_networks", lambda *a, **k: made)
    return made


@pytest.fixture
def opened(qtbot: Any, line: AmsScene) -> Iterator[tuple[Workspace, Scene, FireDock]]:
    workspace = Workspace()
    dock = FireDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(300, 1400)
    dock.show()
    assert dock.empty.isVisible()
    scene = line.to_scene()
    workspace.add_scene(scene)
    yield workspace, scene, dock
    workspace.close()


def by_title(workspace: Workspace) -> dict[str, Any]:
    return {o.title: o for o in workspace.overlays.values()}


def test_sensor_units_and_light_are_said_before_anything_runs(opened: Any) -> None:
    _, _, dock = opened
    said = dock.bands.line.text()
    assert "AMS channels 1–12" in said
    assert "Units: radiance" in said
    assert "Day, 17.5 m pixels" in said
    assert not dock.empty.isVisible()
    assert dock.detect.go_button.isEnabled()
    assert dock.width() == 300  # nothing asks for more than the desk has


def test_bands_nobody_knows_are_asked_for(opened: Any) -> None:
    workspace, _, dock = opened
    cube = np.full((40, 40, 5), 60, np.uint8)
    cube[4, 5, 4] = 120
    info = SceneInfo(Path("patch.tif"), "raster", BandTable.build(5), title="Patch")
    workspace.add_scene(Scene(ArraySource(cube), info))
    assert "Nothing says what the 5 bands of Patch are" in dock.bands.line.text()
    assert dock.bands.form.isVisible()
    assert not dock.detect.go_button.isEnabled()
    dock.bands.channels_edit.setText("2,3,5,7,11")
    dock.bands.channels_edit.editingFinished.emit()
    assert "AMS channels 2–3, 5, 7, 11" in dock.bands.line.text()
    assert "No thermal infrared band" in dock.bands.line.text()
    assert dock.detect.rules.chosen() == ("A",)  # the others lack a band
    dock.detect.find()
    assert "<b>1 px</b> by any rule" in dock.detect.found_line.text()
    assert "--sensor ams-12 --channels 2,3,5,7,11 --rules A" in dock.detect.command_line.text()
    dock.bands.channels_edit.setText("two")
    dock.bands.channels_edit.editingFinished.emit()
    assert "no list of channels" in dock.bands.line.text()


def test_rules_find_fire_as_the_command_line_does(opened: Any, line: AmsScene) -> None:
    workspace, _, dock = opened
    dock.detect.find()
    layers = by_title(workspace)
    wanted = {"Fire mask", "Rule A Absolute thresholds", "Rule B Against the surroundings: margin"}
    assert wanted <= set(layers)
    mask = layers["Fire mask"].labels > 0
    assert (mask & line.truth).sum() > 0.9 * line.truth.sum()
    assert f"{int(mask.sum()):,} px" in dock.detect.found_line.text()
    assert not dock.detect.grid.isVisible()
    assert not dock.detect.tuning.gate.isVisible()
    before = layers["Fire mask"].id
    dock.detect.tuning.least.slider.setValue(9)
    dock.detect.tuning.changed.emit()
    small = by_title(workspace)["Fire mask"]
    assert small.id == before
    assert 0 < (small.labels > 0).sum() < mask.sum()
    dock.detect.find()
    assert list(by_title(workspace)) == list(layers)  # a new run takes the old one's place


def test_networks_gate_and_threshold_are_live(opened: Any, networks: FireNetworks) -> None:
    workspace, _, dock = opened
    dock.desk.load([Path("fire.safetensors")])
    assert "AMS channels 11" in dock.detect.networks_line.text()
    dock.detect.find()
    layers = by_title(workspace)
    assert {"Fire probability", "Tile verdicts", "Rules and model"} <= set(layers)
    grid = dock.detect.grid
    assert len(grid.tiles) == 4
    first = layers["Fire mask"].labels.sum()
    asked = dock.detect.tuning
    asked.threshold.slider.setValue(99)
    asked.changed.emit()
    fewer = by_title(workspace)["Fire mask"]
    assert 0 < fewer.labels.sum() < first
    assert fewer.provenance.parameters["pixel_threshold"] == 0.99
    asked.gate.slider.setValue(100)
    asked.changed.emit()
    assert by_title(workspace)["Tile verdicts"].provenance.parameters["gate"] == 1.0
    opened_tiles = sum(t.chance >= 1.0 for t in grid.tiles)
    assert grid.opened == opened_tiles
    assert f"{opened_tiles} of 4 tiles" in dock.detect.grid_line.text()
    gone: list[Any] = []
    workspace.commands.shown.connect(gone.append)
    place = grid._cell(grid.tiles[-1]).center()
    assert grid.tile_at(QPointF(place)) is grid.tiles[-1]
    dock.detect._go_to(300.0, 300.0)
    assert gone[0][1:] == (300.0, 300.0)
    dock.detect.forget_button.click()
    assert "No networks" in dock.detect.networks_line.text()


def test_a_scene_without_the_networks_channels_says_so(opened: Any, monkeypatch: Any) -> None:
    _, _, dock = opened
    made = hot()
    object.__setattr__(made, "channels", (11, 14))
    monkeypatch.setattr("widgets.fire.desk.open_networks", lambda *a, **k: made)
    dock.desk.load([Path("fire.safetensors")])
    assert not dock.detect.go_button.isEnabled()
    assert "lacks AMS channels 14" in dock.detect.go_button.toolTip()


def test_a_clicked_pixel_says_who_sees_fire(opened: Any, networks: Any, line: AmsScene) -> None:
    workspace, scene, dock = opened
    dock.desk.load([Path("fire.safetensors")])
    dock.detect.find()
    row, col = (int(v[0]) for v in np.nonzero(by_title(workspace)["Fire mask"].labels))
    workspace.select_pixel(scene.id, row, col)
    assert dock.pixel.isVisible()  # a click turns to the page
    table = dock.pixel.table
    rows = {
        table.item(n, 0).text(): [table.item(n, c).text() for c in (1, 2)]
        for n in range(table.rowCount())
    }
    assert rows["A Absolute thresholds"][0] == "fire"
    assert rows["A Absolute thresholds"][1].endswith("> 325 K")
    assert rows["Segmenter"][0] == "fire"
    assert rows["Classifier, tile"][1].startswith("p ")
    assert f"Row {row}, column {col}" in dock.pixel.heading.text()
    calm = np.argwhere(~line.truth)[5]
    workspace.select_pixel(scene.id, *map(int, calm))
    assert dock.pixel.story.networks["segmenter"] < 0.5


def test_a_feed_paints_as_it_comes_and_counts(opened: Any, networks: Any) -> None:
    workspace, _, dock = opened
    dock.show_page("Feed")
    assert "a rule: no networks" in dock.feed.who_line.text()
    assert dock.feed.rule_box.currentData() == "B"
    partial: list[Any] = []
    workspace.overlay_added.connect(partial.append)
    dock.feed.speed.slider.setValue(0)
    dock.feed.play()
    assert partial
    assert partial[0].partial  # the layers came before the end
    layers = by_title(workspace)
    assert not layers["Fire mask"].partial
    assert "Played as a feed" in layers["Fire mask"].provenance.notes[-1]
    assert "448 scan lines, 4 tiles" in dock.feed.counts_line.text()
    assert "0 late, 0 dropped" in dock.feed.counts_line.text()
    assert "Of a feed" in dock.detect.found_line.text()
    dock.desk.load([Path("fire.safetensors")])
    dock.feed.play()
    assert by_title(workspace)["Fire mask"].provenance.method == "ams_fire"
    assert len(dock.feed.grid.tiles) == 4


def test_dropped_frames_are_shown(opened: Any, monkeypatch: Any) -> None:
    workspace, _, dock = opened
    real = playing.LineFeed

    def slow(*args: Any, **named: Any) -> Any:
        made = real(*args, **named)
        times = iter(range(0, 100_000, 3))
        made.clock, made.sleep = lambda: float(next(times)), lambda _: None
        return made

    monkeypatch.setattr(playing, "LineFeed", slow)
    dock.show_page("Feed")
    dock.feed.speed.slider.setValue(100)
    dock.feed.waiting.slider.setValue(1)
    dock.feed.play()
    assert "<b>1 dropped</b>" in dock.feed.counts_line.text()
    verdicts = by_title(workspace)["Tile verdicts"]
    assert isinstance(verdicts, ClassMap)
    assert verdicts.class_names[3] == "Dropped, not read"
    assert (verdicts.labels == 3).any()
    dock.feed.show_counts(dock.desk.answer.found.summary and playing.FeedCounts(late=2))
    assert "<b>2 late</b>" in dock.feed.counts_line.text()


def test_a_watched_folder_opens_what_arrives(
    opened: Any, tmp_path: Path, monkeypatch: Any, line: AmsScene
) -> None:
    workspace, _, dock = opened
    (tmp_path / "a.tif").write_bytes(b"damaged")
    (tmp_path / "b.tif").write_bytes(b"whole")

    class Once(playing.FolderWatch):
        def follow(self, read: Any, **named: Any) -> Any:
            named["progress"].start(None, "files")
            for path in sorted(tmp_path.iterdir()):
                try:
                    made = read(path)
                    self.counts.frames += 1
                except playing.ClearbandError as error:
                    made = error
                    self.counts.dropped += 1
                yield path, made

    def reads(path: Path, *a: Any) -> Scene:
        if path.name == "a.tif":
            raise playing.ClearbandError("a.tif is damaged.")
        return line.to_scene()

    monkeypatch.setattr(playing, "FolderWatch", Once)
    monkeypatch.setattr("backends.io.open_scene", reads)
    dock.feed.watch(tmp_path)
    assert len(workspace.scenes) == 2
    assert "1 files read, 0 late, <b>1 dropped</b>" in dock.feed.counts_line.text()
    assert "px of fire" in dock.feed.files_line.text()
    scene = workspace.active_scene
    assert scene is not None
    assert [o for o in workspace.overlays_of(scene.id) if o.title == "Fire mask"]


def test_passes_of_one_grid_are_compared(opened: Any, line: AmsScene) -> None:
    workspace, scene, dock = opened
    dock.show_page("Passes")
    assert not dock.passes.go_button.isEnabled()
    assert "Open another pass" in dock.passes.hint.text()
    other = simulate_ams(448, seed=2, variant="no-fire").to_scene()
    elsewhere = Scene(ArraySource(np.zeros((8, 8, 2), np.float32)), SceneInfo(
        None, "hyperspectral", BandTable.build(2), title="nowhere"))  # fmt: skip
    for more in (other, elsewhere):
        workspace.add_scene(more)
    workspace.activate(scene.id)
    rows = {dock.passes.scenes.item(n).text(): dock.passes.scenes.item(n) for n in range(2)}
    assert "no georeference" in rows["nowhere"].toolTip()
    assert [s.id for s in dock.passes.chosen()] == [other.id]
    dock.passes.compare()
    layers = by_title(workspace)
    assert layers["Passes: times observed"].values.max() == 2
    fire = layers["Rule A"].labels if "Rule A" in layers else line.truth
    alone = layers["Passes: in one pass only"].labels == 1
    assert (alone & fire).sum() > 0.5 * fire.sum()
    assert dock.passes.table.rowCount() == 6
    assert dock.passes.table.isVisible()


def test_hidden_bands_stand_beside_the_papers(opened: Any, networks: Any) -> None:
    _, _, dock = opened
    dock.show_page("Bands")
    dock.importance.hide_bands()
    table = dock.importance.table
    heads = [table.horizontalHeaderItem(c).text() for c in range(table.columnCount())]
    assert heads == ["Hidden", "A", "B", "C", "F", "Paper"]
    rows = {table.item(n, 0).text(): n for n in range(table.rowCount())}
    heat = rows["Mid-wave"]
    assert int(table.item(heat, 1).text()) < 20
    assert table.item(heat, 5).text() == "45"
    dock.desk.load([Path("fire.safetensors")])
    assert "open networks" in dock.importance.hint.text()
    dock.importance.hide_bands()
    assert table.horizontalHeaderItem(1).text() == "Probability"
    assert table.item(0, 1).text().startswith("-") or table.item(0, 1).text().startswith("+")
    assert table.item(0, 3).text() == "45"


def test_maps_of_burnt_ground_become_layers(opened: Any) -> None:
    workspace, scene, dock = opened
    dock.show_page("Maps")
    page = dock.maps
    assert page.map_box.currentData() == "nbr"
    assert not page.before_box.isVisible()
    page.make()
    assert "G Burn ratio (NBR)" in by_title(workspace)
    page.map_box.setCurrentIndex(page.map_box.findData("dnbr"))
    page.refresh()
    assert not page.go_button.isEnabled()
    before = simulate_ams(448, seed=2, variant="no-fire").to_scene()
    workspace.add_scene(before)
    workspace.activate(scene.id)
    page.map_box.setCurrentIndex(page.map_box.findData("dnbr"))
    page.refresh()
    assert page.before_box.currentData() == before.id
    page.make()
    assert "G Fall of the burn ratio (dNBR)" in by_title(workspace)
    assert page.map_box.model().item(page.map_box.findData("goes")).isEnabled() is False


def test_six_views_of_the_ams_are_a_click_away(qtbot: Any, line: AmsScene) -> None:
    workspace, pictures = Workspace(), PictureBoard()
    dock = FireDock(workspace, None, None, pictures)
    qtbot.addWidget(dock)
    dock.show()
    bare = Scene(  # the published form: no wavelengths
        ArraySource(line.stored()), SceneInfo(None, "multispectral", BandTable.build(12))
    )
    workspace.add_scene(bare)
    box = dock.views.box
    assert [box.itemText(n) for n in range(1, box.count())] == [
        "AMS 5/3/2, visual", "AMS 7/5/3, colour infrared", "AMS 10/7/3, fire",
        "AMS 10, shortwave infrared", "AMS 11, mid-wave infrared", "AMS 12, thermal infrared",
    ]  # fmt: skip
    for row, bands in ((3, (9, 6, 2)), (5, (10,))):
        box.setCurrentIndex(row)
        box.activated.emit(row)
        recipe = pictures.wanted(bare.id)
        assert recipe is not None
        assert recipe.bands == bands
    five = Scene(ArraySource(line.stored()[..., [1, 2, 4, 6, 10]]), SceneInfo(
        None, "multispectral", BandTable.build(5)))  # fmt: skip
    workspace.add_scene(five)
    dock.desk.say_bands(sensor="ams-12", channels=(2, 3, 5, 7, 11))
    enabled = [dock.views.box.model().item(n).isEnabled() for n in range(1, 7)]
    assert enabled == [True, True, False, False, True, False]
    workspace.close()


def test_a_swath_is_gridded_at_a_click(
    qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "AMSL1B_0704600_01_20071024_1800_1810_V01.hdf"
    path.write_bytes(b"\x0e\x03\x13\x01" + b"\0" * 100)
    monkeypatch.setattr(ams_l1b, "_open_sd", lambda _: StandIn(contents()))
    workspace = Workspace()
    dock = FireDock(workspace)
    qtbot.addWidget(dock)
    dock.show()
    swath = open_scene(path)
    workspace.add_scene(swath)
    assert dock.grid_row.isVisible()
    dock.grid_row.button.click()
    grid = workspace.active_scene
    assert grid is not None
    assert grid is not swath
    assert isinstance(grid.place, GeoReference)
    assert not dock.grid_row.isVisible()
    assert "AMS channels 1–12" in dock.bands.line.text()
    assert workspace.run_log.lines[-1].command[:2] == ("fire", "grid")
    workspace.close()
