"""The scatter page: brushed in the plot and seen on the map, drawn on the map and seen there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest

from backends.overlays import ClassMap, Provenance, ScoreMap
from backends.regions import Region
from backends.workspace import Workspace
from tests.widgets.test_spectral_tools_dock import box, field
from widgets.spectral_tools_dock import SpectralToolsDock


@pytest.fixture
def opened(qtbot: Any) -> Any:
    workspace = Workspace()
    dock = SpectralToolsDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(320, 1200)
    dock.show()
    scene = field(Path("field.dat"))
    workspace.add_scene(scene)
    dock.show_tool("Scatter")
    yield workspace, scene, dock
    workspace.close()


def test_a_brush_on_the_plot_lights_the_map(opened: Any) -> None:
    workspace, _, dock = opened
    form = dock.scatter
    assert not dock.go_button.isVisible()
    assert not dock.references.isVisible()
    assert "2,0" in form.line.text() or "1,9" in form.line.text()  # of 2,000 pixels
    found = form._scatter
    (x0, x1), (y0, y1) = found.x_range, found.y_range
    middle = (x0 + x1) / 2
    form.brush([(x0, y0), (middle, y0), (middle, y1), (x0, y1)])
    made = workspace.overlays[form.overlay_id]
    assert isinstance(made, ClassMap)
    wanted = found.x < middle
    assert (made.labels.astype(bool) == wanted).mean() > 0.98
    assert "%" in form.line.text()
    form.brush([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    assert workspace.overlays[form.overlay_id].labels.mean() > 0.99
    form.clear_button.click()
    assert form.overlay_id not in workspace.overlays
    form.brush([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    dock.show_tool("Match")
    assert form.overlay_id not in workspace.overlays
    assert dock.go_button.isVisible()


def test_the_mouse_draws_the_brush_and_a_click_takes_it_away(opened: Any, qtbot: Any) -> None:
    workspace, _, dock = opened
    form = dock.scatter
    view = form.plot.viewport()
    middle = QPoint(view.width() // 2 + 15, view.height() // 2 - 10)
    corners = [middle + QPoint(dx, dy) for dx, dy in ((-60, -60), (60, -60), (60, 60), (-60, 60))]
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=corners[0])
    for corner in corners[1:]:
        QTest.mouseMove(view, corner, delay=20)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=corners[-1], delay=20)
    qtbot.waitUntil(lambda: form.overlay_id in workspace.overlays, timeout=5000)
    assert workspace.overlays[form.overlay_id].labels.any()
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=middle, delay=600)
    qtbot.waitUntil(lambda: form.overlay_id not in workspace.overlays, timeout=5000)


def test_regions_and_the_cursor_are_on_the_plot_and_maps_are_axes(opened: Any) -> None:
    workspace, scene, dock = opened
    form = dock.scatter
    workspace.add_region(Region("Left", scene.id, box(10, 0)))
    image = form.plot.areas.image
    assert 5 <= (image[:, :, 3] > 0).sum() <= 30
    workspace.remove_region(next(iter(workspace.regions)))
    assert form.plot.areas.image is None
    workspace.cursor_moved.emit(scene.id, 7, 9)
    (x,), (y,) = form.plot.here.getData()
    assert (x, y) == form._scatter.at(7, 9)
    workspace.cursor_left.emit()
    assert len(form.plot.here.getData()[0]) == 0
    values = np.arange(2000, dtype=np.float32).reshape(40, 50)
    workspace.add_overlay(ScoreMap("Slope", scene.id, Provenance("t"), values=values))
    form.choose("Slope", "Slope")
    assert form._scatter.x_range[1] == pytest.approx(2039, abs=2)
    workspace.remove_scene(scene.id)
    assert form._scatter is None


def test_a_triangle_of_shares_and_a_turning_cloud_are_brushed(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    form = dock.scatter
    form.choice.show_view("triangle")
    assert "Run Unmix" in form.line.text()
    assert not form.plot.isVisible()
    form.choice.show_view("cloud")
    assert "Run Transform" in form.line.text()

    dock.show_tool("Unmix")
    dock.unmix.count_spin.setValue(3)
    dock.run()
    dock.show_tool("Transform")
    dock.transform.components_spin.setValue(4)
    dock.run()
    dock.show_tool("Scatter")
    assert form._cloud is not None
    assert form._cloud.dimensions == 4
    assert form.plot.isVisible()
    assert len(form.plot._words) == 2  # the others point at the eye
    assert not form.plot.plot_item.getAxis("left").isVisible()
    reach = form._cloud.reach
    form.brush([(0, -reach), (reach, -reach), (reach, reach), (0, reach)])
    marked = workspace.overlays[form.overlay_id].labels
    assert (marked.astype(bool) == (form._scatter.x >= 0)).mean() > 0.99  # but for outliers
    form.cloud_row.slider.setValue(70)
    assert not (form._scatter.x >= 0)[marked.astype(bool)].all()  # seen from another side
    np.testing.assert_array_equal(workspace.overlays[form.overlay_id].labels, marked)
    assert (form.plot.areas.image[:, :, 3] > 0).any()  # the same pixels, marked there
    before = form._scatter
    form.cloud_row.button.click()
    qtbot.waitUntil(lambda: form._scatter is not before, timeout=5000)
    form.brush([(0, 0), (reach, 0), (0, reach)])
    assert not form.cloud_row.turning

    form.choice.show_view("triangle")
    assert form.overlay_id not in workspace.overlays
    assert form._cloud is None
    assert len(form.plot._words) == 3
    form.brush([(-0.03, -0.03), (0.2, -0.03), (0.1, 0.17)])
    pure = workspace.overlays[form.overlay_id].labels.astype(bool)
    first = next(m for m in form.choice.maps() if m.id == form.choice.corner_boxes[0].currentData())
    assert first.values[pure].min() > 0.75
    form.choice.corner_boxes[1].setCurrentIndex(0)
    form._load()
    assert "three different corners" in form.line.text()
    form.choice.show_view("axes")
    assert form.plot.plot_item.getAxis("left").isVisible()
    assert not form.plot._words
    workspace.remove_scene(scene.id)
    assert not form.choice._results
