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


def test_learning_is_paused_stopped_gone_on_with_and_ended(
    window: Any, qtbot: Any, open_scene: Any, make_scene: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path))
    from backends.concepts import desk_encoders

    real = desk_encoders.settings_for
    monkeypatch.setattr(
        desk_encoders, "settings_for", lambda *a, **k: real(*a, **{**k, "steps": 100_000})
    )
    open_scene(window, make_scene())
    window.show_dock("concepts")
    learn = window.docks["concepts"].inner.learn
    learn.choose_spectra()

    def done() -> int:
        return int(learn._handle.progress.done)

    def drawn() -> int:
        x = learn.curves.fvu.getData()[0]
        return 0 if x is None else len(x)

    QTest.mouseClick(learn.go_button, LEFT)
    qtbot.waitUntil(lambda: drawn() >= 3, timeout=60_000)  # curves grow while it learns
    assert learn.running.keep_button.isVisibleTo(learn.running)
    QTest.mouseClick(learn.running.pause_button, LEFT)
    qtbot.waitUntil(lambda: learn._handle.token.paused, timeout=5_000)
    qtbot.wait(300)
    rests = done()
    qtbot.wait(300)
    assert done() == rests
    QTest.mouseClick(learn.running.pause_button, LEFT)
    qtbot.waitUntil(lambda: done() > rests, timeout=20_000)

    QTest.mouseClick(learn.running.cancel_button, LEFT)
    qtbot.waitUntil(lambda: learn.on_button.isVisibleTo(learn), timeout=20_000)
    stopped = done()
    assert 0 < stopped < 100_000
    assert list(tmp_path.rglob("concepts_training.safetensors"))
    before = drawn()
    QTest.mouseClick(learn.on_button, LEFT)
    assert not learn.on_button.isVisibleTo(learn)
    qtbot.waitUntil(lambda: drawn() > 0, timeout=60_000)
    assert drawn() > before  # from where it was: with all that was drawn before
    assert done() >= stopped
    QTest.mouseClick(learn.running.keep_button, LEFT)
    dock = window.docks["concepts"].inner
    qtbot.waitUntil(lambda: dock.desk.field is not None, timeout=60_000)
    assert dock.quality_line.isVisibleTo(dock)
