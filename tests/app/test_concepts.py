"""The concept desk in the window: a double click on a concept is a layer on the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest

LEFT = Qt.MouseButton.LeftButton


def test_from_the_open_cube_to_layers_with_one_contrast(
    window: Any, qtbot: Any, open_scene: Any, make_scene: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path))
    from backends.concepts import desk_encoders

    real = desk_encoders.settings_for
    monkeypatch.setattr(
        desk_encoders, "settings_for", lambda *a, **k: real(*a, **{**k, "steps": 40})
    )
    scene = open_scene(window, make_scene())
    window.show_dock("concepts")
    dock = window.docks["concepts"].inner
    assert window.dock_is_shown("concepts")
    dock.learn.choose_spectra()
    dock.learn.go_button.click()
    qtbot.waitUntil(lambda: dock.desk.field is not None, timeout=90_000)
    reading = dock.desk.field
    window.workspace.select_pixel(scene.id, 3, 4)
    dock.here.draw()
    cells = [c for some in dock.here.columns.cells.values() for c in some if c.line is not None]
    for cell in cells[:2]:
        QTest.mouseDClick(cell, LEFT, pos=QPoint(8, 8))
    first, second = (cell.line.concept for cell in cells[:2])
    overlays = window.workspace.overlays
    qtbot.waitUntil(lambda: [len(o.names) for o in overlays.values()] == [2], timeout=20_000)
    (overlay,) = overlays.values()
    (layer,) = window.canvas.overlays.layers(overlay.id)
    assert layer in window.viewer.layers
    np.testing.assert_allclose(layer.data, reading.codes.layer(second), atol=1e-6)
    assert layer.contrast_limits[1] == pytest.approx(reading.top(second))
    # The list offers both; the first is one choice away, with its own end of colours.
    row = window.canvas.board.row(scene.id, overlay.id)
    assert len(row.choices) == 2
    window.canvas.board.change(scene.id, overlay.id, choice=1)
    np.testing.assert_allclose(layer.data, reading.codes.layer(first), atol=1e-6)
    assert layer.contrast_limits[1] == pytest.approx(reading.top(first))
