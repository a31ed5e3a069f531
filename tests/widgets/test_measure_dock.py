"""The measure dock and the one of two scenes, without a canvas: empty, narrow, wrong input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.measuring.lengths import AREA, Measurement, measure
from backends.workspace import Workspace
from tests.widgets.test_spectral_tools_dock import field
from widgets.measure_dock import MeasureDock
from widgets.pair_dock import PairDock


@pytest.fixture
def workspace() -> Any:
    made = Workspace()
    yield made
    made.close()


def shown(qtbot: Any, dock: Any) -> Any:
    qtbot.addWidget(dock)
    dock.resize(320, 900)
    dock.show()
    qtbot.waitExposed(dock)
    return dock


def test_measure_dock_is_empty_then_keeps_deletes_and_undoes(
    workspace: Workspace, qtbot: Any
) -> None:
    dock = shown(qtbot, MeasureDock(workspace))
    assert dock.empty.isVisible()
    scene = field(Path("field.dat"))
    workspace.add_scene(scene)
    assert dock.content.isVisible()
    ring = np.array([(0.0, 0.0), (0.0, 9.0), (9.0, 9.0)])
    for number in (1, 2):
        size = measure(scene, ring * number, AREA)
        workspace.add_measurement(Measurement(f"Area {number}", scene.id, AREA, ring, size))
    table = dock.measure.table
    assert [table.item(row, 0).text() for row in range(2)] == ["Area 1", "Area 2"]
    table.selectRow(0)
    assert dock.measure.copy().startswith("Area 1\t")
    dock.measure.delete()
    assert [m.name for m in workspace.measurements.values()] == ["Area 2"]
    workspace.commands.undo()
    assert [m.name for m in workspace.measurements.values()] == ["Area 1", "Area 2"]
    workspace.remove_scene(scene.id)
    assert not workspace.measurements
    assert dock.empty.isVisible()


def test_every_page_fits_a_narrow_dock_and_puts_the_tool_down(
    workspace: Workspace, qtbot: Any
) -> None:
    dock = shown(qtbot, MeasureDock(workspace))
    workspace.add_scene(field(Path("field.dat")))
    for name, page in dock.pages.items():
        dock.board.hold("distance")
        dock.show_page(name)
        assert page.isVisible()
        assert page.minimumSizeHint().width() <= 304
        assert dock.board.tool == ("distance" if name == "Measure" else "")


def test_a_place_that_is_none_says_why(workspace: Workspace, qtbot: Any) -> None:
    dock = shown(qtbot, MeasureDock(workspace))
    scene = field(Path("field.dat"))
    workspace.add_scene(scene)
    dock.show_page("Find")
    find, asked = dock.find, []
    dock.board.look_asked.connect(lambda *place: asked.append(place))
    for text, sentence in (("nowhere", "no row, column"), ("9999, 1", "outside")):
        find.place_edit.setText(text)
        find.go()
        assert sentence in find.place_line.text()
    assert asked == []
    find.place_edit.setText("3, 4")
    find.go()
    assert asked == [(scene.id, 3.0, 4.0)]
    assert "Row 3, column 4" in find.place_line.text()


def test_two_scenes_need_two(workspace: Workspace, qtbot: Any) -> None:
    dock = shown(qtbot, PairDock(workspace))
    one, two = field(Path("one.dat")), field(Path("two.dat"))
    workspace.add_scene(one)
    assert dock.empty.isVisible()
    dock.show_mode("swipe")
    assert dock.board.mode == ""
    workspace.add_scene(two)
    assert dock.content.isVisible()
    assert dock.other is one  # the active one is the first
    assert dock.content.minimumSizeHint().width() <= 304
    dock.ways["side"].click()
    assert (dock.board.mode, dock.board.other_id) == ("side", one.id)
    dock.ways[""].click()
    assert dock.board.mode == ""
