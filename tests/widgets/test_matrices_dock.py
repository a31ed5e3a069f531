"""The matrices dock: orientation, true ranges, a clicked pixel, laying an entry over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPointF, Qt

from backends.bands import BandTable
from backends.matrix_maps import grid_picture
from backends.overlays import MatrixEntry, MatrixField, Provenance, ScoreMap
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Workspace
from widgets.matrices_dock import MatricesDock

NAMES = ("FULL", "VIS", "NIR")


def entry(layer: int, seed: int = 0) -> MatrixEntry:
    rng = np.random.default_rng(seed)
    static = np.full((3, 3), 0.2, np.float32) + 0.4 * np.eye(3, dtype=np.float32)
    return MatrixEntry(
        layer, "mixer", static, rng.normal(0, 0.01, (12, 10, 3, 3)).astype(np.float32)
    )


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
