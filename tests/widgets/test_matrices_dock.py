"""The matrices dock: orientation, true ranges, a clicked pixel, laying an entry over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPointF, Qt

from backends.bands import BandTable
from backends.matrix_history import MatrixHistory, MatrixSnapshot
from backends.matrix_maps import grid_picture
from backends.overlays import (
    GraphOverlay,
    MatrixEntry,
    MatrixField,
    Placement,
    Provenance,
    ScoreMap,
    StreamWeights,
)
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Workspace
from widgets.matrices_dock import MatricesDock
from widgets.matrix_view import MatrixTable

NAMES = ("FULL", "VIS", "NIR")


def entry(layer: int, seed: int = 0, shape: tuple[int, int] = (12, 10)) -> MatrixEntry:
    rng = np.random.default_rng(seed)
    static = np.full((3, 3), 0.2, np.float32) + 0.4 * np.eye(3, dtype=np.float32)
    streams = [
        StreamWeights(
            np.full(3, base, np.float32), rng.normal(0, 0.01, (*shape, 3)).astype(np.float32)
        )
        for base in (0.5, 1.1)
    ]
    deviation = rng.normal(0, 0.01, (*shape, 3, 3)).astype(np.float32)
    return MatrixEntry(layer, "mixer", static, deviation, *streams)


def history(*steps: int) -> MatrixHistory:
    """Snapshots on every second row and column, with more and more structure."""
    kept = []
    for number, step in enumerate(steps):
        coarse = [entry(layer, seed=layer, shape=(6, 5)) for layer in (1, 2)]
        grown = [replace(e, deviation=e.deviation * (1 + number)) for e in coarse]
        kept.append(MatrixSnapshot(step, tuple(grown)))
    return MatrixHistory(tuple(kept), Placement(row_step=2.0, col_step=2.0))


@pytest.fixture
def opened(qtbot: Any) -> tuple[Workspace, MatrixField, MatricesDock]:
    workspace = Workspace()
    info = SceneInfo(None, "raster", BandTable.build(4))
    scene = Scene(ArraySource(np.zeros((12, 10, 4), np.float32)), info)
    workspace.add_scene(scene)
    dock = MatricesDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(340, 900)
    dock.show()
    assert "No matrices yet" in dock.empty.text()
    assert dock.empty.isVisible()
    assert not dock.content.isVisible()
    field = MatrixField(
        "Matrices", scene.id, Provenance("es_mhc"), group_names=NAMES,
        entries=(entry(1), entry(2, seed=1)),
    )  # fmt: skip
    workspace.add_overlay(field)
    return workspace, field, dock


def test_the_newest_site_is_shown_with_its_true_range(opened: Any) -> None:
    _, field, dock = opened
    assert dock.field is field
    assert not dock.empty.isVisible()
    assert dock.site_box.currentData() == (2, "mixer")
    values = field.entry(2, "mixer").deviation + field.entry(2, "mixer").static
    assert f"{values.min():.4f} to {values.max():.4f}" in dock.range_line.text()


def test_clicked_pixel_shows_its_own_matrix(opened: Any) -> None:
    workspace, field, dock = opened
    workspace.select_pixel(field.scene_id, 7, 3)
    np.testing.assert_allclose(dock.table.matrix, field.entry(2, "mixer").matrix(7, 3))
    assert "row 7, column 3" in dock.pixel_line.text()
    dock.site_box.setCurrentIndex(0)
    np.testing.assert_allclose(dock.table.matrix, field.entry(1, "mixer").matrix(7, 3))


def test_clicking_an_entry_lays_it_over_and_the_next_replaces_it(opened: Any, qtbot: Any) -> None:
    workspace, field, dock = opened
    for source, target in ((1, 2), (2, 0)):
        point = dock.grid.cell(source, target).center()
        qtbot.mouseClick(dock.grid, Qt.MouseButton.LeftButton, pos=point.toPoint())
        maps = [o for o in workspace.overlays.values() if isinstance(o, ScoreMap)]
        assert len(maps) == 1
        assert maps[0].title.startswith(f"{NAMES[source]} → {NAMES[target]}")
        np.testing.assert_allclose(maps[0].values, field.entry(2, "mixer").map(source, target))
        assert maps[0].centre == pytest.approx(0.2)
    assert dock.grid.at(QPointF(1, 1)) is None


def test_scales_colour_what_they_say() -> None:
    one = entry(1)
    fixed = grid_picture(one, scale="fixed")
    assert fixed.shown[0].max() == 0
    assert fixed.shown[1].min() == 1
    deviation = grid_picture(one, scale="deviation")
    np.testing.assert_allclose(deviation.shown[0], -deviation.shown[1])
    stretched = grid_picture(one)
    assert np.ptp(stretched.tiles[0, 0].astype(int)) > np.ptp(fixed.tiles[0, 0].astype(int))


def test_names_over_narrow_columns_can_be_told_apart(qtbot: Any) -> None:
    table = MatrixTable()
    qtbot.addWidget(table)
    names = ("FULL", "VIS", "NIR", "SWIR1", "SWIR2")
    table.show_matrix(names, np.eye(5), (0.0, 1.0), "viridis", (np.ones(5), np.ones(5)))
    for width in (600, 280, 240):
        table.resize(width, table.heightForWidth(width))
        found = table.column_names()
        assert len(set(found)) == 5
        if width >= 280:
            assert tuple(found) == names


def test_closing_the_scene_empties_the_dock(opened: Any) -> None:
    workspace, field, dock = opened
    workspace.remove_scene(field.scene_id)
    assert dock.field is None
    assert dock.empty.isVisible()


def test_every_page_fills_itself(opened: Any, qtbot: Any) -> None:
    workspace, field, dock = opened
    labels = np.zeros((12, 10), np.uint8)
    labels[:6], labels[6:] = 1, 2
    workspace.set_labels(field.scene_id, labels, {1: "Corn", 2: "Wood"})
    workspace.select_pixel(field.scene_id, 7, 3)
    for name, page in dock.pages.items():
        dock.show_page(name)
        assert page.isVisible()
    classes, depth = dock.pages["Classes"], dock.pages["Depth"]
    assert [classes.class_box.itemText(i) for i in range(2)] == ["Corn", "Wood"]
    assert "60 pixels" in classes.line.text()
    assert "needs held-out pixels" in classes.auc_line.text()  # no network, no claim
    assert "% is left" in depth.line.text()
    assert "No snapshots" in dock.pages["Training"].line.text()
    assert not dock.check.button.isEnabled()
    dock.groups.use()
    own = workspace.next_settings(field.scene_id, "es_mhc")
    assert own["groups"] == dock.groups.text()
    dock.desk.set_finding("It does not matter.")
    assert dock.claim_line.text() == "It does not matter."


def labelled(workspace: Workspace, field: MatrixField) -> np.ndarray:
    labels = np.zeros((12, 10), np.uint8)
    labels[:6], labels[6:] = 1, 2
    workspace.set_labels(field.scene_id, labels, {1: "Corn", 2: "Wood"})
    return labels


def maps_of(workspace: Workspace) -> list[ScoreMap]:
    return [o for o in workspace.overlays.values() if isinstance(o, ScoreMap)]


def test_ranges_are_true_on_every_scale_and_the_highest_class_is_outlined(opened: Any) -> None:
    """Section 7: the viewer's label shows the smallest and largest value of what is drawn."""
    workspace, field, dock = opened
    labels = labelled(workspace, field)
    values = field.entry(2, "mixer").deviation + field.entry(2, "mixer").static
    true = f"{values.min():.4f} to {values.max():.4f}"
    for scale, words in enumerate(("on its own", "one scale from 0", "Blue: less")):
        dock.scale_box.setCurrentIndex(scale)
        assert true in dock.range_line.text()
        assert words in dock.range_line.text()
    picture = dock.grid.picture
    means = [values[labels == value].mean(0) for value in (1, 2)]
    np.testing.assert_array_equal(picture.highest, np.argmax(means, axis=0) + 1)
    name = {1: "Corn", 2: "Wood"}[int(picture.highest[0, 1])]
    assert f"highest mean: {name}" in dock.grid.tip(0, 1)
    assert "only 4 are free" in dock.grid.tip(0, 1)  # (n - 1) squared
    assert f"{values[..., 0, 1].min():.4f}" in dock.grid.tip(0, 1)
    dock.maps.outline_box.setChecked(False)
    assert dock.grid.picture.highest is None
    dock.grid.grab()


def test_sites_say_which_sorted_the_pixels_and_which_comes_last(opened: Any) -> None:
    workspace, field, dock = opened
    last = replace(field.entries[1], site="ffn")
    workspace.add_overlay(replace(field, id="other", entries=(*field.entries, last)))
    titles = [dock.site_box.itemText(i) for i in range(3)]
    assert titles[0] == "Layer 1, mixer (sorted the pixels)"
    assert titles[2] == "Layer 2, feed-forward (last layer)"
    clusters = Provenance("es_mhc", parameters={"cluster_source": "lcm"})
    workspace.add_overlay(replace(field, id="third", provenance=clusters))
    assert "sorted" not in dock.site_box.itemText(0)
    dock.show_page("Lists")
    assert "Clusters tab" in dock.lists.line.text()
    dock.show_page("Check")
    assert not dock.check.what_box.isVisible()


def test_streams_are_maps_to_lay_over(opened: Any, qtbot: Any) -> None:
    workspace, field, dock = opened
    dock.show_page("Streams")
    for number, what in enumerate(("read", "write")):
        dock.streams.what_box.setCurrentIndex(number)
        kept = field.entry(2, "mixer").weights()[what]
        values = kept.static + kept.deviation
        assert f"{values.min():.4f} to {values.max():.4f}" in dock.streams.range_line.text()
        point = dock.streams.strip.place(1).center().toPoint()
        qtbot.mouseClick(dock.streams.strip, Qt.MouseButton.LeftButton, pos=point)
        (made,) = maps_of(workspace)
        np.testing.assert_allclose(made.values, kept.map(1))
        assert made.title.startswith("VIS ")
    workspace.select_pixel(field.scene_id, 7, 3)
    assert f"VIS {values[7, 3, 1]:.3f}" in dock.streams.subject_line.text()
    dock.streams.strip.grab()
    old = replace(field, id="old", entries=(MatrixEntry(1, "ffn", *_bare(field)),))
    workspace.add_overlay(old)
    assert "older result" in dock.streams.about_line.text()


def _bare(field: MatrixField) -> tuple[Any, Any]:
    return field.entries[0].static, field.entries[0].deviation


def test_the_subject_is_one_for_all_pages(opened: Any) -> None:
    workspace, field, dock = opened
    labels = labelled(workspace, field)
    dock.show_page("Pixel")
    dock.subject_box.setCurrentIndex(dock.subject_box.findText("Wood"))
    np.testing.assert_allclose(
        dock.table.matrix, field.entry(2, "mixer").mean(labels == 2), rtol=1e-5
    )
    rows, columns = dock.table.sums
    np.testing.assert_allclose(rows, dock.table.matrix.sum(1))
    np.testing.assert_allclose(columns, dock.table.matrix.sum(0))
    dock.table.grab()
    dock.show_page("Depth")
    assert "60 pixels: Wood" in dock.pages["Depth"].line.text()
    workspace.select_pixel(field.scene_id, 1, 2)
    assert dock.desk.choice == ("pixel", "")
    assert "row 1, column 2" in dock.pages["Depth"].line.text()
    assert "row-sum gain" in dock.pages["Depth"].line.text()


def test_lists_cover_order_and_play(opened: Any, qtbot: Any) -> None:
    from backends.matrix_lists import coverage_map

    workspace, field, dock = opened
    dock.show_page("Maps")
    qtbot.mouseClick(
        dock.grid, Qt.MouseButton.LeftButton, pos=dock.grid.cell(2, 1).center().toPoint()
    )
    dock.show_page("Lists")
    assert dock.lists.entry_box.currentData() == (2, 1)  # the entry that was clicked
    dock.lists.cover_button.click()
    held = coverage_map(field.entry(2, "mixer"), 0.1)
    np.testing.assert_array_equal(maps_of(workspace)[-1].values, held)
    assert f"{100 * (held == 0).mean():.1f} % are not" in dock.lists.line.text()
    dock.lists.order_button.click()
    assert np.isfinite(maps_of(workspace)[-1].values).sum() == 12
    dock.lists.play_button.setChecked(True)
    dock.lists._step_on()
    assert dock.lists.slider.value() == 1
    graphs = [o for o in workspace.overlays.values() if isinstance(o, GraphOverlay)]
    assert {len(o.edges) for o in graphs} == {11, 0}
    values = field.entry(2, "mixer").map(2, 1).ravel()
    row, col = divmod(int(np.argsort(-values)[1]), 10)
    np.testing.assert_allclose(graphs[1].nodes, [[row, col]])
    dock.lists.play_button.setChecked(False)


def test_matrices_of_a_training_are_followed_and_stay_where_the_user_is(opened: Any) -> None:
    workspace, field, dock = opened
    labelled(workspace, field)
    dock.site_box.setCurrentIndex(0)
    workspace.select_pixel(field.scene_id, 4, 6)
    for steps in ((1,), (1, 5), (1, 5, 9)):
        kept = history(*steps)
        live = replace(
            kept.field(len(steps) - 1, field), id="live", title=f"Step {steps[-1]}",
            history=kept, partial=True,
        )  # fmt: skip
        workspace.add_overlay(live)
    assert dock.desk.site == (1, "mixer")
    assert dock.desk.pixel == (2, 3)
    assert dock.heading.text() == "Step 9."
    assert dock.maps.step_label.text() == "In training"
    dock.maps.step_slider.setValue(0)
    assert dock.maps.step_label.text() == "Step 1"
    first = live.history.snapshots[0].entries[0]
    low = float((first.deviation + first.static).min())
    assert f"{low:.4f}" in dock.range_line.text()
    dock.show_page("Check")
    assert "still learning" in dock.check.need_line.text()
    dock.show_page("Training")
    assert "so far" in dock.pages["Training"].line.text()
    workspace.add_overlay(replace(field, id="done", history=history(1, 5, 9)))
    workspace.remove_overlay("live")
    assert dock.field.id == "done"
    assert dock.desk.site == (1, "mixer")
    assert dock.desk.pixel == (4, 6)


def test_trainings_are_compared(opened: Any, tmp_path: Any, monkeypatch: Any) -> None:
    from backends.hyperspectral import structure_runs
    from backends.matrix_history import structure_curve

    workspace, field, dock = opened
    labelled(workspace, field)
    workspace.add_overlay(replace(field, id="mine", history=history(1, 5, 9)))
    page = dock.pages["Compare"]
    dock.show_page("Compare")
    assert [run.streams for run in page.runs] == [3]
    asked: dict[str, Any] = {}

    def trained(scene: Any, labels: Any, rates: Any, **given: Any) -> Any:
        asked.update(given, rates=rates)
        run = structure_runs.StructureRun("5 streams", 5, structure_curve(history(1, 9)))
        return (run,)

    monkeypatch.setattr(structure_runs, "train_rates", trained)
    workspace.set_next_settings(field.scene_id, "es_mhc", {"layers": 1, "expansion": 3})
    page.rates_edit.setText("2; 3")
    page.steps_box.setValue(30)
    page.train()
    assert asked["rates"] == [2, 3]
    assert asked["settings"] == {"layers": 1, "steps": 30}
    assert [run.streams for run in page.runs] == [3, 5]
    assert len(page.spread.plot_item.listDataItems()) == 2
    assert "half of its structure came" in page.key_line.text()
    assert "differ in length" not in page.key_line.text()
    page.clear()
    assert len(page.runs) == 1
    page.rates_edit.setText("9")
    page.train()
    assert "from 1 to 8" in page.need_line.text()


def test_groups_are_split_joined_named_and_shown(opened: Any) -> None:
    workspace, field, dock = opened
    info = SceneInfo(
        None, "raster", BandTable.build(6, wavelength_nm=(450, 550, 650, 800, 900, 1700))
    )
    cube = np.arange(12 * 10 * 6, dtype=np.float32).reshape(12, 10, 6)
    scene = Scene(ArraySource(cube), info)
    workspace.add_scene(scene)
    workspace.add_overlay(replace(field, id="m", scene_id=scene.id))
    groups = dock.groups
    dock.show_page("Groups")
    assert groups.names == ["VIS", "NIR", "SWIR1"]
    groups.group_box.setCurrentIndex(1)
    groups.lay_mean()
    (made,) = maps_of(workspace)
    np.testing.assert_allclose(made.values, cube[:, :, 3:5].mean(2))
    groups.split()
    assert groups.names == ["VIS", "NIRa", "NIRb", "SWIR1"]
    groups.name_edit.setText("edge")
    groups._rename()
    groups.name_edit.setText("a:b")  # would not be read again
    groups._rename()
    assert groups.names == ["VIS", "edge", "NIRb", "SWIR1"]
    groups._lines[0].setValue(600)
    assert "VIS 2" in groups.count_line.text()
    groups.lists_box.setCurrentIndex(1)
    groups.size_box.setCurrentIndex(1)
    groups.use()
    own = workspace.next_settings(scene.id, "es_mhc")
    assert own["groups"].startswith("VIS:450-600;edge:600-850")
    assert (own["cluster_source"], own["layers"], own["width_per_stream"]) == ("lcm", 6, 64)
    assert "list_scans" not in own
    groups.join()
    assert groups.names == ["VIS", "edge+NIRb", "SWIR1"]
