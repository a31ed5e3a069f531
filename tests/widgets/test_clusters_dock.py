"""The clusters dock: what it shows of a block, a pixel, a path, a share; what it lays over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt

from backends.bands import BandTable
from backends.jobs import Job, Progress
from backends.overlays import (
    ClassMap,
    ClusterBlock,
    ClusterField,
    GraphOverlay,
    Provenance,
    ScoreMap,
)
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Workspace
from widgets.clusters_dock import ClustersDock

ROWS, COLS = 12, 10
TOLD = {
    f"{what}, block {b}": (1.0, 0.5, b / 10)
    for what in ("cluster loss", "temperature", "spatial weight")
    for b in (1, 2)
}


def a_block(fusion: tuple[float, float], shift: int = 0) -> ClusterBlock:
    """Return a block of two halves, the larger one cluster 2, and an empty third."""
    cluster = np.ones((ROWS, COLS), np.uint8)
    cluster[:, 4 + shift :] = 2
    rank = np.zeros((ROWS, COLS), np.uint16)
    for k in (1, 2):
        mine = np.flatnonzero(cluster.ravel() == k)
        rank.ravel()[mine] = np.rint(np.linspace(0, 65535, len(mine)))
    score = np.arange(ROWS * COLS).reshape(ROWS, COLS).astype(np.float16)
    sure = np.full((ROWS, COLS), 0.75, np.float16)
    sure[0, 0] = 0.01
    step = np.full((ROWS, COLS), 0.02, np.float16)
    membership = np.full((ROWS, COLS, 3), 0.05, np.float16)
    np.put_along_axis(membership, cluster[..., None].astype(int) - 1, 0.9, axis=2)
    return ClusterBlock(
        cluster, sure, rank, cluster.astype(np.uint32), score, step, 3, fusion, 0.1, moved=0.25,
        share=0.6, attention=score, typical=-score, membership=membership,
    )  # fmt: skip


@pytest.fixture
def opened(qtbot: Any) -> tuple[Workspace, ClusterField, ClustersDock]:
    workspace = Workspace()
    cube = np.random.default_rng(0).random((ROWS, COLS, 6)).astype(np.float32)
    cube[:, 4:] += 5
    nm = np.linspace(450, 2300, 6)
    good = np.array([True, True, False, True, True, True])
    info = SceneInfo(None, "raster", BandTable.build(6, wavelength_nm=nm, good=good))
    scene = Scene(ArraySource(cube), info)
    workspace.add_scene(scene)
    dock = ClustersDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(260, 1300)
    dock.show()
    assert "Classify the scene with the clustered reader" in dock.empty.text()
    assert dock.empty.isVisible()
    field = ClusterField(
        "Clusters", scene.id, Provenance("css_mamba"),
        blocks=(a_block((0.2, 0.8), 1), a_block((0.6, 0.4))), training=TOLD,
    )  # fmt: skip
    workspace.add_overlay(field)
    return workspace, field, dock


def test_the_last_block_is_shown_first(opened: Any) -> None:
    _, field, dock = opened
    assert dock.field is field
    assert not dock.empty.isVisible()
    assert dock.block_box.currentData() == 2
    assert dock.maps.fusion.texts() == ("Spatial 60\u00a0%", "Spectral 40\u00a0%")
    assert "3 clusters" in dock.maps.facts_line.text()
    assert (
        "25.0\u00a0% of the pixels went to their next best cluster" in dock.maps.facts_line.text()
    )
    dock.block_box.setCurrentIndex(0)
    assert dock.maps.fusion.texts()[0] == "Spatial 20\u00a0%"
    assert dock.width() == 260  # nothing asks for more than the desk has


def test_each_button_lays_its_map_over_and_the_next_replaces_it(opened: Any) -> None:
    workspace, field, dock = opened
    block = field.blocks[1]
    for what, kind in (("clusters", ClassMap), ("order", ScoreMap), ("step", ScoreMap)):
        dock.maps.buttons[what].click()
        found = [o for o in workspace.overlays.values() if o.id == f"{field.id}-map"]
        assert len(found) == 1
        assert isinstance(found[0], kind)
        assert workspace.active_overlay is found[0]
        assert dock.field is field
    np.testing.assert_allclose(found[0].values, block.step.astype(np.float32))
    dock.show_page("Kept")
    assert "60\u00a0% of the attention part" in dock.kept.score_line.text()
    dock.kept.buttons["typical"].click()
    typical = workspace.overlays[f"{field.id}-map"]
    np.testing.assert_allclose(typical.values, -block.score.astype(np.float32))
    dock.kept.ratio_slider.setValue(25)
    dock.kept.buttons["kept"].click()
    kept = workspace.overlays[f"{field.id}-map"]
    np.testing.assert_array_equal(kept.labels == 1, block.score >= 90)
    dock.kept.ratio_slider.setValue(50)
    dock.kept.ratio_slider.sliderReleased.emit()
    kept = workspace.overlays[f"{field.id}-map"]
    np.testing.assert_array_equal(kept.labels == 1, block.score >= 60)


def test_hover_reads_and_click_follows(opened: Any) -> None:
    workspace, field, dock = opened
    dock.show_page("Pixel")
    assert "Point at a pixel" in dock.pixel.pixel_line.text()
    assert not dock.pixel.bars.isVisible()
    workspace.cursor_moved.emit(field.scene_id, 3, 2)
    text = dock.pixel.pixel_line.text()
    assert "Row 3, column 2: cluster 1 (48 px), membership 75\u00a0%." in text
    assert "step size 0.020" in text
    assert dock.cluster == 2  # the largest, until somebody clicks
    bars = dock.pixel.bars
    assert bars.isVisible()
    assert [round(value, 2) for _, value, _ in bars._bars] == [0.9, 0.05, 0.05]
    assert bars.selected == 1
    assert "most in cluster 1 90\u00a0%, cluster 2 5\u00a0%" in dock.pixel.bars_line.text()
    assert bars.words(*bars.at(bars.bar(1).center())) == "Cluster 2: membership 5.0\u00a0%"
    workspace.cursor_moved.emit(field.scene_id, 0, 0)
    assert "Its best cluster was full." in dock.pixel.pixel_line.text()
    workspace.select_pixel(field.scene_id, 3, 2)
    assert dock.cluster == 1
    dock.show_page("Order")
    assert dock.order.path.cluster == 1
    assert "pixel 1 of 48" in dock.order.path_line.text()
    dock.show_page("Pixel")
    workspace.cursor_moved.emit(field.scene_id, 0, 9)
    assert "Row 0, column 9" in dock.pixel.pixel_line.text()
    workspace.cursor_left.emit()
    assert "Row 3, column 2" in dock.pixel.pixel_line.text()  # back to the one that was clicked
    workspace.cursor_moved.emit("another scene", 3, 2)


def test_path_plays_on_the_image(opened: Any) -> None:
    workspace, field, dock = opened
    dock.show_page("Order")
    dock.desk.choose(1)
    assert not any(isinstance(o, GraphOverlay) for o in workspace.overlays.values())
    dock.order.path_slider.setValue(5)
    path, now = (workspace.overlays[f"{field.id}-{name}"] for name in ("path", "now"))
    np.testing.assert_allclose(path.nodes, np.argwhere(field.blocks[1].cluster == 1))
    np.testing.assert_allclose(now.nodes, [path.nodes[5]])
    dock.order.play_button.click()
    assert dock.order.play_button.text() == "Pause"
    dock.order.step_on()
    assert dock.order.path_slider.value() == 6
    assert workspace.overlays[f"{field.id}-path"] is path  # not drawn anew for each step
    dock.order.path_slider.setValue(dock.order.path_slider.maximum())
    dock.order.step_on()
    assert dock.order.play_button.text() == "Play"  # the end stops it
    dock.desk.choose(2)
    assert workspace.overlays[f"{field.id}-path"].title == "Path of cluster 2"
    dock.desk.choose(3)
    assert "Nothing of this cluster was read" in dock.order.path_line.text()
    assert not dock.order.play_button.isEnabled()


def test_labels_give_purity_edges_and_coverage(opened: Any) -> None:
    workspace, field, dock = opened
    dock.show_page("Classes")
    assert "With labels" in dock.classes.purity_line.text()
    assert dock.classes.classes.isColumnHidden(3)
    labels = np.full((ROWS, COLS), 1, np.uint8)
    labels[:, 4:] = 2
    labels[0] = 0
    workspace.set_labels(field.scene_id, labels, {1: "Corn", 2: "Wheat"})
    assert "Purity 100.0\u00a0% of 110 labelled pixels" in dock.classes.purity_line.text()
    assert "Edges agree 100\u00a0%" in dock.classes.edges_line.text()
    texts = [[dock.classes.classes.item(r, c).text() for c in range(4)] for r in range(2)]
    assert texts == [["2", "72", "Wheat", "100\u00a0%"], ["1", "48", "Corn", "100\u00a0%"]]
    dock.classes.tolerance.setValue(0)
    assert "within 0 px" in dock.classes.edges_line.text()
    dock.show_page("Kept")
    dock.kept.ratio_slider.setValue(50)
    assert "60 pixels" in dock.kept.ratio_line.text()
    assert "Corn 55\u00a0%, Wheat 55\u00a0%" in dock.kept.ratio_line.text()
    dock.kept.ratio_slider.setValue(100)
    assert "All pixels are read" in dock.kept.ratio_line.text()
    dock.show_page("Classes")
    dock.block_box.setCurrentIndex(0)
    assert "Purity 90.0\u00a0%" in dock.classes.purity_line.text()


def test_spectra_break_at_bad_bands(opened: Any) -> None:
    _, _, dock = opened
    dock.show_page("Spectra")
    assert "All 2 clusters." in dock.spectra.line.text()
    lines = [item for item in dock.spectra.plot._kept if hasattr(item, "getData") and item.name()]
    assert {item.name() for item in lines} == {"Cluster 1", "Cluster 2"}
    for item in lines:
        values = item.getData()[1]
        assert np.isnan(values[2])
        assert np.isfinite(np.delete(values, 2)).all()


def test_bars_and_rows_choose_a_cluster(opened: Any, qtbot: Any) -> None:
    _, _, dock = opened
    dock.show_page("Classes")
    at = dock.classes.sizes.bar(1).center().toPoint()
    qtbot.mouseClick(dock.classes.sizes, Qt.MouseButton.LeftButton, pos=QPoint(at.x(), 50))
    assert dock.cluster == 1
    dock.classes.classes.cellClicked.emit(0, 0)
    assert dock.cluster == 2


def test_everything_as_files(opened: Any, tmp_path: Path) -> None:
    _, _, dock = opened
    dock.save_files(tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"clusters.npz", "clusters.json", "block1_clusters.png"} <= names
    assert "block2_mean_spectra.csv" in names


def test_closing_the_scene_empties_the_dock(opened: Any) -> None:
    workspace, field, dock = opened
    dock.order.play_button.setChecked(True)
    workspace.remove_scene(field.scene_id)
    assert dock.field is None
    assert dock.empty.isVisible()
    assert dock.order.play_button.text() == "Play"


def test_borders_lie_over_the_map_that_is_there(opened: Any) -> None:
    workspace, field, dock = opened
    dock.maps.buttons["clusters"].click()
    below = workspace.active_overlay
    dock.maps.borders_button.click()
    borders = workspace.overlays[f"{field.id}-borders"]
    assert isinstance(borders, GraphOverlay)
    np.testing.assert_allclose(borders.nodes, [[-0.5, 3.5], [11.5, 3.5]])
    assert workspace.active_overlay is below


def test_what_was_said_in_the_training_is_plotted(opened: Any) -> None:
    workspace, field, dock = opened
    dock.show_page("Training")
    page = dock.training
    assert [line.name() for line in page._lines] == ["block 1", "block 2"]
    np.testing.assert_allclose(page._lines[1].getData()[1], [1, 0.5, 0.2])
    assert "After step 3: block 1 0.100, block 2 0.200." in page.line.text()
    page.kind_box.setCurrentIndex(page.kind_box.findData("temperature"))
    assert "belong clearly" in page.line.text()
    page.variant_box.setCurrentIndex(page.variant_box.findData("a"))
    page.kept_box.setValue(50)
    page.use_button.click()
    wanted = {"variant": "a", "kept": 0.5}
    assert workspace.next_settings(field.scene_id, "css_mamba") == wanted
    assert "variant a, kept 0.5" in page.said_line.text()


def test_every_page_fits_a_narrow_dock(opened: Any, qtbot: Any) -> None:
    workspace, field, dock = opened
    workspace.select_pixel(field.scene_id, 3, 2)
    dock.resize(304, 900)
    for name, page in dock.pages.items():
        dock.show_page(name)
        qtbot.wait(1)
        assert [other.isVisible() for other in dock.pages.values()].count(True) == 1
        assert page.isVisible()
        assert dock.content.minimumSizeHint().width() <= 304 - 16, name
        assert dock.content.width() <= 304


def test_two_runs_are_matched(opened: Any, tmp_path: Path) -> None:
    workspace, field, dock = opened
    dock.show_page("Compare")
    page = dock.compare
    assert not page.table.isVisible()
    assert "another seed" in page.line.text()
    one, two = field.blocks
    swapped = replace(two, cluster=np.array([0, 2, 1, 3], np.uint8)[two.cluster])
    other = replace(field, id="other", title="Later", blocks=(one, swapped), training={})
    workspace.add_overlay(other)
    assert dock.field is other  # what was made last
    assert dock.run_box.isVisible()
    assert [dock.run_box.itemText(i) for i in range(2)] == ["Run 1: css_mamba", "Run 2: css_mamba"]
    assert page.other is field
    assert "100\u00a0% of the pixels lie in matching clusters" in page.result_line.text()
    texts = [[page.table.item(r, c).text() for c in range(4)] for r in range(2)]
    assert texts == [["1", "2", "72", "100\u00a0%"], ["2", "1", "48", "100\u00a0%"]]
    page.map_button.click()
    matched = workspace.overlays["other-other"]
    np.testing.assert_array_equal(matched.labels, swapped.cluster)
    dock.run_box.setCurrentIndex(dock.run_box.findData(field.id))
    assert dock.field is field
    dock.save_files(tmp_path / "out")
    assert (tmp_path / "out" / "comparison.json").is_file()
    page.open_file(tmp_path / "out" / "clusters.npz")
    workspace.remove_overlay("other")
    assert dock.field is field


def test_a_training_is_followed(opened: Any) -> None:
    workspace, field, dock = opened
    workspace.remove_overlay(field.id)
    assert dock.empty.isVisible()
    grid = replace(
        field, id=f"{field.scene_id}-clusters-in-training", partial=True, training={},
        title="Clusters while training, step 3 of 9",
    )  # fmt: skip
    seen: dict[str, Any] = {}

    def train(progress: Progress) -> None:
        progress.partial(SimpleNamespace(series=TOLD, steps=9), force=True)
        seen["alone"] = dock.training.isVisible(), dock.tabs["Maps"].isEnabled()
        seen["words"] = dock.empty.isVisible()
        dock.training._beat()
        seen["line"] = dock.training.line.text()
        workspace.add_overlay(grid)  # as the Classify tab does
        seen["field"] = dock.field
        dock.show_page("Maps")
        dock.maps.buttons["clusters"].click()
        seen["map"] = [i for i in workspace.overlays if i.startswith(grid.id)]
        dock.show_page("Spectra")
        seen["spectra"] = dock.spectra.line.text()

    job = Job("Classify", train, scene_id=field.scene_id, parameters={"model": "css_mamba"})
    workspace.submit(job)
    workspace.remove_overlay(grid.id)
    assert seen["alone"] == (True, False)
    assert not seen["words"]
    assert "In training, step 3 of 9" in seen["line"]
    assert seen["field"] is grid
    assert seen["map"] == [grid.id, f"{grid.id}-map"]
    assert "come with the finished map" in seen["spectra"]
    assert dock.field is None  # nothing came of it
    assert dock.empty.isVisible()
    assert not workspace.overlays
