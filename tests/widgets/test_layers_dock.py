"""The list of layers keeps its height whatever the legend below it has to say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.areas import ClassArea
from backends.bands import BandTable
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Workspace
from widgets.boards import PICTURE, LayerBoard, Row
from widgets.layers_dock import LayersDock
from widgets.legend import figure

# What is left for the dock in windows of 1600×1000 and 1280×800.
SIZES = ((186, 810), (186, 610))
STORY = "\n".join(f"Figure {n}: a long line about what made this layer" for n in range(60))


@pytest.mark.parametrize("size", SIZES)
def test_rows_stay_in_sight(qtbot: Any, size: tuple[int, int]) -> None:
    workspace, board = Workspace(), LayerBoard()
    info = SceneInfo(None, "raster", BandTable.build(2))
    scene = Scene(ArraySource(np.zeros((8, 8, 2), np.float32)), info)
    workspace.add_scene(scene)
    dock = LayersDock(workspace, board=board)
    qtbot.addWidget(dock)
    dock.resize(*size)
    dock.show()
    board.put(scene.id, Row(PICTURE, "Natural colour", "picture", removable=False))
    for number in range(4):
        row = Row(
            f"m{number}", f"Matrices {number}", "matrices", tooltip=STORY, on_canvas=number > 1
        )
        board.put(scene.id, row, at=0)
    classes = tuple(ClassArea(n, f"Class {n}", "#888888", 1, 0.05, None) for n in range(1, 21))
    board.set_legend(scene.id, "m3", classes)
    for row_id in dock.rows:
        board.activate(scene.id, row_id)
        qtbot.wait(30)
        seen = [
            view
            for view in dock.rows.values()
            if view.mapTo(dock._area.viewport(), view.rect().bottomLeft()).y()
            <= dock._area.viewport().height()
        ]
        assert len(seen) == len(dock.rows) == 5, row_id
        assert dock.legend.height() >= 100
    workspace.close()


def test_figures_of_the_legend_have_three_digits_and_nought_no_sign() -> None:
    assert [figure(v) for v in (-0.0, 0.0, -1.4321, 12345.6)] == ["0", "0", "−1.43", "12\u202f346"]
