"""The overview: seen while a part is out of sight, its frame is the view, a click goes there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QWidget

from widgets.overview import SIDE, Overview


@pytest.fixture
def surface(qtbot: Any) -> QWidget:
    made = QWidget()
    made.resize(600, 500)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def overview(surface: QWidget) -> tuple[Overview, list[tuple[float, float]]]:
    gone: list[tuple[float, float]] = []
    made = Overview(surface, lambda row, col: gone.append((row, col)))
    made.set_scene((80_000, 100_000))
    return made, gone


def test_it_is_seen_only_when_of_use(overview: Any) -> None:
    made, _ = overview
    made.set_view((10_000, 10_000, 4_000, 5_000))
    assert made.isHidden()  # its picture is not there yet
    made.set_picture(np.full((80, 100, 3), 200, np.uint8))
    assert made.isVisible()
    assert (made.width(), made.height()) == (SIDE, round(0.8 * SIDE))
    made.set_view((-500, -500, 90_000, 110_000))
    assert made.isHidden()  # all is in view
    made.set_view((10_000, 10_000, 4_000, 5_000))
    made.set_wanted(False)
    assert made.isHidden()


def test_the_frame_is_the_view_and_never_too_small_to_see(overview: Any) -> None:
    made, _ = overview
    made.set_picture(np.full((80, 100, 3), 200, np.uint8))
    made.set_view((20_000, 50_000, 40_000, 25_000))
    frame, high = made.frame, round(0.8 * SIDE)
    assert frame.left() == pytest.approx(SIDE / 2, abs=0.5)
    assert frame.width() == pytest.approx(SIDE / 4, abs=0.5)
    assert (frame.top(), frame.height()) == (
        pytest.approx(high / 4, abs=0.5),
        pytest.approx(high / 2, abs=0.5),
    )
    made.set_view((20_000, 50_000, 400, 250))
    assert made.frame.width() == pytest.approx(6)


def test_a_click_goes_there_and_a_drag_follows(qtbot: Any, overview: Any) -> None:
    made, gone = overview
    made.set_picture(np.full((80, 100, 3), 200, np.uint8))
    made.set_view((0, 0, 4_000, 5_000))
    qtbot.mouseClick(made, Qt.MouseButton.LeftButton, pos=QPoint(made.width() // 2, 0))
    row, col = gone[-1]
    assert row < 600
    assert col == pytest.approx(50_000, abs=600)
