"""The clusters dock: what it shows of a block, a pixel, a path, a share; what it lays over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt

from backends.bands import BandTable
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
    return ClusterBlock(
        cluster, sure, rank, cluster.astype(np.uint32), score, step, 3, fusion, 0.1, moved=0.25
    )


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
        blocks=(a_block((0.2, 0.8), 1), a_block((0.6, 0.4))),
    )  # fmt: skip
    workspace.add_overlay(field)
    return workspace, field, dock


def test_the_last_block_is_shown_first(opened: Any) -> None:
    _, field, dock = opened
    assert dock.field is field
    assert not dock.empty.isVisible()
    assert dock.block_box.currentData() == 2
    assert dock.fusion.texts() == ("Spatial 60\u00a0%", "Spectral 40\u00a0%")
    assert "3 clusters" in dock.facts_line.text()
    assert "25.0\u00a0% of the pixels went to their next best cluster" in dock.facts_line.text()
    dock.block_box.setCurrentIndex(0)
    assert dock.fusion.texts()[0] == "Spatial 20\u00a0%"
    assert dock.width() == 260  # nothing asks for more than the desk has


def test_each_button_lays_its_map_over_and_the_next_replaces_it(opened: Any) -> None:
    workspace, field, dock = opened
    block = field.blocks[1]
    for what, kind in (("clusters", ClassMap), ("order", ScoreMap), ("step", ScoreMap)):
        dock.map_buttons[what].click()
        found = [o for o in workspace.overlays.values() if o.id == f"{field.id}-map"]
        assert len(found) == 1
        assert isinstance(found[0], kind)
        assert workspace.active_overlay is found[0]
        assert dock.field is field
    np.testing.assert_allclose(found[0].values, block.step.astype(np.float32))
    dock.ratio_slider.setValue(25)
    dock.map_buttons["kept"].click()
    kept = workspace.overlays[f"{field.id}-map"]
    np.testing.assert_array_equal(kept.labels == 1, block.score >= 90)
    dock.ratio_slider.setValue(50)
    dock.ratio_slider.sliderReleased.emit()
    kept = workspace.overlays[f"{field.id}-map"]
    np.testing.assert_array_equal(kept.labels == 1, block.score >= 60)


def test_hover_reads_and_click_follows(opened: Any) -> None:
    workspace, field, dock = opened
    workspace.cursor_moved.emit(field.scene_id, 3, 2)
    text = dock.pixel_line.text()
    assert "Row 3, column 2: cluster 1 (48 px), membership 75\u00a0%." in text
    assert "step size 0.020" in text
    assert dock.cluster == 2  # the largest, until somebody clicks
    workspace.cursor_moved.emit(field.scene_id, 0, 0)
    assert "Its best cluster was full." in dock.pixel_line.text()
    workspace.select_pixel(field.scene_id, 3, 2)
    assert dock.cluster == 1
    assert dock.path.cluster == 1
    assert "pixel 1 of 48" in dock.path_line.text()
    workspace.cursor_moved.emit("another scene", 3, 2)


def test_path_plays_on_the_image(opened: Any) -> None:
    workspace, field, dock = opened
    dock.choose(1)
    assert not any(isinstance(o, GraphOverlay) for o in workspace.overlays.values())
    dock.path_slider.setValue(5)
    path, now = (workspace.overlays[f"{field.id}-{name}"] for name in ("path", "now"))
    np.testing.assert_allclose(path.nodes, np.argwhere(field.blocks[1].cluster == 1))
    np.testing.assert_allclose(now.nodes, [path.nodes[5]])
    dock.play_button.click()
    assert dock.play_button.text() == "Pause"
    dock._step_on()
    assert dock.path_slider.value() == 6
    assert workspace.overlays[f"{field.id}-path"] is path  # not drawn anew for each step
    dock.path_slider.setValue(dock.path_slider.maximum())
    dock._step_on()
    assert dock.play_button.text() == "Play"  # the end stops it
    dock.choose(2)
    assert workspace.overlays[f"{field.id}-path"].title == "Path of cluster 2"
    dock.choose(3)
    assert "Nothing of this cluster was read" in dock.path_line.text()
    assert not dock.play_button.isEnabled()


def test_labels_give_purity_edges_and_coverage(opened: Any) -> None:
    workspace, field, dock = opened
    assert "With labels" in dock.purity_line.text()
    assert dock.classes.isColumnHidden(3)
    labels = np.full((ROWS, COLS), 1, np.uint8)
    labels[:, 4:] = 2
    labels[0] = 0
    workspace.set_labels(field.scene_id, labels, {1: "Corn", 2: "Wheat"})
    assert "Purity 100.0\u00a0% of 110 labelled pixels" in dock.purity_line.text()
    assert "Edges agree 100\u00a0%" in dock.edges_line.text()
    texts = [[dock.classes.item(r, c).text() for c in range(4)] for r in range(2)]
    assert texts == [["2", "72", "Wheat", "100\u00a0%"], ["1", "48", "Corn", "100\u00a0%"]]
    dock.ratio_slider.setValue(50)
    assert "60 pixels" in dock.ratio_line.text()
    assert "Corn 55\u00a0%, Wheat 55\u00a0%" in dock.ratio_line.text()
    dock.ratio_slider.setValue(100)
    assert "All pixels are read" in dock.ratio_line.text()
    dock.block_box.setCurrentIndex(0)
    assert "Purity 90.0\u00a0%" in dock.purity_line.text()


def test_spectra_break_at_bad_bands(opened: Any) -> None:
    _, _, dock = opened
    assert "All 2 clusters." in dock.spectra_line.text()
    lines = [item for item in dock.plot._kept if hasattr(item, "getData") and item.name()]
    assert {item.name() for item in lines} == {"Cluster 1", "Cluster 2"}
    for item in lines:
        values = item.getData()[1]
        assert np.isnan(values[2])
        assert np.isfinite(np.delete(values, 2)).all()


def test_bars_and_rows_choose_a_cluster(opened: Any, qtbot: Any) -> None:
    _, _, dock = opened
    at = dock.sizes.bar(1).center().toPoint()
    qtbot.mouseClick(dock.sizes, Qt.MouseButton.LeftButton, pos=QPoint(at.x(), 50))
    assert dock.cluster == 1
    dock.classes.cellClicked.emit(0, 0)
    assert dock.cluster == 2


def test_everything_as_files(opened: Any, tmp_path: Path) -> None:
    _, _, dock = opened
    dock.save_files(tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"clusters.npz", "clusters.json", "block1_clusters.png"} <= names
    assert "block2_mean_spectra.csv" in names


def test_closing_the_scene_empties_the_dock(opened: Any) -> None:
    workspace, field, dock = opened
    dock.play_button.setChecked(True)
    workspace.remove_scene(field.scene_id)
    assert dock.field is None
    assert dock.empty.isVisible()
    assert dock.play_button.text() == "Play"
